"""One `selfinstruct refilter`: filter a run's answers again under different rules, into a new run, without API calls.

The answers are taken out of the store in the order of steps, read by today's parsers, and taken to the gate; then, what
is made of the tasks that may stay. So the new run holds what the old one would under those rules, as far as the teacher
was asked: a task that only the new rules admit has no class and no instances yet. `generate` asks for them, and goes on
from there; all that was paid for is in the new run too. Under the same rules it is the same run, to the byte.

What waits in the old run, candidates behind its target and tasks without instances, waits in the new one. The old run
is only read, as it is at the beginning: it may be growing. The new one appears as a whole, or not at all. What people
decided comes along, but for decisions about what is no longer there.
"""

import asyncio
import itertools
import random
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct import __version__
from selfinstruct.asking.prompts import Prompts
from selfinstruct.config.changes import shaping_settings
from selfinstruct.config.config import Config, parse_config
from selfinstruct.config.custom import declarations, settings_in, with_code
from selfinstruct.config.stored import config_of, stored_settings
from selfinstruct.engine.engine import seen_by
from selfinstruct.engine.gate import Gate
from selfinstruct.engine.requests import Requests
from selfinstruct.errors import Stopped, StoreError, UsageError
from selfinstruct.export.export import write_records
from selfinstruct.filters.verdicts import PROFILES
from selfinstruct.pool.pool import Pool, Snapshot
from selfinstruct.records import Completion, Request, Task
from selfinstruct.report.status import progress_of
from selfinstruct.rows.questions import read_lines
from selfinstruct.runs.changes import Changes, changes
from selfinstruct.runs.recalled import Recalled
from selfinstruct.runs.run import keep_config, refuse_not_loaded, settled
from selfinstruct.settings import MayChange, merge
from selfinstruct.store import replayed
from selfinstruct.store.annotations import read_grown
from selfinstruct.store.database import lock_folder
from selfinstruct.store.decisions import leave_out
from selfinstruct.store.declared import custom_parts, under_recorded_names
from selfinstruct.store.rows import instance_id
from selfinstruct.store.store import Store
from selfinstruct.strategies import GeneratedInstances, Proposal, came_with
from selfinstruct.terminal import tracked

AT_ONCE = 100  # steps, or tasks, in one transaction


class Rules(NamedTuple):
    """The settings of the new run, those that were named, and the test sets to read."""

    config: Config
    named: dict[str, Any]
    test_sets: list[str]


async def refilter(run: Path, new: Path, config_file: Path | None, flags: dict[str, Any]) -> Changes:
    """Filter what `run` holds under different rules, into the folder `new`; return what that changes.

    `flags` are settings from the command line, as nested tables, and go before those of the file; but the filters that
    they switch off come to those that are off already, and all test sets to those of `run`. UsageError if `new` is
    there already, and where settings other than the rules differ.
    """
    with read_grown(run) as before, before.snapshot():
        rules = _rules(before, config_file, flags)
        lines = [line for name in rules.test_sets for line in read_lines(Path(name))]
        with _becoming(new) as folder:
            before.copy_to(folder)
            with Store.resume(folder) as store:
                asked = merge(before.settings().get("asked", before.settings()["config"]), rules.named)
                test_lines = list(dict.fromkeys([*before.test_lines(), *lines]))
                custom = declarations(rules.config, custom_parts(before))
                settings = {"asked": asked, "version": __version__, "versions": [__version__], "custom": custom}
                store.describe(settings, before.seeds(), test_lines)
                keep_config(store, rules.config)
                read_differently = await Refiltering(before, store, rules.config).run()
                left_out = leave_out(store)
                write_records(store)
                found = changes(before, store, read_differently, left_out)
    return found


