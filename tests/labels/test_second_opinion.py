"""A second opinion on labels: it finds random errors, and is an error rate only after rows were checked."""

import csv

import numpy as np
import pytest

import selfinstruct as si
from selfinstruct.errors import UsageError
from selfinstruct.labels import errors, linear
from selfinstruct.records import Request
from selfinstruct.runs.disagreement import disagreement, draw, keep_checked, render
from selfinstruct.testing import ScriptedTeacher

WORDS = (
    ("lamp", "stairs", "light", "bulb"),
    ("lift", "doors", "floor", "button"),
    ("heating", "cold", "radiator", "warm"),
)


def texts_of(n: int) -> tuple[list[str], np.ndarray]:
    rng = np.random.default_rng(0)
    gold = rng.integers(0, 3, n)
    texts = [f"The {' and the '.join(rng.choice(WORDS[one], 3))} of house {at}" for at, one in enumerate(gold)]
    return texts, gold


def test_random_errors_are_ranked_first():
    texts, gold = texts_of(300)
    wrong = np.random.default_rng(1).random(300) < 0.15
    labels = np.where(wrong, (gold + 1) % 3, gold)
    suspicion = errors.suspicion(linear.out_of_sample(texts, labels, 3), labels)
    first = suspicion.argsort()[::-1][: wrong.sum()]
    assert wrong[first].mean() > 0.95


def test_no_label_is_predicted_from_a_copy_of_its_text():
    texts = ["same words here"] * 20 + ["other words there"] * 20
    labels = np.array([0] * 20 + [1] * 20)
    found = linear.out_of_sample(texts, labels, 2)
    assert len(np.unique(found[:20].round(6), axis=0)) == 1
    assert not np.array_equal(found.argmax(axis=1), labels)  # each group was held out as a whole


def test_the_rate_weighs_both_kinds_of_checked_rows():
    disagrees = np.array([False] * 900 + [True] * 100)
    labels, gold = np.zeros(1000, dtype=np.int64), np.full(1000, -1)
    gold[:50], gold[900:950] = [1] * 5 + [0] * 45, [1] * 40 + [0] * 10
    rate = errors.error_rate(disagrees, labels, gold)
    assert rate.share == pytest.approx(0.9 * 0.1 + 0.1 * 0.8)
    assert rate.low < 0.12 < rate.share < 0.24 < rate.high
    assert errors.error_rate(disagrees, labels, np.where(disagrees, gold, -1)) is None


def test_rows_are_drawn_checked_and_counted(tmp_path):
    texts, gold = texts_of(120)
    rows = [{"id": f"r{at}", "text": text} for at, text in enumerate(texts)]
    truth = {text: "abc"[one] for text, one in zip(texts, gold, strict=True)}
    task = {"ask": "label", "instruction": "What is it about?", "labels": list("abc")}
    teacher = ScriptedTeacher()

    def errs(request: Request) -> str:
        return "a" if request.user.endswith(("0", "5")) else truth[request.user.partition("\n\n")[2]]

    teacher.enqueue(errs, repeat=True)
    si.annotate(tmp_path / "run", rows, task, id="id", teacher={"kind": teacher}, progress=False)
    found = disagreement(tmp_path / "run")
    assert found.rate is None
    assert "How many labels are wrong is not known" in render(found)
    n = draw(found, tmp_path / "check.csv", 8)
    with pytest.raises(UsageError, match="may have been filled in"):
        draw(found, tmp_path / "check.csv", 8)
    with (tmp_path / "check.csv").open(newline="") as file:
        drawn = list(csv.DictReader(file))
    assert len(drawn) == n == 16
    with (tmp_path / "checked.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, drawn[0])
        out.writeheader()
        out.writerows({**row, "gold": truth[row["text"]]} for row in drawn)
    checked = disagreement(tmp_path / "run", tmp_path / "checked.csv")
    rate = checked.rate
    assert keep_checked(tmp_path / "run", checked) == 16
    assert keep_checked(tmp_path / "run", disagreement(tmp_path / "run", tmp_path / "checked.csv")) == 0
    assert si.Annotations(tmp_path / "run").combine().result.score.n == 16
    true = np.mean([truth[one.text] != one.label for one in found.doubts])
    assert (rate.agreeing, rate.disagreeing) == (8, 8)
    assert rate.low <= true <= rate.high
    (tmp_path / "strange.csv").write_text("id,gold\nr1,z\n")
    with pytest.raises(UsageError, match="not among a, b, c"):
        disagreement(tmp_path / "run", tmp_path / "strange.csv")
    (tmp_path / "strange.csv").write_text("id,gold\nr999,a\n")
    with pytest.raises(UsageError, match="no labeled row with the id"):
        disagreement(tmp_path / "run", tmp_path / "strange.csv")
    (tmp_path / "strange.csv").write_text("id,label\nr1,a\n")
    with pytest.raises(UsageError, match="there is no column gold"):
        disagreement(tmp_path / "run", tmp_path / "strange.csv")


def test_ids_of_any_kind_are_found_again(tmp_path):
    ids = [1.5, [1, "a"], True, *range(20)]
    rows = [{"id": one, "text": f"number {n % 2} of {n}"} for n, one in enumerate(ids)]
    teacher = ScriptedTeacher()
    teacher.enqueue(lambda request: "ab"["number 1" in request.user], repeat=True)
    task = {"ask": "label", "instruction": "Which?", "labels": ["a", "b"]}
    si.annotate(tmp_path / "run", rows, task, id="id", teacher={"kind": teacher}, progress=False)
    draw(disagreement(tmp_path / "run"), tmp_path / "check.csv", 50)
    text = (tmp_path / "check.csv").read_text()
    (tmp_path / "checked.csv").write_text(text.replace(",\n", ",a\n"))
    assert {one.gold for one in disagreement(tmp_path / "run", tmp_path / "checked.csv").doubts} == {"a"}
    si.annotate(
        tmp_path / "both", [*rows, {"id": "1", "text": "number 1 as text"}], task, id="id", teacher={"kind": teacher},
        progress=False,
    )  # fmt: skip
    with pytest.raises(UsageError, match="may be a number or a text"):
        disagreement(tmp_path / "both", tmp_path / "checked.csv")


def test_what_has_no_labels_gets_no_second_opinion(tmp_path):
    teacher = ScriptedTeacher()
    teacher.enqueue("4", repeat=True)
    rows = [{"text": f"Text {n}"} for n in range(3)]
    si.annotate(
        tmp_path / "run", rows, {"ask": "score", "instruction": "How good?"}, teacher={"kind": teacher}, progress=False
    )
    with pytest.raises(UsageError, match="needs a run that asks for"):
        disagreement(tmp_path / "run")
