"""Many requests to one model behind a server: retried, paced and limited by the scheduler of `generate`.

The first request finds out what the server refuses (a temperature, `max_tokens`); the others are sent without it.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from selfinstruct.config.config import Config, parse_config
from selfinstruct.errors import TeacherError, UsageError
from selfinstruct.records import Completion, Request
from selfinstruct.settings import plain
from selfinstruct.teachers import Teacher, kinds
from selfinstruct.teachers.openai_compatible import address_and_key
from selfinstruct.teachers.probing import EDITS_MOST, Probed
from selfinstruct.teachers.refused import Edit, edited, edits_for
from selfinstruct.teachers.scheduler import Scheduler
from selfinstruct.teachers.settings import TeacherSettings
from selfinstruct.teachers.words import Words
from selfinstruct.untrusted import visible

RESUME = "Run the same command again to resume."


class Served(NamedTuple):
    """A model behind a server; "": OpenAI's, or the one in OPENAI_BASE_URL.

    `is_judge`: named by --judge and --judge-base-url, else by MODEL@URL.
    """

    model: str
    base_url: str
    is_judge: bool = True

    @property
    def words(self) -> Words:
        """What its parts are called in messages."""
        if self.is_judge:
            built_in = "The built-in judge (--judge simulated)"
            return Words(f"The judge {self.model}", "--judge", "--judge-base-url", built_in, RESUME, has_sampling=False)
        simulated = "`selfinstruct simulate` (as simulated@URL)"
        return Words(self.model, "MODEL", "MODEL@URL", simulated, RESUME, has_sampling=False)

    @property
    def config(self) -> Config:
        """The teacher settings for it; UsageError if the address is invalid. The simulated teacher needs none."""
        kind = "simulated" if self.model.startswith("simulated") and not self.base_url else "openai"
        teacher = {"kind": kind, "model": self.model, "base_url": self.base_url}
        try:
            TeacherSettings.model_validate(teacher)
        except ValidationError as error:
            message = plain(error.errors()[0]["msg"])
            raise UsageError(f"{self.model}: {self.words.base_url}: {message}") from None
        return parse_config({"teacher": teacher}, self.model)

    def check(self) -> None:
        """UsageError if it cannot be called: a bad address, or no key for OpenAI's server."""
        teacher = self.config.teacher
        if teacher.kind == "openai":
            address_and_key(self.base_url, teacher.api_key_env, self.words)

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
    return asyncio.run(_ask(served, requests, keep, what)) if requests else []


async def _ask(
    served: Served, requests: Sequence[Request], keep: Callable[[Request, Completion], None], what: str
) -> list[str]:
    config = served.config
    console = Console(stderr=True)
    async with AsyncExitStack() as stack:
        bar = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        task = bar.add_task(what, total=len(requests))

        def tell(line: str) -> None:
            console.print(visible(line), markup=False, highlight=False, soft_wrap=True)

        settings = config.teacher
        session = kinds.Session(config.running, config.prices, config.simulated, words=served.words)
        kind = kinds.load(settings.kind)
        teacher = await kind.open(settings, settings.servers[0], session, stack)
        scheduler = Scheduler(
            config.running.concurrency, config.running.attempts, lambda _, attempt, __: attempt,
            tell=tell, words=served.words,
        )  # fmt: skip

        def take(request: Request, completion: Completion) -> str:
            if not completion.error:
                keep(request, completion)
            bar.advance(task)
            return completion.error or ""

        errors: list[str] = []
        edits: list[Edit] = []
        if kind.may_refuse:
            first, requests = requests[0], requests[1:]
            completion = await _accepted(Probed(teacher, config.running.attempts), scheduler, first, edits, tell)
            if (completion.error or "").startswith("http_4"):
                raise TeacherError(served.words.refused(f"{served.words.teacher}: {completion.error}", first.stage, {}))
            errors.append(take(first, completion))

        async def one(request: Request) -> str:
            sent = replace(request, sampling=edited(request.sampling, edits))
            return take(request, await scheduler.complete((teacher,), sent, lambda: True))

        calls = [asyncio.create_task(one(request)) for request in requests]
        try:
            return [error for error in (*errors, *await asyncio.gather(*calls)) if error]
        finally:
            for call in calls:
                call.cancel()
            if calls:
                await asyncio.wait(calls)


async def _accepted(
    teacher: Teacher, scheduler: Scheduler, request: Request, edits: list[Edit], tell: Callable[[str], None]
) -> Completion:
    """The answer to `request`, without what the server refuses; that goes to `edits`, for all other requests."""
    while True:
        body = edited(request.sampling, edits)
        completion = await scheduler.complete((teacher,), replace(request, sampling=body), lambda: True)
        new = [edit for edit in edits_for(body, completion.error or "") if edit.of(body) != body]
        if not new or len(edits) >= EDITS_MOST:
            return completion
        edits += new
        for edit in new:
            problem = (completion.error or "").partition(": ")[2]
            tell(f"Requests to {request.model} are sent {edit}, because its server says: {problem}")
