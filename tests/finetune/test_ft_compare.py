"""Blind comparison: what is read, what is shown to whom, what judges say, and what the figures make of it."""

import html
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from finetune.compare import people, report
from finetune.compare.agreement import Agreement, cohen, fleiss
from finetune.compare.answers import PART, Asking, answer_file
from finetune.compare.asking import Served
from finetune.compare.comparing import answered, judged
from finetune.compare.judge import read_verdict
from finetune.compare.prompts import in_words, read_answers, read_asked, read_prompts, without_overlap
from finetune.compare.results import results
from finetune.compare.store import SIDES, Judgement, Store
from selfinstruct.errors import TeacherError, UsageError
from selfinstruct.simulated.world.tasks import compose_task, families, make_instance, wrong_answer
from selfinstruct.untrusted import INVISIBLE
from tests.conftest import COMMAND, json_lines, simulated_server
from tests.forks import Forked
from tests.loopback import kill, loopback, wait_until, working
from tests.odd_text import ORDINARY, STORABLE, names

HOSTILE = "<script>alert(1)</script> \"'& \u202eevil \x00\x1b[31m </textarea><img src=x onerror=alert(1)> {{ 7 * 7 }}"
ASKING = Asking(64, 0.0, 0)


def lines(path: Path, rows: list) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def a_file(folder: Path, name: str, answers: dict[str, str]) -> str:
    return str(lines(folder / name, [{"prompt": prompt, "answer": answer} for prompt, answer in answers.items()]))


def begun(folder: Path, a: dict[str, str], b: dict[str, str], seed: int = 0, name: str = "out") -> Store:
    """A comparison of these answers."""
    folder.mkdir(exist_ok=True)
    prompts = lines(folder / f"{name}.prompts.jsonl", list(a))
    store = Store(folder / name)
    sources = a_file(folder, f"{name}.a.jsonl", a), a_file(folder, f"{name}.b.jsonl", b)
    answered(store, sources, prompts, None, Asking(64, 0.0, seed))
    return store


def some(n: int, word: str) -> dict[str, str]:
    return {f"Question {i}?": f"{word} {i}" for i in range(n)}


# Reading

