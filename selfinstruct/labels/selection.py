"""Which rows to keep: by a score, by how well they cover the texts, by both, or at random.

    order = by_score(scores)                # highest first
    order = diverse(scores, features)       # Deita: the best row that is not too similar to one taken before
    order = covering(features)              # k-center: the row that is farthest from all taken before

Each gives the positions of rows in the order in which they are taken. Sources: Deita (Liu et al. 2024), which leaves
out what has a cosine above 0.9 to something taken (as published; some re-implementations compare with all rows instead,
and drop both of a pair); k-center (Sener & Savarese 2018), greedily. Similar here means similar in words: cosine of
TF-IDF.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Numbers = NDArray[np.float64]
Positions = NDArray[np.int64]
TOO_SIMILAR = 0.9


def by_score(scores: Numbers) -> Positions:
    """All rows with a score, highest first; earlier rows first among equal ones. NaN: none, left out."""
    order = np.lexsort((np.arange(len(scores)), -scores))
    return order[~np.isnan(scores[order])]


def at_random(n: int, seed: int = 0) -> Positions:
    """All of `n` rows in random order."""
    return np.random.default_rng(seed).permutation(n)


def diverse(scores: Numbers, features: csr_array, keep: int, threshold: float = TOO_SIMILAR) -> Positions:
    """At most `keep` rows, highest score first, none with a cosine above `threshold` to one taken before it.

    `features`: shape (rows, features), each row of length 1 or 0.
    """
    taken: list[int] = []
    nearest = np.zeros(len(scores))
    transposed = features.T.tocsc()
    for at in by_score(scores):
        if len(taken) == keep:
            break
        if nearest[at] <= threshold + 1e-9:
            taken.append(int(at))
            nearest = np.maximum(nearest, (features[[at]] @ transposed).toarray()[0])
    return np.array(taken, dtype=np.int64)


def covering(features: csr_array, keep: int) -> Positions:
    """At most `keep` rows: first the one nearest to the mean, then always the one least similar to all taken before."""
    n = features.shape[0]
    mean = np.asarray(features.mean(axis=0)).ravel()
    transposed = features.T.tocsc()
    at, nearest = int((features @ mean).argmax()), np.full(n, -1.0)
    taken: list[int] = []
    while len(taken) < min(keep, n):
        taken.append(at)
        nearest = np.maximum(nearest, (features[[at]] @ transposed).toarray()[0])
        nearest[at] = np.inf
        at = int(nearest.argmin())
    return np.array(taken, dtype=np.int64)
