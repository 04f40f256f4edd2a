"""Several servers of one model, and several models of one stage."""

import asyncio
import json
import socket
import tomllib
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfinstruct.config.config import parse_config
from selfinstruct.engine.requests import Requests
from selfinstruct.errors import UsageError
from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run
from selfinstruct.simulated.server.app import serving
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from selfinstruct.strategies import declared
from selfinstruct.strategies.self_instruct import CLASSIFY
from selfinstruct.teachers import scheduler
from tests.conftest import FEW_SEEDS, server_calls, shipped_prompts, simulated_server, until
from tests.virtual_time import on_virtual_time_with_servers


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(scheduler, "BACKOFF_FIRST_S", 0.001)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


async def grow(folder, target, settings):
    """A run to its target, and what must hold of every one; gives stage and model of its requests."""
    run = open_run(folder, None, settings, FEW_SEEDS)
    with run.store as store:
        assert await generate(run, target)
        assert verify(store) == []
        asked = store.query(
            "SELECT stage, model, error FROM requests JOIN completions ON request_id = id WHERE stage != 'probe'"
        )
    assert {error for *_, error in asked} == {None}
    return [(stage, model) for stage, model, _ in asked]


def asked_of(*servers, model="simulated", **settings):
    return {"teacher": {"kind": "openai", "model": model, "base_url": list(servers)}, **settings}