QUESTION = "Reverse the list.\n\n3, 1, 2"
FORMS = [
    {"instruction": "Reverse the list.", "input": "3, 1, 2", "output": "2, 1, 3"},
    {"instruction": "Reverse the list.", "instances": [{"input": "3, 1, 2", "output": "2, 1, 3"}]},
    {"prompt": QUESTION, "completion": "2, 1, 3"},
    {"prompt": QUESTION, "answer": "2, 1, 3"},
    {"prompt": [{"role": "user", "content": QUESTION}], "answer": "2, 1, 3"},
    {"messages": [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "2, 1, 3"}], "task": "t"},
    {"conversations": [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": "2, 1, 3"}]},
]
ALONE = [
    QUESTION,
    {"prompt": QUESTION},
    {"prompt": [{"role": "user", "content": QUESTION}]},
    {"instruction": "Reverse the list.", "input": "3, 1, 2"},
    {"messages": [{"role": "user", "content": QUESTION}]},
]


@pytest.mark.parametrize("row", [*FORMS, *ALONE], ids=lambda row: ",".join(row) if isinstance(row, dict) else "text")
def test_a_question_is_the_same_in_every_format(tmp_path, row):
    ((prompt, answer, _),) = read_asked(lines(tmp_path / "rows.jsonl", [row]))
    assert prompt.messages == [{"role": "user", "content": QUESTION}]
    assert answer == (None if row in ALONE else "2, 1, 3")


def test_parquet_and_text_and_repeated_questions(tmp_path):
    pq.write_table(pa.Table.from_pylist([FORMS[0], FORMS[0] | {"input": "4"}, FORMS[0]]), tmp_path / "rows.parquet")
    assert [p.number for p in read_prompts(tmp_path / "rows.parquet")] == [1, 2]
    pq.write_table(pa.Table.from_pylist([FORMS[3]]), tmp_path / "answers.parquet")
    assert list(read_answers(tmp_path / "answers.parquet").values()) == ["2, 1, 3"]
    (tmp_path / "two.txt").write_text("One?\n\n Two? \nOne?\n")
    assert [p.messages[0]["content"] for p in read_prompts(tmp_path / "two.txt")] == ["One?", "Two?"]


def test_what_a_question_does_not_use_is_named(tmp_path, capsys):
    path = lines(tmp_path / "rows.jsonl", [{"instruction": "Why?", "level": 3}, {"prompt": "How?", "level": 1}, "Who?"])
    assert len(read_asked(path)) == 3
    assert capsys.readouterr().err == f"{path}: not used: level in 2 rows\n"


def test_a_question_of_several_turns_is_all_before_the_last_answer(tmp_path):
    turns = [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Bye"), ("assistant", "Ciao")]
    row = {"messages": [{"role": role, "content": content} for role, content in turns]}
    ((prompt, answer, _),) = read_asked(lines(tmp_path / "rows.jsonl", [row]))
    assert prompt.messages == row["messages"][:-1]
    assert answer == "Ciao"


@pytest.mark.parametrize(
    ("row", "asked", "answer"),
    [
        ({"question": "Why?", "response": "So."}, "Why?", "So."),
        ({"prompt": "Why?", "chosen": "So.", "rejected": "No."}, "Why?", None),
        ({"prompt": "Why?", "completion": "No.", "label": False}, "Why?", None),
        (
            {
                "messages": [
                    {"role": "user", "content": "Why?"},
                    {"role": "assistant", "content": "So.", "reasoning": "Hm."},
                ]
            },
            "Why?",
            "So.",
        ),
        (
            {"instruction": "Why?", "output": "So.", "history": [["Who?", "I."]]},
            "User: Who?\n\nAssistant: I.\n\nUser: Why?",
            "So.",
        ),
    ],
)
def test_what_stands_beside_a_question_is_read(tmp_path, row, asked, answer):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n")
    (found,) = read_asked(path)
    assert (in_words(found.prompt.messages), found.answer) == (asked, answer)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"note": "Why?"}, "line 2: no question found"),
        ({"instruction": " ", "output": "x"}, "line 2: no question before"),
        ({"messages": [{"role": "tool", "content": "7"}]}, "line 2: messages.0.content: role tool; use"),
        ({"messages": [{"role": "user"}]}, "line 2: messages.0.content: missing_field"),
        ({"messages": "x"}, "line 2: messages: wrong_type"),
        ("Why \ud83d?", "line 2: prompt: half a surrogate pair, which is not a character, in “Why \\ud83d?”"),
        ({"instruction": "Why?", "input": "\ud83d"}, "line 2: input: half a surrogate pair"),
    ],
)
def test_a_row_without_a_question_is_named(tmp_path, row, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        read_prompts(lines(tmp_path / "rows.jsonl", ["Why?", row]))


def test_answers_may_come_from_a_pipe_of_the_shell():
    reading, writing = os.pipe()
    os.write(writing, b'{"instruction": "Why?", "output": "So."}')
    os.close(writing)
    _, path = answer_file(f"m@/dev/fd/{reading}")
    assert [list(read_answers(path).values()) for _ in range(2)] == [["So."], ["So."]]
    os.close(reading)


def test_answers_must_be_there_and_be_one(tmp_path):
    with pytest.raises(UsageError, match="no row has an answer"):
        read_answers(lines(tmp_path / "rows.jsonl", ALONE))


def test_answers_of_one_model_among_several(tmp_path):
    rows = [{"model": m, "prompt": "Why?", "answer": a} for m, a in [("a/x", "So."), ("y", "No."), ("y", "Because.")]]
    path = lines(tmp_path / "rows.jsonl", rows)
    ((name, answer),) = read_answers(path, "y").items()
    assert answer == "Because.", "the last of them"
    assert list(read_answers(path, "a/x").items()) == [(name, "So.")]
    for model in ("", "z"):
        with pytest.raises(UsageError, match=re.escape(f"use: a/x@{path} or y@{path}.")):
            read_answers(path, model)
    with Store(tmp_path / "out") as store:
        answered(store, (f"a/x@{path}", f"y@{path}"), path, None, ASKING)
        assert [(item.a, item.b) for item in store.items()] == [("So.", "Because.")]


def test_prompts_that_overlap_the_training_data_are_left_out(tmp_path):
    (tmp_path / "prompts.txt").write_text(
        "Name the three longest rivers of the country.\n"
        "List the five largest lakes of that continent.\n"
        "Write a short poem about the sea at night.\n"
        "What is seven times eight?\n"
    )
    name, list_, poem, _ = (tmp_path / "prompts.txt").read_text().splitlines()
    train = [
        {"instruction": f"{name} Then do this: {list_}", "output": "Nile"},  # overlaps two
        {"instruction": poem.replace("short ", ""), "output": "Waves"},
        {"instruction": "Cook rice.", "output": "What is seven times eight? It is 56."},  # too short a run to count
    ]
    prompts = read_prompts(tmp_path / "prompts.txt")
    kept, dropped = without_overlap(prompts, lines(tmp_path / "train.jsonl", train))
    assert [prompt.number for prompt in kept] == [4]
    assert [(d.number, d.train_number, d.by) for d in dropped] == [(1, 1, "ngram"), (2, 1, "ngram"), (3, 2, "rouge_l")]


# Figures


def test_kappas_are_the_published_ones():
    # Cohen's of two who say yes and no to 50 proposals (20 both yes, 15 both no): 0.7 agree, 0.5 by chance.
    one = ["yes"] * 25 + ["no"] * 25
    other = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen(one, other) == pytest.approx((0.7, 0.4))
    # The example of Fleiss' kappa that is in every text: 10 items, 14 raters, 5 categories, kappa 0.210.
    table = [
        (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1), (7, 7, 0, 0, 0),
        (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
    ]  # fmt: skip
    verdicts = [[category for category, n in enumerate(row) for _ in range(n)] for row in table]
    assert fleiss(verdicts) == pytest.approx((0.378, 0.210), abs=5e-4)
    assert fleiss([["a"], [], ["b"]]) is None
    assert cohen(["a", "a"], ["a", "a"]) == Agreement(1.0, None)


def test_figures_of_people(tmp_path):
    with begun(tmp_path, some(4, "long answer"), some(3, "short") | {"Question 3?": "long answer 3"}) as store:
        for rater, item, first, verdict in [
            ("ada", 0, "a", "first"), ("ada", 1, "b", "second"), ("ada", 2, "a", "second"),
            ("bob", 0, "b", "second"), ("bob", 1, "a", "tie"), ("bob", 2, "b", "bad"),
        ]:  # fmt: skip
            store.add_vote(rater, item, first, verdict)
        found = results(store)
    assert (found.prompts, found.same_answer, found.unanswered) == (4, 1, 0)
    everybody, ada, bob = found.outcomes
    assert (ada.wins, ada.ties, ada.losses, ada.win_rate.value) == (2, 0, 1, pytest.approx(2 / 3))
    assert (bob.wins, bob.ties, bob.losses, bob.both_bad, bob.win_rate.value) == (1, 2, 0, 1, pytest.approx(2 / 3))
    # Item 0: both A; item 1: A and a tie, so A; item 2: B and a tie, so B. Scores 1, 3/4, 1/4.
    assert (everybody.wins, everybody.ties, everybody.losses) == (2, 0, 1)
    assert everybody.win_rate.value == pytest.approx(2 / 3)
    assert 0.25 <= everybody.win_rate.low < everybody.win_rate.high <= 1
    assert everybody.p_value == 1.0
    assert (ada.first.n, ada.first.interval.value) == (3, pytest.approx(1 / 3))
    assert (ada.longer.n, ada.longer.interval.value) == (3, pytest.approx(2 / 3)), "A is the longer one"
    assert [(p.one, p.other, p.prompts, p.agreement.same) for p in found.pairs] == [("ada", "bob", 3, 1 / 3)]
    assert found.people.same == pytest.approx(1 / 3)


def test_a_figure_that_never_varies_still_has_an_interval(tmp_path):
    with begun(tmp_path, some(8, "yes"), some(8, "no")) as store:
        for item in range(8):
            store.add_vote("ada", item, "a", "first")
        (ada,) = results(store).outcomes
    assert ada.win_rate == pytest.approx((1, 0.676, 1), abs=1e-3), "Wilson's of 8 of 8"
    assert ada.p_value == pytest.approx(2 / 2**8)


@pytest.mark.parametrize("n", [1, 8])
def test_where_all_are_ties_nothing_is_sure(tmp_path, n):
    """The bootstrap's interval would have no width: 50.0% [50.0, 50.0] after one tie of one person."""
    with begun(tmp_path, some(n, "yes"), some(n, "no")) as store:
        for item in range(n):
            store.add_vote("ada", item, "a", "tie")
            for first in SIDES:
                store.add_judgement(f"{item} {first}", Judgement("m", item, first, "Verdict: 1"), 0, 0)
        found = results(store)
    ada, judge = found.outcomes
    assert ada.win_rate == judge.win_rate == (0.5, None, None)
    assert judge.longer.interval == (0.5, None, None), "each prompt says both"
    assert json.loads(json.dumps(found.as_dict()))["outcomes"][0]["win_rate"]["low"] is None
    assert "50.0% [" not in report.render(found)
    assert "50.0% [" not in report.html(found, "x")
    assert re.search(r"ada +\d+ +0 +\d+ +0 +50\.0%", report.render(found))


# The page for people


class Browser:
    """A person at the page."""

    def __init__(self, client: aiohttp.ClientSession, address: str):
        self.client = client
        self.base = address.partition("/?")[0]
        self.origin = self.base.rpartition("/")[0]

    async def get(self, path: str, status: int = 200) -> str:
        """A page, as it stands without the random folder that all of them are below."""
        async with self.client.get(self.base + path) as answer:
            assert answer.status == status
            return (await answer.text()).replace(self.base.removeprefix(self.origin), "")

    async def post(self, path: str, status: int = 200, **fields: object) -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', await self.get("/item?rater=x"))
        data = {"form_token": found[1], **fields}
        async with self.client.post(self.base + path, data=data, headers={"Origin": self.origin}) as answer:
            assert answer.status == status, await answer.text()
            return (await answer.text()).replace(self.base.removeprefix(self.origin), "")


@asynccontextmanager
async def browsing(store: Store):
    async with people.serving(store) as address, at(address) as browser:
        yield browser


@asynccontextmanager
async def at(address: str):
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        browser = Browser(client, address)
        await browser.get("/?" + address.partition("?")[2])
        yield browser


def shown_item(page: str) -> int | None:
    found = re.search(r'name="item" value="(\d+)"', page)
    return int(found[1]) if found else None


def shown_texts(page: str) -> list[str]:
    return re.findall(r'<div class="text" dir="auto">(.*?)</div>', page, re.DOTALL)


async def test_a_page_does_not_tell_which_is_which(tmp_path):
    """A and B changed about, and shown in the same places: the same page, byte for byte."""
    x, y = {"Why?": "Because of the wind."}, {"Why?": "<b>No reason.</b>\n\nNone."}

    async def pages(a, b, seed, name):
        with begun(tmp_path, a, b, seed, name) as store:
            store.set_settings({"salt": "the same"})
            async with browsing(store) as browser:
                item = await browser.get("/item?rater=ada")
                after = await browser.post("/decide", rater="ada", item=0, verdict="first")
                (vote,) = store.votes()
                all_of_it = [await browser.get("/"), item, after, await browser.get("/item?rater=ada")]
                return vote, [re.sub(r'(form_token" value=")[^"]+', r"\1", page) for page in all_of_it]

    by_place: dict[str, list] = {}
    for seed in range(4):
        vote, found = await pages(x, y, seed, f"xy{seed}")
        by_place.setdefault("x first" if vote.first == "a" else "y first", []).append(found)
        vote, found = await pages(y, x, seed, f"yx{seed}")
        by_place.setdefault("y first" if vote.first == "a" else "x first", []).append(found)
    assert {place: len(found) for place, found in by_place.items()} == {"x first": 4, "y first": 4}
    for same_place in by_place.values():
        assert all(found == same_place[0] for found in same_place)
    assert by_place["x first"][0] != by_place["y first"][0]
    assert shown_texts(by_place["x first"][0][1]) == ["Why?", x["Why?"], "&lt;b&gt;No reason.&lt;/b&gt;\n\nNone."]


async def test_sides_and_order_are_shuffled_for_each_person(tmp_path):
    with begun(tmp_path, some(200, "yes"), some(200, "no")) as store:
        pages = people.Pages(store, "")
        orders = {rater: pages.order(rater) for rater in ("ada", "bob")}
        sides = {rater: [pages.first(rater, item) for item in store.items()] for rater in orders}
        again = people.Pages(store, "")
        assert {rater: again.order(rater) for rater in orders} == orders
    for rater, order in orders.items():
        assert sorted(order) == list(range(200)) != order
        assert 60 < sides[rater].count("a") < 140
    assert orders["ada"] != orders["bob"]
    assert sides["ada"] != sides["bob"]


def test_nobody_can_work_out_which_side_is_which(tmp_path):
    """The same seed, name and items, begun twice: other orders, by a number that no page and no report holds."""
    sides, salts = [], []
    for name in ("one", "two"):
        with begun(tmp_path, some(64, "yes"), some(64, "no"), name=name) as store:
            salts.append(store.settings()["salt"])
            pages = people.Pages(store, "")
            sides.append([pages.first("ada", item) for item in store.items()])
            found = results(store)
            assert salts[-1] not in json.dumps(found.as_dict()) + report.html(found, "x") + report.render(found)
            answered(
                store, (found.settings["a"], found.settings["b"]), tmp_path / f"{name}.prompts.jsonl", None, ASKING
            )
            assert store.settings()["salt"] == salts[-1], "who goes on keeps it"
    assert len(salts[0]) >= 32
    assert salts[0] != salts[1]
    assert sides[0] != sides[1]


async def test_judged_taken_back_and_gone_on_with(tmp_path):
    with begun(tmp_path, some(5, "yes") | {"Same?": "yes"}, some(5, "no") | {"Same?": " yes\n"}) as store:
        async with browsing(store) as browser:
            page = await browser.get("/item?rater=%20ada%20%20lovelace")
            seen = []
            for n, verdict in enumerate(("first", "second", "tie", "bad")):
                assert f"{n} of 5" in page
                seen.append(shown_item(page))
                texts = shown_texts(page)
                page = await browser.post("/decide", rater="ada lovelace", item=seen[-1], verdict=verdict)
                vote = store.votes()[-1]
                assert (vote.rater, vote.item, vote.verdict) == ("ada lovelace", seen[-1], verdict)
                assert texts[1] == {"a": "yes", "b": "no"}[vote.first] + f" {seen[-1]}"
            for item in reversed(seen):
                page = await browser.post("/undo", rater="ada lovelace")
                assert shown_item(page) == item
            page = await browser.post("/undo", rater="ada lovelace")
            assert store.votes() == []
            assert store.query("SELECT count(*) FROM votes") == [(8,)], "what was taken back is not forgotten"
            for _ in range(5):
                page = await browser.post("/decide", rater="ada lovelace", item=shown_item(page), verdict="tie")
            assert "Done: 5 judged" in page, "the sixth has the same answer twice"
            assert "0 of 5" in await browser.get("/item?rater=bob")
            # Judged once more, from a page that was left open: the latest counts.
            await browser.post("/decide", rater="ada lovelace", item=seen[0], verdict="first")
            assert Counter(vote.verdict for vote in store.votes()) == {"tie": 4, "first": 1}
            assert "5 of 5" in await browser.get("/")


@pytest.mark.parametrize(
    "fields",
    [
        {"rater": "ada", "item": "9", "verdict": "first"},
        {"rater": "ada", "item": "x", "verdict": "first"},
        {"rater": "ada", "item": "0", "verdict": "undone"},
        {"rater": " ", "item": "0", "verdict": "first"},
        {"rater": "a" * 41, "item": "0", "verdict": "first"},
        {"rater": "\u200b", "item": "0", "verdict": "first"},
        {"rater": "\u3164 \u00ad", "item": "0", "verdict": "first"},
        {"rater": "All  People", "item": "0", "verdict": "first"},
        {"rater": "judge simulated", "item": "0", "verdict": "first"},
        {"rater": "Ju\u200bdge m", "item": "0", "verdict": "first"},
        {},
    ],
)
async def test_what_is_no_verdict_is_refused(tmp_path, fields):
    with begun(tmp_path, some(1, "yes"), some(1, "no")) as store:
        async with browsing(store) as browser:
            await browser.post("/decide", status=400, **fields)
        assert store.votes() == []


async def test_other_letters_of_a_name_are_the_same_person(tmp_path):
    with begun(tmp_path, some(40, "yes"), some(40, "no")) as store:
        async with browsing(store) as browser:
            page = await browser.get("/item?rater=Zo%C3%A9")
            other = await browser.get("/item?rater=ZOE%CC%81")  # the accent by itself
            assert shown_texts(page) == shown_texts(other), "the same order and sides, before anything is stored"
            for name in ("Zo\u00e9", "ZOE\u0301", " zo\u00e9\u200b", "\uff3ao\u00e9"):
                page = await browser.post("/decide", rater=name, item=shown_item(page), verdict="tie")
            assert "4 of 40" in page
            await browser.post("/undo", rater="zo\u00e9")
        assert [vote.rater for vote in store.votes()] == ["Zo\u00e9"] * 3
        assert [outcome.name for outcome in results(store).outcomes] == ["Zo\u00e9"]


async def test_nobody_else_can_look_or_judge(tmp_path):
    with begun(tmp_path, some(1, "yes"), some(1, "no")) as store:
        async with browsing(store) as browser:
            async with aiohttp.ClientSession() as stranger, stranger.get(browser.base + "/item?rater=x") as answer:
                assert answer.status == 403
                assert "selfinstruct compare printed" in await answer.text()
            browser.origin = "http://evil.example"
            await browser.post("/decide", status=403, rater="ada", item=0, verdict="first")
        assert store.votes() == []


MULTIPART = {"Content-Type": "multipart/form-data; boundary=x"}
NAMED = b"--x\r\nContent-Disposition: form-data; name=a\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (MULTIPART, b"garbage"),
        ({"Content-Type": "multipart/form-data"}, b"garbage"),
        (MULTIPART, b"--x\r\nno header\r\n\r\na\r\n--x--"),
        (MULTIPART, NAMED + b"Content-Type: text/plain; charset=foo\r\n\r\na\r\n--x--"),
        (MULTIPART, NAMED + b"Content-Transfer-Encoding: foo\r\n\r\na\r\n--x--"),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"rater=\xff"),
        ({"Content-Type": "application/x-www-form-urlencoded; charset=foo"}, b"a=b"),
    ],
)
async def test_a_form_that_cannot_be_read_is_refused(tmp_path, caplog, headers, body):
    with begun(tmp_path, some(1, "yes"), some(1, "no")) as store:
        async with browsing(store) as browser:
            headers = headers | {"Origin": browser.origin}
            async with browser.client.post(browser.base + "/decide", data=body, headers=headers) as answer:
                assert answer.status == 400
                assert "This form cannot be read." in await answer.text()
    assert not caplog.records, "no traceback in the terminal"


