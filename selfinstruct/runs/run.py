"""A run's folder, opened: what was stored when it began, and what the user asks for now.

A new run takes its settings from the defaults, the config file and the command line, and stores them with the seeds and
the prompts. An existing run is resumed with what it stored: a file or an option changes only what it names, and that
must be the same, unless it may still change (see config.changes).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from selfinstruct import __version__
from selfinstruct.annotation import KEYS, STAGE
from selfinstruct.asking.prompts import Prompts, read_prompts, shipped
from selfinstruct.asking.stages import Prompt
from selfinstruct.config.changes import State, differences, kept
from selfinstruct.config.config import Config, parse_config
from selfinstruct.config.custom import changed, declarations, not_loaded, settings_in, with_code
from selfinstruct.config.learned import Learned
from selfinstruct.config.stored import config_of, state_of, stored_settings
from selfinstruct.errors import UsageError
from selfinstruct.records import Line, SeedTask
from selfinstruct.rows.seeds import read_seeds
from selfinstruct.rows.writing import whole_file
from selfinstruct.settings import merge
from selfinstruct.store.annotations import is_of_votes, refuse_annotations
from selfinstruct.store.batches import Batches
from selfinstruct.store.declared import custom_parts, under_recorded_names
from selfinstruct.store.store import Store
from selfinstruct.teachers.settings import TeacherSettings

CONFIG_HEAD = """\
# The settings of this run, for reading, and for repeating it: selfinstruct {} --config THIS.
# To change what may still change (the docs say what, in "Settings of a run"), pass a file of those settings with
# --config: all others stay as they are. selfinstruct overwrites this file.
"""


class Named(NamedTuple):
    """Settings that a user names now: in a file, where there is one, and on the command line."""

    config_file: Path | None
    of_file: dict[str, Any]
    flags: dict[str, Any]

    @property
    def settings(self) -> dict[str, Any]:
        """All of them; those of the command line go before those of the file."""
        return _over(self.of_file, self.flags)

    @property
    def source(self) -> str:
        """Where they come from, for messages: the file, or "" for options."""
        return str(self.config_file) if self.config_file else ""

    def parsed(self, settings: dict[str, Any]) -> Config:
        """`settings`, which hold these, checked; what is wrong is not blamed on the file if it is an option."""
        try:
            return parse_config(settings, self.source)
        except UsageError:
            if self.config_file and "strategy" not in self.of_file:
                parse_config(self.flags, "")
            raise

    def in_terms_of(self, store: Store) -> "Named":
        """The same settings, with custom parts under the names that the run has for them."""
        of_file, flags = (under_recorded_names(store, values) for values in (self.of_file, self.flags))
        return self._replace(of_file=of_file, flags=flags)


class UserInput(NamedTuple):
    """What a user brings: settings as he named them, seed tasks, the questions of test sets to keep clear of."""

    asked: dict[str, Any]
    seeds: tuple[SeedTask, ...]
    test_lines: list[Line]


class Run(NamedTuple):
    """An opened run.

    - `changed`: the user's own parts whose source is not the one that it was last grown with.
    - `kept`: says which settings it keeps although the config file does not name them; "" if those are defaults.
    """

    store: Store
    config: Config
    prompts: Prompts
    is_new: bool
    changed: tuple[str, ...] = ()
    kept: str = ""


def open_run(
    folder: Path,
    config_file: Path | None,
    flags: dict[str, Any],
    seeds_file: Path | None,
    asking: bool = True,
    *,
    annotates: bool = False,
) -> Run:
    """Begin the run in `folder`, or resume it.

    `flags` are settings from the command line, as nested tables, and go before those of the file. UsageError where
    anything that the data depends on differs from what the run began with, and may not change any more: each such
    setting is named. Without `asking` no teacher has to be there, and there are no seeds but those named. `annotates`:
    whether the run asks about rows of a file, and needs no seeds at all.
    """
    now = Named(config_file, settings_in(config_file) if config_file else {}, with_code(flags))
    if Store.exists(folder):
        store = Store.resume(folder)
        try:
            _refuse_other_kind(store, annotates)
            return _resume(store, now.in_terms_of(store), seeds_file, asking)
        except BaseException:
            store.close()
            raise
    config = now.parsed(now.settings).resolved()
    _refuse_unused_stages(config, now)
    seeds: tuple[SeedTask, ...] = ()
    if asking:
        _check_teachers(config, now)
        seeds_file = seeds_file or (None if annotates else shipped("seeds") / "seeds.jsonl")
    if seeds_file:
        seeds = read_seeds(seeds_file)
    test_lines = _read_test_sets(config)
    prompts = _read_prompts(config)
    store = Store.create(folder)
    try:
        return _describe(store, config, prompts, UserInput(now.settings, seeds, test_lines), is_new=True)
    except BaseException:
        store.close()
        raise


def _resume(store: Store, now: Named, seeds_file: Path | None, asking: bool) -> Run:
    began, state = stored_settings(store), state_of(store)
    stages = config_of(store).known_stages
    named = _without_mixes(began.get("asked", began["config"]), stages, now.settings)
    before = named
    # Until something was answered a profile or a strategy may still be chosen, and for a stage that was not another
    # model, so only what the user named counts of those.
    if state.answered:
        open_stages = {stage: named.get(stage, {}) for stage in stages if stage not in state.answered}
        before = _without_mixes(began["config"], stages, now.settings) | open_stages
    asked = _over(before, now.settings)
    config = now.parsed(asked).resolved(config_of(store))
    _refuse_unused_stages(config, now)
    if state.answered:
        config = Learned.of(began).applied(settled(config, config_of(store), state), state.answered)
    refuse_not_loaded(store, config, *(("strategies", "filters", "teachers") if asking else ("filters",)))
    given = UserInput(
        _named(named, now.settings, config.known_stages, state) if state.answered else asked,
        read_seeds(seeds_file) if seeds_file else store.seeds(),
        _read_test_sets(config) if "decontaminate" in now.settings else store.test_lines(),
    )
    prompts = began["prompts"]
    if not state.answered or now.settings.get("prompts"):
        prompts = _read_prompts(config)
    elif not {name for name, _ in _prompts(config)} <= prompts.keys():  # of stages that came later
        prompts = _read_prompts(config) | prompts
    if state.answered or state.has_filtered:
        _refuse_differences(store, config, prompts, given, state)
    if asking:
        _check_teachers(config, now)
        if not config.running.batch:
            Batches(store).refuse_under_way()
    run = _describe(store, config, prompts, given, is_new=False)
    if now.config_file and (left_out := kept(config, named, now.settings)):
        return run._replace(
            kept=f"Kept from the run, because {now.config_file} does not set them: {', '.join(left_out)}."
        )
    return run


def _refuse_other_kind(store: Store, annotates: bool) -> None:
    """UsageError for a run that grows where one that asks about rows is meant, or the other way round."""
    if annotates and not is_of_votes(store):
        raise UsageError(f"{store.folder} holds a run that was not started by annotate. Choose another folder.")
    if not annotates:
        refuse_annotations(store)


def _refuse_unused_stages(config: Config, now: Named) -> None:
    """UsageError for the settings of a stage of another strategy, which nobody would ask."""
    for stage in config.known_stages:
        if stage in now.settings and stage not in config.stages and config.names(stage):
            where = f"{now.source}: " if now.source else ""
            raise UsageError(
                f"{where}[{stage}] would have no effect: the strategy {config.strategy} has no such stage, only "
                f"{', '.join(config.stages)}. Leave it out."
            )


def refuse_not_loaded(store: Store, config: Config, *rooms: str) -> None:
    """UsageError where the run needs the user's own code (see `config.custom`), and its place was not named now."""
    if missing := not_loaded(config, rooms):
        raise UsageError(
            f"{store.folder} was grown with code of your own. A run folder never decides which code is "
            f"loaded, so name that code again, with its path: {' '.join(missing)}. In Python, pass it again: "
            "strategy=..., filters=[...], teacher=..."
        )


