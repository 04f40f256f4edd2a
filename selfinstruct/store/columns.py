"""What the columns of run.db may hold, and the rows that hold something else: the first thing that `verify` looks at.

Types and columns are those of an empty file, so nothing is declared here but which columns are JSON. SQLite itself
lets any value be in any column, and takes any bytes for a text.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from typing import Any, NamedTuple

from selfinstruct.store.connecting import explaining
from selfinstruct.store.database import SqliteFile
from selfinstruct.store.rows import with_hash
from selfinstruct.store.schema import HASHED, make_newest
from selfinstruct.terminal import n_of

JSON: dict[tuple[str, str], type | None] = {
    ("run", "value"): None,  # any
    ("seeds", "instances"): list,
    ("requests", "sampling"): dict,
    ("completions", "logprobs"): list,
    ("candidates", "instances"): list,
    ("candidates", "extra"): dict,
    ("tasks", "extra"): dict,
    ("instances", "extra"): dict,
    ("decided_texts", "extra"): dict,
    ("rejections", "evidence"): dict,
    ("decisions", "payload"): dict,
    ("rows", "id"): None,
    ("rows", "fields"): dict,
}


class _Text(bytes):
    """The bytes of a text, which may be no UTF-8; other bytes come from a BLOB."""


class _Column(NamedTuple):
    name: str
    type: str
    may_be_null: bool
    is_key: bool


def damaged_columns(file: SqliteFile) -> Iterator[str]:
    """The values of the wrong type, and texts that are no UTF-8 or not the JSON they should be, one line each."""
    file.db.text_factory = _Text
    try:
        for table, columns in _tables().items():
            names = ", ".join(column.name for column in columns)
            with explaining(file.path):
                for row in file.db.execute(f"SELECT {names} FROM {table}"):
                    for column, value in zip(columns, row, strict=True):
                        if fault := _fault(table, column, value):
                            keys = [_shown(v) for c, v in zip(columns, row, strict=True) if c.is_key] or map(
                                _shown, row
                            )
                            yield f"{row_name(table, ' '.join(keys))}: {column.name} {fault}"
    finally:
        file.db.text_factory = str


def changed_rows(file: SqliteFile) -> Iterator[str]:
    """The rows that do not have their hash any more, and gaps where rows were deleted."""
    keys = {"run": "key", "decided_texts": "decision || ' ' || position"}
    for table, columns in HASHED.items():
        key, where = keys.get(table, "rowid"), "WHERE generated" if table == "tasks" else ""
        with explaining(file.path):
            for name, found, *row in file.db.execute(f"SELECT {key}, hash, {columns} FROM {table} {where}"):
                if with_hash(table, row)[-1] != found:
                    yield f"{row_name(table, name)}: its hash should be {found}; the row was changed"
    for table in ("completions", "faults"):
        ((n, last),) = file.query(f"SELECT count(*), coalesce(max(rowid), 0) FROM {table}")
        if n != last:
            yield f"{table}: {n_of(last - n, 'row was', 'rows were')} deleted"


def row_name(table: str, key: object) -> str:
    """A row as `verify` calls it: by what it is, if its key is one that is shown elsewhere."""
    kinds = {
        "candidates": "candidate", "decisions": "decision", "instances": "instance", "rejections": "rejection of",
        "requests": "request", "steps": "step", "tasks": "task",
    }  # fmt: skip
    return f"{kinds.get(table, f'{table} row')} {key}"


@cache
def _tables() -> dict[str, list[_Column]]:
    """The columns of each table."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        make_newest(db)
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: [
                _Column(name, of_type, not (not_null or key), bool(key))
                for _, name, of_type, not_null, _, key in db.execute(f"PRAGMA table_info({table})")
            ]
            for table in names
        }


def _fault(table: str, column: _Column, value: Any) -> str | None:
    if value is None:
        return None if column.may_be_null else "is NULL"
    types = {"TEXT": _Text, "INTEGER": int, "REAL": float}
    if column.type and not isinstance(value, types[column.type]):
        return f"is {_shown(value)}, not {column.type}"
    if not isinstance(value, _Text):
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        return f"is not UTF-8: {_shown(value)} ({error.reason} at byte {error.start})"
    if (table, column.name) not in JSON:
        return None
    try:
        found, wanted = json.loads(text), JSON[table, column.name]
    except (ValueError, RecursionError):
        return f"is not JSON: {_shown(value)}"
    if wanted is None or isinstance(found, wanted):
        return None
    return f"is not a JSON {'object' if wanted is dict else wanted.__name__}: {_shown(value)}"


def _shown(value: Any) -> str:
    """A value as a short text."""
    text = value.decode(errors="backslashreplace") if isinstance(value, _Text) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
