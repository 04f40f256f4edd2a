"""What is asked about each row: a TOML file of a few lines.

    ask = "label"
    instruction = "Does the resident report a fault?"
    template = "{{ text }}"                  # over the columns of a row
    [labels]                                 # each with what it means, or labels = ["fault", "other"]
    fault = "something is broken or does not work"
    other = "thanks, questions, anything else"

`ask`: label (one of a list), score (a number of a scale), prefer (which of two texts, asked in both orders), or answer
(free text). `rationale = true` asks for the reasons first.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from selfinstruct.annotation.rows import as_text, check_template
from selfinstruct.parsing.labels import plain
from selfinstruct.rows.toml import read_toml
from selfinstruct.settings import Section, parse_as

Ask = Literal["label", "score", "prefer", "answer"]
FIRST, SECOND, TIE = "1", "2", "tie"  # the votes of a preference: the options in the order of the task
MOST_LABELS = 200


def _as_texts(values: Any) -> Any:
    """The keys of a table as text, which they are in TOML; of labels, a list will do, of numbers or true and false."""
    if isinstance(values, list | tuple):
        values = dict.fromkeys((one if isinstance(one, str) else as_text(one) for one in values), "")
    if not isinstance(values, dict):
        raise ValueError("must be a list of texts, or a table of them with their meanings")
    return {name if isinstance(name, str) else as_text(name): meaning for name, meaning in values.items()}


def _of_two(scale: Any) -> Any:
    if not isinstance(scale, list | tuple) or len(scale) != 2:
        raise ValueError("must be [lowest, highest]")
    return scale


class Examples(Section):
    """Rows with a known answer that are shown to the teachers."""

    file: str = Field(min_length=1)
    answer: str = Field("gold", description="column with the right answer")
    n: int = Field(8, ge=1, le=100)
    choose: Literal["first", "nearest"] = "first"


class AnnotationTask(Section):
    """A question about each row; see the module."""

    ask: Ask = "label"
    instruction: str = Field(min_length=1)
    template: str = "{{ text }}"
    labels: Annotated[dict[str, str], BeforeValidator(_as_texts)] = Field({}, description="with their meanings")
    scale: Annotated[tuple[float, float], BeforeValidator(_of_two)] = (1, 5)
    steps: Annotated[dict[str, str], BeforeValidator(_as_texts)] = Field(
        {}, description="what a number of the scale means"
    )
    options: tuple[str, ...] = Field((), description="templates of the two texts that are compared")
    tie: bool = Field(False, description="whether neither may be better")
    rationale: bool = False
    examples: Examples | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        belongs = {"labels": "label", "scale": "score", "steps": "score", "options": "prefer", "tie": "prefer"}
        for key in sorted(self.model_fields_set & belongs.keys()):
            if belongs[key] != self.ask:
                raise ValueError(f'{key}: belongs to ask = "{belongs[key]}"; leave it out')
        if self.examples and self.ask == "prefer":
            raise ValueError("examples: cannot be shown with a preference; leave them out")
        if self.rationale and self.ask == "answer":
            raise ValueError("rationale: an answer is free text; ask for reasons in the instruction")
        for template in (self.template, *self.options):
            check_template(template)
        return self

    @model_validator(mode="after")
    def _of_labels(self) -> Self:
        if self.ask != "label":
            return self
        if not 2 <= len(self.labels) <= MOST_LABELS:
            raise ValueError(f"labels: name at least 2 and at most {MOST_LABELS}")
        if any(len(label.splitlines()) > 1 for label in self.labels):
            raise ValueError("labels: a label must be one line")
        plain_ = [plain(label) for label in self.labels]
        if not all(plain_):
            raise ValueError("labels: a label must have a letter or a digit")
        if twice := [one for one in plain_ if plain_.count(one) > 1]:
            raise ValueError(f"labels: two labels differ only in case or punctuation: {twice[0]!r}")
        return self

    @model_validator(mode="after")
    def _of_scores_and_options(self) -> Self:
        if self.ask == "score":
            least, most = self.scale
            if not least < most:
                raise ValueError("scale: must be [lowest, highest]")
            for step in self.steps:
                if not _is_number(step) or not least <= float(step) <= most:
                    raise ValueError(f"steps: {step!r} is not a number on the scale")
        if self.ask == "prefer" and len(self.options) != 2:
            raise ValueError('options: must be two templates, such as ["{{ first }}", "{{ second }}"]')
        return self

    @property
    def choices(self) -> tuple[str, ...]:
        """The votes that there are; empty for scores and answers."""
        if self.ask == "prefer":
            return (FIRST, SECOND, *([TIE] if self.tie else []))
        return tuple(self.labels)


def read_task(path: Path) -> AnnotationTask:
    """The task in a TOML file; UsageError, which names the key, if it cannot be used."""
    return parse_as(AnnotationTask, read_toml(path), str(path))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
