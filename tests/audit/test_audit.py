"""The audit's pages over real runs: what they show, whom they refuse, what hostile texts do to them, and decisions."""

import functools
import html
import itertools
import json
import random
import re
import sqlite3
import subprocess
from collections import Counter
from contextlib import asynccontextmanager, closing
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from selfinstruct.audit import what_if
from selfinstruct.audit.index import Index
from selfinstruct.audit.listing import SORTS, Listing, Selection, search_query
from selfinstruct.audit.server import serving
from selfinstruct.audit.text import in_common, marked
from selfinstruct.audit.verdicts import RunFilters
from selfinstruct.config.config import Config
from selfinstruct.filters.instruction import INSTRUCTION_FILTERS
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.pool.novelty import tokens
from selfinstruct.pool.pool import Pool
from selfinstruct.records import Candidate, Completion, Instance, Neighbor, Rejection, Request, SeedTask, Task
from selfinstruct.store.declared import rules_of
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from selfinstruct.strategies import GeneratedInstances, Proposal
from selfinstruct.untrusted import INVISIBLE, shown
from tests.conftest import COMMAND, json_lines, run_cli
from tests.loopback import HANG_S, loopback, wait_until, working
from tests.odd_text import ORDINARY, STORABLE, names

HOSTILE = (
    "<script>alert(1)</script> \"'& \u202eevil\u2066 \x00\x1b[31m </textarea><img src=x onerror=alert(1)> {{ 7 * 7 }}"
)
LONG = "word<b> " * 14_000  # 112 KB


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A run with rejections of every kind."""
    folder = tmp_path_factory.mktemp("audit") / "run"
    config = folder.parent / "run.toml"
    config.write_text("[simulated]\nrepeat_share = 0.25\nforbidden_share = 0.2\nmalformed_share = 0.4\n")
    result = run_cli("generate", folder, "--target", 120, "--config", config)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def folder(finished, tmp_path) -> Path:
    """A copy, to be decided about."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.db").write_bytes((finished / "run.db").read_bytes())
    return tmp_path / "run"


@pytest.fixture
def hostile(tmp_path) -> Path:
    """A run in which every text that a model may say is hostile."""
    seed = SeedTask("seed", "seed", "Name a river.", (Instance("", "The Nile."),), False)
    with Store.create(tmp_path / "hostile") as store:
        store.describe({"config": Config().resolved().model_dump(mode="json", exclude_none=True)}, [seed], [])
        requests = [
            Request("propose", "openai", f"m{HOSTILE}", "chat", f"s{HOSTILE}", f"u{HOSTILE}", {}, n) for n in (0, 1)
        ]
        for request in requests:
            store.add_completion(request, Completion(request.id, f"1. {HOSTILE}\n2. {LONG}", f"f{HOSTILE}"))
        candidates = [Candidate(requests[0].id, i, text) for i, text in enumerate((f"A {HOSTILE}", LONG, "Bad"))]
        evidence = {"nearest": HOSTILE, "nearest_id": "seed", "score": 0.9}
        verdicts = [
            (None, "", Neighbor(0, 0.1)),
            (Rejection("too_similar", evidence), "novelty", Neighbor(0, 0.9)),
            (Rejection("forbidden_word", {"word": HOSTILE}), "filter", None),
        ]
        unreadable = [(requests[1].id, Rejection("no_list", {"said": HOSTILE}))]
        store.add_step(0, Proposal(candidates, unreadable), verdicts, lambda index: "seed")
        instances = [ParsedInstance(HOSTILE, LONG, False), ParsedInstance("\n\nin", HOSTILE, False)]
        task = Task.admitted(0, candidates[0], 0)
        made = GeneratedInstances(requests[0].id, instances, extra={"is_classification": False})
        store.add_generated(task, made, [Rejection("cut_off", {}), None])
    return tmp_path / "hostile"


class Browser:
    """What a browser does, as far as the server sees it."""

    def __init__(self, client: aiohttp.ClientSession, address: str):
        self.client = client
        self.address = address
        self.base = address.partition("/?")[0]
        self.origin = self.base.rpartition("/")[0]

    async def get(self, path: str, status: int = 200, **options: object) -> str:
        """A page, as it stands without the random folder that all of them are below."""
        async with self.client.get(self.base + path, **options) as answer:
            text = await answer.text()
            assert answer.status == status, f"{path}: {answer.status}\n{text[:600]}"
            return text.replace(self.base.removeprefix(self.origin), "")

    async def post(self, path: str, status: int = 303, origin: str = "", **fields: object) -> aiohttp.ClientResponse:
        token = re.search(r'name="form_token" value="([^"]+)"', await self.get("/list")).group(1)
        data = aiohttp.FormData([(k, v) for k, vs in {"form_token": token, "back": "/list", **fields}.items()
                                 for v in (vs if isinstance(vs, list) else [vs])])  # fmt: skip
        headers = {"Origin": origin or self.origin}
        async with self.client.post(self.base + path, data=data, headers=headers, allow_redirects=False) as answer:
            assert answer.status == status, await answer.text()
            return answer


