"""The tasks admitted so far, and the pool as it was at an earlier step.

The pool only ever grows, so a snapshot is the pool and a number: how many of its tasks to look at.
"""

import functools
import random
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import Field

from selfinstruct.pool.contamination import TestSet
from selfinstruct.pool.near_duplicates import NearDuplicates
from selfinstruct.pool.novelty import NoveltyIndex, ascii_tokens, tokens
from selfinstruct.pool.shown import Shown
from selfinstruct.records import Line, SeedTask, Task
from selfinstruct.settings import MayChange, Section


class SimilaritySettings(Section):
    """Similarity thresholds."""

    may_change = MayChange.UNTIL_FILTERED

    rouge_threshold: float = Field(
        0.7, ge=0, le=1, description="ROUGE-L F1 above which an instruction is too similar to a known one"
    )
    ascii_tokens: bool = Field(False, description="tokenize to a-z and 0-9 only, as the paper did")
    near_duplicate: float = Field(
        0.7,
        ge=0.5,
        le=1,
        description="Jaccard similarity of word trigrams at which a record counts as a copy of another task's record",
    )


Rules_co = TypeVar("Rules_co", bound=SimilaritySettings, covariant=True)


class Pool(Generic[Rules_co]):
    """The seeds and the tasks admitted so far, with a similarity index over both: seeds first, then tasks in order.

    `rules`: the filter settings of the run. `test_lines`: questions of test sets, for decontamination. `shown`: what
    its prompts say.
    """

    def __init__(
        self,
        seeds: Sequence[SeedTask],
        rules: Rules_co,
        test_lines: Sequence[Line] = (),
        shown: Shown | None = None,
    ):
        self.seeds = seeds
        self.rules = rules
        self.shown = shown or Shown({})
        self.tests = TestSet(test_lines, rules.rouge_threshold) if test_lines else None
        self.tasks: list[Task] = []
        self.record_ids: list[str] = []
        self.index = self.empty_index()
        for seed in seeds:
            self.index.add(seed.instruction)

    def empty_index(self) -> NoveltyIndex:
        """An empty index with the tokenization of this pool."""
        return NoveltyIndex(ascii_tokens if self.rules.ascii_tokens else tokens)

    def admit(self, task: Task) -> None:
        """Add a task. Raises ValueError unless it is the next in order."""
        if task.position != len(self.tasks):
            raise ValueError(f"task {task.position} cannot follow {len(self.tasks)} tasks")
        self.tasks.append(task)
        self.index.add(task.instruction)

    @functools.cached_property
    def _records(self) -> NearDuplicates:
        return NearDuplicates(self.rules.near_duplicate)

    def add_record(self, identity: str, text: str) -> None:
        """Add a record's text. Look up all records of a task before adding any of them."""
        self.record_ids.append(identity)
        self._records.add(text)

    def nearest_record(self, text: str) -> tuple[str, float] | None:
        """Id and Jaccard similarity of the most similar record; None if none reaches the threshold."""
        near = self._records.nearest(text)
        return (self.record_ids[near.index], near.score) if near else None

    def known(self, index: int) -> SeedTask | Task:
        """The seed or task at position `index` of the similarity index."""
        return self.seeds[index] if index < len(self.seeds) else self.tasks[index - len(self.seeds)]


def record_text(*parts: str) -> str:
    """The parts of a record as one text, one per line; empty ones are left out."""
    return "\n".join(part for part in parts if part)


class Snapshot(NamedTuple):
    """The pool as it was when it held `n_tasks` tasks."""

    pool: Pool[Any]
    n_tasks: int

    def demonstrations(self, rng: random.Random, n_seeds: int, n_generated: int) -> list[str]:
        """Draw instructions to show in a prompt: `n_generated` tasks and `n_seeds` seeds, shuffled.

        Seeds replace missing tasks; if there are too few seeds, fewer instructions are drawn. Source:
        Self-Instruct, section 2.2.
        """
        chosen = rng.sample(range(self.n_tasks), min(n_generated, self.n_tasks))
        n_seeds = min(n_seeds + n_generated - len(chosen), len(self.pool.seeds))
        shown = [self.pool.tasks[i].instruction for i in chosen]
        shown += [seed.instruction for seed in rng.sample(self.pool.seeds, n_seeds)]
        rng.shuffle(shown)
        return shown
