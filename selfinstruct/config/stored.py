"""A run's settings, read from its store, and how far the run has come with them."""

from selfinstruct.config.changes import State
from selfinstruct.config.config import Config, parse_config
from selfinstruct.store.answers import answered_stages
from selfinstruct.store.store import Store


def config_of(store: Store) -> Config:
    """The run's settings, as far as they come from config file and command line."""
    return parse_config(store.settings()["config"], str(store.path))


def state_of(store: Store) -> State:
    """Whether candidates were filtered, and which stages were answered, so that their settings are fixed."""
    return State(bool(store.steps()), answered_stages(store, config_of(store).stages))
