"""Malformed answers: by the measure of benchmarks/recovery.py hardly anything that a person could read is lost."""

import importlib.util
import json
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from selfinstruct.report.status import status
from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run
from selfinstruct.simulated.settings import MALFORMED_KINDS
from selfinstruct.store.verify import verify

ROOT = Path(__file__).parents[2]
ANSWERS = 12  # of each shape and kind


def benchmark():
    """The module benchmarks/recovery.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("recovery", ROOT / "benchmarks/recovery.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["recovery"] = module  # its named tuples look for it
    spec.loader.exec_module(module)
    return module


recovery = benchmark()


@pytest.mark.parametrize("in_json", [False, True], ids=["text", "JSON"])
@pytest.mark.parametrize("shape", recovery.SHAPES)
def test_hardly_anything_readable_is_lost_and_hardly_anything_invented(shape, in_json):
    readable = recovered = invented = 0
    for kind in recovery.kinds_of(shape, in_json):
        rng = random.Random(f"{shape}/{kind}/{in_json}")
        row = recovery.measure(shape, kind, in_json, ANSWERS, rng)
        assert row.answers == ANSWERS
        assert row.recovered >= 0.9 * row.readable, kind
        readable += row.readable
        recovered += row.recovered
        invented += row.invented
    assert readable >= ANSWERS
    assert recovered >= 0.98 * readable
    assert invented <= 0.02 * readable


@pytest.mark.parametrize("in_json", [False, True], ids=["text", "JSON"])
@pytest.mark.parametrize("shape", recovery.SHAPES)
def test_sound_answers_are_read_without_loss(shape, in_json):
    row = recovery.measure(shape, "sound", in_json, 40, random.Random(f"{shape}/{in_json}"))
    assert row.recovered == row.readable > 0
    assert row.invented == 0


def test_every_kind_is_measured():
    measured = {
        kind for in_json in (False, True) for shape in recovery.SHAPES for kind in recovery.kinds_of(shape, in_json)
    }
    assert measured == {"sound", *MALFORMED_KINDS}


@pytest.mark.parametrize(
    ("strategy", "answer_format"),
    [("self-instruct", "text"), ("self-instruct", "json"), ("alpaca", "text"), ("alpaca", "json")],
)
async def test_a_run_with_a_teacher_that_is_often_malformed_reaches_its_target(tmp_path, strategy, answer_format):
    settings = {
        "strategy": strategy, "teacher": {"answer_format": answer_format},
        "simulated": {"malformed_share": 0.4, "repeat_share": 0.0, "forbidden_share": 0.0},
    }  # fmt: skip
    run = open_run(tmp_path / "run", None, settings, None)
    with run.store as store:
        assert await generate(run, 50)
        assert verify(store) == []
        found = status(store)
        rows = store.query("SELECT stage, reason, text FROM rejected")
    reasons = Counter(reason for _, reason, _ in rows)
    assert found.tasks == found.generated == 50
    assert found.grades["wrong"] == 0
    assert found.grades["right"] >= 30
    # Refusals and empty answers hold nothing that could be read; nothing else was given up.
    assert set(reasons) & {"no_list", "no_instance"} == set()
    shrugs = {"It depends on the input.", "Yes and no.", "That is hard to say without the input."}
    assert {text for _, reason, text in rows if reason == "unclear_class"} <= shrugs
    if strategy == "self-instruct":  # it asks often enough
        assert {stage for stage, reason, _ in rows if reason == "refusal"} == {"propose", "classify", "instances"}
    assert not reasons["merged_tasks"]
    assert not reasons["pseudo_empty_input"]


def test_the_benchmark_says_what_is_recovered(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["recovery.py", "--answers", "2"])
    with pytest.raises(SystemExit) as ended:
        recovery.main()
    output = capsys.readouterr().out
    assert ended.value.code == 0
    assert "readable items recovered" in output.splitlines()[-1]
    assert json.loads(output.splitlines()[-1].split("all: ")[1].split("%")[0]) >= 98
