"""The simulated teacher as a server: OpenAI's endpoints on a local port, for demos, tests and benchmarks.

    async with serving(SimulatedSettings(error_share=0.1)) as server:
        client = openai.AsyncOpenAI(base_url=server.base_url, api_key="any")
        answer = await client.chat.completions.create(model="simulated", messages=[...])
        print(server.calls()["faults"])                                              # {'error': 1}

The same request gets the same answer from every such server. Faults and latency depend on the request and on how often
this server has seen it. So that the server is never what a benchmark measures, an answer that was given before is kept
as the very bytes to send, found again by the hash of the request's bytes.
"""

import asyncio
import hashlib
import hmac
import json
import resource
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypedDict

from aiohttp import web

from selfinstruct.simulated.faults import RateLimit, fortune, garbage
from selfinstruct.simulated.replies import Refused, Reply, chat, check_model, completion
from selfinstruct.simulated.sending import Prepared, full, trickle
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.simulated.wire import CREATED, error_body

_CACHE_BYTES = 64 * 2**20
_BACKLOG = 8192
_MANY_FILES = 65_536

Answering = Callable[[dict[str, Any], SimulatedSettings, bytes], Reply]


class Calls(TypedDict):
    """What the server has seen so far, as /simulated/calls tells it."""

    received: int
    """Requests to the two completion endpoints."""
    answered: int
    """Requests that got their answer (status 200, no garbage)."""
    distinct: int
    """Different requests among the answered ones."""
    repeated: dict[str, int]
    """How often each request was answered that was answered more than once, by the SHA-256 of its canonical body."""
    refused: int
    """Requests that were wrong in themselves: 400, 401, 404."""
    faults: dict[str, int]
    """Faults by kind; a slow body is a fault and, once it is through, an answer too."""
    malformed: int
    """Malformed choices among those answered."""
    in_flight: int
    """Requests being answered now."""
    peak_in_flight: int
    """The most requests that were being answered at a time."""


@dataclass(frozen=True)
class Serving:
    """A running server."""

    base_url: str
    """Where its API begins, for example "http://127.0.0.1:40123/v1"."""
    calls: Callable[[], Calls]
    """What it has seen so far."""


@dataclass(frozen=True)
class _Entry:
    """A prepared answer: the digest of the canonical request, the body and the whole response."""

    digest: bytes
    request_id: str
    body: bytes
    malformed: int
    response: Prepared


