"""What other rules change: which tasks and records of a run are lost, which are gained, and for which reason.

What is lost has the reason for which the new rules reject it, what is gained the one for which the old rules did; a
record may go and come with its task. Where there is no such reason, an answer is read otherwise than before, or the one
that a task needs is not there: OTHER_REASONS.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from selfinstruct.pool.pool import record_text
from selfinstruct.records import Rejection
from selfinstruct.store.declared import declared_by
from selfinstruct.store.listing import describe_evidence
from selfinstruct.store.replayed import rejections
from selfinstruct.store.store import Store

EXAMPLES = 3  # of each reason
OTHER_REASONS = {
    "with_its_task": "its task was lost or gained",
    "read_differently": "its answer is parsed differently than before",
    "not_asked_for": "its task has no instances yet",
}


class Change(NamedTuple):
    """One task or record that was lost or gained, with the reason and the evidence."""

    reason: str
    evidence: dict[str, Any]
    text: str


class Compared(NamedTuple):
    """The tasks, or the records, before and after a change of the rules.

    - `before`, `after`: how many there were, and how many there are now.
    - `lost`, `gained`: each that is missing now, and each that is new, with the reason.
    """

    before: int
    after: int
    lost: list[Change]
    gained: list[Change]

    def __repr__(self) -> str:
        return f"<Compared: {self}>"

    def __str__(self) -> str:
        lost, gained = len(self.lost), len(self.gained)
        return f"{self.before:,} before, {self.after:,} now: {lost:,} lost, {gained:,} gained"

    def as_dict(self) -> dict[str, Any]:
        """The figures, those of each reason, and a few examples of each reason, as JSON values."""
        return {
            "before": self.before,
            "after": self.after,
            "lost": _by_reason(self.lost),
            "gained": _by_reason(self.gained),
        }


class Changes(NamedTuple):
    """The difference that the new rules make.

    - `read_differently`: number of answers that are parsed differently.
    - `waiting`: number of tasks without instances.
    - `decisions_left_out`: number of manual decisions about something that the new run does not have.
    - `reasons`: those of the new run, with their meaning.
    """

    tasks: Compared
    records: Compared
    read_differently: int
    waiting: int
    decisions_left_out: int
    reasons: Mapping[str, str]

    def __repr__(self) -> str:
        return f"<Changes: tasks {self.tasks}; records {self.records}>"

    def as_dict(self) -> dict[str, Any]:
        """The changes as JSON values, without `reasons`."""
        values = {**self._asdict(), "tasks": self.tasks.as_dict(), "records": self.records.as_dict()}
        del values["reasons"]
        return values


class _Held(NamedTuple):
    """What a store holds, by id: the tasks' texts, the records' tasks and texts, what was rejected and why."""

    tasks: dict[str, str]
    records: dict[str, tuple[str, str]]
    rejected: dict[str, Rejection]
    waiting: set[str]


def changes(before: Store, after: Store, read_differently: int, decisions_left_out: int) -> Changes:
    """Compare a run with its refiltered version, both as the filters left them; the rest is as in `Changes`."""
    old, new = _held(before), _held(after)
    return Changes(
        Compared(len(old.tasks), len(new.tasks), _missing_tasks(old, new), _missing_tasks(new, old)),
        Compared(len(old.records), len(new.records), _missing_records(old, new), _missing_records(new, old)),
        read_differently,
        len(new.waiting),
        decisions_left_out,
        declared_by(after).reasons,
    )


def _held(store: Store) -> _Held:
    of_task = {task.position: task.id for task in store.tasks()}
    return _Held(
        {task.id: task.instruction for task in store.tasks()},
        {r.id: (of_task[r.task], record_text(r.instruction, r.input, r.output)) for r in store.records(decided=False)},
        rejections(store),
        {task.id for task in store.tasks(only_waiting=True)},
    )


def _missing_tasks(here: _Held, there: _Held) -> list[Change]:
    return [_why(there, text, identity) for identity, text in here.tasks.items() if identity not in there.tasks]


def _missing_records(here: _Held, there: _Held) -> list[Change]:
    return [
        _why(there, text, identity, task) if task in there.tasks else Change("with_its_task", {}, text)
        for identity, (task, text) in here.records.items()
        if identity not in there.records
    ]


def _why(there: _Held, text: str, identity: str, task: str = "") -> Change:
    """Why a task, or a record of `task`, is not in `there`."""
    if identity in there.rejected:
        return Change(*there.rejected[identity], text)
    return Change("not_asked_for" if task in there.waiting else "read_differently", {}, text)


def _by_reason(found: list[Change]) -> dict[str, Any]:
    return {
        reason: {
            "count": n,
            "examples": [
                {"text": one.text, "evidence": one.evidence} for one in found if one.reason == reason
            ][:EXAMPLES],
        }
        for reason, n in Counter(one.reason for one in found).most_common()
    }  # fmt: skip


def render(found: Changes, run: str, new: str) -> str:
    """The figures and a few examples as text, at most 80 characters wide unless a name is long."""
    lines = [f"{new}: {run} filtered under other rules, without API calls"]
    for name, compared in (("tasks", found.tasks), ("records", found.records)):
        lines.append(f"  {name:<8} {compared}")
        for verb, some in (("lost", compared.lost), ("gained", compared.gained)):
            for reason, n in Counter(one.reason for one in some).most_common():
                words = found.reasons.get(reason) or OTHER_REASONS.get(reason, "")
                lines.append(f"    {verb:<6} {n:>7,}  {reason:<20} {words}")
                for one in [one for one in some if one.reason == reason != "with_its_task"][:EXAMPLES]:
                    lines.append(f"             | {_short(one.text)}")
                    if seen := describe_evidence(one.evidence):
                        lines.append(f"               {_short(seen)}")
    lines.append(f"  answers parsed differently by this version: {found.read_differently:,}")
    if found.waiting:
        lines.append(f"  tasks without instances: {found.waiting:,}; selfinstruct generate will request the instances")
    if found.decisions_left_out:
        lines.append(f"  decisions about items no longer present: {found.decisions_left_out:,}; they remain in {run}")
    return "\n".join(lines)


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 65 else one_line[:62] + "..."
