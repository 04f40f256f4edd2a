"""Fields of an instance, each after its name at the start of a line, and the same in JSON."""

import re
from typing import Any

from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.json_answers import INPUT, OUTPUT, json_field, json_rows
from selfinstruct.parsing.verdicts import says_no_input


def _field(names: str) -> re.Pattern[str]:
    """A field's name that starts a line: "Input:", "**Input 2:**", "- Input:", "2. Input:", "**Input**", "# Input"."""
    return re.compile(
        r"^(?:[ ]{0,3}|[ \t]{0,12}(?=(?:[-*•][ \t]+)?\*\*))(?:>[ ]?)?(?:[-*•][ \t]+)?[*_]{0,3}"
        r"(?:\d{1,3}[.)][ \t]*)?(?:#{1,6}[ \t]*)?[*_]{0,3}"
        rf"(?:{names})[ \t]*\d*"
        r"(?:[*_ \t]*:[*_]*[ \t]*|[ \t]*[*_]{2,3}[ \t]*$)"
        rf"|^[ ]{{0,3}}#{{1,6}}[ \t]*(?:\d{{1,3}}[.)][ \t]*)?(?:{names})[ \t]*\d*[ \t]*$",
        re.IGNORECASE | re.MULTILINE,
    )


INPUT_FIELD = _field("input")
# "Response" is too common in texts to be a field's name anywhere but in a heading.
OUTPUT_FIELD = re.compile(
    _field("output|answer").pattern + r"|^[ ]{0,3}#{1,6}[ \t]*response[ \t]*:?[ \t]*$", re.IGNORECASE | re.MULTILINE
)
LABEL_FIELD = _field(r"(?:class[ \t]*)?label|class|category")
INSTRUCTION_FIELD = _field("instruction|task")


def read_example(part: str) -> ParsedInstance:
    """The instance that a part of an answer holds; without fields, all of it is the output."""
    if rows := json_rows(part):
        return from_json(rows)[0]
    output = OUTPUT_FIELD.search(part)
    given = INPUT_FIELD.search(part, 0, output.start() if output else len(part))
    if not output and not given:
        return ParsedInstance("", _value(part), False)
    before = part[: output.start()] if output else part
    after = _value(part[output.end() :], output) if output else ""
    return ParsedInstance(read_input(before, given) if given else no_input(before), after, False)


def from_json(rows: list[Any]) -> list[ParsedInstance]:
    """One instance for each row: an object, or a text that is an output by itself."""
    return [
        ParsedInstance(no_input(json_field(row, INPUT) or ""), json_field(row, OUTPUT) or "", False)
        if isinstance(row, dict)
        else ParsedInstance("", row if isinstance(row, str) else "", False)
        for row in rows
    ]


def read_input(text: str, mark: re.Match[str]) -> str:
    """The input that follows its name in `text`."""
    return no_input(_value(text[mark.end() :], mark))


def no_input(text: str) -> str:
    """The text, or "" if it says that there is no input."""
    text = _value(text)
    return "" if says_no_input(text) else text


def _value(text: str, mark: re.Match[str] | None = None) -> str:
    """A field's text, without a rule below it or the closing marks of bold type that began before its name."""
    text = text.strip()
    while text.endswith("\n---"):
        text = text.removesuffix("---").strip()
    if mark and mark.group().count("**") == 1:
        text = text.removesuffix("**").rstrip()
    return text


def with_ends(marks: list[re.Match[str]]) -> list[tuple[re.Match[str], int | None]]:
    """Each mark with the place where the next one begins, None for the last."""
    return list(zip(marks, [*(mark.start() for mark in marks[1:]), None], strict=True)) if marks else []


def mark_cut(instances: list[ParsedInstance], cut: bool) -> list[ParsedInstance]:
    """The instances; the last one is marked if the answer was cut."""
    return [*instances[:-1], instances[-1]._replace(cut=True)] if cut and instances else instances
