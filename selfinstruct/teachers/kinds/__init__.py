"""Kinds of teachers, one file each, found by its name: each checks its settings and opens teachers.

class Mine(Kind):
    def check(self, stage, teacher, sampling): ...        # UsageError if the settings do not work
    async def open(self, teacher, base_url, session, stack): ...   # a Teacher, closed by `stack`

KIND = Mine()
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from selfinstruct import parts
from selfinstruct.custom import Custom
from selfinstruct.errors import UsageError
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.teachers import Teacher
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.settings import Price, RunningSettings, TeacherSettings
from selfinstruct.teachers.words import GENERATE, Words

NAMES = parts.TEACHERS


@dataclass(frozen=True)
class Session:
    """The run that teachers are opened for: its running settings, prices, and whether it uses batches."""

    running: RunningSettings
    prices: dict[str, Price] = field(default_factory=dict)
    simulated: SimulatedSettings = field(default_factory=SimulatedSettings)
    by_batches: bool = False
    words: Words = GENERATE

    def pace(self, teacher: TeacherSettings) -> Pace:
        """The limits on the calls to each server of a teacher."""
        limits = teacher.requests_per_minute, teacher.tokens_per_minute
        return Pace(self.running.concurrency, self.running.deadline_s, *limits)


class Kind:
    """A kind of teacher. Override `open`, and the defaults that do not fit.

    - `default_model`: the model if the settings name none.
    - `has_batches`: whether its servers may offer OpenAI's Batch API.
    - `holds_to_schemas`: whether its servers may constrain answers to a JSON schema; one call per run finds out.
    - `starts_process`: whether it starts a program for the run; only if the user names the kind in this command.
    - `bounds_lists`: whether lists in JSON answers are bounded by the schema; OpenAI takes that from some models only.
    - `may_refuse`: whether its servers may refuse settings that others take; a few small calls per run find out.
    """

    default_model = ""
    has_batches = False
    holds_to_schemas = True
    may_refuse = False
    starts_process = False
    bounds_lists = False

    def sampling(self, teacher: TeacherSettings, sampling: dict[str, Any]) -> dict[str, Any]:
        """Rename a stage's default sampling settings to what the servers of this kind accept."""
        return sampling

    def check(self, stage: str, teacher: TeacherSettings, sampling: dict[str, Any]) -> None:
        """Raise UsageError if this stage's teacher cannot be used. Called before the run starts."""

    async def open(self, teacher: TeacherSettings, base_url: str, session: Session, stack: AsyncExitStack) -> Teacher:
        """Return the teacher at one address; register its closing with `stack`."""
        raise NotImplementedError


def load(name: str) -> Kind:
    """The kind of that name; UsageError if it is unknown, or a custom one that was not loaded."""
    if isinstance(name, Custom):
        kind: Kind = name.code
        return kind
    if name not in NAMES:
        raise UsageError(f"There is no kind of teacher {name!r}; choose one of: {', '.join(NAMES)}.")
    return _built_in(name)


@cache
def _built_in(name: str) -> Kind:
    kind: Kind = parts.part(__name__, name, "KIND")
    return kind
