"""Budgets against real servers, by the servers' own counts: never exceeded, and used well."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing

import pytest

from selfinstruct import scheduler
from selfinstruct.budget import Budget
from selfinstruct.config import parse_config
from selfinstruct.errors import BudgetReached, TeacherError, UsageError
from selfinstruct.generate import generate
from selfinstruct.records import Completion, Request
from selfinstruct.run import open_run
from selfinstruct.simulated.server import serving
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.store import Store
from selfinstruct.verify import verify
from tests.conftest import COMMAND, server_calls, simulated_server

PRICE = {"input": 1.0, "output": 4.0}  # dollars for a million tokens
FAULTY = SimulatedSettings(
    error_share=0.05, dropped_share=0.05, garbage_share=0.05, stall_share=0.02, slow_body_share=0.03, slow_body_s=5,
    latency_s=0.002, latency_kind="lognormal",
)  # fmt: skip
LIMITS = [
    {"max_cost": 0.1},
    {"max_requests": 150},
    {"max_tokens": 100_000},
    {"max_cost": 0.1, "max_requests": 150, "max_tokens": 100_000},
]


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
        "running": {"deadline_s": 1.0, **running},
    }


async def grow(folder, base_url, target=5000, **running):
    with open_run(folder, None, asked_of(base_url, **running), None).store as store:
        pass
    run = open_run(folder, None, asked_of(base_url, **running), None)
    with run.store as store:
        try:
            return await generate(run, target)
        finally:
            assert store.query("SELECT * FROM sent") == []
            assert verify(store) == []


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


@pytest.mark.parametrize("concurrency", [1, 16, 256])
@pytest.mark.parametrize("limits", LIMITS, ids=lambda limits: "+".join(limits))
async def test_no_budget_is_exceeded_whatever_goes_wrong(tmp_path, limits, concurrency):
    async with serving(FAULTY) as server:
        with pytest.raises(BudgetReached):
            await grow(tmp_path / "run", server.base_url, concurrency=concurrency, **limits)
        calls = server.calls()
    assert all(calls["faults"].get(kind) for kind in ("error", "dropped", "garbage"))
    assert max(shares(calls, limits).values()) <= 1
    assert calls["answered"] > 20


@pytest.mark.parametrize(
    "limits", [{"max_cost": 1.0}, {"max_requests": 1500}, {"max_tokens": 700_000}], ids=lambda limits: "+".join(limits)
)
@pytest.mark.parametrize("concurrency", [1, 64])
async def test_a_budget_is_used_well_and_hardly_a_task_is_left_without_instances(tmp_path, limits, concurrency):
    async with serving(SimulatedSettings()) as server:
        with pytest.raises(BudgetReached):
            await grow(tmp_path / "run", server.base_url, concurrency=concurrency, **limits)
        (share,) = shares(server.calls(), limits).values()
    with Store.read(tmp_path / "run") as store:
        n_tasks, n_made = store.query("SELECT count(*), sum(made) FROM tasks")[0]
        wasted = store.query("SELECT count(*) FROM requests WHERE stage='propose'")[0][0] - len(store.steps())
    print("SHARE", limits, concurrency, round(share, 3), n_tasks, n_made, "unused proposals", wasted)
    assert 0.85 <= share <= 1
    assert n_made >= 0.99 * n_tasks
