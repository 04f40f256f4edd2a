"""One `selfinstruct import`: recorded answers through the same parsers, filters and gate as those of a teacher.

No API calls are made. The result is a run like any other: it can be inspected, exported, and resumed by
`generate`, which makes the tasks whose instances were not recorded and then proposes new ones. Bringing the same files
again resumes the import; files with instances may follow the completions later.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from selfinstruct.asking.stages import Stage
from selfinstruct.engine.gate import Gate
from selfinstruct.errors import UsageError
from selfinstruct.export.export import write_records
from selfinstruct.finish_reasons import ending_of
from selfinstruct.parsing.names import FieldNames
from selfinstruct.records import IMPORTED, Candidate, Completion, Rejection, Request, canonical_json
from selfinstruct.report.status import progress_of
from selfinstruct.runs.recorded import (
    Answer,
    Whole,
    digest,
    key,
    read_alpaca,
    read_classes,
    read_completions,
    read_instances,
)
from selfinstruct.runs.run import Run
from selfinstruct.store.answers import recorded_answer
from selfinstruct.store.store import Store
from selfinstruct.strategies import Proposal, came_with
from selfinstruct.strategies.self_instruct import CLASSIFY, INSTANCES, PROPOSE, read_generated, read_proposal
from selfinstruct.terminal import tracked

TASKS_A_STEP = 20  # of those that stand alone in a file
STEPS_AT_ONCE = 100  # in one transaction

T = TypeVar("T")


class Recorded(NamedTuple):
    """The contents of the files of one import, by steps, and by `key` of the instruction.

    `path` is the file of the steps, `source` the SHA-256 of its bytes.
    """

    path: Path
    source: str
    steps: list[Sequence[Answer | Whole]]
    classes: dict[str, list[Answer]]
    instances: dict[str, list[tuple[Answer, Answer | None]]]


class Brought(NamedTuple):
    """What an import found: answers that no admitted task could use (`lost`), and tasks without instances."""

    lost: int
    waiting: int


def read_recorded(
    folder: Path,
    seeds: Path | None,
    *,
    completions: Path | None = None,
    classification: Path | None = None,
    instances: Path | None = None,
    alpaca: Path | None = None,
) -> Recorded:
    """Read the files for the run in `folder`: `completions` or `alpaca`, and what belongs to it.

    UsageError if they do not go together, if one cannot be read, or if the run was not started from them.
    """
    exists = Store.exists(folder)
    if alpaca and (completions or classification or instances):
        raise UsageError(
            "alpaca (--alpaca) imports whole tasks. It cannot be combined with completions, classification or "
            "instances."
        )
    if not (alpaca or completions):
        raise UsageError("Nothing to import. Pass completions (--completions FILE) or alpaca (--alpaca FILE).")
    if completions and not (seeds or exists):
        raise UsageError(
            "completions (--completions) needs seeds (--seeds): the seed tasks that the answers were generated from, "
            "in JSONL."
        )
    if alpaca:
        wholes = read_alpaca(alpaca)
        recorded = Recorded(alpaca, digest(alpaca), _chunks(wholes, TASKS_A_STEP), {}, {})
    elif completions:
        answers = read_completions(completions)
        recorded = Recorded(
            completions,
            digest(completions),
            [[answer] for answer in answers],
            read_classes(classification) if classification else {},
            read_instances(instances) if instances else {},
        )
    if exists:
        with Store.read(folder) as store:
            _refuse_other_runs(store, recorded)
    return recorded


def _refuse_other_runs(store: Store, recorded: Recorded) -> None:
    """UsageError if the run in `store` was not started from these files, or was resumed before all was imported."""
    settings = store.settings()
    done = settings.get("imported_steps", 0)
    if (settings.get("imported"), bool(store.steps())) not in ((None, False), (recorded.source, True)):
        raise UsageError(f"{store.folder} holds a run that was not started from {recorded.path}. Choose a new folder.")
    if done < len(recorded.steps) and len(store.steps()) > done:
        raise UsageError(
            f"{store.folder} was resumed by generate before {recorded.path} was fully imported. Choose a new folder."
        )


def bring_in(run: Run, recorded: Recorded) -> Brought:
    """Import recorded answers into the run, and write its records."""
    store = run.store
    gate = Gate(store, run.config, progress_of(store))
    names = run.config.field_names
    done = store.settings().get("imported_steps", 0)
    for group in tracked(_chunks(list(enumerate(recorded.steps))[done:], STEPS_AT_ONCE), "tasks"):
        with store.transaction():
            for step, said in group:
                gate.admit(step, _proposal(store, said, names), float("inf"))
            store.set_settings({"imported": recorded.source, "imported_steps": group[-1][0] + 1})
    lost = _reject_unused(store, recorded)
    _keep_classes(store, recorded)
    for tasks in tracked(_chunks(store.tasks(only_waiting=True), STEPS_AT_ONCE), "instances"):
        with store.transaction():
            for task in tasks:
                if task.instances:
                    gate.keep(task, came_with(task))
                elif found := recorded.instances.get(key(task.instruction)):
                    answer, verdict = found[-1]
                    classified = recorded_answer(store, CLASSIFY.name, task.instruction)
                    if verdict and not classified:
                        classified = _store(store, CLASSIFY, verdict, task.instruction)
                    completion = _store(store, INSTANCES, answer, task.instruction)
                    classes = [classified] if classified else []
                    gate.keep(task, read_generated(task.instruction, classes, [completion], answer.prefix, names))
    write_records(store)
    return Brought(lost, len(store.tasks(only_waiting=True)))


def _proposal(store: Store, said: Sequence[Answer | Whole], names: FieldNames) -> Proposal:
    """The candidates of one step: those of one answer, or tasks that stand alone."""
    candidates: list[Candidate] = []
    for one in said:
        if isinstance(one, Answer):
            return read_proposal(_store(store, PROPOSE, one, one.prompt), one.prefix, names)
        rows = [{"instruction": one.instruction, "input": i.input, "output": i.output} for i in one.instances]
        text = canonical_json(rows) if rows else one.instruction
        completion = _store(store, PROPOSE, Answer(one.line, 0, "", text, "stop"), "")
        candidates.append(Candidate(completion.request_id, 0, one.instruction, False, one.instances))
    return Proposal(candidates, [])


def _keep_classes(store: Store, recorded: Recorded) -> None:
    """Store each task's class, for now or for an import of its instances later."""
    with store.transaction():
        for task in store.tasks(only_waiting=True):
            for answer in recorded.classes.get(key(task.instruction), ())[-1:]:
                _store(store, CLASSIFY, answer, task.instruction)


