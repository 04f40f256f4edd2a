"""Selections of rows: by score, without near copies, by coverage; always beside a random choice."""

import json

import numpy as np
import pytest

from selfinstruct.errors import UsageError
from selfinstruct.labels import linear, selection
from selfinstruct.runs.selecting import render, select, write


def rows(tmp_path, values, name="rows.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(one) + "\n" for one in values))
    return path


def test_one_of_each_double_stays_and_the_best_comes_first():
    rng = np.random.default_rng(0)
    words = [f"w{n}" for n in range(300)]
    texts = [" ".join(rng.choice(words, 12)) for _ in range(480)]
    texts += texts[:20]  # exact doubles
    scores = rng.random(500)
    features = linear.features(texts)
    taken = selection.diverse(scores, features, 500)
    assert taken[0] == scores.argmax()
    for at in range(20):
        assert (at in taken) + (480 + at in taken) == 1
        assert (at if scores[at] > scores[480 + at] else 480 + at) in taken
    similar = (features[taken] @ features[taken].T).toarray()
    np.fill_diagonal(similar, 0)
    assert similar.max() <= selection.TOO_SIMILAR + 1e-6


def test_coverage_takes_every_topic_before_a_second_of_one():
    topics = ["lamp light bulb", "lift door floor", "heating cold radiator", "roof rain leak"]
    texts = [f"{topic} {topic}" for topic in topics for _ in range(10)]
    taken = selection.covering(linear.features(texts), 4)
    assert {at // 10 for at in taken} == {0, 1, 2, 3}


def test_highest_and_lowest_and_rows_without_a_score(tmp_path):
    path = rows(tmp_path, [{"text": "a b", "score": 3}, {"text": "c", "score": None}, {"text": "d", "score": "1.5"}])
    assert select(path, "score", 1).kept.tolist() == [0]
    assert select(path, "least", 1).kept.tolist() == [2]
    assert select(path, "score", None, at_least=2).kept.tolist() == [0]
    found = select(path, "score", 3)
    assert sorted(found.kept) == [0, 2]
    assert "because score is empty: 1 row" in render(found)
    write(found, tmp_path / "out.jsonl")
    assert [json.loads(line)["text"] for line in (tmp_path / "out.jsonl").read_text().splitlines()] == ["a b", "d"]


def test_a_score_that_is_length_is_called_so(tmp_path):
    path = rows(tmp_path, [{"output": "word " * n, "score": n} for n in range(1, 60)])
    text = render(select(path, "score", 10))
    assert "rank correlation of score and length: 1.00" in text
    assert "is a measure of length" in text
    assert "at random" in text


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"method": "best"}, "There is no method 'best'"),
        ({"column": "points"}, "there is no column points"),
        ({"column": "text"}, "row 1: text is 'a', not a number"),
        ({"method": "random", "column": "score"}, "has no effect on random"),
        ({"keep": None}, "Say how many rows to keep"),
        ({"method": "coverage", "at_least": 1}, "has no effect on coverage"),
        ({"column": "empty"}, "the column empty is empty"),
    ],
)
def test_what_cannot_be_selected_is_refused(tmp_path, more, message):
    path = rows(tmp_path, [{"text": "a", "score": 1, "empty": None}])
    with pytest.raises(UsageError, match=message):
        select(path, **{"method": "score", "keep": 1, **more})
