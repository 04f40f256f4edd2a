"""Many requests to one model behind a server: retried, paced and limited by the scheduler of `generate`."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import Progress

from selfinstruct.config.config import Config, parse_config
from selfinstruct.errors import TeacherError, UsageError
from selfinstruct.records import Completion, Request
from selfinstruct.teachers import kinds
from selfinstruct.teachers.openai_compatible import address_and_key
from selfinstruct.teachers.scheduler import Scheduler

# The wording of errors in `generate`, and the wording here: for a judge, and for a side.
JUDGE = {
    "The teacher": "The judge {}",
    "The simulated teacher (--teacher simulated)": "The built-in judge (--judge simulated)",
    "resume the run": "resume", "model (--model)": "--judge", "base_url (--base-url)": "--judge-base-url",
    "teacher.base_url": "--judge-base-url", "the environment variable that api_key_env names": "OPENAI_API_KEY",
}  # fmt: skip
SIDE = JUDGE | {
    "The teacher": "{}",
    "The simulated teacher (--teacher simulated)": "`selfinstruct simulate` (as simulated@URL)",
    "model (--model)": "MODEL", "base_url (--base-url)": "MODEL@URL", "teacher.base_url": "URL",
}  # fmt: skip


class Served(NamedTuple):
    """A model behind a server; "": OpenAI's, or the one in OPENAI_BASE_URL.

    `is_judge`: named by --judge and --judge-base-url, else by MODEL@URL.
    """

    model: str
    base_url: str
    is_judge: bool = True

    @property
    def config(self) -> Config:
        """The teacher settings for it; UsageError if the address is invalid. The simulated teacher needs none."""
        kind = "simulated" if self.model.startswith("simulated") and not self.base_url else "openai"
        teacher = {"kind": kind, "model": self.model, "base_url": self.base_url}
        with self.in_our_words():
            return parse_config({"teacher": teacher}, self.model)

    def check(self) -> None:
        """UsageError if it cannot be called: a bad address, or no key for OpenAI's server."""
        teacher = self.config.teacher
        if teacher.kind == "openai":
            with self.in_our_words():
                address_and_key(self.base_url, teacher.api_key_env)

    @contextmanager
    def in_our_words(self) -> Iterator[None]:
        """Errors that name the options of `compare` instead of those of `generate`."""
        try:
            yield
        except (UsageError, TeacherError) as error:
            text = str(error)
            for theirs, ours in (JUDGE if self.is_judge else SIDE).items():
                text = text.replace(theirs, ours.format(self.model))
            raise type(error)(text) from None

    def sampling(self, max_tokens: int, temperature: float) -> dict[str, Any]:
        """The sampling settings of a request's body, with the token limit under the name that the server knows."""
        teacher = self.config.teacher
        return kinds.load(teacher.kind).sampling(teacher, {"temperature": temperature, "max_tokens": max_tokens})


def ask(
    served: Served, requests: Sequence[Request], keep: Callable[[Request, Completion], None], what: str
) -> list[str]:
    """Send all `requests` and pass each answer to `keep` as it arrives; return why others got none.

    `what` is shown next to the progress bar. TeacherError if no request would be answered.
    """
    with served.in_our_words():
        return asyncio.run(_ask(served, requests, keep, what)) if requests else []


async def _ask(
    served: Served, requests: Sequence[Request], keep: Callable[[Request, Completion], None], what: str
) -> list[str]:
    config = served.config
    console = Console(stderr=True)
    async with AsyncExitStack() as stack:
        bar = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        task = bar.add_task(what, total=len(requests))
        settings = config.teacher
        session = kinds.Session(config.running, config.prices, config.simulated)
        teacher = await kinds.load(settings.kind).open(settings, settings.servers[0], session, stack)
        scheduler = Scheduler(config.running.concurrency, config.running.attempts, lambda _, attempt, __: attempt)

        async def one(request: Request) -> str:
            completion = await scheduler.complete((teacher,), request, lambda: True)
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
