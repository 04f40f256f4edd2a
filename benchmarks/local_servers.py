"""How much of a local server's speed does a run get?

    python benchmarks/local_servers.py MODEL.gguf [--target 20] [--concurrency 8] [--rounds 2]

A run of --target tasks starts llama.cpp with the model and asks it; then a bare aiohttp client sends the very same
requests, as many at a time, to a server started alike; then the model answers them in this process (--teacher
transformers). Each figure is answer tokens per second. The run's figure includes the start of its server and its waits:
until there are tasks to ask about, and for the last answers.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

import selfinstruct as si
from finetune.inference.teacher import TransformersTeacher
from selfinstruct.records import Request
from selfinstruct.store import generations
from selfinstruct.store.store import Store
from selfinstruct.teachers.kinds import Session, load
from selfinstruct.teachers.openai_compatible import OpenAICompatible, request_body
from selfinstruct.teachers.settings import RunningSettings, TeacherSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--target", type=int, default=20)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    for _ in range(asked.rounds):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(compare(asked.model, asked.target, asked.concurrency, Path(folder) / "run"))


async def compare(model: Path, target: int, concurrency: int, folder: Path) -> None:
    began = time.perf_counter()
    run = await si.generate_async(
        folder, target, teacher=si.llama_cpp(model), concurrency=concurrency, progress=False
    )  # fmt: skip
    seconds = time.perf_counter() - began
    tokens = sum(one.completion_tokens for one in run.status().usage)
    print(f"run          {tokens / seconds:7.1f} tokens/s: {tokens:,} in {seconds:.0f} s, {run.status()!r}", flush=True)
    async with AsyncExitStack() as stack:
        settings = TeacherSettings(kind="llama.cpp", model=str(model))
        teacher = await load("llama.cpp").open(settings, "", Session(RunningSettings(concurrency=concurrency)), stack)
        assert isinstance(teacher, OpenAICompatible)
        url = teacher.base_url
        with Store.read(folder) as store:
            ids = [one for (one,) in store.query("SELECT id FROM requests WHERE stage != 'probe' ORDER BY rowid")]
            requests = [generations.request(store, identity) for identity in ids]
        async with aiohttp.ClientSession() as client:
            bare = await timed(requests, concurrency, lambda one: ask(client, f"{url}/chat/completions", one))
        print(f"bare client  {bare:7.1f} tokens/s; the run reached {tokens / seconds / bare:.0%} of it", flush=True)
    local = TransformersTeacher(str(model), concurrency)
    plain = [replace(one, sampling=without_schema(one.sampling)) for one in requests]

    async def answer(request: Request) -> int:
        return (await local.complete(request)).completion_tokens

    print(f"transformers {await timed(plain, concurrency, answer):7.1f} tokens/s, without a schema", flush=True)
    await local.close()


def without_schema(sampling: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sampling.items() if key != "response_format"}


async def ask(client: aiohttp.ClientSession, url: str, request: Request) -> int:
    """Send a request and return the answer's tokens."""
    async with client.post(url, json=request_body(request), timeout=aiohttp.ClientTimeout(None)) as response:
        return int((await response.json())["usage"]["completion_tokens"])


async def timed(requests: Sequence[Request], concurrency: int, answer: Callable[[Request], Awaitable[int]]) -> float:
    """Tokens per second of the answers, with so many requests at a time."""
    waiting = iter(requests)
    tokens = 0

    async def worker() -> None:
        nonlocal tokens
        for request in waiting:
            tokens += await answer(request)

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return tokens / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
