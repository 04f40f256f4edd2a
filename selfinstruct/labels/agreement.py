"""How far voters agree, beyond what chance would bring."""

import numpy as np

from selfinstruct.labels.models import Classes


def krippendorff_alpha(votes: Classes, n_classes: int) -> float | None:
    """Krippendorff's alpha for labels without an order: 1 for full agreement, 0 for chance, below 0 for less.

    `votes`: shape (rows, voters), -1 for an abstention. None if no row has two votes, or if all votes are the same.
    Source: Hayes & Krippendorff 2007.
    """
    counts = np.stack([(votes == one).sum(axis=1) for one in range(n_classes)], axis=1)
    n = counts.sum(axis=1)
    counts, n = counts[n > 1], n[n > 1]
    totals = counts.sum(axis=0)
    n_pairable = totals.sum()
    expected = n_pairable**2 - (totals**2).sum()
    if expected == 0:
        return None
    observed = ((n**2 - (counts**2).sum(axis=1)) / (n - 1)).sum()
    return float(1 - (n_pairable - 1) * observed / expected)
