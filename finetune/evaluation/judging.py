"""The figures of a student's answers, with intervals, next to those of another model.

Every figure has a 95 % bootstrap interval over tasks, as the rows of one task are not independent. If a share is 0 or 1
in all tasks, where the bootstrap interval has no width, it is Wilson's; if other values, or the differences, are the
same in all tasks, there is none. The difference of two models is computed row by row, and a sign test counts the tasks
that became better and worse. There is no correction for multiple comparisons.

Losses per token of models that tokenise differently cannot be compared, so they have no difference.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from finetune.evaluation.asking import Answered, Question
from finetune.evaluation.constraint_kinds import KINDS
from finetune.evaluation.constraints import Check
from finetune.evaluation.scoring import loops, plain, rouge_l
from finetune.evaluation.statistics import Interval, difference, mean, sign_test, signs, wilson


class Row(NamedTuple):
    """A question and its answer; `earlier`: the other model's, if there is one."""

    question: Question
    answered: Answered
    earlier: Answered | None = None


def _once(question: Question, answered: Answered) -> float:
    return 1.0


class Measure(NamedTuple):
    """The value of each answer (None: it has none), and the row's weight in the mean.

    `better`: 1 if more is better, -1 if less is, 0 if neither. `by_token`: it depends on how texts are tokenised.
    """

    name: str
    says: str
    of: Callable[[Question, Answered], float | None]
    better: int = 0
    is_share: bool = False
    by_token: bool = False
    weight: Callable[[Question, Answered], float] = _once


class Figure(NamedTuple):
    """The mean of a measure over `rows` answers; the other model's, and the difference over the rows that both have.

    `wins`, `losses`, `ties`: tasks on which the student is better, worse and equal; `p`: of the sign test.
    """

    name: str
    says: str
    is_share: bool
    rows: int
    after: Interval
    before: Interval | None = None
    difference: Interval | None = None
    wins: int | None = None
    losses: int | None = None
    ties: int | None = None
    p: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The figure as JSON values; an interval without width has no bounds."""
        return {
            name: _bounded(value) if isinstance(value, Interval) else value for name, value in self._asdict().items()
        }


def _bounded(found: Interval) -> dict[str, float | None]:
    return found._asdict() if found.has_width else {"value": found.value, "low": None, "high": None}


def _loss(question: Question, answered: Answered) -> float | None:
    loss, trained = answered.loss, answered.trained_tokens
    return None if loss is None or not trained else loss / trained


def _trained(question: Question, answered: Answered) -> float:
    return float(answered.trained_tokens or 0)


def _rouge_l(question: Question, answered: Answered) -> float:
    return rouge_l(answered.answer, question.reference or "")


def _exact(question: Question, answered: Answered) -> float:
    return float(plain(answered.answer) == plain(question.reference or ""))


def _choice(question: Question, answered: Answered) -> float | None:
    return None if answered.choice is None else float(answered.choice == (question.reference or "").strip())


def _empty(question: Question, answered: Answered) -> float:
    return float(not answered.answer.strip())


def _loops(question: Question, answered: Answered) -> float:
    return float(loops(answered.answer))


def _right(question: Question, answered: Answered) -> float | None:
    grade = question.known.grade(answered.answer) if question.known else "unknown"
    return None if grade == "unknown" else float(grade == "right")


def _right_in(question: Question, answered: Answered, family: str) -> float | None:
    return _right(question, answered) if question.known and question.known.family == family else None


def _n_checks(question: Question, answered: Answered) -> float:
    return float(len(question.checks))


def _kept_share(question: Question, answered: Answered, holds: Callable[[Check, str], bool]) -> float:
    return sum(holds(check, answered.answer) for check in question.checks) / len(question.checks)


def _kept_all(question: Question, answered: Answered, holds: Callable[[Check, str], bool]) -> float:
    return float(all(holds(check, answered.answer) for check in question.checks))


def _kept_kind(question: Question, answered: Answered, kind: str) -> float | None:
    return next((float(check.holds(answered.answer)) for check in question.checks if check.kind == kind), None)


MEASURES = (
    Measure("loss", "loss per token", _loss, -1, by_token=True, weight=_trained),
    Measure("loss_per_row", "loss, mean of rows", _loss, -1, by_token=True),
    Measure("rouge_l", "ROUGE-L F1", _rouge_l, 1),
    Measure("exact_match", "exact match", _exact, 1, is_share=True),
    Measure("choice", "right by likelihood, of labels", _choice, 1, is_share=True),
    Measure("right", "right, of known tasks", _right, 1, is_share=True),
    Measure("stopped", "stopped on its own", lambda question, answered: float(answered.stopped), 1, is_share=True),
    Measure("empty", "empty", _empty, -1, is_share=True),
    Measure("loops", "repeats in a loop", _loops, -1, is_share=True),
    Measure("tokens", "tokens", lambda question, answered: float(answered.n_tokens), by_token=True),
    Measure("words", "words", lambda question, answered: float(len(answered.answer.split()))),
)
CONSTRAINTS = tuple(
    Measure(f"{unit}_{name}", f"{unit}s, {how}", partial(share, holds=holds), 1, is_share=True, weight=weight)
    for unit, share, weight in (("prompt", _kept_all, _once), ("constraint", _kept_share, _n_checks))
    for name, how, holds in (("strict", "strictly", Check.holds), ("loose", "loosely", Check.holds_loosely))
)


def by_family(rows: Sequence[Row]) -> list[Figure]:
    """For each family of the simulated world, the share of right answers."""
    families = sorted({row.question.known.family for row in rows if row.question.known})
    return figures(rows, [Measure(name, name, partial(_right_in, family=name), 1, is_share=True) for name in families])


def by_kind(rows: Sequence[Row]) -> list[Figure]:
    """For each kind of constraint, the share that was strictly met."""
    return figures(rows, [Measure(name, name, partial(_kept_kind, kind=name), 1, is_share=True) for name in KINDS])


def references(rows: Sequence[Row]) -> dict[str, float]:
    """Figures of the references: mean tokens and words, and the share that repeats in a loop."""
    texts = [row.question.reference or "" for row in rows]
    sums = {
        "tokens": sum(row.answered.reference_tokens or 0 for row in rows),
        "words": sum(len(text.split()) for text in texts),
        "loops": sum(map(loops, texts)),
    }
    return {name: total / len(rows) for name, total in sums.items()} if rows else {}


def grades(rows: Sequence[Row]) -> dict[str, int]:
    """How many answers to tasks of the simulated world are right, wrong, and unknown."""
    found = {"right": 0, "wrong": 0, "unknown": 0}
    for row in rows:
        if row.question.known:
            found[row.question.known.grade(row.answered.answer)] += 1
    return found


def figures(rows: Sequence[Row], measures: Sequence[Measure]) -> list[Figure]:
    """Each measure's figure over the rows; measures that no row has are left out."""
    return [found for measure in measures if (found := _figure(rows, measure))]


