"""Counts of a run: for status, report, card, estimate and audit."""

from collections.abc import Collection
from typing import NamedTuple

from selfinstruct.store.store import Store

# The tables that hold fields of records, with the column of the view `records` that shows them.
EXTRAS = (
    ("candidates", "candidate_extra"), ("tasks", "task_extra"), ("instances", "extra"), ("decided_texts", "extra"),
)  # fmt: skip


class Counts(NamedTuple):
    """How many rows there are, of those that `status` counts.

    `generated` are tasks with their instances generated; `without_records` are those of them of which no record is
    exported. `unused_proposals` are answers that no step has read so far.
    """

    candidates: int
    tasks: int
    generated: int
    instances: int
    records: int
    without_records: int
    unused_proposals: int
    faults: int
    batches: int
    in_batches: int


class RejectionCount(NamedTuple):
    """How many were rejected in a stage for a reason."""

    stage: str
    reason: str
    n: int


class StepCount(NamedTuple):
    """The candidates of one step, and the tasks in the pool after it."""

    step: int
    n_candidates: int
    n_tasks: int


def counts(store: Store, proposing: str) -> Counts:
    """Count the rows; in a `snapshot` where they have to fit together. `proposing` is the stage that asks for tasks."""
    rows = store.query(
        "SELECT (SELECT count(*) FROM candidates), (SELECT count(*) FROM tasks), "
        "(SELECT count(*) FROM tasks WHERE generated = 1), (SELECT count(*) FROM instances), "
        "(SELECT count(*) FROM records), "
        "(SELECT count(*) FROM tasks WHERE generated = 1 AND position NOT IN (SELECT task FROM records)), "
        "(SELECT count(*) FROM requests WHERE stage = ? "
        "AND id NOT IN (SELECT request_id FROM batch_requests) "
        "AND id NOT IN (SELECT request_id FROM candidates) "
        "AND id NOT IN (SELECT subject_id FROM rejections WHERE subject = 'completion')), "
        "(SELECT count(*) FROM faults), (SELECT count(DISTINCT batch) FROM batch_requests), "
        "(SELECT count(*) FROM batch_requests)",
        (proposing,),
    )
    return Counts(*rows[0])


def tasks_with(store: Store, field: str) -> int:
    """The number of tasks of which a stage says that this field is true."""
    return int(store.query("SELECT count(*) FROM tasks WHERE json_extract(extra, ?)", (f'$."{field}"',))[0][0])


def _keys(store: Store, table: str) -> set[str]:
    return {str(key) for (key,) in store.query(f"SELECT DISTINCT e.key FROM {table} t, json_each(t.extra) e")}


def fields(store: Store, without: Collection[str]) -> dict[str, dict[str, int]]:
    """How many records have each value of the fields that stages brought, by field, most first; not of `without`."""
    # The view of records takes a while; most runs have no such field, which the tables tell at once.
    columns = {column: None for table, column in EXTRAS if _keys(store, table) - set(without)}
    if not columns:
        return {}
    each = " UNION ALL ".join(f"SELECT e.key, e.value FROM records r, json_each(r.{column}) e" for column in columns)
    rows = store.query(
        f"SELECT key, value, count(*) FROM ({each}) GROUP BY key, value ORDER BY key, count(*) DESC, value"
    )
    found: dict[str, dict[str, int]] = {}
    for field, value, n in rows:
        if field not in without:
            found.setdefault(str(field), {})[str(value)] = n
    return found


def candidates(store: Store) -> int:
    """The number of candidates."""
    return int(store.query("SELECT count(*) FROM candidates")[0][0])


def verdicts(store: Store) -> int:
    """The number of verdicts: tasks and rejections; it changes with every one that comes in."""
    return int(store.query("SELECT (SELECT count(*) FROM tasks) + (SELECT count(*) FROM rejections)")[0][0])


def proposals(store: Store) -> int:
    """The number of proposals that were taken to the gate, which is that of the steps."""
    return int(store.query("SELECT count(*) FROM steps")[0][0])


def waiting(store: Store) -> int:
    """The number of tasks whose instances have not been generated yet."""
    return int(store.query("SELECT count(*) FROM tasks WHERE generated = 0")[0][0])


def steps(store: Store) -> list[StepCount]:
    """The steps in order."""
    return [StepCount(*row) for row in store.query("SELECT step, n_candidates, n_tasks FROM steps ORDER BY step")]


def tasks(store: Store) -> tuple[int, int]:
    """The number of tasks, and of those among them whose instances were generated."""
    ((n, generated),) = store.query("SELECT count(*), coalesce(sum(generated), 0) FROM tasks")
    return n, generated


def rejections(store: Store) -> list[RejectionCount]:
    """What was rejected by stage and reason, most frequent first."""
    rows = store.query("SELECT stage, reason, count(*) FROM rejections GROUP BY stage, reason ORDER BY 3 DESC, 1, 2")
    return [RejectionCount(*row) for row in rows]


def faults(store: Store) -> list[tuple[str, int]]:
    """Tries that failed, by reason, most frequent first."""
    return store.query("SELECT reason, count(*) FROM faults GROUP BY reason ORDER BY 2 DESC, 1")


def decisions(store: Store) -> dict[str, int]:
    """The decisions that are in force, by action."""
    return dict(store.query("SELECT action, count(*) FROM decisions_in_force GROUP BY action ORDER BY action"))


def exported(store: Store) -> tuple[int, int]:
    """The records that are exported, and those among them that are of rescued candidates."""
    ((n, of_rescued),) = store.query("SELECT count(*), coalesce(sum(task < 0), 0) FROM records")
    return n, of_rescued


def test_files(store: Store) -> list[tuple[str, int]]:
    """The files of the test sets that the run keeps clear of, in order, with the number of their questions."""
    return store.query("SELECT file, count(*) FROM test_lines GROUP BY file ORDER BY min(rowid)")
