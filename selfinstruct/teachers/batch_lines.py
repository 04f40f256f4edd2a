"""The files of OpenAI's Batch API: requests as lines, as many as one batch may have, and lines of answers.

Source: https://platform.openai.com/docs/guides/batch.
"""

import json
import math
from collections.abc import Sequence

from selfinstruct.records import Request
from selfinstruct.teachers.openai_compatible import PATHS, request_body

MOST_BYTES = 100 * 2**20  # of one batch's file; OpenAI takes 200


def request_line(request: Request) -> bytes:
    """A request as a line of the file that is uploaded."""
    url = f"/v1{PATHS[request.endpoint]}"
    row = {"custom_id": request.id, "method": "POST", "url": url, "body": request_body(request)}
    return json.dumps(row).encode() + b"\n"


def in_parts(requests: Sequence[Request], most: int) -> list[list[Request]]:
    """The requests in lists that fit into a batch: of one endpoint, at most so many, and not too many bytes."""
    parts: list[list[Request]] = []
    for endpoint in PATHS:
        n_bytes = math.inf
        for request in requests:
            if request.endpoint != endpoint:
                continue
            size = len(request_line(request))
            if n_bytes + size > MOST_BYTES or len(parts[-1]) == most:
                parts.append([])
                n_bytes = 0
            parts[-1].append(request)
            n_bytes += size
    return parts


class Lines:
    """The lines of a file that comes in pieces; of one with more than `most` bytes nothing is kept, it is empty."""

    def __init__(self, most: int):
        self._most = most
        self._parts: list[bytes] = []
        self._n_bytes = 0

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that end in this piece. Only \\n ends a line: texts may hold U+2028 and the like."""
        *ends, rest = piece.split(b"\n")
        lines = []
        for end in ends:
            self._add(end)
            lines.append(b"".join(self._parts))
            self._parts, self._n_bytes = [], 0
        self._add(rest)
        return lines

    def _add(self, part: bytes) -> None:
        self._n_bytes += len(part)
        if self._n_bytes <= self._most:
            self._parts.append(part)
        else:
            self._parts = []


def answer_row(line: bytes) -> dict[str, object]:
    """The JSON object of a line of the files that come back, an empty one where there is none."""
    try:
        row = json.loads(line.decode("utf-8", "replace")) if line.strip() else None
    except (ValueError, RecursionError):
        row = None
    return row if isinstance(row, dict) else {}
