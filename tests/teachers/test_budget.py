"""Budgets against real servers, by the servers' own counts: never exceeded, and used well."""

import asyncio
import importlib.util
import subprocess
from pathlib import Path

import pytest

from selfinstruct.config.config import parse_config
from selfinstruct.errors import BudgetReached, RequestRefused, TeacherError
from selfinstruct.records import Completion, Request
from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run
from selfinstruct.simulated.server.app import serving
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.store.answers import usage, used
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from selfinstruct.teachers import scheduler
from selfinstruct.teachers.budget import Budget
from tests.conftest import COMMAND, server_calls, until
from tests.loopback import kill, loopback, wait_until, working
from tests.virtual_time import on_virtual_time_with_servers

PRICE = {"input": 1.0, "output": 4.0}  # dollars for a million tokens
FAULTY = SimulatedSettings(
    error_share=0.05, dropped_share=0.05, garbage_share=0.05, stall_share=0.02, slow_body_share=0.03, slow_body_s=5,
    latency_s=0.1, latency_kind="lognormal",
)  # fmt: skip
LIMITS = [
    {"max_cost": 0.08},
    {"max_requests": 80},
    {"max_tokens": 80_000},
    {"max_cost": 0.08, "max_requests": 80, "max_tokens": 80_000},
]


def benchmark():
    """The module benchmarks/unruly.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("unruly", Path(__file__).parents[2] / "benchmarks/unruly.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


unruly = benchmark()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(scheduler, "BACKOFF_FIRST_S", 0.001)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def asked_of(base_url, **running):
    """The settings of a run with a budget."""
    return {
        "teacher": {"kind": "openai", "model": "simulated", "base_url": base_url},
        "prices": {"simulated": PRICE},
        "running": {"deadline_s": 0.5, **running},
    }


async def grow(folder, base_url, target=5000, **running):
    run = open_run(folder, None, asked_of(base_url, **running), None)
    with run.store as store:
        try:
            return await generate(run, target)
        finally:
            assert store.query("SELECT * FROM sent") == []
            assert verify(store) == []


def tokens_used(store):
    return sum(tokens for _, _, tokens, _ in used(store).values())


def spent(calls):
    """What the server would charge for, in dollars."""
    return (calls["prompt_tokens"] * PRICE["input"] + calls["completion_tokens"] * PRICE["output"]) / 1e6


def shares(calls, limits):
    """How much of each limit was used, by the server's own count."""
    used = {
        "max_cost": spent(calls),
        "max_requests": calls["received"],
        "max_tokens": calls["prompt_tokens"] + calls["completion_tokens"],
    }
    return {name: used[name] / limit for name, limit in limits.items()}


@pytest.mark.parametrize(
    ("limits", "concurrency"),
    [(LIMITS[0], 16), (LIMITS[1], 256), (LIMITS[2], 256), (LIMITS[3], 1), (LIMITS[3], 256)],
    ids=str,
)
@on_virtual_time_with_servers
async def test_no_budget_is_exceeded_whatever_goes_wrong(tmp_path, limits, concurrency):
    async with serving(FAULTY) as server:
        with pytest.raises(BudgetReached):
            await grow(tmp_path / "run", server.base_url, concurrency=concurrency, **limits)
        calls = server.calls()
    assert all(calls["faults"].get(kind) for kind in ("error", "dropped", "garbage"))
    assert max(shares(calls, limits).values()) <= 1
    assert calls["answered"] > 20


@pytest.mark.parametrize(
    ("limits", "concurrency", "error_share"),
    [
        ({"max_cost": 0.25}, 64, 0.1), ({"max_requests": 200}, 64, 0.1), ({"max_tokens": 140_000}, 64, 0.1),
        ({"max_cost": 0.12}, 1, 0.1), ({"max_cost": 0.2}, 64, 0),
    ],
    ids=str,
)  # fmt: skip
@on_virtual_time_with_servers
async def test_a_budget_is_used_well_and_no_task_is_left_without_instances(tmp_path, limits, concurrency, error_share):
    """A status of 500 costs nothing."""
    async with serving(SimulatedSettings(error_share=error_share)) as server:
        with pytest.raises(BudgetReached):
            await grow(tmp_path / "run", server.base_url, concurrency=concurrency, **limits)
        (share,) = shares(server.calls(), limits).values()
    with Store.read(tmp_path / "run") as store:
        n_tasks, n_made = store.query("SELECT count(*), sum(generated) FROM tasks")[0]
    assert 0.85 <= share <= 1
    assert n_made == n_tasks


