"""How the simulated service fails, what it refuses for good, and what it charges for."""

import asyncio
import json
from collections import Counter

import aiohttp
import openai
import pytest

from selfinstruct.simulated.server.app import serving
from selfinstruct.simulated.server.faults import fortune
from selfinstruct.simulated.settings import SimulatedSettings
from tests.conftest import until
from tests.simulated.asking import PROPOSE, body, post, said, soon, stopped_clock, teacher


def test_fortune_follows_the_request_and_the_attempt() -> None:
    settings = SimulatedSettings(
        latency_s=2.0, latency_kind="lognormal", latency_sigma=0.7, error_share=0.1, stall_share=0.2
    )
    drawn = [fortune(settings, b"request", attempt) for attempt in range(4000)]
    assert drawn == [fortune(settings, b"request", attempt) for attempt in range(4000)]
    kinds = Counter(one.fault for one in drawn)
    assert abs(kinds["error"] / 4000 - 0.1) < 0.02 and abs(kinds["stall"] / 4000 - 0.2) < 0.03
    assert sum(one.latency_s for one in drawn) / 4000 == pytest.approx(2.0, rel=0.1)
    fixed = SimulatedSettings(latency_s=1.0, straggler_share=0.5)
    assert {fortune(fixed, b"request", attempt).latency_s for attempt in range(50)} == {1.0, 10.0}


async def test_server_errors_pass_when_tried_again() -> None:
    settings = SimulatedSettings(error_share=0.5)
    async with teacher(settings) as (server, client):
        for number in range(12):
            for _ in range(50):
                try:
                    assert await said(client, f"Hello {number}")
                    break
                except openai.InternalServerError as error:
                    assert error.status_code == 500 and error.type == "server_error"
        calls = server.calls()
        assert calls["answered"] == calls["distinct"] == 12
        assert calls["faults"]["error"] == calls["received"] - 12 > 0


async def test_dropped_connections() -> None:
    async with teacher(SimulatedSettings(dropped_share=1)) as (server, client):
        with pytest.raises(openai.APIConnectionError):
            await said(client, "Hello")
        assert server.calls()["faults"]["dropped"] >= 1 and server.calls()["answered"] == 0


async def test_stalled_calls_end_when_the_client_goes() -> None:
    settings = SimulatedSettings(stall_share=1)
    async with teacher(settings, timeout=60) as (server, client), stopped_clock() as forward:
        call = asyncio.create_task(said(client, "Hello"))
        await soon(lambda: server.calls()["faults"] == {"stall": 1})
        while not call.done():
            forward(10)
            await asyncio.sleep(0)
        with pytest.raises(openai.APITimeoutError):
            await call
        await soon(lambda: server.calls()["in_flight"] == 0)
        assert server.calls()["faults"] == {"stall": 1}


async def test_a_server_with_a_stalled_call_closes() -> None:
    async with aiohttp.ClientSession() as session:
        async with serving(SimulatedSettings(stall_share=1)) as server:
            call = asyncio.create_task(session.post(f"{server.base_url}/chat/completions", json=body()))
            await until(lambda: server.calls()["in_flight"] == 1)
        with pytest.raises(aiohttp.ClientError):
            await call


async def test_slow_bodies_come_complete() -> None:
    async with serving(SimulatedSettings(slow_body_share=1, slow_body_s=0.2)) as server:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.base_url}/chat/completions", json=body(PROPOSE)) as response,
        ):
            assert response.status == 200 and server.calls()["answered"] == 0
            assert len((await response.json())["choices"]) == 1
        assert server.calls()["faults"] == {"slow_body": 1} and server.calls()["answered"] == 1


async def test_garbage_comes_in_all_kinds() -> None:
    seen = set()
    async with serving(SimulatedSettings(garbage_share=1)) as server, aiohttp.ClientSession() as session:
        for number in range(40):
            async with session.post(f"{server.base_url}/chat/completions", json=body(f"Hello {number}")) as response:
                text = await response.text()
                assert response.status == 200
            if text.startswith("<"):
                seen.add("html")
            elif not text.endswith("}"):
                seen.add("broken")
            else:
                choices = json.loads(text)["choices"]
                seen.add("null" if choices and choices[0]["message"]["content"] is None else "none")
        assert seen == {"html", "broken", "null", "none"} and server.calls()["answered"] == 0


