"""The report: figures that agree with the store, and a page that is whole, loads nothing and runs nothing."""

import asyncio
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfinstruct.report.charts import bar, columns, sunburst
from selfinstruct.report.figures import BLOCKS, EXAMPLES, LENGTHS, LONGEST, Some, figures, lengths_of
from selfinstruct.report.page import html
from selfinstruct.report.verbs import Root, is_english, roots, verb_and_object
from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run
from selfinstruct.store.store import Store
from selfinstruct.untrusted import INVISIBLE
from selfinstruct.web.page import visible
from tests.odd_text import ORDINARY, STORABLE, names

MIXED = {"wrong_share": 0.2, "repeat_share": 0.25, "forbidden_share": 0.15, "malformed_share": 0.15}
VOID = {"meta", "br"}
BREAKS = {"br", "span", "div", "td", "details"}  # text before and after them are two words


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of 60 tasks with some of every kind of rejection."""
    run = open_run(tmp_path_factory.mktemp("runs") / "first", None, {"seed": 3, "simulated": MIXED}, None)
    with run.store:
        assert asyncio.run(generate(run, 60))
    return run.store.folder


@pytest.fixture(scope="module")
def found(folder):
    with Store.read(folder) as store:
        return figures(store)


class Page(HTMLParser):
    """A page taken apart: its tags with attributes, and its text; wrong nesting is an error."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.words += " " * (tag in BREAKS)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.words += data


def imported(tmp_path, cli, rows, name="imported") -> Path:
    """A run that was brought in from a finished dataset."""
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    cli("import", tmp_path / name, "--alpaca", path)
    return tmp_path / name


def page_of(folder: Path) -> str:
    with Store.read(folder) as store:
        return html(figures(store))


# The figures.


def test_the_figures_agree_with_the_store(folder, found):
    with Store.read(folder) as store:
        one = lambda sql: store.query(sql)[0][0]  # noqa: E731
        n_rejected = one("SELECT count(*) FROM rejections")
        n_judged = one("SELECT count(*) FROM candidates") - len(store.pending())
        records = list(store.records())
        scores = [row[0] for row in store.query("SELECT nearest_score FROM tasks")]
    assert found.status.tasks == 60
    assert sum(reason.number for reason in found.reasons) == n_rejected > 0
    assert sum(block.admitted for block in found.acceptance) == 60
    assert sum(block.judged for block in found.acceptance) == n_judged
    assert sum(found.novelty) == 60
    assert found.novelty[2] == sum(0.2 <= score < 0.3 for score in scores) > 0
    assert found.lengths["output"].texts == len(records)
    assert found.lengths["input"].empty == sum(not record.input for record in records)
    assert found.lengths["output"].longest == max(len(record.output.split()) for record in records)
    assert 0 < found.grades["wrong"] < found.grades["right"]
    steps = {step.name: step.number for step in found.funnel}
    assert steps["candidates judged"] == n_judged
    assert steps["passed the filters"] - 60 == sum(r.number for r in found.reasons if r.stage == "novelty")
    assert steps["records"] == len(records)


def test_blocks_cover_all_steps_in_order(folder, found):
    with Store.read(folder) as store:
        steps = store.steps()
    assert found.acceptance[0].first == 0
    assert found.acceptance[-1].last == len(steps) - 1
    assert all(before.last + 1 == after.first for before, after in pairwise(found.acceptance))
    assert len(found.acceptance) <= BLOCKS


def test_examples_are_some_of_what_there_is(folder, found):
    with Store.read(folder) as store:
        records = {(record.instruction, record.input, record.output) for record in store.records()}
        instructions = {task.instruction for task in store.tasks()}
    assert len(found.records) == len(found.tasks) == len(found.rejected) == EXAMPLES
    assert {(r["instruction"], r["input"], r["output"]) for r in found.records} <= records
    assert {task["instruction"] for task in found.tasks} <= instructions
    assert all(1 <= len(reason.examples) <= 2 for reason in found.reasons)
    similar = next(reason for reason in found.reasons if reason.reason == "too_similar")
    assert similar.examples[0]["evidence"].startswith("ROUGE-L ")


