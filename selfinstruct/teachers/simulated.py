"""The built-in teacher: the simulated server on loopback, reached like any other server.

So the demo, the tests and the benchmarks run the very path that a paid run takes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from selfinstruct.config import TeacherSettings
from selfinstruct.simulated.server import serving
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.teachers.openai_compatible import OpenAICompatible


@asynccontextmanager
async def simulated_teacher(
    settings: TeacherSettings, simulated: SimulatedSettings, max_connections: int
) -> AsyncIterator[OpenAICompatible]:
    """Start the simulated server in this process, and give the teacher that asks it."""
    async with serving(simulated.model_copy(update={"api_key": None})) as server:
        here = settings.model_copy(update={"base_url": server.base_url, "api_key_env": ""})
        teacher = OpenAICompatible(here, {}, max_connections)
        try:
            yield teacher
        finally:
            await teacher.close()
