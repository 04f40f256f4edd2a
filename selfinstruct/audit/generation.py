"""One generation whole: what was asked, what was said, what was read from it, and what became of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from selfinstruct.audit.index import Index
from selfinstruct.audit.text import Segment, in_common, marked
from selfinstruct.audit.verdicts import Nearest, RunFilters, Verdict
from selfinstruct.errors import UsageError
from selfinstruct.pool.pool import record_text
from selfinstruct.records import Completion, Instance, Request, canonical_json
from selfinstruct.store import generations
from selfinstruct.store.answers import counted_here
from selfinstruct.store.decisions import Decision, decisions, edited, is_exported, standing, state_of
from selfinstruct.store.declared import declared_by
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


def generation(store: Store, index: Index, filters: RunFilters, kind: str, identity: str) -> Generation:
    """The generation of that kind and id; UsageError if there is none."""
    look = {"candidate": _candidate, "instance": _instance, "completion": _completion}.get(kind)
    if look is None:
        raise UsageError(f"Unknown kind of item: {kind}.")
    found = look(store, index, filters, identity)
    if found is None:
        raise UsageError(f"There is no {kind} {identity} in this run.")
    states = index.states([other.id for other in found.siblings])
    return found._replace(siblings=[other._replace(state=states.get(other.id, "")) for other in found.siblings])


def _fields(store: Store, extra: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What else was read, by name; not what is counted, which is said in words."""
    known = {one.field for one in declared_by(store).counted.values()}
    return [(name, v if isinstance(v, str) else canonical_json(v)) for name, v in extra.items() if name not in known]


def _candidate(store: Store, index: Index, filters: RunFilters, identity: str) -> Generation | None:
    stored = generations.candidate(store, identity)
    if stored is None:
        return None
    candidate, instruction = stored.candidate, stored.candidate.instruction
    verdicts, nearest = filters.candidate(candidate, generations.tasks_before(store, stored.step, stored.position))
    read = [("Instruction", instruction)]
    for one in candidate.instances:
        read += [("Input", one.input), ("Output", one.output)]
    read += _fields(store, candidate.extra)
    siblings = [Sibling("candidate", *other) for other in generations.candidates_beside(store, stored)]
    task = generations.task(store, identity)
    note = ""
    if task:
        siblings += _instances_of(store, task.position)
        kinds = [one.describe(task.extra.get(one.field)) for one in counted_here(store)]
        known = kinds if task.generated else ["no instances yet"]
        note = ", ".join([f"Task {task.position} of the run", *known])
        read += _fields(store, task.extra)
    elif not candidate.instances:
        note = (
            "It has no instances: none are requested for a rejected instruction. If you rescue it, the next "
            "selfinstruct generate requests them, and they are exported."
        )
    return _generation(
        store, "candidate", identity, candidate.request_id, read=read, part=instruction,
        verdicts=verdicts, siblings=siblings, note=note,
        comparison=_compare(filters, instruction, nearest),
    )  # fmt: skip


def _instance(store: Store, index: Index, filters: RunFilters, identity: str) -> Generation | None:
    stored = generations.instance(store, identity)
    if stored is None:
        return None
    task, candidate, instruction, before, request_id, extra = stored
    verdicts, nearest = filters.instances(task, index, identity)
    siblings = [Sibling("candidate", candidate, instruction, "")]
    siblings += [other for other in _instances_of(store, task) if other.id != identity]
    of_task = is_exported(store, ("candidate", candidate))
    found = _generation(
        store, "instance", identity, request_id,
        read=_texts(store, instruction, before, extra), part=before.output,
        verdicts=verdicts[identity], siblings=siblings,
        note="" if of_task else "Its task is banned, so none of its instances are exported.",
        comparison=_compare(filters, record_text(instruction, before.input, before.output), nearest),
    )  # fmt: skip
    texts = edited(store, identity)
    if texts is None:
        return found._replace(instance=before)
    return found._replace(instance=texts, original=before, read=_texts(store, instruction, texts, extra))


def _texts(store: Store, instruction: str, instance: Instance, extra: Mapping[str, Any]) -> list[tuple[str, str]]:
    texts = [("Instruction", instruction), ("Input", instance.input), ("Output", instance.output)]
    return [*texts, *_fields(store, extra)]


def _completion(store: Store, index: Index, filters: RunFilters, identity: str) -> Generation | None:
    is_unreadable = generations.rejection(store, "completion", identity)
    return _generation(store, "completion", identity, identity) if is_unreadable else None


def _generation(store: Store, kind: str, identity: str, request_id: str, **more: Any) -> Generation:
    completion = store.completion(request_id)
    if completion is None:
        raise UsageError(f"Request {request_id} has no answer. Run selfinstruct verify {store.folder}.")
    rejection = generations.rejection(store, kind, identity)
    stage, reason, evidence = rejection or ("", "", {})
    exported = None if kind == "completion" else is_exported(store, (kind, identity))
    judged = "rejected" if rejection else "admitted" if exported is not None else "pending"
    values: dict[str, Any] = {
        "read": [], "original": None, "instance": None, "note": "", "verdicts": [], "comparison": None, "siblings": [],
        "answer": marked(completion.text, more.pop("part", "")), **more,
    }  # fmt: skip
    return Generation(
        kind=kind, id=identity, state=state_of(judged, standing(store, (kind, identity))),
        stage=stage, reason=reason, evidence=evidence, request=generations.request(store, request_id),
        completion=completion, decisions=decisions(store, subject=(kind, identity)), **values,
    )  # fmt: skip


def _instances_of(store: Store, task: int) -> list[Sibling]:
    return [
        Sibling("instance", one.id, record_text(one.input, one.output), one.reason)
        for one in generations.instances_of(store, task)
    ]


def _compare(filters: RunFilters, text: str, nearest: Nearest | None) -> Comparison | None:
    if nearest is None:
        return None
    return Comparison(nearest, *in_common(text, nearest.text, filters.pool.rules.ascii_tokens))
