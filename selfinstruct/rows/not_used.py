"""Fields of rows that no format uses: counted by name, so that nothing is silently ignored.

    >>> in_words({"source": 2, "messages.*.name": 1})
    'not used: source in 2 rows, messages.*.name in 1 row'

A field of a turn counts once per row. Empty fields do not count.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any

from selfinstruct.records import user_message
from selfinstruct.rows import fields
from selfinstruct.rows.fields import Field, is_empty, key_of, spelled, value_of
from selfinstruct.rows.formats import Format, format_of, key_of_asked, keys_of_asked
from selfinstruct.rows.turns import (
    PARTS,
    SHAREGPT_ROLES,
    calls_in,
    ids_of_calls,
    key_of_part,
    keys_of_calls,
    parsed,
    type_of_part,
)
from selfinstruct.untrusted import say

_ALWAYS = (fields.SYSTEM, fields.HISTORY, fields.TOOLS, fields.MEDIA, fields.REJECTED)
_FIELDS = (fields.INSTRUCTION, fields.INPUT, fields.OUTPUT, fields.REASONING)
_ANSWERS = (*fields.CHOSEN.spellings, *fields.REJECTED.spellings, fields.COMPLETION.name)
_INSTANCE = (fields.INPUT, fields.OUTPUT, fields.REASONING, fields.MEDIA)
READ: dict[Format, tuple[Field, ...]] = {
    "preference": (fields.CHOSEN,),
    "self-instruct": (fields.INSTRUCTION, fields.INSTANCES),
    "records": _FIELDS,
    "messages": (fields.MESSAGES, fields.LOSS_MASK),
    "sharegpt": (fields.CONVERSATIONS, fields.LOSS_MASK),
    "alpaca": _FIELDS,
    "prompt-completion": (fields.PROMPT, fields.COMPLETION, fields.REASONING),
}  # fmt: skip
# The other fields of our own files, each with the types that it may have.
OURS: dict[Format, dict[str, type | UnionType]] = {
    "self-instruct": {"id": str | int, "name": str, "is_classification": bool},
    # In Parquet, `extra` is a text.
    "records": {"id": str | int, "task": str | int, "is_classification": bool, "extra": dict | str, "messages": list},
    "messages": {"task": str, "instruction": str, "input": str},
}


def not_used(row: Any) -> set[str]:
    """The names of a row's fields that are not used; none if the row's format is unknown."""
    format = format_of(row)
    if format is None:
        return set()
    read = {key for field in (*READ[format], *_ALWAYS) if (key := key_of(row, field))}
    if format == "messages" and "messages" not in read:
        read |= {key_of(row, fields.CONVERSATIONS) or ""}
    asked = keys_of_asked(row) if format == "preference" else []
    read |= {*asked, *ours(row, format)}
    read |= {key for key, _ in fields.marks(row)}
    found = {key for key, value in row.items() if key not in read and not is_empty(value)}
    if format == "records" and _says_otherwise(row):
        found.add(str(key_of(row, fields.MESSAGES)))
    if asked and (name := asked[0]) == key_of_asked(row):
        inside = row[name]
        found |= {f"{name}.{key}" for key, value in inside.items() if key != "messages" and not is_empty(value)}
        found.update(of_list(f"{name}.messages", inside.get("messages")))
    return found.union(*(of_list(key, row.get(key)) for key in read))


def ours(row: dict[str, Any], format: Format | None) -> frozenset[str]:
    """The other fields of our own files, if the row may be of one."""
    if format is None or (format == "messages" and not is_dialogue(row)):
        return frozenset()
    return frozenset(name for name, types in OURS.get(format, {}).items() if isinstance(row.get(name), types))


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
    # A name that does not print, or is empty, is shown as in JSON.
    names = {name: name if name.isprintable() and name else json.dumps(name) for name in counts}
    said = ", ".join(f"{names[name]} in {n:,} row{'s' if n > 1 else ''}" for name, n in counts.items())
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
    if isinstance(value, dict) and spelling in _ANSWERS:
        value = [value]
    objects = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
    if spelling == fields.INSTANCES.name:
        for one in objects:
            read = _keys(one, _INSTANCE) | {key for key, _ in fields.marks(one)}
            yield from (f"{name}.*.{key}" for key in _beside(one, read))
        return
    for one in objects:
        yield from (f"{name}.*.{key}" for key in _of_turn(one, objects))


def _of_turn(turn: dict[str, Any], turns: list[dict[str, Any]]) -> Iterator[str]:
    """The unused fields of one of the turns."""
    kind, content = _kind(turn), key_of(turn, fields.CONTENT)
    if len(turn) == 2 and kind and content and isinstance(turn[content], str) and kind != "call":
        return  # for speed: nearly all turns are no more
    of_calls = keys_of_calls(turn)
    # All weights and calls are read, under whatever names; two texts do not mean the same.
    read = _keys(turn, fields.TURN) | {*spelled(tuple(turn), fields.TURN_WEIGHT), *of_calls}
    if kind not in ("assistant", "call"):  # only an answer is refused for a weight that says neither yes nor no
        read -= {key for key in spelled(tuple(turn), fields.TURN_WEIGHT) if fields.flag(turn[key]) is None}
    if kind == "tool":  # its id is of use only if calls have some, and its name says again which tool was called
        read = read if any(map(ids_of_calls, turns)) else read - _keys(turn, (fields.CALL_ID,))
        read |= {"name"} if turn.get("name") in [name for one in turns for name in _called(one)] else set()
    elif kind == "call" and not content:
        read |= _of_call(turn)
    yield from _beside(turn, read)
    for key in of_calls:
        yield from _of_calls(key, turn[key])
    if content and content not in of_calls and isinstance(turn[content], list):
        for part in turn[content]:
            if isinstance(part, dict) and type_of_part(part) in PARTS:
                read = _keys(part, (fields.PART_TYPE,)) | {str(key_of_part(part))}
                yield from (f"{content}.*.{key}" for key in _beside(part, read))


def _called(turn: dict[str, Any]) -> list[Any]:
    """The names of the tools that a turn calls."""
    calls = [call for key in keys_of_calls(turn) for call in calls_in(turn[key])]
    if _kind(turn) == "call" and not calls:  # the turn itself is the call
        calls = [turn]
    functions = [value_of(call, fields.FUNCTION) or call for call in calls if isinstance(call, dict)]
    return [value_of(function, fields.CALL_NAME) for function in functions if isinstance(function, dict)]


def _kind(turn: dict[str, Any]) -> str | None:
    role = value_of(turn, fields.ROLE)
    return SHAREGPT_ROLES.get(role) if isinstance(role, str) else None


def _of_calls(name: str, value: Any) -> Iterator[str]:
    """The unused fields of tool calls."""
    place = f"{name}.*" if isinstance(parsed(value), list) else name
    for call in calls_in(value):
        if isinstance(call, dict):
            yield from (f"{place}.{key}" for key in _beside(call, _of_call(call) | _keys(call, (fields.ID,))))
            function = key_of(call, fields.FUNCTION)
            if function and isinstance(call[function], dict):
                read = _keys(call[function], (fields.CALL_NAME, fields.ARGUMENTS))
                yield from (f"{place}.{function}.{key}" for key in _beside(call[function], read))


def _of_call(call: dict[str, Any]) -> set[str]:
    """The keys of a call that are read, apart from its id."""
    of_function = fields.CALL_NAME, fields.ARGUMENTS
    read = _keys(call, (fields.FUNCTION,) if value_of(call, fields.FUNCTION) else of_function)
    return read | (_keys(call, (fields.CALL_TYPE,)) if value_of(call, fields.CALL_TYPE) == "function" else set())


def _keys(holder: dict[str, Any], known: Iterable[Field]) -> set[str]:
    """The keys under which the fields are read."""
    return {key for field in known if (key := key_of(holder, field))}


def _beside(holder: dict[str, Any], read: set[str]) -> Iterator[str]:
    """The keys that are not in `read`."""
    yield from (key for key, value in holder.items() if key not in read and not is_empty(value))
