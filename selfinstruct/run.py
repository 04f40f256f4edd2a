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
from selfinstruct.records import STAGES
from selfinstruct.seeds import read_seeds
from selfinstruct.store import Store


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
    config = parse_config(asked, _source(config_file))
    _check_teachers(config)
    seeds = read_seeds(seeds_file or shipped("seeds") / "seeds.jsonl")
    prompts = read_prompts(_prompts_folder(config), {config.stage(stage).teacher.endpoint for stage in STAGES})
    store = Store.create(folder, {"config": _stored(config), "prompts": prompts, "version": __version__}, seeds)
    _write_config(folder, config)
    return Run(store, config, Prompts(prompts), is_new=True)


def _resume(folder: Path, config_file: Path | None, flags: dict[str, Any], seeds_file: Path | None) -> Run:
    store = Store.resume(folder)
    try:
        began = store.settings()
        asked = merge(read_toml(config_file) if config_file else began["config"], flags)
        config = parse_config(asked, _source(config_file))
        before = shaping_settings(parse_config(began["config"], f"{folder}/run.db"))
        differences = [
            f"{key} was {before[key]!r}, now {value!r}"
            for key, value in shaping_settings(config).items()
            if before[key] != value
        ]
        if seeds_file and read_seeds(seeds_file) != store.seeds():
            differences.append(f"the seeds in {seeds_file} are not the ones that the run began with")
        if config_file and config.prompts:
            endpoints = {config.stage(stage).teacher.endpoint for stage in STAGES}
            prompts = read_prompts(_prompts_folder(config), endpoints)
            changed = [name for name in prompts if prompts[name] != began["prompts"].get(name)]
            differences += [f"the prompt {name} is not the one that the run began with" for name in changed]
        if differences:
            raise UsageError(
                f"{folder} was begun with other settings, and mixing them would spoil its data:\n"
                + "\n".join(f"  {difference}" for difference in differences)
                + "\nLeave them as they were to go on with it, or choose another folder for a new run."
            )
        with store.transaction():
            store.set_settings({"config": _stored(config)})
    except BaseException:
        store.close()
        raise
    _write_config(folder, config)
    return Run(store, config, Prompts(began["prompts"]), is_new=False)


def _check_teachers(config: Config) -> None:
    for stage in STAGES:
        teacher = config.stage(stage).teacher
        if not teacher.model:
            raise UsageError(f"Which model is to {stage}? Name it with --model, or as model in the config file.")


def _prompts_folder(config: Config) -> Path:
    return Path(config.prompts) if config.prompts else shipped("prompts")


def _stored(config: Config) -> dict[str, Any]:
    """The settings as JSON values. The simulated server's key is a secret like any other."""
    return config.model_dump(mode="json", exclude_none=True, exclude={"simulated": {"api_key"}})


def _write_config(folder: Path, config: Config) -> None:
    """RUN/config.toml: what `--config` would have to read to repeat this run."""
    try:
        (folder / "config.toml").write_text(tomli_w.dumps(_stored(config)), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder}/config.toml: cannot be written ({error.strerror}).") from None


def _source(config_file: Path | None) -> str:
    return str(config_file) if config_file else "settings"
