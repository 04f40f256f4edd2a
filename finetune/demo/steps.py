"""`make demo-student`: a corpus from the simulated teacher, a model trained on it, and what it has learned.

    python -m finetune.demo --out outputs/demo-student

The model is SmolLM2-135M-Instruct, or with --tiny a LLaMA of a million parameters with random weights. It takes minutes
on two CPU cores and needs no key. Each step prints what it does, and its command if it is one; the same commands work
with a real teacher and a larger model. After Ctrl-C the demo can be resumed.

The teacher proposes tasks of FAMILIES only: those that a model of a million parameters learns in minutes. Many rows of
a few kinds teach a small model more than a few rows of many kinds. docs/finetune-demo.md has the figures for all other
families, and what else was tried.

Not covered: whether the student is good for anything else. The tiny one is not.
"""

import random
import shlex
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tomli_w

from finetune.data.dialogues import read_dialogues, write_dialogues
from finetune.demo.card import write_card
from finetune.demo.graded import (
    KINDS,
    Kind,
    Question,
    Reply,
    Score,
    answers_of,
    guesses,
    held_out,
    replies,
    score,
    table,
)
from finetune.demo.pretrained import choices, pretrained
from finetune.examples import Dialogue
from finetune.training.launching import waited_for
from selfinstruct.errors import UsageError
from selfinstruct.rows.files import to_line
from selfinstruct.rows.writing import whole_file, whole_folder
from selfinstruct.terminal import n_of

FAMILIES = (
    "contains_number", "department", "emotion", "extract_time", "kingdom", "language", "parity", "person", "register",
    "season", "sentence_kind", "sentiment", "spam", "tense", "topic", "urgency",
)  # fmt: skip
TRAINING = {
    "learning_rate": 2e-3, "batch_size": 8, "epochs": 2.0, "warmup": 0.02, "eval_share": 200.0, "keep": "last",
}  # fmt: skip
SHOWN, COMPARED = 5, 60  # questions that are shown with their answers, and that are compared blindly
FEWEST_ROWS, MOST_HELD_OUT, OWN_TOKENS = 50, 200, 64  # of a file of the user's own
MOST_CLASSES = 10  # a family with more answers is no classification


class Recipe(NamedTuple):
    """The sizes of the demo: the corpus, the questions of each family and kind, and the settings of the training.

    `model`: the one to train; None: a tiny one, made here.
    """

    families: Sequence[str] = FAMILIES
    tasks: int = 4000
    instances: int = 5
    questions: int = 20
    most_tokens: int = 32
    training: dict[str, Any] = TRAINING
    seed: int = 0
    model: Path | None = None
    kinds: Sequence[Kind] = KINDS


class Result(NamedTuple):
    """The student's scores, and the time it took in this session, in seconds."""

    scores: list[Score]
    seconds: float


def with_pretrained(seed: int) -> Recipe:
    """The recipe for the pretrained model, which is a hundred times larger: a twelfth of the rows, only new wordings.

    UsageError if the model is not installed.
    """
    training = {
        "learning_rate": 1e-4, "batch_size": 16, "epochs": 1.0, "method": "full", "eval_share": 0.0, "keep": "last",
    }  # fmt: skip
    return Recipe(
        tasks=320, instances=4, questions=10, most_tokens=16, training=training, seed=seed, model=pretrained(),
        kinds=("new wordings",),
    )  # fmt: skip


