"""The simulated teacher as a server: OpenAI's endpoints on a local port, for demos, tests and benchmarks.

    async with serving(SimulatedSettings(error_share=0.1)) as server:
        client = openai.AsyncOpenAI(base_url=server.base_url, api_key="any")
        answer = await client.chat.completions.create(model="simulated", messages=[...])
        print(server.calls()["faults"])                                              # {'error': 1}

The same request gets the same answer from every such server. Faults and latency depend on the request and on how often
this server has seen it. Earlier answers are cached as the bytes to send, so that a benchmark never measures the server.

A request is checked against the rate limits and the quota, and then for permanent errors. If there is a capacity, it
then waits its turn, and only after that takes its time or fails. Requests in batches (batches.py) are only checked
against the quota and for permanent errors, and have different ways to fail.
"""

import asyncio
import hmac
import resource
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass

from aiohttp import web

from selfinstruct.simulated.server.accounts import Accounts, Calls
from selfinstruct.simulated.server.batches import Batches
from selfinstruct.simulated.server.entries import Answering, Entries, Entry
from selfinstruct.simulated.server.faults import NO_QUOTA, SERVER_ERROR, Fortune, fortune, garbage, too_many
from selfinstruct.simulated.server.files import Files
from selfinstruct.simulated.server.rate_limits import RateLimit
from selfinstruct.simulated.server.replies import chat, completion
from selfinstruct.simulated.server.requests import Refused, check_model
from selfinstruct.simulated.server.sending import Prepared, full, trickle
from selfinstruct.simulated.server.wire import CREATED, error_body
from selfinstruct.simulated.settings import SimulatedSettings

_BACKLOG = 8192
_MANY_FILES = 65_536
_LARGEST_UPLOAD = 256 * 2**20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Serving:
    """A running server."""

    base_url: str
    """Where its API begins, for example "http://127.0.0.1:40123/v1"."""
    calls: Callable[[], Calls]
    """What it has seen so far."""


class _Teacher:
    """The state of one server, and its handlers."""

    def __init__(self, settings: SimulatedSettings):
        self.settings = settings
        self.limits = [
            RateLimit(limit, period, settings.rate_limit_burst)
            for limit, period in ((settings.rate_limit_per_s, 1.0), (settings.rate_limit_per_minute, 60.0))
            if limit
        ]
        per_minute = settings.rate_limit_tokens_per_minute
        self.token_limit = RateLimit(per_minute, 60.0, unit="tokens") if per_minute else None
        self.is_limited = bool(self.limits or self.token_limit)
        self.turns = asyncio.Semaphore(settings.capacity) if settings.capacity else nullcontext()
        self.is_calm = not (
            self.is_limited
            or settings.capacity
            or settings.quota_requests
            or settings.poison_share
            or settings.too_long_tokens
            or settings.latency_s
            or any(settings.fault_shares().values())
        )
        self.entries = Entries(settings)
        self.accounts = Accounts()
        self.files = Files()
        self.batches = Batches(settings, self.entries, self.accounts, self.files)
        self.seen: Counter[bytes] = Counter()

    async def chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, chat)

    async def completions(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, completion)

    async def models(self, request: web.Request) -> web.StreamResponse:
        """List the models, or show one of them; any name that starts with "simulated" is one."""
        name = check_model(request.match_info.get("model", "simulated"))
        model = {"id": name, "object": "model", "created": CREATED, "owned_by": "selfinstruct"}
        return web.json_response(model if "model" in request.match_info else {"object": "list", "data": [model]})

    async def show_calls(self, _request: web.Request) -> web.StreamResponse:
        await self.batches.settle(at_most_s=None)
        return web.json_response(self.accounts.calls())

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        message = f"Unknown request URL: {request.method} {request.path}."
        return web.json_response(error_body(message, "invalid_request_error", None, "unknown_url"), status=404)

    def guarded(self, handler: Handler) -> Handler:
        """Pass only requests with the key to a handler, and answer those that it refuses."""

        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self._check_key(request)
                return await handler(request)
            except Refused as refusal:
                return web.json_response(refusal.body, status=refusal.status)

        return answer

    async def _answer(self, request: web.Request, answering: Answering) -> web.StreamResponse:
        self.accounts.arrive()
        try:
            self._check_key(request)
            entry = self.entries.find(await request.read(), answering)
            attempt = self.seen[entry.digest]
            self.seen[entry.digest] = attempt + 1
            if not self.is_calm:
                return await self._answer_amid_faults(request, entry, attempt)
            self.accounts.charge(entry)
            self.accounts.answer(entry)
            return entry.response if Prepared.fits(request) else full(entry.body, _headers(entry))
        except Refused as refusal:
            self.accounts.refused += 1
            return web.json_response(refusal.body, status=refusal.status)
        finally:
            self.accounts.in_flight -= 1

    async def _answer_amid_faults(self, request: web.Request, entry: Entry, attempt: int) -> web.StreamResponse:
        fate = fortune(self.settings, entry.digest, attempt)
        exhausted, headers = self._admit(entry)
        if exhausted or fate.fault == "rate_limited":
            self.accounts.faults["rate_limited"] += 1
            return self._too_many(exhausted or "requests", headers)
        if self.settings.quota_requests and self.accounts.answers >= self.settings.quota_requests:
            self.accounts.faults["insufficient_quota"] += 1
            return web.json_response(NO_QUOTA, status=429, headers=headers)
        self.entries.check(entry)
        async with self.turns:
            return await self._answer_in_turn(request, entry, fate, headers)

    def _admit(self, entry: Entry) -> tuple[str | None, dict[str, str]]:
        """Take room in every rate limit, or in none; return the unit that has run out, if any, and the headers."""
        headers = _headers(entry)
        if not self.is_limited:
            return None, headers
        now = asyncio.get_running_loop().time()
        costs = [(limit, 1) for limit in self.limits]
        if self.token_limit:
            costs.append((self.token_limit, entry.reserved_tokens))
        exhausted = next((limit.unit for limit, cost in costs if limit.wait(now, cost) > 0), None)
        if not exhausted:
            for limit, cost in costs:
                limit.take(now, cost)
        if self.settings.rate_limit_headers:
            # Of two limits on requests, the one that lasts longer is reported.
            for limit in sorted(self.limits, key=lambda limit: limit.wait(now))[-1:]:
                headers |= limit.headers(now)
            if self.token_limit:
                headers |= self.token_limit.headers(now)
        return exhausted, headers

    async def _answer_in_turn(
        self, request: web.Request, entry: Entry, fate: Fortune, headers: dict[str, str]
    ) -> web.StreamResponse:
        accounts = self.accounts
        if fate.fault == "stall":
            accounts.faults["stall"] += 1
            await asyncio.Event().wait()
        if fate.latency_s:
            await asyncio.sleep(fate.latency_s)
        match fate.fault:
            case None:
                accounts.charge(entry)
                accounts.answer(entry)
                is_ready = len(headers) == 1 and Prepared.fits(request)
                return entry.response if is_ready else full(entry.body, headers)
            case "error":
                accounts.faults["error"] += 1
                return web.json_response(SERVER_ERROR, status=500, headers=headers)
            case "dropped":
                accounts.faults["dropped"] += 1
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            case "slow_body":
                accounts.faults["slow_body"] += 1
                accounts.charge(entry)
                response = await trickle(request, entry.body, headers, self.settings.slow_body_s)
                accounts.answer(entry)
                return response
            case _:
                accounts.faults["garbage"] += 1
                content_type, body_bytes = garbage(fate.draw, entry.body)
                return web.Response(body=body_bytes, content_type=content_type, headers=headers)

    def _too_many(self, unit: str, headers: dict[str, str]) -> web.StreamResponse:
        if wait := self.settings.retry_after_s:
            headers = headers | {"Retry-After": f"{wait:g}", "retry-after-ms": f"{wait * 1000:.0f}"}
        return web.json_response(too_many(unit), status=429, headers=headers)

    def _check_key(self, request: web.BaseRequest) -> None:
        key = self.settings.api_key
        if key is None:
            return
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, f"Bearer {key.get_secret_value()}".encode()):
            raise Refused(401, "Incorrect API key provided.", None, "invalid_api_key")


