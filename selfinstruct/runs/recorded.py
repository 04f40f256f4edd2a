"""Recorded answers, read from other tools' files: what `selfinstruct import` imports.

| file               | one line is                                                                                  |
|--------------------|----------------------------------------------------------------------------------------------|
| completions        | {prompt, text, finish_reason}, or the reference code's {instruction, metadata: {prompt,      |
|                    | response}}, or a raw {prompt, response: {choices}}, or an {instruction} alone                |
| classification     | {instruction, is_classification}: the raw answer, or true and false                          |
| instances          | {instruction, raw_instances, finish_reason}, with the finish reason also where the reference |
|                    | code has it, in instance_metadata                                                            |
| Alpaca             | one JSON list of {instruction, input, output}, or such lines                                 |

The reference code is yizhongw/self-instruct; it names its files machine_generated_instructions.jsonl,
is_clf_or_not_..._template_1.jsonl and machine_generated_instances.jsonl.
"""

import hashlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct.errors import UsageError
from selfinstruct.records import Instance, storable
from selfinstruct.rows import fields, not_used
from selfinstruct.rows.formats import Problem, conversations, format_of
from selfinstruct.rows.reading import read_bytes, read_rows
from selfinstruct.teachers.envelope import FILTERS, REASONS, error_in, finish_reason_of, refusal_of, text_of
from selfinstruct.untrusted import say

# How a prompt can end that has begun the answer: a number, an example's heading, a field's name.
_PREFIX = re.compile(r"(?:^|\n)[ \t]*(\d{1,3}[.)]|Example[ \t]*\d*[.:]?|(?:Class label|Input|Output):)[ \t]*\Z")
FAULTS_SHOWN = 5  # rows that cannot be imported, named with one reason; and reasons named in one message
# The class and its raw answer say the same.
_OF_INSTANCES = {
    "instruction", "raw_instances", "instance_metadata", "is_classification", "is_classification_raw",
    *REASONS, FILTERS,
}  # fmt: skip
# A task has no place for these.
_NO_PLACE = (fields.SYSTEM, fields.TOOLS, fields.REASONING)


class Answer(NamedTuple):
    """One recorded answer, the `choice`-th (from 0) of its line: to which prompt ("" if not recorded), how it ended."""

    line: int
    choice: int
    prompt: str
    text: str
    finish_reason: str

    @property
    def prefix(self) -> str:
        """What the prompt had written of the answer already."""
        found = _PREFIX.search(self.prompt)
        if found or self.prompt:
            return f"{found[1]} " if found else ""
        # Without its prompt, a list that goes on with a number has its first item before that.
        number = re.match(r"[ \t]*(?!\d)\S[^\n]*\n(?:[^\d\n][^\n]*\n)*?(\d{1,3})\. ", self.text)
        return f"{int(number[1]) - 1}. " if number and int(number[1]) > 1 else ""


class Whole(NamedTuple):
    """A task with all of its instances; `line` is that of the first."""

    line: int
    instruction: str
    instances: tuple[Instance, ...]


def read_completions(path: Path) -> list[Answer | Whole]:
    """The answers to proposal requests, in the file's order; lines that repeat the answer before them count once.

    A line that has no more than an instruction is a task without instances. Fields that are not used are named on
    standard error. UsageError, naming the line, where a line holds nothing of the kind.
    """
    answers: list[Answer | Whole] = []
    unused: Counter[str] = Counter()
    for number, where, row in _objects(path):
        of = row["metadata"] if isinstance(row.get("metadata"), dict) else row
        said = _said(of)
        prompt = of.get("prompt")
        prompt = storable(prompt) if isinstance(prompt, str) else ""
        found: list[Answer | Whole] = [Answer(number, n, prompt, *one) for n, one in enumerate(said or ())]
        if said is None and isinstance(row.get("instruction"), str):
            found = [Whole(number, storable(row["instruction"]), ())]
        elif said is None:
            raise _no_field(where, row, "needs a text, a response with choices, or an instruction")
        if of is row:
            unused.update(_beside(row, {*_read(row), "instruction"} if said is None else _read(row)))
        else:
            unused.update(_beside(row, {"metadata", "instruction"}))
            unused.update(f"metadata.{key}" for key in _beside(of, _read(of)))
        # The reference code repeats an answer in the line of each instruction that it admitted from it.
        before = [one[1:] for one in answers[-len(found) :]]
        if of is row or before != [one[1:] for one in found]:
            answers += found
    not_used.tell(path, unused)
    return answers


