"""A run's folder, opened: what was stored when it began, and what the user asks for now.

A new run takes its settings from the defaults, the config file and the command line, and stores them with the seeds and
the prompts. An existing run goes on with what it stored; whatever the user names again must be the same, as far as the
data depends on it.
"""

from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from selfinstruct import __version__
from selfinstruct.config.config import Config, merge, parse_config, read_toml, shaping_settings
from selfinstruct.errors import UsageError
from selfinstruct.records import STAGES, Line, SeedTask, Stage
from selfinstruct.store import answers
from selfinstruct.store.batches import Batches
from selfinstruct.store.store import Store
from selfinstruct.strategies.prompts import Prompts, read_prompts, shipped
from selfinstruct.strategies.seeds import read_seeds

CONFIG_HEAD = """\
# The settings of this run, for reading, and for repeating it: selfinstruct generate NEW --target N --config THIS.
# To change one that may change (see docs/config.md), give a file of your own with --config: this one is written anew.
"""
LIMITS = {"max_cost", "max_requests", "max_tokens"}


class Given(NamedTuple):
    """What a user brings: settings as he named them, seed tasks, the questions of test sets to keep clear of."""

    asked: dict[str, Any]
    seeds: tuple[SeedTask, ...]
    test_lines: list[Line]


class Run(NamedTuple):
    """An opened run."""

    store: Store
    config: Config
    prompts: Prompts
    is_new: bool


def open_run(
    folder: Path,
    config_file: Path | None,
    flags: dict[str, Any],
    seeds_file: Path | None,
    asking: bool = True,
) -> Run:
    """Begin the run in `folder`, or go on with it.

    `flags` are settings from the command line, as nested tables, and go before those of the file. UsageError where
    anything that the data depends on differs from what the run began with: each such setting is named. Without
    `asking` no teacher has to be there, and there are no seeds but those named.
    """
    if Store.exists(folder):
        return _resume(folder, config_file, flags, seeds_file, asking)
    asked = merge(read_toml(config_file) if config_file else {}, flags)
    config = parse_config(asked, _source(config_file)).resolved()
    seeds: tuple[SeedTask, ...] = ()
    if asking:
        _check_teachers(config)
        seeds_file = seeds_file or shipped("seeds") / "seeds.jsonl"
    if seeds_file:
        seeds = read_seeds(seeds_file)
    test_lines = _read_test_sets(config)
    prompts = _read_prompts(config)
    store = Store.create(folder)
    return _describe(store, config, prompts, Given(asked, seeds, test_lines), is_new=True)


def _resume(
    folder: Path, config_file: Path | None, flags: dict[str, Any], seeds_file: Path | None, asking: bool
) -> Run:
    store = Store.resume(folder)
    try:
        began = store.settings()
        named = began.get("asked", began["config"])
        # Answers that were brought in from files were given under settings that nobody knows, a probe under none.
        has_answers = answers.has_answers(store)
        # A config file that leaves sampling out means the sampling that the run's answers were given under.
        kept: dict[str, Any] = {}
        if has_answers:
            stages = {stage: began["config"][stage] for stage in STAGES}
            kept = {s: {"sampling": its["sampling"]} for s, its in stages.items() if "sampling" in its}  # not of a mix
        # Nor does one that leaves the budget out lift it.
        kept["running"] = {key: began["config"]["running"][key] for key in LIMITS & began["config"]["running"].keys()}
        # Until then a profile or a strategy may still be chosen, so only what the user named himself counts.
        before = began["config"] if has_answers else named
        asked = merge(merge(kept, read_toml(config_file)) if config_file else before, flags)
        config = parse_config(asked, _source(config_file)).resolved()
        if has_answers:
            config = settled(config, store.config())
        if asking:
            _check_teachers(config)
            if not config.running.batch:
                Batches(store).refuse_under_way()
        prompts = _read_prompts(config) if config_file and config.prompts else began["prompts"]
        named_anew = bool(config_file) or "decontaminate" in flags
        given = Given(
            named if has_answers else asked,
            read_seeds(seeds_file) if seeds_file else store.seeds(),
            _read_test_sets(config) if named_anew else store.test_lines(),
        )
        if has_answers:
            _refuse_differences(store, config, prompts, given, only=("",))
        else:  # nothing was answered yet, so nothing can be mixed up, but what was judged
            prompts = _read_prompts(config)
            if store.steps():
                _refuse_differences(store, config, {}, given, only=("filters.", "profile"))
    except BaseException:
        store.close()
        raise
    return _describe(store, config, prompts, given, is_new=False)