def run(folder: Path, recipe: Recipe) -> Result:
    """Run all steps in `folder`, or the remaining ones.

    SelfInstructError if a file cannot be written; SystemExit with the exit code of a command that fails.
    """
    began = time.monotonic()
    corpus, untrained, student = folder / "corpus", recipe.model or folder / "untrained", folder / "student"

    _say(began, "Generate a corpus: the simulated teacher proposes tasks and answers them.")
    _write_toml(folder / "corpus.toml", {
        "seed": recipe.seed, "instances_per_task": recipe.instances, "simulated": {"families": list(recipe.families)},
    })  # fmt: skip
    _command("generate", corpus, "--target", recipe.tasks, "--config", folder / "corpus.toml")
    rows = read_dialogues(corpus)

    if not recipe.model:
        _say(began, "Build a tiny LLaMA: a tokenizer trained on the corpus, and random weights.")
        if not untrained.exists():
            _make_untrained(untrained, rows, recipe.seed)

    _say(began, f"Hold out questions: {' and '.join(recipe.kinds)} of the instruction. None is in the corpus.")
    every = held_out(rows, recipe.families, recipe.questions, recipe.seed)
    questions = [one for one in every if one.kind in recipe.kinds]
    for kind in recipe.kinds:
        _write_questions(folder / f"{kind.replace(' ', '_')}.jsonl", [one for one in questions if one.kind == kind])
    print(f"{len(questions):,} questions of {len(recipe.families)} task families; {len(rows):,} training rows.")

    _say(began, "Train it on the corpus, like any model on any data.")
    _write_toml(folder / "training.toml", {**recipe.training, "seed": recipe.seed})
    _command("finetune", corpus, "--model", untrained, "--out", student, "--config", folder / "training.toml")

    _say(
        began,
        "Ask both the held-out questions, and grade the answers: the simulated world knows the right ones.",
    )
    before, after = (
        replies(model, questions, recipe.most_tokens, folder / f"answers_{name}.jsonl")
        for name, model in (("before", untrained), ("after", student))
    )
    baselines = {"guess": guesses(rows, questions)}
    if recipe.model:
        classes = {name: sorted(said) for name, said in answers_of(rows).items() if len(said) <= MOST_CLASSES}
        baselines["choice"] = choices(untrained, questions, classes, folder / "choices_before.json")
    scores = score(questions, {
        **baselines,
        "before": [reply.is_right for reply in before],
        "after": [reply.is_right for reply in after],
    })  # fmt: skip
    print(table(scores), flush=True)
    print("guess: always giving the family's most frequent answer in the corpus.")
    if recipe.model:
        print("choice: before training, the family's answer that the model finds most likely.")

    write_card(student, len(rows), scores, is_pretrained=bool(recipe.model))
    _say(began, "Some answers to new wordings.")
    _show(questions, before, after)

    _say(began, "Compare the two blindly, in both orders, with a judge: here, again, the simulated teacher.")
    compared = [one for one in questions if one.kind == "new wordings"]
    _write_questions(folder / "compared.jsonl", compared[:: max(1, len(compared) // COMPARED)])
    _command(
        "compare", untrained, student, "--prompts", folder / "compared.jsonl", "--judge", "simulated",
        "--max-tokens", recipe.most_tokens, "--out", folder / "comparison",
    )  # fmt: skip
    return Result(scores, time.monotonic() - began)


def run_on_file(folder: Path, data: Path, recipe: Recipe) -> None:
    """Train the recipe's model on a labelled file instead, and evaluate both on rows that are held out of it.

    A fifth of the rows is held out, at most MOST_HELD_OUT. They are drawn one by one: in a file of labels all rows may
    have the same instruction, which `eval_share` would keep together.
    """
    began = time.monotonic()
    _say(began, f"Hold out rows of {data}.")
    rows = read_dialogues(data)
    if len(rows) < FEWEST_ROWS:
        raise UsageError(
            f"{data}: {n_of(len(rows), 'row is', 'rows are')} too few to train on and to test with; "
            f"give at least {FEWEST_ROWS}."
        )
    random.Random(recipe.seed).shuffle(rows)
    n = min(len(rows) // 5, MOST_HELD_OUT)
    known = {str(one.messages[:-1]) for one in rows[n:]}
    held = [one for one in rows[:n] if str(one.messages[:-1]) not in known]
    train, test, student = folder / "train.jsonl", folder / "held_out.jsonl", folder / "student"
    write_dialogues(rows[n:], train)
    write_dialogues(held, test)
    print(f"{n_of(len(rows) - n, 'row')} to train on, {len(held):,} held out; {n - len(held):,} repeat a question.")
    counts = Counter(one.messages[-1]["content"] for one in rows[n:])
    commonest = counts.most_common(1)[0][0]
    guessed = sum(one.messages[-1]["content"] == commonest for one in held) / max(1, len(held))

    _say(began, "Train the model on the others.")
    _write_toml(folder / "training.toml", {**recipe.training, "seed": recipe.seed})
    _command("finetune", train, "--model", recipe.model, "--out", student, "--config", folder / "training.toml")

    _say(began, "Evaluate it on the held-out rows, next to the model before training.")
    _command("evaluate", student, "--data", test, "--before", recipe.model, "--max-tokens", OWN_TOKENS)
    print(f"\nAlways giving the most common answer gets {guessed:.1%}.")


def _make_untrained(untrained: Path, rows: Sequence[Dialogue], seed: int) -> None:
    """The tiny model's folder, which exists only when it is complete."""
    from finetune.demo.tiny import make_tiny

    with whole_folder(untrained, "--out") as part:
        n_parameters = make_tiny(rows, part, seed=seed)
    print(f"{n_parameters:,} parameters, in {untrained}")


def _say(began: float, what: str) -> None:
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    print(f"\n[{minutes}:{seconds:02}] {what}", flush=True)


def _command(*words: object) -> None:
    """Print a command of `selfinstruct` and run it; SystemExit if it fails or was stopped."""
    said = [str(word) for word in words]
    print(f"$ selfinstruct {shlex.join(said)}", flush=True)
    if code := waited_for([sys.executable, "-m", "selfinstruct", *said]):
        sys.exit(code)


def _write_toml(path: Path, values: dict[str, Any]) -> None:
    with whole_file(path, "--out") as part:
        part.write_text(tomli_w.dumps(values), encoding="utf-8")


def _write_questions(path: Path, questions: Sequence[Question]) -> None:
    with whole_file(path, "--out") as part, part.open("w", encoding="utf-8") as lines:
        for one in questions:
            lines.write(to_line({"instruction": one.instruction, "input": one.input, "output": one.output}) + "\n")


def _show(questions: Sequence[Question], before: Sequence[Reply], after: Sequence[Reply]) -> None:
    rows = [row for row in zip(questions, before, after, strict=True) if row[0].kind == "new wordings"]
    for question, was, now in rows[:: max(1, len(rows) // SHOWN)][:SHOWN]:
        print(f"\n{question.text}")
        print(f"  before: {_short(was.text)}\n  after:  {_short(now.text)}\n  right:  {_short(question.output)}")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return f"{line[:77]}..." if len(line) > 80 else line
