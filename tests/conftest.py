"""What several tests share: the command line as a user runs it, and simulated servers in processes of their own."""

import asyncio
import functools
import gc
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.request import urlopen

import hypothesis
import pytest
import typer.main

from selfinstruct.asking.prompts import Prompts, read_prompts, shipped
from selfinstruct.asking.stages import Prompt
from selfinstruct.cli import main
from selfinstruct.rows import seeds
from selfinstruct.strategies import load
from tests.forks import Forked
from tests.loopback import HANG_S, loopback

# What the imports and the collection make stays: no need to look for garbage in it, until it is done.
gc.disable()
# A script's background ignores Ctrl-C, and so would the commands that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The commands are the same each time: made once for the thousands of times that tests call them.
typer.main.get_command = functools.cache(typer.main.get_command)
# So are the seed tasks that come along: read once for all runs that begin with them. Other files are read each time.
_parse_seeds, _parse_once = seeds.parse_seeds, functools.cache(seeds.parse_seeds)
_SHIPPED = shipped("seeds") / "seeds.jsonl"
seeds.parse_seeds = lambda path: _parse_once(path) if path == _SHIPPED else _parse_seeds(path)
# An example may take as long as it does: how fast a machine is decides nothing.
# The examples are the same each time, so that a change fails for what it changes: SEARCH=1 looks for others.
hypothesis.settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize="SEARCH" not in os.environ,
)
hypothesis.settings.load_profile("patient")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests wait for the servers and the processes that they start."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the room whose files take longest, so that no process is left with one of them at the end."""
    items.sort(key=lambda item: item.path.parent.name != "teachers")


def pytest_collection_finish() -> None:
    """Let the garbage collector leave alone what was made so far: torch alone is a million objects."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(50_000)


@pytest.fixture(autouse=True, scope="session")
def state_of_ones_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the tests let the program remember is nobody's."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


COMMAND = [sys.executable, "-m", "selfinstruct"]
# Seed tasks for runs that need no more: with the 175 that come along, a small run compares and stores little else.
FEW_SEEDS = Path(__file__).parent / "data/few_seeds.jsonl"


def run_cli(
    *arguments: object,
    timeout: float = HANG_S,
    prefix: Sequence[str] = (),
    as_anyone: bool = False,
    env: Mapping[str, str] | None = None,
    **options: object,
) -> subprocess.CompletedProcess[str]:
    """Run `selfinstruct ARGUMENTS` to its end, without a terminal.

    In this process, which saves the start-up; in one of its own where it is started by another command (`prefix`), or
    with options of subprocess.run; `as_anyone`: in one that cannot read and write whatever root can.
    """
    if as_anyone:
        assert not (prefix or env or options), "as_anyone takes none of these"
        pipe = subprocess.PIPE
        with Forked([*COMMAND, *map(str, arguments)], pipe, pipe, as_anyone=True) as process:
            output, errors = process.communicate()
        return subprocess.CompletedProcess(arguments, process.returncode or 0, output, errors)
    if not prefix and not options:
        with patch.dict(os.environ, env or os.environ, clear=True):
            return run_here([str(argument) for argument in arguments])
    command = [*prefix, *COMMAND, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=env, **options)


def run_here(arguments: list[str], together: bool = False) -> subprocess.CompletedProcess[str]:
    """Call the command line's entry point as the installed script does; `together`: errors go where the output goes."""
    before, sys.argv = sys.argv, ["selfinstruct", *arguments]
    with redirect_stdout(io.StringIO()) as output, redirect_stderr(output if together else io.StringIO()) as errors:
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.argv = before
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), "" if together else errors.getvalue())


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, driven by playwright. Skips where either is missing; a browser is never downloaded."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs pip install playwright")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        pytest.skip("needs chromium, or google-chrome, on the PATH: apt-get install chromium")
    arguments = [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
    ]  # fmt: skip
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=arguments)
        new_page = browser.new_page

        def patient_page(**options: Any) -> Any:
            page = new_page(**options)
            page.set_default_timeout(1000 * HANG_S)
            return page

        browser.new_page = patient_page
        yield browser
        browser.close()


@pytest.fixture
def cli() -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line; asserts that it succeeds unless `code` says what else is expected."""

    def run(*arguments: object, code: int = 0, **options: object) -> subprocess.CompletedProcess[str]:
        result = run_cli(*arguments, **options)
        assert result.returncode == code, f"exit code {result.returncode}\n{result.stdout}\n{result.stderr}"
        assert "Traceback" not in result.stderr
        return result

    return run


@contextmanager
def simulated_server(settings: str = "", folder: Path | None = None) -> Iterator[str]:
    """A simulated server in a thread of this process; `settings` are lines of the [simulated] table. Gives its URL.

    With switches to hold its answers back: tests.loopback. In a process of its own, as a user starts it: `simulate`.
    """
    with loopback(settings) as server:
        yield server.url


@contextmanager
def simulate(*arguments: object) -> Iterator[str]:
    """`selfinstruct simulate ARGUMENTS` in a process of its own. Gives its URL."""
    command = [*COMMAND, "simulate", "--port", "0", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            yield re.search(r"http://\S+/v1", line).group()
        finally:
            process.terminate()
            process.wait(HANG_S)


def server_calls(base_url: str) -> dict:
    """What the simulated server at `base_url` has counted."""
    with urlopen(base_url.removesuffix("/v1") + "/simulated/calls") as answer:
        return json.load(answer)


async def until(happened: Callable[[], object]) -> None:
    """Wait for what other tasks of this event loop bring about."""
    while not happened():  # noqa: ASYNC110 - a server's counts give no event
        await asyncio.sleep(0.005)


def environment(**variables: str) -> dict[str, str]:
    """This process's environment without any key, with `variables`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    return {**kept, **variables}


def prompts_of(strategy: str) -> list[Prompt]:
    """The prompts that a strategy declares."""
    return [prompt for stage in load(strategy).stages for prompt in stage.prompts]


def prompt_files(strategy: str, *endpoints: str) -> list[tuple[str, Prompt]]:
    """The prompts that a strategy declares, by the names of their files."""
    return [(f"{endpoint}/{prompt.name}", prompt) for endpoint in endpoints for prompt in prompts_of(strategy)]


def shipped_prompts(strategy: str, *endpoints: str) -> Prompts:
    """The prompts that come along, of a strategy."""
    return Prompts(read_prompts(shipped("prompts"), prompt_files(strategy, *endpoints)))


def json_lines(text: str) -> list[dict]:
    """The JSON values of a text, one a line."""
    return [json.loads(line) for line in text.split("\n") if line]


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch in one thread: models as small as those of the tests are slower with more."""
    import torch  # which takes seconds, and few tests need it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny model that has list numbers among its tokens. It is not to be changed."""
    from tests.tiny_model import MARKS, write_model

    folder = tmp_path_factory.mktemp("models") / "lists"
    write_model(folder, MARKS)
    return folder


@pytest.fixture
def lists_copy(lists: Path, tmp_path: Path) -> Path:
    """A copy of that folder, to be changed."""
    return Path(shutil.copytree(lists, tmp_path / "model"))