class _Teacher:
    """The state of one server, and its handlers."""

    def __init__(self, settings: SimulatedSettings):
        self.settings = settings
        self.limits = [
            RateLimit(limit, period)
            for limit, period in ((settings.rate_limit_per_s, 1.0), (settings.rate_limit_per_minute, 60.0))
            if limit
        ]
        self.is_calm = not (self.limits or settings.latency_s or any(settings.fault_shares().values()))
        self.entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self.entries_bytes = 0
        self.seen: Counter[bytes] = Counter()
        self.answered: Counter[bytes] = Counter()
        self.faults: Counter[str] = Counter()
        self.received = self.answers = self.refused = self.malformed = self.in_flight = self.peak_in_flight = 0

    def calls(self) -> Calls:
        return {
            "received": self.received,
            "answered": self.answers,
            "distinct": len(self.answered),
            "repeated": {digest.hex(): times for digest, times in self.answered.items() if times > 1},
            "refused": self.refused,
            "faults": dict(self.faults),
            "malformed": self.malformed,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
        }

    async def chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, chat)

    async def completions(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, completion)

    async def models(self, request: web.Request) -> web.StreamResponse:
        """List the models, or show one of them; any name that starts with "simulated" is one."""
        try:
            self._check_key(request)
            name = check_model(request.match_info.get("model", "simulated"))
        except Refused as refusal:
            return web.json_response(refusal.body, status=refusal.status)
        model = {"id": name, "object": "model", "created": CREATED, "owned_by": "selfinstruct"}
        return web.json_response(model if "model" in request.match_info else {"object": "list", "data": [model]})

    async def show_calls(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(self.calls())

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        message = f"Unknown request URL: {request.method} {request.path}."
        return web.json_response(error_body(message, "invalid_request_error", None, "unknown_url"), status=404)

    async def _answer(self, request: web.Request, answering: Answering) -> web.StreamResponse:
        self.received += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        try:
            self._check_key(request)
            entry = self._entry(await request.read(), answering)
            attempt = self.seen[entry.digest]
            self.seen[entry.digest] = attempt + 1
            if not self.is_calm:
                return await self._answer_amid_faults(request, entry, attempt)
            self._count(entry)
            return entry.response if Prepared.fits(request) else full(entry.body, _headers(entry))
        except Refused as refusal:
            self.refused += 1
            return web.json_response(refusal.body, status=refusal.status)
        finally:
            self.in_flight -= 1

    async def _answer_amid_faults(self, request: web.Request, entry: _Entry, attempt: int) -> web.StreamResponse:
        fate = fortune(self.settings, entry.digest, attempt)
        now = asyncio.get_running_loop().time()
        too_fast = any(limit.wait(now) > 0 for limit in self.limits)
        if not too_fast:
            for limit in self.limits:
                limit.take(now)
        headers = _headers(entry)
        if self.limits:
            headers |= max(self.limits, key=lambda limit: limit.wait(now)).headers(now)
        if too_fast or fate.fault == "rate_limited":
            self.faults["rate_limited"] += 1
            return self._too_many(headers)
        if fate.fault == "stall":
            self.faults["stall"] += 1
            await asyncio.Event().wait()
        if fate.latency_s:
            await asyncio.sleep(fate.latency_s)
        match fate.fault:
            case None:
                self._count(entry)
                is_ready = not self.limits and Prepared.fits(request)
                return entry.response if is_ready else full(entry.body, headers)
            case "error":
                self.faults["error"] += 1
                body = error_body("The server had an error while processing your request.", "server_error")
                return web.json_response(body, status=500, headers=headers)
            case "dropped":
                self.faults["dropped"] += 1
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            case "slow_body":
                self.faults["slow_body"] += 1
                response = await trickle(request, entry.body, headers, self.settings.slow_body_s)
                self._count(entry)
                return response
            case _:
                self.faults["garbage"] += 1
                content_type, body_bytes = garbage(fate.draw, entry.body)
                return web.Response(body=body_bytes, content_type=content_type, headers=headers)

    def _too_many(self, headers: dict[str, str]) -> web.StreamResponse:
        if wait := self.settings.retry_after_s:
            headers = headers | {"Retry-After": f"{wait:g}", "retry-after-ms": f"{wait * 1000:.0f}"}
        body = error_body("Rate limit reached. Please try again later.", "requests", None, "rate_limit_exceeded")
        return web.json_response(body, status=429, headers=headers)

    def _check_key(self, request: web.BaseRequest) -> None:
        key = self.settings.api_key
        if key is None:
            return
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, f"Bearer {key.get_secret_value()}".encode()):
            raise Refused(401, "Incorrect API key provided.", None, "invalid_api_key")

    def _entry(self, raw: bytes, answering: Answering) -> _Entry:
        """Find or make the answer to a request's bytes; raises Refused."""
        key = hashlib.sha256(raw).digest() + answering.__name__.encode()
        if entry := self.entries.get(key):
            self.entries.move_to_end(key)
            return entry
        try:
            body = json.loads(raw)
            canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
        except (ValueError, RecursionError) as error:
            raise Refused(400, "We could not parse the JSON body of your request.") from error
        if not isinstance(body, dict):
            raise Refused(400, "The body of a request must be a JSON object.")
        digest = hashlib.sha256(canonical.encode()).digest()
        reply = answering(body, self.settings, digest)
        name = f"req_{digest[:16].hex()}"
        data = json.dumps(reply.body, separators=(",", ":")).encode()
        entry = self.entries[key] = _Entry(digest, name, data, reply.malformed, Prepared(data, name))
        self.entries_bytes += len(data)
        while self.entries_bytes > _CACHE_BYTES and len(self.entries) > 1:
            self.entries_bytes -= len(self.entries.popitem(last=False)[1].body)
        return entry

    def _count(self, entry: _Entry) -> None:
        self.answers += 1
        self.answered[entry.digest] += 1
        self.malformed += entry.malformed


def make_app(settings: SimulatedSettings) -> web.Application:
    """Make the application: both completion endpoints, /v1/models and /simulated/calls.

    Serve it with handler_cancellation=True, or stalled calls outlive the clients that gave them up; `serving` does.
    """
    return _make_app(_Teacher(settings))


def _make_app(teacher: _Teacher) -> web.Application:
    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/v1/chat/completions", teacher.chat)
    app.router.add_post("/v1/completions", teacher.completions)
    app.router.add_get("/v1/models", teacher.models)
    app.router.add_get("/v1/models/{model}", teacher.models)
    app.router.add_get("/simulated/calls", teacher.show_calls)
    app.router.add_route("*", "/{path:.*}", teacher.unknown)
    return app


@asynccontextmanager
async def serving(settings: SimulatedSettings, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Serving]:
    """Run a server in this event loop for as long as the context lasts; port 0 takes a free one."""
    _allow_many_connections()
    teacher = _Teacher(settings)
    runner = web.AppRunner(_make_app(teacher), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        name = f"[{host}]" if ":" in host else host
        yield Serving(f"http://{name}:{runner.addresses[0][1]}/v1", teacher.calls)
    finally:
        await runner.cleanup()


def _allow_many_connections() -> None:
    """Raise this process's soft limit of open files, which is often 1024: each connection takes one (or two)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_FILES if hard == resource.RLIM_INFINITY else min(_MANY_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _headers(entry: _Entry) -> dict[str, str]:
    return {"x-request-id": entry.request_id}
