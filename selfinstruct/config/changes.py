"""Which settings affect the data, and until when each of them may change, as declared by their fields.

filters, profile, test sets           until a candidate was filtered
a stage's teacher and sampling        until that stage was answered
everything else that affects the data until any stage was answered
how a run is carried out              at any time
"""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

from selfinstruct.config.config import Config
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
