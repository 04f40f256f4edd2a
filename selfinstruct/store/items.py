"""Everything that was generated, each thing with its verdict, as an index of the run wants it: what has come since.

An item is a candidate, an instance, or an answer that nothing could be read from. Rows are never changed or deleted, so
those behind the last known row are all that is new, but for what was not judged yet, and for decisions.
"""

from collections.abc import Iterator
from typing import NamedTuple

from selfinstruct.store.connecting import explaining
from selfinstruct.store.store import Store

_CANDIDATES = """
SELECT c.rowid, c.id, CASE WHEN t.id IS NOT NULL THEN 'admitted' WHEN r.reason IS NULL THEN 'pending' ELSE 'rejected'
    END, coalesce(r.stage, ''), coalesce(r.reason, ''), q.model, m.rowid,
    coalesce(t.nearest_score, json_extract(r.evidence, '$.score'), -1), c.instruction, '', ''
FROM candidates c JOIN requests q ON q.id = c.request_id JOIN completions m ON m.request_id = c.request_id
LEFT JOIN tasks t ON t.id = c.id LEFT JOIN rejections r ON r.subject = 'candidate' AND r.subject_id = c.id
WHERE {} ORDER BY c.rowid"""
_INSTANCES = """
SELECT i.rowid, i.id, CASE WHEN r.reason IS NULL THEN 'admitted' ELSE 'rejected' END, coalesce(r.stage, ''),
    coalesce(r.reason, ''), q.model, m.rowid, coalesce(json_extract(r.evidence, '$.jaccard'),
    json_extract(r.evidence, '$.score'), -1), c.instruction, i.input, i.output
FROM instances i JOIN requests q ON q.id = i.request_id JOIN completions m ON m.request_id = i.request_id
JOIN tasks t ON t.position = i.task JOIN candidates c ON c.id = t.id
LEFT JOIN rejections r ON r.subject = 'instance' AND r.subject_id = i.id
WHERE {} ORDER BY i.rowid"""
_UNREADABLE = """
SELECT m.rowid, r.subject_id, 'rejected', r.stage, r.reason, q.model, m.rowid, -1, m.text, '', ''
FROM rejections r JOIN requests q ON q.id = r.subject_id JOIN completions m ON m.request_id = r.subject_id
WHERE r.subject = 'completion' AND {}"""
_KINDS = {
    "candidate": (_CANDIDATES, "c.id = ?"),
    "instance": (_INSTANCES, "i.id = ?"),
    "completion": (_UNREADABLE, "r.subject_id = ?"),
}


class ItemRow(NamedTuple):
    """An item as the filters left it.

    `state` is "admitted", "rejected" or "pending", `answer` the place of its answer among all, `score` the similarity
    with the nearest (-1: not known). An instance's text is in three parts, that of the others is `instruction`.
    """

    row: int
    id: str
    state: str
    stage: str
    reason: str
    model: str
    answer: int
    score: float
    instruction: str
    input: str
    output: str


def data_version(store: Store) -> int:
    """A number that is another one where another connection has written since."""
    return int(store.query("PRAGMA data_version")[0][0])


def last_rows(store: Store) -> dict[str, int]:
    """The last rows of candidates and of instances, 0 if there are none."""
    rows = store.query("SELECT (SELECT max(rowid) FROM candidates), (SELECT max(rowid) FROM instances)")
    return {kind: last or 0 for kind, last in zip(("candidate", "instance"), rows[0], strict=True)}


def candidate_at(store: Store, row: int) -> str | None:
    """The candidate of that row; None if there is none."""
    rows = store.query("SELECT id FROM candidates WHERE rowid = ?", (row,))
    return str(rows[0][0]) if rows else None


def items_after(store: Store, kind: str, row: int) -> Iterator[ItemRow]:
    """The candidates, or the instances, behind that row, in order."""
    sql = _CANDIDATES.format("c.rowid > ?") if kind == "candidate" else _INSTANCES.format("i.rowid > ?")
    with explaining(store.path):
        yield from map(ItemRow._make, store.db.execute(sql, (row,)))


def item(store: Store, kind: str, identity: str) -> ItemRow | None:
    """One item as it is now; None if there is no such."""
    sql, condition = _KINDS[kind]
    rows = store.query(sql.format(condition), (identity,))
    return ItemRow(*rows[0]) if rows else None


def n_unreadable(store: Store) -> int:
    """The number of answers that nothing could be read from."""
    return int(store.query("SELECT count(*) FROM rejections WHERE subject = 'completion'")[0][0])


def unreadable(store: Store) -> list[ItemRow]:
    """The answers that nothing could be read from, in no order."""
    return [ItemRow(*row) for row in store.query(_UNREADABLE.format("1"))]
