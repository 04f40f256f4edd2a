"""The tasks admitted so far, and what they looked like at an earlier step.

The pool only ever grows, so a snapshot is the pool and a number: how many of its tasks to look at.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from selfinstruct.config import FilterSettings
from selfinstruct.novelty import NoveltyIndex
from selfinstruct.records import SeedTask, Task


class Pool:
    """The seeds and the admitted tasks, with the index over both: seeds first, then tasks in order."""

    def __init__(self, seeds: Sequence[SeedTask], rules: FilterSettings):
        self.seeds = seeds
        self.rules = rules
        self.tasks: list[Task] = []
        self.index = NoveltyIndex()
        for seed in seeds:
            self.index.add(seed.instruction)

    def admit(self, task: Task) -> None:
        """Add a task; it must be the next in order."""
        if task.position != len(self.tasks):
            raise ValueError(f"task {task.position} cannot follow {len(self.tasks)} tasks")
        self.tasks.append(task)
        self.index.add(task.instruction)

    def known(self, index: int) -> SeedTask | Task:
        """What stands at position `index` of the novelty index."""
        return self.seeds[index] if index < len(self.seeds) else self.tasks[index - len(self.seeds)]


class Snapshot(NamedTuple):
    """The pool as it was when it held `n_tasks` tasks."""

    pool: Pool
    n_tasks: int

    def demonstrations(self, rng: random.Random, n_seeds: int, n_generated: int) -> list[str]:
        """Instructions to show: `n_generated` tasks (fewer while there are fewer, seeds fill the gap), shuffled.

        Fewer in all where there are not enough seeds. Source: Self-Instruct, section 2.2.
        """
        chosen = rng.sample(range(self.n_tasks), min(n_generated, self.n_tasks))
        n_seeds = min(n_seeds + n_generated - len(chosen), len(self.pool.seeds))
        shown = [self.pool.tasks[i].instruction for i in chosen]
        shown += [seed.instruction for seed in rng.sample(self.pool.seeds, n_seeds)]
        rng.shuffle(shown)
        return shown
