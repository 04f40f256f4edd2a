"""The stored candidates through the filters again, under other rules: which of them would be admitted?

They go through the same filters as at the gate, in the same order, against the seeds and what this replay has admitted
so far: what the run would have done with these candidates. Not covered: the teacher would have been shown other tasks,
and so have proposed others; and what people decided has no say in it.

What the run found out need not be found out again. What passed its filters passes any of them. Where the run has
compared a candidate with what it knew, no text of these is more similar than the nearest: if that one is similar enough
and was not lost, the candidate is too similar, and if it is not, only what was gained since can be more similar. So
most candidates are compared with the gained ones only, and very few with all. Filters of the user's own are not asked
again: their code is not loaded here, and what they said of a candidate is in the store.
"""

import threading
from typing import NamedTuple

from selfinstruct.config.stored import config_of, shown_by
from selfinstruct.filters.instruction import too_similar
from selfinstruct.filters.verdicts import FilteredPool, first_objection
from selfinstruct.pool.pool import Pool
from selfinstruct.store.counts import candidates
from selfinstruct.store.declared import rules_of
from selfinstruct.store.replayed import FilteredCandidate, filtered
from selfinstruct.store.store import Store

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
        gate = _Gate(store, self.rules)
        judged, before, after = 0, 0, 0
        gained: list[Change] = []
        lost: list[Change] = []
        for one in filtered(store):
            reason, score = gate.verdict(one)
            judged, before, after = judged + 1, before + one.was_admitted, after + (not reason)
            if one.was_admitted and reason:
                gate.lose(one.id)
                lost.append(Change(one.id, one.candidate.instruction, reason, score))
            elif not one.was_admitted and not reason:
                gate.gained.add(one.candidate.instruction)
                gained.append(Change(one.id, one.candidate.instruction, one.reason, score))
            if judged % REPORT_EVERY == 0:
                self.done = judged
                if self.cancelled.is_set():
                    return None
        return Outcome(judged, before, after, gained, lost)


class _Gate:
    """What this replay has admitted so far, in terms of what the run had: less the lost, and the gained."""

    def __init__(self, store: Store, rules: Rules):
        settings = rules_of(store)
        self.rules = rules
        self.pool: FilteredPool = Pool(
            store.seeds(),
            settings.model_copy(update={"without": (*rules.off, *settings.without)}),
            store.test_lines(),
            shown_by(store, config_of(store)),
        )
        self.gained = self.pool.empty_index()
        self._all = self.pool.empty_index()
        for seed in self.pool.seeds:
            self._all.add(seed.instruction)
        self._admitted: list[str] = []  # texts that are not in _all yet
        self._lost: set[str] = set()

    def lose(self, identity: str) -> None:
        """A task of the run that is none here."""
        self._lost.add(identity)

    def verdict(self, one: FilteredCandidate) -> tuple[str, float]:
        """Why a candidate is rejected, with the nearest's score (-1: unknown); "" where it is admitted."""
        compared = one.reason in ("", too_similar.name)
        if not compared and (rejection := first_objection(one.candidate, self.pool)):
            return rejection.reason, -1.0
        text, score = one.candidate.instruction, one.nearest_score
        reason, score = self._novelty(text, one.nearest_id, (score or 0.0) if compared else None)
        if not reason:
            self._admitted.append(text)
        return reason, score

    def _novelty(self, text: str, nearest_id: str, score: float | None) -> tuple[str, float]:
        threshold = self.rules.threshold
        if score is not None and score > threshold and nearest_id not in self._lost:
            return too_similar.name, score
        if score is not None and score <= threshold:
            near = self.gained.nearest(text, threshold)
        else:
            for admitted in self._admitted:
                self._all.add(admitted)
            self._admitted.clear()
            near = self._all.nearest(text, threshold)
        return (too_similar.name, near.score) if near else ("", -1.0 if score is None else score)
