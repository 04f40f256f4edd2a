"""Random draws for a request: the same at any time and on any server.

>>> chance(b"digest", "poison") == chance(b"digest", "poison") != chance(b"digest", "refusal")
True
"""

import hashlib
from random import Random


def chance(digest: bytes, what: str) -> float:
    """Draw a number from 0 up to 1 for a request: always the same for the same purpose, different for another one."""
    return int.from_bytes(hashlib.sha256(b"%b %b" % (digest, what.encode())).digest()[:8]) / 2**64


def generator(digest: bytes, index: int) -> Random:
    """Make the random generator for one choice of the answer to a request."""
    return Random(hashlib.sha256(b"%b/%d" % (digest, index)).digest())
