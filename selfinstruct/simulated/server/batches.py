"""The simulated teacher's batches: OpenAI's Batch API, with its states, outcomes and files.

    validating -> in_progress -> finalizing -> completed      expired: the window closed before all requests were done
             \\-> failed     \\-> cancelling -> cancelled       failed: something is wrong with the input file

A batch takes `batch_s` seconds and is in progress from 10 % to 90 % of that time; with 0 it is done when its state is
first requested. A large one takes as long as it takes to write its answers, and is "finalizing" meanwhile.

A request in a batch gets exactly the completion that it gets online. The order of the output, the requests that fail
and the batches that expire depend on the content and on how often it was seen, so they can be repeated. Ids are random,
so that a restarted server does not know the batches of the previous one.

Source: https://platform.openai.com/docs/guides/batch. Not simulated: other endpoints, and files that expire.
"""

import asyncio
import hashlib
import json
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from aiohttp import web

from selfinstruct.simulated.mind.draws import chance
from selfinstruct.simulated.server.accounts import Accounts
from selfinstruct.simulated.server.batch_lines import Line, batch_error, executed_line, read_lines, unexecuted_line
from selfinstruct.simulated.server.entries import Answering, Entries
from selfinstruct.simulated.server.faults import NO_QUOTA, SERVER_ERROR, too_many
from selfinstruct.simulated.server.files import Files, page
from selfinstruct.simulated.server.replies import chat, completion
from selfinstruct.simulated.server.requests import Refused, prompt_tokens
from selfinstruct.simulated.settings import SimulatedSettings

_ENDPOINTS: dict[str, Answering] = {"/v1/chat/completions": chat, "/v1/completions": completion}
_WINDOW_S = 86_400
_AT_A_TIME = 20
_PATIENCE_S = 5.0
_STAMPS = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")

End = Literal["completed", "failed", "expired", "cancelled"]


@dataclass(eq=False)
class Batch:
    """A batch: its input and its progress. Times are the event loop's, except for `created_at` and `stamps`."""

    input_file_id: str
    endpoint: str
    metadata: dict[str, str] | None
    began: float
    takes_s: float
    id: str = field(default_factory=lambda: f"batch_{secrets.token_hex(16)}")
    created_at: int = field(default_factory=lambda: int(time.time()))
    lines: list[Line] = field(default_factory=list)
    """Its requests in the order of their execution."""
    model: str | None = None
    total: int = 0
    planned: int = 0
    """How many of its requests are executed before it ends."""
    errors: list[Any] = field(default_factory=list)
    tokens: int = 0
    """Tokens of its prompts, as far as there is a limit on those."""
    end: End = "completed"
    """How it ends, or has ended."""
    stamps: dict[str, int] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    work: asyncio.Task[None] | None = None

    def progress(self, now: float) -> float:
        """Return which share of its time is over: 0 when it is created, 1 when it is due."""
        passed = now - self.began
        return min(1.0, passed / self.takes_s) if self.takes_s else float(passed > 0)

    def executed(self, now: float) -> int:
        """Return how many of its requests have been executed."""
        if self.end == "cancelled":
            return self.planned
        return int(self.planned * min(1.0, max(0.0, (self.progress(now) - 0.1) / 0.8)))

    def status(self, now: float) -> str:
        """Return its state."""
        if self.work is None or self.work.done():
            return self.end
        if self.end == "cancelled":
            return "cancelling"
        progress = self.progress(now)
        if progress < 0.1 or self.end == "failed":
            return "validating"
        return "in_progress" if progress < 0.9 else "finalizing"

    def shown(self, now: float) -> dict[str, Any]:
        """Return the batch as the API's Batch."""
        status = self.status(now)
        has_ended = status == self.end
        stamps = dict(self.stamps)
        if status not in ("validating", "failed"):
            stamps["in_progress"] = self.created_at + int(self.takes_s * 0.1)
        if status in ("finalizing", "completed", "expired"):
            stamps["finalizing"] = self.created_at + int(self.takes_s * 0.9)
        read, written = self.counts["prompt_tokens"], self.counts["completion_tokens"]
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "model": self.model,
            "errors": {"object": "list", "data": self.errors} if status == "failed" else None,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "status": status,
            "output_file_id": self.files.get("output"),
            "error_file_id": self.files.get("error"),
            "created_at": self.created_at,
            "expires_at": self.created_at + _WINDOW_S,
            **{f"{state}_at": stamps.get(state) for state in _STAMPS},
            "request_counts": {
                "total": 0 if status in ("validating", "failed") else self.total,
                "completed": self.counts["completed"] if has_ended else self.executed(now),
                "failed": self.counts["failed"],
            },
            "metadata": self.metadata,
            "usage": {
                "input_tokens": read,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": written,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": read + written,
            },
        }


