"""The rows that teachers are asked about, and their votes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct.annotation.rows import Row
from selfinstruct.annotation.votes import Vote
from selfinstruct.errors import StoreError, UsageError
from selfinstruct.records import Rejection, canonical_json
from selfinstruct.store.decisions import decided_gold
from selfinstruct.store.rows import canonical, object_from, with_hash
from selfinstruct.store.store import Store


class Cast(NamedTuple):
    """What one answer about a row yields. `swapped`: of a preference, whether the second text was shown first."""

    row: str
    voter: str
    sample: int
    swapped: bool
    request_id: str
    vote: Vote | Rejection


class StoredVote(NamedTuple):
    """A vote as stored; `value` is None where the answer was rejected."""

    row: str
    voter: str
    sample: int
    swapped: bool
    value: str | None
    rationale: str
    confidence: float | None


class Spent(NamedTuple):
    """What the answers of one voter took. `cost_usd`: None if it is not known."""

    voter: str
    answers: int
    tokens: int
    cost_usd: float | None


def rows(store: Store) -> list[tuple[Row, str | None]]:
    """The rows in the order of their file, each with the reason why nothing is asked about it, or None.

    What a person has decided about a row as it is goes before the gold answer of the file.
    """
    found = store.query("SELECT id, fields, gold, problem FROM rows ORDER BY position")
    decided = decided_gold(store)
    read = [(Row(canonical(identity), object_from(fields), gold), problem) for identity, fields, gold, problem in found]
    for at, (row, problem) in enumerate(read):
        if row.id in decided and decided[row.id].get("of", row.content) == row.content:
            read[at] = row._replace(gold=decided[row.id].get("gold") or None), problem
    return read


def set_rows(store: Store, new: Sequence[tuple[Row, str | None]]) -> int:
    """Store the rows of a file in place of those that are there; give the number of rows whose votes that removes.

    The votes of a row that is the same stay; a row that was changed is asked about again.
    """
    as_stored = [
        (position, row.id, canonical_json(row.fields), row.gold, problem)
        for position, (row, problem) in enumerate(new)
    ]  # fmt: skip
    with store.transaction():
        before = dict(store.query("SELECT id, fields FROM rows"))
        now = {identity: fields for _, identity, fields, *_ in as_stored}
        outdated = [identity for identity, fields in before.items() if now.get(identity) != fields]
        store.db.execute("DELETE FROM rows")
        store.db.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", [with_hash("rows", one) for one in as_stored]
        )
        store.db.executemany("DELETE FROM votes WHERE row = ?", [(identity,) for identity in outdated])
    return len(outdated)


def voted(store: Store) -> set[tuple[str, str, int, bool]]:
    """What was asked and read already: row, voter, sample, and whether the options were swapped."""
    found = store.query("SELECT row, voter, sample, swapped FROM votes")
    return {(row, voter, sample, bool(swapped)) for row, voter, sample, swapped in found}


def add_votes(store: Store, cast: Iterable[Cast]) -> None:
    """Commit votes, and the reasons why other answers are none."""
    with store.transaction():
        for row, voter, sample, swapped, request_id, vote in cast:
            read = vote if isinstance(vote, Vote) else None
            values = (row, voter, sample, int(swapped), request_id, *(read or (None, None, None)))
            store.db.execute("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", with_hash("votes", values))
            if isinstance(vote, Rejection):
                store.reject(request_id, vote)


def votes(store: Store) -> list[StoredVote]:
    """All votes, by row, voter, sample and order."""
    return _votes(store, "1", ())


def votes_on(store: Store, row: str) -> list[StoredVote]:
    """The votes on one row."""
    return _votes(store, "v.row = ?", (row,))


def unread(store: Store) -> dict[str, int]:
    """The number of answers about each row that are no vote, where there are any."""
    return dict(store.query("SELECT row, count(*) FROM votes WHERE value IS NULL GROUP BY row"))


def rejected(store: Store) -> dict[str, int]:
    """The number of answers that are no vote by reason, most frequent first."""
    return dict(
        store.query(
            "SELECT r.reason, count(*) FROM votes v JOIN rejections r ON r.subject = 'completion' "
            "AND r.subject_id = v.request_id WHERE v.value IS NULL GROUP BY r.reason ORDER BY 2 DESC, 1"
        )
    )


def _votes(store: Store, where: str, parameters: tuple[str, ...]) -> list[StoredVote]:
    found: list[tuple[Any, ...]] = store.query(
        "SELECT v.row, v.voter, v.sample, v.swapped, v.value, v.rationale, v.confidence FROM votes v "
        f"JOIN rows r ON r.id = v.row WHERE {where} ORDER BY r.position, v.voter, v.sample, v.swapped",
        parameters,
    )
    for row, _, sample, *_, confidence in found:
        if not isinstance(sample, int) or not isinstance(confidence, float | None):
            raise StoreError(f"{store.path}: a vote on the row {row:.60} is damaged. Restore a copy.")
    return [
        StoredVote(row, voter, sample, bool(swapped), value, rationale or "", confidence)
        for row, voter, sample, swapped, value, rationale, confidence in found
    ]


def answers(store: Store, row: str) -> list[tuple[str, int, bool, str, str | None, str | None]]:
    """The answers about a row: voter, sample, whether swapped, the text, the error, the reason for its rejection."""
    found = store.query(
        "SELECT v.voter, v.sample, v.swapped, c.text, c.error, r.reason FROM votes v "
        "JOIN completions c ON c.request_id = v.request_id "
        "LEFT JOIN rejections r ON r.subject = 'completion' AND r.subject_id = v.request_id AND v.value IS NULL "
        "WHERE v.row = ? ORDER BY v.voter, v.sample, v.swapped",
        (row,),
    )
    return [(voter, n, bool(swapped), text, error, reason) for voter, n, swapped, text, error, reason in found]


def state(store: Store) -> int:
    """What changes whenever somebody else writes to the run."""
    return int(store.query("PRAGMA data_version")[0][0])


def spent(store: Store) -> list[Spent]:
    """What each voter's answers took; an answer about two equal rows counts once."""
    return [
        Spent(*row)
        for row in store.query(
            "SELECT r.model, count(*), CAST(total(c.prompt_tokens + c.completion_tokens) AS INTEGER), "
            "CASE WHEN count(c.cost_usd) = count(*) THEN sum(c.cost_usd) END "
            "FROM completions c JOIN requests r ON r.id = c.request_id "
            "WHERE r.id IN (SELECT request_id FROM votes) GROUP BY r.model ORDER BY r.model"
        )
    ]


