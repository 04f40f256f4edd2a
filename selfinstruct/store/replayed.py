"""What was parsed from a run's answers, and the verdicts on it, in order: to filter it again under other rules."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

from selfinstruct.records import Candidate, Rejection
from selfinstruct.store.columns import row_name
from selfinstruct.store.connecting import explaining
from selfinstruct.store.rows import CANDIDATE_COLUMNS, candidate_from, extra_from, object_from
from selfinstruct.store.store import Store

# What is read from the answers: what names a row, and its other columns.
_READ = {
    "steps": ("step", "n_candidates, n_tasks"),
    "candidates": ("id", "step, position, request_id, place, instruction, cut, instances, extra"),
    "tasks": ("id", "position, nearest_id, nearest_score, extra, generated"),
    "instances": ("id", "task, position, request_id, input, output, extra"),
    "rejections": ("subject || ' ' || subject_id", "stage, reason, evidence"),
}


class FilteredCandidate(NamedTuple):
    """A candidate with its verdict: why it was rejected, or "".

    `nearest_id` and `nearest_score` are what the run knows of the nearest instruction; "" and None: it did not look.
    """

    id: str
    candidate: Candidate
    was_admitted: bool
    reason: str
    nearest_id: str
    nearest_score: float | None


def filtered(store: Store) -> Iterator[FilteredCandidate]:
    """The candidates that were filtered, in order."""
    with explaining(store.path):
        for identity, was_admitted, reason, nearest_id, score, *row in store.db.execute(
            "SELECT c.id, t.id IS NOT NULL, coalesce(r.reason, ''), "
            "coalesce(t.nearest_id, json_extract(r.evidence, '$.nearest_id'), ''), "
            f"coalesce(t.nearest_score, json_extract(r.evidence, '$.score')), {CANDIDATE_COLUMNS} FROM candidates c "
            "LEFT JOIN tasks t ON t.id = c.id "
            "LEFT JOIN rejections r ON r.subject = 'candidate' AND r.subject_id = c.id "
            "WHERE t.id IS NOT NULL OR r.reason IS NOT NULL ORDER BY c.step, c.position"
        ):
            yield FilteredCandidate(identity, candidate_from(row), bool(was_admitted), reason, nearest_id, score)


def candidates(store: Store) -> defaultdict[int, list[Candidate]]:
    """The candidates by step, in order."""
    found: defaultdict[int, list[Candidate]] = defaultdict(list)
    rows = store.query(f"SELECT c.step, {CANDIDATE_COLUMNS} FROM candidates c ORDER BY c.step, c.position")
    for step, *row in rows:
        found[step].append(candidate_from(row))
    return found


def extras(store: Store) -> dict[str, dict[str, Any]]:
    """What the stages say of the tasks with generated instances, by id, in the order of their generation."""
    rows = store.query(
        "SELECT t.id, t.extra FROM tasks t LEFT JOIN instances i ON i.task = t.position "
        "WHERE t.generated GROUP BY t.position ORDER BY min(i.rowid), t.position"
    )
    return {identity: extra_from(extra) for identity, extra in rows}


def instance_ids(store: Store) -> defaultdict[str, list[str]]:
    """The ids of the instances, in order, by the id of their task."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for task, identity in store.query(
        "SELECT t.id, i.id FROM instances i JOIN tasks t ON t.position = i.task ORDER BY i.task, i.position"
    ):
        found[task].append(identity)
    return found


def rejections(store: Store) -> dict[str, Rejection]:
    """Why candidates and instances were rejected, by id."""
    rows = store.query("SELECT subject_id, reason, evidence FROM rejections WHERE subject != 'completion'")
    return {identity: Rejection(reason, object_from(evidence)) for identity, reason, evidence in rows}


def unreadable(store: Store) -> dict[str, str]:
    """Why nothing came of an answer, by its request."""
    return dict(store.query("SELECT subject_id, reason FROM rejections WHERE subject = 'completion'"))


def forget_verdicts(store: Store) -> None:
    """Delete what was read from the answers, with all verdicts; requests and answers stay."""
    with store.transaction():
        for table in ("instances", "rejections", "tasks", "candidates", "steps"):
            store.db.execute(f"DELETE FROM {table}")


def differences(store: Store, again: Store) -> list[str]:
    """What `store` holds otherwise than `again`, into which the same answers were read again; one line each."""
    found = []
    for table, (name, columns) in _READ.items():
        sql = f"SELECT {name}, {columns} FROM {table}"
        stored, read = ({row[0]: row[1:] for row in one.query(sql)} for one in (store, again))
        for identity in [*stored, *(one for one in read if one not in stored)] if stored != read else ():
            position = (stored.get(identity) or read[identity])[0]
            row = row_name(table, position if table == "tasks" else identity)
            if identity not in read:
                found.append(f"{row}: does not come from any answer, or not by the run's rules")
            elif identity not in stored:
                found.append(f"{row}: is missing, but comes from the answers")
            elif stored[identity] != read[identity]:
                found.append(f"{row}: differs from what the answers give")
    return found
