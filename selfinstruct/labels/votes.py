"""A file of votes: one row for each thing, one column for each voter.

    id,text,gold,alice,bob,carol
    17,The heating works again.,fine,fine,broken,
    18,No light on the stairs.,,broken,broken,broken

An empty cell means that a voter abstained, or that nobody knows the gold label. CSV, JSON, JSON Lines or Parquet.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selfinstruct.errors import UsageError
from selfinstruct.labels.models import ABSTAINED, Classes
from selfinstruct.rows.tables import ids_of, read_objects
from selfinstruct.settings import did_you_mean
from selfinstruct.terminal import n_of
from selfinstruct.untrusted import to_json

MOST_LABELS = 200  # of more, they are hardly labels; a label model's memory grows with their number
SHOWN = 5  # labels in a message


class Votes(NamedTuple):
    """Votes, and what is known of the truth.

    - `ids`: of the rows. `voters`, `labels`: names; their positions are the numbers below.
    - `cast`: shape (rows, voters), the label of each vote, or -1 for none.
    - `gold`: shape (rows,), the true label, or -1 where it is not known.
    - `unlisted`: how many votes of each voter were for none of the labels that the user listed; they count as none.
    """

    ids: list[Any]
    voters: tuple[str, ...]
    labels: tuple[str, ...]
    cast: Classes
    gold: Classes
    unlisted: dict[str, int]


def read_votes(
    path: Path, columns: Sequence[str], *, id: str = "", gold: str = "", labels: Sequence[str] = ()
) -> Votes:
    """Read the votes in these columns; UsageError for a column that is missing, ids that repeat, or no votes at all.

    `id`: the column that names the rows; otherwise their numbers do. `labels`: all that there are, in order; otherwise
    those that occur, sorted.
    """
    rows = read_objects(path)
    _check_columns(path, rows, columns, id, gold)
    ids = ids_of(path, rows, id)
    texts = [[_label(path, number, row, name) for name in columns] for number, row in enumerate(rows, 1)]
    truths = [_label(path, number, row, gold) if gold else "" for number, row in enumerate(rows, 1)]
    seen = {text for row in texts for text in row} - {""}
    if not seen:
        raise UsageError(f"{path}: there is no vote in {', '.join(columns)}.")
    known = {truth for truth in truths if truth}
    if gold and not known:
        raise UsageError(f"{path}: the column {gold} has no gold label. Leave it out, or fill in some rows.")
    if labels and (strange := sorted(known - set(labels))):
        raise UsageError(f"{path}: gold labels that are not among the labels you list: {_some(strange)}.")
    if not known & (set(labels) or seen) and known:
        raise UsageError(
            f"{path}: no gold label was ever voted for. Gold: {_some(sorted(known))}; votes: {_some(sorted(seen))}."
        )
    names = tuple(dict.fromkeys(labels)) or tuple(sorted(seen | known))
    if len(names) > MOST_LABELS:
        raise UsageError(
            f"{path}: {len(names):,} different labels, such as {_some(sorted(seen))}. List those that you want, at "
            f"most {MOST_LABELS}; other votes then count as none."
        )
    number = {name: at for at, name in enumerate(names)}
    cast = np.array([[number.get(text, ABSTAINED) for text in row] for row in texts], dtype=np.int64)
    if not (cast != ABSTAINED).any():
        raise UsageError(f"{path}: no vote is for any of the labels you list. Votes: {_some(sorted(seen))}.")
    unlisted = Counter(columns[at] for row in texts for at, text in enumerate(row) if text and text not in number)
    truth = np.array([number.get(text, ABSTAINED) for text in truths], dtype=np.int64)
    return Votes(ids, tuple(columns), names, cast, truth, dict(unlisted))


def _check_columns(path: Path, rows: list[dict[str, Any]], columns: Sequence[str], id: str, gold: str) -> None:
    there = dict.fromkeys(name for row in rows for name in row)
    for name in (*columns, *filter(None, (id, gold))):
        if name not in there:
            raise UsageError(f"{path}: there is no column {name}; {did_you_mean(name, tuple(there))}")
    if repeated := [name for name, n in Counter(columns).items() if n > 1]:
        raise UsageError(f"The column {repeated[0]} is named twice.")
    if both := {id, gold} & set(columns):
        raise UsageError(f"The column {both.pop()} cannot be a voter as well.")
    if len(columns) < 2:
        raise UsageError("There is nothing to combine: name at least two columns of votes.")


def _label(path: Path, number: int, row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    if value is None:
        return ""
    if isinstance(value, list | dict):
        raise UsageError(f"{path}, row {number}: {column} is not a label but {to_json(value)[:50]}.")
    return value.strip() if isinstance(value, str) else to_json(value)


def _some(labels: Sequence[str]) -> str:
    more = f" and {n_of(len(labels) - SHOWN, 'other')}" if len(labels) > SHOWN else ""
    return ", ".join(repr(one[:30]) for one in labels[:SHOWN]) + more