async def test_hostile_texts_stay_texts(tmp_path):
    with begun(tmp_path, {f"Q {HOSTILE}": f"A {HOSTILE}"}, {f"Q {HOSTILE}": ""}) as store:
        async with browsing(store) as browser:
            page = await browser.post("/decide", rater=HOSTILE[:30], item=0, verdict="first")
            page += await browser.get("/") + await browser.get("/item?rater=bob")
        store.add_judgement("x", Judgement(HOSTILE, 0, "a", HOSTILE), 0, 0)
        for text in (page, report.html(results(store), "out")):
            assert "alert(1)" in text
            assert "<script>alert" not in text
            assert "<img" not in text
            assert not set("\x00\x1b\u202e") & set(text)
            assert "(empty answer)" in text or '<i class="soft">empty</i>' in text


async def test_a_page_names_what_is_invisible_and_keeps_ordinary_text(tmp_path):
    ordinary = " | ".join(ORDINARY.values())
    with begun(tmp_path, {"Why?": f"x{'a'.join(STORABLE)}x"}, {"Why?": ordinary}) as store:
        async with browsing(store) as browser:
            for_people = await browser.get("/item?rater=bob")
        for page in (for_people, report.html(results(store), "out")):
            assert not INVISIBLE.search(page)
            assert set(re.findall(r">(U\+\w+)</", page)) == set(names(STORABLE))
            assert html.escape(ordinary) in page


