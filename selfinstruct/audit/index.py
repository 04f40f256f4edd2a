"""Everything that was generated, in one table with facets and a full-text index: the file RUN/audit.db.

It is derived from run.db, which is only read here, and may be deleted at any time. `refresh` brings in what has come
since: rows of the run are never changed or deleted, so those after the last known ones, the candidates that were not
judged yet, and the decisions after the last known one are all that there is to look at.

An item is a candidate, an instance, or an answer that nothing could be read from. Items with the same facets are one
group, and the groups with their sizes are all that is needed to count under any choice of facets: a few hundred rows
instead of a few hundred thousand. The full-text index holds the tokens of the novelty rule, so that scripts without
spaces between words can be searched; it keeps no text.
"""

import os
import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct.pool.novelty import tokens
from selfinstruct.pool.pool import record_text
from selfinstruct.store import items
from selfinstruct.store.connecting import connect, explaining, has_code
from selfinstruct.store.decisions import decided_after, notes, standing, state_of
from selfinstruct.store.items import ItemRow
from selfinstruct.store.store import Store

VERSION = 1  # of the tables below; an index of another version is rebuilt
AT_ONCE = 5_000  # rows read and written between two reports of progress
LENGTHS = (0, 5, 10, 20, 50, 150, 500)  # tokens; each begins a class
MARKS = {"edit": "edited", "comment": "commented"}  # besides tags, as #tag
FACETS = ("kind", "state", "stage", "reason", "model", "length")

_TABLES = """
CREATE TABLE known(key TEXT PRIMARY KEY, value);
CREATE TABLE groups(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, state TEXT NOT NULL, stage TEXT NOT NULL,
    reason TEXT NOT NULL, model TEXT NOT NULL, length TEXT NOT NULL, n INTEGER NOT NULL DEFAULT 0,
    UNIQUE(kind, state, stage, reason, model, length));
CREATE TABLE items(id INTEGER PRIMARY KEY, subject_id TEXT NOT NULL UNIQUE, of_group INTEGER NOT NULL,
    said INTEGER NOT NULL, length INTEGER NOT NULL, score REAL NOT NULL);
CREATE INDEX items_by_group ON items(of_group);
CREATE INDEX items_by_said ON items(said);
CREATE INDEX items_by_length ON items(length);
CREATE INDEX items_by_score ON items(score);
CREATE TABLE marks(mark TEXT NOT NULL, item INTEGER NOT NULL, PRIMARY KEY(mark, item)) WITHOUT ROWID;
CREATE VIRTUAL TABLE texts USING fts5(text, content = '', columnsize = 0, tokenize = "unicode61 remove_diacritics 2");
"""

Row = tuple[Any, ...]
MEMORY = Path(":memory:")  # SQLite's name for no file


class Group(NamedTuple):
    """The facets that some items have in common, and their number."""

    id: int
    kind: str
    state: str
    stage: str
    reason: str
    model: str
    length: str
    n: int


