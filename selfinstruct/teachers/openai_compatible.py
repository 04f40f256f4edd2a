"""Any server with an OpenAI-compatible API: OpenAI itself, vLLM, llama.cpp, Ollama, `transformers serve`, ...

Calls use aiohttp directly. The openai client would parse each request and answer into its own model classes, which
takes several times the CPU of sending it, and its retries would occupy a place among the calls in flight while they
sleep. Answers are read from the raw JSON, so even one that matches no schema is kept. Streamed answers are read like
any others. A server cannot bloat the run: at most `max_answer_mb` of an answer is read, decompressed. A POST does not
follow redirects, which could turn it into a GET, or send prompts to an unintended server.

The key is read from the environment and leaves this module only in the request's header. If a server echoes it, in an
answer or an error, it is redacted (`secrets`).
"""

import json
import os
import time
import urllib.request
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, ClassVar
from urllib.parse import urljoin, urlsplit

import aiohttp
from pydantic import ValidationError

from selfinstruct import __version__
from selfinstruct.errors import RequestRefused, TeacherError, TryAgain, UsageError
from selfinstruct.records import Completion, Request, storable
from selfinstruct.teachers.budget import cost_usd
from selfinstruct.teachers.envelope import KEPT, OFFERS, Answer, NoAnswer, answer_in, describe, error_in, or_none
from selfinstruct.teachers.error_bodies import said
from selfinstruct.teachers.event_stream import body_of_events, is_event_stream, without_comments
from selfinstruct.teachers.failures import BUSY, failure
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.rate_limits import rooms
from selfinstruct.teachers.refused import Edit, edited, edits_that_keep_data
from selfinstruct.teachers.secrets import Blotter
from selfinstruct.teachers.settings import OPENAI_HOST, Price, RunningSettings, TeacherSettings, is_azure
from selfinstruct.teachers.words import GENERATE, Words

MB = 2**20
PIECE_BYTES = 2**16
ANSWER_MB = RunningSettings().max_answer_mb
PATHS = {"chat": "/chat/completions", "completion": "/completions"}


