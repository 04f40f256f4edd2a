"""Other tools that ask a teacher many things, beside ours: how fast, at what cost, and what is left after faults.

    python benchmarks/peers.py --envs /tmp/envs [--calls 2000] [--scenario 1] [--only curator]

The requests that make the instances of a prepared run (throughput.py; about 750 tokens each) are sent to the simulated
server, 256 at a time, by

    selfinstruct   `selfinstruct generate` on a copy of that run, with everything that it does besides
    openai         the openai client alone, max_retries=6; a second run of it knows nothing of the first: not in 3
    distilabel     one TextGeneration step in batches of 256, its own retries
    curator        one LLM with its own retries, told the server's limit and not to insist on all rows

distilabel and curator send the same messages with few of the settings, each from an environment of its own, which pip
makes under --envs once. Each client has a server of its own on the last core, and the other cores for itself. Not
covered: batch APIs, answers in JSON, other ways to tell these tools of limits. Linux only.

start-up is the time until the first call, nan where there was none; the wall time goes on from there to the end of the
process, rows written. CPU is that of the wall time, and the peak that of all processes together, each shared page
counted once. A row is an answer that the user gets, in the file or in the store. answered, 429, 400, 500 and again
(answers to what had been answered before) are the server's count, in scenario 3 of both runs together; with curator
one 400 of each run is its question for the limits.
"""

import argparse
import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from serving import calls, server
from throughput import prepare

SCRIPTS = Path(__file__).parent / "peers"
IN_FLIGHT = 256
NO_LIMIT = 1_000_000  # requests per minute
SAMPLE_S = 0.25  # between two looks at the memory, each of which takes about 8 ms of CPU
# What pip needs to be told. distilabel imports requests and bs4 without naming them, and silences the log of httpx,
# not that of its successor httpx2: with openai 3 it would log each call.
PACKAGES = {
    "distilabel": (
        "distilabel[openai]==1.5.3 openai==1.109.1 requests==2.34.2 beautifulsoup4==4.15.0 datasets==5.2.0 "
        "huggingface_hub==2.4.0 pydantic==2.14.3 universal_pathlib==0.3.10 multiprocess==0.70.19 httpx==0.28.1"
    ),
    "curator": "bespokelabs-curator==0.1.31 litellm==1.83.7 openai==2.30.0 datasets==3.6.0 aiohttp==3.13.5",
}
CLIENTS = ("selfinstruct", "openai", "distilabel", "curator")


class Scenario(NamedTuple):
    number: int
    title: str
    server: dict[str, float]
    requests_per_minute: int = NO_LIMIT
    most_calls: int = sys.maxsize
    killed: bool = False


class Outcome(NamedTuple):
    exit: str
    startup_s: float
    wall_s: float
    cpu_s: float
    peak_mb: float


class Tree(NamedTuple):
    """A process and its descendants, now."""

    cpu_s: float
    mb: float


def scenarios(calls: int) -> list[Scenario]:
    # A share of requests is drawn by their digests: with three expected, one time in twenty is there none.
    slow = {"latency_s": 0.1}
    return [
        Scenario(1, "500 ms latency", {"latency_s": 0.5}),
        Scenario(1, "no latency", {}),
        Scenario(2, f"{3 / calls:.2%} of the requests always answered 400", slow | {"poison_share": 3 / calls}),
        Scenario(2, "5% of calls answered 500", slow | {"error_share": 0.05}),
        Scenario(
            2, "200 calls per second, Retry-After 1", slow | {"rate_limit_per_s": 200, "retry_after_s": 1}, 12_000
        ),
        Scenario(2, "600 calls per minute", slow | {"rate_limit_per_minute": 600}, 600, most_calls=900),
        Scenario(3, "500 ms latency, kill -9 at half of the answers, run again", {"latency_s": 0.5}, killed=True),
    ]


