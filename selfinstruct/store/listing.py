"""The store's rows for people and programs: admitted tasks, and everything that was rejected."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any, NamedTuple

from selfinstruct.errors import UsageError
from selfinstruct.filters.custom import STAGES
from selfinstruct.filters.record import near_duplicate
from selfinstruct.pool.pool import Pool, record_text
from selfinstruct.settings import did_you_mean
from selfinstruct.store.declared import declared_by, rules_of
from selfinstruct.store.generations import kept_record
from selfinstruct.store.rejected_by import DISTINCT
from selfinstruct.store.rows import extra_from, object_from
from selfinstruct.store.store import Store

TASK_FIELDS = (
    "position", "id", "instruction", "generated", "is_classification", "instances", "nearest", "nearest_id",
    "nearest_score", "step",
)  # fmt: skip
SIMILAR_FIELDS = ("most_similar", "mean_similarity")  # of tasks with what is similar to them
REJECTION_FIELDS = (
    "stage", "reason", "explanation", "subject", "id", "text", "evidence", "request_id", "step", "task", "instruction",
)  # fmt: skip
MOST_SIMILAR = 10  # known instructions, as the reference code keeps them


class AdmittedTask(NamedTuple):
    """An admitted task with its nearest known instruction, None if there was none.

    `extra` is what its stages say of it.
    """

    position: int
    id: str
    instruction: str
    step: int
    generated: bool
    extra: dict[str, Any]
    nearest_id: str | None
    nearest_score: float | None


def tasks(store: Store, similar: bool = False) -> Iterator[dict[str, Any]]:
    """The admitted tasks in order, each with its kept instances and its nearest known instruction.

    With `similar`, also `most_similar` (ten known instructions with their ROUGE-L F1) and `mean_similarity`, against
    the seeds and the tasks before it, computed again here: about 2 ms a task in a pool of 50,000.
    """
    seen = _Seen(store) if similar else None
    names = {seed.id: seed.instruction for seed in store.seeds()} | {
        task.id: task.instruction for task in store.tasks()
    }
    instances = {
        task: [{"input": given, "output": output} for _, given, output in group]
        for task, group in groupby(store.query("SELECT task, input, output FROM records"), key=lambda row: row[0])
    }
    for task in admitted_tasks(store):
        is_classification = task.extra.pop("is_classification", None)
        values = (
            task.position, task.id, task.instruction, task.generated, is_classification,
            instances.get(task.position, []), names.get(task.nearest_id or ""), task.nearest_id, task.nearest_score,
            task.step,
        )  # fmt: skip
        yield {
            **dict(zip(TASK_FIELDS, values, strict=True)),
            **({"extra": task.extra} if task.extra else {}),
            **(seen.next(task.instruction) if seen else {}),
        }


def admitted_tasks(store: Store) -> Iterator[AdmittedTask]:
    """The admitted tasks in order."""
    for row in store.query(
        "SELECT t.position, t.id, c.instruction, c.step, t.generated, c.extra, t.extra, t.nearest_id, t.nearest_score "
        "FROM tasks t JOIN candidates c ON c.id = t.id ORDER BY t.position"
    ):
        position, identity, instruction, step, generated, proposed, extra, *nearest = row
        fields = extra_from(proposed) | extra_from(extra)
        yield AdmittedTask(position, identity, instruction, step, bool(generated), fields, *nearest)


class _Seen:
    """The pool again, as it grew: what the novelty rule saw at each task."""

    def __init__(self, store: Store):
        self._pool = Pool(store.seeds(), rules_of(store))
        self._texts = [seed.instruction for seed in self._pool.seeds]

    def next(self, instruction: str) -> dict[str, Any]:
        """How similar the known instructions are to the next task, which is known from then on."""
        index = self._pool.index
        found = {
            "most_similar": {self._texts[near.index]: near.score for near in index.top(instruction, MOST_SIMILAR)},
            "mean_similarity": index.mean(instruction) if self._texts else 0.0,
        }
        index.add(instruction)
        self._texts.append(instruction)
        return found


def listed_stage(store: Store, stage: str | None) -> str | None:
    """The stage under which rejections are listed: what filters call "task" or "record" is one of those stages too."""
    return stage if stage is None or stage in declared_by(store).stages else STAGES.get(stage, stage)


def refuse_absent(store: Store, stage: str | None, reason: str | None) -> None:
    """UsageError if nothing was rejected in that stage, or if there is no such reason."""
    for column, asked in (("stage", stage), ("reason", reason)):
        if asked is None:
            continue
        found = [str(row[0]) for row in store.query(DISTINCT.format(column))]
        known = [*found, *declared_by(store).reasons] if column == "reason" else found
        if asked not in known:
            hint = did_you_mean(asked, known, offered=found) if found else "this run has no rejections."
            raise UsageError(f"Nothing was rejected {'at' if column == 'stage' else 'for'} {column} {asked!r}; {hint}")


def rejected(store: Store, stage: str | None, reason: str | None, limit: int | None) -> Iterator[dict[str, Any]]:
    """What was rejected, in the order in which it was said."""
    rows = store.query(
        "SELECT j.stage, j.reason, j.subject, j.subject_id, j.text, j.evidence, j.request_id, j.step, t.position, "
        "c.instruction FROM rejected j JOIN completions m ON m.request_id = j.request_id LEFT JOIN tasks t ON "
        "t.position = coalesce(j.task, iif(j.subject = 'completion', json_extract(j.evidence, '$.task'), NULL)) "
        "LEFT JOIN candidates c ON c.id = t.id "
        "WHERE (?1 IS NULL OR j.stage = ?1) AND (?2 IS NULL OR j.reason = ?2) ORDER BY m.rowid, j.subject_id LIMIT ?3",
        (stage, reason, -1 if limit is None else limit),
    )
    words = declared_by(store).reasons
    for stage_, reason_, subject, identity, text, evidence, request_id, step, task, instruction in rows:
        seen = object_from(evidence)
        if reason_ == near_duplicate.name:
            seen["nearest"] = record_text(*kept_record(store, seen["nearest_id"]))
        values = (
            stage_, reason_, words.get(reason_, ""), subject, identity, text, seen, request_id, step, task, instruction,
        )  # fmt: skip
        yield dict(zip(REJECTION_FIELDS, values, strict=True))


def describe_task(row: dict[str, Any], has_classes: bool) -> str:
    """One task as a line of text. `has_classes`: whether the run's tasks are classified at all."""
    if not row["generated"]:
        kind = "  [no instances yet]"
    elif row["is_classification"]:
        kind = "  [classification]"
    else:
        kind = "  [class unclear]" if has_classes and row["is_classification"] is None else ""
    return f"{row['position']:>6}  {row['instruction']}{kind}"


