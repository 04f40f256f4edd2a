"""Which settings affect the data, and until when each of them may change, as declared by their fields.

filters, profile, test sets           until the first answer or import
a stage's teacher and sampling        until the first answer of that stage
everything else that affects the data until the first answer
how a run is carried out              at any time
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel

from selfinstruct.config.config import Config, parse_config
from selfinstruct.settings import MayChange, fields_that_may_change
from selfinstruct.teachers.settings import TeacherSettings


class Shaping(NamedTuple):
    """A setting that affects the data. `stage`: the stage it belongs to, "" if it applies to all."""

    value: Any
    may_change: MayChange
    stage: str = ""


class State(NamedTuple):
    """The progress of a run: whether candidates were filtered, and which stages were answered."""

    has_filtered: bool
    answered: Collection[str]

    def fixes(self, setting: Shaping) -> bool:
        """Whether `setting` may no longer change."""
        if setting.may_change is MayChange.UNTIL_FILTERED:
            return self.has_filtered or bool(self.answered)
        return setting.stage in self.answered if setting.stage else bool(self.answered)


def shaping_settings(config: Config) -> dict[str, Shaping]:
    """The settings that affect the data, flat: {"filters.rouge_threshold": ..., "propose.model": ...}."""
    found = dict(_shaping(config, ""))
    shape = {name for name, when in fields_that_may_change(TeacherSettings) if when is not MayChange.ANY_TIME}
    for stage in config.known_stages:
        choices = [
            {**teacher.model_dump(include=shape), "sampling": sampling, "weight": weight}
            for teacher, sampling, weight in config.choices(stage)
        ]
        if len(choices) == 1:
            del choices[0]["weight"]
        values = choices[0] if len(choices) == 1 else {"mix": choices}
        found |= {f"{stage}.{key}": Shaping(value, MayChange.UNTIL_ANSWERED, stage) for key, value in values.items()}
    return found


def _shaping(section: BaseModel, prefix: str) -> Iterator[tuple[str, Shaping]]:
    for name, when in fields_that_may_change(type(section)):
        value = getattr(section, name)
        if isinstance(value, TeacherSettings) or when is MayChange.ANY_TIME:
            continue  # the settings of a teacher are in those of each stage
        if isinstance(value, BaseModel):
            yield from _shaping(value, f"{prefix}{name}.")
        else:
            yield prefix + name, Shaping(list(value) if isinstance(value, tuple) else value, when)


def differences(before: Config, now: Config, state: State) -> list[str]:
    """The settings that differ and may no longer change, one line each."""
    was = shaping_settings(before)
    return [
        f"{key} was {was[key].value if key in was else None!r}, now {setting.value!r}"
        for key, setting in shaping_settings(now).items()
        if state.fixes(setting) and (key not in was or was[key].value != setting.value)
    ]


def kept(config: Config, named: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The settings of an existing run that are no defaults and not among those named `now`.

    `named`: those that the user has named before. A stage's sampling and answer format are no choice without that:
    the run wrote them out.
    """
    default = parse_config({"strategy": config.strategy, "profile": config.profile}, "defaults")
    defaults, values = (dict(_leaves(one.model_dump(mode="json"))) for one in (default, config))
    # Tables whose names are free, such as prices, have defaults of their own.
    differing = defaults.keys() | dict(_leaves(config.model_dump(mode="json", exclude_defaults=True))).keys()
    written_out = {f"{stage}.{key}" for stage in config.known_stages for key in ("sampling", "answer_format")}
    left = (written_out - dict(_leaves(named)).keys()) | dict(_leaves(now)).keys()
    return [key for key in values if key in differing - left and values[key] != defaults.get(key)]


def _leaves(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings with dotted names; `sampling` is one, as `settings.merge` has it."""
    for key, value in table.items():
        if isinstance(value, dict) and key != "sampling":
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