def _reject_unused(store: Store, recorded: Recorded) -> int:
    """Store, as rejections, answers whose instruction is no admitted task, or has a later one; give their number."""
    known = {key(task.instruction) for task in store.tasks()}
    found: list[tuple[Stage, str, Answer, bool]] = []
    for name, classes in recorded.classes.items():
        found += [(CLASSIFY, name, answer, answer is classes[-1]) for answer in classes]
    for name, instances in recorded.instances.items():
        found += [(INSTANCES, name, answer, answer is instances[-1][0]) for answer, _ in instances]
    unused = [(stage, name, answer) for stage, name, answer, is_last in found if name not in known or not is_last]
    with store.transaction():
        for stage, name, answer in unused:
            reason = "answered_again" if name in known else "no_such_task"
            completion = _store(store, stage, answer, name)
            store.reject(completion.request_id, Rejection(reason, {"instruction": name}))
    return len(unused)


def _store(store: Store, stage: Stage, answer: Answer, prompt: str) -> Completion:
    """The answer, in the store as the completion of the request that its prompt is."""
    # Nothing is known of how it was asked for, but as what: two files may have the same text on the same line.
    asked_as: dict[str, Any] = {"stage": stage.name, "choice": answer.choice}
    if stage is INSTANCES and answer.prefix:  # its prompt is the instruction, which does not say it
        asked_as["begun"] = answer.prefix
    request = Request(stage.name, IMPORTED, IMPORTED, "completion", "", prompt, asked_as, answer.line)
    error = "it was recorded as failed" if ending_of(answer.finish_reason) == "failed" else None
    completion = Completion(request.id, answer.text, answer.finish_reason, error=error)
    if store.completion(request.id) is None:
        store.add_completion(request, completion)
    return completion


def _chunks(rows: Sequence[T], size: int) -> list[Sequence[T]]:
    return [rows[at : at + size] for at in range(0, len(rows), size)]