def _over(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The settings with those of now laid over them; the simulated teacher has no other teacher's server and model."""
    kind, teacher = now.get("teacher", {}).get("kind"), before.get("teacher", {})
    if kind == "simulated" != teacher.get("kind"):
        own = {key: value for key, value in teacher.items() if key not in ("base_url", "model")}
        before = {**before, "teacher": own}
    return merge(before, now)


def _without_mixes(before: dict[str, Any], stages: Sequence[str], now: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run; a stage whose model is named now loses its mix, which would hide it."""
    replaced = {stage for stage in stages if isinstance(now.get(stage), dict) and "model" in now[stage]}
    return {
        key: {k: v for k, v in value.items() if k != "mix"} if key in replaced else value
        for key, value in before.items()
    }


def _named(before: dict[str, Any], now: dict[str, Any], stages: Sequence[str], state: State) -> dict[str, Any]:
    """What the user has named of the settings, with what he now names of stages that were never answered."""
    return merge(before, {key: now[key] for key in stages if key in now and key not in state.answered})


def settled(config: Config, before: Config, state: State | None = None) -> Config:
    """The settings with the answer formats that the run has found out, where they say "auto" again.

    A run that has answers but has not found it out is older than answers in JSON. Without `state` all of it counts as
    answered; with it, a teacher that an unanswered stage was given since is left to be found out.
    """
    answered = before.known_stages if state is None else state.answered
    is_old = any(one.teacher.answer_format == "auto" for stage in answered for one in before.choices(stage))
    unknown = "text" if is_old or state is None else "auto"
    settled: dict[str, list[dict[str, Any]]] = {}
    for stage in config.known_stages:
        found = {_server(one.teacher): one.teacher.answer_format for one in before.choices(stage)}
        teachers = [one.teacher for one in config.choices(stage)]
        formats = [found.get(_server(teacher), "auto") for teacher in teachers]
        settled[stage] = [
            {"answer_format": unknown if known == "auto" else known} if teacher.answer_format == "auto" else {}
            for teacher, known in zip(teachers, formats, strict=True)
        ]
    return config.with_choices(settled)


def _server(teacher: TeacherSettings) -> tuple[str, str, str]:
    """What the format of a teacher's answers depends on."""
    return teacher.kind, teacher.model, teacher.endpoint


def _describe(store: Store, config: Config, prompts: dict[str, str], given: UserInput, is_new: bool) -> Run:
    """Store what the run is begun, or resumed, with."""
    simulated = {key: value for key, value in given.asked.get("simulated", {}).items() if key != "api_key"}
    asked = {**given.asked, "simulated": simulated}
    before = custom_parts(store)
    custom = declarations(config, before)
    settings = {"prompts": prompts, "asked": asked, "version": __version__, "custom": custom}
    old = store.settings()
    settings["versions"] = sorted({*old.get("versions", [old["version"]] if "version" in old else []), __version__})
    with store.transaction():
        store.describe(settings, given.seeds, given.test_lines)
        keep_config(store, config)
    declared = [prompt for stage in config.asks.stages for prompt in stage.prompts]
    return Run(store, config, Prompts(prompts, declared), is_new, tuple(changed(custom, before)))


def _refuse_differences(store: Store, config: Config, prompts: dict[str, str], given: UserInput, state: State) -> None:
    """UsageError, naming each, where something is not as the run has it, and may not change any more."""
    before = config_of(store)
    found = differences(settled(before, before, state), config, state)
    if given.seeds != store.seeds():
        found.append("the seeds differ from those the run was started with")
    if given.test_lines != store.test_lines():
        found.append("the test sets (decontaminate) differ from those the run was started with")
    texts = store.settings()["prompts"]
    fixed = {prompt.name for stage in config.asks.stages if stage.name in state.answered for prompt in stage.prompts}
    changed = [n for n in prompts.keys() & texts.keys() if n.partition("/")[2] in fixed and prompts[n] != texts[n]]
    found += [f"the prompt {name} differs from the one the run was started with" for name in sorted(changed)]
    if found:
        raise UsageError(
            f"{store.folder} was started with different settings, and mixing them would make its data inconsistent:\n"
            + "\n".join(f"  {difference}" for difference in found)
            + "\nTo resume it, use its own settings; for other settings, start a new run in another folder. "
            "To apply other filters to its answers, use refilter."
        )


def _read_test_sets(config: Config) -> list[Line]:
    if not config.decontaminate:
        return []
    from selfinstruct.rows.questions import read_lines

    return [line for name in config.decontaminate for line in read_lines(Path(name))]


def _check_teachers(config: Config, now: Named) -> None:
    """UsageError where a stage's teacher cannot be asked, may not be sent its key, or its answers not be counted."""
    from selfinstruct.report.status import check_counted
    from selfinstruct.runs.teachers import check_teachers
    from selfinstruct.runs.trust import check_started, check_trusted

    check_teachers(config)
    check_counted(config)
    check_started(config, now.settings)
    check_trusted(config, now.flags)


def _prompts(config: Config) -> list[tuple[str, Prompt]]:
    """The prompts that the run's stages ask with, by the names of their files, for the endpoints in use."""
    endpoints = {choice.teacher.endpoint for stage in config.stages for choice in config.choices(stage)}
    declared = [prompt for stage in config.asks.stages for prompt in stage.prompts]
    return [(f"{endpoint}/{prompt.name}", prompt) for endpoint in endpoints for prompt in declared]


def _read_prompts(config: Config) -> dict[str, str]:
    folder = Path(config.prompts) if config.prompts else shipped("prompts")
    return read_prompts(folder, _prompts(config), config.seed_demonstrations + config.generated_demonstrations)


def keep_config(store: Store, config: Config) -> None:
    """Store the settings, and write RUN/config.toml: what `--config` would have to read to repeat this run."""
    # The simulated server's key is a secret like any other.
    values = config.model_dump(mode="json", exclude_none=True, exclude={"simulated": {"api_key"}})
    with store.transaction():
        store.set_settings({"config": values})
    command = "generate NEW --target N"
    if config.stages == (STAGE,):
        command, values = "annotate NEW --from FILE --task FILE", {key: values[key] for key in KEYS if key in values}
    with whole_file(store.folder / "config.toml", "RUN") as part:
        part.write_text(CONFIG_HEAD.format(command) + tomli_w.dumps(values), encoding="utf-8")
