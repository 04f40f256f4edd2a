"""How much raters agree, beyond what chance would produce. A tie is a verdict like the other two.

    >>> cohen(["a", "a", "b", "tie"], ["a", "b", "b", "tie"])
    Agreement(same=0.75, kappa=0.636...)

| figure | for                                  | 1 - (1 - P) / (1 - E), where                                        |
|--------|--------------------------------------|---------------------------------------------------------------------|
| cohen  | two, on what both judged             | P: share of same verdicts; E: that of two who give each verdict as  |
|        | (Cohen 1960)                         | often as these two, each for themselves, but at random              |
| fleiss | any number, on what two or more      | P: share of same verdicts among the pairs of an item, the mean over |
|        | judged (Fleiss 1971)                 | items; E: that of two who give each verdict as often as all do      |

Fleiss assumes the same number of verdicts on each item; here the number may differ, and each item counts the same. 0 is
chance level, 1 complete agreement. There is no figure if all raters gave the same verdict on everything, since chance
would produce that too.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple


class Agreement(NamedTuple):
    """The share of equal verdicts, and kappa, None if it is undefined."""

    same: float
    kappa: float | None


def cohen(one: Sequence[Hashable], other: Sequence[Hashable]) -> Agreement:
    """The agreement of two raters, given their verdicts [N > 0] on the same items."""
    same = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    first, second = Counter(one), Counter(other)
    return _agreement(same, sum(first[verdict] * second[verdict] for verdict in first) / len(one) ** 2)


def fleiss(items: Sequence[Sequence[Hashable]]) -> Agreement | None:
    """The agreement of any number of raters, given all verdicts on each item; None if no item has two."""
    judged = [Counter(verdicts) for verdicts in items if len(verdicts) > 1]
    if not judged:
        return None
    agreeing = sum(sum(n * (n - 1) for n in c.values()) / (c.total() * (c.total() - 1)) for c in judged) / len(judged)
    pooled = sum(judged, Counter[Hashable]())
    by_chance = sum((n / pooled.total()) ** 2 for n in pooled.values())
    return _agreement(agreeing, by_chance)


def _agreement(same: float, by_chance: float) -> Agreement:
    return Agreement(same, None if by_chance == 1 else 1 - (1 - same) / (1 - by_chance))
