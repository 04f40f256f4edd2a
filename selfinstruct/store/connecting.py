"""How SQLite files are opened that may come from somebody else, and what a database error means to a user.

Nothing is written through a link, and a trigger, which would write for others, is refused
(https://sqlite.org/security.html). The path is absolute, so that one that begins with "file:" is no address to SQLite.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def explaining(path: Path) -> Iterator[None]:
    """Database errors, with what to do about them."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # a mistake of ours, not of the file
    except sqlite3.DatabaseError as error:
        text = str(error)
        if "no such" in text:
            advice = "It is not a selfinstruct run. Choose another folder."
        elif "full" in text:
            advice = "The disk is full. Free some space, then run the same command again; all earlier answers are kept."
        elif "readonly" in text or "unable to open" in text:
            advice = "The run needs a folder that you can write to. Check its permissions."
        elif "locked" in text:
            advice = "Another program has locked it. Close that program, then run the same command again."
        elif "I/O" in text:
            advice = (
                "Reading or writing the disk failed (full, or defective). Check it, then run the same command again."
            )
        else:
            rescue = f"sqlite3 {path} .recover | sqlite3 rescued.db"
            advice = f"The file is damaged. Restore a copy, or recover what is readable with: {rescue}"
        raise StoreError(f"{path}: {text}. {advice}") from None