def test_json_has_the_same_figures(cli, folder, found):
    printed = json.loads(cli("report", folder, "--json").stdout)
    assert printed == json.loads(json.dumps(found.as_dict()))
    assert printed["status"]["tasks"] == 60
    assert printed["reasons"][0]["number"] == found.reasons[0].number
    assert not (folder / "report.html").exists()


def test_the_same_store_gives_the_same_page(folder):
    assert page_of(folder) == page_of(folder)


@given(st.lists(st.integers()), st.integers(min_value=1, max_value=5))
def test_a_few_of_many(many, size):
    some = Some(size, Random(0))
    for one in many:
        some.offer(one)
    assert len(some.kept) == min(size, len(many))
    assert all(some.kept.count(one) <= many.count(one) for one in some.kept)


@given(st.lists(st.integers(min_value=0, max_value=1000)))
def test_every_text_is_in_one_bin(counts):
    found = lengths_of(counts)
    assert sum(found.bins) + found.empty == found.texts == len(counts)
    assert found.bins[0] == counts.count(1)
    assert found.bins[-1] == sum(n > LENGTHS[-1] for n in counts)


# The page.


def test_the_page_is_whole_and_loads_and_runs_nothing(folder):
    text = page_of(folder)
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attributes in page.tags:
        assert not {name for name in attributes if name in ("src", "href", "srcset") or name.startswith("on")}
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    policy = next(a for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_the_page_says_the_figures(folder, found):
    words = " ".join(Page(page_of(folder)).words.split())
    assert "60 tasks of 60" in words
    for reason in found.reasons:
        assert f"{reason.reason} {reason.stage} {reason.explanation} {reason.number}" in words
    assert f"{found.grades['right'] / (found.grades['right'] + found.grades['wrong']):.1%}" in words
    assert "Do not train a real model" in words
    assert "Approximate" in words
    assert "free" in words


def test_every_picture_is_said_in_words_too(folder):
    labels = [a.get("aria-label") for tag, a in Page(page_of(folder)).tags if tag == "svg" and "role" in a]
    assert len(labels) == 7
    assert all(labels)


def test_what_a_model_says_stays_text(cli, tmp_path):
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    rows = [
        {
            "instruction": f"Tell me about {evil} and \u202egnp.exe",
            "input": "a\x07b\x1b[31m",
            "output": f"{evil}\u2066",
        },
        {"instruction": "What is {{ 7 * 7 }} in a template?", "input": "", "output": "a\u200b" + "w" * 50_000},
        {"instruction": f"<b>{evil}", "input": "", "output": "No."},
    ]
    text = page_of(imported(tmp_path, cli, rows, "<i>name"))
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "img"}
    assert "onerror" not in {name for _, attributes in page.tags for name in attributes}
    assert not re.search("[\x00-\x08\x0b-\x1f\u200b\u202a-\u202e\u2066-\u2069]", text)
    for code in ("U+202E", "U+0007", "U+001B", "U+2066", "U+200B"):
        assert code in page.words
    assert evil in page.words
    assert "What is {{ 7 * 7 }} in a template?" in page.words
    assert "<i>name: report" in page.words
    assert "details" in {tag for tag, attributes in page.tags if attributes.get("class") == "text"}
    assert f"{50_002 - LONGEST:,} more characters in run.db" in page.words