def closed_port():
    """An address at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}/v1"


# Several servers.


@on_virtual_time_with_servers
async def test_servers_of_one_model_share_the_calls(tmp_path):
    slow = SimulatedSettings(latency_s=0.01)
    async with serving(slow) as one, serving(slow) as other:
        asked = await grow(tmp_path / "run", 30, asked_of(one.base_url, other.base_url))
        calls = [one.calls()["received"], other.calls()["received"]]
    assert sum(calls) == len(asked) + 1  # and a probe, of one of them
    assert min(calls) > 0.3 * sum(calls)


@on_virtual_time_with_servers
async def test_the_server_with_more_room_gets_more_calls(tmp_path):
    narrow = SimulatedSettings(latency_s=0.01, rate_limit_per_s=20)
    async with serving(narrow) as one, serving(SimulatedSettings(latency_s=0.01)) as other:
        await grow(tmp_path / "run", 80, asked_of(one.base_url, other.base_url, running={"concurrency": 64}))
        calls = [server.calls() for server in (one, other)]
    assert 0 < 2 * calls[0]["answered"] < calls[1]["answered"]
    assert calls[0]["faults"].get("rate_limited", 0) < 0.1 * calls[0]["answered"]


@pytest.mark.parametrize("concurrency", [1, 64])
@on_virtual_time_with_servers
async def test_a_server_that_was_never_up_does_not_hinder_the_other(tmp_path, concurrency):
    async with serving(SimulatedSettings(latency_s=0.005)) as server:
        settings = asked_of(server.base_url, closed_port(), running={"concurrency": concurrency, "attempts": 2})
        await grow(tmp_path / "run", 20, settings)


@on_virtual_time_with_servers
async def test_a_server_that_goes_away_in_mid_run_does_not_hinder_the_other(tmp_path):
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(serving(SimulatedSettings(latency_s=0.005)))
        leaving = AsyncExitStack()
        other = await leaving.enter_async_context(serving(SimulatedSettings(latency_s=0.005)))
        settings = asked_of(one.base_url, other.base_url, running={"concurrency": 32})
        growing = asyncio.create_task(grow(tmp_path / "run", 80, settings))
        await until(lambda: other.calls()["received"] >= 40)
        await leaving.aclose()
        await growing
        assert one.calls()["answered"] > other.calls()["answered"]
        assert other.calls()["answered"] >= 20


# Several models.

MIX = {"mix": [{"model": "simulated-a", "weight": 3}, {"model": "simulated-b"}]}


async def test_models_are_asked_by_weight_and_the_records_are_the_same_at_any_concurrency(tmp_path):
    mixes = dict.fromkeys(declared().stages, MIX)
    async with serving(SimulatedSettings()) as server:
        for concurrency in (1, 64):
            settings = asked_of(server.base_url, seed=3, running={"concurrency": concurrency}, **mixes)
            asked = Counter(await grow(tmp_path / str(concurrency), 100, settings))
    for stage in ("classify", "instances"):
        n, of = asked[stage, "simulated-a"], asked[stage, "simulated-a"] + asked[stage, "simulated-b"]
        assert abs(n / of - 0.75) < 4 * (0.75 * 0.25 / of) ** 0.5
    assert asked["propose", "simulated-a"] > asked["propose", "simulated-b"] > 0
    assert (tmp_path / "1/records.jsonl").read_bytes() == (tmp_path / "64/records.jsonl").read_bytes()


def test_a_mix_that_was_interrupted_ends_with_the_same_records(tmp_path, cli):
    config = tmp_path / "mix.toml"
    config.write_text("[[propose.mix]]\nmodel = 'simulated-a'\nweight = 3\n[[propose.mix]]\nmodel = 'simulated-b'\n")
    cli("generate", tmp_path / "whole", "--target", 30, "--config", config)
    cli("generate", tmp_path / "halves", "--target", 30, "--config", config, "--max-requests", 30, code=2)
    for again in ([], ["--config", config]):
        cli("generate", tmp_path / "halves", "--target", 30, "--max-requests", 5000, *again)
    assert (tmp_path / "halves/records.jsonl").read_bytes() == (tmp_path / "whole/records.jsonl").read_bytes()
    # And what the run wrote down of its settings repeats it.
    cli("generate", tmp_path / "again", "--target", 30, "--config", tmp_path / "whole/config.toml")
    assert (tmp_path / "again/records.jsonl").read_bytes() == (tmp_path / "whole/records.jsonl").read_bytes()


@given(seed=st.integers(0, 2**63 - 1), instruction=st.text(min_size=1, max_size=30))
def test_which_model_is_asked_depends_on_the_requests_number_and_content_alone(seed, instruction):
    def models(**reach):
        mix = [{"model": name, "weight": weight, **reach} for name, weight in (("a", 1), ("b", 2), ("c", 0.5))]
        config = parse_config({"classify": {"mix": mix}}, "test")
        requests = Requests(config, PROMPTS)
        asked = [requests.build(CLASSIFY, "classify", seed, instruction=instruction, again=False) for _ in range(2)]
        return {request.model for request in asked}

    assert len(models()) == 1
    assert models() == models(base_url="http://elsewhere:1/v1", requests_per_minute=3, api_key_env="OTHER")


PROMPTS = shipped_prompts("self-instruct", "chat")


async def test_chat_models_and_base_models_are_mixed(tmp_path):
    mix = [{"model": "simulated-chat"}, {"model": "simulated-base", "endpoint": "completion"}]
    async with serving(SimulatedSettings()) as server:
        settings = asked_of(server.base_url, **{stage: {"mix": mix} for stage in declared().stages})
        asked = set(await grow(tmp_path / "run", 30, settings))
    assert len(asked) == 6
    with Store.read(tmp_path / "run") as store:
        assert set(store.query("SELECT model, endpoint FROM requests WHERE stage != 'probe'")) == {
            ("simulated-chat", "chat"), ("simulated-base", "completion"),
        }  # fmt: skip
        assert not store.query("SELECT 1 FROM rejections WHERE reason IN ('no_list', 'no_instance')")


async def test_the_answer_format_of_each_model_is_settled_for_itself(tmp_path):
    async with (
        serving(SimulatedSettings()) as able,
        serving(SimulatedSettings(json_schema="refused")) as refusing,
        serving(SimulatedSettings(json_schema="ignored")) as ignoring,
    ):
        servers = enumerate([able, refusing, ignoring])
        mix = [{"model": f"simulated-{n}", "base_url": server.base_url} for n, server in servers]
        await grow(tmp_path / "run", 40, asked_of(able.base_url, propose={"mix": mix}))
    written = tomllib.loads((tmp_path / "run/config.toml").read_text())
    assert [one["answer_format"] for one in written["propose"]["mix"]] == ["json", "text", "text"]
    assert written["classify"]["answer_format"] == "json"
    with Store.read(tmp_path / "run") as store:
        in_json = dict(store.query(
            "SELECT model, min(sampling LIKE '%response_format%') + max(sampling LIKE '%response_format%') "
            "FROM requests WHERE stage = 'propose' GROUP BY model"
        ))  # fmt: skip
    assert in_json == {"simulated-0": 2, "simulated-1": 0, "simulated-2": 0}


# What may be written, and changed.


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"modell": "a"}, "propose.mix.0.modell; did you mean model?"),
        ({"model": "a", "wieght": 2}, "did you mean weight?"),
        ({"model": "a", "weight": 0}, "propose.mix.0.weight"),
        ({"model": "a", "sampling": {"seed": 1}}, "propose.mix.0.sampling: must not contain seed"),
        ({"model": "a", "base_url": ["http://h/v1", "nowhere"]}, "must look like http://localhost:8000/v1"),
        ({"model": "a", "api_key_env": "sk-123"}, "never the key itself"),
    ],
)
def test_mistakes_in_a_mix_are_explained(values, says):
    with pytest.raises(UsageError) as error:
        parse_config({"propose": {"mix": [values]}}, "c.toml")
    assert says in str(error.value)
    assert "sk-123" not in str(error.value)


@pytest.mark.parametrize("second", [{"model": "a"}, {"model": "a", "base_url": "http://other/v1"}])
def test_a_model_that_is_named_twice_is_refused_with_advice(second):
    with pytest.raises(UsageError, match=r"propose.mix names a model twice; list its servers in base_url"):
        parse_config({"propose": {"mix": [{"model": "a"}, second]}}, "c.toml")


def test_limits_of_one_model_that_differ_by_stage_are_refused():
    teacher = {"kind": "openai", "model": "m", "requests_per_minute": 100}
    assert parse_config({"teacher": teacher, "propose": {"model": "n", "requests_per_minute": 10}}, "c.toml")
    with pytest.raises(
        UsageError, match=r'"m" has different limits per minute in \[classify\].*set them in \[teacher\]'
    ):
        parse_config({"teacher": teacher, "propose": {"requests_per_minute": 10}}, "c.toml")


def test_going_on_with_another_weight_is_refused_with_other_servers_it_is_not(tmp_path, cli):
    def config(weight, server):
        path = tmp_path / "mix.toml"
        path.write_text(
            f"[teacher]\nkind = 'openai'\nmodel = 'simulated'\nbase_url = '{server}'\n"
            f"[[propose.mix]]\nmodel = 'simulated-a'\nweight = {weight}\n[[propose.mix]]\nmodel = 'simulated-b'\n"
        )
        return path

    folder = tmp_path / "run"
    with simulated_server() as one, simulated_server() as other:
        cli("generate", folder, "--target", 20, "--config", config(3, one))
        refused = cli("generate", folder, "--target", 40, "--config", config(2, one), code=2)
        assert "propose.mix was" in refused.stderr
        before = server_calls(one)["received"]
        cli("generate", folder, "--target", 40, "--config", config(3, other))
        assert server_calls(one)["received"] == before
        assert server_calls(other)["received"] > 20


def test_base_urls_may_be_several(tmp_path, cli):
    folder = tmp_path / "run"
    with simulated_server() as one, simulated_server() as other:
        servers = ["--base-url", one, "--base-url", other + "/"]
        began = cli("generate", folder, "--target", 40, "--model", "simulated", *servers)
        assert f"simulated at {one} and {other}" in began.stdout
        assert min(server_calls(server)["answered"] for server in (one, other)) > 0
    assert tomllib.loads((folder / "config.toml").read_text())["teacher"]["base_url"] == [one, other]
    usage = json.loads(cli("status", folder, "--json").stdout)["usage"]
    assert {row["model"] for row in usage} == {"simulated"}


def test_the_models_of_a_mix_are_named(tmp_path, cli):
    config = tmp_path / "mix.toml"
    with simulated_server() as server:
        config.write_text(
            f"[teacher]\nkind = 'openai'\nmodel = 'simulated'\nbase_url = '{server}'\n"
            "[[propose.mix]]\nmodel = 'simulated-a'\n[[propose.mix]]\nmodel = 'simulated-b'\n"
        )
        began = cli("generate", tmp_path / "run", "--target", 40, "--config", config)
    proposing = f"propose: simulated-a at {server}, or simulated-b at {server}"
    assert f"{proposing}; classify, instances: simulated at {server}" in began.stdout
    shown = cli("status", tmp_path / "run").stdout
    assert all(f"propose   {model} " in shown for model in ("simulated-a", "simulated-b"))
