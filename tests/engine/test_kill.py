"""Killed with SIGKILL at many instants and resumed, a run ends where the uninterrupted one ends, and pays once."""

import itertools
import os
import random
import sqlite3
from contextlib import closing

from tests.conftest import COMMAND, run_cli, server_calls, simulated_server
from tests.loopback import kill, loopback, wait_until, working

CONCURRENCY = 16
KILLS = int(os.environ.get("KILLS", "10"))  # KILLS=50 for the long way
TARGET = 15 * KILLS
SETTINGS = "latency_s = 0.02\nlatency_kind = 'lognormal'\nlatency_sigma = 1.0"


def stored(folder) -> int:
    """Answers in the store."""
    if not (folder / "run.db").exists():
        return 0
    with closing(sqlite3.connect(folder / "run.db")) as db:
        try:
            return db.execute("SELECT count(*) FROM completions").fetchone()[0]
        except sqlite3.OperationalError:  # killed before its tables were made
            return 0


def generate(folder, server):
    return [
        "generate", str(folder), "--target", str(TARGET), "--seed", "7", "--base-url", server, "--model", "simulated",
        "--concurrency", str(CONCURRENCY),
    ]  # fmt: skip


def test_killed_again_and_again_a_run_ends_with_the_same_bytes_and_pays_once(tmp_path):
    with simulated_server(SETTINGS) as url:
        whole = run_cli(*generate(tmp_path / "whole", url))
        assert whole.returncode == 0, whole.stderr
        # The same requests again would be answered again, so the killed run gets a server of its own.
        expected = (tmp_path / "whole/records.jsonl").read_bytes()
        n_whole = stored(tmp_path / "whole")
    rng = random.Random(20261121)
    folder = tmp_path / "killed"
    with loopback(SETTINGS) as server:
        lost = [0]  # calls that were in flight at a kill, so far
        n_sure = 0
        for number in range(KILLS):
            # The server gives so many answers, a run needs 30 a kill, and holds back all others: it cannot be over.
            n_before, n_answered = stored(folder), rng.choice([0, 5, 10, 20])
            server.hold(after=n_answered)
            with working([*COMMAND, *generate(folder, server.url)]) as process:
                if number % 5 == 0:  # some kills hit the start, most of them the middle of the work
                    wait_until((folder / "run.db").exists, process)
                elif number % 5 < 3:  # while answers are stored
                    some = n_before + rng.randint(0, n_answered)
                    wait_until(lambda: stored(folder) >= some, process)  # noqa: B023
                else:  # when calls are in flight for certain, and what was answered is being stored, or is stored
                    wait_until(lambda: server.held, process)
                    enough = n_before + n_answered * (number % 5 - 3)
                    wait_until(lambda: stored(folder) >= enough, process)  # noqa: B023
                    n_sure += 1
                kill(process)
            calls = wait_until(lambda: settled(server))
            lost.append(calls["received"] - stored(folder))
        server.release()
        last = run_cli(*generate(folder, server.url))
        assert last.returncode == 0, last.stderr
        calls = server_calls(server.url)
    assert (folder / "records.jsonl").read_bytes() == expected
    assert run_cli("verify", folder).returncode == 0
    assert stored(folder) == n_whole
    # By the teacher's own count: each kill cost at most what was in flight, and nothing else was ever asked twice.
    assert all(0 <= after - before <= CONCURRENCY for before, after in itertools.pairwise(lost))
    assert calls["received"] == stored(folder) + lost[-1]
    assert lost[-1] >= n_sure >= KILLS // 5


def settled(server) -> dict | None:
    """The server's counts once it has noticed that its clients are gone."""
    calls = server_calls(server.url)
    return calls if not calls["in_flight"] and not server.held else None
