"""A run's settings and its progress, read from its store."""

from functools import partial
from typing import Any

from selfinstruct.config.changes import State
from selfinstruct.config.config import Config, parse_config
from selfinstruct.config.custom import with_declarations
from selfinstruct.pool.shown import Shown
from selfinstruct.store.answers import answered_stages
from selfinstruct.store.declared import custom_parts, recorded
from selfinstruct.store.store import Store


def config_of(store: Store) -> Config:
    """The settings of the run that come from config file and command line."""
    return parse_config(stored_settings(store)["config"], str(store.path))


def stored_settings(store: Store) -> dict[str, Any]:
    """All stored settings of the run, by key, with the declarations of custom parts."""
    settings = store.settings()
    known = custom_parts(store)
    return {
        key: with_declarations(value, known, partial(recorded, store)) if key in ("config", "asked") else value
        for key, value in settings.items()
    }


def shown_by(store: Store, config: Config) -> Shown:
    """What the run's prompts show to its teachers."""
    first = {prompt.name for prompt in config.asks.stages[0].prompts}
    prompts = store.settings().get("prompts", {})
    return Shown(prompts, [name for name in prompts if name.partition("/")[2] in first], store.seeds())


def state_of(store: Store) -> State:
    """Whether candidates were filtered, and which stages were answered, so that their settings are fixed."""
    return State(bool(store.steps()), answered_stages(store, config_of(store).stages))
