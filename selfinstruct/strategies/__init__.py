"""How to ask: one file per strategy.

`Strategy.propose = async (Snapshot, Random, ask) -> Proposal` asks for new tasks; `make_instances` turns an admitted
task into instances. A strategy decides nothing: filters do. It reads nothing but its arguments, so that the same
snapshot and random numbers give the same requests.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.records import Candidate, Completion, Rejection, Request, Task

if TYPE_CHECKING:  # numpy comes with it, and commands that only read a run do without
    from selfinstruct.pool.pool import Snapshot

Ask = Callable[[Request], Awaitable[Completion]]


class Proposal(NamedTuple):
    """What one proposal step gave: candidates, and the completions that nothing could be read from, with the reason."""

    candidates: list[Candidate]
    unreadable: list[tuple[str, Rejection]]


class Made(NamedTuple):
    """What was made of one task. `is_classification` is None where the teacher's verdict could not be read.

    `request_id` is the request whose answer the instances come from; `unreadable` as in Proposal.
    """

    is_classification: bool | None
    request_id: str
    instances: list[ParsedInstance]
    unreadable: list[tuple[str, Rejection]]


def came_with(task: Task) -> Made:
    """The instances that a task came with; its class was not asked for."""
    return Made(None, task.request_id, [ParsedInstance(i.input, i.output, False) for i in task.instances], [])


class Strategy(Protocol):
    """A way of asking for tasks and instances."""

    async def propose(self, snapshot: "Snapshot", rng: random.Random, ask: Ask) -> Proposal:
        """Ask for new tasks, in view of the pool as it was at `snapshot`."""
        ...

    async def make_instances(self, task: Task, ask: Ask) -> Made:
        """Ask whether the task is a classification task, and for its instances."""
        ...
