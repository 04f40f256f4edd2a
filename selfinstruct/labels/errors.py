"""Which labels may be wrong, and how many are: a second opinion, and a sample that people have checked.

How often a model disagrees with labels is no error rate. It is too high by what the model cannot know, and too low
where the voters err in ways that a model learns from them. It ranks rows; only checked rows turn it into a rate: some
of those on which model and labels agree, some of the others, each weighed by how many there are.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from selfinstruct.labels.combining import Score
from selfinstruct.labels.models import ABSTAINED, Classes, Probabilities

LEAST = 5  # checked rows of each kind, for a rate


class ErrorRate(NamedTuple):
    """The share of wrong labels, with a 95% interval, from `agreeing` and `disagreeing` rows that were checked."""

    share: float
    low: float
    high: float
    agreeing: int
    disagreeing: int


def suspicion(probabilities: Probabilities, labels: Classes) -> NDArray[np.float64]:
    """How much more probable another label is, shape (rows,): from -1 to 1, above 0 where the model disagrees."""
    rows = np.arange(len(labels))
    return np.asarray(probabilities[rows, rivals(probabilities, labels)] - probabilities[rows, labels])


def rivals(probabilities: Probabilities, labels: Classes) -> Classes:
    """The most probable of the other labels of each row, shape (rows,)."""
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1.0
    return np.asarray(others.argmax(axis=1))


def error_rate(disagrees: NDArray[np.bool_], labels: Classes, gold: Classes) -> ErrorRate | None:
    """The share of labels that are wrong; None with fewer than LEAST checked rows where model and labels agree or not.

    `gold`: the true class of each row, or -1. Within each kind, the checked rows must have been drawn at random. The
    interval joins those of both shares (Wilson 1927) by the method of variance estimates recovery (Zou & Donner 2008).
    """
    checked = gold != ABSTAINED
    parts = []
    for is_kind in (~disagrees, disagrees):
        n = int((is_kind & checked).sum())
        if is_kind.any() and n < LEAST:
            return None
        wrong = Score(int((labels != gold)[is_kind & checked].sum()), max(1, n))
        parts.append((float(is_kind.mean()), wrong, n))
    share = sum(weight * wrong.share for weight, wrong, _ in parts)
    down = math.sqrt(sum((weight * (wrong.share - wrong.interval[0])) ** 2 for weight, wrong, _ in parts))
    up = math.sqrt(sum((weight * (wrong.interval[1] - wrong.share)) ** 2 for weight, wrong, _ in parts))
    return ErrorRate(share, max(0.0, share - down), min(1.0, share + up), parts[0][2], parts[1][2])
