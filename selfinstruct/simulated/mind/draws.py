"""What is drawn for a request: the same whenever, and from whichever server, it is asked for.

>>> chance(b"digest", "poison") == chance(b"digest", "poison") != chance(b"digest", "refusal")
True
"""

import hashlib
from random import Random


def chance(digest: bytes, what: str) -> float:
    """Draw a number from 0 up to 1 for a request: the same whenever it comes, another one for another purpose."""
    return int.from_bytes(hashlib.sha256(b"%b %b" % (digest, what.encode())).digest()[:8]) / 2**64


def generator(digest: bytes, index: int) -> Random:
    """Make the random generator of one choice of the answer to a request."""
    return Random(hashlib.sha256(b"%b/%d" % (digest, index)).digest())
