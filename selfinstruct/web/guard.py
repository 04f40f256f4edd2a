"""A web page on loopback, and who may see it: only whoever was given its address, from this machine.

    guard = Guard("audit", lambda message: f"<p>{escape(message)}</p>")
    async with listening([web.get("/", overview)], guard) as address:
        print(address)

It listens on 127.0.0.1. The address holds a random token; the first visit exchanges it for a cookie that no script and
no other site can use, and goes on to an address without the token. Cookies do not know ports: what else listens on this
host would be sent them too. So all pages stand below a random folder, which the cookie names and nobody else knows; the
pages themselves are written as if there were none. Every request must name this server as its host
(which a foreign name that resolves to 127.0.0.1 does not), and whatever changes something must come from one of its own
pages: by the browser's word (Origin) and by a second random token in the form. The pages load nothing from elsewhere,
and no script or style but files of ours.
"""

import hmac
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from selfinstruct.errors import SelfInstructError, UsageError

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with "no-referrer" a browser sends forms with the origin "null"
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
CONTENT_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
SHARED = {file.name: file for file in (Path(__file__).parent / "static").iterdir()}  # what all pages look like
MOST_BYTES = 64 * 2**20  # of a form: long texts, large selections

# What aiohttp raises for a form that cannot be read: a boundary, an encoding, a header or bytes that are none.
MALFORMED = (ValueError, LookupError, AssertionError, RuntimeError, HttpProcessingError)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Lets in who has the token, and forms of our own pages; gives every answer its headers.

    `command` is what printed the address; `refused` makes a page of a message.
    """

    def __init__(self, command: str, refused: Callable[[str], str]) -> None:
        self.token = secrets.token_urlsafe(24)
        self.form_token = secrets.token_urlsafe(24)
        self.command = command
        self._refused = refused
        self.root = f"/{secrets.token_urlsafe(24)}"
        self._session = secrets.token_urlsafe(24)
        self.port = 0  # known once it listens

    @property
    def hosts(self) -> tuple[str, str]:
        """The names that this server goes by."""
        return (f"127.0.0.1:{self.port}", f"localhost:{self.port}")

    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A middleware of aiohttp."""
        try:
            refused = await self._refusal(request)
            response = refused or await handler(request)
        except web.HTTPException as error:
            response = web.Response(text=error.text, status=error.status, headers=error.headers)
        except SelfInstructError as error:
            status = 400 if isinstance(error, UsageError) else 500
            response = self._refuse(str(error), status)
        response.headers.update(HEADERS)
        self._lead_to_root(response)
        return response

    def _lead_to_root(self, response: web.StreamResponse) -> None:
        """Put our folder before the addresses on a page, and before the one that is gone on to.

        What a model said cannot be taken for one: on a page it has no quotation marks.
        """
        if isinstance(response, web.Response) and response.content_type == "text/html":
            ours = rf'\b(href|src|action)="/(?!{self.root[1:]}/)'
            response.text = re.sub(ours, rf'\1="{self.root}/', response.text or "")
        place = response.headers.get("Location", "")
        if place.startswith("/") and not place.startswith(f"{self.root}/"):
            response.headers["Location"] = self.root + place

    async def _refusal(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Host") not in self.hosts:
            return self._refuse("This server only answers at the address that it printed.", 421)
        cookie = f"selfinstruct_{self.command}_{self.port}"  # cookies do not know ports
        if request.method == "GET" and _same(request.query.get("token", ""), self.token):
            answer = web.Response(status=303, headers={"Location": request.path})
            answer.set_cookie(cookie, self._session, httponly=True, samesite="Strict", path=f"{self.root}/")
            return answer
        if not _same(request.cookies.get(cookie, ""), self._session):
            message = f"Open the address that selfinstruct {self.command} printed. It contains the token."
            return self._refuse(message, 403)
        if request.method not in ("GET", "HEAD"):
            if request.headers.get("Origin") != f"http://{request.headers['Host']}":
                return self._refuse("This request did not come from a page of this server.", 403)
            try:
                form = await request.post()
            except MALFORMED:
                return self._refuse("This form cannot be read.", 400)
            if not _same(str(form.get("form_token", "")), self.form_token):
                return self._refuse("This page is from before the server was restarted. Reload it.", 403)
        return None

    def _refuse(self, message: str, status: int) -> web.Response:
        return web.Response(text=self._refused(message), status=status, content_type="text/html")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def static_files(files: Mapping[str, Path]) -> web.RouteDef:
    """The route /static/NAME to these files, by their names."""

    async def static(request: web.Request) -> web.Response:
        file = files.get(request.match_info["name"])
        if not file:
            raise web.HTTPNotFound
        return web.Response(text=file.read_text(encoding="utf-8"), content_type=CONTENT_TYPES[file.suffix])

    return web.get("/static/{name}", static)


@asynccontextmanager
async def listening(routes: Sequence[web.RouteDef], guard: Guard, port: int = 0) -> AsyncIterator[str]:
    """Serve on loopback, on any free port for 0, and give the address with the token.

    UsageError if the port cannot be used.
    """

    # A bound method is no coroutine function to aiohttp.
    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await guard(request, handler)

    app = web.Application(middlewares=[guarded], client_max_size=MOST_BYTES)
    app.add_routes([web.route(one.method, guard.root + one.path, one.handler, **one.kwargs) for one in routes])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        try:
            await site.start()
        except OSError as error:
            raise UsageError(
                f"Port {port} cannot be used ({error.strerror}). Choose another port, or 0 for a free one."
            ) from None
        guard.port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{guard.port}{guard.root}/?token={guard.token}"
    finally:
        await runner.cleanup()