async def test_a_verdict_outlives_a_kill(tmp_path):
    begun(tmp_path, some(3, "yes"), some(3, "no")).close()
    arguments = [tmp_path / f"out.{side}.jsonl" for side in SIDES]
    command = [*COMMAND, "compare", *map(str, arguments), "--prompts", str(tmp_path / "out.prompts.jsonl"), "--out",
               str(tmp_path / "out"), "--max-tokens", "64"]  # fmt: skip
    with working(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        process.stderr.readline()
        async with at(process.stderr.readline().strip()) as browser:
            await judge_one(browser)
            process.send_signal(signal.SIGKILL)
    with Store(tmp_path / "out") as store:
        assert len(store.votes()) == 1
        async with browsing(store) as browser:  # and people go on, with the next one
            await judge_one(browser)
        assert len({(vote.rater, vote.item) for vote in store.votes()}) == 2


async def judge_one(browser):
    item = shown_item(await browser.get("/item?rater=ada"))
    await browser.post("/decide", rater="ada", item=item, verdict="first")


# Judges


@asynccontextmanager
async def scripted(say, refuse=lambda body: ""):
    """A server that answers each question to a judge with `say(question, first, second)`; gives its URL and a log.

    `refuse` gives the message with which a request is refused, if it is.
    """
    log = []

    async def complete(request: web.Request) -> web.Response:
        body = await request.json()
        log.append(body)
        if message := refuse(body):
            return web.json_response({"error": {"message": message, "code": None}}, status=400)
        user = body["messages"][-1]["content"]
        found = re.search(r"\[Question\]\n(.*)\n\n\[Answer 1\]\n(.*)\n\n\[Answer 2\]\n(.*)\n\n\[End", user, re.DOTALL)
        said = say(*found.groups())
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 3}})

    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", complete)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1", log
    finally:
        await runner.cleanup()


