"""The uncertainty of figures: bootstrap and Wilson intervals, differences of two models, the sign test.

    >>> mean([1.0, 0.0, 1.0, 1.0])
    Interval(value=0.75, low=0.25, high=1.0)
    >>> difference([1.0, 1.0, 0.0], [1.0, 1.0, 0.0])
    Interval(value=0.0, low=0.0, high=0.0)
    >>> sign_test(9, 1)
    0.021484375

| figure     | what it is                                                           | source                       |
|------------|----------------------------------------------------------------------|------------------------------|
| mean       | a weighted mean, with the percentile interval of its bootstrap       | Efron & Tibshirani 1993      |
| difference | of two weighted means over the same rows, which are drawn in pairs   | Koehn 2004, W04-3250         |
| sign_test  | the probability of wins and losses at least this uneven if both are  | Dixon & Mood 1946; ties are  |
|            | equally likely: exact, two-sided                                     | left out                     |
| wilson     | a share of n independent trials; also valid for shares of 0 and 1    | Wilson 1927                  |

Related rows, such as the inputs of one task or the answers to one prompt, carry less information than the same number
of independent ones. `groups` names the group of each row; then whole groups are drawn. Bootstrap intervals are somewhat
too narrow with fewer than about 30 groups, and have no width if all rows have the same value: use `wilson` then, or
none (`has_width`).

The draws follow from `seed`: the same rows give the same interval. Not covered: corrections of the interval's bias
(BCa), corrections for many comparisons.
"""

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
AT_ONCE = 1 << 20  # numbers drawn at once
LEVEL = 0.95

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """A figure and the bounds of its 95 % confidence interval (or of another level)."""

    value: float
    low: float
    high: float

    @property
    def has_width(self) -> bool:
        """False if all groups have the same value (up to rounding): drawing from them says nothing about others."""
        return not math.isclose(self.low, self.high, rel_tol=1e-9, abs_tol=1e-12)


def mean(
    values: Sequence[float],
    weights: Sequence[float] | None = None,
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """The mean of `values` [N] by `weights` [N] > 0, and its interval from `draws` draws of N rows, or of groups.

    ValueError if there are no values, or a different number of weights or groups.
    """
    sums, sizes = _by_group(values, weights, groups)
    rng = np.random.default_rng(seed)
    means: list[float] = []
    at_once = max(1, AT_ONCE // len(sums))  # draws, so that those of many groups fit into memory
    for begin in range(0, draws, at_once):
        drawn = rng.integers(len(sums), size=(min(at_once, draws - begin), len(sums)))
        means += (sums[drawn].sum(1) / sizes[drawn].sum(1)).tolist()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Interval(float(sums.sum() / sizes.sum()), low, high)


def difference(
    after: Sequence[float],
    before: Sequence[float],
    weights: Sequence[float] | None = None,
    groups: Sequence[Hashable] | None = None,
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """The mean of `after` [N] minus that of `before` [N], over the same rows: each draw takes both values of a row."""
    return mean(
        [a - b for a, b in zip(after, before, strict=True)], weights, groups, level=level, draws=draws, seed=seed
    )


def sign_test(wins: int, losses: int) -> float:
    """The p-value of `wins` against `losses`: 1 if there are none, or as many of both."""
    n, fewer = wins + losses, min(wins, losses)
    chosen = ways = 1
    for i in range(fewer):
        chosen = chosen * (n - i) // (i + 1)
        ways += chosen
    return min(1.0, 2 * ways / (1 << n))


def signs(after: Sequence[float], before: Sequence[float]) -> tuple[int, int, int]:
    """In how many rows the first is greater, smaller, and equal: wins, losses, ties."""
    pairs = list(zip(after, before, strict=True))
    wins, losses = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
    return wins, losses, len(pairs) - wins - losses


def wilson(successes: int, n: int, *, level: float = LEVEL) -> Interval:
    """The share of `successes` among `n` independent trials, and its score interval; ValueError if n is 0."""
    if n < 1:
        raise ValueError("a share of nothing")
    share, z = successes / n, NormalDist().inv_cdf((1 + level) / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # Rounding must not leave the share itself outside.
    return Interval(share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half)))


def _by_group(
    values: Sequence[float], weights: Sequence[float] | None, groups: Sequence[Hashable] | None
) -> tuple[Floats, Floats]:
    """For each group the sum of weight times value, and the sum of weights; without `groups`, for each row."""
    weights = [1.0] * len(values) if weights is None else weights
    groups = range(len(values)) if groups is None else groups
    if not len(values) == len(weights) == len(groups) or not values:
        raise ValueError(f"{len(values)} values, {len(weights)} weights, {len(groups)} groups")
    places: dict[Hashable, int] = {}
    of_group = [places.setdefault(group, len(places)) for group in groups]
    sizes = np.asarray(weights, np.float64)
    sums = np.asarray(values, np.float64) * sizes
    return np.bincount(of_group, sums).astype(np.float64), np.bincount(of_group, sizes).astype(np.float64)