def describe_rejection(row: dict[str, Any]) -> str:
    """One rejection as a few lines of text."""
    lines = [
        f"{row['stage']} / {row['reason']}: {row['explanation']}",
        *([f"  Task: {row['instruction']}"] if row["instruction"] else []),
        *(f"  | {line}" for line in row["text"].splitlines()),
    ]
    if seen := describe_evidence(row["evidence"]):
        lines.append(f"  {seen}")
    return "\n".join(lines)


def describe_evidence(evidence: dict[str, Any]) -> str:
    """What a filter saw, as text; "" where there is nothing to say but the reason."""
    score, line = evidence.get("score", evidence.get("jaccard")), evidence.get("line")
    if "nearest" in evidence and isinstance(score, float | int):
        return f"{'ROUGE-L' if 'score' in evidence else 'Jaccard'} {score:.3f} to: {evidence['nearest']}"
    # A custom filter may give anything under these names.
    if isinstance(line, dict) and {"file", "number", "text"} <= line.keys() and {"by", "shared"} <= evidence.keys():
        shared = f"shares {evidence['shared']!r} with" if evidence["shared"] else f"ROUGE-L {score or 0:.3f} to"
        return f"{shared} {line['file']}:{line['number']}: {line['text']}"
    return ", ".join(f"{key}: {value}" for key, value in evidence.items())