def test_a_page_names_what_is_invisible_and_keeps_ordinary_text(tmp_path, cli):
    blank = "Name a \u3164 of the longest river in this country."  # the noun of the table, and of the picture
    rows = [
        {"instruction": blank, "input": "a".join(STORABLE), "output": "Nile"},
        {"instruction": "Say it in other scripts.", "input": "", "output": " | ".join(ORDINARY.values())},
    ]
    text = page_of(imported(tmp_path, cli, rows))
    assert not INVISIBLE.search(text)
    assert set(re.findall(r">(U\+\w+)</b>", text)) == set(names(STORABLE))
    assert re.search("<text[^>]*>U\\+3164</text>", text)
    assert all(said in Page(text).words for said in ORDINARY.values())


@given(st.text())
def test_all_but_what_cannot_be_seen_is_kept(text):
    shown = Page(f"<p>{visible(text)}</p>").words
    back = re.sub(r"U\+([0-9A-F]{4,6})(?![0-9A-F])", "", shown)
    assert "<" not in visible(text).replace('<b class="unseen">', "").replace("</b>", "")
    if text.isascii() and text.isprintable() and "U+" not in text:
        assert back == text


def test_an_empty_run(cli, tmp_path):
    open_run(tmp_path / "empty", None, {}, None).store.close()
    path = tmp_path / "empty" / "report.html"
    assert cli("report", tmp_path / "empty").stdout == f"{path}\n"
    words = Page(path.read_text(encoding="utf-8")).words
    assert "No task has been admitted yet." in words
    assert "Nothing was rejected." in words
    assert json.loads(cli("report", tmp_path / "empty", "--json").stdout)["status"]["tasks"] == 0


def test_a_run_that_is_being_written(cli, tmp_path):
    """Another process holds the lock and is in the middle of a transaction: what is committed is shown."""
    run = open_run(tmp_path / "run", None, {"seed": 4}, None)
    with run.store:
        asyncio.run(generate(run, 5))
        with run.store.transaction():
            run.store.db.execute("DELETE FROM instances")
            assert json.loads(cli("report", tmp_path / "run", "--json").stdout)["status"]["records"] > 0
            cli("report", tmp_path / "run")
    assert "5 tasks" in " ".join(Page((tmp_path / "run" / "report.html").read_text(encoding="utf-8")).words.split())


def test_a_run_that_asks_for_whole_tasks(cli, tmp_path):
    cli("generate", tmp_path / "run", "--target", 20, "--strategy", "alpaca", "--seed", 2)
    words = Page(page_of(tmp_path / "run")).words
    assert "Not requested in this run" in words


def test_a_dataset_that_was_brought_in_has_no_cost_and_no_seeds(cli, tmp_path):
    instructions = ["请写一首关于春天的诗。", "把下面的句子翻译成英文。", "列出三种常见的水果及其颜色。"]
    folder = imported(tmp_path, cli, [{"instruction": i, "input": "", "output": "好的。"} for i in instructions])
    words = " ".join(Page(page_of(folder)).words.split())
    assert "recorded elsewhere" in words
    assert "The run has no seed tasks to compare with." in words
    assert "0 of 3 look English" in words
    assert "$" not in words
    with Store.read(folder) as store:
        assert figures(store).lengths["instruction"].longest == 13  # characters, in a script without spaces


def test_known_prices_are_added_up_and_unknown_ones_said(cli, folder, tmp_path):
    """Two stages of a run are given models of a server, one of them with a price."""
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "run.db").write_bytes((folder / "run.db").read_bytes())
    with Store.resume(copy) as store, store.transaction():
        store.db.execute("UPDATE requests SET teacher = 'openai', model = 'cheap' WHERE stage = 'propose'")
        store.db.execute("UPDATE requests SET teacher = 'openai', model = 'dear' WHERE stage = 'instances'")
        store.db.execute(
            "UPDATE completions SET cost_usd = 2.0 / (SELECT count(*) FROM requests WHERE stage = 'instances') "
            "WHERE request_id IN (SELECT id FROM requests WHERE stage = 'instances')"
        )
    words = " ".join(Page(page_of(copy)).words.split())
    assert "$2.00 cost where prices are known" in words
    assert re.search(r"propose cheap \d+ [\d,]+ [\d,]+ cost unknown", words)
    assert re.search(r"instances dear \d+ [\d,]+ [\d,]+ \$2\.0000", words)