def _rules(before: Store, config_file: Path | None, flags: dict[str, Any]) -> Rules:
    """The run's settings, overridden by those that are named now."""
    source = str(config_file) if config_file else ""
    of_file = under_recorded_names(before, settings_in(config_file) if config_file else {})
    flags = under_recorded_names(before, with_code(flags))
    given = merge(of_file, flags)
    settings = stored_settings(before)
    began, old = settings["config"], config_of(before)
    custom = _custom(old, of_file, flags)
    parse_config(merge(given, {"filters": {"custom": custom}}), source)  # whatever is wrong, the user wrote it
    without, more = (table.get("filters", {}).get("without") for table in (of_file, flags))
    without = [*(old.filters.without if without is None else without), *(more or ())]
    # The questions of the run's own test sets are in its store; the files may be gone.
    test_sets = [name for name in of_file.get("decontaminate", ()) if name not in old.decontaminate]
    test_sets += flags.get("decontaminate", ())
    if "profile" in given:  # what it sets goes before what the run has, but not before what its user had named
        of_profile = parse_config({"profile": given["profile"]}, source).filters.model_dump(mode="json")
        set_by_profiles = {key: of_profile[key] for profile in PROFILES.values() for key in profile}
        began = merge(began, {"filters": merge(set_by_profiles, settings.get("asked", {}).get("filters", {}))})
    named = {key: value for key, value in given.items() if key in ("profile", "filters", "decontaminate")}
    named["filters"] = {**named.get("filters", {}), "without": without, "custom": custom}
    named["decontaminate"] = list(dict.fromkeys([*old.decontaminate, *test_sets]))
    config = parse_config(merge(merge(began, given), named), source).resolved(old)
    refuse_not_loaded(before, config, "strategies", "filters")
    was, now = (shaping_settings(settled(one, old)) for one in (old, config))
    differences = [
        f"  {key}: was {was[key].value!r}, now {setting.value!r}"
        for key, setting in now.items()
        if setting.may_change is not MayChange.UNTIL_FILTERED and was[key].value != setting.value
    ]
    if config.prompts != old.prompts:
        differences.append(f"  prompts: was {old.prompts!r}, now {config.prompts!r}")
    if differences:
        raise UsageError(
            f"{before.folder} was generated with other settings. refilter can only change [filters], profile and "
            "decontaminate:\n" + "\n".join(differences) + "\nLeave these out of the config file."
        )
    return Rules(config, named, test_sets)


def _custom(old: Config, of_file: dict[str, Any], flags: dict[str, Any]) -> list[str]:
    """The user's own filters: those of the file, else of the run; and those named on the command line."""
    named, more = (table.get("filters", {}).get("custom") for table in (of_file, flags))
    for one, other in itertools.combinations(more or (), 2):
        if one.is_other_than(other):
            raise UsageError(f"There are two filters called {one}; rename one of them.")
    return list(
        {one: one for some in (old.filters.custom if named is None else named, more or ()) for one in some}.values()
    )


@contextmanager
def _becoming(new: Path) -> Iterator[Path]:
    """A place for a folder that becomes `new` at the end; where something goes wrong before, nothing is left of it."""
    try:
        if new.exists() and not (new.is_dir() and not any(new.iterdir())):
            raise UsageError(f"{new} already exists. Choose a new folder.")
        new.parent.mkdir(parents=True, exist_ok=True)
        place = new.with_name(f".{new.name}.unfinished")
        if place.is_symlink():
            raise UsageError(f"{place} is a symlink. Remove it, or choose another folder.")
        place.mkdir(exist_ok=True)
        with closing(lock_folder(place)):
            shutil.rmtree(place / "run", ignore_errors=True)  # of a process that was killed
            try:
                yield place / "run"
                (place / "run").rename(new)
            finally:
                shutil.rmtree(place)
    except OSError as error:
        raise UsageError(
            f"{new}: cannot be created ({error.strerror}). Choose a folder that you can write to."
        ) from None


