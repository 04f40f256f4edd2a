"""The questions of a file, each alone and with its answer: a test set, or a dataset that is compared with one."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from selfinstruct.errors import UsageError
from selfinstruct.records import Line
from selfinstruct.rows import fields, files, not_used
from selfinstruct.rows.fields import value_of
from selfinstruct.rows.formats import Problem, Text, format_of
from selfinstruct.rows.reading import Row, numbered_lines, read_bytes, read_rows, read_text
from selfinstruct.rows.turns import history, turns

# Where a row's text stands, in this order.
QUESTION_FIELDS = (
    "instruction", "context", "passage", "ctx", "question", "prompt", "problem", "query", "goal", "sentence", "text",
    "input",
)  # fmt: skip
ANSWER_FIELDS = tuple(dict.fromkeys(("output", "completion", *fields.OUTPUT.spellings)))
TURN_FIELDS = ("messages", "conversations")


def read_lines(path: Path) -> list[Line]:
    """The questions of a file, in its order.

    A .txt file has one a line; blank lines are skipped. A row of any other (a line of JSON, or a value of a JSON list)
    is a string, or an object: then its question is what stands in the QUESTION_FIELDS it has, behind earlier turns
    (history), or else what the user says in its turns. With "instances", a row gives one for each instance, with the
    row's own text before it. Fields that are not used are named on standard error.

    UsageError for a file that is missing, unreadable, not UTF-8, not JSON or without a text, and for a row without one.
    """
    return [question for question, _ in read_pairs(path)]


def read_pairs(path: Path) -> list[tuple[Line, Line]]:
    """Each question of a file, alone and with its answer; UsageError as for `read_lines`."""
    if path.suffix.lower() == ".txt":
        lines = numbered_lines(read_text(path))
        rows = [Row(number, f"{path}, line {number}", line) for number, line in lines]
    elif read_bytes(path).startswith(b"PAR1"):
        file = files.read(path)
        rows = [Row(n, f"{path}, row {n}", files.whole_row(file, n - 1)) for n in range(1, len(file.rows) + 1)]
    else:
        rows = read_rows(path)
    found: list[tuple[Line, Line]] = []
    unused: Counter[str] = Counter()
    for number, where, row in rows:
        texts = [(question, whole) for question, whole in _texts(row) if question]
        if not texts:
            has = f"its fields are: {', '.join(row)}" if isinstance(row, dict) else "it is neither text nor an object"
            known = ", ".join((*QUESTION_FIELDS, *TURN_FIELDS))
            raise UsageError(f"{where}: no question found; {has}. Put the question into one of: {known}.")
        unused.update(sorted(_not_used(row)))
        found += [(Line(str(path), number, question), Line(str(path), number, whole)) for question, whole in texts]
    if not found:
        raise UsageError(f"{path} is empty.")
    not_used.tell(path, unused)
    return found


def _texts(row: Any) -> list[tuple[str, str]]:
    """A row's question, alone and with its answer ("" where there is none); a pair for each of its instances."""
    if isinstance(row, str):
        return [(row.strip(), row.strip())]
    if not isinstance(row, dict):
        return []
    row = {key.lower(): value for key, value in row.items()}
    question = _joined(row.get(field) for field in QUESTION_FIELDS)
    whole = _joined(row.get(field) for field in QUESTION_FIELDS + ANSWER_FIELDS)
    said = _turns(row, whole)
    asked, all_said = (_joined(text.text for text in some) for some in ([t for t in said if t.kind == "user"], said))
    question, whole = _joined((asked, question)), _joined((all_said, whole))
    of_instances = [pair for instance in _list(row.get("instances")) for pair in _texts(instance)]
    return [(_joined((question, q)), _joined((whole, w))) for q, w in of_instances or [("", "")]]


def _turns(row: dict[str, Any], fields_say: str) -> list[Text]:
    """The turns of a row: all, where its fields say nothing, else those before what they say."""
    problems: list[Problem] = []
    if fields_say:
        earlier = value_of(row, fields.HISTORY)
        return [] if earlier is None else history(earlier, ("history",), problems)
    lists = [name for name in (*TURN_FIELDS, "prompt", "completion", "chosen") if isinstance(row.get(name), list)]
    return [text for name in lists for text in turns(row[name], (name,), problems)]


def _not_used(row: Any) -> set[str]:
    if not isinstance(row, dict):
        return set()
    if format_of(row):
        return not_used.not_used(row)
    known = {*QUESTION_FIELDS, *ANSWER_FIELDS, *TURN_FIELDS, *fields.HISTORY.spellings, "instances"}
    return {key for key, value in row.items() if key.lower() not in known and not fields.is_empty(value)}


def _joined(parts: Iterable[Any]) -> str:
    return "\n".join(part.strip() for part in parts if isinstance(part, str) and part.strip())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
