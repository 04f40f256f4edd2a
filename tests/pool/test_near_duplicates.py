"""Near-duplicates: whatever is found is as similar as a brute force says, and hardly anything is missed."""

import os
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfinstruct.errors import UsageError
from selfinstruct.pool.near_duplicates import MISSED, NearDuplicates
from selfinstruct.pool.novelty import tokens
from selfinstruct.records import Neighbor

# Few words, so that texts are similar and shingles repeat.
TEXTS = st.lists(st.sampled_from(list("abcdef")), max_size=12).map(" ".join)
LOCK = "Say how a lock lifts a boat. The gates close and water flows in until both levels are equal."


def shingles(text, n=3):
    words = tokens(text)
    n = n if len(words) >= n else 1
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def jaccard(one, other):
    one, other = shingles(one), shingles(other)
    return len(one & other) / len(one | other) if one or other else 0.0


def index_of(texts, threshold=0.5):
    index = NearDuplicates(threshold)
    for position, text in enumerate(texts):
        assert index.add(text) == position
    return index


def edited(text, changes, rng):
    words = text.split()
    for place in rng.sample(range(len(words)), changes):
        words[place] = f"other{rng.randrange(10**6)}"
    return " ".join(words)


@given(st.lists(TEXTS, max_size=8), TEXTS, st.sampled_from([0.5, 0.6, 0.75, 1.0]))
@settings(max_examples=150, deadline=None)
def test_what_is_found_has_the_exact_similarity_and_reaches_the_threshold(known, text, threshold):
    found = index_of(known, threshold).nearest(text)
    if found is not None:
        assert found.score == jaccard(known[found.index], text) >= threshold


@given(st.lists(TEXTS.filter(tokens), min_size=1, max_size=8), st.data())
@settings(max_examples=100, deadline=None)
def test_an_equal_text_is_always_found_and_the_first_of_equals_is_given(known, data):
    text = data.draw(st.sampled_from(known))
    first = next(i for i, other in enumerate(known) if shingles(other) == shingles(text))
    assert index_of(known, 1.0).nearest(text) == Neighbor(first, 1.0)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
def test_hardly_anything_at_or_above_the_threshold_is_missed(threshold):
    rng = random.Random(0)
    words = [f"word{i}" for i in range(3000)]
    known = [" ".join(rng.choices(words, k=120)) for _ in range(60)]
    index = index_of(known, threshold)
    found = of = 0
    for position, text in enumerate(known):
        for copy in (edited(text, changes, rng) for changes in range(1, 7)):
            score = jaccard(text, copy)
            neighbor = index.nearest(copy)
            if score >= threshold:
                of += 1
                found += neighbor == Neighbor(position, score)
            else:
                assert neighbor is None
    assert of >= 50
    assert found / of >= 1 - 2 * MISSED


def test_the_most_similar_text_is_given():
    rng = random.Random(1)
    near, nearer = edited(LOCK, 2, rng), edited(LOCK, 1, rng)
    assert index_of(["Name a river.", near, nearer, near]).nearest(LOCK) == Neighbor(2, jaccard(LOCK, nearer))


def test_exactly_the_threshold_is_a_near_duplicate():
    known, text = "a b c d e f g h i", "a b c d e f g x y"  # five shingles of nine
    assert index_of([known], 5 / 9).nearest(text) == Neighbor(0, 5 / 9)
    assert index_of([known], 5 / 9 + 1e-9).nearest(text) is None


def test_case_punctuation_and_layout_do_not_matter():
    assert index_of([LOCK], 1.0).nearest(LOCK.upper().replace(".", " -\n")) == Neighbor(0, 1.0)


@pytest.mark.parametrize(
    ("text", "copy", "score"),
    [
        ("请把下面的句子翻译成英文:今天天气很好", "请把下面的句子翻译成法文:今天天气很好", 13 / 19),
        (
            "다음 글을 읽고 가장 중요한 낱말 세 개를 골라 그 까닭과 함께 쓰세요",
            "다음 글을 읽고 가장 중요한 낱말 다섯 개를 골라 그 까닭과 함께 쓰세요",
            8 / 14,
        ),
        ("ข้อความนี้ยาวพอ", "ข้อความนี้ยาวพอ", 1.0),
    ],
)
def test_other_scripts_are_compared(text, copy, score):
    found = index_of(["Name a river.", text]).nearest(copy)
    assert found == Neighbor(1, pytest.approx(score))
    assert index_of(["Name a river."]).nearest(copy) is None


def test_a_text_of_one_or_two_tokens_is_the_set_of_them():
    index = index_of(["Paris", "yes", "no way"])
    assert index.nearest("YES!") == Neighbor(1, 1.0)
    assert index.nearest("way, no") == Neighbor(2, 1.0)
    assert index.nearest("no") == Neighbor(2, 0.5)
    assert index.nearest("maybe") is None
    assert index.nearest("yes yes yes") is None


@pytest.mark.parametrize("text", ["", "...", " \n", "👍", "\ud800"])
def test_a_text_without_tokens_matches_nothing(text):
    assert index_of([text, LOCK, text]).nearest(text) is None
    assert index_of([text]).nearest(LOCK) is None


def test_an_empty_index_has_no_nearest():
    assert NearDuplicates(0.7).nearest(LOCK) is None


@pytest.mark.parametrize("threshold", [0, 0.49, 1.01, -1, float("nan")])
def test_a_threshold_outside_its_range_says_which_to_choose(threshold):
    with pytest.raises(UsageError, match=r"choose a Jaccard threshold from 0\.5 to 1"):
        NearDuplicates(threshold)


SCRIPT = """
import random, sys
from selfinstruct.pool import near_duplicates as module
assert "datasketch" not in sys.modules and "scipy" not in sys.modules
rng, index = random.Random(3), module.NearDuplicates(0.5)
for _ in range(60):
    text = " ".join(rng.choices("abcd", k=14))
    print(index.nearest(text), index.add(text))
"""


def test_every_process_finds_the_same_and_the_import_is_late():
    said = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert b"Neighbor" in said.pop()
