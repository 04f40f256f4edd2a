"""Which rows to label next: those that a model is least sure of that was trained on the labels so far.

The model is trained from the start in each round; the first round is random. Source: LLMaAA (Zhang et al. 2023).
"""

import numpy as np
from numpy.typing import NDArray

from selfinstruct.labels import Select
from selfinstruct.labels.models import Probabilities


def pick(
    probabilities: Probabilities | None, open_rows: NDArray[np.int64], n: int, how: Select, seed: object
) -> list[int]:
    """`n` of the `open_rows` (positions): the least certain ones, or random ones if there is no model or for "random".

    `probabilities`: shape (rows, classes), of all rows. `seed`: what the random order depends on.
    """
    rng = np.random.default_rng(np.frombuffer(repr(seed).encode(), dtype=np.uint8))
    order = rng.permutation(len(open_rows))
    if probabilities is not None and how != "random":
        p = probabilities[open_rows[order]]
        certainty = (p * np.log(np.maximum(p, 1e-12))).sum(axis=1) if how == "entropy" else p.max(axis=1)
        order = order[np.argsort(certainty, kind="stable")]
    return [int(at) for at in open_rows[order][:n]]
