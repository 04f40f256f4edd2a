"""How SQLite files are opened that may come from somebody else, or stand where nothing can be written.

Nothing is written through a link, and a trigger, which would write for others, is refused
(https://sqlite.org/security.html). The path is absolute, so that one that begins with "file:" is no address to SQLite.
"""

import os
import sqlite3
from pathlib import Path

from selfinstruct.errors import StoreError
from selfinstruct.rows.writing import refuse_link

BESIDE = ("", "-wal", "-shm", "-journal")


def connect(path: Path, reading: bool = False) -> sqlite3.Connection:
    """The file at `path`; with `reading` also where neither file nor folder can be written.

    UsageError if it is a link. What SQLite cannot read raises its own error, later.
    """
    for suffix in BESIDE:
        refuse_link(path.with_name(path.name + suffix))
    place = path.absolute()
    if reading and not _may_write(place):
        # Without a log nothing can be written beside it, and nobody else writes: as it stands, it is whole.
        log = place.with_name(f"{place.name}-wal")
        how = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
        return sqlite3.connect(f"{place.as_uri()}?{how}", isolation_level=None, timeout=10, uri=True)
    return sqlite3.connect(place, isolation_level=None, timeout=10)


def _may_write(path: Path) -> bool:
    return os.access(path.parent, os.W_OK) and (not path.exists() or os.access(path, os.W_OK))


def has_code(db: sqlite3.Connection) -> bool:
    """Whether the file has triggers or views, which run when it is written or read."""
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE type IN ('trigger', 'view')").fetchone())


def refuse_triggers(db: sqlite3.Connection, path: Path) -> None:
    """StoreError if the file has a trigger: selfinstruct makes none."""
    if found := db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchone():
        raise StoreError(
            f"{path} has a trigger, {found[0]}, which selfinstruct did not make. If you trust it, remove it with: "
            "DROP TRIGGER"
        )
