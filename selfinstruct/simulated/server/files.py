"""The files that a simulated server holds for batches: uploaded, listed, read and deleted as OpenAI's are.

They live in memory for as long as the server runs; nothing is written to disk.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web

from selfinstruct.simulated.server.requests import Refused


@dataclass(frozen=True)
class File:
    """A file and its metadata."""

    id: str
    content: bytes
    created_at: int
    filename: str
    purpose: str

    def shown(self) -> dict[str, Any]:
        """Return the file as the API's FileObject."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "expires_at": None,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class Files:
    """The files of one server, and the handlers of /v1/files."""

    def __init__(self) -> None:
        self._files: dict[str, File] = {}

    def add(self, content: bytes, filename: str, purpose: str) -> File:
        """Store a file."""
        file = File(f"file-{secrets.token_hex(12)}", content, int(time.time()), filename, purpose)
        self._files[file.id] = file
        return file

    def find(self, file_id: object) -> File:
        """Find a file; raises Refused (404)."""
        if not isinstance(file_id, str) or file_id not in self._files:
            raise Refused(404, f"No such File object: {str(file_id)[:100]}", "id")
        return self._files[file_id]

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/files: multipart, with the fields file and purpose."""
        if not request.content_type.startswith("multipart/"):
            raise Refused(400, "A file is uploaded as multipart/form-data.")
        purpose, content, filename = None, None, "upload.jsonl"
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "file":
                content, filename = bytes(await part.read()), part.filename or filename
            elif isinstance(part, BodyPartReader) and part.name == "purpose":
                purpose = await part.text()
        if content is None:
            raise Refused(400, "'file' is a required property", "file")
        if purpose != "batch":
            raise Refused(400, "The 'purpose' of a file must be 'batch'; no other is simulated.", "purpose")
        return web.json_response(self.add(content, filename, purpose).shown())

    async def list(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/files: newest first, or oldest first with order=asc; all or those of one purpose."""
        files = [file.shown() for file in self._files.values()]
        if purpose := request.query.get("purpose"):
            files = [file for file in files if file["purpose"] == purpose]
        return page(request, files if request.query.get("order") == "asc" else files[::-1], 10_000, 10_000)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/files/{file}."""
        return web.json_response(self.find(request.match_info["file"]).shown())

    async def content(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/files/{file}/content."""
        return web.Response(body=self.find(request.match_info["file"]).content)

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """DELETE /v1/files/{file}."""
        file = self.find(request.match_info["file"])
        del self._files[file.id]
        return web.json_response({"id": file.id, "object": "file", "deleted": True})


def page(request: web.Request, objects: Sequence[dict[str, Any]], default: int, most: int) -> web.StreamResponse:
    """Answer with a page of a list: `limit` objects (or `default`, `most` at most) that come after the id `after`."""
    try:
        limit = int(request.query.get("limit", default))
    except ValueError:
        limit = 0
    if not 1 <= limit <= most:
        raise Refused(400, f"'limit' must be a whole number from 1 to {most}.", "limit")
    if after := request.query.get("after"):
        places = [place for place, one in enumerate(objects) if one["id"] == after]
        if not places:
            raise Refused(400, f"No such object: {after[:100]}", "after")
        objects = objects[places[0] + 1 :]
    shown = objects[:limit]
    return web.json_response(
        {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": len(objects) > limit,
        }
    )
