"""The calls of OpenAI's Batch API: upload a file, make a batch, find it, look at it, read its files.

    client = BatchServer(reader, tell)
    file = await client.patiently(lambda: client.upload("a.jsonl", content))

Each call is made once, and raises TryAgain or TeacherError; `patiently` makes it again. A batch's files are read in
pieces, so that a file of any size takes little memory: a line of more than `max_answer_mb` is no answer, and a file
with far more lines than a batch may have requests is not read on.

Source: https://platform.openai.com/docs/api-reference/batch.
"""

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar

import aiohttp

from selfinstruct.errors import RequestRefused, TeacherError, TryAgain
from selfinstruct.teachers.batch_lines import Lines
from selfinstruct.teachers.openai_compatible import OpenAICompatible

CALL_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=120)
BODY_S = 600.0  # for what is not a file, from its first byte to its last
PAGES_MOST = 1000  # of the list of batches: a list without an end is given up
LINES_MOST = 200_000  # of a file; a batch has at most 50,000 requests
ANSWERS_MOST = 1024  # times the most that one answer may have, that a file may have
PIECE_BYTES = 2**20
PAUSE_FIRST_S, PAUSE_MOST_S = 1.0, 60.0
TRIES_FIRST, TRIES = 5, 30  # of one call: while the server has answered nothing yet, and later (about a quarter hour)
CLOCKS_DIFFER_S = 86_400.0  # the server's and ours, at most
NO_SUCH_ADDRESS = (404, 405, 501)
T = TypeVar("T")


class Found(NamedTuple):
    """A batch as its server tells it: `problems` are codes and messages of one that failed."""

    status: str
    progress: str
    files: list[str]
    problems: list[tuple[str, str]]


