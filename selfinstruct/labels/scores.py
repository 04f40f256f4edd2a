"""Scores of several voters about the same rows: means, with and without each voter's bias."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from selfinstruct.terminal import n_of
from selfinstruct.untrusted import visible

Numbers = NDArray[np.float64]
ROUNDS = 100
CONVERGED = 1e-9


class Scores(NamedTuple):
    """Scores combined.

    - `given`: shape (rows, voters), NaN where a voter gave none. `gold`: shape (rows,), NaN where it is not known.
    - `means`: shape (rows,), NaN where nobody voted. `corrected`: the same without the voters' `biases`, shape
      (voters,): how much more than the others each gives to the same rows.
    - `alpha`: Krippendorff's for intervals, None if it cannot be told.
    """

    ids: list[Any]
    voters: tuple[str, ...]
    given: Numbers
    gold: Numbers
    means: Numbers
    corrected: Numbers
    biases: Numbers
    alpha: float | None

    def rows(self, confidence: float = 0.0) -> Iterator[dict[str, Any]]:
        """Each row: `id`, `winner` (the corrected mean, None if nobody voted), `mean`, `votes` by voter."""
        for identity, given, mean, corrected in zip(self.ids, self.given, self.means, self.corrected, strict=True):
            votes = {voter: float(one) for voter, one in zip(self.voters, given, strict=True) if not np.isnan(one)}
            row: dict[str, Any] = {"id": identity, "winner": None, "votes": votes}
            if votes:
                row |= {"winner": round(float(corrected), 4), "mean": round(float(mean), 4)}
            else:
                row["rejected"] = "no_votes"
            yield row


def combine_scores(ids: list[Any], voters: tuple[str, ...], given: Numbers, gold: Numbers) -> Scores:
    """The mean of each row, and the mean after each voter's bias is taken off (two-way means by alternation)."""
    there = ~np.isnan(given)
    filled = np.where(there, given, 0.0)
    per_row, per_voter = np.maximum(there.sum(axis=1), 1), np.maximum(there.sum(axis=0), 1)
    biases = np.zeros(given.shape[1])
    corrected = filled.sum(axis=1) / per_row
    means = corrected.copy()
    for _ in range(ROUNDS):
        before = biases
        biases = ((filled - corrected[:, None]) * there).sum(axis=0) / per_voter
        biases -= biases.mean()
        corrected = ((filled - biases) * there).sum(axis=1) / per_row
        if np.abs(biases - before).max(initial=0.0) < CONVERGED:
            break
    none = ~there.any(axis=1)
    means[none] = corrected[none] = np.nan
    return Scores(ids, voters, given, gold, means, corrected, biases, interval_alpha(given))


def interval_alpha(given: Numbers) -> float | None:
    """Krippendorff's alpha with squared distances; None if no row has two scores, or all scores are the same.

    `given`: shape (rows, voters), NaN for none. Source: Hayes & Krippendorff 2007.
    """
    there = ~np.isnan(given)
    n = there.sum(axis=1)
    rows, here = given[n > 1], there[n > 1]
    if not len(rows):
        return None
    n = here.sum(axis=1)
    filled = np.where(here, rows, 0.0)
    within = (2 * (n * (filled**2).sum(axis=1) - filled.sum(axis=1) ** 2) / (n - 1)).sum()
    total, values = n.sum(), rows[here]
    between = 2 * (total * (values**2).sum() - values.sum() ** 2) / (total - 1)
    return float(1 - within / between) if between > 0 else None


def render(found: Scores) -> str:
    """The agreement, each voter's mean and bias, and how close to gold scores they are."""
    width = max(24, *map(len, found.voters))
    agreement = "undefined" if found.alpha is None else f"{found.alpha:.2f}"
    has_gold = not np.isnan(found.gold).all()
    lines = [
        f"{n_of(len(found.ids), 'row')}, {n_of(len(found.voters), 'voter')}, "
        f"{n_of(int((~np.isnan(found.given)).sum()), 'score')}",
        f"agreement: Krippendorff's alpha for intervals {agreement} (1: full, 0: chance)",
        f"  {'voter':<{width}}     mean     bias" + ("  correlation, mean error on gold rows" if has_gold else ""),
    ]
    columns = [(name, found.given[:, at], found.biases[at]) for at, name in enumerate(found.voters)]
    for name, given, bias in [*columns, ("corrected mean", found.corrected, None)]:
        values = given[~np.isnan(given)]
        mean = f"{values.mean():8.2f}" if len(values) else f"{'none':>8}"
        leans = "" if bias is None else f"{bias:+.2f}"
        lines.append(
            f"  {visible(name):<{width}} {mean} {leans:>8}" + (f"  {_close(given, found.gold)}" if has_gold else "")
        )
    if without := int(np.isnan(found.means).sum()):
        lines.append(f"rejected as no_votes: {n_of(without, 'row')}")
    if not has_gold:
        lines.append("There are no gold scores: how accurate the voters are is not known, only how far they agree.")
    return "\n".join(lines)


def _close(given: Numbers, gold: Numbers) -> str:
    both = ~np.isnan(given) & ~np.isnan(gold)
    if not both.any():
        return "none of them"
    error = float(np.abs(given[both] - gold[both]).mean())
    is_flat = both.sum() < 3 or given[both].std() == 0 or gold[both].std() == 0
    r = "undefined" if is_flat else f"{float(np.corrcoef(given[both], gold[both])[0, 1]):.2f}"
    return f"{r}, {error:.2f} of {int(both.sum()):,}"
