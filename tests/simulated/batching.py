"""What the tests of the simulated batches share: input files, and ways to send them and to read what comes."""

import json
from collections.abc import Iterable
from typing import Any

import openai

from tests.simulated.asking import body

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
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        batch = await client.batches.retrieve(batch.id)
    return batch


async def read(client: Client, file_id: str | None) -> list[dict[str, Any]]:
    """The lines of an output or error file; none where there is no file."""
    return [json.loads(text) for text in (await client.files.content(file_id)).text.splitlines()] if file_id else []


async def both(client: Client, batch: Batch) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return await read(client, batch.output_file_id), await read(client, batch.error_file_id)


async def run(client: Client, rows: Iterable[Any], endpoint: Any = CHAT) -> Batch:
    return await ended(client, await submit(client, rows, endpoint))
