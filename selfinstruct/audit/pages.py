"""What is shown at which address, and the two forms that decide and undo.

Everything is rendered here, from the store and the index, which is brought up to date at each request; so the pages
work without a script, and show a run as it grows.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import parse_qsl, urlencode, urlsplit

import jinja2
from aiohttp import web

from selfinstruct.audit import what_if
from selfinstruct.audit.funnel import funnel
from selfinstruct.audit.generation import generation
from selfinstruct.audit.index import Index
from selfinstruct.audit.listing import SORTS, Item, Listing, Selection
from selfinstruct.audit.text import folded
from selfinstruct.audit.verdicts import RunFilters
from selfinstruct.errors import UsageError
from selfinstruct.filters.verdicts import candidate_filters
from selfinstruct.records import Instance
from selfinstruct.store import counts, decisions, generations
from selfinstruct.store.database import Database
from selfinstruct.store.decisions import Action, decide, undo
from selfinstruct.store.declared import declared_by, rules_of
from selfinstruct.store.store import Store
from selfinstruct.untrusted import shown

BATCHES = 50  # of decisions on a page
CHANGES = 200  # of a what-if on a page
LISTED = 1_000  # characters of a text in a list
OUTCOMES = 8  # of what-ifs that are kept
KINDS = {"candidate": "instruction", "instance": "instance", "completion": "unreadable answer"}
DONE = {"ban": "Banned", "rescue": "Rescued", "edit": "Edited", "tag": "Tagged", "comment": "Commented on",
        "undo": "Undone", "gold": "Gold answer set"}  # fmt: skip
NAV = (("/", "Overview"), ("/list", "Generations"), ("/what-if", "What if"), ("/decisions", "Decisions"))

_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), undefined=jinja2.StrictUndefined,
    autoescape=True, trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
_environment.filters |= {
    "shown": shown,
    "folded": folded,
    "number": lambda n: f"{n:,}",
    "when": lambda at: time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(at))),
    "zip": zip,
    "json": lambda value: json.dumps(value, ensure_ascii=False, indent=1),
}
_environment.globals |= {"KINDS": KINDS, "SORTS": SORTS, "DONE": DONE}


def render(template: str, **values: Any) -> str:
    """A page as HTML; everything in `values` is escaped."""
    return _environment.get_template(template).render(values)


class RunPages:
    """What the pages over any run have: who decides, the form that undoes, and how a page is made."""

    nav: tuple[tuple[str, str], ...] = NAV

    def __init__(self, store: Store, author: str, form_token: str):
        self.store = store
        self.author = author
        self.form_token = form_token

    async def undo(self, request: web.Request) -> web.Response:
        """Take a batch of decisions back."""
        form = await request.post()
        with Database.beside(self.store.folder) as run:
            batch = undo(run, self.author, number(str(form.get("batch", "")), 0))
        return back_to(str(form.get("back", "")), batch)

    def page(self, request: web.Request, template: str, **values: Any) -> web.Response:
        """A template as the answer to a request, with what was done just before."""
        done = request.query.get("done")
        batch = decisions.decisions(self.store, batch=number(done, 0)) if done else []
        here = str(request.rel_url.with_query([(k, v) for k, v in request.query.items() if k != "done"]))
        html = render(
            template, path="/" + request.path.split("/", 2)[2], here=here, form_token=self.form_token, nav=self.nav,
            run=str(self.store.folder), done=done, batch=batch, **values,
        )  # fmt: skip
        return web.Response(text=html, content_type="text/html")


class Pages(RunPages):
    """The pages over a run that grows."""

    def __init__(self, store: Store, index: Index, author: str, form_token: str):
        super().__init__(store, author, form_token)
        self.index = index
        self._filters: RunFilters | None = None
        self._replays: dict[what_if.Rules, tuple[int, what_if.Replay]] = {}

    async def overview(self, request: web.Request) -> web.Response:
        """From requests to records, in numbers."""
        self.index.refresh()
        return self._page(request, "overview.html", steps=funnel(self.store, self.index), marks=self._marks())

    async def generations(self, request: web.Request) -> web.Response:
        """Generations by facets, words and order."""
        self.index.refresh()
        asked = _asked(request.query)
        listing = Listing(self.index, asked)
        page = listing.page(request.query.get("after", ""), request.query.get("before", ""))
        return self._page(
            request, "list.html", asked=asked, page=page, total=listing.total, facets=listing.facets(),
            marks=self._marks(), texts=self._texts(page.items),
        )  # fmt: skip

    async def one(self, request: web.Request) -> web.Response:
        """One generation whole; `list` is the query of the list that it was opened from, `at` its place there."""
        self.index.refresh()
        self._filters = self._filters or RunFilters(self.store)
        kind, identity = request.match_info["kind"], request.match_info["id"]
        found = generation(self.store, self.index, self._filters, kind, identity)
        asked = _asked(dict(parse_qsl(request.query.get("list", ""))))
        at = request.query.get("at", "")
        before, after = None, None
        if at:
            listing = Listing(self.index, asked)
            before = next(iter(listing.page(before=at, size=1).items), None)
            after = next(iter(listing.page(after=at, size=1).items), None)
        return self._page(request, "one.html", one=found, asked=asked, at=at, before=before, after=after)

    async def decided(self, request: web.Request) -> web.Response:
        """What was decided, the latest first, by batches."""
        last = number(request.query.get("before", ""), 2**62)
        rows = decisions.batches_before(self.store, last, BATCHES + 1)
        batches = [(n, decisions.decisions(self.store, batch=batch, limit=5)) for batch, n in rows[:BATCHES]]
        names = [(one.subject, one.subject_id) for _, some in batches for one in some]
        return self._page(
            request, "decisions.html", batches=batches, texts=self._by_name(names), has_more=len(rows) > BATCHES
        )

    async def other_rules(self, request: web.Request) -> web.Response:
        """How many, and which, would be admitted under other rules."""
        run_rules = rules_of(self.store)
        names = [rule.name for rule in candidate_filters(run_rules) if not rule.required]
        query = request.query
        replay = None
        rules = what_if.Rules(run_rules.rouge_threshold)
        if "threshold" in query:
            rules = what_if.Rules(_share(query["threshold"]), frozenset(query.getall("off", [])) & set(names))
            replay = self._replay(rules)
        is_replaying = replay is not None and replay.is_alive()  # before its outcome, which may come in between
        outcome = replay.outcome if replay else None
        shift = number(query.get("from", ""), 0)
        return self._page(
            request, "what_if.html", rules=rules, run_threshold=run_rules.rouge_threshold, names=names,
            replay=replay, is_replaying=is_replaying, outcome=outcome, shift=shift, size=CHANGES,
            rules_query=urlencode([("threshold", rules.threshold), *(("off", name) for name in sorted(rules.off))]),
            has_tests=bool(self.store.test_lines()),
        )  # fmt: skip

    async def decide(self, request: web.Request) -> web.Response:
        """Decide about what was chosen, or about all that a list asks for; then back to where it came from."""
        form = await request.post()
        action = str(form.get("action", ""))
        if action not in get_args(Action):
            raise UsageError(f"Unknown action: {action}.")
        if form.get("all"):
            self.index.refresh()
            subjects = Listing(self.index, _asked(dict(parse_qsl(str(form["all"]))))).subjects()
        else:
            subjects = [_subject(str(value)) for value in form.getall("item", [])]
        if not subjects:
            raise UsageError("Nothing is selected. Go back and select something.")
        payload = {}
        if action == "edit":
            payload = self._edited(subjects[0], _lines(form.get("input")), _lines(form.get("output")))
        elif action in ("tag", "comment"):
            payload = {"tag" if action == "tag" else "text": _lines(form.get("text"))}
        with Database.beside(self.store.folder) as run:
            batch = decide(run, self.author, cast(Action, action), subjects, payload)
        return back_to(str(form.get("back", "")), batch)

    def _edited(self, subject: decisions.Subject, given: str, output: str) -> dict[str, str]:
        """The texts of an edit; a form loses characters such as NUL, so what looks unchanged stays what it is."""
        kind, identity = subject
        stored = generations.instance(self.store, identity) if kind == "instance" else None
        known = decisions.edited(self.store, identity) or (stored.instance if stored else Instance("", ""))
        before = (known.input, known.output)
        kept = [old if _lines(in_form(old)) == new else new for old, new in zip(before, (given, output), strict=True)]
        if tuple(kept) == before:
            raise UsageError("Neither the input nor the output has changed.")
        return {"input": kept[0], "output": kept[1]}

    def _replay(self, rules: what_if.Rules) -> what_if.Replay:
        """The replay under these rules of the run as it is; another one that is under way is given up."""
        n = counts.verdicts(self.store)
        known = self._replays.get(rules)
        if known and (known[0] == n or known[1].is_alive()):
            return known[1]
        for _, other in self._replays.values():
            other.cancelled.set()
        self._replays = {r: kept for r, kept in list(self._replays.items())[-OUTCOMES:] if kept[1].outcome}
        replay = what_if.Replay(self.store, rules)
        self._replays[rules] = (n, replay)
        replay.start()
        replay.join(0.5)  # short ones are shown at once
        return replay

    def _marks(self) -> Sequence[tuple[str, int]]:
        return self.index.marks()

    def _texts(self, items: Sequence[Item]) -> dict[str, list[tuple[str, str]]]:
        return self._by_name([(item.kind, item.subject_id) for item in items])

    def _by_name(self, names: Sequence[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
        """The labelled texts of generations, by their ids."""
        found = {}
        for kind, identity in names:
            labels = ("Instruction", "Input", "Output") if kind == "instance" else ("",)
            rows = generations.texts(self.store, kind, identity)
            texts = zip(labels, rows, strict=True) if rows else ()
            found[identity] = [(label, text[:LISTED]) for label, text in texts if text]
        return found

    def _page(self, request: web.Request, template: str, **values: Any) -> web.Response:
        query = {key: value for key, value in request.query.items() if key != "done"}
        return self.page(request, template, query=query, reasons=declared_by(self.store).reasons, **values)


def in_form(text: str) -> str:
    """What a text area makes of a text: no NUL, and lines that end in one way."""
    return text.replace("\x00", "\ufffd")


def _lines(value: object) -> str:
    return str(value or "").replace("\r\n", "\n").replace("\r", "\n")


def _asked(query: Any) -> Selection:
    """What a query asks for; what it cannot is left out."""
    asked = Selection(**{name: query.get(name, "") for name in Selection._fields if query.get(name)})
    return asked if asked.sort in SORTS else asked._replace(sort="first")


def _subject(value: str) -> decisions.Subject:
    kind, _, identity = value.partition("/")
    return kind, identity


def number(text: str | None, default: int) -> int:
    """The whole number in a query or a form; `default` where there is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else default


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"The threshold must be a number from 0 to 1, such as 0.7, not {text!r}.")
    return value


def back_to(place: str, batch: int) -> web.Response:
    """Back to a page of ours, with what was done."""
    parts = urlsplit(place)
    if parts.scheme or parts.netloc or not parts.path.startswith("/") or "\\" in place:
        parts = urlsplit("/")
    query = "&".join(part for part in (parts.query, f"done={batch}") if part)
    fragment = f"#{parts.fragment}" if parts.fragment.isalnum() else ""
    return web.Response(status=303, headers={"Location": f"{parts.path}?{query}{fragment}"})