class BatchServer:
    """The batches of one account. `reader` knows its address and key; `tell` is given a line about failed calls."""

    def __init__(self, reader: OpenAICompatible, tell: Callable[[str], None]):
        self._reader = reader
        self._tell = tell
        self._has_answered = False

    async def patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Make the call until the server answers; TeacherError if it refuses, or fails again and again."""
        pause_s = PAUSE_FIRST_S
        tries = 0
        while True:
            try:
                result = await call()
            except RequestRefused as error:
                raise TeacherError(f"{self._reader.base_url} rejected the batch: {error}") from None
            except TryAgain as error:
                tries += 1
                if tries >= (TRIES if self._has_answered else TRIES_FIRST):
                    raise TeacherError(
                        f"{self._reader.base_url} failed repeatedly ({error}). Check that the server is up and "
                        "base_url (--base-url) is right, then run the same command again to resume."
                    ) from None
                self._tell(f"the server failed ({error.reason}); retrying")
                pause = random.uniform(0, pause_s) if error.retry_after_s is None else error.retry_after_s
                await asyncio.sleep(min(pause, 60 * PAUSE_MOST_S))
                pause_s = min(2 * pause_s, PAUSE_MOST_S)
            else:
                self._has_answered = True
                return result

    async def upload(self, name: str, content: bytes) -> str:
        """Upload an input file; give its id."""
        with aiohttp.MultipartWriter("form-data") as form:
            form.append("batch").set_content_disposition("form-data", name="purpose")
            form.append(io.BytesIO(content)).set_content_disposition("form-data", name="file", filename=name)
        headers = {"Content-Type": form.content_type}
        return _text(await self._json("POST", "/files", data=form, headers=headers), "id")

    async def create(self, file_id: str, path: str, marks: Mapping[str, str]) -> str:
        """Make a batch of an input file, for the endpoint at `path`, marked by `marks`; give its id."""
        asked = {"input_file_id": file_id, "endpoint": f"/v1{path}", "completion_window": "24h", "metadata": marks}
        return _text(await self._json("POST", "/batches", json=asked), "id")

    async def find(self, marks: Mapping[str, str], since: float) -> str | None:
        """The id of the batch that carries `marks` and was made after `since` (seconds since 1970)."""
        query = {"limit": "100"}
        for _ in range(PAGES_MOST):
            page = await self._json("GET", "/batches", params=query)
            batches = [batch for batch in _list(page.get("data")) if isinstance(batch, dict)]  # the newest first
            for batch in batches:
                if marks.items() <= _dict(batch.get("metadata")).items():
                    return _text(batch, "id")
                created_at = batch.get("created_at")
                if isinstance(created_at, int | float) and 0 < created_at < since - CLOCKS_DIFFER_S:
                    return None
            if not batches or not page.get("has_more"):
                return None
            query["after"] = _text(batches[-1], "id")
        raise TryAgain("malformed_answer", "the list of batches has no end")

    async def look(self, identity: str) -> Found | None:
        """The state of a batch; None if the server does not know it any more."""
        batch = await self._json("GET", f"/batches/{identity}", missing=None)
        if batch is None:
            return None
        counts = _dict(batch.get("request_counts"))
        completed, failed, total = (_count(counts.get(name)) for name in ("completed", "failed", "total"))
        problems = [one for one in _list(_dict(batch.get("errors")).get("data")) if isinstance(one, dict)]
        return Found(
            self.said(_text(batch, "status"))[:50],
            f"{completed + failed:,} of {total:,}",
            [file for key in ("output_file_id", "error_file_id") if isinstance(file := batch.get(key), str) and file],
            [(self.said(one.get("code")), self.said(one.get("message"))) for one in problems],
        )

    async def read(self, file_id: str, take: Callable[[list[bytes]], None]) -> bool:
        """Give the lines of a file to `take`, some at a time; False if there is no such file any more.

        A call that breaks off raises TryAgain, and the next one begins with the first line again.
        """
        lines = Lines(self._reader.most_bytes)
        n_lines = n_bytes = 0
        async with self._response("GET", f"/files/{file_id}/content") as response:
            if response.status in NO_SUCH_ADDRESS:
                return False
            async for piece in response.content.iter_chunked(PIECE_BYTES):
                found = lines.feed(piece)
                n_lines, n_bytes = n_lines + len(found), n_bytes + len(piece)
                if n_lines > LINES_MOST or n_bytes > ANSWERS_MOST * self._reader.most_bytes:
                    raise TeacherError(
                        f"{self._reader.base_url}: the result file of a batch is too large: {n_lines:,} lines and "
                        f"{n_bytes / 2**30:.1f} GB so far. That is more lines than a batch has requests, or more than "
                        f"{ANSWERS_MOST} times max_answer_mb. If its answers are that long, raise "
                        "max_answer_mb in [running]."
                    )
                take(found)
        take(lines.feed(b"\n"))
        return True

    def said(self, text: Any) -> str:
        """What the server said, in a form that may be shown and stored."""
        try:
            return self._reader.shown(str(text))
        except (ValueError, RecursionError):  # a number of thousands of digits, lists in lists
            return "..."

    async def _json(self, method: str, path: str, *, missing: Any = TeacherError, **options: Any) -> Any:
        """The server's JSON object; `missing` where it knows no such address."""
        async with self._response(method, path, **options) as response:
            text = await self._body(response)
            if response.status in NO_SUCH_ADDRESS:
                if missing is not TeacherError:
                    return missing
                raise TeacherError(
                    f"{self._reader.base_url} has no Batch API ({response.status}: {self.said(text)[:100]}). "
                    "Check base_url (--base-url), which usually ends in /v1, or turn batch (--batch) off."
                )
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise TryAgain("malformed_answer", f"not a JSON object: {self.said(text)[:100]}")
        return body

    @asynccontextmanager
    async def _response(self, method: str, path: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, of status 2xx or of NO_SUCH_ADDRESS; raises what the others mean, as `complete` does."""
        try:
            async with self._reader.request(method, path, timeout=CALL_TIMEOUT, **options) as response:
                if response.status >= 300 and response.status not in NO_SUCH_ADDRESS:
                    raise self._reader.failure(response.status, response.headers, await self._body(response))
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            unreachable = isinstance(error, aiohttp.ClientConnectorError)
            raise TryAgain("connection", self.said(error or type(error).__name__), unreachable=unreachable) from None

    async def _body(self, response: aiohttp.ClientResponse) -> str:
        """The body of what is not a file."""
        async with asyncio.timeout(BODY_S):
            text, is_whole = await self._reader.body_of(response)
        if not is_whole:
            raise self._reader.too_large(text)
        return text


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 2**53 else 0


def _text(body: Mapping[str, Any], key: str) -> str:
    """A text that the server's answer must hold."""
    if not isinstance(text := body.get(key), str) or not text:
        raise TryAgain("malformed_answer", f"{key} is missing")
    return text