async def ask_judge(store: Store, say, refuse=lambda body: "") -> list[dict]:
    import asyncio

    async with scripted(say, refuse) as (url, log):
        folder = store.path.parent

        def ask() -> None:
            with Store(folder) as own:  # a thread has a connection of its own
                judged(own, Served("scripted", url))

        await asyncio.to_thread(ask)
        return log


async def test_a_judge_that_takes_the_first_one_finds_nothing(tmp_path):
    with begun(tmp_path, some(20, "yes"), some(20, "no")) as store:
        log = await ask_judge(store, lambda *_: "Both are fine.\nVerdict: 1")
        assert len(log) == 40
        (judge,) = results(store).outcomes
        assert (judge.wins, judge.ties, judge.losses, judge.agreed, judge.p_value) == (0, 20, 0, 0, 1.0)
        assert judge.win_rate.value == 0.5
        assert (judge.first.n, judge.first.interval.value) == (40, 1.0)
        assert judge.first.interval.low > 0.8
        assert await ask_judge(store, lambda *_: "Verdict: 2") == [], "nothing is asked twice"


def reasoning_model(body) -> str:
    """ServiceNow/AgentLab#251: o3-mini."""
    if "max_tokens" in body:
        return "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."
    return "Unsupported value: 'temperature' does not support 0.0" if "temperature" in body else ""