async def test_requests_are_turned_away_by_share() -> None:
    async with teacher(SimulatedSettings(rate_limited_share=1, retry_after_s=0.25)) as (server, client):
        with pytest.raises(openai.RateLimitError) as caught:
            await said(client, "Hello")
        assert caught.value.code == "rate_limit_exceeded"
        assert caught.value.response.headers["retry-after"] == "0.25"
        assert server.calls()["faults"] == {"rate_limited": 1}
    async with teacher(SimulatedSettings(rate_limited_share=1)) as (_, client):
        with pytest.raises(openai.RateLimitError) as caught:
            await said(client, "Hello")
        assert "retry-after" not in caught.value.response.headers


# What is refused for good, and what it costs.


async def test_poisoned_requests_never_pass() -> None:
    async with serving(SimulatedSettings(poison_share=0.3)) as server:
        sent = [body(f"Hello {number}") for number in range(60)]
        first = [(await post(server, one))[0] for one in sent]
        assert [(await post(server, one))[0] for one in sent] == first
        assert set(first) == {200, 400} and 8 < first.count(400) < 30
        status, answer = await post(server, sent[first.index(400)])
        assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
        calls = server.calls()
        assert calls["refused"] == 2 * first.count(400) + 1 and calls["answered"] == 2 * first.count(200)


async def test_long_prompts_are_refused() -> None:
    async with teacher(SimulatedSettings(too_long_tokens=30)) as (server, client):
        assert await said(client, "Hello")
        with pytest.raises(openai.BadRequestError) as caught:
            await said(client, "Hello " * 30)
        assert caught.value.code == "context_length_exceeded" and caught.value.param == "messages"
        assert server.calls()["refused"] == 1


async def test_the_quota_ends() -> None:
    async with teacher(SimulatedSettings(quota_requests=2)) as (server, client):
        for number in range(2):
            assert await said(client, f"Hello {number}")
        for number in range(3):
            with pytest.raises(openai.RateLimitError) as caught:
                await said(client, f"Hello {number}")
            assert caught.value.code == caught.value.type == "insufficient_quota"
        assert server.calls()["answered"] == 2 and server.calls()["faults"] == {"insufficient_quota": 3}


async def test_tokens_are_charged_for_what_was_answered() -> None:
    settings = SimulatedSettings(error_share=0.2, garbage_share=0.2, slow_body_share=0.2, slow_body_s=0.01)
    async with serving(settings) as server:
        spent = [0, 0]
        for number in range(60):
            try:
                status, answer = await post(server, body(f"Hello {number}"))
            except (ValueError, aiohttp.ContentTypeError):
                continue
            if status == 200 and "usage" in answer:
                spent[0] += answer["usage"]["prompt_tokens"]
                spent[1] += answer["usage"]["completion_tokens"]
        calls = server.calls()
        assert [calls["prompt_tokens"], calls["completion_tokens"]] == spent and all(spent)
        assert {"error", "garbage", "slow_body"} == calls["faults"].keys()


async def test_an_abandoned_body_is_charged_for() -> None:
    settings = SimulatedSettings(slow_body_share=1, slow_body_s=86_400)
    async with teacher(settings, timeout=60) as (server, client), stopped_clock() as forward:
        call = asyncio.create_task(said(client, "Hello"))
        await soon(lambda: server.calls()["faults"] == {"slow_body": 1})
        while not call.done():
            forward(10)
            await asyncio.sleep(0)
        with pytest.raises(openai.APITimeoutError):
            await call
        await soon(lambda: server.calls()["in_flight"] == 0)
        calls = server.calls()
        assert calls["answered"] == 0 and calls["prompt_tokens"] > 0 and calls["completion_tokens"] > 0
