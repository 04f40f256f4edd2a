"""One SQLite file with one writer: opened, locked, brought up to date, and written in transactions.

The file is in WAL mode, so that `status` and others read while a run writes. Only one process may carry the run on: it
holds a lock on `run.lock`. Two would both admit tasks at the same place; the lock is there for nothing else. People's
decisions are rows of tables that a run neither writes nor reads before its end, so they may be added meanwhile
(`beside`): SQLite takes one transaction after the other, and both sides wait for a short one. Not covered: network file
systems, where neither locks nor WAL can be relied upon.
"""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, Self

from selfinstruct.errors import StoreError, UsageError
from selfinstruct.rows.writing import refuse_link
from selfinstruct.store.connecting import connect, explaining
from selfinstruct.store.schema import MIGRATIONS, check_version, migrate


class SqliteFile:
    """An open SQLite file, written in transactions; `close()` it when done."""

    def __init__(self, path: Path, db: sqlite3.Connection):
        self.path = path
        self.db = db

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; a database error becomes a StoreError that says what to do. Inside of another: part of it."""
        if self.db.in_transaction:
            yield
            return
        with explaining(self.path):
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.db.execute("COMMIT")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("ROLLBACK")
                raise

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a SELECT; a database error becomes a StoreError."""
        with explaining(self.path):
            return self.db.execute(sql, parameters).fetchall()


class Database(SqliteFile):
    """The file run.db in a run's folder. Use `create`, `resume`, `read` or `beside`; `close()` it when done."""

    def __init__(self, folder: Path, db: sqlite3.Connection, held: IO[str] | ExitStack | None):
        super().__init__(folder / "run.db", db)
        self.folder = folder
        self._held = held  # the lock, or the copy that is read

    @classmethod
    def create(cls, folder: Path) -> Self:
        """An empty file in `folder`, which is made."""
        _refuse_file(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(f"{folder}: cannot be created, because part of this path is a file.") from None
        except OSError as error:
            raise UsageError(
                f"{folder}: cannot be created ({error.strerror}). Choose a folder that you can write to."
            ) from None
        return cls._open(folder)

    @classmethod
    def resume(cls, folder: Path) -> Self:
        """An existing run, to resume; StoreError if another process has it."""
        return cls._open(folder)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """An existing run, to look at, also while another process writes."""
        if not cls.exists(folder):
            _refuse_file(folder)
            raise UsageError(
                f"{folder}: no run here (run.db not found). Start one with selfinstruct generate {folder} --target N, "
                "or si.generate in Python."
            )
        path = folder / "run.db"
        with explaining(path):
            db, copy = _to_read(path)
            opened = cls(folder, db, copy)
            try:
                if check_version(db, path) < len(MIGRATIONS):
                    if not copy:
                        opened.close()
                        cls._open(folder).close()
                        return cls.read(folder)
                    migrate(db, path)
                db.execute("PRAGMA query_only = ON")
            except BaseException:
                opened.close()
                raise
        return opened

    @classmethod
    def beside(cls, folder: Path) -> Self:
        """An existing run, to add to what no run writes or reads, also while another process carries it on."""
        with cls.read(folder):  # brings an old file up to date
            return cls._connect(folder, None)

    @classmethod
    def exists(cls, folder: Path) -> bool:
        """Whether `folder` holds a run that has begun: one killed while it was being made has not."""
        path = folder / "run.db"
        try:
            if not path.exists():
                return False
        except OSError as error:  # a name that is too long, a folder that may not be looked into
            raise UsageError(f"{folder}: cannot be opened ({error.strerror}). Choose another folder.") from None
        with explaining(path):
            db, copy = _to_read(path)
            with closing(cls(folder, db, copy)):
                return check_version(db, path) > 0 and bool(db.execute("SELECT 1 FROM run").fetchone())

    @classmethod
    def _open(cls, folder: Path) -> Self:
        path = folder / "run.db"
        lock = lock_folder(folder)
        try:
            with explaining(path):
                opened = cls._connect(folder, lock)
                opened.db.execute("PRAGMA journal_mode = WAL")
                # With WAL, a killed process loses nothing; only a power failure may cost the last commits.
                opened.db.execute("PRAGMA synchronous = NORMAL")
                migrate(opened.db, path)
        except BaseException:
            lock.close()
            raise
        return opened

    @classmethod
    def _connect(cls, folder: Path, lock: IO[str] | None) -> Self:
        with explaining(folder / "run.db"):
            db = connect(folder / "run.db")
            db.execute("PRAGMA foreign_keys = ON")
        return cls(folder, db, lock)

    def copy_to(self, folder: Path) -> None:
        """Copy the file as it is, or as the `snapshot` sees it, into `folder`, which is made."""
        folder.mkdir()
        with explaining(folder / "run.db"), closing(connect(folder / "run.db")) as copy:
            self.db.backup(copy)

    def close(self) -> None:
        """Close the file and let go of the lock, or of the copy."""
        super().close()
        if self._held:
            self._held.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several queries see the same state while other processes write; inside another snapshot: part of it."""
        if self.db.in_transaction:
            yield
            return
        with explaining(self.path):
            self.db.execute("BEGIN")
        try:
            yield
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")


def _refuse_file(folder: Path) -> None:
    """UsageError for a file in place of a run's folder."""
    if folder.is_file():
        hint = f"that is {folder.parent}" if folder.name == "run.db" else "this is a file"
        raise UsageError(f"{folder}: name the folder of the run; {hint}.")


def _to_read(path: Path) -> tuple[sqlite3.Connection, ExitStack | None]:
    """The file at `path`, to be read; with a copy to be closed where it can be read only as one.

    A file in WAL mode cannot be opened in a folder that may not be written to, unless another process has it open.
    Where all is in the file itself, it is read as it is; where answers are left in its WAL, or its tables are of an
    earlier version, a copy in the folder for temporary files is.
    """
    try:
        db = connect(path)
        db.execute("SELECT 1 FROM sqlite_master").fetchone()
        return db, None
    except sqlite3.DatabaseError as error:
        db.close()
        may_write = os.access(path.parent, os.W_OK) and os.access(path, os.W_OK)
        if may_write or not isinstance(error, sqlite3.OperationalError):
            raise
    wal = Path(f"{path}-wal")
    try:
        if not wal.exists() or not wal.stat().st_size:
            address = f"{path.absolute().as_uri()}?immutable=1"
            db = sqlite3.connect(address, isolation_level=None, uri=True)
            if check_version(db, path) == len(MIGRATIONS):
                return db, None
            db.close()
        copy = ExitStack()
        place = Path(copy.enter_context(TemporaryDirectory(prefix="selfinstruct-")))
        for file in (path, wal):
            if file.exists():
                shutil.copyfile(file, place / file.name)
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}). Copy the folder, and read the copy.") from None
    return sqlite3.connect(place / path.name, isolation_level=None), copy


def lock_folder(folder: Path) -> IO[str]:
    """Hold `run.lock` as long as this process lives; StoreError if another process does."""
    refuse_link(folder / "run.lock")
    try:
        lock = (folder / "run.lock").open("a")  # and not emptied: it may be a hard link
    except OSError as error:
        raise StoreError(
            f"{folder}: cannot be written ({error.strerror}). Choose a folder that you can write to."
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StoreError(
            f"{folder}: another process is working on this run. Wait for it, or stop it with Ctrl-C."
        ) from None
    return lock
