"""Many requests to one model behind a server: retried, paced and limited by the scheduler of `generate`."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress

from selfinstruct.config import Config, parse_config
from selfinstruct.generate import open_teachers
from selfinstruct.records import Completion, Request
from selfinstruct.scheduler import Scheduler
from selfinstruct.teachers.openai_compatible import address_and_key


class Served(NamedTuple):
    """A model behind a server; "" is OpenAI's own, or the one that OPENAI_BASE_URL names."""

    model: str
    base_url: str

    @property
    def config(self) -> Config:
        """The settings to ask it with; UsageError where the address is none. The simulated teacher needs none."""
        kind = "simulated" if self.model.startswith("simulated") and not self.base_url else "openai"
        teacher = {"kind": kind, "model": self.model, "base_url": self.base_url}
        return parse_config({"teacher": teacher}, self.model)

    def check(self) -> None:
        """UsageError where it cannot be asked: a bad address, no key for OpenAI's own."""
        teacher = self.config.teacher
        if teacher.kind == "openai":
            address_and_key(self.base_url, teacher.api_key_env)

    def sampling(self, max_tokens: int, temperature: float) -> dict[str, Any]:
        """What goes into a request's body; the limit under the name that the server knows."""
        names = self.config.stage("instances").sampling
        return {name: temperature if name == "temperature" else max_tokens for name in names}


def ask(
    served: Served, requests: Sequence[Request], keep: Callable[[Request, Completion], None], what: str
) -> list[str]:
    """Ask all of `requests` and hand each answer to `keep` as it comes; why others got none.

    `what` stands beside the bar. TeacherError where no request would be answered.
    """
    return asyncio.run(_ask(served, requests, keep, what)) if requests else []


async def _ask(
    served: Served, requests: Sequence[Request], keep: Callable[[Request, Completion], None], what: str
) -> list[str]:
    config = served.config
    console = Console(stderr=True)
    async with AsyncExitStack() as stack:
        bar = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        task = bar.add_task(what, total=len(requests))
        teachers = (await open_teachers(config, stack))["instances", served.model]
        scheduler = Scheduler(config.running.concurrency, config.running.attempts, lambda _, attempt, __: attempt)

        async def one(request: Request) -> str:
            completion = await scheduler.complete(teachers, request, lambda: True)
            if not completion.error:
                keep(request, completion)
            bar.advance(task)
            return completion.error or ""

        calls = [asyncio.create_task(one(request)) for request in requests]
        try:
            return [error for error in await asyncio.gather(*calls) if error]
        finally:
            for call in calls:
                call.cancel()
            await asyncio.wait(calls)
