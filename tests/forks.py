"""Commands in processes of their own, forked from one that has imported what they need: it saves each of them a second.

That one is a server of multiprocessing's: it has no threads, and holds nothing that tests have open.
"""

import ctypes
import multiprocessing
import os
import runpy
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Self, TextIO

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["selfinstruct.cli", "selfinstruct.runs.generate", "selfinstruct.audit.server"])


class Forked:
    """`python -m MODULE ...` or `python -c CODE ...`, with what tests use of a Popen; what it prints is text."""

    def __init__(
        self,
        command: Sequence[str],
        stdout: int | None = None,
        stderr: int | None = None,
        as_anyone: bool = False,
    ):
        self.stdout, out = _ends(stdout, 1)
        self.stderr, errors = _ends(stderr, out.fileno() if stderr == subprocess.STDOUT else 2)
        self._process = _SERVER.Process(target=_run, args=(command[1:], dict(os.environ), as_anyone, out, errors))
        self._process.start()
        out.close()
        errors.close()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self._process.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self) -> list[str | None]:
        said = [stream and stream.read() for stream in (self.stdout, self.stderr)]
        self.__exit__()
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()


def _ends(wanted: int | None, number: int) -> tuple[TextIO | None, Connection]:
    """Where the test reads what is printed to this file, if it wants to, and where the process writes it."""
    if wanted == subprocess.PIPE:
        ours, theirs = os.pipe()
        return os.fdopen(ours, encoding="utf-8"), Connection(theirs, readable=False)
    place = os.open(os.devnull, os.O_WRONLY) if wanted == subprocess.DEVNULL else os.dup(number)
    return None, Connection(place, readable=False)


def _give_up_capabilities() -> None:
    """Leave root without its right to read and write anything (capabilities(7)); others never have it."""
    if os.geteuid() == 0:
        version_3, all_of_none = struct.pack("Ii", 0x20080522, 0), bytes(24)
        if ctypes.CDLL(None).capset(version_3, all_of_none):
            raise OSError("capset failed")


def _run(command: list[str], environment: dict[str, str], as_anyone: bool, *printed: Any) -> None:
    if as_anyone:
        _give_up_capabilities()
    os.environ.clear()
    os.environ.update(environment)
    for number, end in enumerate(printed, 1):
        os.dup2(end.fileno(), number)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False, buffering=1)
    kind, what, *arguments = command
    sys.argv = [kind, *arguments]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__")
    else:
        exec(what, {"__name__": "__main__"})