def read_classes(path: Path) -> dict[str, list[Answer]]:
    """The answers to the question for the class, by `key` of the instruction."""
    found: dict[str, list[Answer]] = {}
    unused: Counter[str] = Counter()
    for number, where, row in _objects(path):
        verdict = _verdict(number, row.get("is_classification"))
        if verdict is None:
            raise _no_field(where, row, "has no is_classification")
        found.setdefault(_instruction(where, row), []).append(verdict)
        unused.update(_beside(row, {"instruction", "is_classification"}))
    not_used.tell(path, unused)
    return found


def read_instances(path: Path) -> dict[str, list[tuple[Answer, Answer | None]]]:
    """The answers with instances by `key` of the instruction, each with the class that its line names, if any."""
    found: dict[str, list[tuple[Answer, Answer | None]]] = {}
    unused: Counter[str] = Counter()
    for number, where, row in _objects(path):
        said = row.get("raw_instances")
        if not isinstance(said, str):
            raise _no_field(where, row, "has no raw_instances")
        metadata = row["instance_metadata"] if isinstance(row.get("instance_metadata"), dict) else {}
        of_metadata = _said(metadata) or [("", "stop")]
        finish_reason = finish_reason_of(row, of_metadata[0][1])
        prompt = metadata.get("prompt")
        answer = Answer(number, 0, storable(prompt) if isinstance(prompt, str) else "", storable(said), finish_reason)
        verdict = _verdict(number, row.get("is_classification_raw", row.get("is_classification")))
        found.setdefault(_instruction(where, row), []).append((answer, verdict))
        unused.update(_beside(row, _OF_INSTANCES))
    not_used.tell(path, unused)
    return found


def _read(row: dict[str, Any]) -> set[str]:
    """The fields of a row that hold its answer, and what it answers."""
    said = "text" if isinstance(row.get("text"), str) else "response" if "response" in row else "choices"
    return {said, "prompt", *REASONS, FILTERS}


def _beside(row: dict[str, Any], read: set[str]) -> list[str]:
    """The fields of a row that are not read."""
    return [key for key, value in row.items() if key not in read and not fields.is_empty(value)]


def _verdict(number: int, said: Any) -> Answer | None:
    if isinstance(said, bool):
        said = "Yes" if said else "No"
    return Answer(number, 0, "", storable(said), "stop") if isinstance(said, str) else None


def read_alpaca(path: Path) -> list[Whole]:
    """The tasks of a finished dataset; rows with the same instruction are instances of one task.

    Fields that are not used, and rows marked as unwanted answers, are named on standard error. UsageError for a row
    that is more than an instruction, an input and an output: one with earlier turns, with media, a pair.
    """
    grouped: dict[str, tuple[int, str, list[Instance]]] = {}
    unused: Counter[str] = Counter()
    unwanted = 0
    faults: dict[str, list[str]] = {}
    for number, where, row in _objects(path):
        try:
            instruction, given, output = _whole_row(where, row)
        except UsageError as error:
            faults.setdefault(str(error).removeprefix(where), []).append(where)
            continue
        beside = {key for field in _NO_PLACE if (key := fields.key_of(row, field))}
        beside |= not_used.ours(row, format_of(row)) - {"messages"}
        unused.update(sorted(not_used.not_used(row) | {key for key in beside if not fields.is_empty(row[key])}))
        if fields.is_unwanted(row):
            unwanted += 1
            continue
        same = " ".join(instruction.split())
        grouped.setdefault(same, (number, instruction, []))[2].append(Instance(given, output))
    if faults:
        raise UsageError(_in_words(path, faults))
    not_used.tell(path, unused)
    if unwanted:
        say(f"{path}: rows marked as unwanted answers, left out: {unwanted:,}", file=sys.stderr)
    return [Whole(line, instruction, tuple(instances)) for line, instruction, instances in grouped.values()]


