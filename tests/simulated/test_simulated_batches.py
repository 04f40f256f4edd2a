import asyncio
import json
from collections.abc import Iterable
from typing import Any

import aiohttp
import openai
import pytest
from pydantic import SecretStr

from selfinstruct.simulated.server.batch_lines import MOST_REQUESTS, read_lines
from selfinstruct.simulated.server.batches import Batch as Made
from selfinstruct.simulated.settings import SimulatedSettings
from tests.simulated.test_simulated_server import body, teacher

CHAT = "/v1/chat/completions"
LEGACY = "/v1/completions"
Client = openai.AsyncOpenAI
Batch = openai.types.Batch


def line(custom_id: str, request: Any, url: str = CHAT) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": request}


def lines(count: int) -> list[dict[str, Any]]:
    return [line(f"r{number}", body(f"Hello {number}")) for number in range(count)]


def jsonl(rows: Iterable[Any]) -> bytes:
    return b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)


async def submit(client: Client, rows: Iterable[Any], endpoint: Any = CHAT, **more: Any) -> Batch:
    file = await client.files.create(file=("batch.jsonl", jsonl(rows)), purpose="batch")
    return await client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", **more)


async def ended(client: Client, batch: Batch) -> Batch:
    """The batch once it has come to its end."""
    for _ in range(500):
        batch = await client.batches.retrieve(batch.id)
        if batch.status in ("completed", "failed", "expired", "cancelled"):
            return batch
        await asyncio.sleep(0.01)
    raise AssertionError(f"it never ended: {batch.status}")


async def read(client: Client, file_id: str | None) -> list[dict[str, Any]]:
    """The lines of an output or error file; none where there is no file."""
    return [json.loads(text) for text in (await client.files.content(file_id)).text.splitlines()] if file_id else []


async def both(client: Client, batch: Batch) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return await read(client, batch.output_file_id), await read(client, batch.error_file_id)


async def run(client: Client, rows: Iterable[Any], endpoint: Any = CHAT) -> Batch:
    return await ended(client, await submit(client, rows, endpoint))


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
    async with teacher(SimulatedSettings(batch_s=0.5)) as (_, client):
        batch = await submit(client, lines(8))
        seen, counts = [batch.status], [0]
        while batch.status != "completed":
            batch = await client.batches.retrieve(batch.id)
            seen += [batch.status] if batch.status != seen[-1] else []
            counts.append(batch.request_counts.completed)
            assert batch.status == "completed" or batch.output_file_id is None
            await asyncio.sleep(0.005)
        order = ("validating", "in_progress", "finalizing", "completed")
        assert [order.index(status) for status in seen] == sorted(order.index(status) for status in seen)
        assert seen[0] == "validating" and counts == sorted(counts) and counts[-1] == 8


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
    async with teacher(SimulatedSettings(batch_s=60)) as (server, client):
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
    async with teacher(SimulatedSettings(batch_s=5)) as (server, client):
        batch = await submit(client, lines(50))
        while not batch.request_counts.completed:
            await asyncio.sleep(0.01)
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
    async with teacher(SimulatedSettings(batch_s=60)) as (server, client):
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


# What is wrong.


@pytest.mark.parametrize(
    ("rows", "errors"),
    [
        ([], [("empty_file", None, None)]),
        ([b"{nonsense\n", *lines(1), b"[1]\n"], [("invalid_json_line", 1, None), ("invalid_json_line", 3, None)]),
        ([*lines(2), *lines(1)], [("duplicate_custom_id", 3, "custom_id")]),
        ([*lines(1), line("b", body() | {"model": "simulated-2"})], [("model_mismatch", 2, "body.model")]),
        ([line("a", body() | {"model": "other"})], [("model_not_found", 1, "body.model")]),
        ([line("a", body(), LEGACY)], [("invalid_url", 1, "url")]),
        ([line("a", body()) | {"method": "GET"}], [("invalid_method", 1, "method")]),
        ([line("", body()), line("a", None)], [("missing_required_parameter", 1, "custom_id"),
                                               ("missing_required_parameter", 2, "body")]),
    ],
)  # fmt: skip
async def test_a_bad_file_fails_the_batch(rows: list[Any], errors: list[Any]) -> None:
    async with teacher() as (server, client):
        batch = await submit(client, rows)
        assert batch.status == "validating" and batch.errors is None
        batch = await ended(client, batch)
        assert (batch.status, batch.output_file_id, batch.error_file_id) == ("failed", None, None)
        assert [(error.code, error.line, error.param) for error in batch.errors.data] == errors
        assert all(error.message for error in batch.errors.data) and batch.failed_at
        assert server.calls()["answered"] == 0


def test_a_file_may_have_so_many_requests() -> None:
    one = json.dumps(line("%d", body())).encode() + b"\n"
    content = b"".join(one % number for number in range(MOST_REQUESTS))
    found, errors = read_lines(content, CHAT)
    assert len(found) == MOST_REQUESTS and not errors
    found, errors = read_lines(content + one % MOST_REQUESTS, CHAT)
    assert not found and [error["code"] for error in errors] == ["too_many_tasks"]


