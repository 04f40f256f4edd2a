"""The same records at any concurrency, whatever the teacher's timing.

    python benchmarks/determinism.py [--target 2000] [--latency 0.01]

Three runs with the same seed, each with log-normal latency, 1, 8 and 128 calls in flight; prints the digest of each
records.jsonl, and fails where they differ.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=0.01, help="mean seconds")
    arguments = parser.parse_args()
    digests = set()
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "run.toml"
        config.write_text(
            f'[simulated]\nlatency_s = {arguments.latency}\nlatency_kind = "lognormal"\nlatency_sigma = 1.0\n'
        )
        for concurrency in (1, 8, 128):
            folder = Path(name) / str(concurrency)
            command = [sys.executable, "-m", "selfinstruct", "generate", str(folder), "--target", str(arguments.target)]
            command += ["--seed", "7", "--config", str(config), "--concurrency", str(concurrency)]
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            records = (folder / "records.jsonl").read_bytes()
            digests.add(hashlib.sha256(records).hexdigest())
            took = time.perf_counter() - began
            n = records.count(b"\n")
            digest = hashlib.sha256(records).hexdigest()[:16]
            print(f"concurrency {concurrency:>3}: {n:,} records in {took:.0f} s, sha256 {digest}", flush=True)
    if len(digests) > 1:
        sys.exit("The runs differ.")


if __name__ == "__main__":
    main()
