"""Instances of a task in the form of examples: input first, or class label first."""

import re

from selfinstruct.parsing.fields import (
    INPUT_FIELD,
    LABEL_FIELD,
    OUTPUT_FIELD,
    from_json,
    mark_cut,
    no_input,
    read_example,
    read_input,
    with_ends,
)
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.json_answers import json_rows
from selfinstruct.parsing.text import body, tidy
from selfinstruct.parsing.thoughts import spoken

# A heading has its own line: "Example 2", "**Example 2:**", "### Example 2 (harder)"; "2." above an input.
_EXAMPLE = re.compile(
    r"^[ \t#*_>-]*example(?:[ \t]*#?\d+\.?)?(?:[ \t]*\([^()\n]*\))?[ \t:*_#]*$"
    r"|^[ \t#*_>\[-]*example[ \t]*#?\d+[^\n]{0,60}$(?=\n+[ \t*_-]*(?:input|output)\b)"
    r"|^[ \t]*[*_]{0,2}\(?\d{1,2}[.):][*_]{0,2}[ \t]*$(?=\n+[ \t*_-]*(?:input|output)\b)",
    re.IGNORECASE | re.MULTILINE,
)


def input_first(text: str, cut: bool) -> list[ParsedInstance]:
    """Read instances in the form "Example 1 / Input: ... / Output: ...", or in JSON.

    An example without an input line has the input "". Only a heading on its own line, or an "Input:" after an output,
    starts a new example. `cut`: whether the token limit ended the answer; the last instance is then marked as cut.
    """
    if (rows := json_rows(spoken(text))) is not None:
        return mark_cut(from_json(rows), cut)
    text = body(text)
    marks = list(_EXAMPLE.finditer(text))
    blocks = [text[m.end() : end] for m, end in with_ends(marks)] or [text]
    if marks:  # the first example may have no heading, but the text there may also be a greeting
        above = text[: marks[0].start()]
        number = re.search(r"\d+", marks[0].group())
        if OUTPUT_FIELD.search(above) or (above.strip() and number and int(number.group()) > 1):
            blocks.insert(0, above)
    instances = [read_example(part) for block in blocks for part in _split_at_inputs(block)]
    return [i for i in mark_cut(instances, cut) if i.input or i.output or (i.cut and len(instances) > 1)]


def output_first(text: str, cut: bool) -> list[ParsedInstance]:
    """Read instances in the form "Class label: ... / Input: ...", or in JSON; the label becomes the output."""
    if (rows := json_rows(spoken(text))) is not None:
        return mark_cut(from_json(rows), cut)
    text = _EXAMPLE.sub("", body(text))
    instances = []
    marks = list(LABEL_FIELD.finditer(text)) or list(OUTPUT_FIELD.finditer(text))
    marks = [mark for mark in marks if _last_word(mark) == _last_word(marks[0])]  # others are part of an input
    if marks and INPUT_FIELD.search(text, 0, marks[0].start()):
        return mark_cut(_labels_below(text, marks), cut)
    for mark, end in with_ends(marks):
        block = text[mark.end() : end]
        given = INPUT_FIELD.search(block)
        label, _, rest = block[: given.start() if given else None].strip().partition("\n")
        before = read_input(block, given) if given else no_input(rest)
        instances.append(ParsedInstance(before, tidy(label, mark.group().count("**") == 1), False))
    return mark_cut(instances, cut)


def _labels_below(text: str, marks: list[re.Match[str]]) -> list[ParsedInstance]:
    """The instances of an answer in which, contrary to the prompt, each input precedes its label."""
    instances = []
    begin = 0
    for mark in marks:
        given = INPUT_FIELD.search(text, begin, mark.start())
        label = text[mark.end() :].strip().partition("\n")[0]
        before = read_input(text[: mark.start()], given) if given else ""
        instances.append(ParsedInstance(before, tidy(label, mark.group().count("**") == 1), False))
        begin = mark.end()
    return instances


def _last_word(mark: re.Match[str]) -> str:
    return str(re.findall(r"[a-z]+", mark.group().lower())[-1])


def _split_at_inputs(block: str) -> list[str]:
    """One part for each "Input:" that follows an "Output:" (models leave the heading out)."""
    starts = [0]
    for mark in INPUT_FIELD.finditer(block):
        if OUTPUT_FIELD.search(block, starts[-1], mark.start()):
            starts.append(mark.start())
    return [block[a:b] for a, b in zip(starts, [*starts[1:], None], strict=True)]
