"""The built-in teacher: the simulated server on loopback, reached like any other server.

So the demo, the tests and the benchmarks run the very path that a paid run takes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from selfinstruct.config.config import Price, TeacherSettings
from selfinstruct.simulated.server.app import serving
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.teachers.openai_compatible import OpenAICompatible
from selfinstruct.teachers.pacing import Pace


@asynccontextmanager
async def simulated_teacher(
    settings: TeacherSettings, simulated: SimulatedSettings, prices: dict[str, Price], pace: Pace, is_batch: bool
) -> AsyncIterator[OpenAICompatible]:
    """Start the simulated server in this process, and give the teacher that asks it."""
    async with serving(simulated.model_copy(update={"api_key": None})) as server:
        here = settings.model_copy(update={"api_key_env": ""})
        teacher = OpenAICompatible(here, server.base_url, prices, pace, is_batch)
        try:
            yield teacher
        finally:
            await teacher.close()
