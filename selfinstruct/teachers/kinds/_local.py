"""A server of a local model, started for a run, reached through the ordinary client, and stopped with the run."""

import asyncio
import contextlib
import socket
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import IO, Any, NamedTuple

import aiohttp

from selfinstruct.errors import TeacherError, TryAgain, UsageError
from selfinstruct.records import Completion, Request
from selfinstruct.teachers import Teacher
from selfinstruct.teachers.kinds import Kind, Session
from selfinstruct.teachers.openai_compatible import OpenAICompatible
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.settings import TeacherSettings
from selfinstruct.untrusted import say, visible

TIED = Path(__file__).with_name("_tied.py")
POLL_S = 0.2
EXIT_S = 1.0
QUIET_S = 2.0  # a model that loads faster is not worth a message
LAST_LINES = 5


class _Server(NamedTuple):
    """A server that was started, what it is called, and what it says."""

    name: str
    process: asyncio.subprocess.Process
    log: IO[bytes]

    def ended(self, what: str) -> TeacherError:
        """The error that it has ended, with its last words."""
        return TeacherError(f"{self.name} {what}:\n{_last_lines(self.log)}")


class Client(OpenAICompatible):
    """A client that knows whether its server still runs."""

    def __init__(self, server: _Server, *settings: Any, **options: Any):
        super().__init__(*settings, **options)
        self._server = server

    async def complete(self, request: Request) -> Completion:
        """Send `request` once, as usual; TeacherError if the server has ended."""
        try:
            return await super().complete(request)
        except TryAgain as error:
            if error.reason == "connection":
                with contextlib.suppress(TimeoutError):  # its exit is known a moment after its connections are
                    await asyncio.wait_for(self._server.process.wait(), EXIT_S)
                if self._server.process.returncode is not None:
                    raise self._server.ended(f"ended with exit code {self._server.process.returncode}") from None
            raise


class LocalServer(Kind):
    """A kind whose server is started for the run. Override `command`, `check` and, where it streams, `client`."""

    may_refuse = True
    starts_process = True
    bounds_lists = True
    label = ""
    client = Client

    def command(self, model: str, port: int, concurrency: int) -> list[str]:
        """The command that serves the model at this port of 127.0.0.1."""
        raise NotImplementedError

    def check(self, stage: str, teacher: TeacherSettings, sampling: dict[str, Any]) -> None:
        """An address is that of a server that runs already, and an option is no model."""
        if any(teacher.servers):
            raise UsageError(
                f"[{stage}]: the {self.label} teacher starts its own server, so base_url would have no effect. For a "
                'server that is running, use kind = "openai" (--teacher openai).'
            )
        if teacher.model.startswith("-"):
            raise UsageError(f"[{stage}]: {teacher.model!r} is not a model.")

    async def open(self, teacher: TeacherSettings, base_url: str, session: Session, stack: AsyncExitStack) -> Teacher:
        """Start the server, wait until the model is loaded, and return a client."""
        port = _free_port()
        command = self.command(teacher.model, port, session.running.concurrency)
        name = f"{self.label} with {teacher.model}"
        server = await _started(name, command, f"http://127.0.0.1:{port}/health", stack)
        opened = self.client(
            server,
            teacher.model_copy(update={"api_key_env": ""}), f"http://127.0.0.1:{port}/v1", session.prices,
            Pace(session.running.concurrency),  # without a deadline: the model is as fast as this machine
            max_answer_mb=session.running.max_answer_mb, words=session.words,
        )  # fmt: skip
        stack.push_async_callback(opened.close)
        return opened


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


async def _started(name: str, command: list[str], health: str, stack: AsyncExitStack) -> _Server:
    """Start a server that `stack` stops; TeacherError with its last words if it ends before it is healthy."""
    log = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(TIED), *command,
        stdin=asyncio.subprocess.PIPE, stdout=log, stderr=log,
        start_new_session=True,  # Ctrl-C stops the run, which then waits for the calls in flight
    )  # fmt: skip
    stack.push_async_callback(_stop, process)
    server = _Server(name, process, log)
    began, is_told = time.monotonic(), False
    async with aiohttp.ClientSession() as client:
        while not await _is_healthy(client, health):
            if process.returncode is not None:
                raise server.ended("could not be started")
            if not is_told and time.monotonic() - began > QUIET_S:
                is_told = True
                say(f"Starting {name} ...", file=sys.stderr)
            await asyncio.sleep(POLL_S)
    return server


async def _is_healthy(client: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with client.get(url, allow_redirects=False) as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.stdin:
        process.stdin.close()
    with contextlib.suppress(asyncio.CancelledError):
        await process.wait()


def _last_lines(log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, 2) - 10_000))
    lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(f"  {visible(line)}" for line in lines[-LAST_LINES:]) or "  it said nothing"
