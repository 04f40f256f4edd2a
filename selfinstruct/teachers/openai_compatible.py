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
from selfinstruct.errors import RequestRefused, TeacherError, TryAgain, UsageError
from selfinstruct.records import Completion, Request, canonical_json, storable
from selfinstruct.teachers.budget import cost_usd
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.rate_limits import retry_after_s, rooms
from selfinstruct.teachers.settings import OPENAI_HOST, Price, TeacherSettings

PATHS = {"chat": "/chat/completions", "completion": "/completions"}
# What servers call a request that is too long for the model; there is no common code.
TOO_LONG = ("context_length_exceeded", "maximum context length", "context length", "too many tokens", "too long")


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
            raise TryAgain("connection", self.clean(_describe(error)), unreachable=unreachable) from None
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
            choice = body["choices"][0]
            text = choice["message"]["content"] if request.endpoint == "chat" else choice["text"]
            finish_reason = storable(str(choice.get("finish_reason") or "unknown"))
            if not text and isinstance(refusal := choice.get("message", {}).get("refusal"), str) and refusal:
                text, finish_reason = refusal, "refusal"
            if text is None and finish_reason == "length":
                text = ""  # a reasoning model that spent all its tokens on thinking: asking again would not help
            if finish_reason == "content_filter" and not text:
                raise RequestRefused("content_filter", "the server withheld its answer", storable(raw)[:10_000])
            if not isinstance(text, str):
                raise TypeError("the content is null")
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
            kept = storable(self.clean(raw))[:10_000]
            raise TryAgain("malformed_answer", self.clean(_describe(error)), raw=kept) from None
        prompt_tokens, completion_tokens = _tokens(body, "prompt"), _tokens(body, "completion")
        is_batch = self._is_batch and request.stage != "probe"
        cost = cost_usd(self._prices.get(request.model), prompt_tokens, completion_tokens, is_batch)
        return Completion(
            request.id, storable(text), finish_reason, prompt_tokens, completion_tokens, _logprobs(choice), latency_s,
            cost_usd=cost, raw=storable(raw),
        )  # fmt: skip

    def clean(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._key, "[key]") if self._key else text

    def failure(self, status: int, headers: Mapping[str, str], raw: str) -> Exception:
        """What a status other than 2xx means for this request and for the run."""
        try:
            body = json.loads(raw)
            body = body.get("error") or body
            said = {key: str(body.get(key) or "") for key in ("code", "type", "message")}
        except (ValueError, AttributeError, RecursionError):
            said = {"code": "", "type": "", "message": ""}
        code = said["code"] or said["type"]
        detail = storable(self.clean(said["message"] or raw.strip() or "no reason given"))[:500]
        if status == 403 and any(word in raw.lower() for word in ("moderation", "flagged")):
            return RequestRefused("content_filter", detail)
        if status in (401, 403):
            return TeacherError(
                f"{self.base_url} rejected the key ({status}: {detail}). Check the environment variable "
                f"{self._key_env}, then run the same command again."
            )
        if status == 404 or code == "model_not_found":
            return TeacherError(
                f"{self.base_url} does not know this model or address ({status}: {detail}). Check model (--model) "
                "and base_url (--base-url), which usually ends in /v1."
            )
        if status == 402 or code == "insufficient_quota" or "billing" in code:
            return TeacherError(
                f"{self.base_url}: the account's quota is used up ({detail}). You can resume the run later."
            )
        if status in (408, 409, 425, 429) or status >= 500:
            return TryAgain(f"http_{status}", detail, retry_after_s=retry_after_s(headers))
        if "content_filter" in code or "content_policy" in code:
            return RequestRefused("content_filter", detail)
        if code in TOO_LONG or any(phrase in detail.lower() for phrase in TOO_LONG):
            return RequestRefused("context_too_long", detail)
        return RequestRefused(f"http_{status}", detail)


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


def _tokens(body: dict[str, Any], part: str) -> int:
    """The number of tokens that the server counted, 0 if it says nothing sensible."""
    usage = body.get("usage")
    count = usage.get(f"{part}_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) and 0 <= count < 2**53 else 0


def _logprobs(choice: dict[str, Any]) -> tuple[float, ...] | None:
    """The log-probabilities of the answer's tokens, None if there are none, or in no known form."""
    try:
        found = choice["logprobs"]
        if "content" in found:
            return tuple(float(token["logprob"]) for token in found["content"])
        return tuple(float(p) for p in found["token_logprobs"] if p is not None)
    except (KeyError, TypeError, ValueError):
        return None


def _base_url_from_environment() -> str:
    """OPENAI_BASE_URL, held to the same rules as the setting base_url."""
    try:
        return TeacherSettings(base_url=os.environ.get("OPENAI_BASE_URL", "")).servers[0]
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"The environment variable OPENAI_BASE_URL {problem}.") from None


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
