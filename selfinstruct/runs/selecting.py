"""One `selfinstruct select`: some rows of a file, and what the choice did to score and length, beside random ones."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selfinstruct.errors import UsageError
from selfinstruct.labels import linear, selection
from selfinstruct.labels.selection import Numbers, Positions
from selfinstruct.rows.files import to_line
from selfinstruct.rows.tables import read_objects
from selfinstruct.rows.writing import refuse_ending, whole_file
from selfinstruct.settings import did_you_mean
from selfinstruct.terminal import n_of

METHODS = ("score", "least", "diverse", "coverage", "random")
DRAWS = 200  # random choices that the report compares with
TEXTS = ("instruction", "input", "output", "prompt", "chosen", "text", "question", "answer")  # columns, joined


class Selection(NamedTuple):
    """What was chosen. `kept`: positions in the order in which rows were taken; `scores`: NaN for none."""

    rows: list[dict[str, Any]]
    kept: Positions
    scores: Numbers
    words: Numbers
    method: str
    column: str


def select(
    path: Path, method: str, keep: int | None, column: str = "", *, seed: int = 0, at_least: float | None = None
) -> Selection:
    """Choose at most `keep` rows of a file, or all. `column`: of numbers, for "score", "least" and "diverse".

    `at_least`: the lowest number of a row that may be chosen; the choice is made among the others.

    UsageError for an unknown method, a column that is missing or holds other values, or texts that are missing.
    """
    if method not in METHODS:
        raise UsageError(f"There is no method {method!r}; {did_you_mean(method, METHODS)}")
    rows = read_objects(path)
    needs_score = method in ("score", "least", "diverse")
    if needs_score:
        column = column or _only_column(path, rows)
    elif column:
        raise UsageError(f"column (--column) has no effect on {method}. Leave it out.")
    if keep is None and at_least is None:
        raise UsageError("Say how many rows to keep (--keep), or from which score on (--at-least).")
    if at_least is not None and not needs_score:
        raise UsageError(f"at_least (--at-least) has no effect on {method}. Leave it out.")
    keep = len(rows) if keep is None else keep
    scores = _numbers(path, rows, column) if needs_score else np.full(len(rows), np.nan)
    known = scores
    if at_least is not None:
        scores = np.where(scores >= at_least, scores, np.nan)
    texts = [_text(row) for row in rows]
    words = np.array([float(len(text.split())) for text in texts])
    if method in ("diverse", "coverage") and not any(texts):
        raise UsageError(f"{path}: {method} compares texts, and the rows have none of the columns {', '.join(TEXTS)}.")
    if method == "score":
        order = selection.by_score(scores)[:keep]
    elif method == "least":
        order = selection.by_score(-scores)[:keep]
    elif method == "diverse":
        order = selection.diverse(scores, linear.features(texts), keep)
    elif method == "coverage":
        order = selection.covering(linear.features(texts), keep)
    else:
        order = selection.at_random(len(rows), seed)[:keep]
    return Selection(rows, order, known, words, method, column)


def write(found: Selection, output: Path) -> None:
    """Write the rows that were chosen, in the order of the file, as JSON Lines."""
    refuse_ending(output, "JSON Lines", "Selected rows are always written as")
    with whole_file(output) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(to_line(found.rows[at]) + "\n" for at in sorted(found.kept))


def render(found: Selection) -> str:
    """What was chosen, beside random choices of the same size."""
    n, kept = len(found.rows), found.kept
    rest = np.setdiff1d(np.arange(n), kept)
    drawn = [selection.at_random(n, draw)[: len(kept)] for draw in range(DRAWS)]
    lines = [
        f"{len(kept):,} of {n_of(n, 'row')} by {found.method}" + (f" of {found.column}" if found.column else ""),
        f"  {'':<22}{'selected':>10}{'the rest':>10}{'at random, 95% of choices':>28}",
    ]
    rows = [("words, mean", found.words)] if len(kept) else []
    if found.column:
        rows.insert(0, (f"{found.column}, mean", found.scores))
    for name, values in rows:
        low, high = np.nanquantile([np.nanmean(values[one]) for one in drawn], (0.025, 0.975))
        others = f"{np.nanmean(values[rest]):.2f}" if len(rest) and not np.isnan(values[rest]).all() else "none"
        lines.append(f"  {name[:21]:<22}{np.nanmean(values[kept]):>10.2f}{others:>10}{f'{low:.2f} to {high:.2f}':>28}")
    if found.column:
        lines += _length_lines(found)
        if missing := int(np.isnan(found.scores).sum()):
            lines.append(f"not selected, because {found.column} is empty: {n_of(missing, 'row')}")
    return "\n".join(lines)


def _length_lines(found: Selection) -> list[str]:
    """How much of the score is length."""
    there = ~np.isnan(found.scores)
    scores, words = found.scores[there], found.words[there]
    if len(scores) < 3 or scores.std() == 0 or words.std() == 0:
        return []
    r = float(np.corrcoef(scores.argsort().argsort(), words.argsort().argsort())[0, 1])
    lines = [f"  rank correlation of {found.column} and length: {r:.2f}"]
    if abs(r) >= 0.5:
        lines.append(
            f"{found.column} is a measure of length to a good part. Compare with a choice among equally long rows."
        )
    return lines


def _only_column(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    for name in ("score", "confidence"):
        if any(row.get(name) not in (None, "") for row in rows):
            return name
    raise UsageError(f"{path}: name the column of scores (--column); there is no column score or confidence.")


def _numbers(path: Path, rows: Sequence[Mapping[str, Any]], column: str) -> Numbers:
    there = dict.fromkeys(name for row in rows for name in row)
    if column not in there:
        raise UsageError(f"{path}: there is no column {column}; {did_you_mean(column, tuple(there))}")
    found = np.full(len(rows), np.nan)
    for at, row in enumerate(rows):
        value = row.get(column)
        if value in (None, ""):
            continue
        try:
            if isinstance(value, bool) or not np.isfinite(number := float(value)):
                raise ValueError
        except (TypeError, ValueError):
            raise UsageError(f"{path}, row {at + 1}: {column} is {value!r:.40}, not a number.") from None
        found[at] = number
    if np.isnan(found).all():
        raise UsageError(f"{path}: the column {column} is empty.")
    return found


def _text(row: Mapping[str, Any]) -> str:
    if isinstance(messages := row.get("messages"), list):
        contents = [one.get("content") for one in messages if isinstance(one, dict)]
        return "\n".join(text for text in contents if isinstance(text, str))
    return "\n".join(str(row[name]) for name in TEXTS if row.get(name))
