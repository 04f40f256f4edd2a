"""A small classifier for texts: softmax regression on words and pairs of words, weighted by TF-IDF.

It needs no download and trains on 20,000 texts in seconds. Its use is a second opinion on labels: what it predicts for
texts that it was not trained on.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_array

from selfinstruct.labels.models import Classes, Probabilities

FOLDS = 4
ITERATIONS = 100
STRENGTH = 3.0  # inverse of the regularization, as scikit-learn's C
MOST_FEATURES = 100_000
_TOKEN = re.compile(r"\w+|[^\w\s]")


def features(texts: Sequence[str]) -> csr_array:
    """TF-IDF of words and pairs of neighboring words, shape (texts, features); rows have length 1.

    What occurs in one text only is left out, and the rarest beyond MOST_FEATURES.
    """
    bags = [_bag(text) for text in texts]
    counts = Counter(name for bag in bags for name in bag)
    kept = [name for name, n in sorted(counts.items(), key=lambda one: (-one[1], one[0])) if n > 1][:MOST_FEATURES]
    place = {name: at for at, name in enumerate(kept)}
    idf = np.array([np.log((1 + len(bags)) / (1 + counts[name])) + 1 for name in kept])
    ends, columns, values = [0], [], []
    for bag in bags:
        there = sorted((place[name], n) for name, n in bag.items() if name in place)
        weights = np.array([(1 + np.log(n)) * idf[at] for at, n in there])
        norm = float(np.sqrt((weights**2).sum())) or 1.0
        columns += [at for at, _ in there]
        values += list(weights / norm)
        ends.append(len(columns))
    found = csr_array(
        (np.array(values), np.array(columns, dtype=np.int64), np.array(ends)), (len(bags), max(1, len(kept)))
    )
    return found


def _bag(text: str) -> Counter[str]:
    words = _TOKEN.findall(text.casefold())
    return Counter([*words, *(f"{one} {other}" for one, other in pairwise(words))])


def fit(x: csr_array, y: Classes, n_classes: int, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The weights of a softmax regression, shape (features + 1, classes); the last row is the bias, not regularized.

    `weights`: of the rows, shape (rows,); 1 by default.
    """
    n, d = x.shape
    rows = np.ones(n) if weights is None else weights
    target = np.zeros((n, n_classes))
    target[np.arange(n), y] = 1.0
    transposed = x.T.tocsr()

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = flat.reshape(d + 1, n_classes)
        p, log_p = _softmax(x @ w[:-1] + w[-1])
        value = -STRENGTH * float((rows[:, None] * target * log_p).sum()) + 0.5 * float((w[:-1] ** 2).sum())
        error = STRENGTH * rows[:, None] * (p - target)
        gradient = np.vstack([transposed @ error + w[:-1], error.sum(axis=0)])
        return value, gradient.ravel()

    found = minimize(loss, np.zeros((d + 1) * n_classes), jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS})
    return np.asarray(found.x).reshape(d + 1, n_classes)


def predict(x: csr_array, weights: NDArray[np.float64]) -> Probabilities:
    """Probabilities, shape (rows, classes)."""
    return _softmax(x @ weights[:-1] + weights[-1])[0]


def out_of_sample(texts: Sequence[str], labels: Classes, n_classes: int, seed: int = 0) -> Probabilities:
    """What a model predicts for each text that was trained on the others: shape (texts, classes); FOLDS-fold.

    Equal texts are in one fold, so that a label is never predicted from a copy of its text.
    """
    x = features(texts)
    rng = np.random.default_rng(seed)
    first: dict[str, int] = {}
    groups = np.array([first.setdefault(" ".join(text.casefold().split()), len(first)) for text in texts])
    fold = rng.permutation(np.arange(len(first)) % FOLDS)[groups]
    found = np.full((len(texts), n_classes), 1 / n_classes)
    for one in range(FOLDS):
        held, rest = np.flatnonzero(fold == one), np.flatnonzero(fold != one)
        if len(held) and len(rest):
            found[held] = predict(x[held], fit(x[rest], labels[rest], n_classes))
    return found


def _softmax(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shifted = scores - scores.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return np.exp(log_p), log_p