def make_app(settings: SimulatedSettings) -> web.Application:
    """Create the application: both completion endpoints, models, files, batches and /simulated/calls.

    Serve it with handler_cancellation=True, as `serving` does, or stalled calls outlive clients that cancelled them.
    """
    return _make_app(_Teacher(settings))


def _make_app(teacher: _Teacher) -> web.Application:
    app = web.Application(client_max_size=_LARGEST_UPLOAD)
    app.on_cleanup.append(teacher.batches.close)
    app.router.add_post("/v1/chat/completions", teacher.chat)
    app.router.add_post("/v1/completions", teacher.completions)
    files, batches = teacher.files, teacher.batches
    for method, path, handler in (
        ("GET", "/v1/models", teacher.models),
        ("GET", "/v1/models/{model}", teacher.models),
        ("POST", "/v1/files", files.upload),
        ("GET", "/v1/files", files.list),
        ("GET", "/v1/files/{file}", files.show),
        ("GET", "/v1/files/{file}/content", files.content),
        ("DELETE", "/v1/files/{file}", files.delete),
        ("POST", "/v1/batches", batches.create),
        ("GET", "/v1/batches", batches.list),
        ("GET", "/v1/batches/{batch}", batches.show),
        ("POST", "/v1/batches/{batch}/cancel", batches.cancel),
    ):
        app.router.add_route(method, path, teacher.guarded(handler))
    app.router.add_get("/simulated/calls", teacher.show_calls)
    app.router.add_route("*", "/{path:.*}", teacher.unknown)
    return app


@asynccontextmanager
async def serving(settings: SimulatedSettings, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Serving]:
    """Run a server in this event loop for as long as the context lasts; port 0: any free port."""
    _allow_many_connections()
    teacher = _Teacher(settings)
    runner = web.AppRunner(_make_app(teacher), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
        name = f"[{host}]" if ":" in host else host
        yield Serving(f"http://{name}:{runner.addresses[0][1]}/v1", teacher.accounts.calls)
    finally:
        await runner.cleanup()


def _allow_many_connections() -> None:
    """Raise this process's soft limit of open files, which is often 1024: each connection takes one (or two)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_FILES if hard == resource.RLIM_INFINITY else min(_MANY_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _headers(entry: Entry) -> dict[str, str]:
    return {"x-request-id": entry.request_id}
