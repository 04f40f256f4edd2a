"""What a model said, made safe and readable: nothing of it is ever markup, and nothing invisible in it stays so.

Control characters, marks of direction and other characters without a shape are shown as their names (NUL as U+0000), so
that they neither vanish nor turn around what stands beside them. Joiners stay: scripts and emoji need them.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from markupsafe import Markup, escape
from rapidfuzz.distance import LCSseq

from selfinstruct.pool.novelty import ASCII_TOKEN, UNICODE_TOKEN, tokens

INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)
FOLD_ABOVE = 2_000  # characters
PREVIEW = 600  # characters of a folded text that are shown
MOST_TOKENS = 3_000  # of a text that is compared token by token

Segment = tuple[str, bool]  # a part of a text, and whether it is in common with the other one


class Folded(NamedTuple):
    """A text with its beginning; `preview` is "" where it is short enough to be shown whole."""

    text: str
    preview: str


def shown(text: str) -> Markup:
    """The text as safe markup: escaped, with what is invisible named."""
    parts, end = [], 0
    for found in INVISIBLE.finditer(text):
        parts.append(escape(text[end : found.start()]))
        parts.append(Markup('<span class="invisible">U+{:04X}</span>').format(ord(found.group())))
        end = found.end()
    return Markup().join([*parts, escape(text[end:])])


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
