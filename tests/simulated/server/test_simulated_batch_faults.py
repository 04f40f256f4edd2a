"""Batches that go wrong: bad files and requests, and the faults of the simulated service."""

import json
from typing import Any

import openai
import pytest
from pydantic import SecretStr

from selfinstruct.simulated.server.batch_lines import MOST_REQUESTS, read_lines
from selfinstruct.simulated.settings import SimulatedSettings
from tests.simulated.asking import body, stopped_clock, teacher
from tests.simulated.batching import CHAT, LEGACY, both, ended, jsonl, line, lines, run, submit


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
    settings = SimulatedSettings(batch_s=10, batch_enqueued_tokens=tokens)
    async with teacher(settings) as (_, client), stopped_clock() as forward:
        first = await submit(client, lines(5))
        second = await submit(client, lines(1))
        forward(1.1)
        second = await ended(client, second)
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
