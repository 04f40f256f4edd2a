"""Active labeling: each round asks about the rows that a model is least sure of, trained on the labels so far.

Which rows a round asks about depends on the seed and on the votes of earlier rounds alone, so a run that was stopped
chooses the same rows again, and asks about none of them twice.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence

import numpy as np

from selfinstruct.annotation.question import Asker
from selfinstruct.annotation.rows import Row
from selfinstruct.labels import active, linear
from selfinstruct.labels.combining import Combined
from selfinstruct.labels.models import ABSTAINED
from selfinstruct.runs.given import Rounds
from selfinstruct.runs.votes import combine_votes
from selfinstruct.store.store import Store


async def in_rounds(
    store: Store, asker: Asker, rows: Sequence[Row], rounds: Rounds, *, seed: int,
    ask: Callable[[Sequence[Row]], Awaitable[bool]],
) -> bool:  # fmt: skip
    """Let `ask` ask about the rows of each round; False as soon as it was stopped."""
    x = linear.features([asker.text(row) or "" for row in rows])
    n_classes = len(asker.task.choices)
    chosen: list[int] = []
    probabilities = None
    for _ in range(rounds.n):
        rest = np.setdiff1d(np.arange(len(rows)), chosen)
        new = active.pick(probabilities, rest, rounds.each, rounds.select, (seed, len(chosen)))
        if not new:
            return True
        chosen += new
        if not await ask([rows[at] for at in new]):
            return False
        known = dict(_labels(store, {rows[at].id for at in chosen}))
        trained = [at for at in chosen if rows[at].id in known]
        labels = np.array([known[rows[at].id] for at in trained], dtype=np.int64)
        if len(set(labels.tolist())) > 1:
            probabilities = linear.predict(x, linear.fit(x[trained], labels, n_classes))
    return True


def _labels(store: Store, rows: set[str]) -> Iterator[tuple[str, int]]:
    """The winner of the votes on each of these rows, as its number."""
    found = combine_votes(store, "majority", only=rows)
    if isinstance(found.result, Combined):
        for row, winner in zip(found.rows, found.result.winners.tolist(), strict=True):
            if winner != ABSTAINED:
                yield row.id, winner
