"""The audit on loopback: its pages behind the guard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from selfinstruct.audit.index import Index
from selfinstruct.audit.pages import Pages, render
from selfinstruct.audit.votes import VotePages
from selfinstruct.store.annotations import is_of_votes
from selfinstruct.store.store import Store
from selfinstruct.untrusted import say
from selfinstruct.web.guard import SHARED, Guard, listening, static_files

STATIC = SHARED | {file.name: file for file in (Path(__file__).parent / "static").iterdir()}


@asynccontextmanager
async def serving(store: Store, index: Index, author: str, port: int = 0) -> AsyncIterator[str]:
    """Serve an opened run on loopback, on any free port for 0, and give the address with the token.

    UsageError if the port cannot be used.
    """
    guard = Guard("audit", lambda message: render("refused.html", message=message))
    pages = Pages(store, index, author, guard.form_token)
    routes = [
        web.get("/", pages.overview),
        web.get("/list", pages.generations),
        web.get("/one/{kind}/{id}", pages.one),
        web.get("/decisions", pages.decided),
        web.get("/what-if", pages.other_rules),
        web.post("/decide", pages.decide),
        web.post("/undo", pages.undo),
        static_files(STATIC),
    ]
    async with listening(routes, guard, port) as address:
        yield address


@asynccontextmanager
async def serving_votes(store: Store, author: str, port: int = 0) -> AsyncIterator[str]:
    """The same for a run of votes about rows."""
    guard = Guard("audit", lambda message: render("refused.html", message=message, run=str(store.folder)))
    pages = VotePages(store, author, guard.form_token)
    routes = [
        web.get("/", pages.rows),
        web.get("/row/{number}", pages.row),
        web.get("/voters", pages.voters),
        web.post("/gold", pages.gold),
        web.post("/undo", pages.undo),
        static_files(STATIC),
    ]
    async with listening(routes, guard, port) as address:
        yield address


async def serve(folder: Path, port: int) -> None:
    """Bring the index up to date, print the address, and serve until cancelled."""
    import getpass

    from rich.console import Console
    from rich.progress import Progress

    try:
        author = getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        author = "unknown"
    with Store.read(folder) as store:
        if is_of_votes(store):
            async with serving_votes(store, author, port) as address:
                say(f"Audit of {folder} (Ctrl-C stops it):\n{address}")
                await asyncio.Event().wait()
        index = Index(store)
        try:
            console = Console(stderr=True)
            with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
                task = bar.add_task("reading the run", total=None)
                index.refresh(lambda done, of: bar.update(task, completed=done, total=of))
            async with serving(store, index, author, port) as address:
                say(f"Audit of {folder} (Ctrl-C stops it):\n{address}")
                await asyncio.Event().wait()
        finally:
            index.close()