def _in_words(path: Path, faults: dict[str, list[str]]) -> str:
    """Each reason once, with the first of its rows."""
    said = []
    for reason, (first, *others) in list(faults.items())[:FAULTS_SHOWN]:
        numbers = [where.split()[-1] for where in others]
        named = ", ".join(numbers[: FAULTS_SHOWN - 1] + ["..."] * (len(numbers) >= FAULTS_SHOWN))
        said.append(first + (f" and {len(others):,} more ({named})" if others else "") + reason)
    if len(faults) > FAULTS_SHOWN or any(len(rows) > FAULTS_SHOWN for rows in faults.values()):
        n = sum(map(len, faults.values()))
        said.append(f"{n:,} rows cannot be imported. selfinstruct check {path} lists them.")
    return "\n".join(said)


def _whole_row(where: str, row: dict[str, Any]) -> tuple[str, str, str]:
    """Instruction, input and output of a row; UsageError if it lacks one, or asks in another way."""
    format = format_of(row)
    if format not in ("alpaca", "records"):
        raise _no_field(where, row, "needs the text fields instruction, input and output")
    (found,), problems = conversations(row, format)
    texts = {text.kind: text.text for text in found.texts}
    if problems and problems[0].rule == "wrong_type":
        problem = problems[0]
        raise UsageError(f"{where}: {problem.field}: {problem.evidence}. It must be text; mend it, or remove the row.")
    if problems or "user" in texts:
        problem = problems[0] if problems else Problem("history", "history", "earlier turns")
        raise UsageError(
            f"{where}: {problem.field}: {problem.evidence or problem.rule} cannot be imported. Remove the row."
        )
    return storable(texts["instruction"]), storable(texts.get("input", "")), storable(texts["assistant"])


def key(instruction: str) -> str:
    """The instruction as the reference code may have changed it: case and white space do not count."""
    return " ".join(instruction.split()).casefold()


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def _objects(path: Path) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """The objects of a file, each with its number and its place."""
    for number, where, value in read_rows(path):
        if not isinstance(value, dict):
            raise UsageError(f"{where}: not a JSON object.")
        yield number, where, value


def _said(row: dict[str, Any]) -> list[tuple[str, str]] | None:
    """The texts of an answer, one for each choice, with their finish reasons, however the server's JSON was kept.

    None if the row has no place for an answer; an empty text where there is one, but nothing was said.
    """
    if isinstance(row.get("text"), str):
        return [(storable(row["text"]), finish_reason_of(row, "stop"))]
    if not {"response", "choices"} & row.keys():
        return None
    response = row.get("response", row)
    if isinstance(response, dict) and isinstance(response.get("body"), dict):  # the batch API wraps it
        response = response["body"]
    choices = response.get("choices") if isinstance(response, dict) else None
    said = []
    for value in choices if isinstance(choices, list) and not error_in(response) else []:
        choice = value if isinstance(value, dict) else {}
        text = text_of(choice, "chat" if isinstance(choice.get("message"), dict) else "completion")
        refusal = None if text else refusal_of(choice)
        finish_reason = "refusal" if refusal else finish_reason_of(choice, "stop")
        said.append((storable(text or refusal or ""), finish_reason))
    return said or [("", "error")]  # the reference code keeps null for a request that failed


def _instruction(where: str, row: dict[str, Any]) -> str:
    instruction = row.get("instruction")
    if not isinstance(instruction, str):
        raise _no_field(where, row, "has no instruction")
    return key(instruction)


def _no_field(where: str, row: dict[str, Any], wanted: str) -> UsageError:
    there = ", ".join(map(str, row)) or "nothing"
    return UsageError(f"{where}: {wanted}. Its fields are: {there}.")
