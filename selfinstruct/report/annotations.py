"""A run that asks about rows, in figures and words."""

from typing import Any, NamedTuple

from selfinstruct.annotation import STAGE
from selfinstruct.report.status import cost
from selfinstruct.store import annotations
from selfinstruct.store.answers import Usage, usage
from selfinstruct.store.declared import declared_by
from selfinstruct.store.store import Store
from selfinstruct.terminal import n_of
from selfinstruct.untrusted import visible

MOST_VALUES = 12  # of a voter, that are listed


class AnnotationStatus(NamedTuple):
    """The figures of a run that asks about rows.

    - `problems`: rows about which nothing is asked, by reason. `gold`: rows with a known answer.
    - `answers`: that were read; `rejected`: those of them that are no vote, by reason.
    - `votes`: by voter, how often each value was chosen.
    """

    rows: int
    problems: dict[str, int]
    gold: int
    answers: int
    rejected: dict[str, int]
    votes: dict[str, dict[str, int]]
    faults: int
    usage: list[Usage]
    reasons: dict[str, str]

    def __repr__(self) -> str:
        rejected = sum(self.rejected.values())
        return f"<AnnotationStatus: {self.rows:,} rows, {self.answers:,} answers, {rejected:,} rejected>"

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        values = {name: value for name, value in self._asdict().items() if name != "reasons"}
        return {**values, "usage": [one._asdict() for one in self.usage]}


def annotation_status(store: Store) -> AnnotationStatus:
    """Count what the store holds, in one consistent view of it."""
    with store.snapshot():
        found = annotations.counts(store)
        rejected = annotations.rejected(store)
        return AnnotationStatus(
            found.rows, found.problems, found.gold, found.votes, rejected, annotations.values(store), found.faults,
            usage(store, [STAGE]), declared_by(store).reasons,
        )  # fmt: skip


def render(found: AnnotationStatus, folder: str) -> str:
    """The figures as text."""
    words = {"empty_row": "the template is empty", "no_column": "a column of the template is missing"}
    lines = [folder, f"  rows       {found.rows:,}" + (f", {found.gold:,} with a gold answer" if found.gold else "")]
    lines += [f"  {n:>6,}  not asked about: {words.get(reason, reason)}" for reason, n in found.problems.items()]
    lines.append(
        f"  answers    {found.answers:,}" + (", all of them votes" if found.answers and not found.rejected else "")
    )
    if found.rejected:
        lines.append("  rejected")
        lines += [f"  {n:>6,}  {reason:<23} {found.reasons.get(reason, '')}" for reason, n in found.rejected.items()]
    lines.append("  votes")
    for voter, values in found.votes.items():
        n = sum(values.values())
        is_listed = len(values) <= MOST_VALUES
        shown = ", ".join(f"{visible(value[:30])} {times:,}" for value, times in values.items())
        lines.append(f"  {n:>6,}  {visible(voter):<23} {shown if is_listed else n_of(len(values), 'different value')}")
    lines.append("  calls")
    for u in found.usage:
        tokens = f"{u.prompt_tokens:,} + {u.completion_tokens:,} tokens"
        check = "" if u.stage == STAGE else ", settings check"
        lines.append(f"  {u.requests:>6,}  {visible(u.model):<23} {tokens}, {cost(u)}{check}")
    if found.faults:
        lines.append(f"  {found.faults:>6,}  attempts failed")
    return "\n".join(lines)
