"""Diversity: small cases with known figures, and the nearest neighbours of a brute force."""

import json
import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from selfinstruct.report.diversity import Nearest, distinct, measure, render, vendi_score

SCORER = RougeScorer(["rougeL"], use_stemmer=False)
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "d", "sort", "list"]), min_size=1, max_size=8).map(" ".join)


def rouge(one, other):
    return SCORER.score(one, other)["rougeL"].fmeasure


def words(*texts):
    return [text.split() for text in texts]


@given(st.lists(TEXTS, min_size=2, max_size=8), st.lists(TEXTS, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_nearest_are_those_of_a_brute_force(instructions, seeds):
    found = measure(instructions, seeds)
    to_seeds = [max(rouge(seed, text) for seed in seeds) for text in instructions]
    to_pool = [
        max(rouge(other, text) for j, other in enumerate(instructions) if j != i) for i, text in enumerate(instructions)
    ]
    for nearest, scores in ((found.to_seeds, to_seeds), (found.to_pool, to_pool)):
        assert nearest.mean == pytest.approx(statistics.fmean(scores))
        assert nearest.median == pytest.approx(statistics.median(scores))
        assert sum(nearest.tenths) == len(instructions)


def test_an_instruction_is_not_its_own_neighbour_but_its_copy_is():
    text = "Name three long rivers."
    assert measure([text, "Sort words"], []).to_pool == Nearest([2] + [0] * 9, 0.0, 0.0)
    assert measure([text, "Sort words", text], []).to_pool.tenths == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]


@pytest.mark.parametrize("shared", range(11))
def test_a_score_on_the_border_of_two_tenths_lies_in_the_upper_one(shared):
    known = [f"w{i}" for i in range(10)]
    text = known[:shared] + [f"other{i}" for i in range(10 - shared)]
    found = measure([" ".join(known), " ".join(text)], [" ".join(known)])
    assert found.to_pool.tenths[min(shared, 9)] == 2
    assert found.to_seeds.tenths[min(shared, 9)] >= 1


def test_distinct_is_the_share_of_ngrams_that_do_not_repeat():
    texts = words("a b a b", "a b")
    assert distinct(texts, 1) == 2 / 6
    assert distinct(texts, 2) == 2 / 4  # "b a" and "a b"; none across texts
    assert distinct(texts, 3) == 1.0
    assert distinct(texts, 5) == 0.0
    assert distinct([], 1) == 0.0


@pytest.mark.parametrize("n", [1, 2, 7])
def test_equal_texts_have_a_vendi_score_of_1_and_disjoint_ones_of_their_number(n):
    assert vendi_score(words(*["sort the list"] * n)) == pytest.approx(1)
    assert vendi_score(words(*[f"a{i} b{i} c{i}" for i in range(n)])) == pytest.approx(n)


def test_two_groups_of_equal_texts_count_as_two():
    assert vendi_score(words("a b", "a b", "x y", "x y")) == pytest.approx(2)


def test_the_vendi_score_of_two_texts_follows_from_their_cosine():
    cosine = 1 / 3  # a, b, a b; a, c, a c: one of three in common
    shares = [(1 + cosine) / 2, (1 - cosine) / 2]
    assert vendi_score(words("a b", "a c")) == pytest.approx(math.exp(-sum(p * math.log(p) for p in shares)))


@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=5), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_the_vendi_score_lies_between_1_and_the_number_of_texts_in_any_order(texts):
    score = vendi_score(texts)
    assert 1 - 1e-9 <= score <= len({tuple(text) for text in texts}) + 1e-9
    assert vendi_score(texts[::-1]) == pytest.approx(score)


def test_texts_without_tokens_are_left_out_of_the_vendi_score():
    assert vendi_score([[], ["a"], []]) == pytest.approx(1)
    assert vendi_score([[]]) == 0.0


def test_other_scripts_are_measured():
    found = measure(["请写一首诗", "请写一首歌", "시를 한 편 쓰세요"], ["请写一首诗"])
    assert found.to_pool.tenths == [1, 0, 0, 0, 0, 0, 0, 0, 2, 0]
    assert found.to_seeds.tenths == [1, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert found.mean_words == pytest.approx(14 / 3)


def test_the_sample_is_the_same_each_time_and_compared_with_the_whole_pool():
    rng = random.Random(0)
    pool = [" ".join(rng.choices("abcdefghij", k=10)) for _ in range(300)]
    found = measure(pool + pool, pool[:2], sample=100)
    assert found == measure(pool + pool, pool[:2], sample=100)
    assert (found.instructions, found.sampled, found.vendi_sampled) == (600, 100, 100)
    assert found.to_pool == Nearest([0] * 9 + [100], 1.0, 1.0)  # each has its copy, in the sample or not


@pytest.mark.parametrize(("instructions", "seeds"), [([], []), ([], ["Sort."]), (["Sort."], []), (["..."], ["..."])])
def test_nothing_to_compare_with(instructions, seeds):
    found = measure(instructions, seeds)
    assert found.to_pool is None
    assert (found.to_seeds is None) == (not instructions or not seeds)
    assert json.loads(json.dumps(found.as_dict()))["to_pool"] is None
    assert render(found)


def test_the_figures_fit_a_terminal():
    rng = random.Random(0)
    pool = [" ".join(rng.choices("abcdefghij", k=10)) for _ in range(2000)]
    found = measure(pool, pool[:5])
    lines = render(found)
    assert len(lines) <= 8
    assert max(map(len, lines)) <= 76
    assert "of 1,000 of 2,000 instructions" in lines[0]
    values = json.loads(json.dumps(found.as_dict()))
    assert values["to_seeds"]["tenths"] == found.to_seeds.tenths
    assert values["distinct"] == list(found.distinct)
