"""The order of it all: requests in any order, admission in one.

Whether a candidate is new depends on what was admitted before it, so admission is one gate, in step order. Requests run
ahead of it: step k shows the teacher tasks from the pool as it was after step k - window(k), drawn with random numbers
of its own, seeded by (seed, k). So the data is a function of the settings and the teacher's answers, and neither
concurrency nor the order in which answers arrive has a say in it:

    propose 0 ─┐            propose 1..n run while the gate waits for 0
    propose 1 ─┤─> gate 0, 1, 2, ... ─> task ─> class ─> instances     (each task by itself, in any order)
    propose 2 ─┘

The window begins small and grows (a fixed one would send a short run's prompts before any task is there to be shown),
and near the target fewer steps are sent out than it would allow, so that hardly a proposal is paid for in vain. Only
which steps are sent ahead depends on the target, never what a step contains: a run of 100 that goes on to 200 ends
like a run of 200.

The method is Self-Instruct's (arXiv 2212.10560); the gate is ours.
"""

import asyncio
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from selfinstruct.config import Config
from selfinstruct.errors import SelfInstructError, Stopped, TryAgain, YieldCollapsed
from selfinstruct.filters import judge, judge_instances
from selfinstruct.pool import Pool, Snapshot
from selfinstruct.records import Completion, Request, Stage, Task
from selfinstruct.scheduler import Scheduler
from selfinstruct.store import Store, Verdict
from selfinstruct.strategies import Proposal, Strategy
from selfinstruct.teachers import Teacher

YIELD_OVER_STEPS = 50  # over so many of the latest steps the yield is measured


