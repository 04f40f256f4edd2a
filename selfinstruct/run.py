"""A run's folder, opened: what was stored when it began, and what the user asks for now.

A new run takes its settings from the defaults, the config file and the command line, and stores them with the seeds and
the prompts. An existing run goes on with what it stored; whatever the user names again must be the same, as far as the
data depends on it.
"""

from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from selfinstruct import __version__
from selfinstruct.config import Config, merge, parse_config, read_toml, shaping_settings
from selfinstruct.errors import UsageError
from selfinstruct.prompts import Prompts, read_prompts, shipped
from selfinstruct.records import STAGES, SeedTask
from selfinstruct.seeds import read_seeds
from selfinstruct.store import Store

CONFIG_HEAD = """\
# The settings of this run, for reading, and for repeating it: selfinstruct generate NEW --target N --config THIS.
# To change one that may change (see docs/config.md), give a file of your own with --config: this one is written anew.
"""


class Run(NamedTuple):
    """An opened run."""

    store: Store
    config: Config
    prompts: Prompts
    is_new: bool


def open_run(folder: Path, config_file: Path | None, flags: dict[str, Any], seeds_file: Path | None) -> Run:
    """Begin the run in `folder`, or go on with it.

    `flags` are settings from the command line, as nested tables, and go before those of the file. UsageError where
    anything that the data depends on differs from what the run began with: each such setting is named.
    """
    if Store.exists(folder):
        return _resume(folder, config_file, flags, seeds_file)
    return _begin(folder, config_file, flags, seeds_file)


def _begin(folder: Path, config_file: Path | None, flags: dict[str, Any], seeds_file: Path | None) -> Run:
    asked = merge(read_toml(config_file) if config_file else {}, flags)
    config = parse_config(asked, _source(config_file)).resolved()
    _check_teachers(config)
    seeds = read_seeds(seeds_file or shipped("seeds") / "seeds.jsonl")
    prompts = _read_prompts(config)
    store = Store.create(folder)
    return _describe(store, config, prompts, seeds, is_new=True)


def _resume(folder: Path, config_file: Path | None, flags: dict[str, Any], seeds_file: Path | None) -> Run:
    store = Store.resume(folder)
    try:
        began = store.settings()
        has_answers = bool(store.query("SELECT 1 FROM completions LIMIT 1"))
        # A config file that leaves sampling out means the sampling that the run's answers were given under.
        kept: dict[str, Any] = {}
        if has_answers:
            kept = {stage: {"sampling": began["config"][stage]["sampling"]} for stage in STAGES}
        asked = merge(merge(kept, read_toml(config_file)) if config_file else began["config"], flags)
        config = parse_config(asked, _source(config_file)).resolved()
        _check_teachers(config)
        prompts = _read_prompts(config) if config_file and config.prompts else began["prompts"]
        seeds = read_seeds(seeds_file) if seeds_file else store.seeds()
        if has_answers:
            _refuse_differences(store, config, prompts, seeds)
        else:  # nothing was answered yet, so nothing can be mixed up
            prompts = _read_prompts(config)
    except BaseException:
        store.close()
        raise
    return _describe(store, config, prompts, seeds, is_new=False)


def _describe(store: Store, config: Config, prompts: dict[str, str], seeds: tuple[SeedTask, ...], is_new: bool) -> Run:
    """Store what the run is begun, or gone on, with."""
    try:
        store.describe({"config": _stored(config), "prompts": prompts, "version": __version__}, seeds)
        _write_config(store.folder, config)
    except BaseException:
        store.close()
        raise
    return Run(store, config, Prompts(prompts), is_new)


def _refuse_differences(store: Store, config: Config, prompts: dict[str, str], seeds: tuple[SeedTask, ...]) -> None:
    """UsageError, naming each, where something that the data depends on is not as the run has it."""
    before, now = shaping_settings(store.config()), shaping_settings(config)
    differences = [
        f"{key} was {before.get(key)!r}, now {value!r}" for key, value in now.items() if before.get(key) != value
    ]
    if seeds != store.seeds():
        differences.append("the seeds are not the ones that the run began with")
    texts = store.settings()["prompts"]
    changed = [name for name in prompts if prompts[name] != texts.get(name)]
    differences += [f"the prompt {name} is not the one that the run began with" for name in changed]
    if differences:
        raise UsageError(
            f"{store.folder} was begun with other settings, and mixing them would spoil its data:\n"
            + "\n".join(f"  {difference}" for difference in differences)
            + "\nLeave them as they were to go on with it, or choose another folder for a new run."
        )


def _check_teachers(config: Config) -> None:
    """UsageError where a stage's teacher cannot be asked: before a run is made for it."""
    from selfinstruct.teachers.openai_compatible import address_and_key

    for stage in STAGES:
        teacher = config.stage(stage).teacher
        if not teacher.model:
            raise UsageError(f"Which model is to {stage}? Name it with --model, or as model in the config file.")
        if teacher.kind == "openai":
            address_and_key(teacher)


def _read_prompts(config: Config) -> dict[str, str]:
    folder = Path(config.prompts) if config.prompts else shipped("prompts")
    shown = config.seed_demonstrations + config.generated_demonstrations
    return read_prompts(folder, {config.stage(stage).teacher.endpoint for stage in STAGES}, shown)


def _stored(config: Config) -> dict[str, Any]:
    """The settings as JSON values. The simulated server's key is a secret like any other."""
    return config.model_dump(mode="json", exclude_none=True, exclude={"simulated": {"api_key"}})


def _write_config(folder: Path, config: Config) -> None:
    """RUN/config.toml: what `--config` would have to read to repeat this run."""
    try:
        (folder / "config.toml").write_text(CONFIG_HEAD + tomli_w.dumps(_stored(config)), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder}/config.toml: cannot be written ({error.strerror}).") from None


def _source(config_file: Path | None) -> str:
    return str(config_file) if config_file else "settings"