class Index:
    """The file audit.db beside the run that `store` reads; `close()` it when done."""

    def __init__(self, store: Store):
        self.store = store
        # In a folder that may only be read, the index lasts as long as the audit.
        self.path = store.folder.absolute() / "audit.db" if os.access(store.folder, os.W_OK) else MEMORY
        self.version = 0  # changes whenever something has come in
        self.found: tuple[str, str, int] | None = None  # what temp.found holds (listing.py), and how many by group
        self.found_sizes = Counter[int]()
        self._seen: int | None = None  # the run's state at the last look
        self.db = _open(self.path)

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def refresh(self, progress: Callable[[int, int], None] = lambda done, of: None) -> None:
        """Bring in what has come since the last time; `progress` is told how many rows of how many are done."""
        with explaining(self.path):
            seen = items.data_version(self.store)
            if seen == self._seen:
                return
            self.db.execute("BEGIN IMMEDIATE")
            try:
                with self.store.snapshot():
                    if not self._is_of_this_run():
                        _clear(self.db)
                    self._bring_in(progress)
                self.db.execute("COMMIT")
            except BaseException:
                self.db.execute("ROLLBACK")
                raise
            self._seen = seen
            self.version += 1

    def groups(self) -> list[Group]:
        """All groups that have an item."""
        return [Group(*row) for row in self.query("SELECT * FROM groups WHERE n > 0")]

    def states(self, identities: Sequence[str]) -> dict[str, str]:
        """The states of items, by what they are called in the run; of those that are there."""
        places = ", ".join("?" * len(identities))
        sql = "SELECT i.subject_id, g.state FROM items i JOIN groups g ON g.id = i.of_group WHERE i.subject_id IN"
        return dict(self.query(f"{sql} ({places})", identities))

    def marks(self) -> list[tuple[str, int]]:
        """The marks that items bear, in order, with their numbers."""
        return [(mark, n) for mark, n in self.query("SELECT mark, count(*) FROM marks GROUP BY mark ORDER BY 1")]

    def matching(self, query: str) -> list[str]:
        """The items, by what they are called in the run, in whose texts FTS5 finds what is asked for."""
        sql = "SELECT subject_id FROM items WHERE id IN (SELECT rowid FROM texts WHERE texts MATCH ?)"
        return [identity for (identity,) in self.query(sql, (query,))]

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """The rows of a SELECT; a database error becomes a StoreError."""
        with explaining(self.path):
            return self.db.execute(sql, parameters).fetchall()

    def _is_of_this_run(self) -> bool:
        """Whether the last known candidate is still where it was: a folder may have been given another run."""
        rowid, identity = self._known("candidate"), self._known("last candidate")
        return not rowid or items.candidate_at(self.store, rowid) == identity

    def _known(self, key: str) -> Any:
        row = self.db.execute("SELECT value FROM known WHERE key = ?", (key,)).fetchone()
        return row[0] if row else 0

    def _now_known(self, **values: Any) -> None:
        self.db.executemany("INSERT OR REPLACE INTO known VALUES (?, ?)", values.items())

    def _bring_in(self, progress: Callable[[int, int], None]) -> None:
        last = items.last_rows(self.store)
        known = {kind: self._known(kind) for kind in last}
        total = sum(last.values()) - sum(known.values())
        done = 0
        for kind, after in known.items():
            rows = items.items_after(self.store, kind, after)
            while some := list(islice(rows, AT_ONCE)):
                self._add(kind, some)
                self._now_known(**{kind: some[-1].row, f"last {kind}": some[-1].id})
                progress(done := done + len(some), total)
        self._add_unreadable()
        pending = self.query(
            "SELECT i.subject_id FROM items i JOIN groups g ON g.id = of_group WHERE state = 'pending'"
        )
        self._bring_up_to_date("candidate", [identity for (identity,) in pending])
        self._add_decisions()

    def _add_unreadable(self) -> None:
        n = items.n_unreadable(self.store)
        if n == self._known("completion"):
            return
        had = {i for (i,) in self.query("SELECT subject_id FROM items i JOIN groups g ON g.id = of_group "
                                        "WHERE kind = 'completion'")}  # fmt: skip
        self._add("completion", sorted(row for row in items.unreadable(self.store) if row.id not in had))
        self._now_known(completion=n)

    def _add_decisions(self) -> None:
        before = self._known("decision")
        last, subjects = decided_after(self.store, before)
        for kind in ("candidate", "instance", "completion"):
            self._bring_up_to_date(kind, [identity for subject, identity in subjects if subject == kind])
        if last != before:
            self._now_known(decision=last)

    def _add(self, kind: str, rows: Iterable[ItemRow]) -> None:
        first = self.query("SELECT coalesce(max(id), 0) + 1 FROM items")[0][0]
        added, texts, sizes = [], [], Counter[int]()
        for number, row in enumerate(rows, first):
            words = tokens(record_text(row.instruction, row.input, row.output))
            group = self._group(kind, row.state, row.stage, row.reason, row.model, length_class(len(words)))
            sizes[group] += 1
            added.append((number, row.id, group, row.answer, len(words), row.score))
            texts.append((number, " ".join(words)))
        self.db.executemany("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?)", added)
        self.db.executemany("INSERT INTO texts(rowid, text) VALUES (?, ?)", texts)
        self.db.executemany("UPDATE groups SET n = n + ? WHERE id = ?", [(n, group) for group, n in sizes.items()])

    def _group(self, *facets: str) -> int:
        self.db.execute(f"INSERT OR IGNORE INTO groups({', '.join(FACETS)}) VALUES (?, ?, ?, ?, ?, ?)", facets)
        where = " AND ".join(f"{name} = ?" for name in FACETS)
        return int(self.db.execute(f"SELECT id FROM groups WHERE {where}", facets).fetchone()[0])

    def _bring_up_to_date(self, kind: str, identities: Sequence[str]) -> None:
        """Give items the verdict, the standing and the marks that the run has for them at this time."""
        for identity in identities:
            found = self.query(
                "SELECT i.id, of_group, g.length FROM items i JOIN groups g ON g.id = of_group WHERE subject_id = ?",
                (identity,),
            )
            row = items.item(self.store, kind, identity)
            if not found or row is None:
                continue  # decided about an answer that could be read, or about what is no more
            ((item, before, length),) = found
            subject = (kind, identity)
            state = state_of(row.state, standing(self.store, subject))
            group = self._group(kind, state, row.stage, row.reason, row.model, length)
            self.db.execute("UPDATE items SET of_group = ?, score = ? WHERE id = ?", (group, row.score, item))
            self.db.execute("UPDATE groups SET n = n - 1 WHERE id = ?", (before,))
            self.db.execute("UPDATE groups SET n = n + 1 WHERE id = ?", (group,))
            noted = notes(self.store, subject)
            marks = {f"#{payload['tag']}" if action == "tag" else MARKS[action] for action, payload in noted}
            self.db.execute("DELETE FROM marks WHERE item = ?", (item,))
            self.db.executemany("INSERT INTO marks VALUES (?, ?)", [(mark, item) for mark in marks])


def length_class(n: int) -> str:
    """The class of lengths that n tokens belong to, such as "5 to 9"."""
    place = bisect_right(LENGTHS, n)
    return f"{LENGTHS[place - 1]} to {LENGTHS[place] - 1}" if place < len(LENGTHS) else f"{LENGTHS[-1]} or more"


def _open(path: Path) -> sqlite3.Connection:
    """The file; made again where it is not there, is of another version, or is damaged."""
    with explaining(path):
        try:
            return _connect(path)
        except sqlite3.OperationalError:
            raise  # locked, read-only, no room
        except sqlite3.DatabaseError:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{path}{suffix}").unlink(missing_ok=True)
            return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None) if path == MEMORY else connect(path)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = OFF")  # what is lost is made again
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute("PRAGMA cache_size = -65536")  # KiB
        if has_code(db) or db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("malformed")
        if db.execute("PRAGMA user_version").fetchone() != (VERSION,):
            db.execute("BEGIN IMMEDIATE")
            _clear(db)
            db.execute(f"PRAGMA user_version = {VERSION}")
            db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def _clear(db: sqlite3.Connection) -> None:
    for name in ("known", "groups", "items", "marks", "texts"):
        db.execute(f"DROP TABLE IF EXISTS {name}")
    for statement in _TABLES.split(";"):
        db.execute(statement)
