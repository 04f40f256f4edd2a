"""Estimate what a run will need (requests, tokens, dollars, time) from what its first steps needed.

`generate --dry-run` grows the run to SAMPLE_TASKS tasks, unless it has them, and estimates the rest from them. Nothing
is wasted: the run resumes from there. The spread is a bootstrap over the steps and answers of the sample
(Efron 1979): what it would be, had other steps of the same kind been drawn.

Not covered: that the share of new tasks falls as the pool grows, so a large run needs somewhat more proposals; tries
that fail; what the provider bills besides tokens.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

from selfinstruct.config.config import Config
from selfinstruct.engine.engine import window_at
from selfinstruct.errors import UsageError
from selfinstruct.store import counts
from selfinstruct.store.answers import answer_sizes
from selfinstruct.store.store import Store
from selfinstruct.teachers.budget import cost_usd
from selfinstruct.terminal import n_of

SAMPLE_TASKS = 24
DRAWS = 1000


class Needed(NamedTuple):
    """Requests, tokens of prompts and of answers, US dollars, and the seconds that all answers take one by one."""

    requests: float
    prompt_tokens: float
    completion_tokens: float
    cost_usd: float
    latency_s: float

    def plus(self, other: "Needed", times: float = 1.0) -> "Needed":
        """This and `times` the other."""
        return Needed(*(a + times * b for a, b in zip(self, other, strict=True)))


class Estimate(NamedTuple):
    """What `target` tasks need in total, including what exists: the expected values, and their 90% interval."""

    target: int
    n_tasks: int
    n_steps: int
    tasks_per_step: float
    expected: Needed
    low: Needed
    high: Needed
    unpriced: list[str]
    concurrency: int
    calls_per_minute: float | None
    waves: int | None


def estimate(store: Store, config: Config, target: int) -> Estimate:
    """Estimate from what the store holds; UsageError if no task was admitted."""
    proposing, *of_each_task = config.stages
    with store.snapshot():
        steps = store.steps()
        yields = [after - before for before, after in zip([0, *steps], steps, strict=False)]
        if len(yields) > 1 and store.pending():
            yields.pop()  # the last one ended where the target was reached
        answers = {stage: _answers(store, config, stage) for stage in config.stages}
        n_tasks, n_generated = counts.tasks(store)
    if not sum(yields):
        raise UsageError(
            f"No estimate: none of the first candidates was admitted. See why: selfinstruct rejected {store.folder}"
        )

    def needed(yields: Sequence[int], means: dict[str, Needed]) -> Needed:
        there = [one for rows in answers.values() for one in rows]
        total = _sum(there).plus(means[proposing], max(0, target - n_tasks) * len(yields) / max(1, sum(yields)))
        for stage in of_each_task:
            total = total.plus(means[stage], max(0, target - n_generated) * len(answers[stage]) / max(1, n_generated))
        return total

    rng = random.Random(0)
    expected = needed(yields, {stage: _mean(rows) for stage, rows in answers.items()})
    draws = [
        needed(
            rng.choices(yields, k=len(yields)),
            {stage: _mean(rng.choices(rows, k=len(rows))) if rows else _mean([]) for stage, rows in answers.items()},
        )
        for _ in range(DRAWS)
    ]
    low, high = (Needed(*(sorted(column)[at] for column in zip(*draws, strict=True))) for at in (50, 949))
    teachers = [choice.teacher for stage in config.stages for choice in config.choices(stage)]
    n_steps = len(steps) + round(max(0, target - n_tasks) * len(yields) / sum(yields))
    return Estimate(
        target, n_tasks, len(steps), sum(yields) / len(yields), expected, low, high,
        sorted({t.model for t in teachers if t.model not in config.prices}), config.running.concurrency,
        min((t.requests_per_minute * len(t.servers) for t in teachers if t.requests_per_minute), default=None),
        _waves(len(steps), n_steps, config.window) if config.running.batch else None,
    )  # fmt: skip


def render(found: Estimate) -> str:
    """The estimate as text."""
    e, low, high = found.expected, found.low, found.high
    lines = [
        f"Estimate for {n_of(found.target, 'task')}, from {n_of(found.n_tasks, 'task')} in "
        f"{n_of(found.n_steps, 'step')}",
        f"  {'':<12}{'expected':>14}   90% interval",
    ]
    for name, field in (
        ("requests", "requests"),
        ("tokens in", "prompt_tokens"),
        ("tokens out", "completion_tokens"),
    ):
        values = [f"{getattr(needed, field):,.0f}" for needed in (e, low, high)]
        lines.append(f"  {name:<12}{values[0]:>14}   {values[1]} to {values[2]}")
    if found.unpriced:
        lines.append(f"  {'cost':<12}{'unknown':>14}   no price for {', '.join(found.unpriced)} under [prices]")
    else:
        lines.append(f"  {'cost':<12}{f'${e.cost_usd:,.2f}':>14}   ${low.cost_usd:,.2f} to ${high.cost_usd:,.2f}")
    if found.waves is not None:
        lines.append(f"  {'time':<12}{'':>14}   {found.waves} batches in sequence, each within a day")
    else:
        seconds = [_seconds(found, needed) for needed in (e, low, high)]
        clock = [f"{s // 3600:.0f}:{s // 60 % 60:02.0f}:{s % 60:02.0f}" for s in seconds]
        limit = f", {found.calls_per_minute:,.0f} calls a minute" if found.calls_per_minute else ""
        flight = f"{found.concurrency} calls in flight{limit}"
        lines.append(f"  {'time':<12}{clock[0]:>14}   {clock[1]} to {clock[2]}, with {flight}")
    lines += [
        f"Each step yielded {found.tasks_per_step:.1f} new tasks. The yield falls as the pool grows, so a large",
        "run needs somewhat more. The first tasks are kept; the run resumes from them.",
    ]
    return "\n".join(lines)


def _answers(store: Store, config: Config, stage: str) -> list[Needed]:
    prices, in_batches = config.prices, config.running.batch
    return [
        Needed(
            1, one.prompt_tokens, one.completion_tokens,
            cost_usd(prices.get(one.model), one.prompt_tokens, one.completion_tokens, in_batches) or 0, one.latency_s,
        )
        for one in answer_sizes(store, stage)
    ]  # fmt: skip


def _sum(rows: Sequence[Needed]) -> Needed:
    return Needed(*(sum(column) for column in zip(*rows, strict=True))) if rows else Needed(0, 0, 0, 0, 0)


def _mean(rows: Sequence[Needed]) -> Needed:
    return Needed(*(value / len(rows) for value in _sum(rows))) if rows else Needed(0, 0, 0, 0, 0)


def _seconds(found: Estimate, needed: Needed) -> float:
    paced = 60 * needed.requests / found.calls_per_minute if found.calls_per_minute else 0.0
    return max(needed.latency_s / found.concurrency, paced)


def _waves(n_steps: int, n_steps_in_the_end: int, window: int) -> int:
    """Batches that wait for each other: each as many steps as the window allows, then the last tasks' instances."""
    waves = 2
    while n_steps < n_steps_in_the_end:
        frontier = n_steps
        while frontier - window_at(frontier, window) < n_steps:
            frontier += 1
        n_steps = frontier
        waves += 1
    return waves
