"""The page for people: one question and two answers at a time, and nothing that reveals which model gave which.

Each person sees the items, and the two answers to each, in a different random order. The orders follow from the
comparison's seed, a random salt that only its file holds, and the person's name. So only verdicts have to be stored,
and knowing seed and name is not enough to work out which model comes first. A page has the texts, the item's number in
the file of prompts and the person's name: if the two models are swapped, and the answers shown in the same places, it
is the same page byte for byte. Items whose answers are the same are not shown.

Names that differ only in case (zoe, Zoe) are the same person, under the name that was entered first.
"""

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, cast, get_args
from urllib.parse import urlencode

import jinja2
from aiohttp import web

from finetune.compare.results import EVERYBODY
from finetune.compare.store import Item, Side, Store, Verdict
from selfinstruct.errors import UsageError
from selfinstruct.untrusted import INVISIBLE, shown
from selfinstruct.web.guard import SHARED, Guard, listening, static_files

HERE = Path(__file__).parent
STATIC = SHARED | {file.name: file for file in (HERE / "static").iterdir()}
LONGEST_NAME = 40  # characters

_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"), undefined=jinja2.StrictUndefined, autoescape=True,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
_environment.filters |= {"shown": shown, "number": lambda n: f"{n:,}"}


def render(template: str, **values: Any) -> str:
    """A page as HTML; everything in `values` is escaped."""
    return _environment.get_template(template).render(values)


class Pages:
    """The pages of one comparison."""

    def __init__(self, store: Store, form_token: str):
        self.store = store
        self.form_token = form_token
        settings = store.settings()
        self._seed = f"{settings['salt']} {settings['seed']}"
        self._items = {item.position: item for item in store.items() if not item.is_same}

    async def start(self, request: web.Request) -> web.Response:
        """Ask for the name."""
        done: dict[str, int] = {}
        for vote in self.store.votes():
            done[vote.rater] = done.get(vote.rater, 0) + 1
        return self._page("start.html", raters=sorted(done.items()), total=len(self._items), longest=LONGEST_NAME)

    async def item(self, request: web.Request) -> web.Response:
        """The next item for a person."""
        rater = self._rater(request.query.get("rater", ""))
        done = {vote.item for vote in self.store.votes() if vote.rater == rater} & self._items.keys()
        item = next((self._items[place] for place in self.order(rater) if place not in done), None)
        first, second = item.ordered(self.first(rater, item)) if item else ("", "")
        return self._page(
            "item.html", rater=rater, item=item, first=first, second=second, done=len(done), total=len(self._items)
        )

    async def decide(self, request: web.Request) -> web.Response:
        """Store a verdict, and show the next item."""
        form = await request.post()
        rater, place, verdict = (str(form.get(name, "")) for name in ("rater", "item", "verdict"))
        item = self._items.get(int(place)) if place.isascii() and place.isdigit() and len(place) < 10 else None
        if item is None or verdict not in get_args(Verdict):
            raise UsageError("This is not a valid verdict. Reload the page.")
        rater = self._rater(rater)
        self.store.add_vote(rater, item.position, self.first(rater, item), cast(Verdict, verdict))
        return _to(rater)

    async def undo(self, request: web.Request) -> web.Response:
        """Take back a person's latest verdict, and show its item again."""
        rater = self._rater(str((await request.post()).get("rater", "")))
        self.store.undo(rater)
        return _to(rater)

    def order(self, rater: str) -> list[int]:
        """The items' positions in a person's order."""
        return Random(f"{self._seed} order {_same(rater)}").sample(sorted(self._items), len(self._items))

    def first(self, rater: str, item: Item) -> Side:
        """The side whose answer a person is shown first."""
        return "a" if Random(f"{self._seed} side {_same(rater)} {item.position}").random() < 0.5 else "b"

    def _rater(self, text: str) -> str:
        """The name as this person first entered it; UsageError if the results could not tell it from others."""
        name = " ".join(text.split())
        same = _same(name)
        if not any(character.isprintable() for character in same) or len(name) > LONGEST_NAME:
            raise UsageError(f"Enter a name of 1 to {LONGEST_NAME} characters.")
        if same == EVERYBODY or same.split()[0] == "judge":
            raise UsageError("Choose another name: the results use this one for all people, or for a judge model.")
        return next((vote.rater for vote in self.store.votes() if _same(vote.rater) == same), name)

    def _page(self, template: str, **values: Any) -> web.Response:
        return web.Response(text=render(template, form_token=self.form_token, **values), content_type="text/html")


def _same(name: str) -> str:
    """A name without case, invisible characters, and differences in how accents are composed."""
    return " ".join(INVISIBLE.sub("", unicodedata.normalize("NFKC", name)).split()).casefold()


def _to(rater: str) -> web.Response:
    return web.Response(status=303, headers={"Location": f"/item?{urlencode({'rater': rater})}"})


@asynccontextmanager
async def serving(store: Store, port: int = 0) -> AsyncIterator[str]:
    """Serve on loopback (port 0: any free port), and yield the address with the token; UsageError for a bad port."""
    guard = Guard("compare", lambda message: render("refused.html", message=message))
    pages = Pages(store, guard.form_token)
    routes = [
        web.get("/", pages.start),
        web.get("/item", pages.item),
        web.post("/decide", pages.decide),
        web.post("/undo", pages.undo),
        static_files(STATIC),
    ]
    async with listening(routes, guard, port) as address:
        yield address


async def serve(store: Store, port: int, tell: Callable[[str], None]) -> None:
    """Print the address, and serve until cancelled."""
    async with serving(store, port) as address:
        tell(f"Judge here (Ctrl-C stops it and shows the results):\n{address}")
        await asyncio.Event().wait()
