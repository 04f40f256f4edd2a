"""Evaluates a student on held-out data, alone or next to another model.

    >>> questions = held_out(Path("outputs/student/held_out.jsonl"), "model")
    >>> found = evaluate("outputs/student", questions, before="Qwen/Qwen2.5-0.5B", max_tokens=256, answers=path)
    >>> found.figures[0]
    Figure(name='loss', says='loss per token', rows=200, after=Interval(value=1.31, low=1.22, high=1.4), ...)

Only the last answer of a dialogue is generated and scored; the answers before it are the reference's. The loss is that
of all its answers, as in training. Both models get the same messages, each through its own chat template; a base model
without one uses the student's, with the tokens that the training added, at their initial values. One model is in memory
at a time.

The modules: asking (answers, and the file that stores them), scoring (one answer), judging (figures), constraints.

Not covered: several answers to a question, sampled answers, judges (`selfinstruct compare` has them).
"""

import gc
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import torch

from finetune.data.dialogues import normalised, read_dialogues
from finetune.data.encoding import Reasoning
from finetune.data.templates import Template, without_reasoning, worded
from finetune.evaluation import judging
from finetune.evaluation.asking import AnswerFile, Question, ask
from finetune.evaluation.choosing import classes_of
from finetune.evaluation.constraints import prompts
from finetune.evaluation.judging import Figure, Row
from finetune.evaluation.scoring import known
from finetune.examples import Dialogue, Message
from finetune.inference.student import Student
from selfinstruct.errors import UsageError
from selfinstruct.pool.contamination import TestSet
from selfinstruct.records import Line
from selfinstruct.rows.toml import read_toml
from selfinstruct.terminal import tracked


class Evaluation(NamedTuple):
    """Figures for `rows` held-out rows of `tasks` tasks, and for `prompts` with constraints; next to those of `before`.

    `left_out` rows have no loss, as they exceed the context. `grades` counts right, wrong and unknown answers to tasks
    of the simulated world, `families` are the shares of right ones; `kinds` the shares of constraints strictly met.
    """

    student: str
    before: str | None
    max_tokens: int
    answers: str
    rows: int
    tasks: int
    left_out: int
    figures: list[Figure]
    references: dict[str, float]
    grades: dict[str, int]
    families: list[Figure]
    prompts: int
    constraints: list[Figure]
    kinds: list[Figure]

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {
            name: [figure.as_dict() for figure in value] if isinstance(value, list) else value
            for name, value in self._asdict().items()
        }


class Trained(NamedTuple):
    """Questions that overlap the training data: the same, or similar by selfinstruct.pool.contamination; and the first.

    `unread`: why some training data could not be compared, "" if all was.
    """

    rows: int
    same: int
    alike: int
    example: str
    unread: str


def held_out(
    path: Path, template: Template, limit: int | None = None, reasoning: Reasoning = "train"
) -> list[Question]:
    """The dialogues of a file, of any format that is trained, as questions worded as the template has it.

    Reasoning before an answer is treated as in training: its loss counts, or does not, or it is dropped.

    `limit`: only that many of them, drawn evenly; more are the same ones and others. UsageError as in `read_dialogues`.
    """
    dialogues = [worded(dialogue, template) for dialogue in read_dialogues(path)]
    if reasoning == "drop":
        dialogues = [without_reasoning(dialogue) for dialogue in dialogues]
    order = list(range(len(dialogues)))
    random.Random(0).shuffle(order)
    classes = classes_of(dialogues)
    chosen = [(dialogues[place], classes[place]) for place in sorted(order[:limit])]
    return [Question(d.messages[:-1], d.task, d.source, d, known(d), (), reasoning, some) for d, some in chosen]


def constrained(n: int) -> list[Question]:
    """`n` questions with constraints; a larger `n` includes the same ones."""
    return [
        Question([Message(role="user", content=p.text)], f"prompt {i}", f"constraints, prompt {i}", checks=p.checks)
        for i, p in enumerate(prompts(n), start=1)
    ]


