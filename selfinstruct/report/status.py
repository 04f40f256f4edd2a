"""A run in figures and words: what `status` prints, and `generate` at its end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any, NamedTuple

from selfinstruct.asking.stages import Counted
from selfinstruct.config.config import Config
from selfinstruct.config.stored import config_of
from selfinstruct.engine.progress import Progress
from selfinstruct.errors import UsageError
from selfinstruct.filters.verdicts import CANDIDATE_STAGES
from selfinstruct.report.advice import advice
from selfinstruct.store import counts
from selfinstruct.store.answers import Usage, is_simulated, unpriced, usage
from selfinstruct.store.counts import RejectionCount
from selfinstruct.store.declared import declared_by
from selfinstruct.store.store import Store
from selfinstruct.strategies import Declared
from selfinstruct.strategies import declared as strategy_declares
from selfinstruct.teachers.budget import cost_usd
from selfinstruct.terminal import n_of
from selfinstruct.untrusted import visible

MOST_VALUES = 8  # of a field, that are listed one by one


class Status(NamedTuple):
    """The figures of a run.

    - `batches`: those in progress, with `in_batches` unanswered requests.
    - `fields`: for each field that stages added, the number of records with each value.
    - `declared`: what the run's strategy and filters declare.
    - `grades`: numbers of right, wrong and unknown outputs of a simulated run; empty for other runs.
    """

    target: int
    candidates: int
    tasks: int
    counted: dict[str, int]
    generated: int
    pending: int
    instances: int
    records: int
    without_records: int
    rejected: list[RejectionCount]
    unused_proposals: int
    faults: int
    batches: int
    in_batches: int
    usage: list[Usage]
    grades: dict[str, int]
    fields: dict[str, dict[str, int]]
    declared: Declared

    @property
    def cost_usd(self) -> float | None:
        """Cost of all answers in US dollars; None if a model has no price.

        Answers from before a model had a price count at its current price.
        """
        costs = [one.cost_usd for one in self.usage]
        return None if any(cost is None for cost in costs) else sum(cost for cost in costs if cost is not None)

    def __repr__(self) -> str:
        calls, rejected = sum(one.requests for one in self.usage), sum(one.n for one in self.rejected)
        cost = "" if self.cost_usd is None else f", ${self.cost_usd:,.4f}"
        tasks = f"{self.tasks:,} of {n_of(self.target, 'task')}" if self.target else n_of(self.tasks, "task")
        held = f"{tasks}, {n_of(self.records, 'record')}, {rejected:,} rejected"
        return f"<Status: {held}, {n_of(calls, 'call')}{cost}>"

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        values: dict[str, Any] = {}
        for name, value in self._asdict().items():
            if name != "declared":
                values |= value if name == "counted" else {name: value}
        values["rejected"] = [{"stage": stage, "reason": reason, "count": n} for stage, reason, n in self.rejected]
        values["usage"] = [usage._asdict() for usage in self.usage]
        return values


def check_counted(config: Config) -> None:
    """UsageError if a stage counts its field under a name that another figure has in `Status.as_dict`."""
    taken = dict.fromkeys((*Status._fields, "diversity"), "status --json has a field of that name")
    for stage, counted in strategy_declares(config.asks).counted.items():
        if counted.key in taken:
            raise UsageError(
                f"The strategy {config.strategy}: stage {stage} cannot count as {counted.key!r}: {taken[counted.key]}. "
                "Choose another key."
            )
        taken[counted.key] = f"stage {stage} counts under it"


def status(store: Store, graded: bool = True) -> Status:
    """Count what the store holds, in one consistent view of it; grade a simulated run's outputs unless told not to."""
    with store.snapshot():
        config, declared = config_of(store), declared_by(store)
        found = counts.counts(store, config.stages[0])
        return Status(
            target=store.settings().get("target", 0),
            candidates=found.candidates,
            tasks=found.tasks,
            counted={one.key: counts.tasks_with(store, one.field) for one in declared.counted.values()},
            generated=found.generated,
            pending=len(store.pending()),
            instances=found.instances,
            records=found.records,
            without_records=found.without_records,
            rejected=counts.rejections(store),
            unused_proposals=found.unused_proposals,
            faults=found.faults,
            batches=found.batches,
            in_batches=found.in_batches,
            usage=_priced(store, config, declared.stages),
            grades=_grades(store) if graded and is_simulated(store) else {},
            fields=counts.fields(store, [one.field for one in declared.counted.values()]),
            declared=declared,
        )


def _priced(store: Store, config: Config, stages: Sequence[str]) -> list[Usage]:
    """The calls; answers that were stored without a cost count at the prices that the run has now."""
    by_model = {(one.stage, one.model): one for one in unpriced(store)}
    found: list[Usage] = []
    for one in usage(store, stages):
        stored, without = one.cost_usd, by_model.get((one.stage, one.model))
        if without:
            tokens = without.prompt_tokens, without.completion_tokens
            now = cost_usd(config.prices.get(one.model), *tokens, config.running.batch)
            if now is not None:
                stored = (stored or 0.0) + now
            elif any(tokens):  # what is stored is not all of it
                stored = None
        is_reported = one.prompt_tokens or one.completion_tokens or stored  # a server may report none
        found.append(one._replace(cost_usd=stored if is_reported else None))
    return found


