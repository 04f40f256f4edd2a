"""Killed with SIGKILL at random instants and resumed, a run ends where the uninterrupted one ends, and pays once."""

import itertools
import os
import random
import signal
import sqlite3
import subprocess
import time

from tests.conftest import COMMAND, run_cli, server_calls, simulated_server

CONCURRENCY = 16
KILLS = int(os.environ.get("KILLS", "10"))  # KILLS=50 for the long way
TARGET = 15 * KILLS
SETTINGS = "latency_s = 0.05\nlatency_kind = 'lognormal'\nlatency_sigma = 1.0"


def stored(folder) -> int:
    """Answers in the store."""
    if not (folder / "run.db").exists():
        return 0
    db = sqlite3.connect(folder / "run.db")
    try:
        return db.execute("SELECT count(*) FROM completions").fetchone()[0]
    except sqlite3.OperationalError:  # killed before its tables were made
        return 0
    finally:
        db.close()


def settled(server: str) -> dict:
    """The server's counts once it has noticed that its clients are gone."""
    while (calls := server_calls(server))["in_flight"]:
        time.sleep(0.01)
    return calls


def test_killed_again_and_again_a_run_ends_with_the_same_bytes_and_pays_once(tmp_path):
    with simulated_server(SETTINGS, tmp_path) as server:
        command = (
            "--target",
            TARGET,
            "--seed",
            7,
            "--base-url",
            server,
            "--model",
            "simulated",
            "--concurrency",
            CONCURRENCY,
        )
        whole = run_cli("generate", tmp_path / "whole", *command)
        assert whole.returncode == 0, whole.stderr
        # The same requests again would be answered again, so the killed run gets a server of its own.
        expected = (tmp_path / "whole/records.jsonl").read_bytes()
        n_whole = stored(tmp_path / "whole")
    rng = random.Random(20261121)
    folder = tmp_path / "killed"
    with simulated_server(SETTINGS, tmp_path) as server:
        command = [
            str(part) for part in ("--target", TARGET, "--seed", 7, "--base-url", server, "--model", "simulated")
        ]
        lost = [0]  # calls that were in flight at a kill, so far
        while len(lost) <= KILLS and stored(folder) < 0.8 * n_whole:
            process = subprocess.Popen(
                [*COMMAND, "generate", str(folder), *command, "--concurrency", str(CONCURRENCY)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            # Some kills hit the start, most of them the middle of the work.
            enough = stored(folder) + rng.choice([0, 0, 5, 20, 30])
            while stored(folder) < enough and process.poll() is None:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.05 if stored(folder) else 0.8))
            process.send_signal(signal.SIGKILL)
            process.wait()
            lost.append(settled(server)["received"] - stored(folder))
        assert len(lost) > KILLS / 2, "the run was over before it could be killed often enough"
        last = run_cli("generate", folder, *command)
        assert last.returncode == 0, last.stderr
        calls = server_calls(server)
    assert (folder / "records.jsonl").read_bytes() == expected
    assert run_cli("verify", folder).returncode == 0
    # By the teacher's own count: each kill cost at most what was in flight, and nothing else was ever asked twice.
    assert all(0 <= after - before <= CONCURRENCY for before, after in itertools.pairwise(lost))
    assert calls["received"] == stored(folder) + lost[-1]
    assert lost[-1] > 0, "no kill hit a call in flight, so this proved nothing"