@pytest.mark.parametrize("max_cost", [0.8, 3, 7])
@on_virtual_time_with_servers
async def test_where_one_call_takes_much_of_the_limit_every_task_still_gets_its_instances(tmp_path, max_cost):
    """100 and 200 dollars a million tokens: a call for instances may cost 50 cents, and costs 10. Each session knows
    what earlier ones have used."""
    price = {"simulated": {"input": 100.0, "output": 200.0}}
    async with serving(SimulatedSettings()) as server:
        settings = {**asked_of(server.base_url, max_cost=max_cost), "prices": price}
        for _ in range(3):
            run = open_run(tmp_path / "run", None, settings, None)
            with run.store as store:
                with pytest.raises(BudgetReached, match=r"may use up to \$0\.[3-6]"):
                    await generate(run, 500)
                n_tasks, n_generated = store.query("SELECT count(*), coalesce(sum(generated), 0) FROM tasks")[0]
                assert n_generated == n_tasks
        calls = server.calls()
    assert bool(n_tasks) == (max_cost > 1)
    assert (calls["prompt_tokens"] * 100 + calls["completion_tokens"] * 200) / 1e6 <= max_cost


@pytest.mark.parametrize("limits", [{"max_requests": 125}, {"max_tokens": 200_000}], ids="+".join)
def test_killed_again_and_again_a_run_keeps_to_its_budget(tmp_path, cli, limits):
    """After 25 answers in each session the server holds back all others, of up to 16 calls: no limit is reached yet."""
    folder, config = tmp_path / "run", tmp_path / "run.toml"
    config.write_text("[prices.simulated]\ninput = 1.0\noutput = 4.0\n")
    settings = "latency_s = 0.03\nlatency_kind = 'lognormal'\ndropped_share = 0.03\nerror_share = 0.03"
    flags = [f"--{name.replace('_', '-')}={limit}" for name, limit in limits.items()]
    with loopback(settings) as server:
        command = [
            "generate", folder, "--target", 5000, "--seed", 7, "--base-url", server.url, "--model", "simulated",
            "--config", config,
        ]  # fmt: skip
        for _ in range(2):
            server.hold(after=25)
            with working([*COMMAND, *map(str, [*command, *flags])], stderr=subprocess.DEVNULL) as process:
                wait_until(lambda: server.held, process)
                kill(process)
            wait_until(lambda: not server.held)
        server.release()
        ended = cli(*command, *flags, code=2)
        calls = server_calls(server.url)
    (name,) = limits
    assert f"raise {name} (--" in ended.stderr
    assert shares(calls, limits)[name] <= 1
    with Store.read(folder) as store:
        assert store.query("SELECT * FROM sent") == []
        interrupted = store.query("SELECT detail, tokens FROM faults WHERE reason = 'interrupted'")
        assert verify(store) == []
    assert interrupted
    assert all(tokens > 0 for _, tokens in interrupted)


@pytest.mark.parametrize(
    ("limits", "n_tasks", "stopped"),
    [
        ({"max_requests": 12}, 5, "instances of one more task"),
        ({"max_requests": 20}, 8, "next call may use up to 1, with another 2 reserved for the instances of tasks"),
        ({"max_requests": 30}, 13, "instances of one more task may use up to 2"),
        ({"max_cost": 0.04}, 13, "instances of one more task may use up to"),
    ],
    ids=str,
)  # fmt: skip
@on_virtual_time_with_servers
async def test_a_small_budget_pays_for_no_task_that_it_cannot_finish(tmp_path, limits, n_tasks, stopped):
    """Nothing is known of the cost of instances when the first tasks are admitted. The candidates that there is no room
    for come first once there is: the records are those of a run without a budget."""
    records = {}
    async with serving(SimulatedSettings(latency_s=0.05)) as server:
        await grow(tmp_path / "all", server.base_url, 23)
        for concurrency in (1, 16):
            with pytest.raises(BudgetReached, match=stopped):
                await grow(tmp_path / str(concurrency), server.base_url, 200, concurrency=concurrency, **limits)
            with Store.read(tmp_path / str(concurrency)) as store:
                assert store.query("SELECT count(*), sum(generated) FROM tasks") == [(n_tasks, n_tasks)]
            await grow(tmp_path / str(concurrency), server.base_url, 23, max_requests=60, max_cost=1)
            records[concurrency] = (tmp_path / str(concurrency) / "records.jsonl").read_bytes()
    assert records[1] == records[16] == (tmp_path / "all" / "records.jsonl").read_bytes()


