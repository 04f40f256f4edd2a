"""The calls of OpenAI's Batch API: upload a file, make a batch, find it, look at it, read its files.

    client = BatchServer(reader, tell)
    file = await client.patiently(lambda: client.upload("a.jsonl", content))

Each call is made once, and raises TryAgain or TeacherError; `patiently` makes it again. A batch's files are read in
pieces, so that a file of any size takes little memory. Source: https://platform.openai.com/docs/api-reference/batch.
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
from selfinstruct.records import storable
from selfinstruct.teachers.openai_compatible import OpenAICompatible

CALL_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=120)
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
        while True:
            page = await self._json("GET", "/batches", params=query)
            batches = [batch for batch in page.get("data") or [] if isinstance(batch, dict)]  # the newest first
            for batch in batches:
                if marks.items() <= (batch.get("metadata") or {}).items():
                    return _text(batch, "id")
                if (batch.get("created_at") or since) < since - CLOCKS_DIFFER_S:
                    return None
            if not batches or not page.get("has_more"):
                return None
            query["after"] = _text(batches[-1], "id")

    async def look(self, identity: str) -> Found | None:
        """The state of a batch; None if the server does not know it any more."""
        batch = await self._json("GET", f"/batches/{identity}", missing=None)
        if batch is None:
            return None
        counts, errors = batch.get("request_counts"), batch.get("errors")
        counts = counts if isinstance(counts, dict) else {}
        problems = errors.get("data") if isinstance(errors, dict) else None
        return Found(
            self._reader.clean(_text(batch, "status")),
            f"{(counts.get('completed') or 0) + (counts.get('failed') or 0):,} of {counts.get('total') or 0:,}",
            [file for key in ("output_file_id", "error_file_id") if isinstance(file := batch.get(key), str) and file],
            [(str(p.get("code")), self.said(p.get("message"))) for p in problems or [] if isinstance(p, dict)],
        )

    async def read(self, file_id: str, take: Callable[[list[bytes]], None]) -> bool:
        """Give the lines of a file to `take`, some at a time; False if there is no such file any more.

        A call that breaks off raises TryAgain, and the next one begins with the first line again.
        """
        rest = b""
        async with self._response("GET", f"/files/{file_id}/content") as response:
            if response.status in NO_SUCH_ADDRESS:
                return False
            async for piece in response.content.iter_chunked(PIECE_BYTES):
                # Only \n ends a line: texts may hold U+2028 and the like.
                *lines, rest = (rest + piece).split(b"\n")
                take(lines)
        take([rest])
        return True

    def said(self, text: Any) -> str:
        """What the server said, in a form that may be shown and stored."""
        return storable(self._reader.clean(str(text)))[:500]

    async def _json(self, method: str, path: str, *, missing: Any = TeacherError, **options: Any) -> Any:
        """The server's JSON object; `missing` where it knows no such address."""
        async with self._response(method, path, **options) as response:
            text = (await response.read()).decode("utf-8", "replace")
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
                if response.status >= 400 and response.status not in NO_SUCH_ADDRESS:
                    text = (await response.read()).decode("utf-8", "replace")
                    raise self._reader.failure(response.status, response.headers, text)
                yield response
        except (aiohttp.ClientError, TimeoutError) as error:
            unreachable = isinstance(error, aiohttp.ClientConnectorError)
            raise TryAgain("connection", self.said(error or type(error).__name__), unreachable=unreachable) from None


def _text(body: Mapping[str, Any], key: str) -> str:
    """A text that the server's answer must hold."""
    if not isinstance(text := body.get(key), str) or not text:
        raise TryAgain("malformed_answer", f"{key} is missing")
    return text