def template_of(student: Path) -> Template:
    """The template that the student was trained with, from its finetune.toml; "model" if there is none."""
    templates: tuple[Template, ...] = get_args(Template)
    return next((name for name in templates if name == _settings(student).get("template")), "model")


def reasoning_of(student: Path) -> Reasoning:
    """What the student's training did with reasoning, as its finetune.toml says; "train" where there is none."""
    choices: tuple[Reasoning, ...] = get_args(Reasoning)
    return next((name for name in choices if name == _settings(student).get("reasoning")), "train")


def evaluate(
    student: str, questions: Sequence[Question], before: str | None, max_tokens: int, answers: Path
) -> Evaluation:
    """Get the answers that the file `answers` lacks from the student and then from the model `before`; score both.

    UsageError if a model cannot be loaded or prompted, or the file cannot be used.
    """
    with AnswerFile(answers) as kept:
        asked = Student(student)
        tokenizer = asked.tokenizer
        after = ask(asked, questions, max_tokens, kept)
        rows = [Row(question, answered) for question, answered in zip(questions, after, strict=True)]
        del asked
        if before is not None:
            gc.collect()
            torch.cuda.empty_cache()
            earlier = ask(Student(before, tokenizer), questions, max_tokens, kept)
            rows = [row._replace(earlier=answered) for row, answered in zip(rows, earlier, strict=True)]
    data = [row for row in rows if row.question.dialogue]
    checked = [row for row in rows if row.question.checks]
    return Evaluation(
        student, before, max_tokens, str(answers),
        len(data), len({row.question.task for row in data}), sum(row.answered.loss is None for row in data),
        judging.figures(data, judging.MEASURES), judging.references(data), judging.grades(data),
        judging.by_family(data),
        len(checked), judging.figures(checked, judging.CONSTRAINTS), judging.by_kind(checked),
    )  # fmt: skip


def trained(student: Path, questions: Sequence[Question]) -> Trained | None:
    """The questions that are in the data named in the student's finetune.toml, except for held-out tasks.

    Only questions are compared, not answers. None if no data is named.
    """
    sources = [source["path"] for source in _settings(student).get("data", ()) if isinstance(source, dict)]
    if not sources:
        return None
    if gone := [source for source in sources if str(source).startswith(("/dev/", "/proc/"))]:
        return Trained(0, 0, 0, "", f"{gone[0]} was a pipe")  # now it may be another one
    set_aside = student / "held_out.jsonl"
    try:
        told: list[str] = []  # what is not used of these the training has said
        held = {one.task for one in read_dialogues(set_aside, notes=told)} if set_aside.exists() else set()
        rows = [one for source in sources for one in read_dialogues(source, notes=told) if one.task not in held]
    except UsageError as error:
        return Trained(0, 0, 0, "", str(error))
    asked = [_asked(question.dialogue) for question in questions if question.dialogue]
    lines = [Line(dialogue.source, 0, _asked(dialogue)) for dialogue in rows]
    known_texts = {normalised(line.text) for line in lines}
    tests = TestSet(lines)
    same = [text for text in asked if normalised(text) in known_texts]
    others = [text for text in asked if normalised(text) not in known_texts]
    alike = [text for text in tracked(others, "comparing with the training data") if tests.overlap(text)]
    return Trained(len(rows), len(same), len(alike), next(iter(same + alike), ""), "")


def _asked(dialogue: Dialogue) -> str:
    if dialogue.instruction is not None:
        return f"{dialogue.instruction}\n{dialogue.input or ''}".strip()
    return "\n".join(message["content"] for message in dialogue.messages if message["role"] == "user")


def _settings(student: Path) -> dict[str, Any]:
    path = student / "finetune.toml"
    return read_toml(path) if path.exists() else {}