# A server that answers in every form, with counts of tokens that are none. What it has really used counts.


async def grown(folder, server, target=25, **running):
    async with server.serving():
        assert await grow(folder, server.url, target, deadline_s=30, **running)
    return (folder / "records.jsonl").read_bytes()


@on_virtual_time_with_servers
async def test_whatever_a_server_sends_the_records_are_the_same_and_every_call_is_accounted_for(tmp_path):
    expected = await grown(tmp_path / "calm", unruly.Unruly([unruly.plain], fault_share=0))
    server = unruly.Unruly(fault_share=0.3)
    assert await grown(tmp_path / "run", server, concurrency=64) == expected
    assert len(server.kinds) >= 15
    with Store.read(tmp_path / "run") as store:
        ((answers, faults),) = store.query("SELECT (SELECT count(*) FROM completions), (SELECT count(*) FROM faults)")
    assert server.received == answers + faults


@pytest.mark.parametrize("limits", LIMITS[:3], ids="+".join)
@pytest.mark.parametrize(
    ("answers", "fault_share", "concurrency"), [("no_counts", 0, 256), ("all", 0.3, 16), ("all", 0.3, 256)]
)
@on_virtual_time_with_servers
async def test_no_budget_is_exceeded_by_answers_without_sensible_counts(
    tmp_path, limits, answers, fault_share, concurrency
):
    server = unruly.Unruly(unruly.ANSWERS if answers == "all" else [unruly.no_counts], fault_share, latency_s=0.2)
    async with server.serving():
        for _ in range(2):  # the second session must not forget what the first has used
            with pytest.raises(BudgetReached):
                await grow(tmp_path / "run", server.url, 5000, deadline_s=30, concurrency=concurrency, **limits)
    used_up = {
        "max_cost": server.bill_usd, "max_requests": server.received,
        "max_tokens": server.prompt_tokens + server.completion_tokens,
    }  # fmt: skip
    (name,) = limits
    assert 0 < used_up[name] <= limits[name]


async def test_killed_among_answers_without_sensible_counts_a_run_keeps_to_its_budget(tmp_path):
    config = tmp_path / "run.toml"
    config.write_text("[prices.simulated]\ninput = 1.0\noutput = 4.0\n")
    server = unruly.Unruly([unruly.no_counts], fault_share=0.2)
    async with server.serving():
        command = [
            *COMMAND, "generate", tmp_path / "run", "--target", 5000, "--base-url", server.url, "--model", "simulated",
            "--config", config, "--max-cost", 0.3,
        ]  # fmt: skip
        for let_through in (5, 15):
            server.let_through = let_through
            with working(list(map(str, command)), stderr=subprocess.DEVNULL) as process:
                await until(lambda: server.received > server.let_through or process.poll() is not None)
                kill(process)
        server.let_through = float("inf")
        with working(list(map(str, command)), stderr=subprocess.PIPE) as process:
            _, said = await asyncio.to_thread(process.communicate)
    assert "raise max_cost" in said
    assert 0 < server.bill_usd <= 0.3


def test_a_higher_limit_goes_on_and_ends_like_a_run_without_one(tmp_path, cli):
    run, whole = tmp_path / "run", tmp_path / "whole"
    cli("generate", whole, "--target", 30)
    stopped = cli("generate", run, "--target", 30, "--max-requests", 25, code=2)
    assert "Error: Stopped at the budget:" in stopped.stderr
    assert "used of max_requests = 25" in stopped.stderr
    assert "raise max_requests (--max-requests)" in stopped.stderr
    assert (run / "records.jsonl").exists()
    # Named again or not, the limit holds, also where a config file leaves it out.
    other = tmp_path / "other.toml"
    other.write_text("[running]\nconcurrency = 3\n")
    for again in ([], ["--max-requests", 25], ["--config", other]):
        assert "max_requests = 25" in cli("generate", run, "--target", 30, *again, code=2).stderr
    cli("generate", run, "--target", 30, "--max-requests", 5000)
    assert (run / "records.jsonl").read_bytes() == (whole / "records.jsonl").read_bytes()