async def test_a_judge_is_asked_without_what_its_server_refuses(tmp_path, capsys):
    with begun(tmp_path, some(3, "yes"), some(3, "no")) as store:
        log = await ask_judge(store, lambda *_: "Verdict: 1", reasoning_model)
        assert [bool(reasoning_model(body)) for body in log] == [True, True] + [False] * 6, "found out by the first"
        assert log[-1]["max_completion_tokens"] == 512
        assert len(results(store).outcomes) == 1
        said = capsys.readouterr().err
        assert "Requests to scripted are now sent with max_completion_tokens instead of max_tokens" in said
        assert "Requests to scripted are sent without temperature" in said
        assert await ask_judge(store, lambda *_: "Verdict: 2", reasoning_model) == [], "nothing is asked twice"


async def test_a_judge_that_takes_nothing_is_quoted_and_no_setting_is_named_that_it_has_not(tmp_path):
    with begun(tmp_path, some(3, "yes"), some(3, "no")) as store:
        with pytest.raises(TeacherError) as caught:
            await ask_judge(store, lambda *_: "", lambda body: "top_k must be 1")
        assert str(caught.value) == "The judge scripted: http_400: top_k must be 1."


async def test_a_judge_wins_only_in_both_orders_and_is_read_or_left_out(tmp_path):
    def say(question: str, first: str, second: str) -> str:
        number = int(re.search(r"\d+", question)[0])
        if number < 4:
            return f"Verdict: {1 if first.startswith('yes') else 2}"  # always A
        if number < 6:
            return f"Verdict: {2 if first.startswith('yes') else 1}"  # always B
        if number < 7:
            return "**Verdict:** tie"
        if number < 8:
            return "Verdict: 2"  # contradicts itself
        return "Verdict: 1" if first.startswith("yes") else "I cannot say."  # one order cannot be read

    with begun(tmp_path, some(9, "yes"), some(9, "no, this is longer")) as store:
        await ask_judge(store, say)
        (judge,) = found = results(store).outcomes
        assert len(found) == 1
        assert (judge.wins, judge.ties, judge.losses) == (4, 2, 2)
        assert (judge.agreed, judge.unreadable, judge.missing, judge.prompts) == (7, 1, 0, 8)
        assert judge.first.n == 2 * 7 + 1
        assert judge.longer.interval.value == pytest.approx((4 + 1) / 15)
        text = report.render(results(store))
        assert "both orders agree on 7 of 9; unreadable verdicts: 1" in text
        assert "I cannot say." in report.html(results(store), "x")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Because.\nVerdict: 1", "first"),
        ("**Verdict: 2**", "second"),
        ("Verdict: **tie**.", "tie"),
        ("verdict - [1]", "first"),
        ("A verdict: 2 comes to mind, but no.\nVerdict: 1", "first"),
        ("Verdict: Answer 2", "second"),
        ("Verdict: 12", None),
        ("Both are bad.", None),
        ("Verdict:", None),
        ("", None),
    ],
)
def test_verdicts_are_read(text, verdict):
    assert read_verdict(text) == verdict


@pytest.fixture(scope="module")
def graded(tmp_path_factory) -> Path:
    """Prompts of the simulated world; A is right on all, B on the last ten only."""
    folder, rng = tmp_path_factory.mktemp("graded"), random.Random(5)
    rows: list[tuple[str, str, str]] = []
    while len(rows) < 30:
        instruction, task = compose_task(rng.choice(families()), rng)
        given, right = make_instance(task, rng)
        if wrong := wrong_answer(instruction, given, rng):
            rows.append((f"{instruction}\n\n{given}" if given else instruction, right, wrong))
    lines(folder / "prompts.jsonl", [question for question, *_ in rows])
    a_file(folder, "a.jsonl", {question: right for question, right, _ in rows})
    a_file(
        folder,
        "b.jsonl",
        {question: wrong if n < 20 else f"{right}." for n, (question, right, wrong) in enumerate(rows)},
    )
    return folder