@asynccontextmanager
async def browsing(folder: Path):
    """The pages of a run, opened with the address that would be printed."""
    with Store.read(folder) as store:
        index = Index(store)
        try:
            async with serving(store, index, "ada") as address, aiohttp.ClientSession(
                cookie_jar=aiohttp.CookieJar(unsafe=True)
            ) as client:  # fmt: skip
                browser = Browser(client, address)
                await browser.get("/?" + address.partition("?")[2])
                yield browser
        finally:
            index.close()


def rows(folder: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(folder / "run.db")) as db:
        return db.execute(sql).fetchall()


def links(page: str) -> list[str]:
    return [html.unescape(link) for link in re.findall(r'href="(/[^"]*)"', page)]


# Who may see it.


async def test_the_token_is_exchanged_for_a_cookie_that_nobody_else_can_use(folder):
    with Store.read(folder) as store:
        async with serving(store, Index(store), "ada") as address, aiohttp.ClientSession() as client:
            found = re.fullmatch(r"http://127\.0\.0\.1:\d+(/[\w-]{32}/)\?token=([\w-]{32})", address)
            async with client.get(address, allow_redirects=False) as answer:
                cookie = answer.headers["Set-Cookie"]
                assert (answer.status, answer.headers["Location"]) == (303, found[1])
                assert {"HttpOnly", "SameSite=Strict", f"Path={found[1]}"} <= set(cookie.split("; "))
                assert found[2] not in cookie


async def test_the_cookie_is_sent_to_no_other_port_and_opens_nothing_there(folder):
    """As reported of programs whose cookies know no ports: nengo/nengo-gui#981, ipython/ipython#2352."""
    asked = []

    async def elsewhere(request):
        asked.append(request.headers.get("Cookie"))
        return web.Response()

    app = web.Application()
    app.router.add_get("/{path:.*}", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with browsing(folder) as browser, browsing(folder) as second:
            for path in ("/", "/list", "/static/pages.css"):
                await browser.client.get(f"http://127.0.0.1:{runner.addresses[0][1]}{path}")
                async with browser.client.get(f"{second.base}{path}") as answer:
                    assert answer.status == 403
                async with browser.client.get(f"{browser.origin}{path}") as answer:
                    assert answer.status in (403, 404)
    finally:
        await runner.cleanup()
    assert asked == [None] * 3


@pytest.mark.parametrize(
    "path", ["/", "/list", "/decisions", "/what-if", "/static/audit.js", "/nothing", "/?token=wrong"]
)
async def test_without_the_token_there_is_nothing_to_see(folder, path):
    with Store.read(folder) as store:
        async with serving(store, Index(store), "ada") as address, aiohttp.ClientSession() as client:
            base = address.partition("/?")[0]
            for headers in ({}, {"Cookie": f"selfinstruct_audit_{URL(base).port}=guess"}):
                async with client.get(base + path, headers=headers) as answer:
                    assert answer.status == 403
                    assert str(folder) not in await answer.text()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "0.0.0.0:{port}"])
async def test_another_name_for_this_server_is_refused(folder, host):
    async with browsing(folder) as browser:
        name = host.format(port=URL(browser.base).port)
        await browser.get("/", 421, headers={"Host": name})


@pytest.mark.parametrize("path", ["/decide", "/undo"])
async def test_a_form_of_another_site_is_refused(folder, path):
    async with browsing(folder) as browser:
        for origin in ("http://evil.example", "null", browser.origin.replace("http", "https"), browser.origin + "0"):
            await browser.post(path, 403, origin=origin)
        await browser.post(path, 403, form_token="guess")
        async with browser.client.post(browser.base + path) as answer:
            assert answer.status == 403
    assert rows(folder, "SELECT * FROM decisions") == []


