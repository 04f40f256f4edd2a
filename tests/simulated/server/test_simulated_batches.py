"""The simulated server's files and batches: what they give, and the states they go through."""

import asyncio
import json

import aiohttp
import openai
import pytest

from selfinstruct.simulated.server.batches import Batch as Made
from selfinstruct.simulated.settings import SimulatedSettings
from tests.simulated.asking import body, stopped_clock, teacher
from tests.simulated.batching import CHAT, LEGACY, both, ended, line, lines, run, submit

# Files.


async def test_files_are_kept_listed_and_deleted() -> None:
    async with teacher() as (_, client):
        first = await client.files.create(file=("a.jsonl", b"one\n"), purpose="batch")
        second = await client.files.create(file=("b.jsonl", b"\xfftwo"), purpose="batch")
        assert (first.filename, first.bytes, first.purpose, first.object) == ("a.jsonl", 4, "batch", "file")
        assert (await client.files.content(second.id)).content == b"\xfftwo"
        assert await client.files.retrieve(first.id) == first
        assert [file.id async for file in client.files.list(limit=1)] == [second.id, first.id]
        assert [file.id async for file in client.files.list(order="asc")] == [first.id, second.id]
        assert [file async for file in client.files.list(purpose="batch_output")] == []
        assert (await client.files.delete(first.id)).deleted
        for call in (client.files.retrieve, client.files.content, client.files.delete):
            with pytest.raises(openai.NotFoundError):
                await call(first.id)
        assert [file.id async for file in client.files.list()] == [second.id]


async def test_wrong_uploads_are_refused() -> None:
    async with teacher() as (server, client), aiohttp.ClientSession() as session:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.files.create(file=("a.jsonl", b"{}"), purpose="fine-tune")
        assert caught.value.param == "purpose"
        for data in (b"{}", aiohttp.FormData({"purpose": "batch"}, default_to_multipart=True)):
            async with session.post(f"{server.base_url}/files", data=data) as response:
                assert response.status == 400
        async with session.get(f"{server.base_url}/files?limit=x") as response:
            assert response.status == 400


# What a batch gives.


async def test_a_batch_gives_what_is_given_online() -> None:
    rows = [*lines(30), line("long", body("1. A.\n2. B.\nWrite 4 more tasks.", logprobs=True, top_logprobs=2))]
    async with teacher() as (server, client), aiohttp.ClientSession() as session:
        batch = await submit(client, rows, metadata={"run": "a"})
        assert (batch.status, batch.output_file_id, batch.metadata) == ("validating", None, {"run": "a"})
        batch = await client.batches.retrieve(batch.id)
        assert (batch.status, batch.model, batch.endpoint) == ("completed", "simulated", CHAT)
        assert batch.request_counts.model_dump() == {"total": 31, "completed": 31, "failed": 0}
        assert batch.error_file_id is None and batch.errors is None and batch.completed_at >= batch.created_at
        content = (await client.files.content(batch.output_file_id)).content
        answers = {json.loads(text)["custom_id"]: text for text in content.splitlines()}
        assert set(answers) == {row["custom_id"] for row in rows}
        assert list(answers) != [row["custom_id"] for row in rows]
        for row in rows:
            answer = json.loads(answers[row["custom_id"]])
            assert answer["id"].startswith("batch_req_") and answer["error"] is None
            assert answer["response"]["status_code"] == 200 and answer["response"]["request_id"]
            async with session.post(server.base_url + "/chat/completions", json=row["body"]) as response:
                assert b'"body":%b},"error":null}' % await response.read() in answers[row["custom_id"]]
        calls = server.calls()
        assert (calls["answered"], calls["distinct"], calls["batches"]) == (62, 31, 1)
        assert set(calls["repeated"].values()) == {2}
        assert calls["prompt_tokens"] == 2 * batch.usage.input_tokens
        assert calls["completion_tokens"] == 2 * batch.usage.output_tokens


async def test_the_order_of_the_output_can_be_repeated() -> None:
    orders = []
    for _ in range(2):
        async with teacher() as (_, client):
            output, _ = await both(client, await run(client, lines(20)))
            orders.append([answer["custom_id"] for answer in output])
    assert orders[0] == orders[1]


async def test_a_batch_of_completions() -> None:
    rows = [line("a", {"model": "simulated", "prompt": "1. A.\n2.", "max_tokens": 50}, LEGACY)]
    async with teacher() as (_, client):
        ((answer,), _) = await both(client, await run(client, rows, LEGACY))
        online = await client.completions.create(**rows[0]["body"])
        assert openai.types.Completion.model_validate(answer["response"]["body"]) == online


async def test_batches_count_as_calls_do() -> None:
    async with teacher() as (server, client):
        first = await submit(client, lines(4))
        await submit(client, lines(6))
        async with (
            aiohttp.ClientSession() as session,
            session.get(server.base_url.removesuffix("/v1") + "/simulated/calls") as response,
        ):
            calls = await response.json()
        assert calls == server.calls()
        assert (calls["received"], calls["answered"], calls["distinct"], calls["batches"]) == (0, 10, 6, 2)
        assert list(calls["repeated"].values()) == [2] * 4
        await ended(client, first)
        assert server.calls()["answered"] == 10


