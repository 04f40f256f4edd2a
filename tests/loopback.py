"""The simulated teacher on loopback, in a thread of the test's process, with the switches that tests need.

A test that kills a run, or looks at one while it works, must not depend on how fast the machine is. So the server holds
answers back after so many: a run that waits for one of them cannot be over, and what is killed then is in mid-work.
"""

import asyncio
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from aiohttp import web

from selfinstruct.simulated.server.app import make_app
from selfinstruct.simulated.settings import SimulatedSettings
from tests.forks import Forked

HANG_S = 900  # what takes longer than this will never come about; no test depends on it otherwise


class _Loop(asyncio.SelectorEventLoop):
    """Its clock can be put forward."""

    ahead_s = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_s


class Loopback:
    """A running server."""

    def __init__(self, settings: SimulatedSettings):
        self.url = ""
        self.held = 0
        """How many answers are held back now."""
        self._settings = settings
        self._let_through: int | None = None
        self._loop = _Loop()
        self._changed = asyncio.Event()

    def hold(self, after: int = 0) -> None:
        """Let so many answers through, those that are held back first, and hold back all others."""
        self._do(self._let(after))

    def release(self) -> None:
        """Let all answers through."""
        self._do(self._let(None))

    async def _let(self, through: int | None) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        self._let_through = through
        changed.set()
        await asyncio.sleep(0)  # those that were held back look again

    def pass_time(self, seconds: float) -> None:
        """Put the server's clock forward, by which its batches are done."""

        async def put() -> None:
            self._loop.ahead_s += seconds

        self._do(put())

    def change(self, **settings: Any) -> None:
        """Other settings from now on."""
        self._settings.__dict__.update(settings)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(HANG_S)

    async def _start(self) -> web.AppRunner:
        app = make_app(self._settings)
        app.middlewares.append(self._middleware())
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        return runner

    def _middleware(self) -> Any:
        @web.middleware
        async def hold_back(request: web.Request, handler: Callable[..., Any]) -> web.StreamResponse:
            response = await handler(request)
            if request.method == "POST":
                while self._let_through == 0:
                    self.held += 1
                    try:
                        await self._changed.wait()
                    finally:
                        self.held -= 1
                if self._let_through is not None:
                    self._let_through -= 1
            return response

        return hold_back

    def work(self, started: threading.Event) -> None:
        """Serve until `stop`: what the thread does."""
        asyncio.set_event_loop(self._loop)
        runner = self._loop.run_until_complete(self._start())
        started.set()
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(runner.cleanup())
        finally:
            self._loop.close()

    def stop(self) -> None:
        """End `work`."""
        self._loop.call_soon_threadsafe(self._loop.stop)


@contextmanager
def loopback(settings: str = "") -> Iterator[Loopback]:
    """A server in a thread; `settings` are lines of the [simulated] table."""
    server, started = Loopback(SimulatedSettings.model_validate(tomllib.loads(settings))), threading.Event()
    thread = threading.Thread(target=server.work, args=[started])
    thread.start()
    assert started.wait(HANG_S)
    try:
        yield server
    finally:
        server.stop()
        thread.join(HANG_S)


def wait_until(condition: Callable[[], Any], process: Forked | None = None) -> Any:
    """Wait until the condition holds, while the process lives; gives what it found."""
    end = time.monotonic() + HANG_S
    while not (found := condition()):
        assert process is None or process.poll() is None, f"it ended too early: {process.communicate()}"
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.01)
    return found


@contextmanager
def working(
    command: Sequence[str], stdout: int | None = subprocess.DEVNULL, stderr: int | None = None
) -> Iterator[Forked]:
    """A command at work (tests/forks.py). Where the test fails it is killed, or it might wait for ever."""
    with Forked(command, stdout, stderr) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def command_after(prelude: str, *arguments: object) -> list[str]:
    """`selfinstruct ARGUMENTS` in a process of its own that carries out some lines of Python first."""
    code = f"{prelude}\nfrom selfinstruct.cli import main\nmain()"
    return [sys.executable, "-c", code, *map(str, arguments)]


def kill(process: Forked) -> None:
    """Kill a process that is still at work."""
    assert process.poll() is None, f"it was over before it could be killed: {process.communicate()}"
    process.kill()
    process.communicate()