async def test_every_answer_has_the_headers_that_keep_it_in_its_place(folder):
    async with browsing(folder) as browser:
        for path in ("/", "/list", "/static/pages.css", "/nothing", "/one/candidate/nobody", "/what-if?threshold=2"):
            async with browser.client.get(browser.base + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "same-origin"
                assert answer.headers["Cache-Control"] == "no-store"


async def test_a_form_leads_back_to_our_own_pages_only(folder):
    (name,) = rows(folder, "SELECT subject_id FROM rejections WHERE subject = 'instance' LIMIT 1")[0]
    async with browsing(folder) as browser:
        for back in ("//evil.example/x", "http://evil.example", "/\\evil.example", "javascript:alert(1)"):
            answer = await browser.post("/decide", action="comment", text="x", item=f"instance/{name}", back=back)
            assert re.fullmatch(rf"{URL(browser.base).path}/\?done=\d+", answer.headers["Location"])


# What is shown.


async def test_every_page_can_be_opened_and_has_nothing_that_a_policy_forbids(folder):
    async with browsing(folder) as browser:
        pages = {path: await browser.get(path) for path in ("/", "/list", "/decisions", "/what-if?threshold=0.5")}
        wanted = ["candidate", "instance", "completion"]
        for kind in wanted:
            listed = await browser.get(f"/list?kind={kind}&state=rejected")
            pages[kind] = await browser.get(next(link for link in links(listed) if link.startswith(f"/one/{kind}/")))
        for name, page in pages.items():
            assert not re.search(r'\sstyle=|<style|\son\w+=|<script(?! src="/static/)', page), name
            assert not re.search(r'(?:src|href|action)="(?!/|#)', page), name
        assert "All filters" in pages["candidate"]
        assert "Prompt" in pages["completion"]


async def test_the_funnel_leads_to_lists_of_as_many(folder):
    async with browsing(folder) as browser:
        page = await browser.get("/")
        lines = re.findall(r'<a href="(/list[^"]*)">([\w ]+)</a></th>\s*<td class="n">−?([\d,]+)', page)
        assert {"instructions read", "tasks admitted", "too_similar", "instances read", "records kept"} <= {
            name for _, name, _ in lines
        }
        for link, name, n in lines:
            listed = await browser.get(html.unescape(link))
            assert f"<strong>{n}</strong> found" in listed, name
        lost = re.findall(r'stage=(\w+)[^"]*">\w+</a></th>\s*<td class="n">−', page)
        kept = re.findall(r'stage=(\w+)[^"]*">\w+</a></th>\s*<td class="n">\d', page)
        assert {"propose", "novelty", "filter", "instances"} & set(lost)
        # Answers about a task: it was asked about again.
        assert set(kept) & {"classify", "instances"}
        assert "classify" not in lost
    n_records = rows(folder, "SELECT count(*) FROM records")[0][0]
    assert re.search(rf"records exported</th>\s*<td class=\"n\">{n_records}<", page)


@pytest.mark.parametrize("sort", SORTS)
def test_pages_go_through_everything_once_in_both_directions(finished, sort):
    with Store.read(finished) as store:
        index = Index(store)
        index.refresh()
        listing = Listing(index, Selection(sort=sort))
        column, falls, _ = SORTS[sort]
        expected = index.query(
            f"SELECT id FROM items ORDER BY {column} {'DESC' if falls else 'ASC'}, id {'DESC' if falls else 'ASC'}"
        )
        pages = [listing.page(size=37)]
        while pages[-1].has_after:
            pages.append(listing.page(after=pages[-1].items[-1].key, size=37))
        assert [(item.id,) for page in pages for item in page.items] == expected
        for earlier, later in itertools.pairwise(pages):
            back = listing.page(before=later.items[0].key, size=37)
            assert back.items == earlier.items
            assert (back.has_before, back.has_after) == (earlier is not pages[0], True)
        index.close()


def test_facets_count_what_their_lists_hold(finished):
    with Store.read(finished) as store:
        index = Index(store)
        index.refresh()
        for asked in (
            Selection(),
            Selection(kind="candidate"),
            Selection(state="rejected", stage="filter"),
            Selection(q="the", kind="instance"),
        ):
            listing = Listing(index, asked)
            assert listing.total == len(listing.subjects())
            for facet, values in listing.facets().items():
                for value, n in values:
                    assert Listing(index, asked._replace(**{facet: value})).total == n, (asked, facet, value)
        counts = dict(store.query("SELECT reason, count(*) FROM rejections GROUP BY 1"))
        assert dict(Listing(index, Selection()).facets()["reason"]) == counts
        index.close()


def test_search_finds_words_phrases_and_beginnings_in_any_script(tmp_path):
    texts = [
        "Sort the list of words.",
        "Words of the sorted list.",
        "把这个列表排序。",
        "Créer une liste ÉTÉ",
        "नमस्ते दुनिया कहो",
    ]
    with Store.create(tmp_path / "run") as store:
        store.describe({"config": Config().resolved().model_dump(mode="json", exclude_none=True)}, [], [])
        request = Request("propose", "openai", "m", "chat", "", "", {})
        store.add_completion(request, Completion(request.id, "", "stop"))
        candidates = [Candidate(request.id, i, text) for i, text in enumerate(texts)]
        store.add_step(0, Proposal(candidates, []), [(None, "", None)] * 5, lambda index: "")
        index = Index(store)
        index.refresh()
        cases = {
            "list": [0, 1], "LIST words": [0, 1], '"list of words"': [0], "sort": [0], "sort*": [0, 1], "列表": [2],
            "列排": [], "creer": [3], "été": [3], "नमस्ते": [4], "planet": [], "...": [], '"': [], 'sort OR NOT "(': [],
            "text : words*": [],
        }  # fmt: skip
        for words, expected in cases.items():
            found = {name for _, name in Listing(index, Selection(q=words)).subjects()}
            assert found == {candidates[i].id for i in expected}, words
        index.close()


@given(st.text())
def test_whatever_is_searched_for_is_a_query_that_can_be_asked(words):
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE VIRTUAL TABLE texts USING fts5(text)")
        if query := search_query(words):
            db.execute("SELECT rowid FROM texts WHERE texts MATCH ?", (query,)).fetchall()


def test_every_filter_says_what_it_said_when_the_run_judged(finished):
    """Of each candidate and instance, the first filter that objects is the one whose reason is stored."""
    with Store.read(finished) as store:
        index = Index(store)
        index.refresh()
        filters = RunFilters(store)
        n_tasks = Counter[str]()
        for identity, request, place, text, cut, reason, before in store.query(
            "SELECT c.id, c.request_id, c.place, c.instruction, c.cut, coalesce(r.reason, ''), (SELECT count(*) FROM "
            "tasks t JOIN candidates o ON o.id = t.id WHERE (o.step, o.position) < (c.step, c.position)) "
            "FROM candidates c LEFT JOIN rejections r ON r.subject = 'candidate' AND r.subject_id = c.id "
            "WHERE r.reason IS NOT NULL OR c.id IN (SELECT id FROM tasks)"
        ):
            verdicts, nearest = filters.candidate(Candidate(request, place, text, bool(cut)), before)
            objecting = [verdict.name for verdict in verdicts if verdict.evidence is not None]
            assert (objecting or [""])[0] == reason, identity
            assert nearest is not None
            assert (nearest.score > 0.7) == ("too_similar" in objecting)
            n_tasks[reason] += 1
        assert len(n_tasks) > 4
        for identity, task, reason in store.query(
            "SELECT j.id, j.task, coalesce(r.reason, '') FROM filtered j LEFT JOIN rejections r ON r.subject_id = j.id"
        ):
            verdicts, _ = filters.instances(task, index, identity)
            objecting = [verdict.name for verdict in verdicts[identity] if verdict.evidence is not None]
            assert (objecting or [""])[0] == reason
        index.close()


def test_the_nearest_is_looked_for_among_those_that_were_known_then(finished):
    """Where an earlier filter objected, the run did not look: brute force over what it knew says the same."""
    with Store.read(finished) as store:
        filters = RunFilters(store)
        tasks = store.tasks()
        texts = [seed.instruction for seed in store.seeds()]
        for n in (0, 1, 50, len(tasks)):
            pool = Pool(store.seeds(), rules_of(store))
            for task in tasks[:n]:
                pool.admit(task)
            for text in (tasks[-1].instruction, texts[0], "Name a wholly unheard-of thing, quickly."):
                _, found = filters.candidate(Candidate("not stored", 0, text), n)
                expected = pool.index.nearest(text, above=-1)
                assert (found.text, found.score) == (pool.known(expected.index).instruction, expected.score)


def test_near_duplicates_are_found_for_what_the_run_did_not_look_up(finished, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.db").write_bytes((finished / "run.db").read_bytes())
    with Store.resume(tmp_path / "run") as store:
        long = "The gates close, water flows in from above, and the boat rises with it until both levels are equal."
        first, second = store.query(
            "SELECT task, min(id) FROM filtered WHERE kept GROUP BY task HAVING count(*) = 1 ORDER BY task LIMIT 2"
        )
        with store.transaction():
            for task, name in (first, second):
                store.db.execute("UPDATE candidates SET instruction = 'Say how a lock lifts a boat, in one sentence.' "
                                 "WHERE id = (SELECT id FROM tasks WHERE position = ?)", (task,))  # fmt: skip
                store.db.execute("UPDATE instances SET input = '', output = ? WHERE id = ?", (long, name))
            store.db.execute(
                "INSERT INTO rejections VALUES ('instance', ?, 'instances', 'cut_off', '{}')", (second[1],)
            )
        index = Index(store)
        index.refresh()
        verdicts, nearest = RunFilters(store).instances(second[0], index, second[1])
        assert {v.name for v in verdicts[second[1]] if v.evidence is not None} == {"cut_off", "near_duplicate"}
        assert (nearest.id, nearest.score) == (first[1], 1.0)
        index.close()


# Hostile texts.


def test_nothing_of_a_text_is_markup_and_nothing_invisible_stays_so():
    text = str(shown(HOSTILE))
    assert "<script" not in text
    assert not set(text) & set("\x00\x1b\u202e\u2066")
    for name in ("U+0000", "U+001B", "U+202E", "U+2066"):
        assert f'<span class="invisible">{name}</span>' in text
    assert (
        html.unescape(re.sub(r'<span class="invisible">U\+(\w+)</span>', lambda m: chr(int(m[1], 16)), text)) == HOSTILE
    )


@given(st.text())
def test_any_text_is_shown_as_it_is(text):
    back = re.sub(r'<span class="invisible">U\+(\w+)</span>', lambda m: chr(int(m[1], 16)), str(shown(text)))
    assert html.unescape(back) == text


async def test_a_page_names_what_is_invisible_and_keeps_ordinary_text(tmp_path):
    ordinary = " | ".join(ORDINARY.values())
    row = {"instruction": "Say it in other scripts.", "input": "a".join(STORABLE), "output": ordinary}
    (tmp_path / "rows.json").write_text(json.dumps([row]))
    assert run_cli("import", tmp_path / "run", "--alpaca", tmp_path / "rows.json").returncode == 0
    async with browsing(tmp_path / "run") as browser:
        listed = await browser.get("/list")
        pages = [listed, await browser.get(next(path for path in links(listed) if "/one/instance" in path))]
    pages = [re.sub("<textarea.*?</textarea>", "", page, flags=re.DOTALL) for page in pages]  # an edit's own texts
    for page in pages:
        assert not INVISIBLE.search(page)
        assert html.escape(ordinary) in page
    assert set(re.findall(r'<span class="invisible">(U\+\w+)</span>', pages[1])) == set(names(STORABLE))


async def test_hostile_texts_are_only_text_on_every_page(hostile):
    before = rows(hostile, "SELECT instruction FROM candidates")
    async with browsing(hostile) as browser:
        listed = await browser.get("/list")
        paths = [
            "/",
            "/list",
            "/list?q=" + "evil",
            "/what-if?threshold=0.01",
            *(p for p in links(listed) if "/one/" in p),
        ]
        assert len(paths) >= 9
        name = rows(hostile, "SELECT id FROM instances")[0][0]
        await browser.post("/decide", action="tag", text=HOSTILE, item=f"instance/{name}")
        await browser.post("/decide", action="comment", text=HOSTILE, item=f"instance/{name}")
        query = urlencode({"q": HOSTILE, "reason": HOSTILE, "model": HOSTILE, "mark": HOSTILE, "sort": HOSTILE})
        paths += ["/decisions", f"/list?{query}", "/one/candidate/" + "%3Cscript%3E", "/list?after=%00&before=x_y"]
        paths += [f"/list?after={key}" for key in ("1_" + "9" * 40, "nan_1", "-_1", "1e999_1", "9" * 5000)]
        for path in paths:
            page = await browser.get(path, 400 if "%3Cscript" in path and "/one/" in path else 200)
            assert not re.search(r"<script(?! src=\"/static)|<img|</textarea>\s*<img", page), path
            # Forms hold texts as they are: in values, and in the fields of an edit.
            text = re.sub(r'value="[^"]*"|<textarea.*?</textarea>', "", page, flags=re.DOTALL)
            assert not set(text) & set("\x00\x1b\u202e\u2066"), path
            assert len(page) < 800_000
        one = await browser.get(next(p for p in paths if "/one/instance" in p))
        assert "112,000 characters, show all" in one
        textareas = "".join(re.findall(r"<textarea.*?</textarea>", one, re.DOTALL))
        assert "&lt;/textarea&gt;" in textareas
        assert re.sub(r"<textarea.*?</textarea>", "", one, flags=re.DOTALL).count("\u202e") == 0
    assert rows(hostile, "SELECT instruction FROM candidates") == before


async def test_an_edit_that_changes_one_field_leaves_the_other_as_it_was(hostile):
    """A form cannot carry NUL, and sends lines that end in CRLF."""
    (name, given) = rows(hostile, "SELECT id, input FROM instances WHERE position = 1")[0]
    async with browsing(hostile) as browser:
        fields = {"input": given.replace("\n", "\r\n"), "output": "Two\r\nlines."}
        await browser.post("/decide", action="edit", item=f"instance/{name}", **fields)
        assert rows(hostile, f"SELECT input, output FROM records WHERE id = '{name}'") == [(given, "Two\nlines.")]
        kept = {"input": "new", "output": "Two\r\nlines."}
        await browser.post("/decide", action="edit", item=f"instance/{name}", **kept)
        assert rows(hostile, f"SELECT input, output FROM records WHERE id = '{name}'") == [("new", "Two\nlines.")]
        await browser.post("/decide", 400, action="edit", item=f"instance/{name}", **kept)


def test_the_common_words_are_marked_in_texts_of_any_script():
    one, other = in_common("Sort the list, please!", "Please sort a LIST.", False)
    assert [part for part, common in one if common] == ["Sort", "list"]
    assert [part for part, common in other if common] == ["sort", "LIST"]
    one, other = in_common("把列表排序", "列表要排", False)
    assert "".join(part for part, common in one if common) == "列表排"
    assert in_common("Über alles", "uber ALLES", True)[0][-2] == ("alles", True)
    assert marked("a b a", "b") == [("a ", False), ("b", True), (" a", False)]
    assert marked("a", "x") == [("a", False)]


@given(st.text(), st.text(), st.booleans())
def test_segments_are_the_text_and_as_many_as_the_rule_counts(one, other, ascii_only):
    ours, theirs = in_common(one, other, ascii_only)
    assert "".join(part for part, _ in ours) == one
    assert "".join(part for part, _ in theirs) == other
    if not ascii_only and one.isascii() and other.isascii():
        assert [tokens(p) for p, common in ours if common] == [tokens(p) for p, common in theirs if common]


# Decisions.


async def test_rescued_in_bulk_exported_and_taken_back(folder):
    before = rows(folder, "SELECT id FROM records")
    rejected = rows(folder, "SELECT subject_id FROM rejections WHERE subject = 'instance' AND reason = 'cut_off'")
    assert len(rejected) > 1
    async with browsing(folder) as browser:
        listed = await browser.get("/list?kind=instance&reason=cut_off")
        answer = await browser.post("/decide", action="rescue", all="kind=instance&reason=cut_off")
        assert set(rows(folder, "SELECT id FROM records")) == {*before, *rejected}
        page = await browser.get(answer.headers["Location"].removeprefix(URL(browser.base).path))
        assert f"Rescued: {len(rejected)}." in page
        assert f"<strong>{len(rejected)}</strong> found" in await browser.get("/list?state=rescued")
        assert "<strong>0</strong> found" in await browser.get("/list?kind=instance&reason=cut_off&state=rejected")
        assert listed.count('class="state rejected"') == min(50, len(rejected))
        batch = re.search(r"done=(\d+)", answer.headers["Location"]).group(1)
        await browser.post("/undo", batch=batch)
        assert "<strong>0</strong> found" in await browser.get("/list?state=rescued")
    assert rows(folder, "SELECT id FROM records") == before
    assert run_cli("verify", folder).returncode == 0


async def test_banned_tagged_and_found_again(folder):
    (task, records) = rows(folder, "SELECT task, count(*) FROM records GROUP BY task LIMIT 1")[0]
    (name,) = rows(folder, f"SELECT id FROM tasks WHERE position = {task}")[0]
    n = len(rows(folder, "SELECT id FROM records"))
    async with browsing(folder) as browser:
        await browser.post("/decide", action="ban", item=[f"candidate/{name}"])
        await browser.post("/decide", action="tag", text="look again", item=f"candidate/{name}")
        assert len(rows(folder, "SELECT id FROM records")) == n - records
        found = await browser.get("/list?" + urlencode({"mark": "#look again"}))
        assert "<strong>1</strong> found" in found
        assert 'class="state banned"' in found
        assert "#look again" in await browser.get("/")
        instance = rows(folder, f"SELECT id FROM instances WHERE task = {task}")[0][0]
        assert "Its task is banned" in await browser.get(f"/one/instance/{instance}")
        assert "look again" in await browser.get("/decisions")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"action": "rescue"}, "Nothing is selected"),
        ({"action": "burn", "item": "candidate/x"}, "Unknown action"),
        ({"action": "undo", "item": "candidate/x"}, "Unknown action"),
        ({"action": "ban", "item": "candidate/x"}, "There is no candidate x"),
        ({"action": "ban", "item": "x"}, "There is no x"),
    ],
)
async def test_what_cannot_be_decided_is_explained(folder, fields, expected):
    async with browsing(folder) as browser:
        answer = await browser.post("/decide", 400, **fields)
        assert answer.content_type == "text/html"
        async with browser.client.post(
            browser.base + "/decide",
            data={
                "form_token": re.search(r'form_token" value="([^"]+)', await browser.get("/list")).group(1),
                **fields,
            },
            headers={"Origin": browser.origin},
        ) as again:
            assert expected in await again.text()
    assert rows(folder, "SELECT * FROM decisions") == []


