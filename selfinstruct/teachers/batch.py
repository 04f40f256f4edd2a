"""OpenAI's Batch API: half the price, for answers within a day.

    requests that wait -> file -> batch ... -> output and error file -> store -> whoever waits

The engine knows nothing of it: its calls wait here until all of them wait, and then go out together. So proposals go in
waves, as many steps as the window allows; the classes and instances of one wave's tasks travel with the next waves.
Batches outlive the process. What is under way is picked up by the next session and never submitted again; answers are
stored as they are read, whether anybody still waits for them or not.

A batch that expires is read as far as it got, and the rest goes into the next one. Where the account's limit of
enqueued tokens is reached, batches go one after the other, and one that is too large by itself is cut in halves.
Source: https://platform.openai.com/docs/guides/batch.

Not covered: providers with batches in another form; several servers for one model; deleting the files at the server.
"""

import asyncio
import json
import math
import time
from collections.abc import Callable, Sequence
from functools import partial

from selfinstruct.errors import RequestRefused, SelfInstructError, Stopped, TeacherError, TryAgain
from selfinstruct.records import Completion, Request
from selfinstruct.store.batches import Batches, OpenBatch
from selfinstruct.teachers.batch_lines import answer_row, in_parts, request_line
from selfinstruct.teachers.batch_server import BatchServer, Found
from selfinstruct.teachers.openai_compatible import PATHS, OpenAICompatible
from selfinstruct.teachers.pacing import Pace
from selfinstruct.terminal import n_of

IN_FLIGHT = 50_000  # requests of one batch, at most
SETTLE_S = 0.25  # without another request: then everybody waits, and the batch goes out
POLL_FIRST_S, POLL_MOST_S = 0.2, 60.0
POLL_SHARE = 0.05  # of the time that a batch has been under way
LISTED_S = 3.0  # after a batch was made, until it surely is in the server's list
ENDED = ("completed", "failed", "expired", "cancelled")

# Told of a try that failed; answers how often this request has failed so far.
Note = Callable[[Request, TryAgain], int]