class OpenAICompatible:
    """The teacher behind one server's address and key. `close()` it when done.

    `added`: settings of the transport that every request gets; they are no part of the data. `keeps_alive`: whether a
    connection serves several requests.
    """

    added: ClassVar[Mapping[str, Any]] = {}
    keeps_alive: ClassVar[bool] = True

    def __init__(
        self,
        settings: TeacherSettings,
        base_url: str,
        prices: dict[str, Price],
        pace: Pace,
        *,
        is_batch: bool = False,
        max_answer_mb: float = ANSWER_MB,
        words: Words = GENERATE,
    ):
        self.base_url, self._key = address_and_key(base_url, settings.api_key_env, words)
        self._words = words
        self.pace = pace
        self.most_bytes = int(max_answer_mb * MB)
        self._blotter = Blotter(self._key)
        self._key_env = settings.api_key_env
        self._prices = prices
        self._is_batch = is_batch
        self._late: list[Edit] = []
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        headers |= {"User-Agent": f"selfinstruct/{__version__}", "Authorization": f"Bearer {self._key or 'none'}"}
        if is_azure(self.base_url):
            headers["api-key"] = headers.pop("Authorization").removeprefix("Bearer ")
        for name, variable in (("OpenAI-Organization", "OPENAI_ORG_ID"), ("OpenAI-Project", "OPENAI_PROJECT_ID")):
            if self._key and (value := os.environ.get(variable)):  # only to servers that are trusted with the key
                headers[name] = value
        self._session = aiohttp.ClientSession(
            # The scheduler counts the calls.
            connector=aiohttp.TCPConnector(limit=0, force_close=not self.keeps_alive),
            timeout=aiohttp.ClientTimeout(total=None),  # and enforces their deadlines
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=_proxy(self.base_url),
        )

    def request(self, method: str, path: str, **options: Any) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Any other call to the server, with the key."""
        # aiohttp would forward Azure's api-key header to the new address, since it does not know that it is a key.
        follows = method != "POST" and not is_azure(self.base_url)
        return self._session.request(method, self.url(path), allow_redirects=follows, **options)

    def url(self, path: str) -> str:
        """The URL of `path`; the query string of the server's base URL stays at the end."""
        address, mark, query = self.base_url.partition("?")
        return address + path + mark + query

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def complete(self, request: Request) -> Completion:
        """Send `request` once; see `teachers.Teacher` for what it raises."""
        body = {**edited(request_body(request), self._late), **self.added}
        try:
            return await self._send(request, body)
        except RequestRefused as problem:
            # What a server takes is found out by probes; here, it has changed, or another one of several is answering.
            late = () if request.stage == "probe" else edits_that_keep_data(body, problem.detail)
            if not late:
                raise
            new = [edit for edit in late if edit not in self._late]
            self._late += new
            again = TryAgain(problem.reason, problem.detail, raw=problem.raw)
            if changed := ", ".join(str(edit) for edit in new if edit.name != "stream_options"):
                why = f"because {self.base_url} says: {problem.detail}"
                again.notice = f"Requests to {request.model} are now sent {changed}, {why}"
            raise again from None

    async def _send(self, request: Request, body: dict[str, Any]) -> Completion:
        started = time.perf_counter()
        try:
            async with self.request("POST", PATHS[request.endpoint], data=json.dumps(body).encode()) as response:
                raw, is_whole = await self.body_of(response)
        except aiohttp.ClientError as error:
            unreachable = isinstance(error, aiohttp.ClientConnectorError)  # nobody listens there, or no such name
            raise TryAgain("connection", self.shown(describe(error)), unreachable=unreachable) from None
        self.pace.heard(*rooms(response.headers))
        if response.status >= 300:
            raise self.failure(response.status, response.headers, raw)
        if not is_whole:
            raise self.too_large(raw)
        return self.read(request, raw, time.perf_counter() - started)

    async def body_of(self, response: aiohttp.ClientResponse) -> tuple[str, bool]:
        """The body of a response, and whether it is complete; if it is too large, only its beginning."""
        body = bytearray()
        async for piece in response.content.iter_chunked(PIECE_BYTES):  # decompressed
            body += piece
            if len(body) > self.most_bytes:
                return body[:PIECE_BYTES].decode("utf-8", "replace"), False
        return body.decode("utf-8", "replace"), True

    def too_large(self, raw: str) -> TryAgain:
        """The error for an answer that is larger than allowed; `raw` is its beginning."""
        most = f"larger than max_answer_mb = {self.most_bytes / MB:g} megabytes"
        return TryAgain("answer_too_large", f"the answer is {most}", raw=storable(self.clean(raw[:KEPT])))

    def read(self, request: Request, raw: str, latency_s: float) -> Completion:
        """The completion in the server's JSON; raises what `complete` raises, with the answer in it."""
        try:
            raw, answer = self._read(raw, request)
        except (ValueError, RecursionError) as error:
            reason, detail = "malformed_answer", f"the answer is not JSON: {said(raw[:KEPT]).message[:200]}"
            if isinstance(error, NoAnswer):
                reason, detail = error.reason, str(error)
            raise TryAgain(reason, self.shown(detail), raw=storable(self.clean(raw))[:KEPT]) from None
        is_batch = self._is_batch and request.stage != "probe"
        n_prompt = or_none(answer.prompt_tokens, request.system + request.user)
        n_new = or_none(answer.completion_tokens, answer.text)
        cost = cost_usd(self._prices.get(request.model), n_prompt, n_new, is_batch)
        return Completion(
            request.id, storable(answer.text), answer.finish_reason, n_prompt, n_new,
            answer.logprobs, latency_s, cost_usd=cost, raw=storable(raw),
        )  # fmt: skip

    def _read(self, raw: str, request: Request) -> tuple[str, Answer]:
        """The JSON of an answer without the key, and its content; ValueError or RecursionError if there is none."""
        raw = without_comments(raw)
        is_stream = is_event_stream(raw)
        body = body_of_events(raw) if is_stream else json.loads(raw)
        if is_stream:
            raw = json.dumps(body, ensure_ascii=False)
        if self._blotter.is_in(raw):
            body = self._blotter.value(body)
            raw = json.dumps(body, ensure_ascii=False)
        if reported := error_in(body):
            failure = self.failure(200, reported.headers, reported.raw)
            if reported.may_have_cost and isinstance(failure, TryAgain | RequestRefused):
                failure.raw = storable(raw)[:KEPT]
            elif isinstance(failure, TryAgain):  # what failed after its status was sent may have been answered in part
                failure.may_be_billed |= failure.reason.startswith("http_5") and failure.reason not in BUSY
            raise failure
        try:
            offers_calls = any(name in request.sampling for name in OFFERS)
            return raw, answer_in(body, request.endpoint, request.user, offers_calls=offers_calls)
        except RequestRefused as refused:
            refused.raw = storable(raw)[:KEPT]
            raise

    def shown(self, text: str) -> str:
        """The server's text without the key, shortened and made safe to show and store."""
        return storable(self.clean(text))[:500]

    def clean(self, text: str) -> str:
        """The text without the key."""
        return self._blotter.text(text)

    def failure(self, status: int, headers: Mapping[str, str], raw: str) -> Exception:
        """What a status other than 2xx means for this request and for the run; 200: an error in the body."""
        if 300 <= status < 400:
            return self._redirect(status, headers.get("location", ""))
        return failure(self.base_url, self._key_env, status, headers, self.clean(raw), words=self._words)

    def _redirect(self, status: int, location: str) -> Exception:
        """The error for a redirect: prompts go only where the user sends them, so the message names the new address."""
        if not location:
            return TryAgain(f"http_{status}", "a redirect without an address")
        with suppress(ValueError):
            location = urljoin(f"{self.base_url}/", location)
        for path in PATHS.values():
            location = location.removesuffix(path)
        return TeacherError(
            f"{self.base_url} redirects calls ({status}). If you trust the new address, set base_url (--base-url) "
            f"to {self.shown(location)[:200]}"
        )


def address_and_key(base_url: str, api_key_env: str, words: Words = GENERATE) -> tuple[str, str]:
    """The server's address and key ("" if it has none); UsageError if they cannot be used."""
    base_url = base_url or _base_url_from_environment() or OPENAI_HOST
    key = os.environ.get(api_key_env, "").strip()
    if not key and base_url == OPENAI_HOST:
        raise UsageError(
            f"No API key. Set the environment variable {api_key_env}, or {words.base_url} for a local "
            f"server. {words.simulated} needs neither."
        )
    if not key.isascii() or not key.isprintable() or any(mark in key for mark in '"\\ '):
        raise UsageError(f"The key in {api_key_env} contains invalid characters. Copy it again.")
    return base_url, key


def _proxy(url: str) -> str | None:
    """The proxy from the environment for an address; looked up once, because aiohttp would do so for each call."""
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
    """OPENAI_BASE_URL, validated like the setting base_url."""
    try:
        return TeacherSettings(base_url=os.environ.get("OPENAI_BASE_URL", "")).servers[0]
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UsageError(f"The environment variable OPENAI_BASE_URL {problem}.") from None