# Its states.


async def test_a_batch_goes_through_its_states() -> None:
    async with teacher(SimulatedSettings(batch_s=10)) as (_, client), stopped_clock() as forward:
        batch = await submit(client, lines(8))
        seen, counts = [batch.status], [0]
        while batch.status != "completed":
            batch = await client.batches.retrieve(batch.id)
            seen += [batch.status] if batch.status != seen[-1] else []
            counts.append(batch.request_counts.completed)
            assert batch.status == "completed" or batch.output_file_id is None
            forward(0.1)
        order = ("validating", "in_progress", "finalizing", "completed")
        assert [order.index(status) for status in seen] == sorted(order.index(status) for status in seen)
        assert seen == list(order) and counts == sorted(counts) and counts[-1] == 8


async def test_its_state_follows_from_the_time() -> None:
    work = asyncio.create_task(asyncio.sleep(0))
    batch = Made("file-x", CHAT, None, began=100.0, takes_s=10.0, total=8, planned=8, work=work)
    shown = [batch.shown(now) for now in (100.0, 100.9, 101.0, 105.0, 108.9, 109.0, 120.0)]
    assert [one["status"] for one in shown] == [
        "validating", "validating", "in_progress", "in_progress", "in_progress", "finalizing", "finalizing"
    ]  # fmt: skip
    assert [one["request_counts"]["completed"] for one in shown] == [0, 0, 0, 4, 7, 8, 8]
    assert [one["request_counts"]["total"] for one in shown] == [0, 0, 8, 8, 8, 8, 8]
    await work
    assert batch.shown(120.0)["status"] == "completed"


async def test_a_batch_can_be_cancelled() -> None:
    async with teacher(SimulatedSettings(batch_s=86_400)) as (server, client):
        batch = await submit(client, lines(8))
        batch = await client.batches.cancel(batch.id)
        assert batch.status == "cancelling" and batch.cancelling_at
        batch = await client.batches.retrieve(batch.id)
        assert (batch.status, batch.output_file_id) == ("cancelled", None)
        output, errors = await both(client, batch)
        assert not output and {error["error"]["code"] for error in errors} == {"batch_cancelled"} and len(errors) == 8
        assert server.calls()["answered"] == 0
        with pytest.raises(openai.ConflictError):
            await client.batches.cancel(batch.id)
    async with teacher() as (_, client):
        with pytest.raises(openai.ConflictError, match="completed"):
            await client.batches.cancel((await submit(client, lines(1))).id)


async def test_what_a_cancelled_batch_has_executed_is_kept() -> None:
    async with teacher(SimulatedSettings(batch_s=10)) as (server, client), stopped_clock() as forward:
        batch = await submit(client, lines(50))
        while not batch.request_counts.completed:
            forward(0.1)
            batch = await client.batches.retrieve(batch.id)
        await client.batches.cancel(batch.id)
        output, errors = await both(client, await ended(client, batch))
        assert len(output) >= batch.request_counts.completed and len(output) + len(errors) == 50
        assert server.calls()["answered"] == len(output)


async def test_batches_are_listed_newest_first() -> None:
    async with teacher() as (_, client):
        ids = [(await submit(client, lines(1))).id for _ in range(5)]
        page = await client.batches.list(limit=2)
        assert [batch.id for batch in page.data] == ids[:2:-1] and page.has_more
        assert [batch.id async for batch in client.batches.list(limit=2)] == ids[::-1]
        rest = await client.batches.list(after=ids[1])
        assert [batch.id for batch in rest.data] == ids[:1] and not rest.has_more and rest.data[0].status == "completed"


async def test_a_server_with_an_unfinished_batch_closes() -> None:
    async with teacher(SimulatedSettings(batch_s=86_400)) as (server, client):
        await submit(client, lines(3))
    assert server.calls()["answered"] == 0


async def test_a_poll_that_is_given_up_does_not_stop_the_work() -> None:
    async with teacher() as (server, client), aiohttp.ClientSession() as session:
        batch = await submit(client, lines(400))
        poll = asyncio.create_task(session.get(f"{server.base_url}/batches/{batch.id}").__aenter__())
        await asyncio.sleep(0.01)
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)
        assert (await ended(client, batch)).request_counts.completed == 400
        assert server.calls()["answered"] == server.calls()["distinct"] == 400


async def test_a_server_started_anew_knows_no_batch_of_the_one_before() -> None:
    async with teacher() as (_, client):
        batch = await submit(client, lines(1))
    async with teacher() as (_, client):
        await submit(client, lines(1))
        with pytest.raises(openai.NotFoundError):
            await client.batches.retrieve(batch.id)
