"""The questions of a file, each alone and with its answer: a test set, or a dataset that is compared with one."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from selfinstruct.errors import UsageError
from selfinstruct.records import Line
from selfinstruct.rows import fields, files, not_used
from selfinstruct.rows.fields import key_of, value_of
from selfinstruct.rows.formats import Problem, Text, format_of
from selfinstruct.rows.reading import Row, numbered_lines, read_bytes, read_rows, read_text
from selfinstruct.rows.turns import Kind, answers, dotted, history, the_tools
from selfinstruct.rows.turns import Path as Steps

# Where a question stands, in this order.
QUESTION_FIELDS = (
    "instruction", "context", "passage", "ctx", "question", "prompt", "problem", "query", "goal", "sentence", "text",
    "input",
)  # fmt: skip
TURN_FIELDS = (*fields.MESSAGES.spellings, *fields.CONVERSATIONS.spellings)
# All that a row may say, and who says it; its texts are joined in this order.
_KINDS: tuple[tuple[Kind, tuple[str, ...]], ...] = (
    ("tools", fields.TOOLS.spellings), ("system", fields.SYSTEM.spellings), ("user", fields.HISTORY.spellings),
    ("user", TURN_FIELDS), ("user", QUESTION_FIELDS), ("thought", fields.REASONING.spellings),
    ("assistant", tuple(dict.fromkeys(("output", "completion", *fields.OUTPUT.spellings)))),
    ("assistant", fields.CHOSEN.spellings), ("rejected", fields.REJECTED.spellings),
)  # fmt: skip
_SAID = {name: kind for kind, names in _KINDS for name in names}
_PLACE = {name: place for place, name in enumerate(_SAID)}
_LEFT_OUT = {"wrong_type", "not_read", "media_task", "unknown_role"}  # problems with what is then not read
_INSTANCES = fields.INSTANCES.name


def read_lines(path: Path) -> list[Line]:
    """The questions of a file, in its order.

    A .txt file has one a line; blank lines are skipped. A row of any other (a line of JSON, or a value of a JSON list)
    is a string, or an object: then its question is what the user says in its turns, and what stands in the
    QUESTION_FIELDS it has. With "instances", a row gives one for each instance, with the row's own text before it.
    Fields that are not used are named on standard error.

    UsageError for a file that is missing, unreadable, not UTF-8, not JSON or without a text, and for a row without one.
    """
    return [question for question, _ in read_pairs(path)]


def read_pairs(path: Path) -> list[tuple[Line, Line]]:
    """Each question of a file, alone and with all else that its row says; UsageError as for `read_lines`."""
    if path.suffix.lower() == ".txt":
        lines = numbered_lines(read_text(path))
        rows = [Row(number, f"{path}, line {number}", line) for number, line in lines]
    elif (content := read_bytes(path)).startswith(b"PAR1"):
        values = files.values(path, files.read_table(path, content))
        rows = [Row(n, f"{path}, row {n}", value) for n, value in enumerate(values, start=1)]
    else:
        rows = read_rows(path)
    found: list[tuple[Line, Line]] = []
    unused: Counter[str] = Counter()
    for number, where, row in rows:
        left: set[str] = set()
        texts = [(question, whole) for question, whole in _texts(row, (), left) if question]
        if not texts:
            has = f"its fields are: {', '.join(row)}" if isinstance(row, dict) else "it is neither text nor an object"
            known = ", ".join((*QUESTION_FIELDS, *TURN_FIELDS))
            raise UsageError(f"{where}: no question found; {has}. Put the question into one of: {known}.")
        unused.update(sorted(left))
        found += [(Line(str(path), number, question), Line(str(path), number, whole)) for question, whole in texts]
    if not found:
        raise UsageError(f"{path} is empty.")
    not_used.tell(path, unused)
    return found


def _texts(row: Any, path: Steps, left: set[str]) -> list[tuple[str, str]]:
    """A row's question, alone and with all else that it says; a pair for each of its instances.

    The names of the fields of which nothing is read are added to `left`.
    """
    if isinstance(row, str):
        return [(row.strip(), row.strip())]
    if not isinstance(row, dict):
        return []
    said = _said(row, path, left)
    if any(isinstance(value, list) for value in row.values()):
        # A record's fields say again what its turns say.
        given = [text for text in said if text.kind == "user" and text.path and text.path[:-1] == path]
        asked = _words(given)
        if any(text.kind == "user" and text not in given and _words([text]) == asked for text in said):
            said = [text for text in said if text not in given]
    question, whole = _joined(text.text for text in said if text.kind == "user"), _joined(text.text for text in said)
    key, instances = str(key_of(row, fields.INSTANCES)), value_of(row, fields.INSTANCES)
    if not isinstance(instances, list):
        return [(question, whole)]
    pairs = [pair for i, one in enumerate(instances) for pair in _texts(one, (*path, key, i), left)]
    return [(_joined((question, q)), _joined((whole, w))) for q, w in pairs or [("", "")]]


def _said(row: dict[str, Any], path: Steps, left: set[str]) -> list[Text]:
    """All texts of an object, in the order of _KINDS."""
    found: list[Text] = []
    unread = []
    for key in sorted(row, key=lambda key: _PLACE.get(key.lower(), -1)):
        if not fields.is_empty(value := row[key]):
            texts = _of_field(value, (*path, key), left)
            found += texts
            if not texts and not (key.lower() == _INSTANCES and isinstance(value, list)):
                unread.append(key)
    if unread:
        ours = not_used.ours(row, format_of(row))
        left.update(_name(dotted((*path, key))) for key in unread if key not in ours)
    return found


def _of_field(value: Any, path: Steps, left: set[str]) -> list[Text]:
    name = str(path[-1]).lower()
    kind = _SAID.get(name)
    if kind is None or (isinstance(value, str) and name in TURN_FIELDS):
        return []
    if isinstance(value, str) and kind != "tools" and name not in fields.HISTORY.spellings:
        return [Text(kind, value, name, path)]
    if isinstance(value, dict) and name == "input":  # OpenAI has the turns of a pair inside
        return _said(value, path, left)
    problems: list[Problem] = []
    if kind == "tools":
        found = the_tools(value, path, problems)
    else:
        read = history if name in fields.HISTORY.spellings else _turns
        found = read(value, path, problems)
    if found:
        texts = {text.field for text in found}
        left.update(_name(one.field) for one in problems if one.rule in _LEFT_OUT and one.field not in texts)
        left.update(not_used.of_list(_name(dotted(path)), value) if isinstance(value, list) else ())
    return found


def _turns(value: Any, path: Steps, problems: list[Problem]) -> list[Text]:
    return answers(value, path, "user", problems) if isinstance(value, list | dict) else []


def _name(field: str) -> str:
    return ".".join("*" if step.isdigit() else step for step in field.split("."))


def _words(texts: Iterable[Text]) -> list[str]:
    return " ".join(text.text for text in texts).split()


def _joined(parts: Iterable[str]) -> str:
    """The parts that say something, each once: a pair's two answers may repeat the question."""
    return "\n".join(dict.fromkeys(part.strip() for part in parts if part.strip()))