def command(folder: Path, *more: object) -> list[object]:
    return ["compare", folder / "a.jsonl", folder / "b.jsonl", "--prompts", folder / "prompts.jsonl", *more]


def test_the_simulated_teacher_judges_by_right_and_wrong(cli, graded, tmp_path):
    said = cli(*command(graded, "--out", tmp_path / "out", "--judge", "simulated")).stdout
    assert re.search(r"judge simulated +30 +20 +10 +0 +83\.3%", said)
    assert "both orders agree on 30 of 30; the first answer wins 50.0%" in said
    page = (tmp_path / "out/comparison.html").read_text()
    assert "83%" in page
    assert "http:" not in page.replace(str(tmp_path), "") and "<script" not in page and "url(" not in page
    found = json.loads(cli(*command(graded, "--out", tmp_path / "out", "--no-people", "--json")).stdout)
    (judge,) = found["outcomes"]
    assert (judge["wins"], judge["ties"], judge["losses"]) == (20, 10, 0)
    assert judge["p_value"] == pytest.approx(2 / 2**20)
    assert [item["verdicts"]["judge simulated"] for item in found["items"]] == ["a"] * 20 + ["tie"] * 10


def test_served_models_answer_and_are_not_asked_twice(cli, graded, tmp_path):
    with simulated_server() as url:
        rows = json_lines((graded / "a.jsonl").read_text())[:5]
        prompts = lines(tmp_path / "five.jsonl", rows)
        served = f"simulated@{url}"
        both = ["compare", graded / "b.jsonl", served, "--prompts", prompts, "--out", tmp_path / "out", "--no-people"]
        found = json.loads(cli(*both, "--json").stdout)
        assert [item["b"] for item in found["items"]] == [row["answer"] for row in rows]
    # The server is gone, and its place another one: nothing is asked, so it does not matter.
    both[2] = "simulated@http://127.0.0.1:9/v1"
    assert json.loads(cli(*both, "--json").stdout)["items"] == found["items"]
    both[2] = "simulated-large@http://127.0.0.1:9/v1"
    assert "started with different settings: B" in cli(*both, code=2).stderr


def test_a_judge_that_was_stopped_goes_on(tmp_path, graded, cli):
    """Killed in the middle of its calls: what was answered is not asked again."""
    with loopback() as server:
        server.hold(after=20)
        arguments = command(graded, "--out", tmp_path / "out", "--judge", "simulated", "--judge-base-url", server.url)
        with working([*COMMAND, *map(str, arguments)], stderr=subprocess.DEVNULL) as process:
            wait_until(lambda: answers_in(tmp_path / "out"), process)
            kill(process)
        before = rows_of(tmp_path / "out")
        assert 0 < len(before) <= 20
        server.release()
        cli(*arguments)
    after = rows_of(tmp_path / "out")
    assert after[: len(before)] == before
    assert len(after) == 60


def rows_of(folder: Path) -> list[tuple]:
    with closing(sqlite3.connect(folder / "comparison.db")) as db:
        return db.execute("SELECT rowid, request_id, at FROM judgements ORDER BY rowid").fetchall()


def answers_in(folder: Path) -> int:
    try:
        return len(rows_of(folder))
    except sqlite3.Error:  # not made yet
        return 0


# The command


