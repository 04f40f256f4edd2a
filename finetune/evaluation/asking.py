"""A student's answers to many questions, each stored in a file as soon as it arrives, and never generated again.

    >>> with AnswerFile(Path("answers.jsonl")) as kept:
    ...     ask(student, [Question([user("Reverse: 3, 1, 2")], reference="2, 1, 3")], 64, kept)
    [Answered(answer='2, 1, 3', n_tokens=6, stopped=True, ...)]

A line of the file is one answer with its prompt, reference and scores. It is found by `key`: a hash of the weights as
loaded, the tokens of prompt and reference, the tokens that end an answer, and the maximum tokens of an answer. So
another model, or the same one after more training or with another chat template, answers again, and a copy of it
elsewhere does not. Lines of earlier evaluations stay; an incomplete line is removed.

Answers are greedy: the likeliest token at each step. Two machines may round differently, and so give different answers;
the file keeps the first one.
"""

import fcntl
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import torch

from finetune.data.encoding import IGNORED, Reasoning, encode
from finetune.evaluation.choosing import likeliest
from finetune.evaluation.constraints import Check
from finetune.evaluation.likelihood import losses
from finetune.evaluation.scoring import Known, score
from finetune.examples import Dialogue, Example, Message, Tools
from finetune.inference.student import Student
from selfinstruct.errors import UsageError
from selfinstruct.records import canonical_json
from selfinstruct.rows.files import to_line
from selfinstruct.rows.writing import refuse_link
from selfinstruct.terminal import tracked

BATCH = 16
BATCH_ON_GPU = 64
BEGINS = b'{"model": '  # as each line does, even an incomplete one
FIELDS = ("key", "answer", "n_tokens", "stopped", "loss", "trained_tokens", "reference_tokens", "choice")


class Question(NamedTuple):
    """A question, and how its answer is scored: a dialogue that ends with a reference, or constraints.

    `task`: what questions have in common that do not tell as much as independent ones. `reasoning`: whether the loss is
    also that of the reasoning before an answer. `classes`: the answers to choose from, if there are only a few.
    """

    prompt: list[Message]
    task: str
    source: str
    dialogue: Dialogue | None = None
    known: Known | None = None
    checks: tuple[Check, ...] = ()
    reasoning: Reasoning = "train"
    classes: tuple[str, ...] = ()

    @property
    def tools(self) -> Tools | None:
        """The tools that the prompt shows."""
        return self.dialogue.tools if self.dialogue else None

    @property
    def reference(self) -> str | None:
        """The reference answer, None if there is none."""
        return self.dialogue.messages[-1]["content"] if self.dialogue else None


class Answered(NamedTuple):
    """An answer of `n_tokens`, without its end token. `loss`: over all `trained_tokens` of the dialogue, in nats.

    The last four are None if there is no reference, `loss` also if the dialogue exceeds the context, and `choice`, the
    likeliest of the classes, if there are none to choose from.
    """

    key: str
    answer: str
    n_tokens: int
    stopped: bool
    loss: float | None
    trained_tokens: int | None
    reference_tokens: int | None
    choice: str | None = None


