"""A run against a server that fails in every way: it completes, with the records of a faultless one, all accounted for.

    python benchmarks/chaos.py [--requests 20000] [--in-flight 128]

10 % of the calls are answered 500, 10 % are dropped, 5 % are never answered (given up after 2 s), 5 % get garbage, 5 %
get 429. Compared are the bytes of records.jsonl; the calls that the server has received are held against the answers
and failed attempts in the store.
"""

import argparse
import hashlib
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from serving import calls, server

FAULTS = {
    "error_share": 0.1,
    "dropped_share": 0.1,
    "stall_share": 0.05,
    "garbage_share": 0.05,
    "rate_limited_share": 0.05,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=128)
    arguments = parser.parse_args()
    target = int(arguments.requests / 2.14)
    digests = set()
    with tempfile.TemporaryDirectory() as name:
        for title, faults in (("faultless", {}), ("chaos", FAULTS)):
            folder = Path(name) / title
            folder.mkdir()
            (folder / "client.toml").write_text("[running]\ndeadline_s = 2\n")
            with server(folder, {"latency_s": 0.05} | faults) as url:
                began = time.perf_counter()
                command = [
                    sys.executable,
                    "-m",
                    "selfinstruct",
                    "generate",
                    str(folder / "run"),
                    "--target",
                    str(target),
                ]
                command += ["--base-url", url, "--model", "simulated", "--config", str(folder / "client.toml")]
                command += ["--concurrency", str(arguments.in_flight)]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                wall, seen = time.perf_counter() - began, calls(url)
            db = sqlite3.connect(folder / "run/run.db")
            stored = db.execute("SELECT count(*) FROM completions").fetchone()[0]
            failed = dict(db.execute("SELECT reason, count(*) FROM faults GROUP BY 1").fetchall())
            db.close()
            records = (folder / "run/records.jsonl").read_bytes()
            digests.add(hashlib.sha256(records).hexdigest())
            print(
                f"{title}: {seen['received']:,} calls received, {stored:,} answers and {sum(failed.values()):,} failed "
                f"attempts stored {failed or ''}, {wall:.0f} s, "
                f"records sha256 {hashlib.sha256(records).hexdigest()[:16]}",
                flush=True,
            )
            if seen["received"] != stored + sum(failed.values()) or seen["repeated"]:
                sys.exit("Calls are missing, or were paid for twice.")
            subprocess.run([sys.executable, "-m", "selfinstruct", "verify", str(folder / "run")], check=True)
    if len(digests) > 1:
        sys.exit("The records differ.")


if __name__ == "__main__":
    main()
