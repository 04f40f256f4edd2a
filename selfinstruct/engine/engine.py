"""The order of it all: requests in any order, admission in one.

Whether a candidate is new depends on what was admitted before it, so admission is one gate, in step order. Requests run
ahead of it: step k shows the teacher tasks from the pool as it was after step k - window(k), drawn with random numbers
of its own, seeded by (seed, k). So the data is a function of the settings and the teacher's answers, and neither
concurrency nor the order in which answers arrive affects it:

    propose 0 ─┐            propose 1..n run while the gate waits for 0
    propose 1 ─┤─> gate 0, 1, 2, ... ─> task ─> class ─> instances ─> gate, in the order of tasks
    propose 2 ─┘

The window begins small and grows (a fixed one would send a short run's prompts before any task is there to be shown),
and near the target fewer steps are sent out than it would allow, so that hardly any proposal is wasted. Only
which steps are sent ahead depends on the target, never what a step contains: a run of 100 that is resumed to 200 ends
like a run of 200.

The method is Self-Instruct's (arXiv 2212.10560); the gate is ours.
"""

import asyncio
import gc
import math
import random
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from selfinstruct.asking.prompts import Prompts
from selfinstruct.config.config import Config
from selfinstruct.engine.answers import Answers
from selfinstruct.engine.gate import Gate
from selfinstruct.engine.requests import Requests
from selfinstruct.errors import BudgetReached, SelfInstructError, Stopped, YieldCollapsed
from selfinstruct.filters.verdicts import verdicts_on_instances
from selfinstruct.pool.pool import Pool, Snapshot
from selfinstruct.records import Task
from selfinstruct.store.decisions import add_instances, rescues_without_instances
from selfinstruct.strategies import GeneratedInstances, Proposal, declared
from selfinstruct.teachers import Teachers
from selfinstruct.teachers.scheduler import BUDGET_LOOK_S, Scheduler

GARBAGE_AFTER = 50_000  # objects created and not freed again
STARTED_AT_ONCE = 16  # tasks of an earlier session, between two looks at what else is to be done


