"""How much the engine adds to the calls themselves, side by side with the bare clients, in one run.

    python benchmarks/throughput.py [--calls 5000] [--latency 0.5] [--in-flight 256] [--rounds 3]

The same requests (class and instances of --calls / 2 tasks) are sent to one simulated server, which runs in a process
of its own on a core of its own, by

    engine     a run whose tasks are admitted and not made yet: scheduler, store, parsers, filters
    openai     the openai client with its aiohttp transport, 256 at a time, answers read and dropped
    aiohttp    aiohttp alone, likewise

each in a process of its own on the other core, in turn. Wall time leaves start-up out. `pipeline` is a whole run from
nothing, proposals included, with about as many calls: it cannot keep all places busy while it begins and ends.

`of ideal` is what a client would need that sends the same calls in their order and takes no time itself: how long each
takes is drawn from the call, so it is known. A call that takes long near the end holds up every client.
"""

import argparse
import asyncio
import hashlib
import heapq
import json
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from serving import pin, server

STRAGGLERS, FACTOR = 0.01, 10

Client = Callable[[argparse.Namespace], Coroutine[Any, Any, int]]


def main() -> None:
    arguments = parse()
    if arguments.client:
        print(json.dumps(measure(arguments)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, arguments.calls // 2)
        fixed = {"latency_s": arguments.latency}
        spread = {"latency_kind": "lognormal", "straggler_share": STRAGGLERS, "straggler_factor": FACTOR}
        for title, settings in (
            (f"{arguments.latency * 1000:g} ms latency", fixed),
            (f"log-normal latency of {arguments.latency * 1000:g} ms, 1% take ten times as long", fixed | spread),
            ("no latency", {}),
        ):
            compare(title, folder, settings, arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--latency", type=float, default=0.5, help="seconds")
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--client", choices=sorted(CLIENTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    return parser.parse_args()


def prepare(folder: Path, n_tasks: int) -> None:
    """A run of `n_tasks` tasks that are admitted and not made, and the bodies of the calls that would make them."""
    from selfinstruct.records import Request
    from selfinstruct.teachers.openai_compatible import request_body

    subprocess.run(
        [sys.executable, "-m", "selfinstruct", "generate", folder / "run", "--target", str(n_tasks)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    db = sqlite3.connect(folder / "run/run.db")
    rows = db.execute(
        "SELECT stage, teacher, model, endpoint, s.text, user, sampling, sample FROM requests r "
        "JOIN system_prompts s ON s.id = r.system_prompt WHERE stage IN ('classify', 'instances')"
    ).fetchall()
    bodies = [request_body(Request(*row[:6], json.loads(row[6]), row[7])) for row in rows]  # type: ignore[arg-type]
    (folder / "bodies.json").write_text(json.dumps(bodies))
    with db:
        db.execute("DELETE FROM rejections WHERE subject = 'instance' OR stage IN ('classify', 'instances')")
        db.execute("DELETE FROM instances")
        db.execute("UPDATE tasks SET generated = 0, extra = NULL")
        db.execute("DELETE FROM completions WHERE request_id IN (SELECT id FROM requests WHERE stage != 'propose')")
        db.execute("DELETE FROM requests WHERE stage IN ('classify', 'instances')")
    db.close()


def compare(title: str, folder: Path, settings: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Each client in turn, `rounds` times, against one server."""
    print(f"\n{arguments.calls} calls, {arguments.in_flight} in flight, {title}")
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in CLIENTS}
    with server(folder, settings) as url:
        run_client("aiohttp", folder, url, arguments)  # the server's answers are prepared from now on
        for n in range(arguments.rounds * len(CLIENTS)):
            name = list(CLIENTS)[n % len(CLIENTS)]
            measured = run_client(name, folder, url, arguments)
            # The server draws anew each time that it sees a call.
            seen[name].append(measured | {"ideal": ideal_s(folder, settings, n + 1, arguments.in_flight)})
    print(
        f"{'':<10}{'calls':>7}{'wall s':>9}{'calls/s':>9}{'CPU s per 1,000':>17}{'peak MB':>9}{'wall, of openai':>17}"
        f"{'of ideal':>10}"
    )
    for name, rounds in seen.items():
        middle = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}
        ratio = statistics.median(r["wall"] / o["wall"] for r, o in zip(rounds, seen["openai"], strict=True))
        print(
            f"{name:<10}{middle['calls']:>7.0f}{middle['wall']:>9.2f}{middle['calls'] / middle['wall']:>9,.0f}"
            f"{middle['cpu'] / middle['calls'] * 1000:>17.2f}{middle['peak_mb']:>9.0f}{ratio:>17.3f}"
            + (f"{statistics.median(r['ideal'] / r['wall'] for r in rounds):>10.1%}" if middle["ideal"] else "")
        )


def ideal_s(folder: Path, settings: dict[str, Any], attempt: int, in_flight: int) -> float:
    """Seconds for the prepared calls in their order, when the server sees each for the `attempt`-th time, from 0."""
    from selfinstruct.simulated.server.faults import fortune
    from selfinstruct.simulated.settings import SimulatedSettings

    drawing = SimulatedSettings(**settings)
    free_at = [0.0] * in_flight
    for body in json.loads((folder / "bodies.json").read_text()):
        digest = hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).digest()
        heapq.heapreplace(free_at, free_at[0] + fortune(drawing, digest, attempt).latency_s)
    return max(free_at)


def run_client(name: str, folder: Path, url: str, arguments: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, "--client", name, "--folder", str(folder), "--url", url]
    command += ["--in-flight", str(arguments.in_flight), "--calls", str(arguments.calls)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(output.splitlines()[-1]))


def measure(arguments: argparse.Namespace) -> dict[str, float]:
    pin(0)
    calls, wall, cpu = asyncio.run(CLIENTS[arguments.client](arguments))  # type: ignore[misc]
    return {"calls": calls, "wall": wall, "cpu": cpu, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """This process's own peak; getrusage would count what its parent held before it was started."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


async def timed(work: Coroutine[Any, Any, Any]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    return time.perf_counter() - wall, time.process_time() - cpu


async def engine(arguments: argparse.Namespace) -> tuple[int, float, float]:
    """Make the instances of the prepared tasks, in a fresh copy of the run."""
    from selfinstruct.runs.run import open_run

    folder = arguments.folder / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(arguments.folder / "run", folder)
    flags = {"teacher": {"base_url": arguments.url}, "running": {"concurrency": arguments.in_flight}}
    return await run_engine(open_run(folder, None, flags, None), arguments.calls // 2)


async def pipeline(arguments: argparse.Namespace) -> tuple[int, float, float]:
    """A whole run from nothing, with about as many calls."""
    from selfinstruct.runs.run import open_run

    folder = arguments.folder / "pipeline"
    shutil.rmtree(folder, ignore_errors=True)
    flags = {
        "teacher": {"kind": "openai", "model": "simulated", "base_url": arguments.url},
        "running": {"concurrency": arguments.in_flight},
    }
    return await run_engine(open_run(folder, None, flags, None), int(arguments.calls / 2.14))


async def run_engine(run: Any, target: int) -> tuple[int, float, float]:
    from contextlib import AsyncExitStack

    from selfinstruct.engine.answer_formats import settle_settings
    from selfinstruct.engine.engine import Engine
    from selfinstruct.engine.gate import Gate
    from selfinstruct.engine.progress import Progress
    from selfinstruct.runs.teachers import open_teachers
    from selfinstruct.teachers.scheduler import Scheduler

    with run.store:
        async with AsyncExitStack() as stack:
            teachers = await open_teachers(run.config, stack)
            progress = Progress()
            running = run.config.running
            scheduler = Scheduler(running.concurrency, running.attempts, run.store.add_fault)
            config = await settle_settings(run.config, teachers, scheduler, run.store, print)
            gate = Gate(run.store, config, progress)
            grower = Engine(gate, run.prompts, teachers, scheduler)
            wall, cpu = await timed(grower.run(target))
    return progress.calls, wall, cpu


async def bare_openai(arguments: argparse.Namespace) -> tuple[int, float, float]:
    import httpx2
    import openai

    bodies = json.loads((arguments.folder / "bodies.json").read_text())
    limits = httpx2.Limits(max_connections=arguments.in_flight + 8)
    http_client = openai.DefaultAioHttpClient(limits=limits)
    async with openai.AsyncOpenAI(
        api_key="none", base_url=arguments.url, max_retries=0, http_client=http_client
    ) as client:

        async def call(body: dict[str, Any]) -> None:
            answer = await client.chat.completions.create(**body)
            assert answer.choices[0].message.content is not None

        wall, cpu = await timed(all_at_once(bodies, arguments.in_flight, call))
    return len(bodies), wall, cpu


async def bare_aiohttp(arguments: argparse.Namespace) -> tuple[int, float, float]:
    import aiohttp

    bodies = json.loads((arguments.folder / "bodies.json").read_text())
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def call(body: dict[str, Any]) -> None:
            async with session.post(arguments.url + "/chat/completions", json=body) as response:
                answer = await response.json()
            assert answer["choices"][0]["message"]["content"] is not None

        wall, cpu = await timed(all_at_once(bodies, arguments.in_flight, call))
    return len(bodies), wall, cpu


async def all_at_once(
    bodies: list[dict[str, Any]], in_flight: int, call: Callable[[Any], Coroutine[Any, Any, None]]
) -> None:
    waiting = iter(bodies)

    async def worker() -> None:
        for body in waiting:
            await call(body)

    await asyncio.gather(*(worker() for _ in range(in_flight)))


CLIENTS = {"engine": engine, "openai": bare_openai, "aiohttp": bare_aiohttp, "pipeline": pipeline}

if __name__ == "__main__":
    main()
