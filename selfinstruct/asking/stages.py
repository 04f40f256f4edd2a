"""A stage: what a strategy asks, declared once, so that everything that counts or shows stages loops over them.

CLASSIFY = Stage(
    "classify",
    prompts=(Prompt("classify", "instruction", {"is_classification": {"type": "boolean"}}, samples),),
    sampling=lambda endpoint, settings: {"temperature": 0.0, "max_tokens": 32},
)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import Field

from selfinstruct.records import Endpoint
from selfinstruct.settings import Section

Variables = dict[str, Any]
PROBE = "probe"  # the stage of requests that find out what a server can do, before a run's first real one


class GrowthSettings(Section):
    """What every strategy is told: how much is shown, and how much is asked for."""

    seed: int = Field(0, ge=0, lt=2**63, description="random seed")
    window: int = Field(
        64, ge=1, description="steps of look-ahead: step k sees the pool as it was after step k - window"
    )
    seed_demonstrations: int = Field(6, ge=0, description="seed tasks shown in each proposal request")
    generated_demonstrations: int = Field(2, ge=0, description="generated tasks shown in each proposal request")
    proposals_per_request: int = Field(8, ge=1, le=50, description="new tasks asked for in one request")
    instances_per_task: int = Field(3, ge=1, le=20, description="instances asked for each task")


class Prompt(NamedTuple):
    """A prompt file, prompts/<endpoint>/<name>.jinja.

    `shows` is the variable that its user block must show; `samples(n)` are two sets of variables, with up to n tasks
    shown, that differ in it; `fields` is the JSON schema of the fields of an answer in JSON. `template` is the prompt's
    text, with its two blocks, where no folder has a file of that name.
    """

    name: str
    shows: str
    fields: Mapping[str, Any]
    samples: Callable[[int], tuple[Variables, Variables]]
    template: str = ""


class Counted(NamedTuple):
    """A field that a stage gives each task, counted where it is true: as `key` in JSON, under `label` in a table.

    `words` are the tasks of which it is true; `of_task` says of one task what it is where the field is true, false, or
    not known.
    """

    field: str
    key: str
    label: str
    words: str
    of_task: tuple[str, str, str]

    def describe(self, value: bool | None) -> str:
        """What a task is by this value."""
        return self.of_task[2 if value is None else int(not value)]


@dataclass(frozen=True)
class Stage:
    """What is asked of a teacher, of all of the pool or of each task.

    `sampling` are its default sampling settings for an endpoint; `asks_for` says in a few words what is asked, for
    whoever sees that nothing was answered; `counts` is the field that it gives each task, if it is to be counted.
    """

    name: str
    prompts: tuple[Prompt, ...]
    sampling: Callable[[Endpoint, GrowthSettings], dict[str, Any]]
    asks_for: str = ""
    counts: Counted | None = None


def rows_of(*fields: str) -> dict[str, Any]:
    """The JSON schema of a list of objects with these text fields."""
    texts = {field: {"type": "string"} for field in fields}
    row = {"type": "object", "properties": texts, "required": list(fields), "additionalProperties": False}
    return {"type": "array", "items": row}


def response_format(name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into a request as `response_format`, for an answer that is an object with these fields."""
    schema = {
        "type": "object", "properties": dict(fields), "required": list(fields), "additionalProperties": False,
    }  # fmt: skip
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def sample_tasks(n: int) -> list[str]:
    """Up to `n` instructions, at least one, to try a prompt with."""
    return [f"Name a river of country {number}." for number in range(max(n, 1))]
