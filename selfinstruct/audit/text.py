"""How long texts are folded, and what two of them have in common, for the audit's pages."""

from collections.abc import Iterator
from typing import NamedTuple

from rapidfuzz.distance import LCSseq

from selfinstruct.pool.novelty import ASCII_TOKEN, UNICODE_TOKEN, tokens

FOLD_ABOVE = 2_000  # characters
PREVIEW = 600  # characters of a folded text that are shown
MOST_TOKENS = 3_000  # of a text that is compared token by token

Segment = tuple[str, bool]  # a part of a text, and whether it is in common with the other one


class Folded(NamedTuple):
    """A text with its beginning; `preview` is "" where it is short enough to be shown whole."""

    text: str
    preview: str


def folded(text: str) -> Folded:
    """The text, with a preview where it is long."""
    return Folded(text, text[:PREVIEW] if len(text) > FOLD_ABOVE else "")


def marked(text: str, part: str) -> list[Segment]:
    """The text in segments, the first occurrence of `part` marked; where it is not there as it is, nothing is."""
    at = text.find(part) if part else -1
    if at < 0:
        return [(text, False)]
    return [(text[:at], False), (part, True), (text[at + len(part) :], False)]


def in_common(one: str, other: str, ascii_only: bool) -> tuple[list[Segment], list[Segment]]:
    """Both texts in segments, marked where they share their longest common subsequence of tokens.

    Nothing is marked in texts of more than MOST_TOKENS tokens.
    """
    first, second = _spans(one, ascii_only), _spans(other, ascii_only)
    if max(len(first), len(second)) > MOST_TOKENS:
        return [(one, False)], [(other, False)]
    blocks = LCSseq.editops([w for w, *_ in first], [w for w, *_ in second]).as_matching_blocks()
    of_first = {block.a + k for block in blocks for k in range(block.size)}
    of_second = {block.b + k for block in blocks for k in range(block.size)}
    return list(_segments(one, first, of_first)), list(_segments(other, second, of_second))


def _spans(text: str, ascii_only: bool) -> list[tuple[str, int, int]]:
    """The tokens of the novelty rule with the place in the text that each comes from."""
    if ascii_only or text.isascii():
        return [(found.group(), *found.span()) for found in ASCII_TOKEN.finditer(text.translate(_LOWER))]
    places = UNICODE_TOKEN.finditer(text)
    return [(token, *found.span()) for found in places for token in tokens(found.group())]


# As lower(), which may change a text's length outside of ASCII.
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def _segments(text: str, spans: list[tuple[str, int, int]], chosen: set[int]) -> Iterator[Segment]:
    end = 0
    for k, (_, begin, stop) in enumerate(spans):
        if k in chosen and begin >= end:
            yield text[end:begin], False
            yield text[begin:stop], True
            end = stop
    yield text[end:], False