def main() -> None:
    arguments = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the processes it has started end with it
    with tempfile.TemporaryDirectory() as name:
        for scenario in scenarios(arguments.calls):
            if arguments.scenario in (None, scenario.number):
                compare(scenario, arguments.only or CLIENTS, Path(name), arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--scenario", type=int, choices=(1, 2, 3))
    parser.add_argument("--only", action="append", choices=CLIENTS, help="may be repeated")
    parser.add_argument("--envs", type=Path, help="folder of the other tools' environments; a temporary one without")
    parser.add_argument("--timeout", type=float, default=300, help="seconds that one client may take")
    return parser.parse_args()


def compare(scenario: Scenario, names: Sequence[str], folder: Path, arguments: argparse.Namespace) -> None:
    """One scenario, each client in turn against a server of its own."""
    n_calls = min(arguments.calls, scenario.most_calls)
    prepared = folder / f"prepared-{n_calls}"
    if not prepared.exists():
        prepared.mkdir()
        prepare(prepared, n_calls // 2)
    n_calls = len(json.loads((prepared / "bodies.json").read_text()))
    print(
        f"\n{scenario.number}. {n_calls} calls, {IN_FLIGHT} in flight: {scenario.title} (selfinstruct: a prepared run)"
    )
    print(
        f"{'':<14}{'start-up s':>10}{'wall s':>9}{'calls/s':>9}{'CPU s per 1,000':>17}{'peak MB':>9}{'rows':>7}"
        f"{'answered':>10}{'429':>7}{'400':>6}{'500':>6}{'again':>7}  exit",
        flush=True,
    )
    for name in names:
        if scenario.killed and name == "openai":
            continue
        try:
            measure(name, scenario, prepared, arguments)
        except (subprocess.SubprocessError, OSError, sqlite3.Error, RuntimeError) as error:
            said = getattr(error, "stderr", None) or str(error)
            print(f"{name:<14}  could not be measured: {said.strip().splitlines()[-1]}", flush=True)


def measure(name: str, scenario: Scenario, prepared: Path, arguments: argparse.Namespace) -> None:
    """Run one client (in scenario 3 twice) in an empty folder, and print what came of it."""
    folder = prepared.parent
    work = folder / "work"
    python = environment(name, arguments.envs or folder / "envs")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    if name == "selfinstruct":
        shutil.copytree(prepared / "run", work / "run")
    with server(folder, scenario.server) as url:
        command = client_command(name, python, prepared, url, scenario.requests_per_minute)
        half = len(json.loads((prepared / "bodies.json").read_text())) // 2
        for label, kill_at in ((name, half), ("  again", 0)) if scenario.killed else ((name, 0),):
            before = calls(url)["answered"]
            outcome = run(command, url, work, arguments.timeout, kill_at)
            seen = calls(url)
            faults, n_answered = seen["faults"], seen["answered"] - before
            again = sum(times - 1 for times in seen["repeated"].values())
            print(
                f"{label:<14}{outcome.startup_s:>10.1f}{outcome.wall_s:>9.2f}"
                f"{n_answered / outcome.wall_s:>9,.0f}"
                f"{outcome.cpu_s / n_answered * 1000 if n_answered else math.nan:>17.2f}"
                f"{outcome.peak_mb:>9.0f}{rows(name, work):>7}{seen['answered']:>10}"
                f"{faults.get('rate_limited', 0):>7}{seen['refused']:>6}{faults.get('error', 0):>6}{again:>7}"
                f"  {outcome.exit}",
                flush=True,
            )


def environment(name: str, envs: Path) -> str:
    """The Python that runs a client; another tool's is made on first use. CalledProcessError where pip fails."""
    if name not in PACKAGES:
        return sys.executable
    env, python = envs.absolute() / name, str(envs.absolute() / name / "bin/python")
    done = env / "installed"
    if not done.exists() or done.read_text() != PACKAGES[name]:
        shutil.rmtree(env, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", env], check=True, capture_output=True, text=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES[name].split()]
        subprocess.run(install, check=True, capture_output=True, text=True, timeout=900)
        done.write_text(PACKAGES[name])
    return python


def client_command(name: str, python: str, prepared: Path, url: str, requests_per_minute: int) -> list[str]:
    work = prepared.parent / "work"
    if name == "selfinstruct":
        n_tasks = sqlite3.connect(prepared / "run/run.db").execute("SELECT count(*) FROM tasks").fetchone()[0]
        command = [python, "-m", "selfinstruct", "generate", work / "run", "--target", n_tasks, "--teacher"]
        command += ["simulated", "--base-url", url, "--concurrency", IN_FLIGHT]
    else:
        command = [python, "-E", SCRIPTS / f"{name}_client.py", prepared / "bodies.json", url, IN_FLIGHT, work]
        command += [requests_per_minute] if name == "curator" else []
    return [str(part) for part in command]


def rows(name: str, work: Path) -> int:
    """How many answers the user has."""
    if name == "selfinstruct":
        with closing(sqlite3.connect(work / "run/run.db")) as db:
            return int(
                db.execute(
                    "SELECT count(*) FROM completions c JOIN requests r ON r.id = c.request_id "
                    "WHERE r.stage IN ('classify', 'instances') AND c.error IS NULL"
                ).fetchone()[0]
            )
    written = work / "rows.jsonl"
    return len(written.read_text().splitlines()) if written.exists() else 0


def run(command: list[str], url: str, work: Path, timeout_s: float, kill_at: int) -> Outcome:
    """Run a client in a session of its own to its end, to `kill_at` answers, or to the timeout."""
    encodings = Path(command[0]).parents[1].glob("lib/*/site-packages/litellm/*/tokenizers")
    surroundings = os.environ | {
        "HOME": str(work),
        "OPENAI_API_KEY": "none",
        "HF_HUB_OFFLINE": "1",
        "TELEMETRY_ENABLED": "false",
        # curator counts tokens, and would download the encoding that litellm brings along, and litellm a price list.
        "TIKTOKEN_CACHE_DIR": str(next(encodings, "")),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    received = calls(url)["received"]
    began = time.perf_counter()
    first = cpu_s = cpu_before = peak_mb = sampled = 0.0
    ended = ""
    with (work / "log.txt").open("ab") as log:
        client = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=surroundings, start_new_session=True
        )
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(client.pid, cores[:-1] or cores)
    try:
        while not ended:
            time.sleep(0.05)
            now = time.perf_counter()
            pid, status, usage = os.wait4(client.pid, os.WNOHANG)
            if pid:
                client.returncode = os.waitstatus_to_exitcode(status)
                ended = str(client.returncode)
                cpu_s = max(cpu_s, usage.ru_utime + usage.ru_stime)
                break
            seen = calls(url) if kill_at or not first else None
            # One call may be a question for the limits.
            is_first = seen is not None and not first and seen["received"] > received + 1
            if seen and kill_at and seen["answered"] >= kill_at:
                ended = "killed"
            elif now - began > timeout_s:
                ended = "timeout"
            if is_first or ended or now - sampled > SAMPLE_S:
                sampled, tree = now, tree_of(client.pid)
                cpu_s, peak_mb = max(cpu_s, tree.cpu_s), max(peak_mb, tree.mb)
            if is_first:
                first, cpu_before = now, cpu_s
    finally:
        kill(client.pid)  # or what it has left
        client.wait()
    startup_s = first - began if first else math.nan
    return Outcome(ended, startup_s, now - (first or began), cpu_s - cpu_before, peak_mb)


def kill(session: int) -> None:
    """SIGKILL for whatever is left of a session."""
    for pid in session_of(session):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def session_of(session: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session:
            yield int(stat.parent.name)


def tree_of(session: int) -> Tree:
    """CPU so far, of the living processes and of those they have waited for, and memory, each shared page once."""
    ticks = kilobytes = 0
    for pid in session_of(session):
        process = Path(f"/proc/{pid}")
        try:
            ticks += sum(int(field) for field in (process / "stat").read_text().rpartition(")")[2].split()[11:15])
            kilobytes += int((process / "smaps_rollup").read_text().split("\nPss:")[1].split()[0])
        except (FileNotFoundError, ProcessLookupError, IndexError):
            continue  # it has just ended
    return Tree(ticks / os.sysconf("SC_CLK_TCK"), kilobytes / 1024)


if __name__ == "__main__":
    main()
