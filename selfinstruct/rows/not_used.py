"""Fields of rows that no format uses: counted by name, so that nothing is silently ignored.

    >>> in_words({"source": 2, "messages.*.name": 1})
    'not used: source in 2 rows, messages.*.name in 1 row'

A field of a turn counts once per row. Empty fields do not count.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from selfinstruct.records import user_message
from selfinstruct.rows import fields
from selfinstruct.rows.fields import Field, is_empty, key_of, spelled, value_of
from selfinstruct.rows.formats import Format, format_of, key_of_asked
from selfinstruct.rows.turns import PARTS, SHAREGPT_ROLES
from selfinstruct.untrusted import say

_ALWAYS = (fields.SYSTEM, fields.HISTORY, fields.TOOLS, fields.MEDIA, fields.REJECTED)
_FIELDS = (fields.INSTRUCTION, fields.INPUT, fields.OUTPUT, fields.REASONING)
_ANSWERS = (*fields.CHOSEN.spellings, *fields.REJECTED.spellings, fields.COMPLETION.name)
_INSTANCE = (fields.INPUT, fields.OUTPUT, fields.REASONING, fields.MEDIA)
READ: dict[Format, tuple[Field, ...]] = {
    "preference": (
        fields.CHOSEN, fields.PROMPT, fields.INSTRUCTION, fields.INPUT, fields.MESSAGES, fields.CONVERSATIONS
    ),
    "self-instruct": (fields.INSTRUCTION, fields.INSTANCES),
    "records": _FIELDS,
    "messages": (fields.MESSAGES, fields.LOSS_MASK),
    "sharegpt": (fields.CONVERSATIONS, fields.LOSS_MASK),
    "alpaca": _FIELDS,
    "prompt-completion": (fields.PROMPT, fields.COMPLETION, fields.REASONING),
}  # fmt: skip
# The other fields of our own files.
OURS: dict[Format, frozenset[str]] = {
    "self-instruct": frozenset({"id", "name", "is_classification"}),
    "records": frozenset({"id", "task", "is_classification", "extra", "messages"}),
    "messages": frozenset({"task", "instruction", "input"}),
}


def not_used(row: Any) -> set[str]:
    """The names of a row's fields that are not used; none if the row's format is unknown."""
    format = format_of(row)
    if format is None:
        return set()
    read = {key for field in (*READ[format], *_ALWAYS) if (key := key_of(row, field))}
    if format == "messages" and "messages" not in read:
        read |= {key_of(row, fields.CONVERSATIONS) or ""}
    read |= ours(row, format)
    read |= {key for key, _ in fields.marks(row)}
    found = {key for key, value in row.items() if key not in read and not is_empty(value)}
    if format == "records" and _says_otherwise(row):
        found.add(str(key_of(row, fields.MESSAGES)))
    if format == "preference" and (name := key_of_asked(row)):
        inside = row[name]
        found |= {f"{name}.{key}" for key, value in inside.items() if key != "messages" and not is_empty(value)}
        found.update(of_list(f"{name}.messages", inside.get("messages")))
    return found.union(*(of_list(key, row.get(key)) for key in read))


def ours(row: dict[str, Any], format: Format | None) -> frozenset[str]:
    """The other fields of our own files, if the row may be of one."""
    if format is None or (format == "messages" and not is_dialogue(row)):
        return frozenset()
    return OURS.get(format, frozenset())


def is_dialogue(row: dict[str, Any]) -> bool:
    """Whether a row of messages is a dialogue as finetune keeps it: a `task` alone may be any kind of label."""
    return isinstance(row.get("task"), str) and isinstance(row.get("instruction"), str)


def count(rows: Iterable[Any]) -> Counter[str]:
    """The number of rows in which each field is not used."""
    found: Counter[str] = Counter()
    for row in rows:
        found.update(sorted(not_used(row)))
    return found


def in_words(counts: Mapping[str, int]) -> str:
    """The counts as one line; "" if all fields are used."""
    said = ", ".join(f"{name} in {n:,} row{'s' if n > 1 else ''}" for name, n in counts.items())
    return f"not used: {said}" if said else ""


def tell(path: Path | str, counts: Mapping[str, int]) -> None:
    """Name the unused fields on standard error, if there are any."""
    if counts:
        say(f"{path}: {in_words(counts)}", file=sys.stderr)


def _says_otherwise(row: dict[str, Any]) -> bool:
    """Whether a record's messages differ from its fields."""
    fields_of_record = (fields.INSTRUCTION, fields.INPUT, fields.OUTPUT, fields.MESSAGES)
    asked, given, answer, turns = (value_of(row, field) for field in fields_of_record)
    if not isinstance(asked, str) or not isinstance(turns, list):
        return True
    said = [(turn.get("role"), turn.get("content")) if isinstance(turn, dict) else turn for turn in turns]
    return said != [("user", user_message(asked, given or "")), ("assistant", answer)]


def of_list(name: str, value: Any) -> Iterator[str]:
    """The unused fields in a list of turns, parts or instances; in a single turn, where an answer is one."""
    spelling = name.lower()
    if spelling in (*fields.TOOLS.spellings, *fields.MEDIA.spellings):
        return
    of_instances = spelling == fields.INSTANCES.name
    if isinstance(value, dict) and spelling in _ANSWERS:
        value = [value]
    for one in value if isinstance(value, list) else ():
        if not isinstance(one, dict):
            continue
        read = {key for key, _ in fields.marks(one)} if of_instances else _other_names(one)
        yield from (f"{name}.*.{key}" for key in _beside(one, _INSTANCE if of_instances else fields.TURN, read))
        content = key_of(one, fields.CONTENT)
        if content and isinstance(one[content], list):
            for part in one[content]:
                if isinstance(part, dict) and str(part.get("type") or "text") in PARTS:
                    yield from (f"{name}.*.{content}.*.{key}" for key in _beside(part, fields.PART, set()))


def _other_names(turn: dict[str, Any]) -> set[str]:
    """The keys of a turn that are read beside the first spelling of each field."""
    # All weights and calls are read, under whatever names; two texts do not mean the same.
    read = {key for field in (fields.TURN_WEIGHT, fields.CALLS) for key in spelled(tuple(turn), field)}
    role = value_of(turn, fields.ROLE)
    if isinstance(role, str) and SHAREGPT_ROLES.get(role) in ("tool", "call"):
        # The turn is the call itself, or the result of the tool that was called.
        read |= {"name", "arguments", "parameters"}
    return read


def _beside(holder: dict[str, Any], known: tuple[Field, ...], read: set[str]) -> Iterator[str]:
    """The keys that are not read: neither as one of the known fields, nor in `read`."""
    names = {key_of(holder, field) for field in known} | read
    yield from (key for key, value in holder.items() if key not in names and not is_empty(value))
