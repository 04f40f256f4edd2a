"""The kinds of teachers, one file each, found by its name: the check before money is spent, and its opening.

class Mine(Kind):
    def check(self, stage, teacher, sampling): ...        # UsageError where it cannot be asked
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

NAMES = parts.TEACHERS


@dataclass(frozen=True)
class Session:
    """What a teacher is opened for: how the run is carried out, what models cost, whether by batches."""

    running: RunningSettings
    prices: dict[str, Price] = field(default_factory=dict)
    simulated: SimulatedSettings = field(default_factory=SimulatedSettings)
    by_batches: bool = False

    def pace(self, teacher: TeacherSettings) -> Pace:
        """How fast each of a teacher's servers may be called."""
        limits = teacher.requests_per_minute, teacher.tokens_per_minute
        return Pace(self.running.concurrency, self.running.deadline_s, *limits)


class Kind:
    """A kind of teacher. What it says of itself here is what most do."""

    default_model = ""  # asked where the user names none
    has_batches = False  # whether its server may have OpenAI's Batch API
    holds_to_schemas = True  # whether its server may hold an answer to a JSON schema: it is asked once

    def sampling(self, teacher: TeacherSettings, sampling: dict[str, Any]) -> dict[str, Any]:
        """A stage's default sampling settings, under the names that this kind's servers know."""
        return sampling

    def check(self, stage: str, teacher: TeacherSettings, sampling: dict[str, Any]) -> None:
        """UsageError where this stage's teacher cannot be asked; before a run is begun for it."""

    async def open(self, teacher: TeacherSettings, base_url: str, session: Session, stack: AsyncExitStack) -> Teacher:
        """The teacher behind one address; `stack` closes it."""
        raise NotImplementedError


def load(name: str) -> Kind:
    """The kind of that name; UsageError where there is none, or where it is a user's own that was not loaded."""
    if isinstance(name, Custom):
        kind: Kind = name.code
        return kind
    if name not in NAMES:
        raise UsageError(f"There is no kind of teacher {name!r}; known are {', '.join(NAMES)}.")
    return _built_in(name)


@cache
def _built_in(name: str) -> Kind:
    kind: Kind = parts.part(__name__, name, "KIND")
    return kind
