"""OpenAI's Batch API: half the price, for answers within a day.

    requests that wait -> file -> batch ... -> output and error file -> store -> whoever waits

The engine knows nothing of it: its calls wait here until all of them wait, and then go out together. So proposals go in
waves, as many steps as the window allows; the classes and instances of one wave's tasks travel with the next waves.
Batches outlive the process. What is under way is picked up by the next session and never submitted again; answers are
stored as they are read, whether anybody still waits for them or not.

A batch that expires is read as far as it got, and the rest goes into the next one. A batch that would exceed the
account's limit of enqueued tokens is cut in halves. Source: https://platform.openai.com/docs/guides/batch.

Not covered: providers with batches in another form; several servers for one model.
"""

import asyncio
import io
import itertools
import json
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from selfinstruct.batches import Batches, OpenBatch
from selfinstruct.errors import RequestRefused, SelfInstructError, Stopped, TeacherError, TryAgain
from selfinstruct.pacing import Pace
from selfinstruct.records import Completion, Request
from selfinstruct.teachers.openai_compatible import PATHS, OpenAICompatible, request_body

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

IN_FLIGHT = 50_000  # requests of one batch, at most
MOST_BYTES = 100 * 2**20  # of one batch's file; OpenAI takes 200
SETTLE_S = 0.5  # without another request: then everybody waits, and the batch goes out
POLL_FIRST_S, POLL_MOST_S = 0.2, 60.0
CLOCKS_DIFFER_S = 86_400.0  # the server's and ours, at most
POLL_SHARE = 0.05  # of the time that a batch has been under way
ENDED = ("completed", "failed", "expired", "cancelled")


