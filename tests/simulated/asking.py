"""What the tests of the simulated teacher share: tasks of each sort, prompts, ways to ask, a stopped clock."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import aiohttp
import openai

from selfinstruct.simulated.server.app import Serving, serving
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.simulated.world.tasks import compose, recognise

RNG = Random(20)
TASKS = [compose(RNG) for _ in range(400)]
KNOWN = [(task, known) for task in TASKS if (known := recognise(task))]
CLOSED = next(task for task, known in KNOWN if known.is_classification and known.needs_input and len(known.labels) > 1)
OPEN = next(task for task, known in KNOWN if not known.is_classification and known.needs_input)
BARE = next(task for task, known in KNOWN if not known.is_classification and not known.needs_input)
LISTED = "\n".join(f"{number}. {task}" for number, task in enumerate(TASKS[:8], 1))

PROPOSE = f"Here are 8 tasks:\n\n{LISTED}\n\nWrite 8 more tasks, numbered 9 to 16, one per line."
CLASSIFY = "Task: {}\nIs it a classification task? Answer Yes or No."
INPUT_FIRST = "Task: {}\n\nWrite up to 3 examples, each an input and its output."
OUTPUT_FIRST = "Task: {}\n\nWrite up to 3 examples, the class label first, then an input that belongs to it."

PLAIN = SimulatedSettings(repeat_share=0, forbidden_share=0)


@asynccontextmanager
async def teacher(
    settings: SimulatedSettings = PLAIN, **options: Any
) -> AsyncIterator[tuple[Serving, openai.AsyncOpenAI]]:
    options = {"api_key": "any", "max_retries": 0} | options
    async with (
        serving(settings) as server,
        openai.AsyncOpenAI(base_url=server.base_url, http_client=openai.DefaultAioHttpClient(), **options) as client,
    ):
        yield server, client


async def ask(client: openai.AsyncOpenAI, content: str, **options: Any) -> Any:
    messages: Any = [{"role": "system", "content": "Task: be brief."}, {"role": "user", "content": content}]
    return await client.chat.completions.create(model="simulated", messages=messages, **options)


async def said(client: openai.AsyncOpenAI, content: str, **options: Any) -> str:
    return str((await ask(client, content, **options)).choices[0].message.content)


async def continued(client: openai.AsyncOpenAI, prompt: str, **options: Any) -> Any:
    return await client.completions.create(model="simulated-base", prompt=prompt, **({"max_tokens": 900} | options))


async def post(server: Serving, body: Any, path: str = "/chat/completions", **options: Any) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.base_url + path, data=data, **options) as response,
    ):
        return response.status, await response.json()


def body(content: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"model": "simulated", "messages": [{"role": "user", "content": content}], **more}


@asynccontextmanager
async def stopped_clock() -> AsyncIterator[Callable[[float], None]]:
    """Stop this event loop's clock; it is put forward by calling what is given with seconds, and by nothing else."""
    loop = asyncio.get_running_loop()
    now = loop.time()

    def forward(seconds: float) -> None:
        nonlocal now
        now += seconds

    loop.time = lambda: now  # type: ignore[method-assign]
    try:
        yield forward
    finally:
        del loop.time


async def soon(happened: Callable[[], object]) -> None:
    """Wait for what other tasks of this event loop bring about, also while its clock is stopped."""
    while not happened():  # noqa: ASYNC110 - a server's counts give no event
        await asyncio.sleep(0)