async def test_wrong_requests_for_a_batch_are_refused() -> None:
    async with teacher() as (server, client):
        file = await client.files.create(file=("a.jsonl", jsonl(lines(1))), purpose="batch")
        right: Any = {"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"}
        for wrong in ({"endpoint": "/v1/embeddings"}, {"completion_window": "1h"}, {"metadata": {"a": "b" * 513}}):
            with pytest.raises(openai.BadRequestError):
                await client.batches.create(**(right | wrong))
        for call in (
            client.batches.create(**(right | {"input_file_id": "file-x"})),
            client.batches.retrieve("batch_x"),
        ):
            with pytest.raises(openai.NotFoundError):
                await call
        assert server.calls()["batches"] == 0


async def test_the_key_is_needed_for_files_and_batches() -> None:
    async with teacher(SimulatedSettings(api_key=SecretStr("right")), api_key="wrong") as (_, client):
        for call in (client.files.create(file=b"a", purpose="batch"), client.batches.retrieve("batch_x")):
            with pytest.raises(openai.AuthenticationError):
                await call
        assert (await run(client.with_options(api_key="right"), lines(1))).status == "completed"


async def test_requests_fail_and_pass_when_sent_again() -> None:
    async with teacher(SimulatedSettings(batch_failed_share=0.4, poison_share=0.1)) as (server, client):
        left = {row["custom_id"]: row for row in lines(60)}
        statuses: list[int] = []
        while left:
            batch = await run(client, left.values())
            output, errors = await both(client, batch)
            assert batch.status == "completed" and len(output) + len(errors) == len(left)
            assert (batch.request_counts.completed, batch.request_counts.failed) == (len(output), len(errors))
            for error in errors:
                assert error["error"] is None and error["response"]["body"]["error"]["message"]
            over = output + [error for error in errors if error["response"]["status_code"] == 400]
            statuses += [error["response"]["status_code"] for error in errors]
            for answer in over:
                del left[answer["custom_id"]]
        assert set(statuses) == {400, 429, 500}
        calls = server.calls()
        assert calls["answered"] == calls["distinct"] == 60 - statuses.count(400)
        assert calls["faults"] == {"batch_failed": len(statuses) - statuses.count(400)}
        assert calls["refused"] == statuses.count(400)


async def test_batches_expire_half_done() -> None:
    async with teacher(SimulatedSettings(batch_expired=2)) as (server, client):
        ends = []
        for _ in range(4):
            batch = await run(client, lines(7))
            output, errors = await both(client, batch)
            assert len(output) == (3 if batch.status == "expired" else 7) and len(output) + len(errors) == 7
            assert all(error["response"] is None and error["error"]["code"] == "batch_expired" for error in errors)
            ends.append(batch.status)
        assert ends == ["expired", "expired", "completed", "completed"]
        assert server.calls()["faults"] == {"batch_expired": 2}
        assert server.calls()["answered"] == 2 * 3 + 2 * 7


async def test_the_first_requests_for_a_batch_are_turned_away() -> None:
    async with teacher(SimulatedSettings(batch_refused=2)) as (server, client):
        for _ in range(2):
            with pytest.raises(openai.InternalServerError):
                await submit(client, lines(1))
        assert (await run(client, lines(1))).status == "completed"
        assert server.calls()["faults"] == {"batch_refused": 2} and server.calls()["batches"] == 1


async def test_so_many_tokens_may_be_enqueued() -> None:
    async with teacher() as (_, client):
        tokens = (await run(client, lines(5))).usage.input_tokens
    async with teacher(SimulatedSettings(batch_s=4, batch_enqueued_tokens=tokens)) as (_, client):
        first = await submit(client, lines(5))
        second = await ended(client, await submit(client, lines(1)))
        assert [error.code for error in second.errors.data] == ["token_limit_exceeded"]
        await client.batches.cancel(first.id)
        assert (await ended(client, first)).status == "cancelled"
        assert (await client.batches.cancel((await submit(client, lines(5))).id)).status == "cancelling"
    async with teacher(SimulatedSettings(batch_enqueued_tokens=tokens)) as (_, client):
        batch = await run(client, lines(6))
        assert batch.status == "failed" and [error.code for error in batch.errors.data] == ["token_limit_exceeded"]
        assert (await run(client, lines(5))).status == "completed"


async def test_the_quota_ends_within_a_batch() -> None:
    async with teacher(SimulatedSettings(quota_requests=3)) as (server, client):
        output, errors = await both(client, await run(client, lines(5)))
        assert len(output) == server.calls()["answered"] == 3
        assert [error["response"]["body"]["error"]["code"] for error in errors] == ["insufficient_quota"] * 2
