"""Several tasks with their instances in one answer, as requested by Alpaca's prompt."""

import re

from selfinstruct.parsing.fields import INPUT_FIELD, INSTRUCTION_FIELD, OUTPUT_FIELD, from_json, read_example, with_ends
from selfinstruct.parsing.items import WholeTask
from selfinstruct.parsing.json_answers import INSTRUCTION, json_field, json_rows
from selfinstruct.parsing.text import NUMBERED, body, has_too_many_lines, tidy
from selfinstruct.parsing.thoughts import spoken

# The separator that Alpaca's prompt asks for.
_SEPARATOR = re.compile(r"^[ \t]{0,40}#{2,40}\Z", re.MULTILINE)


def whole_tasks(text: str, cut: bool) -> list[WholeTask]:
    """The tasks of an answer in the form "1. Instruction: ... / 1. Input: ... / 1. Output: ...", as Alpaca asked for.

    Numbers may be skipped, repeated or left out, and so may the "###" between two tasks, or the word "Instruction".
    """
    if has_too_many_lines(text):
        return []
    if (rows := json_rows(spoken(text))) is not None:
        parsed, cut = from_json(rows), cut or rows.ends_inside
        said = [json_field(row, INSTRUCTION) or "" for row in rows]
        tasks = [WholeTask(tidy(i, False), *rest[:3]) for i, rest in zip(said, parsed, strict=True)]
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
            tasks.append(WholeTask(tidy(instruction, mark.group().count("**") == 1), *read_example(rest)[:3]))
    if cut and tasks:
        tasks[-1] = tasks[-1]._replace(cut=True)
    return [task for task in tasks if task.instruction or task.cut]
