"""A stage is one kind of question to the teacher, declared once; whatever counts or shows stages reads that.

CLASSIFY = Stage(
    "classify",
    prompts=(Prompt("classify", "instruction", {"is_classification": {"type": "boolean"}}, samples),),
    sampling=lambda endpoint, settings: {"temperature": 0.0, "max_tokens": 32},
)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from selfinstruct.parsing.names import Field as FieldName
from selfinstruct.records import Endpoint
from selfinstruct.settings import Section

Variables = dict[str, Any]
Name = Annotated[str, Field(min_length=1)]
PROBE = "probe"  # the stage of the request that finds out what a server supports, before a run's first real one


class GrowthSettings(Section):
    """Settings of every strategy: how many tasks a prompt shows, and how many tasks and instances it requests."""

    seed: int = Field(0, ge=0, lt=2**63, description="random seed")
    window: int = Field(
        64, ge=1, description="steps of look-ahead: step k sees the pool as it was after step k - window"
    )
    seed_demonstrations: int = Field(6, ge=0, description="seed tasks shown in each proposal request")
    generated_demonstrations: int = Field(2, ge=0, description="generated tasks shown in each proposal request")
    proposals_per_request: int = Field(8, ge=1, le=50, description="new tasks asked for in one request")
    instances_per_task: int = Field(3, ge=1, le=20, description="instances requested for each task")
    field_names: dict[FieldName, tuple[Name, ...]] = Field(
        {},
        description='field names in the language of the prompts: `{output = ["Tuloste"]}`; '
        "those of major languages are built in",
    )


class Prompt(NamedTuple):
    """A Jinja prompt with a `system` and a `user` block: the file `prompts/ENDPOINT/NAME.jinja`, or else `template`.

    - `shows`: the variable that the user block must show.
    - `fields`: the JSON schema of each field of a JSON answer.
    - `samples(n)`: returns two sets of variables that differ in `shows`, with at most n demonstrations each; the prompt
      is checked with them before the run starts.
    - `most`: the setting that says how many items are asked for; local servers keep the lists of an answer to it.
    - `shared`: variables of both blocks that stay the same during a run.
    """

    name: str
    shows: str
    fields: Mapping[str, Any]
    samples: Callable[[int], tuple[Variables, Variables]]
    template: str = ""
    most: str = ""
    shared: Mapping[str, Any] = {}


class Counted(NamedTuple):
    """A boolean field that a stage adds to each task and that is counted: as `key` in JSON, as `label` in tables.

    `words`: the plural noun for tasks for which it is true. `of_task`: how to describe one task for which it
    is true, false or unknown. `nearly_all`: what to try in a new run where it is true for nearly all tasks.
    """

    field: str
    key: str
    label: str
    words: str
    of_task: tuple[str, str, str]
    nearly_all: str = ""

    def describe(self, value: bool | None) -> str:
        """Describe a task with this value in words."""
        return self.of_task[2 if value is None else int(not value)]


@dataclass(frozen=True)
class Stage:
    """One kind of question to the teacher: a strategy's first stage proposes tasks, the others ask about each task.

    - `sampling(endpoint, settings)`: returns the default sampling settings.
    - `asks_for`: what it requests, in a few words; shown for tasks that have no answer yet.
    - `counts`: the field it adds to each task, if that is to be counted.
    """

    name: str
    prompts: tuple[Prompt, ...]
    sampling: Callable[[Endpoint, GrowthSettings], dict[str, Any]]
    asks_for: str = ""
    counts: Counted | None = None


def rows_of(*fields: str) -> dict[str, Any]:
    """The JSON schema of a list of objects with these text fields, all required."""
    texts = {field: {"type": "string"} for field in fields}
    row = {"type": "object", "properties": texts, "required": list(fields), "additionalProperties": False}
    return {"type": "array", "items": row}


def response_format(name: str, fields: Mapping[str, Any], most: int | None = None) -> dict[str, Any]:
    """The `response_format` of a request whose answer is an object with these fields; lists of `most` items, if any."""
    properties = {
        key: {**schema, "maxItems": most} if most and schema.get("type") == "array" else schema
        for key, schema in fields.items()
    }
    schema = {
        "type": "object", "properties": properties, "required": list(fields), "additionalProperties": False,
    }  # fmt: skip
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def sample_tasks(n: int) -> list[str]:
    """`n` sample instructions, at least one, to check a prompt with."""
    return [f"Name a river of country {number}." for number in range(max(n, 1))]