class BatchTeacher:
    """The batches of one model. `tell` is given a line about them from time to time. `close()` it when done.

    `reader` knows the server's address and key, and reads its answers. Needs a running event loop.
    """

    def __init__(
        self,
        reader: OpenAICompatible,
        model: str,
        batches: Batches,
        stopping: asyncio.Event,
        *,
        note: Note,
        tell: Callable[[str], None],
    ):
        self.pace = Pace(IN_FLIGHT)
        self._reader = reader
        self._server = BatchServer(reader, tell)
        self._model = model
        self._batches = batches
        self._stopping = stopping
        self._note = note
        self._tell = tell
        self._fresh: list[Request] = []
        self._fresh_at = 0.0
        self._most = IN_FLIGHT
        self._is_full = False  # the account's limit was reached: one batch after the other
        self._submitted: set[str] = set()
        self._open: dict[int, float] = {}  # by number of the batch: since when it is looked at
        self._waiting: dict[str, asyncio.Future[Completion]] = {}
        self._picked_up = asyncio.get_running_loop().create_future()
        self._ended: BaseException | None = None
        self._life = asyncio.create_task(self._live())

    async def pick_up(self) -> None:
        """Read the batches of earlier sessions as far as they have ended; raises Stopped or TeacherError."""
        await self._picked_up

    async def complete(self, request: Request) -> Completion:
        """The answer to `request`, once its batch has been read; see `teachers.Teacher` for what it raises."""
        if self._ended:
            raise self._ended
        answer: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = answer
        if request.id not in self._submitted:
            self._fresh.append(request)
            self._fresh_at = time.monotonic()
        try:
            return await answer
        finally:
            del self._waiting[request.id]

    async def close(self) -> None:
        """Leave the batches to themselves."""
        self._life.cancel()
        await asyncio.wait([self._life])

    # What follows runs as one task.

    async def _live(self) -> None:
        """Work until the run stops or something goes wrong, and tell those who wait."""
        working, stopped = asyncio.create_task(self._work()), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            working.cancel()
            stopped.cancel()
            await asyncio.wait([working])
            self._ended = Stopped() if working.cancelled() else working.exception()
            for one in (self._picked_up, *self._waiting.values()):
                _refuse(one, self._ended or Stopped())

    async def _work(self) -> None:
        for batch in self._batches.open(self._model):
            self._open[batch.number] = time.monotonic()
            self._submitted.update(self._batches.requests(batch.number))
        looked = -math.inf
        while True:
            now = time.monotonic()
            if now - looked >= min((self._poll_s(number) for number in self._open), default=math.inf):
                looked = now
                for batch in self._batches.open(self._model):
                    await self._look_at(batch)
            if not self._picked_up.done():
                self._picked_up.set_result(None)
            if self._fresh and now - self._fresh_at >= SETTLE_S:
                await self._submit()
            await asyncio.sleep(POLL_FIRST_S / 2)

    def _poll_s(self, number: int) -> float:
        return min(POLL_MOST_S, max(POLL_FIRST_S, POLL_SHARE * (time.monotonic() - self._open[number])))

    async def _submit(self) -> None:
        """All requests that wait, in as few batches as the server takes."""
        fresh, self._fresh = self._fresh, []
        for part in in_parts(fresh, self._most):
            if self._is_full and self._open:
                self._fresh += part
            else:
                await self._send(part)

    async def _send(self, requests: Sequence[Request]) -> None:
        """Upload the requests, and make a batch of them: it is written down before it can have been made."""
        server, path = self._server, PATHS[requests[0].endpoint]
        content = b"".join(map(request_line, requests))
        file = await server.patiently(lambda: server.upload("selfinstruct.jsonl", content))
        number = self._batches.begin(self._model, requests)
        self._open[number] = time.monotonic()
        self._submitted.update(request.id for request in requests)
        may_be_there = False

        async def create() -> str:
            nonlocal may_be_there
            if may_be_there:
                await asyncio.sleep(LISTED_S)
                if found := await self._find(number):
                    return found
            try:
                return await server.create(file, path, self._marks(number))
            except TryAgain as error:
                may_be_there = may_be_there or not error.unreachable
                raise

        try:
            identity = await server.patiently(create)
        except TeacherError:
            if not may_be_there:
                self._forget(number)
            raise
        self._batches.submitted(number, identity)
        self._tell(f"batch {number} with {n_of(len(requests), 'request')} was submitted")

    def _marks(self, number: int) -> dict[str, str]:
        return {"selfinstruct": self._batches.token(), "batch": str(number)}

    async def _find(self, number: int) -> str | None:
        """The server's name for a batch that may have been submitted."""
        return await self._server.find(self._marks(number), self._batches.begun_at(number))

    async def _look_at(self, batch: OpenBatch) -> None:
        server, number = self._server, batch.number
        if not batch.n_requests:  # all answers were stored when the process was killed
            return self._forget(number)
        identity = batch.id or await server.patiently(lambda: self._find(number))
        if identity is None:
            if time.monotonic() - self._open[number] >= LISTED_S:
                self._end(number, {}, "batch_lost", "it was never submitted")
            return None
        if batch.id is None:
            self._batches.submitted(number, identity)
        found = await server.patiently(lambda: server.look(identity))
        if found is None:
            return self._end(number, {}, "lost", f"the server no longer knows batch {identity}")
        self._tell(f"batch {number} is {found.status.replace('_', ' ')}: {found.progress} requests done")
        if found.status in ENDED:
            await self._read(number, identity, found)
        return None

    async def _read(self, number: int, identity: str, found: Found) -> None:
        """Store what a batch has brought. TeacherError if it was cancelled, or failed for good."""
        requests = self._batches.requests(number)
        failed: dict[str, SelfInstructError] = {}
        server = self._server
        take = partial(self._take, requests, failed)
        is_whole = True
        for name in found.files:
            is_whole &= await server.patiently(partial(server.read, name, take))
        if found.status == "failed" and any(code == "token_limit_exceeded" for code, _ in found.problems):
            return self._wait_for_room(number, requests, found)
        if found.status == "completed" or not is_whole:  # each request has an answer, which may have been paid for
            self._end(number, failed, "malformed_answer", f"batch {identity} has no readable answer to it", "")
        else:
            self._end(number, failed, f"batch_{found.status}", f"batch {identity} ended without an answer to it")
        if found.status == "cancelled":
            raise TeacherError(f"Batch {identity} was cancelled. Run the same command again to request the rest.")
        if found.status == "failed":
            said = "; ".join(f"{code}: {message}" for code, message in found.problems[:3]) or "no reason given"
            raise TeacherError(server.said(f"{self._reader.base_url} rejected the batch: {said}"))
        return None

    def _wait_for_room(self, number: int, requests: dict[str, Request], found: Found) -> None:
        """The account's limit is reached: after the other batches, or where there is none, in smaller ones."""
        self._forget(number)
        self._is_full = True
        if not self._open:
            self._most = len(requests) // 2
        if not self._most:
            raise TeacherError(
                f"{self._reader.base_url} rejects even a batch of one request ({found.problems[0][1]}). Other "
                "batches may be using up the account's limit. Run the same command again when they are done."
            )
        self._fresh += [request for identity, request in requests.items() if identity in self._waiting]

    def _take(self, requests: dict[str, Request], failed: dict[str, SelfInstructError], lines: Sequence[bytes]) -> None:
        """Store the answers in a file's lines, and give them to those who wait; failures are kept for later."""
        kept: list[tuple[Request, Completion]] = []
        for line in lines:
            row = answer_row(line)
            identity = row.get("custom_id")
            request = requests.get(identity) if isinstance(identity, str) else None
            if request is None:
                continue
            try:
                kept.append((request, self._completion(request, row)))
            except TryAgain as error:
                # Not "http_429" and the like: what a batch's requests met says nothing of how fast others may be sent.
                reason = f"batch_{error.reason}" if error.reason.startswith("http_") else error.reason
                failed[request.id] = TryAgain(reason, error.detail, raw=error.raw)
            except (RequestRefused, TeacherError) as error:
                failed[request.id] = error
        if kept:
            self._batches.keep(kept)
        for request, completion in kept:
            requests.pop(request.id, None)
            self._submitted.discard(request.id)
            if (answer := self._waiting.get(request.id)) and not answer.done():
                answer.set_result(completion)

    def _completion(self, request: Request, row: dict[str, object]) -> Completion:
        """The answer in a line of a batch's files; raises what `complete` raises."""
        response = row.get("response")
        if not isinstance(response, dict):
            error = row.get("error")
            code, message = (error.get("code"), error.get("message")) if isinstance(error, dict) else ("error", error)
            said = self._server.said(code or "error")[:50].removeprefix("batch_")
            raise TryAgain(f"batch_{said}", self._server.said(message))
        try:
            body = json.dumps(response.get("body"), ensure_ascii=False)
        except (ValueError, RecursionError):
            raise TryAgain("malformed_answer", "the answer cannot be read", raw="") from None
        status = response.get("status_code")
        if type(status) is int and 400 <= status < 600:
            raise self._reader.failure(status, {}, body)
        return self._reader.read(request, body, 0.0)

    def _end(
        self,
        number: int,
        failed: dict[str, SelfInstructError],
        reason: str,
        detail: str,
        raw: str | None = None,
    ) -> None:
        """The batch is over: whoever still waits for it tries again, for the reason in `failed` or else for this one.

        Tries that failed are noted in the transaction that closes the batch, since some of them were paid for.
        """
        outcomes: dict[str, SelfInstructError] = {}
        with self._batches.transaction():
            for identity, request in self._batches.requests(number).items():
                why = failed.get(identity) or TryAgain(reason, detail, raw=raw)
                if isinstance(why, RequestRefused) and why.raw and identity not in self._waiting:
                    why = TryAgain(why.reason, why.detail, raw=why.raw)
                if isinstance(why, TryAgain):
                    why.tries = self._note(request, why)
                outcomes[identity] = why
            self._forget(number)
        for identity, why in outcomes.items():
            if answer_to := self._waiting.get(identity):
                _refuse(answer_to, why)

    def _forget(self, number: int) -> None:
        """The batch is over, and what is left of it may be submitted again."""
        self._submitted.difference_update(self._batches.requests(number))
        self._batches.close(number)
        del self._open[number]


def _refuse(answer: asyncio.Future[Completion], why: BaseException) -> None:
    if not answer.done():
        answer.set_exception(why)
        answer.exception()  # nobody may be waiting any more
