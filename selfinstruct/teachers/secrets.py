r"""The API key, blotted out wherever a server echoes it: in errors, and in answers, which are kept and published.

Local servers want a key and take any, so people set "x", "EMPTY" or "ollama". That is no secret, and to blot it out
would spoil every word with an x in it. A secret is long and varied, and more than the usual words of a placeholder;
it is found as it stands, in the escapes of JSON (\u0073k-...) and of addresses (sk%2D...), and in base64.

Not covered: a key that a server cuts up, turns round or encrypts; short passwords of one's own server.
"""

import base64
import re
from typing import Any

BLOT = "[key]"
SHORTEST = 16  # characters; the shortest keys that servers issue have 32
WORDY = 20  # below this length letters alone are words: lm_studio_needs_one
FEWEST_KINDS = 8  # different characters: not sk-xxxxxxxxxxxxxxxx, not 00000000-0000-...
PLACEHOLDERS = frozenset(
    re.findall(
        r"\w+",
        "a an any anything api change changeme dummy empty enter example fake for foo free goes here insert is key "
        "llama llm lm local localhost me my need needed needs no none not nothing null ollama one open openai or paste "
        "placeholder put proxy replace required secret server sk studio test the this token used user valid value vllm "
        "with x xxx your",
    )
)


def is_secret(key: str) -> bool:
    """Whether a key is one that nobody may see, and not what a server without keys is given."""
    words = set(re.findall(r"[a-z]+", key.lower()))
    digits = len(re.findall(r"[0-9]", key))
    return (
        len(key) >= (SHORTEST if digits else WORDY)
        and len(set(key)) >= FEWEST_KINDS
        and bool(words)
        and (digits >= 8 or not words <= PLACEHOLDERS)
    )


class Blotter:
    """Takes a key out of texts and JSON values. One that is no secret, or none, changes nothing."""

    def __init__(self, key: str):
        spellings = (key, *_in_base64(key)) if is_secret(key) else ()
        self._plain = spellings
        self._any = re.compile("|".join(map(_spelled, spellings))) if spellings else None

    def is_in(self, text: str) -> bool:
        """Whether the key is in the text, in any spelling that JSON or an address may give it."""
        if self._any is None:
            return False
        if any(spelling in text for spelling in self._plain):
            return True
        return bool(_ESCAPE.search(text) and self._any.search(text))

    def text(self, text: str) -> str:
        """The text without the key."""
        return self._any.sub(BLOT, text) if self._any and self.is_in(text) else text

    def value(self, value: Any) -> Any:
        """A JSON value without the key in its texts; its numbers stay what they are."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return {self.text(name): self.value(one) for name, one in value.items()}
        return value


_ESCAPE = re.compile(r"\\u00[2-7]|\\/|%[2-7]")  # of an ASCII character, as which a key may be spelled otherwise


def _spelled(spelling: str) -> str:
    """A pattern of a spelling, each character as it stands or escaped, also in JSON inside of JSON.

    The number of backslashes is bounded, so that a text of nothing else costs no more than another.
    """
    return "".join(
        rf"(?:(?:\\{{1,8}}[uU]00|%(?:25){{0,3}})(?i:{ord(c):02x})|\\{{0,8}}{re.escape(c)})" for c in spelling
    )


def _in_base64(key: str) -> list[str]:
    """What base64 makes of the key wherever it begins in a longer text, without what depends on its neighbours."""
    found: list[str] = []
    for before in range(3):
        code = base64.b64encode(b"\0" * before + key.encode())
        inner = code[(before * 8 + 5) // 6 : (before + len(key)) * 8 // 6].decode()
        found += dict.fromkeys([inner, inner.translate(str.maketrans("+/", "-_"))])
    return found