class _Value(NamedTuple):
    value: float
    weight: float
    task: str


def _figure(rows: Sequence[Row], measure: Measure) -> Figure | None:
    after = [_value(row.question, row.answered, measure) for row in rows]
    has = [value for value in after if value]
    if not has:
        return None
    found = Figure(measure.name, measure.says, measure.is_share, len(has), _mean(has, measure))
    before = [_value(row.question, row.earlier, measure) if row.earlier else None for row in rows]
    has = [value for value in before if value]
    if not has:
        return found
    found = found._replace(before=_mean(has, measure))
    both = [(a, b) for a, b in zip(after, before, strict=True) if a and b]
    alike = all(_tokenised(row.answered) == _tokenised(row.earlier) for row in rows if row.earlier)
    if not both or (measure.by_token and not alike):
        return found
    tasks = [a.task for a, _ in both]
    ours, theirs = [a.value for a, _ in both], [b.value for _, b in both]
    found = found._replace(difference=difference(ours, theirs, [a.weight for a, _ in both], tasks))
    if measure.better:
        wins, losses, ties = signs(*(_by_task([measure.better * v for v in some], tasks) for some in (ours, theirs)))
        found = found._replace(wins=wins, losses=losses, ties=ties, p=sign_test(wins, losses))
    return found


def _value(question: Question, answered: Answered, measure: Measure) -> _Value | None:
    value = measure.of(question, answered)
    return None if value is None else _Value(value, measure.weight(question, answered), question.task)


def _tokenised(answered: Answered) -> tuple[int | None, int | None]:
    return answered.reference_tokens, answered.trained_tokens


def _mean(values: Sequence[_Value], measure: Measure) -> Interval:
    tasks = [value.task for value in values]
    first = values[0].value
    if measure.is_share and first in (0, 1) and all(value.value == first for value in values):
        n = len(set(tasks))
        return wilson(n if first else 0, n)
    return mean([value.value for value in values], [value.weight for value in values], tasks)


def _by_task(values: Sequence[float], tasks: Sequence[str]) -> list[float]:
    """The mean of each task's values, in the tasks' order; sums are exact, so that equal rows are ties."""
    found = defaultdict(list)
    for value, task in zip(values, tasks, strict=True):
        found[task].append(value)
    return [math.fsum(some) / len(some) for some in found.values()]
