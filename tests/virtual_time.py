"""An event loop whose clock jumps ahead whenever everybody sleeps: minutes of pauses take no time."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from aiohttp import web

from selfinstruct.teachers.openai_compatible import OpenAICompatible


class JumpingSelector(selectors.DefaultSelector):
    """Instead of sleeping, note how long it would have slept; but wait for messages that are on their way."""

    skipped = 0.0

    def __init__(self, is_quiet: Callable[[], bool] = lambda: True):
        super().__init__()
        self.is_quiet = is_quiet

    def select(self, timeout=None):
        may_jump = timeout is None or timeout <= 0 or self.is_quiet()
        events = super().select(0 if may_jump and timeout is not None else None)
        if not events and timeout and timeout > 0:
            self.skipped += timeout
        return events


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its clock stands still while anybody has something to do."""

    def __init__(self, is_quiet: Callable[[], bool] = lambda: True):
        self.jumping = JumpingSelector(is_quiet)
        super().__init__(self.jumping)

    def time(self):
        return self.jumping.skipped


def play(scene: Coroutine):
    """Run a scene to its end; pauses cost no time."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(scene)


async def settle():
    """Let everybody do what they can do without time passing."""
    for _ in range(100):
        await asyncio.sleep(0)


class Traffic:
    """How many calls of teachers are under way, and how many of them have arrived at a server of this process."""

    def __init__(self) -> None:
        self.asked = self.arrived = 0

    def is_quiet(self) -> bool:
        """Whether no request and no answer is on its way: whoever waits waits for time to pass."""
        return self.asked == self.arrived

    @contextmanager
    def watched(self):
        complete, setup = OpenAICompatible.complete, web.AppRunner.setup

        async def asking(teacher: OpenAICompatible, request: Any) -> Any:
            self.asked += 1
            try:
                return await complete(teacher, request)
            finally:
                self.asked -= 1

        @web.middleware
        async def answering(request: web.Request, handler: Any) -> web.StreamResponse:
            await request.read()
            self.arrived += 1
            try:
                return await handler(request)
            finally:
                self.arrived -= 1

        async def set_up(runner: web.AppRunner) -> None:
            runner.app.middlewares.append(answering)
            await setup(runner)

        with patch.object(OpenAICompatible, "complete", asking), patch.object(web.AppRunner, "setup", set_up):
            yield self


def play_with_servers(scene: Coroutine):
    """Run a scene with teachers and servers of theirs, on loopback in the same loop, to its end.

    The clock jumps ahead only while every call that was sent has arrived at a server, which takes its time or stalls.
    So a call is late if the server makes it late, and never because the machine is slow.
    """
    with Traffic().watched() as traffic:
        loop = functools.partial(JumpingLoop, traffic.is_quiet)
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(scene)


def on_virtual_time(test: Callable[..., Coroutine]) -> Callable[..., None]:
    """Make a test out of a scene."""

    @functools.wraps(test)
    def played(*arguments: Any, **named: Any) -> None:
        play(test(*arguments, **named))

    return played


def on_virtual_time_with_servers(test: Callable[..., Coroutine]) -> Callable[..., None]:
    """Make a test out of a scene with teachers and servers."""

    @functools.wraps(test)
    def played(*arguments: Any, **named: Any) -> None:
        play_with_servers(test(*arguments, **named))

    return played
