"""How SQLite files are opened that may come from somebody else.

Nothing is written through a link, and a trigger, which would write for others, is refused
(https://sqlite.org/security.html). The path is absolute, so that one that begins with "file:" is no address to SQLite.
"""

import sqlite3
from pathlib import Path

from selfinstruct.errors import StoreError
from selfinstruct.rows.writing import refuse_link

BESIDE = ("", "-wal", "-shm", "-journal")


def connect(path: Path) -> sqlite3.Connection:
    """The file at `path`; UsageError if it is a link. What SQLite cannot read raises its own error, later."""
    for suffix in BESIDE:
        refuse_link(path.with_name(path.name + suffix))
    return sqlite3.connect(path.absolute(), isolation_level=None, timeout=10)


def has_code(db: sqlite3.Connection) -> bool:
    """Whether the file has triggers or views, which run when it is written or read."""
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone())


def refuse_triggers(db: sqlite3.Connection, path: Path) -> None:
    """StoreError if the file has a trigger: selfinstruct makes none."""
    if found := db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchone():
        raise StoreError(
            f"{path} has a trigger, {found[0]}, which selfinstruct did not create. If you trust it, remove it with: "
            "DROP TRIGGER"
        )
