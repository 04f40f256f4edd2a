"""Votes of several voters about the same rows, combined."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from selfinstruct.api.settings import FilePath, file_path
from selfinstruct.custom import of_object
from selfinstruct.labels import NAMES

if TYPE_CHECKING:
    from selfinstruct.labels.combining import Combined


def combine(
    file: FilePath,
    columns: Sequence[str],
    by: str | Callable[..., Any] = NAMES[0],
    *,
    id: str = "",
    gold: str = "",
    labels: Sequence[str] = (),
) -> "Combined":
    """Combine the votes in some columns of a file: one row for each thing, one column for each voter.

    `file`: CSV, JSON, JSON Lines or Parquet. `by`: "dawid-skene", "mace", "majority", "weighted" (by accuracy on gold
    rows), or a function `(votes, n_classes) -> probabilities` (see `selfinstruct.labels.models`). `id`: the column that
    identifies rows; their numbers by default. `gold`: the column of true labels, which may be mostly empty. `labels`:
    all labels; votes for others count as none.

    The result has `rows(confidence)`, and what is known of the voters: `alpha`, `estimated`, `scores`, `score`,
    `best`, `is_better`. Raises UsageError if the file has no such columns, or no votes.
    """  # fmt: skip
    from selfinstruct.labels.combining import combine
    from selfinstruct.labels.votes import read_votes

    votes = read_votes(file_path("file", file), tuple(columns), id=id, gold=gold, labels=tuple(labels))
    return combine(votes, by if isinstance(by, str) else of_object(by))