def test_a_budget_that_bears_no_call_at_all_stops_before_the_first(tmp_path, cli):
    stopped = cli("generate", tmp_path / "run", "--target", 5, "--max-tokens", 10, code=2)
    assert "Stopped at the budget: 0 used of max_tokens = 10" in stopped.stderr
    with Store.read(tmp_path / "run") as store:
        assert store.query("SELECT count(*) FROM requests") == [(0,)]


@pytest.mark.parametrize(
    ("config", "flag", "says"),
    [
        ("", ["--max-cost", 1], '[prices."simulated"]'),
        ("[classify]\nsampling = {max_tokens = 10.0}", ["--max-tokens", 9999], "a whole number"),
        ("[[propose.mix]]\nmodel='a'\n[[propose.mix]]\nmodel='simulated'\n[prices.simulated]\ninput=1\noutput=1",
         ["--max-cost", 1], '[prices."a"]'),
    ],
)  # fmt: skip
def test_a_budget_that_could_not_be_kept_is_refused_before_any_call(tmp_path, cli, config, flag, says):
    (tmp_path / "c.toml").write_text(config)
    refused = cli("generate", tmp_path / "run", "--target", 5, "--config", tmp_path / "c.toml", *flag, code=2)
    assert says in refused.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flag", [("--max-cost", 0), ("--max-requests", 0), ("--max-tokens", -1)])
def test_a_limit_of_nothing_is_refused(tmp_path, cli, flag):
    assert "running.max_" in cli("generate", tmp_path / "run", "--target", 5, *flag, code=2).stderr


@on_virtual_time_with_servers
async def test_a_run_that_is_refused_or_cancelled_leaves_no_call_open(tmp_path):
    async with serving(SimulatedSettings(api_key="right")) as server:
        with pytest.raises(TeacherError):
            await grow(tmp_path / "refused", server.base_url, max_requests=50)
    async with serving(SimulatedSettings(latency_s=3600)) as server:
        limits = {"max_tokens": 50_000, "deadline_s": 3600}
        growing = asyncio.create_task(grow(tmp_path / "cancelled", server.base_url, **limits))
        await until(lambda: server.calls()["in_flight"])
        growing.cancel()
        await asyncio.wait([growing])
    with Store.read(tmp_path / "refused") as store:
        assert tokens_used(store) == 0
        assert store.query("SELECT reason FROM faults") == [("run_stopped",)]  # the probe
    with Store.read(tmp_path / "cancelled") as store:
        assert store.query("SELECT reason FROM faults") == [("interrupted",)]
        assert 0 < tokens_used(store) < 50_000


# The account itself.


def a_request(n=0, **sampling):
    return Request("instances", "openai", "simulated", "chat", "", f"Say {n}.", {"max_tokens": 100, **sampling})


@pytest.fixture
def store(tmp_path):
    with open_run(tmp_path / "run", None, {}, None).store as store:
        yield store


def budget_of(store, **limits):
    config = parse_config({"running": limits, "prices": {"simulated": PRICE}}, "test")
    return Budget(config.running, config.prices, config.stages, store)


def test_an_answer_without_a_count_of_tokens_counts_with_the_most(store):
    budget = budget_of(store, max_tokens=1000)
    for n in range(10):
        if not budget_fits(budget, a_request(n)):
            break
        budget.reserve(a_request(n))
        answer = Completion(a_request(n).id, "yes", "stop", raw='{"choices": []}')
        budget.settle(a_request(n), answer, None)
        store.add_completion(a_request(n), answer)
    assert n == 4  # each of 100 tokens of the answer, 100 for a template, and the bytes of the prompt
    assert not budget_fits(budget_of(store, max_tokens=1000), a_request(n))  # after a restart too


@pytest.mark.parametrize(("n_prompt", "n_new"), [(0, 0), (5, 0), (0, 5), (5, 5)])
def test_each_half_that_is_not_counted_counts_with_its_most(store, n_prompt, n_new):
    """The answer may have 100 tokens."""
    most = int(budget_of(store).at_most(a_request()).tokens)
    counted = (n_prompt or most - 100) + (n_new or 100)
    answer = Completion(a_request().id, "yes", "stop", n_prompt, n_new, raw="{}")
    enough, too_little = (budget_of(store, max_tokens=counted + most - less) for less in (0, 1))
    for budget in (enough, too_little):
        budget.reserve(a_request())
        budget.settle(a_request(), answer, None)
        store.forget_sent(a_request())
    assert (budget_fits(enough, a_request(1)), budget_fits(too_little, a_request(1))) == (True, False)
    store.add_completion(a_request(), answer)
    for less in (0, 1):  # after a restart
        assert budget_fits(budget_of(store, max_tokens=counted + most - less), a_request(1)) is (less == 0)


