"""Many requests at once to the simulated server, and its rate limits."""

import asyncio
import hashlib
import json
from collections import Counter
from typing import Any

import aiohttp
import openai
import pytest

from selfinstruct.simulated.server.app import serving
from selfinstruct.simulated.server.faults import fortune
from selfinstruct.simulated.server.rate_limits import RateLimit
from selfinstruct.simulated.settings import SimulatedSettings
from tests.conftest import until
from tests.simulated.asking import body, said, stopped_clock, teacher


async def test_many_connections_at_once() -> None:
    """The first request stalls in the only turn there is, so that all others have come before one is answered."""
    settings = SimulatedSettings(stall_share=0.5, capacity=1)
    sent = [body(f"Hello {number}") for number in range(2000)]
    first = next(one for one in sent if fortune(settings, digest(one), 0).fault == "stall")
    others = [one for one in sent if fortune(settings, digest(one), 0).fault is None][:600]
    async with serving(settings) as server:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def status(one: dict[str, Any]) -> int:
                async with session.post(f"{server.base_url}/chat/completions", json=one) as response:
                    await response.read()
                    return response.status

            stalled = asyncio.create_task(status(first))
            await until(lambda: server.calls()["faults"] == {"stall": 1})
            tasks = [asyncio.create_task(status(one)) for one in others]
            await until(lambda: server.calls()["in_flight"] == 601)
            assert server.calls()["answered"] == 0
            stalled.cancel()
            assert Counter(await asyncio.gather(*tasks)) == {200: 600}
        assert server.calls()["peak_in_flight"] == 601
        await until(lambda: server.calls()["in_flight"] == 0)


def digest(request: dict[str, Any]) -> bytes:
    """What a request's faults are drawn from."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, separators=(",", ":")).encode()).digest()


async def test_requests_beyond_the_capacity_wait_their_turn() -> None:
    settings = SimulatedSettings(stall_share=1, capacity=1)
    async with serving(settings) as server, aiohttp.ClientSession() as session:

        async def call(number: int) -> asyncio.Task[Any]:
            before = server.calls()["received"]
            request = session.post(f"{server.base_url}/chat/completions", json=body(f"Hello {number}"))
            task = asyncio.create_task(request.__aenter__())
            await until(lambda: server.calls()["received"] == before + 1)
            return task

        first, second, third = [await call(number) for number in range(3)]
        assert server.calls()["in_flight"] == server.calls()["peak_in_flight"] == 3
        assert server.calls()["faults"] == {"stall": 1}
        second.cancel()
        await until(lambda: server.calls()["in_flight"] == 2)
        assert server.calls()["faults"] == {"stall": 1}
        first.cancel()
        await until(lambda: server.calls()["faults"] == {"stall": 2})
        third.cancel()
        await until(lambda: server.calls()["in_flight"] == 0)
        await asyncio.gather(first, second, third, return_exceptions=True)


async def test_turns_are_taken_in_order() -> None:
    settings = SimulatedSettings(latency_s=0.01, capacity=2)
    async with serving(settings) as server, aiohttp.ClientSession() as session:
        order = []

        async def call(number: int) -> None:
            async with session.post(f"{server.base_url}/chat/completions", json=body(f"Hello {number}")) as response:
                order.append(number)
                assert response.status == 200

        tasks = []
        for number in range(12):
            tasks.append(asyncio.create_task(call(number)))
            await until(lambda: server.calls()["received"] == len(tasks))
        await asyncio.gather(*tasks)
        assert all(abs(place - number) < 2 for place, number in enumerate(order))


# Rate limits.


async def test_requests_are_turned_away_by_rate() -> None:
    settings = SimulatedSettings(rate_limit_per_minute=3, rate_limit_per_s=100)
    async with teacher(settings) as (server, client), stopped_clock():
        raw = client.chat.completions.with_raw_response
        answer = await raw.create(model="simulated", messages=[{"role": "user", "content": "Hello"}])
        assert answer.headers["x-ratelimit-limit-requests"] in ("3", "100")
        assert int(answer.headers["x-ratelimit-remaining-requests"]) in (2, 99)
        results = await asyncio.gather(*(said(client, f"Hello {n}") for n in range(5)), return_exceptions=True)
        assert sum(isinstance(result, openai.RateLimitError) for result in results) == 3
        assert server.calls()["faults"] == {"rate_limited": 3} and server.calls()["answered"] == 3


def test_a_rate_limit_refills_evenly() -> None:
    limit = RateLimit(3, 60.0)
    for _ in range(3):
        assert limit.wait(0.0) == 0
        limit.take(0.0)
    assert limit.headers(0.0)["x-ratelimit-remaining-requests"] == "0"
    assert limit.wait(0.0) == pytest.approx(20) and limit.wait(20.1) == 0
    slow = RateLimit(0.5, 1.0)
    slow.take(0.0)
    assert slow.wait(0.0) == pytest.approx(2) and slow.wait(2.1) == 0


def test_a_burst_of_one_spaces_requests_evenly() -> None:
    limit = RateLimit(60, 60.0, burst=1)
    limit.take(0.0)
    assert limit.wait(0.0) == pytest.approx(1) and limit.wait(1.0) == 0
    assert limit.headers(0.0) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1.000s",
    }


def test_a_bucket_of_tokens() -> None:
    limit = RateLimit(1000, 60.0, unit="tokens")
    assert limit.wait(0.0, 5000) == 0
    limit.take(0.0, 700)
    assert limit.wait(0.0, 300) == 0 and limit.wait(0.0, 400) == pytest.approx(6)
    assert limit.headers(0.0)["x-ratelimit-remaining-tokens"] == "300"
    assert limit.wait(0.0, 5000) == pytest.approx(42)


async def test_tokens_are_limited_as_asked_for() -> None:
    settings = SimulatedSettings(rate_limit_tokens_per_minute=1000, rate_limit_per_minute=50)
    async with teacher(settings) as (server, client), stopped_clock():
        raw = client.chat.completions.with_raw_response
        first = await raw.create(
            model="simulated", messages=[{"role": "user", "content": "Hello"}], max_tokens=300, n=2
        )
        prompt = first.parse().usage.prompt_tokens
        assert first.headers["x-ratelimit-limit-tokens"] == "1000"
        assert first.headers["x-ratelimit-remaining-tokens"] == f"{1000 - prompt - 600}"
        assert first.headers["x-ratelimit-remaining-requests"] == "49"
        with pytest.raises(openai.RateLimitError) as caught:
            await said(client, "Hello", max_tokens=500)
        assert caught.value.type == "tokens" and caught.value.code == "rate_limit_exceeded"
        assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "49"
        await said(client, "Hello", max_tokens=20)
        assert server.calls()["faults"] == {"rate_limited": 1} and server.calls()["answered"] == 2


async def test_a_server_may_be_silent_about_its_limits() -> None:
    settings = SimulatedSettings(rate_limit_per_minute=60, rate_limit_burst=1, rate_limit_headers=False)
    async with serving(settings) as server, aiohttp.ClientSession() as session, stopped_clock():
        for status in (200, 429):
            async with session.post(f"{server.base_url}/chat/completions", json=body()) as response:
                assert response.status == status
                assert not [name for name in response.headers if "ratelimit" in name or "retry" in name.lower()]
