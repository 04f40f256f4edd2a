"""What a process does while it is watched, by Python's audit hooks: what it starts, opens, moves and connects to."""

import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfinstruct.runs import trust

TEMPORARY = Path(tempfile.gettempdir()).resolve()
SECRETS = {"OPENAI_API_KEY": "sk-0a1b2c3d4e5f60718293", "AWS_SECRET_ACCESS_KEY": "aws-9f8e7d6c5b4a32100"}
PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.startfile",
             "pty.spawn", "webbrowser.open")  # fmt: skip
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
           "shutil.rmtree", "shutil.move", "shutil.copyfile")  # fmt: skip


class Watch:
    """What a process does while it is watched, and is not in `allowed` folders."""

    def __init__(self):
        self.allowed: tuple[Path, ...] | None = None
        self.found: list[str] = []

    def hook(self, event: str, args: tuple) -> None:
        if self.allowed is None:
            return
        if event in PROCESSES:
            self.found.append(f"{event} {args}")
        elif event == "socket.connect":
            address = args[1]
            if not (isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1")):
                self.found.append(f"{event} {address}")
        elif event == "open" and isinstance(args[0], str | bytes) and self._writes(args):
            self._check(event, args[0])
        elif event in CHANGES:
            for path in args[: 2 if event in ("os.rename", "shutil.move", "os.link") else 1]:
                self._check(event, path)
        elif event == "sqlite3.connect":
            self._check(event, args[0])

    @staticmethod
    def _writes(args: tuple) -> bool:
        _, mode, flags = args
        by_mode = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        return by_mode or bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

    def _check(self, event: str, path) -> None:
        if isinstance(path, int):
            return
        name = os.fsdecode(path)
        if name in ("/dev/null", ":memory:", "") or name.startswith("file:"):
            return
        # Where it ends, links and all; but a link itself is renamed or removed, not what it leads to.
        real = Path(os.path.realpath(name)) if event in ("open", "sqlite3.connect") else _beside(name)
        if str(real).startswith(f"{TEMPORARY}/selfinstruct-verify-"):
            return  # the copy in which `verify` reads the answers again
        if not any(real.is_relative_to(folder) for folder in self.allowed or ()):
            self.found.append(f"{event} {name} -> {real}")


def _beside(name: str) -> Path:
    return Path(name).parent.resolve() / Path(name).name


WATCH = Watch()
sys.addaudithook(WATCH.hook)


@contextmanager
def watched(*allowed: Path):
    WATCH.found, WATCH.allowed = [], tuple(path.resolve() for path in allowed)
    try:
        yield WATCH.found
    finally:
        WATCH.allowed = None


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Somebody with secrets, who has trusted nobody yet, and has a file of his own."""
    monkeypatch.setattr(trust, "_confirmed", set())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "victim").write_text("mine")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # of modules that a command is the first to import
