"""The store's rows for people and programs: admitted tasks, and everything that was rejected."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from selfinstruct.errors import UsageError
from selfinstruct.report import REASONS
from selfinstruct.store import Store


def tasks(store: Store) -> Iterator[dict[str, Any]]:
    """The admitted tasks in order, each with its kept instances and its nearest known instruction.

    `is_classification` is None while the task has not been made, and where the teacher's verdict could not be read.
    """
    names = {seed.id: seed.instruction for seed in store.seeds()} | {
        task.id: task.instruction for task in store.tasks()
    }
    instances = {
        task: [{"input": given, "output": output} for _, given, output in group]
        for task, group in groupby(store.query("SELECT task, input, output FROM records"), key=lambda row: row[0])
    }
    for position, identity, instruction, step, made, is_classification, nearest_id, score in store.query(
        "SELECT t.position, t.id, c.instruction, c.step, t.made, t.is_classification, t.nearest_id, t.nearest_score "
        "FROM tasks t JOIN candidates c ON c.id = t.id ORDER BY t.position"
    ):
        yield {
            "position": position,
            "id": identity,
            "instruction": instruction,
            "made": bool(made),
            "is_classification": None if is_classification is None else bool(is_classification),
            "instances": instances.get(position, []),
            "nearest": names.get(nearest_id),
            "nearest_id": nearest_id,
            "nearest_score": score,
            "step": step,
        }


def rejected(store: Store, stage: str | None, reason: str | None, limit: int | None) -> Iterator[dict[str, Any]]:
    """What was rejected, in the order in which it was said; UsageError where nothing has that stage or reason."""
    for column, asked in (("stage", stage), ("reason", reason)):
        if asked is None:
            continue
        found = [str(row[0]) for row in store.query(f"SELECT DISTINCT {column} FROM rejections ORDER BY 1")]
        if asked not in found:
            raise UsageError(
                f"Nothing was rejected with the {column} {asked!r}; there is {', '.join(found) or 'no rejection'}."
            )
    rows = store.query(
        "SELECT j.stage, j.reason, j.subject, j.subject_id, j.text, j.evidence, j.request_id, j.step, j.task "
        "FROM rejected j JOIN completions m ON m.request_id = j.request_id "
        "WHERE (?1 IS NULL OR j.stage = ?1) AND (?2 IS NULL OR j.reason = ?2) ORDER BY m.rowid, j.subject_id LIMIT ?3",
        (stage, reason, -1 if limit is None else limit),
    )
    for stage_, reason_, subject, identity, text, evidence, request_id, step, task in rows:
        yield {
            "stage": stage_, "reason": reason_, "explanation": REASONS.get(reason_, ""), "subject": subject,
            "id": identity, "text": text, "evidence": json.loads(evidence), "request_id": request_id,
            "step": step, "task": task,
        }  # fmt: skip


def describe_task(row: dict[str, Any]) -> str:
    """One task as a line of text."""
    if not row["made"]:
        kind = "  [no instances yet]"
    else:
        kind = {True: "  [classification]", False: "", None: "  [class unclear]"}[row["is_classification"]]
    return f"{row['position']:>6}  {row['instruction']}{kind}"


def describe_rejection(row: dict[str, Any]) -> str:
    """One rejection as a few lines of text."""
    lines = [
        f"{row['stage']} / {row['reason']}: {row['explanation']}",
        *(f"  | {line}" for line in row["text"].splitlines()),
    ]
    evidence = row["evidence"]
    if "nearest" in evidence:
        lines.append(f"  ROUGE-L {evidence['score']:.3f} to: {evidence['nearest']}")
    elif evidence:
        lines.append("  " + ", ".join(f"{key}: {value}" for key, value in evidence.items()))
    return "\n".join(lines)