def test_mistakes_say_what_to_do(cli, graded, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    out = ["--out", tmp_path / "out", "--no-people"]
    a, b, prompts = (graded / name for name in ("a.jsonl", "b.jsonl", "prompts.jsonl"))
    judge = ["compare", a, b, "--prompts", prompts, *out, "--judge"]
    cases = [
        (["compare", a, a, "--prompts", prompts, *out], f"A and B are both {a}: there is nothing to compare."),
        (
            ["compare", a, tmp_path / "none.jsonl", "--prompts", prompts, *out],
            "none.jsonl: no such file or folder. Use a student's folder, a GGUF file, a file of answers, NAME/MODEL on "
            "the hub, or MODEL@http://SERVER/v1.",
        ),
        (["compare", a, b, "--prompts", tmp_path / "none.jsonl", *out], "none.jsonl: no such file."),
        (
            ["compare", a, "m@http://me:secret@host/v1", "--prompts", prompts, *out],
            "m: MODEL@URL: must not contain a key; after a question mark, only api-version=... is allowed. The key is "
            "read from the environment: from OPENAI_API_KEY, or the variable that api_key_env names",
        ),
        (
            ["compare", a, b, "--prompts", prompts, *out, "--judge-base-url", "http://x/v1"],
            "--judge-base-url needs --judge MODEL.",
        ),
        (
            ["compare", a, b, "--prompts", prompts, *out, "--judge", "m", "--judge-base-url", "x"],
            "m: --judge-base-url: must look like http://localhost:8000/v1",
        ),
        (
            [*judge, "gpt-x"],
            "No API key. Set the environment variable OPENAI_API_KEY, or --judge-base-url for a local server. The "
            "built-in judge (--judge simulated) needs neither.",
        ),
        (
            ["compare", a, "m@https://api.openai.com/v1", "--prompts", prompts, *out],
            "No API key. Set the environment variable OPENAI_API_KEY, or MODEL@URL for a local server. `selfinstruct "
            "simulate` (as simulated@URL) needs neither.",
        ),
        (
            ["compare", a, b, "--prompts", prompts, *out, "--train", prompts],
            f"All 30 prompts overlap {prompts}. Use prompts that are not in the training data.",
        ),
        (
            ["compare", a, b, "--prompts", lines(tmp_path / "other.jsonl", ["Why?"]), *out],
            f"{a} has no answers to these prompts. Its prompts must match them word for word.",
        ),
    ]
    for arguments, message in cases:
        assert cli(*arguments, code=2).stderr.rstrip().endswith(message)
    assert "secret" not in (tmp_path / "out/comparison.db").read_bytes().decode("latin-1")
    # None of these has spoiled the folder; once there are answers, it holds one comparison.
    cli(*command(graded, *out))
    # Servers that nobody answers for: of a judge, and of a side.
    dead = "http://127.0.0.1:1/v1"
    for arguments, begin, end in [
        ([*judge, "m", "--judge-base-url", dead], "The judge m has not answered at all", "--judge-base-url"),
        (
            ["compare", a, f"m@{dead}", "--prompts", prompts, "--out", tmp_path / "dead"],
            "m has not answered",
            "MODEL@URL",
        ),
    ]:
        said = cli(*arguments, code=2).stderr
        assert begin in said
        advice = f"Check that the server is up and {end} is right, then run the same command again to resume."
        assert said.rstrip().endswith(advice)
    assert "started with different settings: --seed" in cli(*command(graded, *out, "--seed", 1), code=2).stderr


def test_nobody_is_asked_before_both_can_be(cli, graded, tmp_path):
    """B is a folder that no student here, or none: found before A has answered anything."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.db").touch()
    (tmp_path / "empty").mkdir()
    out = ["--prompts", graded / "prompts.jsonl", "--out", tmp_path / "out", "--no-people"]
    for b, message in [
        (tmp_path / "run", "is a run, not a student. To train a student on it: selfinstruct finetune"),
        (tmp_path / "empty", "no student here"),
        ("./nope", "./nope: no such file or folder. Use a student's folder"),
        ("../nope", "../nope: no such file or folder. Use a student's folder"),
    ]:
        assert message in cli("compare", graded / "a.jsonl", b, *out, code=2).stderr
        with Store(tmp_path / "out") as store:
            assert not store.answered()


def test_where_both_say_the_same_nobody_is_asked(cli, graded, tmp_path):
    same = lines(tmp_path / "same.jsonl", json_lines((graded / "a.jsonl").read_text()))
    arguments = ["compare", graded / "a.jsonl", same, "--prompts", graded / "prompts.jsonl", "--out", tmp_path / "out"]
    done = cli(*arguments, "--people", "--judge", "simulated")
    assert "There is nothing to judge" in done.stderr
    assert "the same answer on 30" in done.stdout
    assert "No verdicts yet." in (tmp_path / "out/comparison.html").read_text()


def test_what_needs_no_model_imports_no_torch(graded, tmp_path):
    """A comparison of files, growing a run, reading a local teacher's settings, scoring answers."""
    arguments = [str(x) for x in command(graded, "--out", tmp_path / "out", "--judge", "simulated")]
    code = f"""
import sys
from selfinstruct.cli import main
sys.argv = ["selfinstruct", *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert not end.code
import selfinstruct.runs.generate, finetune.inference.sampling
import finetune.evaluation.scoring, finetune.evaluation.constraints, finetune.evaluation.statistics
print([name for name in ("torch", "transformers", "trl") if name in sys.modules])
"""
    process = Forked([sys.executable, "-c", code], stdout=subprocess.PIPE)
    said, _ = process.communicate()
    assert process.returncode == 0
    assert said.splitlines()[-1] == "[]"


def test_a_student_answers_and_goes_on_where_it_was(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from tests.tiny_model import write_model

    write_model(tmp_path / "student", [], layers=1)
    n = PART + 6  # two parts
    prompts = lines(tmp_path / "prompts.jsonl", list(some(n, "")))
    sources = str(tmp_path / "student"), a_file(tmp_path, "b.jsonl", some(n, "no"))

    def said() -> list[str]:
        answered(store, sources, prompts, None, Asking(4, 1.0, 3))
        return [item.a for item in store.items()]

    with Store(tmp_path / "out") as store:
        whole = said()
        assert len(set(whole)) > n / 2
        # As if it had been stopped after the first part; of that one an answer is marked, to see that it stays.
        store.db.execute("DELETE FROM answers WHERE side = 'a' AND item >= ?", (PART,))
        store.db.execute("UPDATE answers SET text = 'marked' WHERE side = 'a' AND item = 0")
        assert said() == ["marked", *whole[1:]]

        # Trained again in the meantime: the answers must not be those of two models.
        store.db.execute("DELETE FROM answers WHERE side = 'a' AND item >= ?", (PART,))
        write_model(tmp_path / "student", [], seed=7, layers=1)
        with pytest.raises(UsageError, match=r"has changed since .* another folder with --out"):
            said()
        assert len(store.unanswered("a")) == n - PART
        write_model(tmp_path / "student", [], layers=1)
        (tmp_path / "student/chat_template.jinja").write_text("{{ messages[0].content }}")
        with pytest.raises(UsageError, match="has changed since"):
            said()
        # Whoever has not answered anything yet may be another one.
        store.db.execute("DELETE FROM answers WHERE side = 'a'")
        assert len(said()) == n
