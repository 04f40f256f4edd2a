"""Label models: votes of several voters about each row, combined into probabilities of the classes.

A label model is a function `(votes, n_classes) -> probabilities`. `votes`: integers, shape (rows, voters): the class
that a voter chose, from 0, or -1 where it abstained. `probabilities`: floats, shape (rows, n_classes); each row sums to
1, and is uniform where nobody voted.

    majority       each vote counts the same
    weighted       each vote counts by how often its voter is right
    dawid_skene    each voter has a confusion matrix, found without any gold label (Dawid & Skene 1979)
    mace           each voter knows the answer or answers from a distribution of its own (Hovy et al. 2013)

Not covered: votes for several classes at once; classes in an order; voters whose errors go together, which no label
model can see. A few gold rows can: see `selfinstruct.labels.combining`.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Classes = NDArray[np.int64]
Probabilities = NDArray[np.float64]
LabelModel = Callable[[Classes, int], Probabilities]

ABSTAINED = -1
ROUNDS = 100  # of Dawid-Skene, at most
CONVERGED = 1e-5  # change of the log-likelihood per vote
RESTARTS = 10  # of MACE, with 50 rounds each, as published
RESTART_ROUNDS = 50
SMOOTHING = 0.1
PRIOR = 0.5  # of each of MACE's Beta and Dirichlet parameters


def majority(votes: Classes, n_classes: int) -> Probabilities:
    """The share of each class among the votes."""
    return _normalized(_one_hot(votes, n_classes).sum(axis=1))


def weighted(votes: Classes, n_classes: int, accuracies: NDArray[np.float64]) -> Probabilities:
    """Each vote counts by its voter's accuracy, shape (voters,), as if voters erred independently and evenly.

    The weight is the log-odds of that accuracy against a guess. A voter that is worse than a guess counts against what
    it says.
    """
    guess = 1 / n_classes
    right = np.clip(accuracies, 0.01, 0.99)
    weights = np.log(right / (1 - right)) - np.log(guess / (1 - guess)) if n_classes > 1 else np.ones(len(right))
    return _softmax(np.einsum("rvc,v->rc", _one_hot(votes, n_classes), weights))


def dawid_skene(votes: Classes, n_classes: int, prior: NDArray[np.float64] | None = None) -> Probabilities:
    """Expectation maximization over a confusion matrix for each voter, from the majority on.

    `prior`: the probability of each class, shape (n_classes,); uniform by default, and never estimated: an estimate
    runs away where voters share a favorite. Where there are abstentions, they count as one more answer: left out, a
    voter that only ever says one class would teach that it is always right. Counts are smoothed, so that no class dies.
    """
    from scipy.sparse import csr_array

    answers, n_answers = votes, n_classes
    if (votes == ABSTAINED).any():
        answers, n_answers = np.where(votes == ABSTAINED, n_classes, votes), n_classes + 1
    n_rows, n_voters = votes.shape
    places = (answers + np.arange(n_voters) * n_answers).ravel()  # of each vote among all answers of all voters
    rows = np.repeat(np.arange(n_rows), n_voters)
    seen = csr_array((np.ones(len(rows)), (places, rows)), shape=(n_voters * n_answers, n_rows))
    log_prior = np.log(np.full(n_classes, 1 / n_classes) if prior is None else np.maximum(prior, 1e-12))
    found = majority(votes, n_classes)
    before = -math.inf
    for _ in range(ROUNDS):
        counts = (seen @ found).reshape(n_voters, n_answers, n_classes) + 1 / n_answers
        confusion = counts / counts.sum(axis=1, keepdims=True)
        scores = log_prior + seen.T @ np.log(confusion).reshape(n_voters * n_answers, n_classes)
        found = _softmax(scores)
        likelihood = float(np.logaddexp.reduce(scores, axis=1).sum())
        if abs(likelihood - before) < CONVERGED * votes.size:
            break
        before = likelihood
    return found


def mace(votes: Classes, n_classes: int, seed: int = 0) -> Probabilities:
    """Variational expectation maximization; the best of ten random starts. An abstention is no vote."""
    rng = np.random.default_rng(seed)
    seen = _one_hot(votes, n_classes)
    best, found = -math.inf, majority(votes, n_classes)
    for _ in range(RESTARTS):
        knows = rng.uniform(0.3, 0.9, (votes.shape[1], 1))
        guesses = rng.dirichlet(np.ones(n_classes), votes.shape[1])
        for _ in range(RESTART_ROUNDS):
            # The probability of a vote whose class is the true one, and of one whose class is not.
            right, wrong = knows + (1 - knows) * guesses, (1 - knows) * guesses
            scores = np.einsum("rvc,vc->rc", seen, np.log(right) - np.log(wrong))
            scores += np.einsum("rvc,vc->r", seen, np.log(wrong))[:, None]
            truth = _softmax(scores)
            knew = np.einsum("rvc,rc->vc", seen, truth) * knows / right  # expected votes of voters that knew, by class
            guessed = seen.sum(axis=0) - knew
            odds = _expected(np.stack([knew.sum(axis=1), guessed.sum(axis=1)], axis=1))
            knows = odds[:, :1]
            guesses = _expected(guessed)
        likelihood = float(np.logaddexp.reduce(scores, axis=1).sum())
        if likelihood > best:
            best, found = likelihood, truth
    return found


def _expected(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """The geometric expectation of a Dirichlet's shares after these counts, shape (voters, outcomes), as shares."""
    from scipy.special import digamma

    shares = np.maximum(_normalized(np.exp(digamma(counts + SMOOTHING + PRIOR))), 1e-12)
    return _normalized(shares)


def _one_hot(votes: Classes, n: int) -> NDArray[np.float64]:
    """Shape (rows, voters, n); zeros for an abstention."""
    return np.asarray(votes[:, :, None] == np.arange(n), dtype=np.float64)


def _normalized(counts: NDArray[Any]) -> Probabilities:
    totals = counts.sum(axis=1, keepdims=True)
    return np.where(totals > 0, counts / np.where(totals > 0, totals, 1), 1 / counts.shape[1])


def _softmax(scores: NDArray[np.float64]) -> Probabilities:
    return _normalized(np.exp(scores - scores.max(axis=1, keepdims=True)))
