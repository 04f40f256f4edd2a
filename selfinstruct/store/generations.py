"""One candidate, instance or answer whole: what the run holds of it, and of what it stands beside."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from selfinstruct.filters.instruction import too_similar
from selfinstruct.records import Candidate, Instance, Rejection, Request
from selfinstruct.store.rows import (
    CANDIDATE_COLUMNS,
    REQUEST_COLUMNS,
    candidate_from,
    extra_from,
    object_from,
    request_from,
)
from selfinstruct.store.store import Store

_TEXTS = {
    "candidate": "SELECT instruction FROM candidates WHERE id = ?",
    "instance": "SELECT instruction, input, output FROM filtered WHERE id = ?",
    "completion": "SELECT text FROM completions WHERE request_id = ?",
}


class StoredCandidate(NamedTuple):
    """A candidate, and its place: the `position`-th of a step."""

    id: str
    candidate: Candidate
    step: int
    position: int


class OtherCandidate(NamedTuple):
    """A candidate of the same answer; `reason` is "" where it was not rejected."""

    id: str
    instruction: str
    reason: str


class AdmittedTask(NamedTuple):
    """What an admitted candidate has become; `extra` is what the stages say of the task."""

    position: int
    generated: bool
    extra: dict[str, Any]


class StoredInstance(NamedTuple):
    """An instance with its task, as it was read: an edit does not show; `extra` is what else was read of it."""

    task: int
    candidate: str
    instruction: str
    instance: Instance
    request_id: str
    extra: dict[str, Any]


class FilteredInstance(NamedTuple):
    """An instance of a task, as it was read, and why it was rejected; `reason` is "" where it was not."""

    id: str
    instruction: str
    input: str
    output: str
    reason: str
    evidence: dict[str, Any]


class StoredRejection(NamedTuple):
    """In which stage something was rejected, and why."""

    stage: str
    reason: str
    evidence: dict[str, Any]


class KnownNearest(NamedTuple):
    """The nearest instruction that the novelty rule found, its ROUGE-L F1, and its verdict.

    `id` is "" where nothing was known yet, `score` None if an earlier filter had rejected the candidate.
    """

    id: str
    score: float | None
    rejection: Rejection | None


def candidate(store: Store, identity: str) -> StoredCandidate | None:
    """The candidate of that id; None if there is none."""
    rows = store.query(f"SELECT c.step, c.position, {CANDIDATE_COLUMNS} FROM candidates c WHERE c.id = ?", (identity,))
    return next((StoredCandidate(identity, candidate_from(row), step, position) for step, position, *row in rows), None)


def tasks_before(store: Store, step: int, position: int) -> int:
    """How many tasks the pool held when the `position`-th candidate of a step was judged."""
    ((of_step,),) = store.query(
        "SELECT count(*) FROM tasks t JOIN candidates c ON c.id = t.id WHERE c.step = ? AND c.position < ?",
        (step, position),
    )
    earlier = store.query("SELECT n_tasks FROM steps WHERE step = ?", (step - 1,))
    return int(of_step) + (earlier[0][0] if earlier else 0)


def candidates_beside(store: Store, one: StoredCandidate) -> list[OtherCandidate]:
    """The other candidates that were read from the same answer in the same step."""
    rows = store.query(
        "SELECT c.id, c.instruction, coalesce(r.reason, '') FROM candidates c "
        "LEFT JOIN rejections r ON r.subject = 'candidate' AND r.subject_id = c.id "
        "WHERE c.request_id = ? AND c.step = ? AND c.id != ? ORDER BY c.place",
        (one.candidate.request_id, one.step, one.id),
    )
    return [OtherCandidate(*row) for row in rows]


def task(store: Store, identity: str) -> AdmittedTask | None:
    """What the candidate of that id has become; None if it is no task."""
    rows = store.query("SELECT t.position, t.generated, t.extra FROM tasks t WHERE t.id = ?", (identity,))
    return next((AdmittedTask(n, bool(generated), extra_from(extra)) for n, generated, extra in rows), None)


def nearest(store: Store, candidate: str) -> KnownNearest:
    """What the novelty rule found for a candidate."""
    rows = store.query("SELECT nearest_id, nearest_score FROM tasks WHERE id = ?", (candidate,))
    for nearest_id, score in rows:
        return KnownNearest(nearest_id or "", score or 0.0, None)
    found = rejection(store, "candidate", candidate)
    if found is None or found.reason != too_similar.name:
        return KnownNearest("", None, None)
    seen = found.evidence
    return KnownNearest(seen["nearest_id"], seen["score"], Rejection(found.reason, seen))


def instance(store: Store, identity: str) -> StoredInstance | None:
    """The instance of that id; None if there is none."""
    rows = store.query(
        "SELECT j.task, j.candidate, j.instruction, j.input, j.output, i.request_id, j.extra "
        "FROM filtered j JOIN instances i ON i.id = j.id WHERE j.id = ?",
        (identity,),
    )
    for task, candidate, instruction, given, output, request_id, extra in rows:
        return StoredInstance(task, candidate, instruction, Instance(given, output), request_id, extra_from(extra))
    return None


def instances_of(store: Store, task: int) -> list[FilteredInstance]:
    """The instances of the task at a position, in order."""
    rows = store.query(
        "SELECT j.id, j.instruction, j.input, j.output, coalesce(r.reason, ''), coalesce(r.evidence, '{}') "
        "FROM filtered j LEFT JOIN rejections r ON r.subject = 'instance' AND r.subject_id = j.id WHERE j.task = ? "
        "ORDER BY j.position",
        (task,),
    )
    return [FilteredInstance(*row)._replace(evidence=object_from(row[-1])) for row in rows]


def kept_before(store: Store, identities: Iterable[str], task: int) -> list[str]:
    """Those of the instances that the filters left and that are of a task before this one, in order."""
    of_record = "SELECT task, position, id FROM filtered WHERE id = ? AND kept AND task < ?"
    rows = [row for identity in identities for row in store.query(of_record, (identity, task))]
    return [identity for _, _, identity in sorted(rows)]


def kept_record(store: Store, identity: str) -> tuple[str, ...]:
    """Instruction, input and output of an instance that the filters left; none where there is no such."""
    rows = store.query("SELECT instruction, input, output FROM filtered WHERE id = ? AND kept", (identity,))
    return rows[0] if rows else ()


def texts(store: Store, kind: str, identity: str) -> tuple[str, ...]:
    """The instruction of a candidate, instruction, input and output of an instance, or an answer; none: not there."""
    rows = store.query(_TEXTS[kind], (identity,))
    return rows[0] if rows else ()


def rejection(store: Store, kind: str, identity: str) -> StoredRejection | None:
    """Why a candidate, an instance or an answer was rejected; None if it was not."""
    rows = store.query(
        "SELECT stage, reason, evidence FROM rejections WHERE subject = ? AND subject_id = ?", (kind, identity)
    )
    return next((StoredRejection(stage, reason, object_from(evidence)) for stage, reason, evidence in rows), None)


def request(store: Store, identity: str) -> Request:
    """The request of that id."""
    (row,) = store.query(
        f"SELECT {REQUEST_COLUMNS} FROM requests r JOIN system_prompts s ON s.id = r.system_prompt WHERE r.id = ?",
        (identity,),
    )
    return request_from(row)
