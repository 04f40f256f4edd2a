"""Any server that speaks OpenAI's protocol: OpenAI itself, vLLM, llama.cpp, Ollama, `transformers serve`, ...

The calls are made with aiohttp itself: the openai client would build each request and answer from models of its own, at
several times the CPU of sending it, and its retries would hold a place among the calls in flight while they sleep.
Answers are read from the JSON as it came, so that one which fits no model is still kept.

The key is read from the environment and leaves this module only in the request's header: wherever a server echoes
it, in an answer or an error, it is blotted out.
"""

import json
import os
import time
import urllib.request
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from pydantic import ValidationError

from selfinstruct import __version__
from selfinstruct.errors import TryAgain, UsageError
from selfinstruct.records import Completion, Request, canonical_json, storable
from selfinstruct.teachers.budget import cost_usd
from selfinstruct.teachers.envelope import answer_in, describe
from selfinstruct.teachers.failures import failure
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.rate_limits import rooms
from selfinstruct.teachers.settings import OPENAI_HOST, Price, TeacherSettings

PATHS = {"chat": "/chat/completions", "completion": "/completions"}


class OpenAICompatible:
    """The teacher behind one server's address and key. `close()` it when done."""

    def __init__(
        self, settings: TeacherSettings, base_url: str, prices: dict[str, Price], pace: Pace, is_batch: bool = False
    ):
        self.base_url, self._key = address_and_key(base_url, settings.api_key_env)
        self.pace = pace
        self._key_env = settings.api_key_env
        self._prices = prices
        self._is_batch = is_batch
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers |= {"User-Agent": f"selfinstruct/{__version__}", "Authorization": f"Bearer {self._key or 'none'}"}
        for name, variable in (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID")):
            if value := os.environ.get(variable):
                headers[name] = value
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),  # the scheduler counts the calls
            timeout=aiohttp.ClientTimeout(total=None),  # and keeps the time of each
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=_proxy(self.base_url),
        )

    def request(self, method: str, path: str, **options: Any) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Any other call to the server, with the key."""
        return self._session.request(method, self.base_url + path, **options)

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def complete(self, request: Request) -> Completion:
        """Send `request` once; see `teachers.Teacher` for what it raises."""
        started = time.perf_counter()
        body = json.dumps(request_body(request)).encode()
        try:
            async with self._session.post(self.base_url + PATHS[request.endpoint], data=body) as response:
                raw = (await response.read()).decode("utf-8", "replace")
        except aiohttp.ClientError as error:
            unreachable = isinstance(error, aiohttp.ClientConnectorError)  # nobody listens there, or no such name
            raise TryAgain("connection", self.clean(describe(error)), unreachable=unreachable) from None
        self.pace.heard(*rooms(response.headers))
        if response.status >= 400:
            raise self.failure(response.status, response.headers, raw)
        return self.read(request, raw, time.perf_counter() - started)

    def read(self, request: Request, raw: str, latency_s: float) -> Completion:
        """The completion in the server's JSON; TryAgain, with the answer in it, where it holds none."""
        try:
            body = json.loads(raw)
            escaped = "\\u" in raw or "\\/" in raw  # it may be spelled otherwise there
            if self._key and self._key in (canonical_json(body) if escaped else raw):
                raw = self.clean(json.dumps(body, ensure_ascii=False))
                body = json.loads(raw)
            answer = answer_in(body, request.endpoint, raw)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            kept = storable(self.clean(raw))[:10_000]
            raise TryAgain("malformed_answer", self.clean(describe(error)), raw=kept) from None
        is_batch = self._is_batch and request.stage != "probe"
        cost = cost_usd(self._prices.get(request.model), answer.prompt_tokens, answer.completion_tokens, is_batch)
        return Completion(
            request.id, storable(answer.text), answer.finish_reason, answer.prompt_tokens, answer.completion_tokens,
            answer.logprobs, latency_s, cost_usd=cost, raw=storable(raw),
        )  # fmt: skip

    def clean(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._key, "[key]") if self._key else text

    def failure(self, status: int, headers: Mapping[str, str], raw: str) -> Exception:
        """What a status other than 2xx means for this request and for the run."""
        return failure(self.base_url, self._key_env, status, headers, self.clean(raw))


def address_and_key(base_url: str, api_key_env: str) -> tuple[str, str]:
    """Where the server is, and its key ("" where there is none); UsageError if it cannot be asked like this."""
    base_url = base_url or _base_url_from_environment() or OPENAI_HOST
    key = os.environ.get(api_key_env, "").strip()
    if not key and base_url == OPENAI_HOST:
        raise UsageError(
            f"No API key. Set the environment variable {api_key_env}, or base_url (--base-url) for a local "
            "server. The simulated teacher (--teacher simulated) needs neither."
        )
    if not key.isascii() or not key.isprintable() or any(mark in key for mark in '"\\ '):
        raise UsageError(f"The key in {api_key_env} contains invalid characters. Copy it again.")
    return base_url, key


def _proxy(url: str) -> str | None:
    """The proxy that the environment names for an address: asked once, since aiohttp would ask again for each call."""
    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def request_body(request: Request) -> dict[str, Any]:
    """The JSON that asks for the answer to `request`."""
    if request.endpoint == "completion":
        prompt = "\n\n".join(part for part in (request.system, request.user) if part)
        return {"model": request.model, "prompt": prompt, **request.sampling}
    messages = [{"role": "user", "content": request.user}]
    if request.system:
        messages.insert(0, {"role": "system", "content": request.system})
    return {"model": request.model, "messages": messages, **request.sampling}


def _base_url_from_environment() -> str:
    """OPENAI_BASE_URL, held to the same rules as the setting base_url."""
    try:
        return TeacherSettings(base_url=os.environ.get("OPENAI_BASE_URL", "")).servers[0]
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"The environment variable OPENAI_BASE_URL {problem}.") from None