class Counts(NamedTuple):
    """Rows, those of them with a `problem` or a known answer; votes, rejected answers included; failed attempts."""

    rows: int
    problems: dict[str, int]
    gold: int
    votes: int
    faults: int


def counts(store: Store) -> Counts:
    """Count the rows of the tables; in a `snapshot` where they have to fit together."""
    problems = dict(store.query("SELECT problem, count(*) FROM rows WHERE problem IS NOT NULL GROUP BY problem"))
    ((n, gold, n_votes, faults),) = store.query(
        "SELECT count(*), count(gold), (SELECT count(*) FROM votes), (SELECT count(*) FROM faults) FROM rows"
    )
    return Counts(n, problems, gold, n_votes, faults)


def values(store: Store) -> dict[str, dict[str, int]]:
    """How often each voter chose each value."""
    found: dict[str, dict[str, int]] = {}
    for voter, value, times in store.query(
        "SELECT voter, value, count(*) FROM votes WHERE value IS NOT NULL GROUP BY voter, value ORDER BY voter, value"
    ):
        found.setdefault(voter, {})[value] = times
    return found


def in_order_of_answers(store: Store) -> list[tuple[Cast, tuple[Any, Any, Any]]]:
    """Every stored vote without what it says, and value, rationale and confidence as stored."""
    return [
        (Cast(row, voter, sample, bool(swapped), request_id, Vote("")), tuple(stored))
        for row, voter, sample, swapped, request_id, *stored in store.query(
            "SELECT row, voter, sample, swapped, request_id, value, rationale, confidence FROM votes ORDER BY rowid"
        )
    ]  # fmt: skip


def read_grown(folder: Path) -> Store:
    """A run to look at, as `Store.read`; UsageError if it has votes instead of tasks and records."""
    store = Store.read(folder)
    try:
        refuse_annotations(store)
    except BaseException:
        store.close()
        raise
    return store


def is_of_votes(store: Store) -> bool:
    """Whether a run asks about rows of a file."""
    return "task" in store.settings()


def refuse_annotations(store: Store) -> None:
    """UsageError for a run that asks about rows of a file: it has votes, and no tasks or records."""
    if is_of_votes(store):
        raise UsageError(
            f"{store.folder} holds votes on the rows of a file, not tasks. See them with selfinstruct status, "
            "continue with selfinstruct annotate, and combine them with selfinstruct combine."
        )
