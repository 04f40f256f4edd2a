"""The gate: candidates become tasks in the order of steps, and answers become instances in the order of tasks.

Whether something may stay depends on what was admitted before it, so this is the one place where order matters; what
happens elsewhere may happen in any order.
"""

from collections import deque

from selfinstruct.config.config import Config
from selfinstruct.config.stored import shown_by
from selfinstruct.engine.progress import Progress
from selfinstruct.errors import StoreError, YieldCollapsed
from selfinstruct.filters.verdicts import FilterSettings, Verdict, verdict_on, verdict_on_record, verdicts_on_instances
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.pool.pool import Pool, record_text
from selfinstruct.records import Record, Task
from selfinstruct.store.reasons import remedy
from selfinstruct.store.store import Store
from selfinstruct.strategies import GeneratedInstances, Proposal

YIELD_OVER_STEPS = 50  # the number of latest steps over which the yield is measured


class Gate:
    """The pool of one run, and the way into it."""

    def __init__(self, store: Store, config: Config, progress: Progress):
        self.store = store
        self.config = config
        self.progress = progress
        self.pool: Pool[FilterSettings] = Pool(
            store.seeds(), config.filters, store.test_lines(), shown_by(store, config)
        )
        for position, task in enumerate(store.tasks()):
            if task.position != position:
                raise StoreError(f"{store.path}: tasks are missing. Run selfinstruct verify {store.folder}.")
            self.pool.admit(task)
        self._has_records = False
        self.n_tasks_after = store.steps()  # by step: the size of the pool once it was admitted
        self._yields = deque(
            (b - a for a, b in zip([0, *self.n_tasks_after], self.n_tasks_after, strict=False)), YIELD_OVER_STEPS
        )
        n_watched = config.running.collapse_after
        self._recent = deque(store.recent_verdicts(n_watched, config.proposals_per_request), n_watched)

    def admit(self, step: int, proposal: Proposal, target: float, most: int | None = None) -> list[Task]:
        """Filter a step's candidates in order, up to the one that reaches `target` tasks; commit, return the new tasks.

        `step` is the next one, or the last one again with the candidates that were left of it. Only the first `most`
        candidates are judged, where that is given.
        """
        verdicts: list[Verdict] = []
        new: list[Task] = []
        n_known = len(self.pool.tasks)
        for candidate in proposal.candidates[:most]:
            if len(self.pool.tasks) >= target:
                break
            verdicts.append(verdict_on(candidate, self.pool))
            if verdicts[-1].rejection is None:
                new.append(Task.admitted(len(self.pool.tasks), candidate, step))
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

    def keep(self, task: Task, generated: GeneratedInstances) -> None:
        """Filter what was generated for a task, and commit it."""
        self.recall_records()
        verdicts = verdicts_on_instances(generated.instances, self.config.filters)
        for i, instance in enumerate(generated.instances):
            if verdicts[i] is None:
                verdicts[i] = verdict_on_record(_record(task, generated, instance), self.pool)
        identities = self.store.add_generated(task, generated, verdicts)
        for identity, instance, verdict in zip(identities, generated.instances, verdicts, strict=True):
            if verdict is None:
                self.pool.add_record(identity, record_text(task.instruction, instance.input, instance.output))
        self.progress.generated += 1

    def recall_records(self) -> None:
        """Put the store's records into the pool, once in a session in which more are to be judged.

        What people decided about them meanwhile has no say in what is admitted.
        """
        if self._has_records:
            return
        self._has_records = True
        for record in self.store.records(decided=False):
            self.pool.add_record(record.id, record_text(record.instruction, record.input, record.output))

    def per_step(self) -> float:
        """Tasks that a step brings, by the latest ones; as many as are asked for while there is none."""
        return (sum(self._yields) + self.config.proposals_per_request) / (len(self._yields) + 1)

    def check_yield(self) -> None:
        """Raise YieldCollapsed if hardly any of the latest candidates was admitted."""
        running = self.config.running
        if len(self._recent) < running.collapse_after:
            return
        share = sum(self._recent) / len(self._recent)
        if share < running.collapse_below:
            reasons = ", ".join(f"{reason} {n}" for reason, n in self.progress.rejected.most_common(4))
            first = self.progress.rejected.most_common(1)[0][0] if reasons else ""
            raise YieldCollapsed(
                f"Stopped: only {share:.1%} of the last {len(self._recent)} candidates were admitted, so more "
                f"calls would mostly be wasted; an answer without candidates counts as "
                f"{self.config.proposals_per_request}. Rejections so far: {reasons}. See selfinstruct rejected "
                f"{self.store.folder}. In a new run, {remedy(first) or f'change what leads to {first}'}. To continue "
                "this one anyway, lower running.collapse_below."
            )

    def _count(self, proposal: Proposal, verdicts: list[Verdict]) -> None:
        reasons = [verdict.rejection.reason for verdict in verdicts if verdict.rejection]
        unreadable = [rejection.reason for _, rejection in proposal.unreadable]
        # What could not be read at all was paid for like a whole list; a step without anything was, too.
        n_unread = len(unreadable) or (not proposal.candidates)
        n_lost = len(reasons) + n_unread * self.config.proposals_per_request
        self._recent.extend([True] * (len(verdicts) - len(reasons)) + [False] * n_lost)
        self.progress.admitted = len(self.pool.tasks)
        self.progress.rejected.update(reasons + unreadable)


def _record(task: Task, generated: GeneratedInstances, instance: ParsedInstance) -> Record:
    """The record that an instance would become; it has no id yet."""
    extras = task.extra, generated.extra, instance.extra
    return Record.of("", task.position, task.instruction, instance.input, instance.output, *extras)
