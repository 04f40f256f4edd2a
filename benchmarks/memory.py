"""A run of the published size on the simulated teacher: memory, CPU, file sizes, time to go on.

    python benchmarks/memory.py [--target 52000] [--concurrency 256]

The teacher is a process of its own; the figures are those of `selfinstruct generate` alone. "Going on" is the same
command once more, on the finished run: it loads the pool, finds nothing to do and writes the records again.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SELFINSTRUCT = [sys.executable, "-m", "selfinstruct"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=int, default=52_000)
    parser.add_argument("--concurrency", type=int, default=256)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        with subprocess.Popen([*SELFINSTRUCT, "simulate", "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            url = server.stdout.readline().split(" at ")[1].split(". ")[0]
            command = [*SELFINSTRUCT, "generate", str(folder), "--target", str(arguments.target)]
            first = [*command, "--base-url", url, "--model", "simulated", "--concurrency", str(arguments.concurrency)]
            report("growing", first)
            report("resumed", command)
            server.terminate()
        for path in sorted(folder.iterdir()):
            print(f"{path.name:<16}{path.stat().st_size / 2**20:>9.1f} MB")


def report(what: str, command: list[str]) -> None:
    """Run a command and print its figures."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{what:<10} wall {wall:8.1f} s   CPU {cpu:8.1f} s   peak memory so far {after.ru_maxrss / 1024:6.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
