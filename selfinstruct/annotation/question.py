"""A task as the only stage of a run: its prompt, the schema of its answers, and what each row shows.

The student will see the instruction and the text of a row, so the teachers' question is the same message. What else
they need to know, such as the labels and their meanings, is in the system message.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from selfinstruct.annotation import STAGE
from selfinstruct.annotation.examples import Example, Nearest
from selfinstruct.annotation.rows import Row, filled
from selfinstruct.annotation.task import AnnotationTask
from selfinstruct.annotation.votes import REASONS
from selfinstruct.asking.stages import GrowthSettings, Prompt, Stage
from selfinstruct.custom import Custom
from selfinstruct.records import Endpoint, content_id, user_message

TOKENS = {"label": 64, "score": 64, "prefer": 64, "answer": 1024}  # of an answer, at most; or with reasons:
WITH_REASONS = 512


class Question(NamedTuple):
    """One request about a row. `swapped`: whether the second option is shown first. `shown`: the prompt's variables."""

    sample: int
    swapped: bool
    shown: Mapping[str, Any]


class Asker:
    """Makes the questions about each row."""

    def __init__(self, task: AnnotationTask, examples: Sequence[Example]):
        self.task = task
        is_nearest = task.examples is not None and task.examples.choose == "nearest"
        self._nearest = Nearest(examples) if is_nearest else None
        n = task.examples.n if task.examples else 0
        self._n = n
        self.shown_to_all = {one.question for one in examples[:n]} if not is_nearest else set()
        self.shared = {
            "labels": task.labels, "scale": [_shown(one) for one in task.scale], "steps": task.steps,
            "tie": task.tie, "rationale": task.rationale,
            "examples": [] if self._nearest else [self._example(one) for one in examples[:n]],
        }  # fmt: skip

    def text(self, row: Row) -> str | None:
        """What the template shows of a row; None if the row lacks a column, "" if it shows nothing."""
        return filled(self.task.template, row.fields)

    def options(self, row: Row) -> list[str] | None:
        """The texts that are compared; None if the row lacks one."""
        found = [filled(option, row.fields) for option in self.task.options]
        return None if None in found else [str(one) for one in found]

    def problem(self, row: Row) -> str | None:
        """The reason why nothing can be asked about a row; None if it can."""
        texts = [self.text(row), *(filled(option, row.fields) for option in self.task.options)]
        if None in texts:
            return "no_column"
        return None if all(texts) else "empty_row"

    def keys(self, samples: int) -> list[tuple[int, bool]]:
        """What tells apart the questions about one row: the number of the sample, and whether options are swapped."""
        orders = (False, True) if self.task.options else (False,)
        return [(sample, swapped) for sample in range(samples) for swapped in orders]

    def questions(self, row: Row, samples: int) -> Iterator[Question]:
        """Everything that is asked about a row, which has no `problem`, of each teacher."""
        text = self.text(row) or ""
        shown: dict[str, Any] = {"question": user_message(self.task.instruction, text), "nearest": []}
        if self._nearest:
            shown["nearest"] = [self._example(one) for one in self._nearest.to(text, self._n)]
        options = self.options(row) or []
        for sample, swapped in self.keys(samples):
            yield Question(sample, swapped, {**shown, "options": options[::-1] if swapped else options})

    def _example(self, one: Example) -> dict[str, str]:
        return {"question": user_message(self.task.instruction, one.question), "answer": one.answer}


def strategy_of(asker: Asker, samples: int) -> Custom:
    """The task as what a run asks; its name stands in the run's settings, and the task itself beside them."""
    task = asker.task

    def shown(n: int) -> tuple[dict[str, Any], dict[str, Any]]:
        return tuple({"question": text, "nearest": [], "options": ["a", "b"]} for text in ("It rains.", "It snows."))  # type: ignore[return-value]

    def sampling(endpoint: Endpoint, settings: GrowthSettings) -> dict[str, Any]:
        is_free = task.ask == "answer"
        most = WITH_REASONS if task.rationale else TOKENS[task.ask]
        return {"temperature": 0.7 if samples > 1 or is_free else 0.0, "max_tokens": most}

    stage = Stage(
        STAGE, (Prompt(task.ask, "question", _schema(task), shown, shared=asker.shared),), sampling, asks_for="a vote",
    )  # fmt: skip
    summary = "asked about the rows of a file"
    code = type("Annotation", (), {"stages": (stage,), "defaults": {}, "reasons": REASONS, "summary": summary})
    identity = content_id("task", task.model_dump(mode="json", exclude={"examples"}))
    return Custom(f"{STAGE}:{task.ask}", code, identity, (task.ask, identity))


def _schema(task: AnnotationTask) -> dict[str, Any]:
    """The fields of an answer in JSON: the reasons first, since a model that has chosen only defends its choice."""
    kinds: dict[str, dict[str, Any]] = {
        "label": {"label": {"type": "string", "enum": list(task.labels)}},
        "score": {"score": {"type": "number"}},
        "prefer": {"better": {"type": "string", "enum": list(task.choices)}},
        "answer": {"answer": {"type": "string"}},
    }
    return {**({"rationale": {"type": "string"}} if task.rationale else {}), **kinds[task.ask]}


def _shown(number: float) -> str:
    return f"{number:g}"
