"""Sending answers: in one piece, with current headers, or in small pieces over time.

aiohttp builds the head of a response again each time, which takes as long as everything else together. An answer that
may be sent many times is therefore kept as the bytes to send, head included (`Prepared`).
"""

import asyncio
from collections.abc import Mapping

from aiohttp import HttpVersion11, web

_DROPS = 20


class Prepared(web.StreamResponse):
    """A whole response as bytes, which can be sent any number of times.

    Only for requests over HTTP/1.1 on a connection that stays open: see `fits`.
    """

    def __init__(self, body: bytes, request_id: str):
        super().__init__()
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\n\r\n"
        )
        self._bytes = head.encode() + body

    @staticmethod
    def fits(request: web.BaseRequest) -> bool:
        """Return whether the prepared head is right for a request."""
        return request.keep_alive and request.version == HttpVersion11

    @property
    def keep_alive(self) -> bool:
        """Whether the connection stays open: always."""
        return True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Send everything."""
        if request.transport is not None:
            request.transport.write(self._bytes)

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: everything has been sent."""


def full(body: bytes, headers: Mapping[str, str]) -> web.Response:
    """Make an ordinary response from a prepared body."""
    return web.Response(body=body, content_type="application/json", headers=headers)


async def trickle(request: web.Request, body: bytes, headers: Mapping[str, str], seconds: float) -> web.StreamResponse:
    """Send the head immediately and the body in small pieces, evenly over `seconds`."""
    response = web.StreamResponse(headers={**headers, "Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    step = max(1, -(-len(body) // _DROPS))
    for at in range(0, len(body), step):
        await asyncio.sleep(seconds / _DROPS)
        await response.write(body[at : at + step])
    await response.write_eof()
    return response
