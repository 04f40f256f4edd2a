"""One generation whole: what was asked, what was said, what was read from it, and what became of it."""

import json
from typing import Any, NamedTuple

from selfinstruct.audit.index import Index
from selfinstruct.audit.text import Segment, in_common, marked
from selfinstruct.audit.verdicts import Judge, Nearest, Verdict
from selfinstruct.errors import UsageError
from selfinstruct.pool.pool import record_text
from selfinstruct.records import Completion, Instance, Request
from selfinstruct.store.decisions import Decision, decisions, edited, is_exported, standing, state_of
from selfinstruct.store.rows import CANDIDATE_COLUMNS, REQUEST_COLUMNS, candidate_from, request_from
from selfinstruct.store.store import Store


class Sibling(NamedTuple):
    """Something else that was read from the same answer, or made of the same task; `state` is the index's."""

    kind: str
    id: str
    text: str
    reason: str
    state: str = ""


class Comparison(NamedTuple):
    """The nearest known text beside this one, both in segments that are marked where they share their words."""

    nearest: Nearest
    ours: list[Segment]
    theirs: list[Segment]


class Generation(NamedTuple):
    """One candidate, instance, or answer that nothing could be read from.

    `read` are the labelled texts that were read; `original` are an instance's texts before it was edited.
    """

    kind: str
    id: str
    state: str
    stage: str
    reason: str
    evidence: dict[str, Any]
    read: list[tuple[str, str]]
    original: Instance | None
    instance: Instance | None
    note: str
    request: Request
    completion: Completion
    answer: list[Segment]
    verdicts: list[Verdict]
    comparison: Comparison | None
    siblings: list[Sibling]
    decisions: list[Decision]


def generation(store: Store, index: Index, judge: Judge, kind: str, identity: str) -> Generation:
    """The generation of that kind and id; UsageError where there is none."""
    look = {"candidate": _candidate, "instance": _instance, "completion": _completion}.get(kind)
    if look is None:
        raise UsageError(f"There is no kind of generation called {kind}.")
    found = look(store, index, judge, identity)
    if found is None:
        raise UsageError(f"There is no {kind} {identity} in this run.")
    names = [other.id for other in found.siblings]
    states: dict[str, str] = dict(
        index.query(
            "SELECT i.subject_id, g.state FROM items i JOIN groups g ON g.id = i.of_group "
            f"WHERE i.subject_id IN ({', '.join('?' * len(names))})",
            names,
        )
    )
    return found._replace(siblings=[other._replace(state=states.get(other.id, "")) for other in found.siblings])


def _candidate(store: Store, index: Index, judge: Judge, identity: str) -> Generation | None:
    rows = store.query(
        f"SELECT c.step, c.position, {CANDIDATE_COLUMNS} FROM candidates c WHERE c.id = ?",
        (identity,),
    )
    if not rows:
        return None
    step, position, *row = rows[0]
    candidate = candidate_from(row)
    request_id, instruction = candidate.request_id, candidate.instruction
    (before,) = store.query(
        "SELECT count(*) FROM tasks t JOIN candidates c ON c.id = t.id WHERE c.step = ? AND c.position < ?",
        (step, position),
    )[0]
    earlier = store.query("SELECT n_tasks FROM steps WHERE step = ?", (step - 1,))
    verdicts, nearest = judge.candidate(candidate, before + (earlier[0][0] if earlier else 0))
    read = [("Instruction", instruction)]
    for one in candidate.instances:
        read += [("Input", one.input), ("Output", one.output)]
    siblings = [
        Sibling("candidate", *row)
        for row in store.query(
            "SELECT c.id, c.instruction, coalesce(r.reason, '') FROM candidates c "
            "LEFT JOIN rejections r ON r.subject = 'candidate' AND r.subject_id = c.id "
            "WHERE c.request_id = ? AND c.step = ? AND c.id != ? ORDER BY c.place",
            (request_id, step, identity),
        )
    ]
    task = store.query(
        "SELECT position, generated, json_extract(extra, '$.is_classification') FROM tasks WHERE id = ?", (identity,)
    )
    note = ""
    if task:
        siblings += _instances_of(store, task[0][0])
        kinds = {None: "of a class that is not known", 0: "no classification task", 1: "a classification task"}
        note = f"Task {task[0][0]} of the run, " + (kinds[task[0][2]] if task[0][1] else "without instances so far")
    elif not candidate.instances:
        note = (
            "It came without instances, and none are made of a rejected instruction. If you rescue it, the next "
            "selfinstruct generate asks for them, and they are exported."
        )
    return _generation(
        store, "candidate", identity, request_id, read=read, part=instruction,
        verdicts=verdicts, siblings=siblings, note=note,
        comparison=_compare(judge, instruction, nearest),
    )  # fmt: skip