def test_counts_that_no_sum_of_64_bits_can_hold_do_not_break_a_run(store):
    """From an earlier version, or a user's own teacher."""
    for n in range(3):
        store.add_completion(a_request(n), Completion(a_request(n).id, "yes", "stop", 2**62, 2**62, raw="{}"))
    assert not budget_fits(budget_of(store, max_tokens=10**9), a_request(9))
    assert usage(store, ["instances"])[0].prompt_tokens > 2**60


def test_what_was_answered_before_there_was_a_price_counts(store):
    answer = Completion(a_request().id, "yes", "stop", prompt_tokens=1_000_000, completion_tokens=500_000, raw="{}")
    store.add_completion(a_request(), answer)
    assert not budget_fits(budget_of(store, max_cost=3.0), a_request(1))  # it has cost 1 + 2 dollars
    assert budget_fits(budget_of(store, max_cost=3.1), a_request(1))


def test_what_was_not_counted_keeps_the_highest_price_that_its_model_has_had(store):
    """Without counts, $1 of one session must not become 10 cents of the next because the price has fallen."""
    answer = Completion(a_request().id, "yes", "stop", raw="{}")
    highest = budget_of(store, max_cost=1.0).at_most(a_request()).cost_usd
    store.add_completion(a_request(), answer)
    config = parse_config(
        {"running": {"max_cost": highest}, "prices": {"simulated": {"input": 0.1, "output": 0.4}}}, ""
    )
    for is_batch in (False, True):
        assert not budget_fits(Budget(config.running, config.prices, config.stages, store, is_batch), a_request(1))


def test_a_call_that_stopped_the_run_counts_in_later_sessions(store):
    """Otherwise a server that asks for a key could be called again and again beyond max_requests."""
    budget = budget_of(store, max_requests=1)
    budget.reserve(a_request())
    budget.settle(a_request(), None, TeacherError("asks for a key"))
    assert not budget_fits(budget_of(store, max_requests=1), a_request())
    assert store.query("SELECT reason, tokens FROM faults") == [("run_stopped", 0)]


@on_virtual_time_with_servers
async def test_what_failed_calls_may_have_used_is_stored_by_a_run_without_limits_too(tmp_path):
    """A later session may set a limit."""
    async with serving(SimulatedSettings(dropped_share=0.3)) as server:
        assert await grow(tmp_path / "run", server.base_url, 5)
    with Store.read(tmp_path / "run") as store:
        faults = store.query("SELECT tokens, cost_usd FROM faults WHERE reason = 'connection'")
    assert faults
    assert all(tokens > 0 and cost > 0 for tokens, cost in faults)


def budget_fits(budget, request):
    try:
        return budget.fits(request, 0, 0.0)
    except BudgetReached:
        return False


def test_the_most_is_never_less_than_what_any_tokenizer_would_count(store):
    budget = budget_of(store)
    texts = ["Say 0.", "日本語のテキスト", "🙂" * 50, "a" * 1000]
    for text in texts:
        request = Request("instances", "openai", "simulated", "chat", text, text, {"max_tokens": 7})
        assert budget.at_most(request).tokens >= 2 * len(text.encode()) + 7
    tools = [{"type": "function", "function": {"name": "look", "description": "word " * 1000}}]
    assert budget.at_most(a_request(tools=tools)).tokens >= 5000  # servers write them into the prompt
    assert budget.at_most(a_request(max_completion_tokens=900)).tokens >= 900
    assert budget.at_most(a_request(max_completion_tokens=9)).tokens >= 100


def test_a_budget_without_limits_refuses_nothing(store):
    assert budget_of(store).fits(a_request(), 0, 0.0)


@pytest.mark.parametrize(
    ("refusal", "has_cost"),
    [(RequestRefused("content_filter", "held back", "{}"), True), (RequestRefused("http_400", "wrong"), False)],
)
def test_what_a_refused_answer_may_have_cost_counts(store, refusal, has_cost):
    budget = budget_of(store, max_tokens=300)
    budget.reserve(a_request())
    budget.settle(a_request(), None, refusal)
    assert budget_fits(budget, a_request(1)) is not has_cost
