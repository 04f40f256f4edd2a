"""Patterns that are compiled when they are first used."""

import re

import pytest

from selfinstruct.patterns import pattern


def test_it_is_a_pattern_with_its_flags():
    word = pattern(r"(?P<first>[a-z])\w*", re.IGNORECASE)
    assert word.fullmatch("Lock")["first"] == "L"
    assert word.sub("x", "two Words") == "x x"
    assert (word.pattern, word.groups) == (r"(?P<first>[a-z])\w*", 1)


def test_nothing_is_compiled_before_it_is_used(monkeypatch):
    compiled = []
    monkeypatch.setattr(re, "compile", lambda *args: compiled.append(args))
    pattern("a")
    assert compiled == []


def test_an_invalid_one_is_an_error_when_it_is_used():
    with pytest.raises(re.error):
        pattern("(").search("")
