"""Untrusted text: one table says what is named, in the terminal and on every page; ordinary text comes through."""

import ast
import html
import io
import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfinstruct.audit.pages import render
from selfinstruct.engine.display import _panel, line
from selfinstruct.engine.progress import Progress
from selfinstruct.teachers.scheduler import Scheduler
from selfinstruct.untrusted import INVISIBLE, shown, to_json, visible
from selfinstruct.web.page import environment
from tests.odd_text import HIDDEN, ORDINARY, names

EVERY = [chr(code) for code in range(sys.maxunicode + 1)]


def on_an_audit_page(text):
    return re.search(r'<p class="refused">(.*?)</p>', render("refused.html", message=text), re.DOTALL)[1]


def on_a_report(text):
    macro = '{% from "text.html" import text %}{{ text(words) }}'
    page = environment("selfinstruct.report").from_string(macro).render(words=text)
    return re.search(r'<div class="text" dir="auto">(.*?)</div>', page, re.DOTALL)[1]


def test_the_table_is_what_it_says():
    assert [c for c in EVERY if INVISIBLE.match(c)] == HIDDEN


def test_a_terminal_spells_out_all_of_it_and_all_that_cannot_be_printed():
    spelled = [c.encode("unicode_escape").decode() for c in HIDDEN]
    assert [visible(c) for c in HIDDEN] == spelled
    assert visible("a".join(HIDDEN)) == "a".join(spelled)
    kept = [c for c in EVERY if visible(c) == c]
    assert all(c.isprintable() or c in "\n\t" for c in kept)
    assert not set(kept) & set(HIDDEN)
    assert visible("one\n\ttwo\r\n") == "one\n\ttwo\\r\n"


@pytest.mark.parametrize("on_a_page", [on_an_audit_page, on_a_report])
def test_a_page_names_all_of_it(on_a_page):
    for begin in range(0, len(HIDDEN), 200):
        some = HIDDEN[begin : begin + 200]
        page = on_a_page(f"a{'b'.join(some)}c")
        assert not INVISIBLE.search(page)
        assert re.findall(r">(U\+[0-9A-F]{4,6})<", page) == names(some)
        assert html.unescape(re.sub("<[^>]*>", "", page)) == f"a{'b'.join(names(some))}c"


@pytest.mark.parametrize("script", ORDINARY)
def test_ordinary_text_comes_through(script):
    text = ORDINARY[script]
    assert on_an_audit_page(text) == on_a_report(text) == text
    joined = text.replace("\u200c", r"\u200c").replace("\u200d", r"\u200d").replace("\u3000", r"\u3000")
    assert visible(text) == joined  # a terminal never showed joiners and wide spaces


@given(st.text())
def test_nothing_is_markup_and_nothing_is_lost(text):
    for around in ('<span class="invisible">{}</span>', '<b class="unseen">{}</b>', "{}"):
        page = str(shown(text, around))
        assert not INVISIBLE.search(page)
        begin, _, end = around.partition("{}")
        if begin:
            back = re.sub(f"{begin}U\\+(\\w+){end}", lambda found: chr(int(found[1], 16)), page)
            assert html.unescape(back) == text


def test_json_for_other_programs_is_safe_on_a_terminal_and_says_the_same():
    for character in HIDDEN:
        value = {f"a{character}": [f"{character}b"]}
        assert not INVISIBLE.search(to_json(value))
        assert json.loads(to_json(value)) == value
    assert to_json({"a": "é\n"}) == '{"a": "é\\n"}'


# What was reported to reach terminals: colours, titles, links and clipboards; C1 controls; text turned round.
ESCAPES = [
    ("\x1b[2J\x1b[1;1H", "Growth-Circle/cadis#245"),
    ("\x1b]8;;file:///etc/passwd\x1b\\here", "jamie8johnson/cqs#1341"),
    ("\x9b31mred", "oekazuma/svelte-vitals#617"),
    ("\x1b]52;c;aGk=\x07", "resend/resend-cli#240"),
    ("completed\u202edetelpmoc", "marmot-protocol/mdk#993"),
    ("[red]in progress[/red]", "markup of the panel itself"),
]


@pytest.mark.parametrize(("text", "source"), ESCAPES)
async def test_what_a_server_says_of_its_batches_is_shown_and_not_obeyed(text, source):
    from rich.console import Console

    progress = Progress()
    progress.target, progress.batches = 10, f"batch 1 is {text}"
    scheduler = Scheduler(4, 3, lambda *_: 1)
    assert visible(text) in line(progress, scheduler, None)
    assert not INVISIBLE.search(line(progress, scheduler, None))
    console = Console(file=io.StringIO(), width=400)
    console.print(_panel(progress, scheduler, None))
    assert visible(text) in console.file.getvalue()


def test_whatever_is_printed_is_made_safe():
    """Every `print` in the rooms that talk to people is of what `visible` or `to_json` returned, or of nothing."""
    safe = {"visible", "to_json", "_marked"}
    found = []
    for path in [*Path("selfinstruct").rglob("*.py"), *Path("finetune").rglob("*.py")]:
        if "demo" in path.parts:  # shows its own tasks
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print" and node.args:
                calls = {n.func.id for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
                if not calls & safe and ast.unparse(node.args[0]) != "prompt":
                    found.append(f"{path}:{node.lineno}: {ast.unparse(node)}")
    assert all(".render(colour=" in one for one in found), found  # preflight makes each piece visible itself
