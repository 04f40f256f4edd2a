"""--dry-run: what a few tasks needed says what many will need."""

import json
import re

import pytest

from selfinstruct.config.stored import config_of
from selfinstruct.runs.estimate import SAMPLE_TASKS, estimate
from selfinstruct.store.store import Store
from tests.conftest import simulated_server

PRICES = "[prices.simulated]\ninput = 1.0\noutput = 4.0\n"


@pytest.fixture
def priced(tmp_path):
    path = tmp_path / "prices.toml"
    path.write_text(PRICES)
    return path


def numbers(text, name):
    """The expected value, and the two between which 90 % lie, of one line."""
    line = next(line for line in text.splitlines() if line.strip().startswith(name))
    return [float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*\.?\d*", line.replace("90 %", ""))]


def test_the_estimate_is_near_what_the_run_then_needs(cli, tmp_path, priced):
    run = tmp_path / "run"
    said = cli("generate", run, "--target", 200, "--dry-run", "--config", priced).stdout
    sampled = json.loads(cli("status", run, "--json").stdout)
    assert SAMPLE_TASKS <= sampled["tasks"] < 2 * SAMPLE_TASKS
    cli("generate", run, "--target", 200)
    usage = json.loads(cli("status", run, "--json").stdout)["usage"]
    for name, key in (("requests", "requests"), ("tokens in", "prompt_tokens"), ("cost", "cost_usd")):
        needed = sum(one[key] for one in usage)
        expected, low, high = numbers(said, name)
        assert low <= expected <= high
        assert expected == pytest.approx(needed, rel=0.1)


def test_what_was_asked_for_the_estimate_is_not_asked_again(cli, tmp_path):
    with simulated_server() as url:
        run = tmp_path / "run"
        options = ("generate", run, "--target", 40, "--base-url", url, "--model", "simulated")
        cli(*options, "--dry-run")
        first = status_of(cli, run)
        cli(*options, "--dry-run")
        assert status_of(cli, run) == first
        cli(*options)
        cli("generate", tmp_path / "other", *options[2:])
    assert (run / "records.jsonl").read_bytes() == (tmp_path / "other/records.jsonl").read_bytes()


def status_of(cli, run):
    return json.loads(cli("status", run, "--json").stdout)["usage"]


def test_without_a_price_only_the_cost_is_unknown(cli, tmp_path):
    said = cli("generate", tmp_path / "run", "--target", 100, "--dry-run").stdout
    assert "no price for simulated under [prices]" in said
    assert "tokens out" in said


def test_batches_are_estimated_at_their_price_and_not_waited_for(cli, tmp_path, priced):
    run = tmp_path / "run"
    online = cli("generate", run, "--target", 500, "--dry-run", "--config", priced).stdout
    batch = cli("generate", run, "--target", 500, "--dry-run", "--batch").stdout
    assert numbers(batch, "cost")[0] == pytest.approx(numbers(online, "cost")[0] / 2, abs=0.02)
    assert "batches in sequence" in batch
    with Store.read(run) as store:
        assert config_of(store).running.batch
        assert store.query("SELECT count(*) FROM batches") == [(0,)]


def test_a_limit_of_calls_a_minute_makes_it_longer(cli, tmp_path):
    config = tmp_path / "slow.toml"
    config.write_text("[teacher]\nrequests_per_minute = 6000\n")
    cli("generate", tmp_path / "run", "--target", 900, "--dry-run", "--config", config)
    with Store.read(tmp_path / "run") as store:
        found = estimate(store, config_of(store), 900)
    assert found.calls_per_minute == 6000
    assert found.expected.requests == pytest.approx(1800 + 900 / found.tasks_per_step, rel=0.05)


def test_where_nothing_is_admitted_nothing_can_be_estimated(cli, tmp_path):
    config = tmp_path / "strict.toml"
    config.write_text("[filters]\nmin_words = 100\n[running]\ncollapse_after = 40\n")
    said = cli("generate", tmp_path / "run", "--target", 100, "--dry-run", "--config", config, code=2).stderr
    assert "were admitted" in said
