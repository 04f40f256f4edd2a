"""Fields of an instance, each after its name at the beginning of a line, or in JSON.

A name may be bold, a heading (Markdown or org), numbered or a list item, and its colon may be full-width. The names are
in `names`.
"""

import re
from typing import Any

from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.json_answers import INPUT, OUTPUT, json_field, json_rows
from selfinstruct.parsing.names import any_of
from selfinstruct.parsing.remarks import with_output, without_remarks, without_thoughts
from selfinstruct.parsing.verdicts import says_no_input
from selfinstruct.patterns import pattern

# "2. ", "(2) ", "[2] ", "2、" before a name.
_NUMBER = r"[(（\[【]?\d{1,3}+[ \t]{0,3}+[.)）\]】、．:：][ \t]{0,12}+"
_END = r"[ \t]{0,20}+$"


def _field(names: str) -> str:
    """A pattern for a field's name that starts a line: "Input:", "**Input 2:**", "- Input:", "2. Input:", "# Input"."""
    return (
        r"^(?=[^\n])(?:[ ]{0,3}+(?!\t)|[ \t]{0,12}+(?=(?:[-*•][ \t]{1,8}+)?\*\*))(?:>[ ]?+)?+"
        r"(?:[-*•][ \t]{1,8}+)?[*_]{0,3}+"
        rf"(?:{_NUMBER})?(?:#{{1,6}}+[ \t]{{0,8}}+)?+[*_]{{0,3}}+(?:{_NUMBER})?[【\[]?"
        rf"{names}[】\]]?[ \t]{{0,3}}\d{{0,3}}(?:[ \t]{{0,3}}[(（][^()（）\n]{{1,30}}[)）])?"
        r"(?:(?<=】)[ \t]{0,20}(?![:：])|[*_ \t]{0,6}(?:::(?!:)|[:：][*_]{0,3})[ \t]{0,20}"
        rf"|[ \t]{{0,3}}[*_]{{2,3}}{_END})"
        rf"|^(?=[ #*])(?:[ ]{{0,3}}+#{{1,6}}+|\*{{2,4}}+(?=[ \t]))[ \t]{{0,8}}+(?:{_NUMBER})?{names}"
        rf"[ \t]{{0,3}}\d{{0,3}}{_END}"
    )


_FLAGS = re.IGNORECASE | re.MULTILINE
INPUT_FIELD = pattern(_field(any_of("input")), _FLAGS)
# "Response" is too common in texts to count as a field's name outside of a heading.
OUTPUT_FIELD = pattern(
    _field(any_of("output")) + rf"|^(?=[ #])[ ]{{0,3}}#{{1,6}}[ \t]{{0,8}}response[ \t]{{0,3}}[:：]?{_END}", _FLAGS
)
LABEL_FIELD = pattern(_field(any_of("label")), _FLAGS)
INSTRUCTION_FIELD = pattern(_field(any_of("instruction")), _FLAGS)


# Beside an "Input:", an "Answer:" above the "Output:" is a part of the input: somebody's answer, or the place of one.
_NAMED_OUTPUT = pattern(_field("output"), _FLAGS)


def read_example(part: str, task: str = "") -> ParsedInstance:
    """The instance in a part of an answer to `task`; without fields, all of it is the output."""
    if rows := json_rows(part):
        return with_output(from_json(rows)[0], task)
    output = OUTPUT_FIELD.search(part)
    given = INPUT_FIELD.search(part, 0, output.start() if output else len(part))
    if given and not output and "input" not in given.group().lower():
        given = None  # "Entrée:" in a menu: names in other languages count only in pairs
    if given and output and "answer" in output.group().lower():
        output = _NAMED_OUTPUT.search(part, output.end()) or output
    if not output and not given:
        return ParsedInstance("", without_remarks(_value(part), task), False)
    before = part[: output.start()] if output else part
    after = _value(part[output.end() :], output) if output else ""
    after = without_remarks(after, task)
    asked = read_input(before, given) if given else no_input(before)
    if output:
        asked = without_thoughts(asked, task) or (asked if given else "")
    return with_output(ParsedInstance(asked, after, False), task)


def from_json(rows: list[Any]) -> list[ParsedInstance]:
    """One instance for each row: an object, or a text, which is the output."""
    return [
        ParsedInstance(no_input(json_field(row, INPUT) or ""), json_field(row, OUTPUT) or "", False)
        if isinstance(row, dict)
        else ParsedInstance("", row if isinstance(row, str) else "", False)
        for row in rows
    ]


def read_input(text: str, mark: re.Match[str], end: int | None = None) -> str:
    """The input after its name in `text`, up to `end`."""
    return no_input(_value(text[mark.end() : end], mark))


def no_input(text: str) -> str:
    """The text, or "" if it says that there is no input."""
    text = _value(text)
    return "" if says_no_input(text) else text


def _value(text: str, mark: re.Match[str] | None = None) -> str:
    """A field's text, without a rule or separator below it, and without the end of bold type that began before it."""
    text = text.strip()
    end = len(text)
    while text.endswith(("\n---", "\n###"), 0, end):
        end -= len("\n---")
        while end and text[end - 1].isspace():
            end -= 1
    text = text[:end]
    if mark and mark.group().count("**") == 1:
        text = text.removesuffix("**").rstrip()
    return text


def with_ends(marks: list[re.Match[str]]) -> list[tuple[re.Match[str], int | None]]:
    """Each mark with the position of the next one; None for the last."""
    return list(zip(marks, [*(mark.start() for mark in marks[1:]), None], strict=True)) if marks else []


def mark_cut(instances: list[ParsedInstance], cut: bool) -> list[ParsedInstance]:
    """The instances; the last one is marked if the answer was cut."""
    return [*instances[:-1], instances[-1]._replace(cut=True)] if cut and instances else instances
