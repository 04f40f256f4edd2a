"""How many there are at each step of the way, from requests to what is exported."""

from collections import Counter
from typing import NamedTuple

from selfinstruct.audit.index import Index
from selfinstruct.audit.listing import Selection
from selfinstruct.config.stored import config_of
from selfinstruct.filters.verdicts import CANDIDATE_STAGES, INSTANCE_STAGES
from selfinstruct.store import counts
from selfinstruct.store.declared import declared_by
from selfinstruct.store.store import Store

WITHOUT_CONTENT = ("no_answer", "empty_answer", "refusal")


class Step(NamedTuple):
    """A number on the way; `level` 1: a part of the step above, of which it is gone if `is_lost`.

    `query` asks a list for it, None: none can.
    """

    name: str
    n: int
    level: int
    query: str | None
    note: str = ""
    is_lost: bool = False


def funnel(store: Store, index: Index) -> list[Step]:
    """The steps in order; what is in the index is counted there."""
    declared = declared_by(store)
    proposing, *of_each_task = config_of(store).stages
    waiting_tasks = counts.waiting(store)
    decided = counts.decisions(store)
    groups = index.groups()
    exported = sum(group.n for group in groups if (group.kind, group.reason) == ("instance", ""))
    from_rescued = 0
    if {"ban", "rescue"} & decided.keys():  # the view takes a while where there are many
        exported, from_rescued = counts.exported(store)

    def count(**facets: str) -> int:
        return sum(group.n for group in groups if facets.items() <= group._asdict().items())

    def lost(kind: str, *stages: str) -> list[Step]:
        lines = Counter[tuple[str, str]]()
        for group in groups:
            if group.kind == kind and group.stage in stages:
                lines[group.stage, group.reason] += group.n
        return [
            Step(
                reason,
                n,
                1,
                Selection(kind=kind, stage=stage, reason=reason).query(),
                explain(stage, reason),
                # An answer about a task is no task: that one is asked again, or goes on without.
                is_lost=kind != "completion" or stage == proposing,
            )
            for (stage, reason), n in lines.most_common()
        ]

    def explain(stage: str, reason: str) -> str:
        asks_for = declared.asked_for.get(stage) if reason in WITHOUT_CONTENT else None
        return declared.reasons.get(reason, "") + (f", when asked for {asks_for}" if asks_for else "")

    words = {"ban": "banned", "rescue": "rescued", "edit": "edited"}
    notes = [f"{n:,} {words[action]}" for action, n in decided.items() if action in words]
    notes += [f"{from_rescued:,} from rescued instructions"] if from_rescued else []
    waiting = Step(
        "not filtered yet",
        count(state="pending"),
        1,
        Selection(state="pending").query(),
        "the target was reached first",
    )
    return [
        Step("proposals", counts.proposals(store), 0, None),
        *lost("completion", proposing),
        Step("instructions read", count(kind="candidate"), 0, Selection(kind="candidate").query()),
        *lost("candidate", *CANDIDATE_STAGES),
        *([waiting] if waiting.n else []),
        Step("tasks admitted", count(kind="candidate", reason="") - waiting.n, 0,
             Selection(kind="candidate", state="admitted").query(),
             f"{waiting_tasks:,} without instances so far" if waiting_tasks else ""),
        *lost("completion", *of_each_task),
        Step("instances read", count(kind="instance"), 0, Selection(kind="instance").query()),
        *lost("instance", *INSTANCE_STAGES),
        Step("records kept", count(kind="instance", reason=""), 0,
             Selection(kind="instance", state="admitted").query()),
        Step("records exported", exported, 0, None, ", ".join(notes)),
    ]  # fmt: skip
