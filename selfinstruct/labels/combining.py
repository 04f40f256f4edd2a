"""Votes combined by a label model, and how good voters and combination are on the rows with a gold label."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from selfinstruct.custom import Custom, explained, is_custom, load
from selfinstruct.errors import UsageError
from selfinstruct.labels import NAMES, models
from selfinstruct.labels.agreement import krippendorff_alpha
from selfinstruct.labels.models import ABSTAINED, Classes, LabelModel, Probabilities
from selfinstruct.labels.votes import Votes
from selfinstruct.settings import did_you_mean

METHODS: dict[str, LabelModel] = dict(zip(NAMES, (models.dawid_skene, models.mace, models.majority), strict=False))
WEIGHTED = NAMES[-1]  # needs gold labels
Z = 1.96  # of a 95% interval
FITTED = 0.02  # by which estimates from a few hundred rows are too sure of themselves, without any common error


class Score(NamedTuple):
    """Right answers out of `n` rows with a gold label, and a 95% interval of the share (Wilson 1927)."""

    right: int
    n: int

    @property
    def share(self) -> float:
        """The share that is right, from 0 to 1."""
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        z2, p = Z * Z, self.share
        middle = (p + z2 / (2 * self.n)) / (1 + z2 / self.n)
        half = Z * math.sqrt(p * (1 - p) / self.n + z2 / (4 * self.n**2)) / (1 + z2 / self.n)
        return max(0.0, middle - half), min(1.0, middle + half)


class Combined(NamedTuple):
    """The combination.

    - `probabilities`: shape (rows, labels). `winners`: shape (rows,), -1 where nobody voted.
    - `alpha`: Krippendorff's, None if it cannot be told.
    - `estimated`: for each voter, the probability that a vote of its is right, by the combination; None without votes.
    - `scores`: each voter's on the rows with a gold label and a vote of its; `score`: the combination's on all of them
      on which anybody voted; None where there is no such row.
    """

    votes: Votes
    method: str
    probabilities: Probabilities
    winners: Classes
    alpha: float | None
    estimated: list[float | None]
    scores: list[Score | None]
    score: Score | None

    @property
    def confidence(self) -> np.ndarray:
        """The probability of each winner, shape (rows,); 0 where nobody voted."""
        return np.where(self.winners == ABSTAINED, 0.0, self.probabilities.max(axis=1))

    @property
    def best(self) -> int | None:
        """The voter that is right on most gold rows; an abstention is not right. None without gold labels."""
        if self.score is None:
            return None
        right = [one.right if one else 0 for one in self.scores]
        return int(np.argmax(right))

    @property
    def is_better(self) -> bool | None:
        """Whether the combination is right on more gold rows than the best voter alone; None without gold labels."""
        if self.score is None or self.best is None:
            return None
        best = self.scores[self.best]
        return self.score.right > (best.right if best else 0)

    @property
    def is_overconfident(self) -> bool:
        """Whether gold rows show that the winners are right less often than their probabilities say."""
        if self.score is None:
            return False
        on_gold = (self.votes.gold != ABSTAINED) & (self.winners != ABSTAINED)
        return bool(self.confidence[on_gold].mean() > self.score.interval[1] + FITTED)

    def rows(self, confidence: float = 0.0) -> Iterator[dict[str, Any]]:
        """Each row: `id`, `winner` (None if nobody voted), `confidence`, `votes` by voter; `rejected`, if it is.

        The reason is disagreement for a row below `confidence`, from 0 to 1, and no_votes for one without votes.
        """
        labels, voters = self.votes.labels, self.votes.voters
        confidences = self.confidence.tolist()
        for identity, cast, winner, sure in zip(
            self.votes.ids, self.votes.cast.tolist(), self.winners.tolist(), confidences, strict=True
        ):
            row = {
                "id": identity,
                "winner": None if winner == ABSTAINED else labels[winner],
                "confidence": round(sure, 4),
                "votes": {voter: labels[vote] for voter, vote in zip(voters, cast, strict=True) if vote != ABSTAINED},
            }
            if winner == ABSTAINED or sure < confidence:
                row["rejected"] = "no_votes" if winner == ABSTAINED else "disagreement"
            yield row


def combine(votes: Votes, by: str = NAMES[0]) -> Combined:
    """Combine the votes by a label model: one of NAMES, or a function of the user's, FILE.py:NAME.

    Ties go to the label that the first of the tied voters chose, in the order of the columns.
    """
    probabilities = _model(by, votes)(votes.cast, len(votes.labels))
    winners = _winners(votes.cast, probabilities)
    is_cast = votes.cast != ABSTAINED
    right = np.take_along_axis(probabilities, np.maximum(votes.cast, 0), axis=1) * is_cast
    estimated = [float(r / n) if n else None for r, n in zip(right.sum(axis=0), is_cast.sum(axis=0), strict=True)]
    judged = winners
    if by == WEIGHTED:  # a row must not be weighed by its own gold label
        judged = _left_out(votes)
    return Combined(
        votes, str(by), probabilities, winners, krippendorff_alpha(votes.cast, len(votes.labels)), estimated,
        [_score(column, votes.gold) for column in votes.cast.T], _score(judged, votes.gold),
    )  # fmt: skip


def _model(by: str, votes: Votes) -> LabelModel:
    if by == WEIGHTED:
        if not (votes.gold != ABSTAINED).any():
            raise UsageError("The label model weighted needs gold labels: name their column (gold).")
        return lambda cast, n: models.weighted(cast, n, _accuracies(cast, votes.gold, n))
    if is_custom(by):
        return _own(by if isinstance(by, Custom) else load(by))
    if by not in METHODS:
        raise UsageError(f"There is no label model {by!r}; {did_you_mean(by, NAMES)}")
    return METHODS[by]


def _own(custom: Custom) -> LabelModel:
    """The user's function, with its result checked."""
    function: Callable[[Classes, int], object] = custom.code

    def model(cast: Classes, n: int) -> Probabilities:
        with explained(function):
            found = np.asarray(function(cast.copy(), n), dtype=np.float64)
            if found.shape != (len(cast), n):
                raise UsageError(f"{custom}: it returned the shape {found.shape} instead of {(len(cast), n)}.")
            if not (np.isfinite(found).all() and (found >= 0).all() and np.allclose(found.sum(axis=1), 1)):
                raise UsageError(f"{custom}: each row of what it returns must be probabilities that sum to 1.")
        return found

    return model


