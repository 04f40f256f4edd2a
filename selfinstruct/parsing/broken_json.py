"""Reads invalid JSON as models write it, in linear time: cut off, or with errors that a person would overlook.

Trailing, doubled and missing commas, comments, single quotes, names without quotes, unescaped quotes inside a text,
missing quotes and brackets. Ambiguous characters count as part of the text: a quote ends a text only if what follows
can follow one. JSON nested deeper than DEEPEST, or with more than MOST values, is not read.
"""

import json
import re
from typing import Any

from selfinstruct.patterns import pattern

DEEPEST = 50
MOST = 2000
_BETWEEN = pattern(r"(?:[\s,;]+|//[^\n]*|#[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|\Z))*")
_WORD = pattern(r"[^\s,\[\]{}:\"']+")
_COLON = pattern(r"\s*:")
_LITERALS = {"true": True, "false": False, "null": None, "none": None}
_KEY_IN_QUOTES = r"(?:\"[^\"\n]{0,60}\"|'[^'\n]{0,60}')\s{0,20}:"
_KEY = rf"(?:{_KEY_IN_QUOTES}|\w{{1,30}}\s{{0,20}}:)"
_END = r"\s{0,400}(?:\Z|[}\]]|//|/\*)"


def _closing(quote: str, follows: str, forgotten: str = "") -> re.Pattern[str]:
    return pattern(rf"(?:\\[\s\S])++|(?P<end>{quote}(?={_END}|{follows}){forgotten})")


_AFTER_KEY = {quote: _closing(quote, r"\s{0,20}:") for quote in "\"'"}
_AFTER_FIELD = {
    quote: _closing(
        quote, rf"\s{{0,400}}[,;]?\s{{0,400}}(?:{_KEY}|[}}\]]|//|/\*|\Z)", rf"|(?=,\s{{0,20}}{_KEY_IN_QUOTES})"
    )
    for quote in "\"'"
}
_AFTER_ITEM = {
    quote: _closing(quote, r"\s{0,400},\s{0,400}(?:[\"'{\[}\],\d-]|true|false|null|//|\Z)|\s{0,20}\n\s{0,400}[\"'{]")
    for quote in "\"'"
}


def broken_values(text: str) -> tuple[list[Any], bool]:
    """The objects and lists that `text` begins with, as far as they go, and whether it ends inside a text.

    ValueError beyond DEEPEST or MOST.
    """
    reader = _Reader(text)
    values = []
    while text[reader.at : reader.at + 1] in ("{", "["):
        values.append(reader.value(0))
        reader.skip()
    return values, reader.ends_inside


class _Reader:
    """A position in a text, and the values read from there."""

    def __init__(self, text: str):
        self.text = text
        self.at = 0
        self.left = MOST
        self.ends_inside = False

    def skip(self) -> str:
        """Go to the next significant character, and return it; "" at the end."""
        found = _BETWEEN.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return self.text[self.at : self.at + 1]

    def value(self, depth: int, after: dict[str, re.Pattern[str]] = _AFTER_ITEM) -> Any:
        """The value that begins here; an unquoted text or unknown word ends where `after` says."""
        first = self.text[self.at : self.at + 1]
        self.left -= 1
        if depth > DEEPEST or self.left < 0:
            raise ValueError("nested too deeply, or too many values")
        if first in ("{", "["):
            self.at += 1
            return self._object(depth) if first == "{" else self._list(depth)
        if first in ('"', "'"):
            return self._quoted(after[first])
        word = _WORD.match(self.text, self.at)
        self.at = word.end() if word else self.at + 1
        return _as_value(word.group()) if word else ""

    def _object(self, depth: int) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        while (first := self.skip()) not in ("", "}", "]"):
            key = self.value(depth + 1, _AFTER_KEY)
            if colon := _COLON.match(self.text, self.at):
                self.at = colon.end()
                nothing = self.skip() in ("", "}", "]")
                fields[str(key)] = "" if nothing else self.value(depth + 1, _AFTER_FIELD)
        self.at += first == "}"
        return fields

    def _list(self, depth: int) -> list[Any]:
        values = []
        while (first := self.skip()) not in ("", "}", "]"):
            values.append(self.value(depth + 1))
        self.at += first == "]"
        return values

    def _quoted(self, closing: re.Pattern[str]) -> str:
        begin = self.at + 1
        end = next((found for found in closing.finditer(self.text, begin) if found["end"] is not None), None)
        self.at = end.end() if end else len(self.text)
        self.ends_inside = end is None
        inside = self.text[begin : end.start() if end else None]
        return _unescaped(inside)


def _as_value(word: str) -> Any:
    if word.lower() in _LITERALS:
        return _LITERALS[word.lower()]
    try:
        return json.loads(word)
    except ValueError:
        return word


_ESCAPE = pattern(r"\\(?:u([0-9A-Fa-f]{4})|([\s\S])|\Z)")
_MEANS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def _unescaped(text: str) -> str:
    """A JSON string's text; half of a surrogate pair is kept."""
    plain = _ESCAPE.sub(lambda e: chr(int(e[1], 16)) if e[1] else _MEANS.get(e[2], e[2]) if e[2] else "", text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
