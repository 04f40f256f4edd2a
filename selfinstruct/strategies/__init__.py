"""Strategies: one file each, found by its name; `self_instruct.py` holds "self-instruct".

A strategy declares its stages, makes the requests, and reads the answers:

    class Mine:
        stages = (PROPOSE,)                   # the first proposes tasks, the others ask about each task
        defaults = {}                         # settings it changes unless the user sets them
        reasons = {"no_rhyme": "..."}         # why an answer could not be read, with the meaning
        summary = "asked for new tasks ..."   # for the dataset card

        def __init__(self, settings): ...
        async def propose(self, snapshot, rng, ask) -> Proposal: ...
        async def generate_instances(self, task, ask) -> GeneratedInstances: ...

    STRATEGY = Mine

It decides nothing: filters do. It depends on its arguments alone, so that the same snapshot and random numbers give the
same requests. `ask(stage, prompt, number, prefix="", **variables)` renders the prompt, sends it to the stage's teacher,
and returns the answer; `number` distinguishes otherwise equal requests.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from selfinstruct import parts
from selfinstruct.asking.reading import IMPORTED, REASONS
from selfinstruct.asking.stages import Counted, GrowthSettings, Stage
from selfinstruct.custom import Custom
from selfinstruct.errors import UsageError
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.json_answers import field_or_text
from selfinstruct.parsing.thoughts import spoken
from selfinstruct.records import Candidate, Completion, Endpoint, Rejection, Task
from selfinstruct.settings import did_you_mean

if TYPE_CHECKING:  # it imports numpy, which commands that only read a run do without
    from selfinstruct.pool.pool import Snapshot

NAMES = parts.STRATEGIES
DEFAULT = NAMES[0]


class Answer(NamedTuple):
    """A completion.

    - `prefix`: the beginning of the answer, with which the prompt ended; "" for chat models.
    - `fields`: the fields that the prompt declares for JSON answers.
    """

    completion: Completion
    prefix: str
    endpoint: Endpoint
    fields: tuple[str, ...] = ()

    def field(self, name: str) -> str:
        """The text of this field of a JSON answer ("" if it is missing); if the answer is not JSON, its whole text.

        Numbers and lists are returned as JSON. Reasoning in tags is left out. Raises UsageError if the prompt declares
        other fields only.
        """
        if self.fields and name not in self.fields:
            raise UsageError(f"The prompt declares no field {name!r}; {did_you_mean(name, self.fields)}")
        return field_or_text(spoken(self.completion.text), name)


class Ask(Protocol):
    """The function that sends a request of a stage to its teacher."""

    async def __call__(self, stage: Stage, prompt: str, number: int, prefix: str = "", **variables: Any) -> Answer:
        """Render the stage's prompt of that name with `variables`, send it, and return the answer.

        A request is sent only once; after that, its answer is read from the store. `number` distinguishes otherwise
        equal requests. `prefix`: what a base model's prompt ends with.
        """
        ...


Unreadable = list[tuple[str, Rejection]]
"""The ids of completions that could not be read, with the reason."""


class Proposal(NamedTuple):
    """What one proposal step returns. `unreadable`: ids of completions that could not be read, with the reason."""

    candidates: list[Candidate]
    unreadable: Unreadable


@dataclass(frozen=True)
class GeneratedInstances:
    """What was generated for one task.

    - `request_id`: the request whose answer contains the instances.
    - `unreadable`: as in `Proposal`.
    - `extra`: further fields of the task (JSON values), which become fields of each record.
    """

    request_id: str
    instances: list[ParsedInstance]
    unreadable: Unreadable = field(default_factory=list)
    extra: Mapping[str, Any] = field(default_factory=dict)


def came_with(task: Task) -> GeneratedInstances:
    """The instances that were proposed together with the task."""
    return GeneratedInstances(task.request_id, [ParsedInstance(i.input, i.output, False) for i in task.instances])


class Strategy(Protocol):
    """How to propose tasks and generate their instances.

    - `stages`: the first proposes tasks, the others ask about each task.
    - `defaults`: settings it changes unless the user sets them.
    - `reasons`: its own reasons why answers could not be read, with the meaning.
    - `summary`: completes "A teacher was ..." on the dataset card.
    """

    stages: ClassVar[tuple[Stage, ...]]
    defaults: ClassVar[Mapping[str, Any]]
    reasons: ClassVar[Mapping[str, str]]
    summary: ClassVar[str]

    def __init__(self, settings: GrowthSettings) -> None: ...

    async def propose(self, snapshot: "Snapshot", rng: random.Random, ask: Ask) -> Proposal:
        """Propose new tasks, given the pool as it was at `snapshot`; all randomness comes from `rng`."""
        ...

    async def generate_instances(self, task: Task, ask: Ask) -> GeneratedInstances:
        """Generate the instances of `task`, and whatever else the stages ask about it."""
        ...


def load(name: str) -> type[Strategy]:
    """The strategy of that name; UsageError if it is unknown, or a custom one that was not loaded."""
    if isinstance(name, Custom):
        strategy: type[Strategy] = name.code
        return strategy
    if name not in NAMES:
        raise UsageError(f"There is no strategy {name}; choose one of: {', '.join(NAMES)}.")
    return _built_in(name)


@cache
def _built_in(name: str) -> type[Strategy]:
    strategy: type[Strategy] = parts.part(__name__, name, "STRATEGY")
    return strategy


class Declared(NamedTuple):
    """What strategies declare, for reports and listings.

    `stages`: all names, in order. `counted`: the counted field of a task, and `asked_for`: what is requested, both by
    stage. `reasons`: why answers could not be read, with the meaning.
    """

    stages: tuple[str, ...]
    counted: dict[str, Counted]
    asked_for: dict[str, str]
    reasons: dict[str, str]


def declared(custom: type[Strategy] | None = None) -> Declared:
    """What the built-in strategies declare, preceded by a custom strategy if there is one."""
    own = () if custom is None or custom in map(load, NAMES) else (custom,)
    return _declared((*own, *map(load, NAMES)))


@lru_cache(maxsize=16)
def _declared(strategies: tuple[type[Strategy], ...]) -> Declared:
    stages: dict[str, Stage] = {}
    for stage in (stage for strategy in strategies for stage in strategy.stages):
        stages.setdefault(stage.name, stage)
    return Declared(
        tuple(stages),
        {name: stage.counts for name, stage in stages.items() if stage.counts},
        {name: stage.asks_for for name, stage in stages.items() if stage.asks_for},
        REASONS
        | IMPORTED
        | {reason: words for strategy in reversed(strategies) for reason, words in strategy.reasons.items()},
    )
