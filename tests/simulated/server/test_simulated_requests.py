"""Requests to the simulated server: the same gets the same, the wrong are refused, all are counted."""

import asyncio
import hashlib
import json
import subprocess
import sys
from typing import Any

import aiohttp
import openai
import pytest
from pydantic import SecretStr

from selfinstruct.simulated.server.app import serving
from selfinstruct.simulated.settings import SimulatedSettings
from tests.simulated.asking import PLAIN, PROPOSE, ask, body, post, said, teacher

# The same request, the same answer.


async def test_the_answer_depends_on_the_request_alone() -> None:
    async with teacher() as (_, one), teacher() as (_, other):
        first = await said(one, PROPOSE, seed=1)
        assert first == await said(one, PROPOSE, seed=1) == await said(other, PROPOSE, seed=1)
        assert first != await said(one, PROPOSE, seed=2)
        several = (await ask(one, PROPOSE, seed=1, n=3)).choices
        assert [choice.index for choice in several] == [0, 1, 2]
        assert len({choice.message.content for choice in several}) == 3


async def test_the_spelling_of_a_request_does_not_matter() -> None:
    async with serving(PLAIN) as server:
        turned = dict(reversed(body(PROPOSE, seed=5).items()))
        (_, first), (_, second) = await post(server, body(PROPOSE, seed=5)), await post(server, turned)
        assert first == second
        canonical = json.dumps(body(PROPOSE, seed=5), sort_keys=True, separators=(",", ":")).encode()
        assert server.calls()["repeated"] == {hashlib.sha256(canonical).hexdigest(): 2}


# Requests that are wrong.


@pytest.mark.parametrize(
    ("sent", "status", "param", "code"),
    [
        (b"{nonsense", 400, None, None),
        (b"[1]", 400, None, None),
        (b"\xff\xfe", 400, None, None),
        ({"model": "simulated"}, 400, "messages", "missing_required_parameter"),
        ({"model": "simulated", "messages": []}, 400, "messages", "invalid_type"),
        ({"model": "simulated", "messages": ["hi"]}, 400, "messages", "invalid_type"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, 400, "model", None),
        (body() | {"model": "gpt-9"}, 404, "model", "model_not_found"),
        (body(stream=True), 400, "stream", "unsupported_value"),
        (body(n=0), 400, "n", None),
        (body(n="2"), 400, "n", None),
        (body(stop=["a"] * 5), 400, "stop", "invalid_type"),
        (body(max_tokens=0), 400, None, None),
        (body(top_logprobs=3), 400, "top_logprobs", None),
        (body(response_format={"type": "xml"}), 400, "response_format", "invalid_value"),
    ],
)
async def test_a_wrong_request_is_refused(sent: Any, status: int, param: str | None, code: str | None) -> None:
    async with serving(PLAIN) as server:
        got, answer = await post(server, sent)
        error = answer["error"]
        assert (got, error["code"]) == (status, code) and error["message"] and error["type"] == "invalid_request_error"
        assert error["param"] == param or status == 400
        assert server.calls()["refused"] == 1 and server.calls()["answered"] == 0


async def test_odd_but_legal_requests_are_answered() -> None:
    async with serving(PLAIN) as server:
        parts = [
            {"type": "text", "text": "Task: Name a fruit.\n"},
            {"type": "text", "text": "Is it a classification task?"},
        ]
        odd = {"model": "simulated", "messages": [{"role": "user", "content": parts}], "stop": None, "n": None}
        status, answer = await post(server, odd)
        assert status == 200 and answer["choices"][0]["message"]["content"] == "No"
        assert (await post(server, body("\ud800 Name a fruit.", logprobs=True)))[0] == 200
        assert (await post(server, {"model": "simulated", "prompt": ["1. A.\n2."]}, "/completions"))[0] == 200
        assert (await post(server, {"model": "simulated", "prompt": [1, 2]}, "/completions"))[0] == 400
        status, closed = await post(server, body(), headers={"Connection": "close"})
        assert status == 200 and closed["object"] == "chat.completion"


async def test_the_key_is_checked_and_never_echoed() -> None:
    settings = SimulatedSettings(api_key=SecretStr("right-key"))
    async with teacher(settings, api_key="wrong-key") as (server, client):
        with pytest.raises(openai.AuthenticationError) as caught:
            await said(client, "Hello")
        assert caught.value.code == "invalid_api_key" and "key" not in str(caught.value).replace("_key", "").replace(
            "API key", ""
        )
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()
        with_key = client.with_options(api_key="right-key")
        assert await said(with_key, "Hello") and [model.id async for model in with_key.models.list()] == ["simulated"]
        assert server.calls()["refused"] == 1


async def test_models_and_unknown_addresses() -> None:
    async with teacher() as (_, client):
        assert (await client.models.retrieve("simulated-large")).id == "simulated-large"
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("other")
        assert caught.value.code == "model_not_found"
        with pytest.raises(openai.NotFoundError) as caught:
            await client.embeddings.create(model="simulated", input="text")
        assert caught.value.code == "unknown_url"


# Counts.


async def test_calls_are_counted() -> None:
    async with teacher() as (server, client):
        await asyncio.gather(*(said(client, "Hello") for _ in range(3)), said(client, "Good day"))
        with pytest.raises(openai.NotFoundError):
            await client.completions.create(model="other", prompt="x")
        async with (
            aiohttp.ClientSession() as session,
            session.get(server.base_url.removesuffix("/v1") + "/simulated/calls") as response,
        ):
            calls = await response.json()
        assert calls == server.calls()
        assert (calls["received"], calls["answered"], calls["distinct"], calls["refused"]) == (5, 4, 2, 1)
        assert list(calls["repeated"].values()) == [3]
        assert calls["in_flight"] == 0 and calls["faults"] == {}


def test_the_server_does_without_the_openai_package() -> None:
    check = "import sys, selfinstruct.simulated.server.app; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