# The index.


def contents(index: Index) -> list:
    return sorted(index.query(
        "SELECT subject_id, kind, state, stage, reason, model, g.length, said, i.length, score FROM items i "
        "JOIN groups g ON g.id = of_group"
    ))  # fmt: skip


def test_an_index_that_grew_along_is_the_one_made_at_the_end(finished, tmp_path):
    """The run is copied into a new file bit by bit, with decisions in between."""
    with closing(sqlite3.connect(finished / "run.db")) as db:
        db.execute("VACUUM INTO ?", (str(tmp_path / "whole.db"),))
    (tmp_path / "run").mkdir()
    Store.create(tmp_path / "run").close()
    order = ["run", "seeds", "system_prompts", "requests", "completions", "steps", "candidates", "tasks", "instances",
             "rejections"]  # fmt: skip
    writer = sqlite3.connect(tmp_path / "run/run.db", isolation_level=None)
    writer.execute("ATTACH ? AS whole", (str(tmp_path / "whole.db"),))
    last = writer.execute("SELECT max(step) FROM whole.steps").fetchone()[0]
    writer.executescript("".join(f"INSERT INTO {table} SELECT * FROM whole.{table};" for table in order[:5]))
    rng = random.Random(5)
    with Store.read(tmp_path / "run") as store:
        index = Index(store)
        for end in (0, 1, last // 2, last):
            writer.execute("INSERT OR IGNORE INTO steps SELECT * FROM whole.steps WHERE step <= ?", (end,))
            writer.execute("INSERT OR IGNORE INTO candidates SELECT * FROM whole.candidates WHERE step <= ?", (end,))
            index.refresh()  # now they are pending
            writer.execute(
                "INSERT OR IGNORE INTO tasks SELECT * FROM whole.tasks WHERE id IN (SELECT id FROM candidates)"
            )
            writer.execute(
                "INSERT OR IGNORE INTO instances SELECT * FROM whole.instances "
                "WHERE task IN (SELECT position FROM tasks)"
            )
            writer.execute(
                "INSERT OR IGNORE INTO rejections SELECT * FROM whole.rejections WHERE subject_id IN (SELECT id FROM "
                "candidates UNION SELECT id FROM instances) OR (subject = 'completion' AND ?)", (end > 1,)
            )  # fmt: skip
            names = [name for (name,) in writer.execute("SELECT id FROM candidates")]
            for name in rng.sample(names, 3):
                writer.execute(
                    "INSERT INTO decisions SELECT coalesce(max(id), 0) + 1, coalesce(max(id), 0) + 1, 0, 'ada', "
                    "'candidate', ?, ?, '{}', NULL, NULL FROM decisions", (name, rng.choice(["ban", "rescue"]))
                )  # fmt: skip
            index.refresh()
        grown = contents(index)
        index.close()
        (tmp_path / "run/audit.db").unlink()
        anew = Index(store)
        anew.refresh()
        assert grown == contents(anew)
        of_answers = "(SELECT count(*) FROM rejections WHERE subject = 'completion')"
        sizes = f"SELECT (SELECT count(*) FROM candidates) + (SELECT count(*) FROM instances) + {of_answers}"
        assert [(len(grown),)] == rows(tmp_path / "run", sizes)
        anew.close()
    writer.close()


def test_looking_writes_nothing_into_the_run(folder):
    before = rows(folder, "SELECT * FROM sqlite_master")
    with closing(sqlite3.connect(folder / "run.db")) as watching:
        version = watching.execute("PRAGMA data_version").fetchone()
        with Store.read(folder) as store:
            index = Index(store)
            index.refresh()
            Listing(index, Selection(q="the")).page()
            index.close()
        assert watching.execute("PRAGMA data_version").fetchone() == version
    assert rows(folder, "SELECT * FROM sqlite_master") == before


@pytest.mark.parametrize("damage", ["nothing", "garbage", "another version", "another run"])
def test_the_index_is_made_anew_where_it_is_not_of_this_run(folder, damage, tmp_path):
    with Store.read(folder) as store:
        index = Index(store)
        index.refresh()
        expected = contents(index)
        index.query("UPDATE known SET value = 'another' WHERE key = 'last candidate'" if damage == "another run" else
                    "PRAGMA user_version = 99" if damage == "another version" else "SELECT 1")  # fmt: skip
        index.query("PRAGMA wal_checkpoint(TRUNCATE)")
        index.close()
        if damage == "garbage":
            size = (folder / "audit.db").stat().st_size
            (folder / "audit.db").write_bytes(b"no database at all " * (size // 19))
        if damage == "nothing":
            (folder / "audit.db").unlink()
        again = Index(store)
        again.refresh()
        assert contents(again) == expected
        again.close()


async def test_a_run_that_grows_is_shown_as_it_grows(tmp_path):
    command = [*COMMAND, "generate", str(tmp_path / "run"), "--target", "150", "--model", "simulated", "--base-url"]
    with (
        loopback() as server,
        working([*command, server.url]) as process,
    ):
        server.hold()
        wait_until(lambda: server.held, process)
        sizes = [0]
        async with browsing(tmp_path / "run") as browser:
            banned = None
            for _ in range(6):  # 240 answers, of the more than 300 that it needs
                server.hold(after=40)
                wait_until(lambda: server.held, process)
                page = await browser.get("/list?kind=candidate&state=admitted")
                sizes.append(int(re.search(r"<strong>([\d,]+)</strong> found", page).group(1).replace(",", "")))
                await browser.get("/")
                if banned is None and sizes[-1] > 10:
                    banned = re.search(r'value="candidate/(\w+)"', page).group(1)
                    await browser.post("/decide", action="ban", item=f"candidate/{banned}")
            server.release()
            assert process.wait(HANG_S) == 0
            page = await browser.get("/list?kind=candidate&state=admitted")
            assert "<strong>149</strong> found" in page
    assert len(set(sizes)) > 3
    assert all(later >= earlier - 1 for earlier, later in itertools.pairwise(sizes)), "only the ban takes one away"
    (task,) = rows(tmp_path / "run", f"SELECT position FROM tasks WHERE id = '{banned}'")[0]
    records = json_lines((tmp_path / "run/records.jsonl").read_text())
    assert task not in {record["task"] for record in records}
    with Store.read(tmp_path / "run") as store:
        assert verify(store) == []


# What if.


def replayed(store: Store, threshold: float, *off: str) -> what_if.Outcome:
    replay = what_if.Replay(store, what_if.Rules(threshold, frozenset(off)))
    replay.start()
    replay.join()
    assert replay.outcome is not None
    return replay.outcome


def test_under_the_runs_own_rules_the_replay_is_the_run(finished):
    with Store.read(finished) as store:
        outcome = replayed(store, 0.7)
        assert (outcome.gained, outcome.lost) == ([], [])
        assert outcome.before == outcome.after == len(store.tasks())


LOWEST = 0.3


@functools.cache
def rouge_l(one: str, other: str) -> float:
    from rouge_score import rouge_scorer

    class Tokenizer:
        tokenize = staticmethod(tokens)

    n_one, n_other = Counter(tokens(one)), Counter(tokens(other))
    if 2 * (n_one & n_other).total() <= LOWEST * (n_one.total() + n_other.total()):
        return 0.0  # it cannot be above: a common subsequence is of common words
    scorer = rouge_scorer.RougeScorer(["rougeL"], tokenizer=Tokenizer())
    return scorer.score(one, other)["rougeL"].fmeasure


@pytest.mark.parametrize(
    ("threshold", "off"),
    [(LOWEST, ()), (0.95, ()), (1.0, ("forbidden_word", "too_short")), (0.5, ("asks_for_program",))],
)
def test_a_replay_admits_what_the_published_rule_would(finished, threshold, off):
    """Written down once more, with the rouge_score package and a list."""
    with Store.read(finished) as store:
        outcome = replayed(store, threshold, *off)
        pool = Pool(store.seeds(), rules_of(store))
        known = [seed.instruction for seed in store.seeds()]
        admitted = set()
        for name, text, cut in store.query("SELECT id, instruction, cut FROM candidates WHERE id IN "
                "(SELECT id FROM tasks UNION SELECT subject_id FROM rejections) ORDER BY step, position"):  # fmt: skip
            candidate = Candidate("", 0, text, bool(cut))
            if any(rule(candidate, pool) for rule in INSTRUCTION_FILTERS if rule.name not in off):
                continue
            if all(rouge_l(other, text) <= threshold for other in known):
                admitted.add(name)
                known.append(text)
        tasks = {task.id for task in store.tasks()}
    assert {change.id for change in outcome.gained} == admitted - tasks
    assert {change.id for change in outcome.lost} == tasks - admitted
    assert outcome.after == len(admitted)
    assert outcome.gained or outcome.lost


async def test_the_what_if_page_shows_gained_and_lost(folder):
    async with browsing(folder) as browser:
        page = await browser.get("/what-if?threshold=1&off=forbidden_word&off=nonsense")
        while "Replaying" in page:
            assert 'http-equiv="refresh"' in page
            page = await browser.get("/what-if?threshold=1&off=forbidden_word&off=nonsense")
        assert "no_words" not in page  # it cannot be switched off
        n = len(rows(folder, "SELECT 1 FROM rejections WHERE reason = 'forbidden_word'"))
        gained = re.search(r'class="gained">([\d,]+) gained', page).group(1)
        assert int(gained) >= n > 0
        assert "must be a number from 0 to 1" in await browser.get("/what-if?threshold=much", 400)


def test_the_command_prints_an_address_and_opens_nothing(folder):
    with working([*COMMAND, "audit", str(folder)], stdout=subprocess.PIPE) as process:
        lines = [process.stdout.readline() for _ in range(2)]
        process.terminate()
    assert str(folder) in lines[0]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]+/\?token=[\w-]+\n", lines[1])


def test_a_folder_without_a_run_and_a_port_in_use_are_explained(folder, tmp_path):
    result = run_cli("audit", tmp_path / "nothing")
    assert result.returncode == 2
    assert "no run here" in result.stderr
    with working([*COMMAND, "audit", str(folder)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        port = re.search(r":(\d+)/", process.stdout.readline()).group(1)
        result = run_cli("audit", folder, "--port", port)
        process.terminate()
    assert result.returncode == 2
    assert f"Port {port} cannot be used" in result.stderr
    assert result.stdout == ""
