"""A server that speaks OpenAI's protocol: OpenAI's own, or any other at `base_url`."""

from contextlib import AsyncExitStack
from typing import Any

from selfinstruct.teachers import Teacher
from selfinstruct.teachers.kinds import Kind, Session
from selfinstruct.teachers.settings import OPENAI_HOST, TeacherSettings


class OpenAI(Kind):
    """OpenAI-compatible servers, at one address or several."""

    has_batches = True
    may_refuse = True

    def sampling(self, teacher: TeacherSettings, sampling: dict[str, Any]) -> dict[str, Any]:
        """OpenAI's newer models reject max_tokens; most other servers accept nothing else."""
        if teacher.endpoint == "chat" and set(teacher.servers) <= {"", OPENAI_HOST}:
            return {("max_completion_tokens" if k == "max_tokens" else k): v for k, v in sampling.items()}
        return sampling

    def check(self, stage: str, teacher: TeacherSettings, sampling: dict[str, Any]) -> None:
        """Check each address and its key."""
        from selfinstruct.teachers.openai_compatible import address_and_key

        for server in teacher.servers:
            address_and_key(server, teacher.api_key_env)

    async def open(self, teacher: TeacherSettings, base_url: str, session: Session, stack: AsyncExitStack) -> Teacher:
        """A client of the server."""
        from selfinstruct.teachers.openai_compatible import OpenAICompatible

        opened = OpenAICompatible(
            teacher, base_url, session.prices, session.pace(teacher),
            is_batch=session.by_batches, max_answer_mb=session.running.max_answer_mb, words=session.words,
        )  # fmt: skip
        stack.push_async_callback(opened.close)
        return opened


KIND = OpenAI()
