"""DIR/comparison.db: the questions, both answers to each, and every verdict as it was given.

Answers and verdicts are stored as soon as they arrive, and nothing is ever changed: taking back a verdict adds a row. A
judge's answer is stored as text, and parsed each time. The two answers are called "a" and "b" here, and "first" and
"second" in everything that raters see.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from finetune.examples import Message
from selfinstruct.errors import UsageError
from selfinstruct.records import storable
from selfinstruct.store.connecting import connect, explaining, refuse_triggers
from selfinstruct.store.database import SqliteFile

Side = Literal["a", "b"]
Verdict = Literal["first", "second", "tie", "bad"]
Preferred = Literal["a", "b", "tie"]
SIDES: tuple[Side, Side] = ("a", "b")

SCHEMA = """
CREATE TABLE IF NOT EXISTS settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items(position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, messages TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers(item INTEGER NOT NULL REFERENCES items(position),
    side TEXT NOT NULL CHECK(side IN ('a', 'b')), text TEXT NOT NULL, PRIMARY KEY(item, side)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS votes(id INTEGER PRIMARY KEY, rater TEXT NOT NULL,
    item INTEGER NOT NULL REFERENCES items(position), first TEXT NOT NULL CHECK(first IN ('a', 'b')),
    verdict TEXT NOT NULL CHECK(verdict IN ('first', 'second', 'tie', 'bad', 'undone')),
    at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE VIEW IF NOT EXISTS votes_in_force AS SELECT * FROM votes v WHERE verdict != 'undone' AND NOT EXISTS (
    SELECT 1 FROM votes w WHERE w.rater = v.rater AND w.item = v.item AND w.id > v.id);
CREATE TABLE IF NOT EXISTS judgements(request_id TEXT PRIMARY KEY, judge TEXT NOT NULL,
    item INTEGER NOT NULL REFERENCES items(position), first TEXT NOT NULL CHECK(first IN ('a', 'b')),
    text TEXT NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
    at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP);
"""


class Item(NamedTuple):
    """A question with both answers, without surrounding white space."""

    position: int
    messages: list[Message]
    a: str
    b: str

    @property
    def is_same(self) -> bool:
        """Whether both answers are the same."""
        return self.a == self.b

    def ordered(self, first: Side) -> tuple[str, str]:
        """The two answers, starting with that of `first`."""
        return (self.a, self.b) if first == "a" else (self.b, self.a)


class Vote(NamedTuple):
    """A person's verdict on an item; `first`: the side whose answer was shown first."""

    rater: str
    item: int
    first: Side
    verdict: Verdict

    @property
    def preferred(self) -> Preferred:
        """Which answer is the better one."""
        return preferred(self.first, self.verdict)


class Judgement(NamedTuple):
    """A judge model's answer on an item that was shown in this order."""

    judge: str
    item: int
    first: Side
    text: str


def preferred(first: Side, verdict: Verdict) -> Preferred:
    """The answer that a verdict prefers; neither if both are bad."""
    if verdict in ("tie", "bad"):
        return "tie"
    return first if verdict == "first" else ("b" if first == "a" else "a")


class Store(SqliteFile):
    """A comparison's file, created if there is none. `close()` it when done."""

    def __init__(self, folder: Path):
        path = folder / "comparison.db"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{folder}: cannot be created ({error.strerror}). Choose another folder with --out."
            ) from None
        with explaining(path):
            super().__init__(path, connect(path))
            refuse_triggers(self.db, path)
            self.db.execute("PRAGMA journal_mode = WAL")
            self.db.execute("PRAGMA foreign_keys = ON")
            self.db.executescript(SCHEMA)

    def settings(self) -> dict[str, Any]:
        """The settings of the comparison; empty if it has not started."""
        return {key: json.loads(value) for key, value in self.query("SELECT key, value FROM settings")}

    def set_settings(self, settings: dict[str, Any]) -> None:
        """Store some settings."""
        rows = [(key, json.dumps(value)) for key, value in settings.items()]
        with explaining(self.path):
            self.db.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", rows)

    def begin(self, settings: dict[str, Any], questions: Sequence[tuple[str, list[Message]]]) -> None:
        """Store the settings and the questions, with their ids, replacing those without answers."""
        with self.transaction():
            self.set_settings(settings)
            self.db.execute("DELETE FROM items")
            items = [(n, name, json.dumps(messages)) for n, (name, messages) in enumerate(questions)]
            self.db.executemany("INSERT INTO items VALUES (?, ?, ?)", items)

    def answered(self) -> set[Side]:
        """The sides that have an answer."""
        return {side for (side,) in self.query("SELECT DISTINCT side FROM answers")}

    def unanswered(self, side: Side) -> list[tuple[int, str, list[Message]]]:
        """The questions without an answer from this side: position, id, messages."""
        rows = self.query(
            "SELECT position, id, messages FROM items WHERE position NOT IN (SELECT item FROM answers WHERE side = ?) "
            "ORDER BY position",
            (side,),
        )
        return [(position, name, json.loads(messages)) for position, name, messages in rows]

    def add_answers(self, side: Side, answers: Sequence[tuple[int, str]]) -> None:
        """Store answers by the positions of their questions; existing ones are kept."""
        with self.transaction():
            rows = [(item, side, storable(text)) for item, text in answers]
            self.db.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", rows)

    def items(self) -> list[Item]:
        """The questions that have both answers, in their order."""
        rows = self.query(
            "SELECT i.position, i.messages, a.text, b.text FROM items i JOIN answers a ON a.item = i.position "
            "AND a.side = 'a' JOIN answers b ON b.item = i.position AND b.side = 'b' ORDER BY i.position"
        )
        return [Item(position, json.loads(messages), a.strip(), b.strip()) for position, messages, a, b in rows]

    def add_vote(self, rater: str, item: int, first: Side, verdict: Verdict) -> None:
        """Store a person's verdict; it replaces an earlier one of the same person on the same item."""
        with self.transaction():
            self.db.execute(
                "INSERT INTO votes(rater, item, first, verdict) VALUES (?, ?, ?, ?)", (rater, item, first, verdict)
            )

    def undo(self, rater: str) -> None:
        """Take back this person's latest valid verdict, if any."""
        with self.transaction():
            self.db.execute(
                "INSERT INTO votes(rater, item, first, verdict) SELECT rater, item, first, 'undone' "
                "FROM votes_in_force WHERE rater = ? ORDER BY id DESC LIMIT 1",
                (rater,),
            )

    def votes(self) -> list[Vote]:
        """The valid verdicts, in the order in which they were given."""
        return [Vote(*row) for row in self.query("SELECT rater, item, first, verdict FROM votes_in_force ORDER BY id")]

    def add_judgement(self, request_id: str, judgement: Judgement, prompt_tokens: int, completion_tokens: int) -> None:
        """Store a judge's answer to a request."""
        judge, item, first, text = judgement
        with self.transaction():
            self.db.execute(
                "INSERT OR IGNORE INTO judgements(request_id, judge, item, first, text, prompt_tokens, "
                "completion_tokens) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (request_id, judge, item, first, text, prompt_tokens, completion_tokens),
            )

    def judged(self) -> set[str]:
        """The ids of the requests that were answered."""
        return {name for (name,) in self.query("SELECT request_id FROM judgements")}

    def judgements(self) -> list[Judgement]:
        """The judges' answers; the latest if a judge answered the same question twice."""
        rows = self.query("SELECT judge, item, first, text FROM judgements ORDER BY rowid")
        latest = {(judge, item, first): Judgement(judge, item, first, text) for judge, item, first, text in rows}
        return list(latest.values())
