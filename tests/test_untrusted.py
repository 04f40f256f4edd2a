"""Untrusted text: one table says what is named, in the terminal and on every page; ordinary text comes through."""

import html
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfinstruct.audit.pages import render
from selfinstruct.untrusted import INVISIBLE, shown, visible
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
