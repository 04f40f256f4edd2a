"""Text of models and servers, made safe for a terminal and for pages: nothing steers either, nothing hides in it.

The one table of what cannot be seen, or turns around what stands beside it, is INVISIBLE.
"""

import json
import re
from typing import IO, Any

from markupsafe import Markup, escape

# Beside the controls, Unicode's Default_Ignorable_Code_Point; but joiners (U+200C, U+200D) and selectors of variants
# stay, because scripts and emoji are written with them.
INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls, but tab and line feed
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks of direction
    "\u00ad\u034f\u180e\u200b\ufeff"  # what has no width: soft hyphen, grapheme joiner, spaces
    "\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # letters that are blank: Hangul fillers, Khmer vowels
    "\u2028\u2029"  # separators of lines and paragraphs
    "\u2060-\u2065\u206a-\u206f"  # word joiner, invisible operators, deprecated formats
    "\ud800-\udfff"  # halves of surrogate pairs, which are no characters
    "\ufff0-\ufffb"  # annotations, and what is reserved beside them
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # formats of shorthand and music
    "\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"  # tags, and what is reserved beside them
    "]"
)


def visible(text: str) -> str:
    r"""The text for a terminal: what is invisible or cannot be printed is spelled out (\u200b), but line breaks, tabs.

    A terminal is stricter than a page: joiners, spaces of other widths and private characters are spelled out as well.
    """
    text = INVISIBLE.sub(lambda found: _escaped(found[0]), text)
    return "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in text)


def say(text: str, end: str = "\n", file: IO[str] | None = None) -> None:
    """Print a text for people, at once; it may hold what a server, a model or a file said, or the name of any file."""
    print(visible(text), end=end, file=file, flush=True)


def to_json(value: Any) -> str:
    """A value as one line of JSON, for other programs, and safe where it is printed on a terminal all the same."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return INVISIBLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def shown(text: str, around: str = '<span class="invisible">{}</span>') -> Markup:
    """The text for a page, as safe markup: escaped, with what is invisible named (U+200B), each name in `around`."""
    return Markup(INVISIBLE.sub(lambda found: around.format(f"U+{ord(found[0]):04X}"), str(escape(text))))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
