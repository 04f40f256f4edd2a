"""Instances in forms that nobody asked for, but that are as clear: tags, a table, "In:" and "Out:".

    >>> other_pairs("<input>3</input> <output>three</output>")
    [('3', 'three')]

Only for texts without the usual fields. "Q:" and "A:", "User:" and "Assistant:" are usually what the task asked for.
"""

import re

from selfinstruct.patterns import pattern

_INSIDE = r"([^<]*+(?:<(?!/?(?:in|out)put>)[^<]*+)*+)"
_TAGS = pattern(rf"(?:<input>{_INSIDE}</input>\s*+)?<output>{_INSIDE}</output>", re.IGNORECASE)
_TABLE = pattern(
    r"[ \t]*\|?[ \t*]*input[ \t*]*\|[ \t*]*output[ \t*]*\|?[ \t]*\n[ \t]*\|?[ :-]+\|[ :-]+\|?[ \t]*\n", re.IGNORECASE
)
_CELL_END = pattern(r"(?<!\\)\|")
_AROUND_TAGS = pattern(
    r"(?:\s|</?(?:examples?|instances?|tasks?)>|(?:example[ \t]{0,3})?\d{1,3}[.):]?)*+", re.IGNORECASE
)
_SHORT = pattern(r"^[ \t*_]{0,6}(in|out)[*_]{0,2}:[*_]{0,2}[ \t]", re.IGNORECASE | re.MULTILINE)

_QUALIFIED = pattern(
    r"^(?P<before>[ \t#*_>-]{0,8})(?:(?:sample|test|example|expected|desired|correct)[ \t])?(?P<name>input|output)"
    r"(?:[ \t](?:text|data|string|sentence))?(?=[*_]{0,3}[ \t]?[:：])",
    re.IGNORECASE | re.MULTILINE,
)


def unqualified(text: str) -> str:
    """The text with "Input" and "Output" for "Sample input", "Expected output", "Input text" where a line begins."""
    return _QUALIFIED.sub(r"\g<before>\g<name>", text)


def other_pairs(text: str) -> list[tuple[str, str]]:
    """The inputs and outputs of a text in one of these forms; none if it is in none of them."""
    tagged = _TAGS.findall(text)
    if tagged and _AROUND_TAGS.fullmatch(_TAGS.sub("", text)):  # otherwise they are the HTML of an answer
        return [(given.strip(), output.strip()) for given, output in tagged]
    if header := _TABLE.match(text):
        return _rows(text[header.end() :])
    marks = list(_SHORT.finditer(text))
    if (
        not marks
        or text[: marks[0].start()].strip()
        or len(marks) % 2
        or [mark[1].lower() for mark in marks] != ["in", "out"] * (len(marks) // 2)
    ):
        return []
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    said = [text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)]
    return list(zip(said[::2], said[1::2], strict=True))


def _rows(text: str) -> list[tuple[str, str]]:
    """The rows of a table, up to a blank line; none if one of them has not two cells."""
    rows = []
    for line in text.partition("\n\n")[0].strip().split("\n"):
        cells = [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(line.strip().removeprefix("|"))]
        if len(cells) == 3 and not cells[2]:  # behind the last mark
            del cells[2]
        if len(cells) != 2:
            return []
        rows.append((cells[0], cells[1]))
    return rows