def window_at(step: int, window: int) -> int:
    """How many steps step `step` looks ahead of the gate: growing to `window` as the run gets longer."""
    return min(window, step // 2 + 1)


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Let Python look for garbage seldom: it finds next to none here, and goes through all of the pool each time."""
    before = gc.get_threshold()
    gc.set_threshold(GARBAGE_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def seen_by(step: int, pool: Pool[Any], n_tasks_after: Sequence[int], config: Config) -> tuple[Snapshot, random.Random]:
    """What step `step` proposes from: the pool as it was some steps before, and random numbers of its own."""
    seen = step - window_at(step, config.window)
    return Snapshot(pool, n_tasks_after[seen] if seen >= 0 else 0), random.Random(f"{config.seed}/{step}")


class Engine:
    """One run, from the present state of its store to `target` tasks with their instances."""

    def __init__(self, gate: Gate, prompts: Prompts, teachers: Teachers, scheduler: Scheduler):
        self.gate = gate
        self.store = gate.store
        self.config = gate.config
        self.progress = gate.progress
        self.strategy = self.config.asks(self.config)
        requests = Requests(self.config, prompts)
        self.answers = Answers(self.store, teachers, scheduler, self.progress)
        self._always = requests.asking(self.answers.to)
        self._while_wanted = requests.asking(lambda request: self.answers.to(request, self._wants_tasks))
        self.scheduler = scheduler
        self._waiting = deque(self.store.tasks(only_waiting=True))  # in order; what is generated for later ones waits
        self._generated: dict[int, GeneratedInstances] = {}
        self._keeping = False
        self._failure: SelfInstructError | None = None
        self._target = 0
        self._n_held_back = 0  # candidates of the last step, by the budget
        if scheduler.budget:
            scheduler.budget.waiting = lambda: len(self._waiting)
            scheduler.budget.coming = self._coming
        self._n_steps_before = len(gate.n_tasks_after)

    def stop(self) -> None:
        """Send no more requests, let those in flight finish, and return from `run`."""
        self.scheduler.stop()

    async def run(self, target: int) -> bool:
        """Run until `target` tasks are admitted and have their instances; False if it was stopped before.

        Raises the first TeacherError, StoreError, YieldCollapsed or BudgetReached, once what was in flight has been
        stored.
        """
        self.progress.target = self._target = target
        if self._wants_tasks() or self._waiting:
            self.gate.recall_records()  # now, while no call waits
        try:
            with _seldom_collected():
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._resume_generation(tuple(self._waiting), group))
                    for rescued in rescues_without_instances(self.store):
                        group.create_task(self._generate_for_rescued(rescued))
                    with self._stopping_gently():
                        await self._admit_until(group)
        except asyncio.CancelledError:
            if self._failure:  # stopped at once while it was stopping gently, for this reason
                raise self._failure from None
            raise
        if self._failure:
            raise self._failure
        return not self._wants_tasks() and not self._waiting

    @contextmanager
    def _stopping_gently(self) -> Iterator[None]:
        """An error in one piece of work stops the others, but lets their calls in flight finish: they are paid for."""
        try:
            yield
        except Stopped:
            pass
        except (YieldCollapsed, BudgetReached) as error:  # no more proposals; tasks that are there get their instances
            self._failure = self._failure or error
            self._target = 0
        except SelfInstructError as error:
            self._failure = self._failure or error
            self.stop()

    # The gate.

    async def _admit_until(self, group: asyncio.TaskGroup) -> None:
        await self._admit(len(self.gate.n_tasks_after) - 1, Proposal(self.store.pending(), []), group)
        proposals: dict[int, asyncio.Task[Proposal | None]] = {}
        sent = len(self.gate.n_tasks_after)
        while self._wants_tasks():
            self.gate.check_yield()
            step = len(self.gate.n_tasks_after)
            for ahead in range(sent, self._frontier()):
                proposals[ahead] = group.create_task(self._propose(ahead))
                sent = ahead + 1
            proposal = await proposals.pop(step)
            if proposal is None:
                return
            await self._admit(step, proposal, group)

    async def _admit(self, step: int, proposal: Proposal, group: asyncio.TaskGroup) -> None:
        """Admit the candidates of a step; those for whose instances the budget has no room wait until it has."""
        budget = self.scheduler.budget
        while True:
            self.scheduler.look_again()
            room = budget.room(len(proposal.candidates)) if budget else math.inf
            for task in self.gate.admit(step, proposal, min(self._target, len(self.gate.pool.tasks) + room)):
                self._waiting.append(task)
                group.create_task(self._generate(task, group))
            if budget is None or not self._wants_tasks():
                return
            proposal = Proposal(self.store.pending(), [])
            self._n_held_back = len(proposal.candidates)
            if not self._n_held_back:
                return
            if not (self._waiting or self.scheduler.in_flight or budget.room(1)):
                raise budget.no_room()
            if self.scheduler.stopping.is_set():
                raise Stopped
            await asyncio.sleep(BUDGET_LOOK_S)

    def _wants_tasks(self) -> bool:
        return len(self.gate.pool.tasks) < self._target

    def _frontier(self) -> int:
        """The first step that must not be sent yet.

        The window bounds it, and near the target the number of steps that are surely needed: what is missing at the
        yield of the latest steps, less the spread to be expected in that many of them.
        """
        admitted = len(self.gate.n_tasks_after)
        missing = (self._target - len(self.gate.pool.tasks)) / self.gate.per_step()
        surely_needed = max(1, math.ceil(missing - 0.5 * math.sqrt(missing)))
        frontier = admitted
        while frontier < admitted + surely_needed and frontier - window_at(frontier, self.config.window) < admitted:
            frontier += 1
        return frontier

    def _coming(self, n_proposals: int) -> float:
        """The tasks to be expected of this session's first `n_proposals`, besides those that were admitted."""
        n_admitted = len(self.gate.n_tasks_after) - self._n_steps_before
        return self._n_held_back + max(0, n_proposals - n_admitted) * self.gate.per_step()

    async def _propose(self, step: int) -> Proposal | None:
        """What the teacher proposes in this step; None if the run stops or reaches its target before it is sent."""
        snapshot, rng = seen_by(step, self.gate.pool, self.gate.n_tasks_after, self.config)
        with self._stopping_gently():
            return await self.strategy.propose(snapshot, rng, self._while_wanted)
        return None

    # From task to instances.

    async def _resume_generation(self, tasks: Sequence[Task], group: asyncio.TaskGroup) -> None:
        """Begin with the tasks that earlier sessions left waiting, a few at a time, so that the first calls go out."""
        for started, task in enumerate(tasks, start=1):
            group.create_task(self._generate(task, group))
            if started % STARTED_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _generate(self, task: Task, group: asyncio.TaskGroup) -> None:
        with self._stopping_gently():
            self._generated[task.position] = await self.strategy.generate_instances(task, self._always)
            if not self._keeping:
                self._keeping = True
                group.create_task(self._keep())

    async def _generate_for_rescued(self, task: Task) -> None:
        """The instances of a candidate that somebody has rescued; it stays outside of the pool."""
        with self._stopping_gently():
            generated = await self.strategy.generate_instances(task, self._always)
            verdicts = verdicts_on_instances(generated.instances, self.config.filters)
            kept = [one for one, rejection in zip(generated.instances, verdicts, strict=True) if rejection is None]
            # What is counted of tasks is not counted of these, which are none of the run's.
            of_tasks = {one.field for one in declared(self.config.asks).counted.values()}
            extra = {name: value for name, value in generated.extra.items() if name not in of_tasks}
            add_instances(self.store, task, generated.request_id, kept, extra)

    async def _keep(self) -> None:
        """Take what was generated to the gate, as far as it is complete in order."""
        try:
            with self._stopping_gently():
                while self._waiting and self._waiting[0].position in self._generated:
                    self.gate.keep(first := self._waiting.popleft(), self._generated.pop(first.position))
                    await asyncio.sleep(0)  # calls go first: what is sent earlier is answered earlier
        finally:
            self._keeping = False