class Batches:
    """The batches of one server, and the handlers of /v1/batches."""

    def __init__(self, settings: SimulatedSettings, entries: Entries, accounts: Accounts, files: Files):
        self._settings = settings
        self._entries = entries
        self._accounts = accounts
        self._files = files
        self._batches: dict[str, Batch] = {}
        self._seen: Counter[bytes] = Counter()
        self._refusals_left = settings.batch_refused

    async def create(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/batches."""
        if self._refusals_left:
            self._refusals_left -= 1
            self._accounts.faults["batch_refused"] += 1
            return web.json_response(SERVER_ERROR, status=500)
        batch = self._made(_checked(await request.read()))
        self._accounts.batches += 1
        self._batches[batch.id] = batch
        batch.work = asyncio.create_task(self._carry_out(batch))
        return web.json_response(batch.shown(batch.began))

    async def list(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/batches: newest first."""
        now = await self.settle()
        return page(request, [batch.shown(now) for batch in reversed(self._batches.values())], 20, 100)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/batches/{batch}."""
        batch = self._find(request)
        return web.json_response(batch.shown(await self.settle(batch)))

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/batches/{batch}/cancel: what has been executed is kept, and charged for."""
        batch = self._find(request)
        now = await self.settle(batch)
        status = batch.status(now)
        if status in ("validating", "in_progress", "finalizing") and batch.work:
            batch.work.cancel()
            batch.planned, batch.end = batch.executed(now), "cancelled"
            batch.stamps["cancelling"] = int(time.time())
            # Due immediately, so that the next request for its state finds it cancelled.
            batch.began, batch.takes_s = now, 0.0
            batch.work = asyncio.create_task(self._carry_out(batch))
        elif status != "cancelling":
            raise Refused(409, f"Cannot cancel a batch with status '{status}'.")
        return web.json_response(batch.shown(now))

    async def settle(self, batch: Batch | None = None, at_most_s: float | None = _PATIENCE_S) -> float:
        """Wait for the work that is due on this batch, or on every batch; return the time at which it was called.

        A large batch is still "finalizing" after `at_most_s` seconds; None waits for it.
        """
        now = asyncio.get_running_loop().time()
        batches = [batch] if batch else self._batches.values()
        due = [one.work for one in batches if one.work and one.progress(now) == 1]
        if due:
            # Unlike awaiting it, this does not cancel the work when a client disconnects.
            done, _ = await asyncio.wait(due, timeout=at_most_s)
            for work in done:
                work.result()
        return now

    async def close(self, _app: web.Application) -> None:
        """Cancel all work."""
        tasks = [batch.work for batch in self._batches.values() if batch.work]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _find(self, request: web.Request) -> Batch:
        name = request.match_info["batch"]
        if name not in self._batches:
            raise Refused(404, f"No batch found with id '{name[:100]}'.")
        return self._batches[name]

    def _made(self, asked: dict[str, Any]) -> Batch:
        file = self._files.find(asked.get("input_file_id"))
        settings = self._settings
        now = asyncio.get_running_loop().time()
        batch = Batch(file.id, asked["endpoint"], asked.get("metadata"), now, settings.batch_s)
        batch.lines, batch.errors = read_lines(file.content, batch.endpoint)
        if (limit := settings.batch_enqueued_tokens) and not batch.errors:
            batch.tokens = sum(prompt_tokens(line.body) for line in batch.lines)
            enqueued = sum(one.tokens for one in self._batches.values() if one.work and not one.work.done())
            if enqueued + batch.tokens > limit:
                message = f"Enqueued token limit reached. Limit: {limit} enqueued tokens. Please try again once some "
                batch.errors = [batch_error("token_limit_exceeded", f"{message}in_progress batches are completed.")]
        content = hashlib.sha256(file.content).digest()
        if batch.errors:
            batch.lines, batch.tokens, batch.end, batch.takes_s = [], 0, "failed", settings.batch_s * 0.1
            return batch
        batch.model, batch.total = batch.lines[0].body["model"], len(batch.lines)
        batch.planned = batch.total
        if self._accounts.batches < settings.batch_expired:
            batch.end, batch.planned = "expired", batch.total // 2
        Random(content).shuffle(batch.lines)
        return batch

    async def _carry_out(self, batch: Batch) -> None:
        """Execute the requests of a batch when it is due, and write its files."""
        await asyncio.sleep(batch.takes_s)
        good: list[bytes] = []
        bad: list[bytes] = []
        for place, line in enumerate(batch.lines):
            if place % _AT_A_TIME == 0:
                await asyncio.sleep(0)
            line_id = f"batch_req_{hashlib.sha256(f'{batch.id} {line.custom_id!a}'.encode()).hexdigest()[:24]}"
            if place >= batch.planned:
                bad.append(unexecuted_line(line_id, line, f"batch_{batch.end}"))
                continue
            status, request_id, body = self._execute(batch, line)
            (good if status == 200 else bad).append(executed_line(line_id, line, status, request_id, body))
        for kind, written in (("output", good), ("error", bad)):
            if written:
                name = f"{batch.id}_{kind}.jsonl"
                batch.files[kind] = self._files.add(b"".join(written), name, "batch_output").id
        batch.counts["completed"], batch.counts["failed"] = len(good), len(bad)
        batch.lines = []
        if batch.end == "expired":
            self._accounts.faults["batch_expired"] += 1
        batch.stamps[batch.end] = int(time.time())

    def _execute(self, batch: Batch, line: Line) -> tuple[int, str, bytes]:
        """Answer one request: the status, the request's id and the body."""
        settings, accounts = self._settings, self._accounts
        raw = json.dumps(line.body).encode()
        name = f"req_{hashlib.sha256(raw).hexdigest()[:32]}"
        if settings.quota_requests and accounts.answers >= settings.quota_requests:
            accounts.faults["insufficient_quota"] += 1
            return 429, name, json.dumps(NO_QUOTA).encode()
        try:
            entry = self._entries.find(raw, _ENDPOINTS[batch.endpoint])
            self._entries.check(entry)
        except Refused as refusal:
            accounts.refused += 1
            return refusal.status, name, json.dumps(refusal.body).encode()
        drawn = chance(entry.digest, f"batch {self._times_seen(entry.digest)}")
        if drawn < settings.batch_failed_share:
            accounts.faults["batch_failed"] += 1
            status, error = (
                (500, SERVER_ERROR) if drawn < settings.batch_failed_share / 2 else (429, too_many("requests"))
            )
            return status, entry.request_id, json.dumps(error).encode()
        accounts.charge(entry)
        accounts.answer(entry)
        batch.counts["prompt_tokens"] += entry.prompt_tokens
        batch.counts["completion_tokens"] += entry.completion_tokens
        return 200, entry.request_id, entry.body

    def _times_seen(self, digest: bytes) -> int:
        self._seen[digest] += 1
        return self._seen[digest] - 1


def _checked(raw: bytes) -> dict[str, Any]:
    """Check the body of a request for a batch; raises Refused."""
    try:
        asked = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "We could not parse the JSON body of your request.") from error
    if not isinstance(asked, dict):
        raise Refused(400, "The body of a request must be a JSON object.")
    for name, known in (("endpoint", list(_ENDPOINTS)), ("completion_window", ["24h"])):
        if asked.get(name) not in known:
            raise Refused(400, f"'{name}' must be {' or '.join(known)}.", name, "invalid_value")
    match asked.get("metadata"):
        case None:
            pass
        case dict() as pairs if len(pairs) <= 16 and all(
            isinstance(value, str) and len(key) <= 64 and len(value) <= 512 for key, value in pairs.items()
        ):
            pass
        case _:
            raise Refused(400, "'metadata' may have 16 texts of at most 512 characters, under names of at most 64.",
                          "metadata")  # fmt: skip
    return asked
