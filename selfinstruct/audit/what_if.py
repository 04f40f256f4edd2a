"""The stored candidates through the filters once more, under other rules: which of them would be admitted?

They go through the same filters as at the gate, in the same order, against the seeds and what this replay has admitted
so far: what the run would have done with these candidates. Not covered: the teacher would have been shown other tasks,
and so have proposed others; and what people decided has no say in it.
"""

import threading
from typing import NamedTuple

from selfinstruct.filters.instruction import INSTRUCTION_FILTERS, too_similar
from selfinstruct.filters.verdicts import FilteredPool, judge
from selfinstruct.pool.pool import Pool
from selfinstruct.records import Task
from selfinstruct.store.counts import candidates
from selfinstruct.store.replayed import judged as judged_candidates
from selfinstruct.store.store import Store

NAMES = tuple(rule.name for rule in INSTRUCTION_FILTERS)
REPORT_EVERY = 500  # candidates


class Rules(NamedTuple):
    """The threshold of the novelty rule, and the filters that are switched off."""

    threshold: float
    off: frozenset[str] = frozenset()


class Change(NamedTuple):
    """A candidate whose verdict changes; `reason` is what rejects it, then (lost) or in the run (gained)."""

    id: str
    instruction: str
    reason: str
    score: float


class Outcome(NamedTuple):
    """How many candidates were judged, how many the run admitted and how many these rules would, and which change."""

    judged: int
    before: int
    after: int
    gained: list[Change]
    lost: list[Change]


class Replay(threading.Thread):
    """A replay under way; `outcome` is None until it is over, and stays so where it was cancelled or failed."""

    def __init__(self, store: Store, rules: Rules):
        super().__init__(daemon=True)
        self.rules = rules
        self.done = 0
        self.of = candidates(store)
        self.outcome: Outcome | None = None
        self.cancelled = threading.Event()
        self._folder = store.folder

    def run(self) -> None:
        """Replay the whole run, on a connection of this thread's own."""
        with Store.read(self._folder) as store, store.snapshot():
            self.outcome = self._replay(store)

    def _replay(self, store: Store) -> Outcome | None:
        settings = store.rules()
        without = {*self.rules.off, *settings.without} - {too_similar.name}
        rules = settings.model_copy(update={"rouge_threshold": self.rules.threshold, "without": tuple(without)})
        pool: FilteredPool = Pool(store.seeds(), rules, store.test_lines())
        judged, before = 0, 0
        gained: list[Change] = []
        lost: list[Change] = []
        for one in judged_candidates(store):
            rejection, _, nearest = judge(one.candidate, pool, above=rules.rouge_threshold)
            judged, before = judged + 1, before + one.was_admitted
            text = one.candidate.instruction
            if rejection is None:
                pool.admit(Task.admitted(len(pool.tasks), one.candidate, 0))
            if one.was_admitted and rejection:
                lost.append(Change(one.id, text, rejection.reason, nearest.score if nearest else -1.0))
            elif not one.was_admitted and not rejection:
                gained.append(
                    Change(one.id, text, one.reason, -1.0 if one.nearest_score is None else one.nearest_score)
                )
            if judged % REPORT_EVERY == 0:
                self.done = judged
                if self.cancelled.is_set():
                    return None
        return Outcome(judged, before, len(pool.tasks), gained, lost)