def test_the_page_can_go_elsewhere(cli, folder, tmp_path):
    path = tmp_path / "new folder" / "page.html"
    assert cli("report", folder, "--output", path).stdout == f"{path}\n"
    assert path.read_text(encoding="utf-8") == page_of(folder)
    assert "cannot be written" in cli("report", folder, "--output", tmp_path, code=2).stderr
    assert "--json" in cli("report", folder, "--output", path, "--json", code=2).stderr
    assert "no run here" in cli("report", tmp_path / "nothing", code=2).stderr


# Verbs and their objects.


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("Write a short story about a lighthouse.", ("write", "story")),
        ("Could you please translate the sentences into French?", ("translate", "sentence")),
        ("Given a list of words, sort them by length.", ("sort", None)),
        ("Your task is to classify the reviews as good or bad.", ("classify", "review")),
        ("Explain why the sky is blue.", ("explain", None)),
        ("List three healthy breakfast dishes.", ("list", "dish")),
        ("Give me a summary of the following text", ("give", "summary")),
        ("What is the capital of France?", None),
        ("Which is longer? Name the river.", ("name", "river")),
        ("Suggest two hobbies", ("suggest", "hobby")),
        ("", None),
        ("请写一首诗", None),
        ("List the band members of the group.", ("list", "member")),
    ],
)
def test_verb_and_object(instruction, expected):
    assert verb_and_object(instruction) == expected


@given(st.text())
def test_any_text_can_be_looked_at(text):
    verb_and_object(text)
    is_english(text)


def test_the_most_frequent_come_first():
    found = roots(["Write a poem.", "Write a poem.", "Write a story.", "Name a river.", "Why?"])
    assert found == [Root("write", 3, [("poem", 2), ("story", 1)]), Root("name", 1, [("river", 1)])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What is the capital of the country?", True),
        ("Name three rivers.", True),
        ("Nenne drei Flüsse in Deutschland und ihre Länge.", False),
        ("Escribe un poema sobre el mar.", False),
        ("请写一首诗", False),
        ("12 + 7", False),
        ("", False),
    ],
)
def test_is_english(text, expected):
    assert is_english(text) is expected


# Charts are well-formed whatever they are given.


@given(
    st.lists(st.floats(min_value=0, max_value=1e12), max_size=30),
    st.text(alphabet=st.characters(categories=["L", "P", "S"])),
)
def test_columns_stay_in_the_picture(values, text):
    texts = [text] * len(values)
    picture = ElementTree.fromstring(columns(values, texts, texts, text, line=(0.5, text)))
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    for rect in picture.iter("rect"):
        x, y, w, h = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
    assert len(list(picture.iter("rect"))) == sum(value > 0 for value in values)
    assert picture.attrib["aria-label"] == text


@given(
    st.lists(st.tuples(st.integers(min_value=1, max_value=500), st.lists(st.integers(1, 500), max_size=4)), max_size=14)
)
def test_a_sunburst_has_a_sector_for_every_verb_and_object(sizes):
    verbs = [Root("write", max(n, sum(of)), [("<poem>", k) for k in of]) for n, of in sizes]
    picture = ElementTree.fromstring(sunburst(verbs, "<verbs>"))
    sectors = [path.attrib["class"].split()[-1] for path in picture.iter("path")]
    assert sectors.count("verb") == len(verbs)
    assert sectors.count("noun") == sum(len(of) for _, of in sizes)
    assert not re.search(r"nan|inf", ElementTree.tostring(picture, encoding="unicode"))


def test_a_bar_is_as_long_as_its_part():
    assert [rect.attrib["width"] for rect in ElementTree.fromstring(bar(0.25)).iter("rect")] == ["100%", "25.00%"]
