"""The built-in teacher: the simulated server on loopback, called like any other server.

So the demo, the tests and the benchmarks run the same code as a paid run.
"""

from contextlib import AsyncExitStack
from typing import Any

from selfinstruct.errors import UsageError
from selfinstruct.teachers import Teacher
from selfinstruct.teachers.kinds import Kind, Session
from selfinstruct.teachers.settings import TeacherSettings


class Simulated(Kind):
    """The simulated teacher: in this process, or `selfinstruct simulate` at an address."""

    default_model = "simulated"
    has_batches = True

    def check(self, stage: str, teacher: TeacherSettings, sampling: dict[str, Any]) -> None:
        """Check the model's name."""
        if not teacher.model.startswith(self.default_model):
            raise UsageError(
                f"model = {teacher.model!r} (--model): the simulated teacher has no such model. Leave it out, or use a "
                "name that begins with simulated."
            )

    async def open(self, teacher: TeacherSettings, base_url: str, session: Session, stack: AsyncExitStack) -> Teacher:
        """Start the server unless an address is given; return a client of it."""
        from selfinstruct.simulated.server.app import serving
        from selfinstruct.teachers.openai_compatible import OpenAICompatible

        if not base_url:
            here = session.simulated.model_copy(update={"api_key": None})
            base_url = (await stack.enter_async_context(serving(here))).base_url
            teacher = teacher.model_copy(update={"api_key_env": ""})
        opened = OpenAICompatible(
            teacher, base_url, session.prices, session.pace(teacher),
            is_batch=session.by_batches, max_answer_mb=session.running.max_answer_mb, words=session.words,
        )  # fmt: skip
        stack.push_async_callback(opened.close)
        return opened


KIND = Simulated()
