"""What every filter says of one generation, not only the first that objected.

The filters are those of the room of that name, run again on what the store holds. The two that compare with
everything known, too_similar and near_duplicate, are looked up in the store where the run asked them. It did not ask
them about what an earlier filter rejected: there they are asked now, against what the run knew when it judged it, of
the instructions those admitted before, of the records those of earlier tasks. The records that could be
near-duplicates are found in the full-text index: of k shingles, a record whose Jaccard similarity is at least t
shares all but (1 - t)·k, so it has one at least of any more than that. The instructions' index takes a second for
15,000 tasks, once.
"""

import math
from typing import Any, NamedTuple

from selfinstruct.audit.index import Index
from selfinstruct.config.stored import config_of, shown_by
from selfinstruct.filters.custom import CustomRule
from selfinstruct.filters.instance import cut_off
from selfinstruct.filters.instruction import too_similar
from selfinstruct.filters.record import near_duplicate
from selfinstruct.filters.rule import Rule
from selfinstruct.filters.verdicts import FilteredPool, each_of_candidate, each_of_instances, record_filters
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.pool.near_duplicates import shingles
from selfinstruct.pool.pool import Pool, record_text
from selfinstruct.records import Candidate, Neighbor, Record, Rejection
from selfinstruct.store import generations
from selfinstruct.store.declared import rules_of
from selfinstruct.store.store import Store


class Verdict(NamedTuple):
    """What one filter says: its name, in words, and its evidence where it objects (None if it does not)."""

    name: str
    words: str
    evidence: dict[str, Any] | None


class Nearest(NamedTuple):
    """The known text that is most similar, what kind of thing it is, and how similar (ROUGE-L F1, or Jaccard)."""

    kind: str
    id: str
    text: str
    score: float
    measure: str


class RunFilters:
    """The rules and the pool of one run, growing as it does."""

    def __init__(self, store: Store):
        self.store = store
        self.pool: FilteredPool = Pool(
            store.seeds(), rules_of(store), store.test_lines(), shown_by(store, config_of(store))
        )

    def candidate(self, candidate: Candidate, n_tasks: int) -> tuple[list[Verdict], Nearest | None]:
        """Every filter's verdict on a candidate, judged when the pool held `n_tasks` tasks, and the nearest then."""
        nearest_id, score, rejection = generations.nearest(self.store, candidate.id)
        # A custom filter is not asked again; of what an earlier filter rejected it has said nothing.
        all_ran = score is not None
        said = each_of_candidate(candidate, self.pool)
        verdicts = [_verdict(*one) for one in said if all_ran or one.rejection or not _is_custom(one.rule)]
        if score is None:
            self._catch_up(n_tasks)
            near = self._nearest(candidate.instruction, len(self.pool.seeds) + n_tasks)
            rejection = too_similar(near, self.pool)
            if near:
                nearest_id, score = self.pool.known(near.index).id, near.score
        verdicts.append(_verdict(too_similar, rejection))
        if not nearest_id or score is None:
            return verdicts, None
        seed = next((seed for seed in self.pool.seeds if seed.id == nearest_id), None)
        if seed:
            return verdicts, Nearest("seed", seed.id, seed.instruction, score, "ROUGE-L")
        (text,) = generations.texts(self.store, "candidate", nearest_id)
        return verdicts, Nearest("candidate", nearest_id, text, score, "ROUGE-L")

    def instances(
        self, position: int, index: Index, nearest_of: str
    ) -> tuple[dict[str, list[Verdict]], Nearest | None]:
        """Every filter's verdict on each instance of the task at `position`, by id.

        Those on all of the record, and the nearest earlier record, only for the instance `nearest_of`.
        """
        rows = generations.instances_of(self.store, position)
        instances = [ParsedInstance(row.input, row.output, row.reason == cut_off.name) for row in rows]
        said = each_of_instances(instances, self.pool.rules)
        verdicts = {row.id: [_verdict(*one) for one in of_row] for row, of_row in zip(rows, said, strict=True)}
        at = next(i for i, row in enumerate(rows) if row.id == nearest_of)
        row = rows[at]
        record = Record.of(row.id, position, row.instruction, row.input, row.output)
        text = record_text(record.instruction, record.input, record.output)
        filters = record_filters(self.pool.rules)
        # The run has compared what its filters of instances left; it knows what was near enough.
        compared = not row.reason or row.reason in {rule.name for rule in filters}
        if row.reason == near_duplicate.name:
            near = row.evidence["nearest_id"], row.evidence["jaccard"]
            rejection = Rejection(row.reason, row.evidence)
        elif compared:
            near, rejection = None, None
        else:
            pool = self._similar_records(text, position, index)
            near, rejection = pool.nearest_record(text), near_duplicate(record, pool)
        for rule in filters:
            of_rule = rejection if rule is near_duplicate else rule(record, self.pool)
            if of_rule or not row.reason or not _is_custom(rule):
                verdicts[nearest_of].append(_verdict(rule, of_rule))
        nearest = Nearest("instance", near[0], self._record(near[0]), near[1], "Jaccard") if near else None
        return verdicts, nearest

    def _catch_up(self, n_tasks: int) -> None:
        if len(self.pool.tasks) < n_tasks:
            for task in self.store.tasks()[len(self.pool.tasks) :]:
                self.pool.admit(task)

    def _nearest(self, text: str, n_known: int) -> Neighbor | None:
        """The nearest of the first `n_known` instructions; the index holds later ones too."""
        k = 8
        while True:
            found = [near for near in self.pool.index.top(text, k) if near.index < n_known]
            if found or k >= len(self.pool.index):
                return found[0] if found else None
            k *= 16

    def _similar_records(self, record: str, position: int, index: Index) -> FilteredPool:
        """A pool of those records of earlier tasks that may be near-duplicates."""
        rules = self.pool.rules
        pool: FilteredPool = Pool((), rules)
        # The longest words first: the rarer they are, the less there is to read.
        some = sorted(shingles(record), key=len, reverse=True)
        some = some[: math.floor((1 - rules.near_duplicate) * len(some)) + 1]
        if some:
            query = " OR ".join(f'"{shingle}"' for shingle in some)
            for name in generations.kept_before(self.store, index.matching(query), position):
                pool.add_record(name, self._record(name))
        return pool

    def _record(self, identity: str) -> str:
        return record_text(*generations.texts(self.store, "instance", identity))


def _is_custom(rule: Rule[...]) -> bool:
    return isinstance(rule, CustomRule)


def _verdict(rule: Rule[...], rejection: Rejection | None) -> Verdict:
    words = f"{rule.words} (as recorded)" if _is_custom(rule) else rule.words
    return Verdict(rule.name, words, rejection.evidence if rejection else None)
