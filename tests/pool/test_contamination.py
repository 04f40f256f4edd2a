"""Overlap with a test set: the evidence is what a brute force finds."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfinstruct.pool.contamination import Line, Overlap, TestSet, overlaps, render
from selfinstruct.pool.novelty import tokens
from selfinstruct.rows.questions import read_lines, read_pairs

WORDS = st.lists(st.sampled_from("abc"), max_size=16).map(" ".join)
MOON = "Why does the moon always show the same side to us, however long we keep watching it?"


def lines(*texts):
    return [Line("exam.txt", number, text) for number, text in enumerate(texts, start=1)]


def ngrams(text, n):
    words = tokens(text)
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def brute_force(known, text, n):
    """The first line of the greatest share of n-grams that stand in the text."""
    best = (0.0, None)
    for line in known:
        size = min(n, max(len(tokens(line.text)), 8))
        of_line = ngrams(line.text, size)
        share = len(of_line & ngrams(text, size)) / len(of_line) if of_line else 0.0
        if share > best[0]:
            best = (share, line)
    return best


@given(st.lists(WORDS, max_size=6), WORDS, st.sampled_from([3, 8, 10, 13]))
@settings(max_examples=200, deadline=None)
def test_ngrams_are_found_as_by_brute_force(known, text, n):
    known = lines(*known)
    share, line = brute_force(known, text, n)
    found = TestSet(known, rouge_threshold=1.0, n=n).overlap(text)
    if line is None:
        assert found is None
    else:
        assert (found.line, found.by, found.score) == (line, "ngram", share)
        assert found.shared in " ".join(tokens(text))
        assert found.shared in " ".join(tokens(line.text))
        assert len(found.shared.split()) == min(n, max(len(tokens(line.text)), 8))


def test_a_copied_question_is_found_inside_a_longer_text():
    known = lines("Name a river.", MOON)
    found = TestSet(known).overlap(f"Answer in a sentence. {MOON.upper()} The moon turns once.")
    assert found == Overlap(known[1], "ngram", "why does the moon always show the same side to us however long", 1.0)


def test_a_run_of_n_tokens_overlaps_and_one_of_n_minus_1_does_not():
    known, text = " ".join("abcdefghijklmnopqrst"), " ".join("abcdefghijklm") + " " + " ".join("XYZUVW")
    found = TestSet(lines(known), rouge_threshold=1.0).overlap(text)
    assert found == Overlap(lines(known)[0], "ngram", " ".join("abcdefghijklm"), 1 / 8)
    assert TestSet(lines(known), rouge_threshold=1.0, n=14).overlap(text) is None


@pytest.mark.parametrize(("length", "expected"), [(7, False), (8, True), (12, True), (13, True)])
def test_a_short_line_counts_where_all_of_it_stands_in_the_text(length, expected):
    known = " ".join("abcdefghijklm"[:length])
    found = TestSet(lines(known), rouge_threshold=1.0).overlap(f"Please say {known} twice")
    assert bool(found) is expected
    if found:
        assert (found.shared, found.score) == (known, 1.0)
    assert TestSet(lines(known), rouge_threshold=1.0).overlap(f"Please say {known[:-2]} x twice") is None


def test_a_reworded_question_is_found_by_rouge_l():
    known = "Name the longest river of the given continent and the sea it flows into."
    text = "Name the longest river of any given country and the lake it flows into."
    found = TestSet(lines(MOON, known)).overlap(text)
    assert found == Overlap(lines(MOON, known)[1], "rouge_l", "", pytest.approx(11 / 14))
    assert TestSet(lines(MOON, known), rouge_threshold=0.8).overlap(text) is None


def test_exactly_the_rouge_threshold_passes():
    known, text = "one two three four five six seven eight nine ten", "one two three four five six seven and so on"
    assert TestSet(lines(known), rouge_threshold=0.7).overlap(text) is None
    assert TestSet(lines(known), rouge_threshold=0.69).overlap(text).score == 0.7


def test_the_line_of_the_highest_score_is_given_and_the_first_of_equals():
    part, whole = f"{MOON} Give three reasons and say who found them.", MOON
    found = TestSet(lines(part, whole, whole)).overlap(f"{MOON} I wonder.")
    assert (found.line.number, found.score) == (2, 1.0)


@pytest.mark.parametrize(
    "question", ["为什么我们总是看到月亮的同一面?", "물이 얼면 왜 부피가 커지는지 그 까닭을 두 문장으로 설명하세요"]
)
def test_other_scripts_are_compared(question):
    text = f"(1) {question} —— 1"
    found = TestSet(lines("Name a river.", question)).overlap(text)
    assert (found.line.text, found.by) == (question, "ngram")
    assert found.score == 1.0
    assert TestSet(lines("Name a river.")).overlap(text) is None


@pytest.mark.parametrize("text", ["", "...", "Name one."])
def test_what_is_like_nothing_overlaps_nothing(text):
    assert TestSet(lines(MOON, "...", "")).overlap(text) is None
    assert TestSet([]).overlap(text) is None


# Finished datasets.


def write(folder, name, content):
    path = folder / name
    path.write_text(content if isinstance(content, str) else "".join(json.dumps(row) + "\n" for row in content))
    return path


def compared(dataset, test_set):
    return overlaps(read_pairs(dataset), read_lines(test_set))


def test_a_dataset_is_compared_with_its_answers(tmp_path):
    test_set = write(tmp_path, "exam.txt", f"{MOON}\nSort the given words by their last letter.\n")
    copied = {"instruction": "Answer.", "input": "", "output": f"You asked: {MOON}"}
    reworded = {"instruction": "Sort the given names by their last letter.", "input": "", "output": "long " * 50}
    path = write(tmp_path, "records.jsonl", [{"instruction": "Name a river."}, copied, reworded])
    found = compared(path, test_set)
    assert (found.rows, found.lines, found.by_rule()) == (3, 2, {"ngram": 1, "rouge_l": 1})
    assert [(row.number, overlap.line.number, overlap.by) for row, overlap in found.found] == [
        (2, 1, "ngram"), (3, 2, "rouge_l"),
    ]  # fmt: skip
    said = render(found)
    assert said.startswith("2 of 3 rows overlap the test set (2 lines)")
    assert '"why does the moon always show' in said
    assert "ROUGE-L 0.875" in said
    assert "and 1 more; --json lists all" in render(found, examples=1)
    values = json.loads(json.dumps(found.as_dict()))
    assert values["ngram"] == 1
    assert values["found"][0]["row"]["number"] == 2
    assert values["found"][0]["line"] == {"file": str(test_set), "number": 1, "text": MOON}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Say it.", "completion": MOON},
        {"messages": [{"role": "user", "content": "Say it."}, {"role": "assistant", "content": MOON}]},
        {"conversations": [{"from": "human", "value": "Say it."}, {"from": "gpt", "value": MOON}]},
        {"instruction": "Say it.", "instances": [{"input": "", "output": MOON}]},
        {"instruction": "Say it.", "input": "", "output": MOON, "messages": []},
    ],
)
def test_every_format_of_ours_can_be_compared(tmp_path, row):
    found = compared(write(tmp_path, "data.jsonl", [row]), write(tmp_path, "exam.txt", MOON))
    assert found.by_rule() == {"ngram": 1, "rouge_l": 0}


def test_a_dataset_without_overlaps(tmp_path):
    path = write(tmp_path, "data.json", json.dumps([{"instruction": "Name a river.", "input": "", "output": "Nile"}]))
    found = compared(path, write(tmp_path, "exam.txt", MOON))
    assert found.as_dict() == {"rows": 1, "lines": 1, "ngram": 0, "rouge_l": 0, "found": []}
    assert len(render(found).splitlines()) == 3


SCRIPT = """
import random
from selfinstruct.pool.contamination import TestSet, Line
rng = random.Random(3)
test_set = TestSet([Line("x", i, " ".join(rng.choices("ab", k=16))) for i in range(40)], n=9)
for _ in range(40):
    print(test_set.overlap(" ".join(rng.choices("ab", k=16))))
"""


def test_every_process_finds_the_same():
    said = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert b"ngram" in said.pop()