def _instance(store: Store, index: Index, judge: Judge, identity: str) -> Generation | None:
    rows = store.query(
        "SELECT j.task, j.candidate, j.instruction, j.input, j.output, i.request_id "
        "FROM judged j JOIN instances i ON i.id = j.id WHERE j.id = ?",
        (identity,),
    )
    if not rows:
        return None
    task, candidate, instruction, given, output, request_id = rows[0]
    verdicts, nearest = judge.instances(task, index, identity)
    siblings = [Sibling("candidate", candidate, instruction, "")]
    siblings += [other for other in _instances_of(store, task) if other.id != identity]
    of_task = is_exported(store, ("candidate", candidate))
    found = _generation(
        store, "instance", identity, request_id,
        read=[("Instruction", instruction), ("Input", given), ("Output", output)], part=output,
        verdicts=verdicts[identity], siblings=siblings,
        note="" if of_task else "Its task is banned, and so none of the task's instances are exported.",
        comparison=_compare(judge, record_text(instruction, given, output), nearest),
    )  # fmt: skip
    before = Instance(given, output)
    texts = edited(store, identity)
    if texts is None:
        return found._replace(instance=before)
    read = [("Instruction", instruction), ("Input", texts.input), ("Output", texts.output)]
    return found._replace(instance=texts, original=before, read=read)


def _completion(store: Store, index: Index, judge: Judge, identity: str) -> Generation | None:
    rows = store.query("SELECT 1 FROM rejections WHERE subject = 'completion' AND subject_id = ?", (identity,))
    return _generation(store, "completion", identity, identity) if rows else None


def _generation(store: Store, kind: str, identity: str, request_id: str, **more: Any) -> Generation:
    (row,) = store.query(
        f"SELECT {REQUEST_COLUMNS} FROM requests r JOIN system_prompts s ON s.id = r.system_prompt WHERE r.id = ?",
        (request_id,),
    )
    request = request_from(row)
    completion = store.completion(request_id)
    if completion is None:
        raise UsageError(f"Request {request_id} has no answer; see selfinstruct verify {store.folder}.")
    rows = store.query(
        "SELECT stage, reason, evidence FROM rejections WHERE subject = ? AND subject_id = ?", (kind, identity)
    )
    stage, reason, evidence = rows[0] if rows else ("", "", "{}")
    exported = None if kind == "completion" else is_exported(store, (kind, identity))
    judged = "rejected" if rows else "admitted" if exported is not None else "pending"
    state = state_of(judged, standing(store, (kind, identity)))
    values: dict[str, Any] = {
        "read": [], "original": None, "instance": None, "note": "", "verdicts": [], "comparison": None, "siblings": [],
        "answer": marked(completion.text, more.pop("part", "")), **more,
    }  # fmt: skip
    return Generation(
        kind=kind, id=identity, state=state, stage=stage, reason=reason, evidence=json.loads(evidence),
        request=request, completion=completion, decisions=decisions(store, subject=(kind, identity)), **values,
    )  # fmt: skip


def _instances_of(store: Store, task: int) -> list[Sibling]:
    rows = store.query(
        "SELECT j.id, j.input, j.output, coalesce(r.reason, '') FROM judged j LEFT JOIN rejections r "
        "ON r.subject = 'instance' AND r.subject_id = j.id WHERE j.task = ? ORDER BY j.position",
        (task,),
    )
    return [
        Sibling("instance", identity, record_text(given, output), reason) for identity, given, output, reason in rows
    ]


def _compare(judge: Judge, text: str, nearest: Nearest | None) -> Comparison | None:
    if nearest is None:
        return None
    return Comparison(nearest, *in_common(text, nearest.text, judge.pool.rules.ascii_tokens))