def settled(config: Config, before: Config) -> Config:
    """The settings with the answer formats that the run has found out, where they say "auto" again.

    A run that has answers but has not found it out is older than answers in JSON.
    """
    settled: dict[Stage, list[dict[str, Any]]] = {}
    for stage in STAGES:
        found = {choice.teacher.model: choice.teacher.answer_format for choice in before.choices(stage)}
        formats = [(choice.teacher.answer_format, choice.teacher.model) for choice in config.choices(stage)]
        settled[stage] = [
            {"answer_format": "text" if found.get(model, "auto") == "auto" else found[model]} if now == "auto" else {}
            for now, model in formats
        ]
    return config.with_choices(settled)


def _describe(store: Store, config: Config, prompts: dict[str, str], given: Given, is_new: bool) -> Run:
    """Store what the run is begun, or gone on, with."""
    try:
        simulated = {key: value for key, value in given.asked.get("simulated", {}).items() if key != "api_key"}
        asked = {**given.asked, "simulated": simulated}
        store.describe({"prompts": prompts, "asked": asked, "version": __version__}, given.seeds, given.test_lines)
        keep_config(store, config)
    except BaseException:
        store.close()
        raise
    return Run(store, config, Prompts(prompts), is_new)


def _refuse_differences(
    store: Store, config: Config, prompts: dict[str, str], given: Given, only: tuple[str, ...]
) -> None:
    """UsageError, naming each, where something that the data depends on is not as the run has it.

    Of the settings, those whose name begins with one of `only` are compared.
    """
    before, now = shaping_settings(settled(store.config(), store.config())), shaping_settings(config)
    differences = [
        f"{key} was {before.get(key)!r}, now {value!r}"
        for key, value in now.items()
        if key.startswith(only) and before.get(key) != value
    ]
    if given.seeds != store.seeds():
        differences.append("the seeds are not the ones that the run began with")
    if given.test_lines != store.test_lines():
        differences.append("the test sets to keep clear of are not the ones that the run began with")
    texts = store.settings()["prompts"]
    changed = [name for name in prompts if prompts[name] != texts.get(name)]
    differences += [f"the prompt {name} is not the one that the run began with" for name in changed]
    if differences:
        raise UsageError(
            f"{store.folder} was begun with other settings, and mixing them would spoil its data:\n"
            + "\n".join(f"  {difference}" for difference in differences)
            + "\nLeave them as they were to go on with it, or choose another folder for a new run."
        )


def _read_test_sets(config: Config) -> list[Line]:
    if not config.decontaminate:
        return []
    from selfinstruct.pool.contamination import read_lines

    return [line for name in config.decontaminate for line in read_lines(Path(name))]


def _check_teachers(config: Config) -> None:
    """UsageError where a stage's teacher cannot be asked: before a run is made for it."""
    from selfinstruct.teachers.budget import check_budget
    from selfinstruct.teachers.openai_compatible import address_and_key

    check_budget(config)
    batch = config.running.batch
    places: dict[str, tuple[str, str]] = {}
    for stage in config.stages:
        for teacher, sampling, _ in config.choices(stage):
            if not teacher.model:
                raise UsageError(f"Which model is to {stage}? Name it with --model, or as model in the config file.")
            if batch and (teacher.kind == "transformers" or len(teacher.servers) > 1):
                raise UsageError(f"--batch takes one server with a Batch API; [{stage}] has another kind, or several.")
            # Batches are known by their model, so each model's are in one place.
            place = (teacher.servers[0], teacher.api_key_env)
            if batch and places.setdefault(teacher.model, place) != place:
                raise UsageError(
                    f'--batch takes one server and key for each model; "{teacher.model}" has another in [{stage}].'
                )
            if teacher.kind == "openai":
                for server in teacher.servers:
                    address_and_key(server, teacher.api_key_env)
            if teacher.kind == "transformers":
                from finetune.inference.sampling import check_teacher

                check_teacher(stage, teacher, sampling)


def _read_prompts(config: Config) -> dict[str, str]:
    folder = Path(config.prompts) if config.prompts else shipped("prompts")
    shown = config.seed_demonstrations + config.generated_demonstrations
    endpoints = {choice.teacher.endpoint for stage in config.stages for choice in config.choices(stage)}
    return read_prompts(folder, endpoints, config.strategy, shown)


def keep_config(store: Store, config: Config) -> None:
    """Store the settings, and write RUN/config.toml: what `--config` would have to read to repeat this run."""
    # The simulated server's key is a secret like any other.
    values = config.model_dump(mode="json", exclude_none=True, exclude={"simulated": {"api_key"}})
    with store.transaction():
        store.set_settings({"config": values})
    try:
        (store.folder / "config.toml").write_text(CONFIG_HEAD + tomli_w.dumps(values), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{store.folder}/config.toml: cannot be written ({error.strerror}).") from None


def _source(config_file: Path | None) -> str:
    return str(config_file) if config_file else "settings"
