"""The questions of a file, each alone and with its answer: a test set, or a dataset that is compared with one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from selfinstruct.errors import UsageError
from selfinstruct.records import Line
from selfinstruct.rows.reading import Row, numbered_lines, read_rows, read_text

# Where a row's text stands, in this order.
QUESTION_FIELDS = (
    "instruction", "context", "passage", "ctx", "question", "prompt", "problem", "query", "goal", "sentence", "text",
    "input",
)  # fmt: skip
ANSWER_FIELDS = ("output", "completion", "response", "answer", "solution")
TURN_FIELDS = ("messages", "conversations")


def read_lines(path: Path) -> list[Line]:
    """The questions of a file, in its order.

    A .txt file has one a line; blank lines are skipped. A row of any other (a line of JSON, or a value of a JSON list)
    is a string, or an object: then its question is what stands in the QUESTION_FIELDS it has, or else what the
    user says in its turns. With "instances", a row gives one for each instance, with the row's own text before it.

    UsageError for a file that is missing, unreadable, not UTF-8, not JSON or without a text, and for a row without one.
    """
    return [question for question, _ in read_pairs(path)]


def read_pairs(path: Path) -> list[tuple[Line, Line]]:
    """Each question of a file, alone and with its answer; UsageError as for `read_lines`."""
    if path.suffix.lower() == ".txt":
        lines = numbered_lines(read_text(path))
        rows = [Row(number, f"{path}, line {number}", line) for number, line in lines]
    else:
        rows = read_rows(path)
    found: list[tuple[Line, Line]] = []
    for number, where, row in rows:
        texts = [(question, whole) for question, whole in _texts(row) if question]
        if not texts:
            has = f"its fields are: {', '.join(row)}" if isinstance(row, dict) else "it is neither text nor an object"
            known = ", ".join((*QUESTION_FIELDS, *TURN_FIELDS))
            raise UsageError(f"{where}: no question found; {has}. Put the question into one of: {known}.")
        found += [(Line(str(path), number, question), Line(str(path), number, whole)) for question, whole in texts]
    if not found:
        raise UsageError(f"{path} is empty.")
    return found


def _texts(row: Any) -> list[tuple[str, str]]:
    """A row's question, alone and with its answer ("" where there is none); a pair for each of its instances."""
    if isinstance(row, str):
        return [(row.strip(), row.strip())]
    if not isinstance(row, dict):
        return []
    question = _joined(row.get(field) for field in QUESTION_FIELDS)
    whole = _joined(row.get(field) for field in QUESTION_FIELDS + ANSWER_FIELDS)
    if not whole:
        turns = [turn for field in TURN_FIELDS for turn in _list(row.get(field)) if isinstance(turn, dict)]
        asked = [turn for turn in turns if turn.get("role", turn.get("from")) in ("user", "human")]
        question, whole = (_joined(t.get("content", t.get("value")) for t in some) for some in (asked, turns))
    of_instances = [pair for instance in _list(row.get("instances")) for pair in _texts(instance)]
    return [(_joined((question, q)), _joined((whole, w))) for q, w in of_instances or [("", "")]]


def _joined(parts: Iterable[Any]) -> str:
    return "\n".join(part.strip() for part in parts if isinstance(part, str) and part.strip())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