def progress_of(store: Store) -> Progress:
    """The progress of a run before it is resumed."""
    found = status(store, graded=False)
    return Progress(
        admitted=found.tasks,
        generated=found.generated,
        calls=sum(u.requests for u in found.usage),
        tokens=sum(u.prompt_tokens + u.completion_tokens for u in found.usage),
        cost_usd=sum(u.cost_usd or 0.0 for u in found.usage),
        faults=found.faults,
        rejected=Counter(
            {
                reason: n
                for stage, reason, n in found.rejected
                if stage in (config_of(store).stages[0], *CANDIDATE_STAGES)
            }
        ),
    )


def render(found: Status, folder: str) -> str:
    """The figures as text, at most 80 characters wide unless a name or a number is long."""
    judged, said = found.candidates - found.pending, found.declared.reasons
    lines = [
        f"{folder}",
        f"  tasks      {found.tasks:,} admitted"
        + (f" of {found.target:,}" if found.target and found.target >= found.tasks else "")
        + (f", {found.generated:,} of them with instances" if found.generated < found.tasks else ""),
        f"  candidates {found.candidates:,}"
        + (f": {_share(found.tasks, judged)} of those filtered were admitted" if judged else "")
        + (f", {found.pending} waiting" if found.pending else ""),
        *(_counted(found, stage, one) for stage, one in found.declared.counted.items()),
        f"  records    {found.records:,} from {n_of(found.instances, 'instance')}"
        + (f"; {n_of(found.without_records, 'task has', 'tasks have')} none" if found.without_records else ""),
    ]  # fmt: skip
    lines += [f"  {visible(name):<10} {describe_values(values)}" for name, values in found.fields.items()]
    stages = {one.stage for one in found.rejected} | {one.stage for one in found.usage}
    wide = max(9, *map(len, stages), 0)
    if found.rejected:
        lines.append("  rejected")
        lines += [
            f"  {n:>6,}  {stage:<{wide}} {reason:<23} {said.get(reason, '')}" for stage, reason, n in found.rejected
        ]
    lines.append("  calls")
    for u in found.usage:
        tokens = f"{u.prompt_tokens:,} + {u.completion_tokens:,} tokens"
        if not (u.prompt_tokens or u.completion_tokens):
            tokens = "tokens not reported"
        lines.append(f"  {u.requests:>6,}  {u.stage:<{wide}} {u.model:<23} {tokens}, {cost(u)}")
    if found.faults:
        lines.append(f"  {found.faults:>6,}  attempts failed")
    if found.unused_proposals:
        lines.append(f"  {found.unused_proposals:>6,}  proposals requested ahead, not used yet")
    if found.in_batches:
        batches = n_of(found.batches, "batch", "batches")
        lines.append(f"  {found.in_batches:>6,}  in progress in {batches}; selfinstruct generate --batch picks them up")
    if graded := found.grades.get("right", 0) + found.grades.get("wrong", 0):
        lines.append(
            f"  quality    {_share(found.grades['right'], graded)} of {graded:,} graded outputs are correct "
            f"({found.grades['unknown']:,} cannot be graded)"
        )
    if tips := advice(found):
        lines.append("  in a new run")
        lines += [fill(tip, 80, initial_indent=" " * 4, subsequent_indent=" " * 6) for tip in tips]
    return "\n".join(lines)


def _counted(found: Status, stage: str, one: Counted) -> str:
    n = found.counted[one.key]
    was_asked = any(u.stage == stage for u in found.usage)
    words = f"{n:,} {one.words} ({_share(n, found.generated)})" if was_asked else "not requested"
    return f"  {one.label:<10} {words}"


def describe_values(values: Mapping[str, int]) -> str:
    """How often a field has which value, in words; where the values are too many to list, only how many there are."""
    n = sum(values.values())
    if len(values) > MOST_VALUES:
        return f"{len(values):,} values in {n_of(n, 'record')}"
    return ", ".join(f"{visible(value[:30])}: {of:,}" for value, of in values.items()) + f" of {n_of(n, 'record')}"


def cost(usage: Usage) -> str:
    """What the calls cost, in words."""
    if usage.cost_usd is None:
        return "free" if usage.model.startswith("simulated") else "cost unknown"
    return f"${usage.cost_usd:,.4f}"


def _grades(store: Store) -> dict[str, int]:
    from selfinstruct.simulated.world.tasks import grade

    grades = Counter(grade(record.instruction, record.input, record.output) for record in store.records())
    return {"right": grades["right"], "wrong": grades["wrong"], "unknown": grades["unknown"]}


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "none"
