"""Several tasks with their instances in one answer, as requested by Alpaca's prompt."""

import re

from selfinstruct.parsing.fields import (
    INPUT_FIELD,
    INSTRUCTION_FIELD,
    OUTPUT_FIELD,
    from_json,
    no_input,
    read_example,
    with_ends,
)
from selfinstruct.parsing.items import ParsedInstance, WholeTask
from selfinstruct.parsing.json_answers import INSTRUCTION, json_field, json_rows
from selfinstruct.parsing.remarks import with_output
from selfinstruct.parsing.tables import table_rows
from selfinstruct.parsing.text import NUMBERED, body, has_too_many_lines, tidy
from selfinstruct.parsing.thoughts import spoken

_SIDE = 2_000  # characters on each side of a task that say what it asks for
# The separator that Alpaca's prompt asks for.
_SEPARATOR = re.compile(r"^[ \t]{0,40}#{2,40}\Z", re.MULTILINE)


def whole_tasks(text: str, cut: bool) -> list[WholeTask]:
    """The tasks of an answer in the form "1. Instruction: ... / 1. Input: ... / 1. Output: ...", as Alpaca asked for.

    Numbers may be skipped, repeated or left out, and so may the "###" between two tasks, or the word "Instruction".
    """
    if (rows := json_rows(spoken(text))) is not None:
        parsed, cut = from_json(rows), cut or rows.ends_inside
        said = [tidy(json_field(row, INSTRUCTION) or "", False) for row in rows]
        tasks = [WholeTask(task, *with_output(rest, task)[:3]) for task, rest in zip(said, parsed, strict=True)]
    elif has_too_many_lines(text):
        return []
    else:
        text = body(text)
        marks = list(INSTRUCTION_FIELD.finditer(text))
        if marks and re.search(r"\d", marks[0].group()):  # in that case, a line without a number is part of a task
            marks = [mark for mark in marks if re.search(r"\d", mark.group())]
        tasks = []
        if not marks:  # numbers alone; those without a field below them are part of a task
            numbers = with_ends(list(re.finditer(NUMBERED.pattern, text, re.IGNORECASE | re.MULTILINE)))
            marks = [mark for mark, end in numbers if OUTPUT_FIELD.search(text[mark.end() : end])]
        for mark, end in with_ends(marks):
            block = _SEPARATOR.sub("", text[mark.end() : end].rstrip()).rstrip()
            first = INPUT_FIELD.search(block) or OUTPUT_FIELD.search(block)
            instruction, rest = (block[: first.start()], block[first.start() :]) if first else (block, "")
            if named := INSTRUCTION_FIELD.match(instruction.lstrip()):  # "### Task 4", with the field's name below it
                instruction = instruction.lstrip()[named.end() :]
            task = tidy(instruction, mark.group().count("**") == 1)
            asks = task if len(task) <= 2 * _SIDE else f"{task[:_SIDE]}\n{task[-_SIDE:]}"
            tasks.append(WholeTask(task, *read_example(rest, asks)[:3]))
        tasks = tasks or _in_table(text, cut)
    if cut and tasks:
        tasks[-1] = tasks[-1]._replace(cut=True)
    return [task for task in tasks if task.instruction or task.cut]


def _in_table(text: str, cut: bool) -> list[WholeTask]:
    """The tasks of a table with a column for each field; without one for inputs, none of them has any."""
    rows = [row for row in table_rows(text, cut) if {"instruction", "output"} <= row.keys()]
    found = [(tidy(row["instruction"], False), no_input(row.get("input", "")), row["output"]) for row in rows]
    return [WholeTask(task, *with_output(ParsedInstance(given, said, False), task)[:3]) for task, given, said in found]