class BatchTeacher:
    """The batches of one model. `tell` is given a line about them from time to time. `close()` it when done.

    `reader` knows the server's address and key, and reads its answers; it also answers probes, which cannot wait.
    """

    def __init__(
        self,
        reader: OpenAICompatible,
        model: str,
        batches: Batches,
        stopping: asyncio.Event,
        tell: Callable[[str], None],
    ):
        self.pace = Pace(IN_FLIGHT)
        self._reader = reader
        self._model = model
        self._batches = batches
        self._stopping = stopping
        self._tell = tell
        self._fresh: list[Request] = []
        self._fresh_at = 0.0
        self._most = IN_FLIGHT
        self._waiting: dict[str, asyncio.Future[Completion]] = {}
        self._submitted: set[str] = set()
        self._open: dict[int, float] = {}  # by number of the batch: when it was first looked at
        self._working: asyncio.Task[None] | None = None
        self._client: AsyncOpenAI | None = None

    async def complete(self, request: Request) -> Completion:
        """The answer to `request`, once its batch has been read; see `teachers.Teacher` for what it raises."""
        if request.stage == "probe":
            return await self._reader.complete(request)
        if self._working is None:
            self._pick_up()
            self._working = asyncio.create_task(self._work())
        answer = self._waiting[request.id] = asyncio.get_running_loop().create_future()
        if request.id not in self._submitted:
            self._fresh.append(request)
            self._fresh_at = time.monotonic()
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            whichever: set[asyncio.Future[Any]] = {answer, self._working, stopped}
            await asyncio.wait(whichever, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                completion: Completion = answer.result()
                return completion
            if self._working.done():
                self._working.result()  # raises what ended it
            raise Stopped
        finally:
            stopped.cancel()
            self._waiting.pop(request.id, None)

    async def close(self) -> None:
        """Leave the batches to themselves, and close the connections."""
        if self._working:
            self._working.cancel()
            await asyncio.wait([self._working])
        if self._client:
            await self._client.close()

    # What follows runs as one task.

    def _pick_up(self) -> None:
        for batch in self._batches.open(self._model):
            self._open[batch.number] = time.monotonic()
            self._submitted.update(self._batches.requests(batch.number))

    async def _work(self) -> None:
        looked = time.monotonic()
        while True:
            now = time.monotonic()
            if self._fresh and now - self._fresh_at >= SETTLE_S:
                await self._submit()
            wait = min((self._poll_s(number) for number in self._open), default=POLL_FIRST_S)
            if now - looked >= wait:
                looked = now
                for batch in self._batches.open(self._model):
                    await self._look_at(batch)
            await asyncio.sleep(POLL_FIRST_S / 2)

    def _poll_s(self, number: int) -> float:
        return min(POLL_MOST_S, max(POLL_FIRST_S, POLL_SHARE * (time.monotonic() - self._open[number])))

    async def _submit(self) -> None:
        """All requests that wait, in as few batches as the server takes."""
        fresh, self._fresh = self._fresh, []
        by_path: dict[str, list[Request]] = {}
        for request in fresh:
            by_path.setdefault(PATHS[request.endpoint], []).append(request)
        for path, requests in by_path.items():
            for part in _parts(requests, self._most):
                number = self._batches.begin(self._model, part)
                self._open[number] = time.monotonic()
                self._submitted.update(request.id for request in part)
                await self._send(number, path, part)

    async def _send(self, number: int, path: str, requests: Sequence[Request]) -> None:
        content = b"".join(_line(request, path) for request in requests)
        name = f"selfinstruct-{number}.jsonl"
        file = await self._patiently(
            lambda client: client.files.create(file=(name, io.BytesIO(content)), purpose="batch")
        )
        endpoint: Any = f"/v1{path}"
        tries = itertools.count()

        async def create(client: "AsyncOpenAI") -> str:
            # Where an earlier try failed, its batch may be there all the same.
            if next(tries) and (found := await self._find(client, number)):
                return found
            batch = await client.batches.create(
                input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata=self._marks(number)
            )
            return batch.id

        self._batches.submitted(number, await self._patiently(create))
        self._tell(f"batch {number} with {len(requests):,} requests is submitted")

    def _marks(self, number: int) -> dict[str, str]:
        return {"selfinstruct": self._batches.token(), "batch": str(number)}

    async def _find(self, client: "AsyncOpenAI", number: int) -> str | None:
        """The server's name for a batch that may have been submitted."""
        marks, begun_at = self._marks(number), self._batches.begun_at(number)
        async for batch in client.batches.list(limit=100):  # the newest first
            if batch.metadata and marks.items() <= batch.metadata.items():
                return batch.id
            if batch.created_at < begun_at - CLOCKS_DIFFER_S:
                return None
        return None

    async def _look_at(self, batch: OpenBatch) -> None:
        identity = batch.id
        if identity is None:
            identity = await self._patiently(lambda client: self._find(client, batch.number))
            if identity is None:
                return self._end(batch.number, "batch_lost", "it was never submitted")
            self._batches.submitted(batch.number, identity)
        found = await self._patiently(lambda client: client.batches.retrieve(identity), lost_is_none=True)
        if found is None:
            return self._end(batch.number, "batch_lost", f"the server does not know batch {identity} any more")
        counts = found.request_counts
        done = f"{counts.completed + counts.failed:,} of {counts.total:,}" if counts else "none"
        self._tell(f"batch {batch.number} is {found.status.replace('_', ' ')}: {done} requests done")
        if found.status in ENDED:
            await self._read(batch.number, found)
        return None

    async def _read(self, number: int, batch: "Batch") -> None:
        requests = self._batches.requests(number)
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                answer = await self._patiently(lambda client, name=file_id: client.files.content(name))  # type: ignore[misc]
                self._take(requests, answer.text.split("\n"))
        if batch.status == "failed":
            problems = batch.errors.data or [] if batch.errors else []
            if any(problem.code == "token_limit_exceeded" for problem in problems) and len(requests) > 1:
                self._most = max(1, len(requests) // 2)
            elif not any(problem.code == "token_limit_exceeded" for problem in problems):
                said = "; ".join(f"{problem.code}: {problem.message}" for problem in problems[:3])
                self._end(number, "batch_failed", said)
                raise TeacherError(self._reader.clean(f"{self._reader.base_url} does not take the batch: {said}"))
        if batch.status == "cancelled":
            self._end(number, "batch_cancelled", "it was cancelled")
            raise TeacherError(f"Batch {batch.id} was cancelled. Run the same command again to ask for the rest of it.")
        self._end(number, f"batch_{batch.status}", f"batch {batch.id} ended without an answer to it")

    def _take(self, requests: dict[str, Request], lines: Sequence[str]) -> None:
        """Store the answers in a file's lines, and give answers and refusals to those who wait."""
        kept: list[tuple[Request, Completion]] = []
        failed: dict[str, SelfInstructError] = {}
        for line in filter(str.strip, lines):
            row = json.loads(line)
            request = requests.get(row.get("custom_id"))
            response = row.get("response")
            if request is None or not response:
                continue  # no answer: it is asked again
            body = json.dumps(response["body"], ensure_ascii=False)
            try:
                if response["status_code"] >= 400:
                    raise self._reader.failure(response["status_code"], {}, body)
                kept.append((request, self._reader.read(request, body, 0.0)))
            except (RequestRefused, TryAgain, TeacherError) as error:
                failed[request.id] = error
        self._batches.keep(kept)
        for request, completion in kept:
            self._answer(request.id, completion)
        for identity, why in failed.items():
            self._answer(identity, why)

    def _end(self, number: int, reason: str, detail: str) -> None:
        """The batch is over: whoever still waits for it tries again."""
        left = self._batches.requests(number)
        self._batches.close(number)
        del self._open[number]
        for identity in left:
            self._answer(identity, TryAgain(reason, detail))

    def _answer(self, identity: str, outcome: Completion | SelfInstructError) -> None:
        self._submitted.discard(identity)
        answer = self._waiting.get(identity)
        if answer is None or answer.done():
            return
        if isinstance(outcome, Completion):
            answer.set_result(outcome)
        else:
            answer.set_exception(outcome)

    async def _patiently(
        self, call: Callable[["AsyncOpenAI"], Coroutine[Any, Any, Any]], lost_is_none: bool = False
    ) -> Any:
        """Call until the server answers; TeacherError where it refuses."""
        import openai

        self._client = self._client or self._reader.openai_client()
        pause_s = 1.0
        while True:
            try:
                return await call(self._client)
            except openai.NotFoundError:
                if lost_is_none:
                    return None
                raise TeacherError(
                    f"{self._reader.base_url} has no Batch API (404). Run without --batch, or check --base-url."
                ) from None
            except openai.APIStatusError as error:
                failure = self._reader.failure(error.status_code, error.response.headers, error.response.text)
                if not isinstance(failure, TryAgain):
                    raise TeacherError(f"{self._reader.base_url} does not take the batch: {failure}") from None
                pause = failure.retry_after_s
            except openai.APIConnectionError:
                pause = None
            await asyncio.sleep(pause if pause is not None else random.uniform(0, pause_s))
            pause_s = min(2 * pause_s, POLL_MOST_S)


def _line(request: Request, path: str) -> bytes:
    row = {"custom_id": request.id, "method": "POST", "url": f"/v1{path}", "body": request_body(request)}
    return json.dumps(row).encode() + b"\n"


def _parts(requests: Sequence[Request], most: int) -> list[list[Request]]:
    """The requests in lists that fit into a batch."""
    parts: list[list[Request]] = [[]]
    n_bytes = 0
    for request in requests:
        size = len(_line(request, PATHS[request.endpoint]))
        if parts[-1] and (len(parts[-1]) == most or n_bytes + size > MOST_BYTES):
            parts.append([])
            n_bytes = 0
        parts[-1].append(request)
        n_bytes += size
    return parts
