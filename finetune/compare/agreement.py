"""How much those who judged agree, beyond what chance would bring about. A tie is a verdict like the other two.

    >>> cohen(["a", "a", "b", "tie"], ["a", "b", "b", "tie"])
    Agreement(same=0.75, kappa=0.636...)

| figure | for                                  | 1 - (1 - P) / (1 - E), where                                        |
|--------|--------------------------------------|---------------------------------------------------------------------|
| cohen  | two, on what both judged             | P: share of same verdicts; E: that of two who give each verdict as  |
|        | (Cohen 1960)                         | often as these two, each for themselves, but at random              |
| fleiss | any number, on what two or more      | P: share of same verdicts among the pairs of an item, the mean over |
|        | judged (Fleiss 1971)                 | items; E: that of two who give each verdict as often as all do      |

Fleiss has as many verdicts on each item; here an item may have more than another, and counts the same. 0 is chance, 1
agreement in all; there is no figure where all gave the same verdict on everything, since chance would do that too.
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple


class Agreement(NamedTuple):
    """The share of same verdicts, and kappa, None if it has no meaning."""

    same: float
    kappa: float | None


def cohen(one: Sequence[Hashable], other: Sequence[Hashable]) -> Agreement:
    """The agreement of two, with their verdicts [N > 0] on the same items."""
    same = sum(a == b for a, b in zip(one, other, strict=True)) / len(one)
    first, second = Counter(one), Counter(other)
    return _agreement(same, sum(first[verdict] * second[verdict] for verdict in first) / len(one) ** 2)


def fleiss(items: Sequence[Sequence[Hashable]]) -> Agreement | None:
    """The agreement of any number, with all verdicts on each item; None if no item has two."""
    judged = [Counter(verdicts) for verdicts in items if len(verdicts) > 1]
    if not judged:
        return None
    agreeing = sum(sum(n * (n - 1) for n in c.values()) / (c.total() * (c.total() - 1)) for c in judged) / len(judged)
    pooled = sum(judged, Counter[Hashable]())
    by_chance = sum((n / pooled.total()) ** 2 for n in pooled.values())
    return _agreement(agreeing, by_chance)


def _agreement(same: float, by_chance: float) -> Agreement:
    return Agreement(same, None if by_chance == 1 else 1 - (1 - same) / (1 - by_chance))