def window_at(step: int, window: int) -> int:
    """How many steps step `step` looks ahead of the gate: growing to `window` as the run gets longer."""
    return min(window, step // 2 + 1)


@dataclass
class Progress:
    """What a running engine has done so far, for whoever shows it. Counts include what the run had before."""

    target: int = 0
    admitted: int = 0
    made: int = 0
    calls: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    faults: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def candidates(self) -> int:
        """Candidates judged, and proposals that nothing could be read from."""
        return self.admitted + sum(self.rejected.values())


class Engine:
    """One run, from its store as it is to `target` tasks with their instances."""

    def __init__(
        self, store: Store, config: Config, strategy: Strategy, teachers: Mapping[Stage, Teacher], progress: Progress
    ):
        self.store = store
        self.config = config
        self.strategy = strategy
        self.teachers = teachers
        self.progress = progress
        running = config.running
        self.scheduler = Scheduler(running.concurrency, running.deadline_s, running.attempts, self._note_fault)
        self.pool = Pool(store.seeds(), config.filters)
        for task in store.tasks():
            self.pool.admit(task)
        self.n_tasks_after = store.steps()  # by step: the size of the pool once it was admitted
        self._yields = deque(
            (b - a for a, b in zip([0, *self.n_tasks_after], self.n_tasks_after, strict=False)), YIELD_OVER_STEPS
        )
        recent = store.recent_verdicts(running.collapse_after, config.proposals_per_request)
        self._recent = deque(recent, running.collapse_after)
        self._asking: dict[str, asyncio.Future[Completion]] = {}
        self._failure: SelfInstructError | None = None
        self._target = 0

    def stop(self) -> None:
        """Ask nothing more, let what is in flight come to its end, and return from `run`."""
        self.scheduler.stop()

    async def run(self, target: int) -> bool:
        """Go on until `target` tasks are admitted and made; False where it was stopped before.

        Raises the first TeacherError, StoreError or YieldCollapsed, once what was in flight has been stored.
        """
        self.progress.target = self._target = target
        try:
            async with asyncio.TaskGroup() as group:
                for task in self.store.tasks(only_unmade=True):
                    group.create_task(self._make(task))
                with self._stopping_gently():
                    await self._admit_until(group)
        except asyncio.CancelledError:
            if self._failure:  # stopped at once while it was stopping gently, for this reason
                raise self._failure from None
            raise
        if self._failure:
            raise self._failure
        return len(self.pool.tasks) >= target and not self.store.tasks(only_unmade=True)

    @contextmanager
    def _stopping_gently(self) -> Iterator[None]:
        """An error of one piece of work stops the others, but lets their calls in flight end: they are paid for."""
        try:
            yield
        except Stopped:
            pass
        except YieldCollapsed as error:  # only the gate ends: the tasks that were admitted get their instances
            self._failure = self._failure or error
            self._target = 0
        except SelfInstructError as error:
            self._failure = self._failure or error
            self.stop()

    # The gate.

    async def _admit_until(self, group: asyncio.TaskGroup) -> None:
        self._begin(self._admit(len(self.n_tasks_after) - 1, Proposal(self.store.pending(), [])), group)
        proposals: dict[int, asyncio.Task[Proposal | None]] = {}
        sent = len(self.n_tasks_after)
        while self._wants_tasks():
            self._check_yield()
            step = len(self.n_tasks_after)
            for ahead in range(sent, self._frontier()):
                proposals[ahead] = group.create_task(self._propose(ahead))
                sent = ahead + 1
            proposal = await proposals.pop(step)
            if proposal is None:
                return
            self._begin(self._admit(step, proposal), group)

    def _begin(self, tasks: list[Task], group: asyncio.TaskGroup) -> None:
        for task in tasks:
            group.create_task(self._make(task))

    def _wants_tasks(self) -> bool:
        return len(self.pool.tasks) < self._target

    def _frontier(self) -> int:
        """The first step that is not to be sent yet.

        The window bounds it, and near the target the number of steps that are surely needed: what is missing at the
        yield of the latest steps, less the spread to be expected in so many of them.
        """
        admitted = len(self.n_tasks_after)
        per_step = (sum(self._yields) + self.config.proposals_per_request) / (len(self._yields) + 1)
        missing = (self._target - len(self.pool.tasks)) / per_step
        surely_needed = max(1, math.ceil(missing - 0.5 * math.sqrt(missing)))
        frontier = admitted
        while frontier < admitted + surely_needed and frontier - window_at(frontier, self.config.window) < admitted:
            frontier += 1
        return frontier

    async def _propose(self, step: int) -> Proposal | None:
        """What the teacher proposes in this step; None where the run stops or reaches its target before it is sent."""
        seen = step - window_at(step, self.config.window)
        snapshot = Snapshot(self.pool, self.n_tasks_after[seen] if seen >= 0 else 0)
        rng = random.Random(f"{self.config.seed}/{step}")
        with self._stopping_gently():
            return await self.strategy.propose(snapshot, rng, lambda request: self._ask(request, self._wants_tasks))
        return None

    def _admit(self, step: int, proposal: Proposal) -> list[Task]:
        """Judge a step's candidates in order, up to the one that reaches the target; commit, and give the new tasks."""
        verdicts: list[Verdict] = []
        new: list[Task] = []
        n_known = len(self.pool.tasks)
        for candidate in proposal.candidates:
            if not self._wants_tasks():
                break
            rejection, nearest = judge(candidate, self.pool)
            verdicts.append((rejection, nearest))
            if rejection is None:
                new.append(Task(len(self.pool.tasks), candidate.id, candidate.instruction, step))
                self.pool.admit(new[-1])
        if step == len(self.n_tasks_after):
            self.n_tasks_after.append(n_known)
            self._yields.append(0)
        elif not verdicts:
            return []
        self.store.add_step(step, proposal, verdicts, lambda index: self.pool.known(index).id)
        self.n_tasks_after[step] += len(new)
        self._yields[-1] += len(new)
        self._count(proposal, verdicts)
        return new

    def _count(self, proposal: Proposal, verdicts: list[Verdict]) -> None:
        reasons = [rejection.reason for rejection, _ in verdicts if rejection]
        unreadable = [rejection.reason for _, rejection in proposal.unreadable]
        # What could not be read at all was paid for like a whole list.
        n_lost = len(reasons) + len(unreadable) * self.config.proposals_per_request
        self._recent.extend([True] * (len(verdicts) - len(reasons)) + [False] * n_lost)
        self.progress.admitted = len(self.pool.tasks)
        self.progress.rejected.update(reasons + unreadable)

    def _check_yield(self) -> None:
        running = self.config.running
        if len(self._recent) < running.collapse_after:
            return
        share = sum(self._recent) / len(self._recent)
        if share < running.collapse_below:
            reasons = ", ".join(f"{reason} {n}" for reason, n in self.progress.rejected.most_common(4))
            raise YieldCollapsed(
                f"Stopped: of the last {len(self._recent)} candidates {share:.1%} were admitted, so going on would "
                f"mostly waste calls. Rejections so far: {reasons}. Look at them with selfinstruct rejected "
                f"{self.store.folder}; then try more or more varied seeds, another model, a higher temperature, or a "
                "higher filters.rouge_threshold in a new run. To go on all the same, lower running.collapse_below."
            )

    # From task to instances.

    async def _make(self, task: Task) -> None:
        with self._stopping_gently():
            made = await self.strategy.make_instances(task, lambda request: self._ask(request, lambda: True))
            verdicts = judge_instances(made.instances, self.config.filters.max_instances)
            self.store.add_made(task, made, verdicts)
            self.progress.made += 1

    # Every request, once.

    async def _ask(self, request: Request, wanted: Callable[[], bool]) -> Completion:
        """The answer to `request`: from the store, else from the teacher, and into the store before anything else."""
        if stored := self.store.completion(request.id):
            return stored
        if request.id in self._asking:
            return await asyncio.shield(self._asking[request.id])
        answer = self._asking[request.id] = asyncio.get_running_loop().create_future()
        try:
            completion = await self.scheduler.complete(self.teachers[request.stage], request, wanted)
            self.store.add_completion(request, completion)
        except BaseException as error:
            answer.set_exception(error if isinstance(error, SelfInstructError) else Stopped())
            answer.exception()  # nobody else may be waiting
            raise
        finally:
            del self._asking[request.id]
        answer.set_result(completion)
        self.progress.calls += 1
        self.progress.tokens += completion.prompt_tokens + completion.completion_tokens
        self.progress.cost_usd += completion.cost_usd or 0.0
        return completion

    def _note_fault(self, request: Request, attempt: int, fault: TryAgain) -> int:
        self.progress.faults += 1
        return self.store.add_fault(request, attempt, fault)
