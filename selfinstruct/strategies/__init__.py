"""How to grow: one file for each strategy, found by its name; `self_instruct.py` holds the one called "self-instruct".

A strategy declares its stages, asks them, and reads what comes back:

    class Mine:
        stages = (PROPOSE,)                   # the first asks for new tasks, the others are asked of each task
        defaults = {}                         # settings that it sets where the user has not
        reasons = {"no_rhyme": "..."}         # why it reads nothing from an answer, in words
        summary = "asked for new tasks ..."   # for the dataset card

        def __init__(self, settings): ...
        async def propose(self, snapshot, rng, ask) -> Proposal: ...
        async def generate_instances(self, task, ask) -> GeneratedInstances: ...

    STRATEGY = Mine

It decides nothing: filters do. It reads nothing but its arguments, so that the same snapshot and random numbers give
the same requests. `ask(stage, prompt, number, prefix="", **variables)` fills in the prompt, asks the stage's teacher,
and gives the answer; `number` tells apart requests that are equal otherwise.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from selfinstruct import parts
from selfinstruct.asking.reading import REASONS
from selfinstruct.asking.stages import Counted, GrowthSettings, Stage
from selfinstruct.custom import Custom
from selfinstruct.errors import UsageError
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.records import Candidate, Completion, Endpoint, Rejection, Task

if TYPE_CHECKING:  # numpy comes with it, and commands that only read a run do without
    from selfinstruct.pool.pool import Snapshot

NAMES = parts.STRATEGIES
DEFAULT = NAMES[0]


class Answer(NamedTuple):
    """A completion, with what the prompt of a base model had written of it already."""

    completion: Completion
    prefix: str
    endpoint: Endpoint


class Ask(Protocol):
    """Fill in a stage's prompt and ask its teacher; `prefix` is what a base model's prompt ends with."""

    async def __call__(self, stage: Stage, prompt: str, number: int, prefix: str = "", **variables: Any) -> Answer:
        """Ask once; the same request is answered from the store."""
        ...


Unreadable = list[tuple[str, Rejection]]
"""The ids of completions that nothing could be read from, with the reason."""


class Proposal(NamedTuple):
    """What one proposal step gave: candidates, and the completions that nothing could be read from."""

    candidates: list[Candidate]
    unreadable: Unreadable


@dataclass(frozen=True)
class GeneratedInstances:
    """What was generated for one task: its instances, and `extra`, what its stages say of the task (JSON values).

    `request_id` is the request whose answer the instances come from.
    """

    request_id: str
    instances: list[ParsedInstance]
    unreadable: Unreadable = field(default_factory=list)
    extra: Mapping[str, Any] = field(default_factory=dict)


def came_with(task: Task) -> GeneratedInstances:
    """The instances that a task came with."""
    return GeneratedInstances(task.request_id, [ParsedInstance(i.input, i.output, False) for i in task.instances])


class Strategy(Protocol):
    """A way of asking for tasks and instances."""

    stages: ClassVar[tuple[Stage, ...]]
    defaults: ClassVar[Mapping[str, Any]]
    reasons: ClassVar[Mapping[str, str]]
    summary: ClassVar[str]

    def __init__(self, settings: GrowthSettings) -> None: ...

    async def propose(self, snapshot: "Snapshot", rng: random.Random, ask: Ask) -> Proposal:
        """Ask for new tasks, in view of the pool as it was at `snapshot`."""
        ...

    async def generate_instances(self, task: Task, ask: Ask) -> GeneratedInstances:
        """Ask for what each task needs: its instances, and whatever else there are stages for."""
        ...


def load(name: str) -> type[Strategy]:
    """The strategy of that name; UsageError where there is none, or where it is a user's own that was not loaded."""
    if isinstance(name, Custom):
        strategy: type[Strategy] = name.code
        return strategy
    if name not in NAMES:
        raise UsageError(f"There is no strategy {name}; known are {', '.join(NAMES)}.")
    return _built_in(name)


@cache
def _built_in(name: str) -> type[Strategy]:
    strategy: type[Strategy] = parts.part(__name__, name, "STRATEGY")
    return strategy


class Declared(NamedTuple):
    """What strategies declare, for whoever counts or shows a run.

    `stages` are the names of all, in order; `counted` the fields that are counted of tasks, and `asked_for` what is
    asked for, in a few words, each by the stage's name; `reasons` say why nothing could be read from an answer.
    """

    stages: tuple[str, ...]
    counted: dict[str, Counted]
    asked_for: dict[str, str]
    reasons: dict[str, str]


def declared(custom: type[Strategy] | None = None) -> Declared:
    """What the built-in strategies declare, and before them, where there is one, a strategy of the user's own."""
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
        REASONS | {reason: words for strategy in reversed(strategies) for reason, words in strategy.reasons.items()},
    )