class Refiltering:
    """From a copy of a run to a filtered one; `before` is the original run, `store` the copy."""

    def __init__(self, before: Store, store: Store, config: Config):
        self.before = before
        self.store = store
        replayed.forget_verdicts(store)
        self.gate = Gate(store, config, progress_of(store))
        old = config_of(before).model_copy(update={"strategy": config.strategy})  # the same, but loaded
        self.config_before = settled(old, old)
        prompts = Prompts(before.settings()["prompts"])
        self.strategy = self.config_before.asks(self.config_before)
        self.requests = Requests(self.config_before, prompts)
        self.candidates = replayed.candidates(before)  # of the run as it was, by step
        self.recalled = Recalled(before, self.candidates, self.config_before.field_names)
        self.reasons = replayed.unreadable(before)
        # Requests by step, which a run that was refiltered cannot find by its own pool.
        self.empty_steps: dict[str, str] = before.settings().get("empty_steps", {})
        self.read_differently = 0

    async def run(self) -> int:
        """Filter all of it; return the number of answers that were parsed differently than before."""
        await self._steps()
        await self._tasks()
        self.recalled.reject_unused(self.store)
        with self.store.transaction():
            self.store.set_settings({"empty_steps": self.empty_steps})
        return self.read_differently

    # From answers to tasks.

    async def _steps(self) -> None:
        pool = Pool(self.before.seeds(), self.config_before.filters)
        pool.tasks = self.before.tasks()
        n_tasks_after = self.before.steps()
        n_pending = len(self.before.pending())
        for steps in tracked(_chunks(range(len(n_tasks_after))), "candidates"):
            await asyncio.sleep(0)  # for Ctrl-C
            with self.store.transaction():
                for step in steps:
                    if step < len(self.recalled.steps):
                        proposal = self.recalled.proposal(step)
                    else:
                        snapshot, rng = seen_by(step, pool, n_tasks_after, self.config_before)
                        proposal = await self._proposal(step, snapshot, rng)
                    is_last = step == len(n_tasks_after) - 1
                    most = len(self.candidates[step]) - n_pending if is_last and n_pending else None
                    self.gate.admit(step, proposal, float("inf"), most)
                    now, then = ([(c.id, c.cut) for c in some] for some in (proposal.candidates, self.candidates[step]))
                    self.read_differently += now != then or self._has_other_reasons(proposal.unreadable)

    async def _proposal(self, step: int, snapshot: Snapshot, rng: random.Random) -> Proposal:
        """The proposal of a step that a strategy requested."""
        asked: list[str] = []

        async def ask(request: Request) -> Completion:
            before = self.candidates[step]
            found = self.store.completion(request.id)
            if found is None and not asked:
                # A run that was refiltered before has another pool, and so other questions; one to a step is known.
                known = before[0].request_id if before else self.empty_steps.get(str(step))
                found = self.store.completion(known) if known else None
            if found is None:
                raise StoreError(
                    f"{self.before.folder}: the answer for step {step} is missing. The run was generated by "
                    "another version of selfinstruct; use that version."
                )
            asked.append(found.request_id)
            return found

        proposal = await self.strategy.propose(snapshot, rng, self.requests.asking(ask))
        if not proposal.candidates and asked:
            self.empty_steps[str(step)] = asked[0]
        return proposal

    # From tasks to instances.

    async def _tasks(self) -> None:
        """Filter what was generated: for the tasks that the run had finished, in its order, then for the others."""
        extras = replayed.extras(self.before)
        place = {identity: n for n, identity in enumerate(extras)}
        ids = replayed.instance_ids(self.before)
        waiting = {task.id for task in self.before.tasks(only_waiting=True)}
        tasks = [task for task in self.store.tasks() if task.id not in waiting]
        tasks.sort(key=lambda task: place.get(task.id, len(place)))
        for some in tracked(_chunks(tasks), "instances"):
            await asyncio.sleep(0)
            with self.store.transaction():
                for task in some:
                    generated = await self._generated(task)
                    if generated is None:
                        continue
                    self.gate.keep(task, generated)
                    if task.id in place:
                        of = (task.id, generated.request_id)
                        now = [instance_id(*of, n, instance) for n, instance in enumerate(generated.instances)]
                        differ = now != ids[task.id] or self._has_other_reasons(generated.unreadable)
                        self.read_differently += differ or dict(generated.extra) != extras[task.id]

    async def _generated(self, task: Task) -> GeneratedInstances | None:
        """What was generated for a task; None if the teacher was not asked for it."""
        if task.instances and self.recalled.holds(task.request_id):
            return came_with(task)
        if recorded := self.recalled.generated(task):
            return recorded

        async def ask(request: Request) -> Completion:
            if found := self.store.completion(request.id):
                return found
            raise Stopped

        try:
            return await self.strategy.generate_instances(task, self.requests.asking(ask))
        except Stopped:
            return None

    def _has_other_reasons(self, unreadable: Sequence[tuple[str, Any]]) -> bool:
        return any(self.reasons.get(identity) != rejection.reason for identity, rejection in unreadable)


def _chunks(rows: Sequence[Any]) -> list[Sequence[Any]]:
    return [rows[at : at + AT_ONCE] for at in range(0, len(rows), AT_ONCE)]