def _winners(cast: Classes, probabilities: Probabilities) -> Classes:
    best = np.isclose(probabilities, probabilities.max(axis=1, keepdims=True), rtol=0, atol=1e-9)
    winners = np.full(len(cast), ABSTAINED, dtype=np.int64)
    for row, (votes, tied) in enumerate(zip(cast, best, strict=True)):
        if (votes != ABSTAINED).any():
            chosen = next((vote for vote in votes if vote != ABSTAINED and tied[vote]), None)
            winners[row] = int(tied.argmax()) if chosen is None else chosen
    return winners


def _accuracies(cast: Classes, gold: Classes, n_classes: int) -> np.ndarray:
    """Each voter's share of right votes on gold rows; a right and wrong guess more keeps it from 0 and 1."""
    known = (gold != ABSTAINED)[:, None] & (cast != ABSTAINED)
    right = (known & (cast == gold[:, None])).sum(axis=0)
    return np.asarray((right + 1) / (known.sum(axis=0) + n_classes))


def _left_out(votes: Votes) -> Classes:
    """The winner of each gold row by the accuracies on the other gold rows; -1 elsewhere."""
    winners = np.full(len(votes.cast), ABSTAINED, dtype=np.int64)
    for row in np.flatnonzero(votes.gold != ABSTAINED):
        gold = votes.gold.copy()
        gold[row] = ABSTAINED
        one = votes.cast[row : row + 1]
        accuracies = _accuracies(votes.cast, gold, len(votes.labels))
        winners[row] = _winners(one, models.weighted(one, len(votes.labels), accuracies))[0]
    return winners


def _score(labels: Classes, gold: Classes) -> Score | None:
    both = (labels != ABSTAINED) & (gold != ABSTAINED)
    return Score(int((labels[both] == gold[both]).sum()), int(both.sum())) if both.any() else None