class AnswerFile:
    """The answers in a JSONL file that is open for appending, and locked until it is closed.

    UsageError if it cannot be used, or holds something else.
    """

    def __init__(self, path: Path):
        self.path = path
        self.known: dict[str, Answered] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            refuse_link(path)
            self._file = path.open("a+b")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._file.truncate(self._read())  # an incomplete line
            except (OSError, UsageError):
                self._file.close()
                raise
        except BlockingIOError:
            raise UsageError(
                f"{path}: another evaluation is writing to it. Wait for it, or choose another file with --output."
            ) from None
        except OSError as error:
            raise UsageError(
                f"{path}: cannot be written ({error.strerror}). Choose another file with --output."
            ) from None

    def _read(self) -> int:
        """Read the stored answers; return how many bytes their lines have."""
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        rest = content[len(whole) :]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                row = json.loads(line)
                answered = Answered(*(row[name] for name in FIELDS if name in row or name != "choice"))
            except (ValueError, KeyError, TypeError):
                raise self._other(number) from None
            self.known[answered.key] = answered
        if rest[: len(BEGINS)] != BEGINS[: len(rest)]:
            raise self._other(whole.count(b"\n") + 1)
        return len(whole)

    def _other(self, line: int) -> UsageError:
        return UsageError(
            f"{self.path}, line {line}: not an answer of an evaluation. Choose another file with --output."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def add(self, model: str, question: Question, answered: Answered) -> None:
        """Append one answer."""
        self.known[answered.key] = answered
        row = {"model": model, **_shown(question), **answered._asdict(), "scores": scores(question, answered)}
        self._file.write(to_line(row).encode() + b"\n")
        self._file.flush()


def ask(student: Student, questions: Sequence[Question], max_tokens: int, kept: AnswerFile) -> list[Answered]:
    """The answers to `questions`, in order; those that `kept` lacks are generated, and written there.

    UsageError if the chat template refuses a question.
    """
    weights = identity(student)
    examples = [encode(student.tokenizer, q.dialogue, q.reasoning) if q.dialogue else None for q in questions]
    keys = [
        _key(weights, student.prompt(question.prompt, question.tools), example, max_tokens, question.classes)
        for question, example in zip(questions, examples, strict=True)
    ]
    missing = [place for key, place in {key: n for n, key in enumerate(keys)}.items() if key not in kept.known]
    size = BATCH_ON_GPU if student.model.device.type == "cuda" else BATCH
    chunks = [missing[start : start + 2 * size] for start in range(0, len(missing), 2 * size)]
    for places in tracked(chunks, "answers"):
        asked = [questions[n] for n in places]
        said = student.answer(
            [one.prompt for one in asked], max_tokens, batch_size=size, tools=[one.tools for one in asked]
        )
        fitting = {n: e for n in places if (e := examples[n]) and not 0 < (student.context or 0) < len(e.ids)}
        found = dict(zip(fitting, losses(student.model, list(fitting.values())), strict=True))
        chosen = dict(zip(fitting, _choices(student, [questions[n] for n in fitting]), strict=True))
        for n, answer in zip(places, said, strict=True):
            example, reference = examples[n], questions[n].reference
            trained = sum(label != IGNORED for label in example.labels) if example else None
            n_reference = None if reference is None else _n_tokens(student, reference)
            n_tokens = answer.n_tokens - answer.stopped
            row = Answered(
                keys[n], answer.text, n_tokens, answer.stopped, found.get(n), trained, n_reference, chosen.get(n)
            )
            kept.add(student.name, questions[n], row)
    return [kept.known[key] for key in keys]


def scores(question: Question, answered: Answered) -> dict[str, Any]:
    """The figures of one answer, as JSON values."""
    found: dict[str, Any] = {}
    if question.reference is not None:
        found = score(answered.answer, question.reference)._asdict()
    if question.known:
        found |= {"family": question.known.family, "grade": question.known.grade(answered.answer)}
    if question.checks:
        found["checks"] = [
            {**c._asdict(), "strict": c.holds(answered.answer), "loose": c.holds_loosely(answered.answer)}
            for c in question.checks
        ]
    return found


def _shown(question: Question) -> dict[str, Any]:
    return {
        "task": question.task, "source": question.source, "prompt": question.prompt, "reference": question.reference,
    }  # fmt: skip


def _n_tokens(student: Student, text: str) -> int:
    return len(student.tokenizer(text, add_special_tokens=False)["input_ids"])


def identity(student: Student) -> str:
    """A hash of everything that an answer depends on except the prompt: weights, configuration, end tokens."""
    config = student.model.config.to_dict()
    for name in ("_name_or_path", "transformers_version"):
        config.pop(name, None)
    hashed = hashlib.sha256(json.dumps([config, sorted(student.ends)], sort_keys=True, default=str).encode())
    for name, tensor in sorted(student.model.named_parameters()):  # tied ones once
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        hashed.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).cpu().numpy().data)
    return hashed.hexdigest()


def _choices(student: Student, questions: Sequence[Question]) -> list[str | None]:
    asked = [(one.dialogue, one.classes) for one in questions if one.dialogue]
    return likeliest(student, [dialogue for dialogue, _ in asked], [classes for _, classes in asked])


def _key(
    weights: str, prompt: Sequence[int], example: Example | None, max_tokens: int, classes: tuple[str, ...]
) -> str:
    parts = [weights, list(prompt), example, max_tokens, *([classes] if classes else [])]
    return hashlib.sha256(canonical_json(parts).encode()).hexdigest()
