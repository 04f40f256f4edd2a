"""How near a run comes to what a rate-limited server allows, and how many of its calls are refused.

    python benchmarks/limits.py [--only NAME]

Each server is `selfinstruct simulate` with a limit, in a process of its own; the client is `selfinstruct generate` on
a run whose tasks wait for their instances, 256 calls in flight at most. `rate` is that of the second half of the
answers, after the burst that a bucket allows at first; `ideal` the time of a client that knows the limit beforehand.
"""

import argparse
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from serving import calls, server
from throughput import prepare

LATENCY = {"latency_s": 0.1}
HIDDEN = {"rate_limit_headers": False}
PER_S, PER_MINUTE = {"rate_limit_per_s": 200}, {"rate_limit_per_minute": 600}
# name, the server's settings, calls, ideal seconds, allowed calls a second
SERVERS: tuple[tuple[str, dict[str, Any], int, float, float], ...] = (
    ("200 a second, reported in headers", PER_S, 2000, 9.0, 200),
    ("200 a second, Retry-After 1", PER_S | HIDDEN | {"retry_after_s": 1}, 2000, 9.0, 200),
    ("200 a second, unreported", PER_S | HIDDEN, 2000, 9.0, 200),
    ("600 a minute, reported in headers", PER_MINUTE, 900, 30.0, 10),
    ("600 a minute, unreported", PER_MINUTE | HIDDEN, 900, 30.0, 10),
    ("600 a minute, no bursts, unreported", PER_MINUTE | HIDDEN | {"rate_limit_burst": 1}, 300, 30.0, 10),
    ("8 at a time, deadline 3 s", {"capacity": 8}, 1000, 12.5, 80),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="a part of the name of a server")
    arguments = parser.parse_args()
    print(f"{'server':<38}{'calls':>7}{'wall s':>8}{'ideal':>7}{'rate':>8}{'allowed':>9}{'refused':>9}{'late':>6}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for title, settings, n_calls, ideal_s, allowed in SERVERS:
            if arguments.only and arguments.only not in title:
                continue
            for made in ("run", "work"):
                shutil.rmtree(folder / made, ignore_errors=True)
            prepare(folder, n_calls // 2)
            with server(folder, LATENCY | settings) as url:
                began = time.perf_counter()
                config = folder / "client.toml"
                config.write_text(f"[running]\ndeadline_s = {3 if 'capacity' in settings else 60}\n")
                command = [sys.executable, "-m", "selfinstruct", "generate", str(folder / "run")]
                command += ["--target", str(n_calls // 2), "--base-url", url, "--concurrency", "256"]
                command += ["--teacher", "simulated"]
                subprocess.run([*command, "--config", str(config)], check=True, stdout=subprocess.DEVNULL)
                wall, seen = time.perf_counter() - began, calls(url)
            db = sqlite3.connect(folder / "run/run.db")
            at = [t for (t,) in db.execute("SELECT created_at FROM completions ORDER BY 1 DESC LIMIT ?", (n_calls,))]
            late = db.execute("SELECT count(*) FROM faults WHERE reason = 'deadline'").fetchone()[0]
            db.close()
            rate = (len(at) // 2 - 1) / (at[0] - at[len(at) // 2 - 1])
            refused = seen["faults"].get("rate_limited", 0)
            print(
                f"{title:<38}{seen['answered']:>7,}{wall:>8.1f}{ideal_s:>7.1f}{rate:>8.1f}{allowed:>9.0f}"
                f"{refused / seen['received']:>9.1%}{late:>6}",
                flush=True,
            )


if __name__ == "__main__":
    main()
