"""Answers of the llama.cpp that a run has started, which are read while they are written.

The events are those of llama.cpp's server (tools/server/README.md, `timings_per_token`), as xllamacpp 2026.10 sends
them.
"""

import asyncio
import json

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from selfinstruct.errors import TryAgain
from selfinstruct.parsing.loops import looping_unit
from selfinstruct.records import Request
from selfinstruct.teachers.kinds._local import _Server
from selfinstruct.teachers.kinds._streaming import LOOK_EVERY, StreamingClient
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.settings import TeacherSettings

LIMIT = 2000  # tokens


def event(n, **fields):
    choice = {"index": 0, "finish_reason": None, "delta": {}} | fields
    timings = {"cache_n": 30, "prompt_n": 4, "predicted_n": n}
    return b"data: " + json.dumps({"choices": [choice], "timings": timings}).encode() + b"\n\n"


async def ask(pieces, look=lambda client: None):
    """The completion that these pieces of text make up, how many of them were sent, and what `look` has seen."""
    sent, seen = 0, []

    async def serve(request):
        nonlocal sent
        asked = await request.json()
        assert asked["stream"]
        assert "stream" not in sampling
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(event(0, delta={"role": "assistant", "content": None}))
        for sent, piece in enumerate(pieces, 1):
            await response.write(event(sent, delta={"content": piece}))
            await asyncio.sleep(0)
            seen.append(look(client))
        await response.write(event(sent, finish_reason="length"))
        usage = {"prompt_tokens": 34, "completion_tokens": sent}
        await response.write(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\ndata: [DONE]\n\n")
        return response

    sampling = {"temperature": 0.0}
    app = web.Application()
    app.router.add_post("/v1/chat/completions", serve)
    async with TestServer(app) as server:
        settings = TeacherSettings(model="m", api_key_env="")
        client = StreamingClient(_Server("", None, None), settings, str(server.make_url("/v1")), {}, Pace(1))
        try:
            completion = await client.complete(Request("propose", "llama.cpp", "m", "chat", "", "Go on.", sampling))
        finally:
            await client.close()
        assert client.pace.arriving == 0
        return completion, sent, seen


@pytest.mark.parametrize("unit", [["in", " place", " "], ["\n"], [f"{n} bottles, " for n in range(25)]])
async def test_an_answer_that_loops_is_ended(unit):
    pieces = (["Reverse", " it", ": "] + unit * LIMIT)[:LIMIT]
    completion, _, _ = await ask(pieces)
    n = completion.completion_tokens
    assert completion.finish_reason == "length: the answer only repeats itself"
    assert completion.was_cut
    assert n < LIMIT / 2
    assert completion.text == "".join(pieces[:n])
    assert completion.prompt_tokens == 34
    assert looping_unit(completion.text, 100)


async def test_an_answer_that_goes_on_is_left_alone_and_its_tokens_are_counted():
    def look(client):
        return client.pace.arriving

    pieces = [f"{n * n}, " for n in range(LOOK_EVERY * 5)]
    completion, sent, seen = await ask(pieces, look)
    assert (completion.text, completion.finish_reason) == ("".join(pieces), "length")
    assert (completion.prompt_tokens, completion.completion_tokens) == (34, sent)
    assert seen == sorted(seen)
    assert 0 < seen[-1] <= sent + 1


async def test_an_answer_that_is_too_large_is_none():
    with pytest.raises(TryAgain, match="answer_too_large"):
        await ask(f"{n} " * 100_000 for n in range(200))


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("Reverse the string" + " in place" * 20, " in place"),
        ("1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28", ""),
        ("Row, row, row your boat\n" * 3, ""),
        ("| a | b |\n|" + "-" * 60, ""),
        ("x" * 99, ""),
        ("", ""),
    ],
)
def test_what_a_loop_is(text, unit):
    found = looping_unit(text, 100)
    assert sorted(found) == sorted(unit)
