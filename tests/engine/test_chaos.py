"""Servers that fail in every way: a run completes, with a faultless one's records, and every call accounted for."""

import sqlite3
import subprocess
import tomllib
from contextlib import closing

from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run
from selfinstruct.simulated.server.app import serving
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.teachers import scheduler
from tests.conftest import COMMAND, server_calls, simulated_server
from tests.loopback import kill, loopback, wait_until, working
from tests.virtual_time import play_with_servers

CHAOS = "error_share = 0.1\ndropped_share = 0.1\ngarbage_share = 0.05\nrate_limited_share = 0.05"
IN_FLIGHT = 32


def options(url, target=60):
    return ("--target", target, "--base-url", url, "--model", "simulated", "--concurrency", IN_FLIGHT)


def faultless(cli, tmp_path):
    """The records of the same run against a server without faults."""
    with simulated_server() as url:
        cli("generate", tmp_path / "faultless", *options(url))
    return (tmp_path / "faultless/records.jsonl").read_bytes()


async def grow(folder, target, simulated):
    """The same run, in this event loop with its server, by whose clock calls are late; gives the server's counts."""
    async with serving(SimulatedSettings.model_validate(tomllib.loads(simulated))) as server:
        settings = {
            "teacher": {"kind": "openai", "model": "simulated", "base_url": server.base_url},
            "running": {"deadline_s": 1.0, "concurrency": IN_FLIGHT},
        }
        run = open_run(folder, None, settings, None)
        with run.store:
            assert await generate(run, target)
        return server.calls()


def rows(run, sql):
    with closing(sqlite3.connect(run / "run.db")) as db:
        return db.execute(sql).fetchall()


def test_amid_every_fault_the_records_are_the_same_and_every_call_is_accounted_for(cli, tmp_path):
    expected = faultless(cli, tmp_path)
    run = tmp_path / "run"
    seen = play_with_servers(grow(run, 60, f"{CHAOS}\nstall_share = 0.05"))
    assert (run / "records.jsonl").read_bytes() == expected
    cli("verify", run)
    failed = dict(rows(run, "SELECT reason, count(*) FROM faults GROUP BY 1"))
    ((answered,),) = rows(run, "SELECT count(*) FROM completions")
    assert seen["received"] == answered + sum(failed.values())
    assert seen["repeated"] == {}
    assert seen["faults"] == {
        "error": failed["http_500"], "dropped": failed["connection"], "stall": failed["deadline"],
        "garbage": failed["malformed_answer"], "rate_limited": failed["http_429"],
    }  # fmt: skip


def test_killed_in_the_middle_of_it_nothing_is_lost_and_nothing_asked_twice_but_what_was_in_flight(
    cli, tmp_path, monkeypatch
):
    """After some calls the server answers no others: stalled, they cannot end before the run is killed."""
    expected = faultless(cli, tmp_path)
    run, kills = tmp_path / "run", 4
    with loopback(CHAOS) as server:
        command = [*COMMAND, "generate", str(run), *map(str, options(server.url))]
        for number in range(kills):
            server.hold(after=12 * (number % 3))  # 36 in all, of the more than 120 that the run needs
            with working(command, stderr=subprocess.DEVNULL) as process:
                wait_until(lambda: server.held, process)  # others are in back-off, or being written
                kill(process)
            wait_until(lambda: not server.held)
        server.release()
        monkeypatch.setattr(scheduler, "BACKOFF_FIRST_S", 0.001)
        cli("generate", run, *options(server.url))
        seen = server_calls(server.url)
    assert (run / "records.jsonl").read_bytes() == expected
    cli("verify", run)
    assert sum(times - 1 for times in seen["repeated"].values()) <= kills * IN_FLIGHT


def test_a_prompt_that_is_always_refused_is_tried_once_and_costs_no_other_call(cli, tmp_path):
    run = tmp_path / "run"
    with simulated_server("poison_share = 0.05", tmp_path) as url:
        cli("generate", run, *options(url))
        seen = server_calls(url)
    errors = rows(run, "SELECT error, attempts FROM completions WHERE error IS NOT NULL")
    assert len(errors) > 2
    assert {attempts for _, attempts in errors} == {1}
    assert all(error.startswith("http_400") for error, _ in errors)
    assert seen["refused"] == len(errors)
    assert rows(run, "SELECT count(*) FROM faults") == [(0,)]
    assert rows(run, "SELECT count(*) FROM tasks WHERE generated = 1") == [(60,)]
    cli("verify", run)


def test_a_prompt_that_is_too_long_is_a_row_and_no_other_call_is_lost(cli, tmp_path):
    run = tmp_path / "run"
    with simulated_server("too_long_tokens = 875", tmp_path) as url:
        cli("generate", run, *options(url))
    reasons = rows(run, "SELECT error FROM completions WHERE error IS NOT NULL")
    assert reasons
    assert all(reason.startswith("context_too_long") for (reason,) in reasons)
    cli("verify", run)


def test_a_used_up_quota_stops_the_run_and_it_goes_on_later(cli, tmp_path):
    expected = faultless(cli, tmp_path)
    run = tmp_path / "run"
    with simulated_server("quota_requests = 40", tmp_path) as url:
        said = cli("generate", run, *options(url), code=2)
        assert "quota is used up" in said.stderr
        stored = rows(run, "SELECT count(*) FROM completions")[0][0]
        assert 40 <= stored <= 40 + IN_FLIGHT
    with simulated_server("", tmp_path) as url:
        cli("generate", run, *options(url))
        assert server_calls(url)["answered"] == rows(run, "SELECT count(*) FROM completions")[0][0] - stored
    assert (run / "records.jsonl").read_bytes() == expected


def test_a_server_with_room_for_a_few_is_not_swamped(cli, tmp_path):
    run = tmp_path / "run"
    # 32 at once wait 1.6 s, and are given up after 1 s.
    play_with_servers(grow(run, 30, "latency_s = 0.1\ncapacity = 2"))
    ((late,),) = rows(run, "SELECT count(*) FROM faults WHERE reason = 'deadline'")
    ((answered,),) = rows(run, "SELECT count(*) FROM completions")
    assert late < answered
    cli("verify", run)
