"""The labels of a run of `annotate` against a second opinion: which rows to look at, and how many labels are wrong."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selfinstruct.annotation.rows import as_text
from selfinstruct.errors import UsageError
from selfinstruct.labels import errors, linear
from selfinstruct.labels.combining import Combined
from selfinstruct.labels.errors import LEAST, ErrorRate
from selfinstruct.labels.models import ABSTAINED
from selfinstruct.records import canonical_json
from selfinstruct.rows.tables import read_objects
from selfinstruct.rows.writing import whole_file
from selfinstruct.runs.votes import combine_run
from selfinstruct.store import annotations
from selfinstruct.store.database import Database
from selfinstruct.store.decisions import decide
from selfinstruct.store.store import Store
from selfinstruct.terminal import n_of
from selfinstruct.untrusted import visible

FEWEST = 20  # labeled rows that a model can learn from
SHOWN = 20  # rows in the report
CHECKED = "checked"  # the author of decisions that come from a file
WIDTH = 60  # characters of a text there


class Doubt(NamedTuple):
    """A row: its label, what the model predicts instead, and how much more probable it finds that (-1 to 1)."""

    id: Any
    label: str
    predicted: str
    suspicion: float
    text: str
    gold: str | None

    @property
    def disagrees(self) -> bool:
        """Whether the model finds another label more probable."""
        return self.suspicion > 0


class Disagreement(NamedTuple):
    """All labeled rows, the most doubtful first; and the share of wrong labels, if enough rows were checked."""

    doubts: list[Doubt]
    rate: ErrorRate | None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each row as JSON values."""
        for one in self.doubts:
            yield {**one._asdict(), "suspicion": round(one.suspicion, 4), "disagrees": one.disagrees}


def disagreement(folder: Path, checked: Path | None = None, by: str = "") -> Disagreement:
    """Train a linear model on the combined labels, and compare what it predicts for rows that it has not seen.

    `checked`: a file of rows with an id and a gold label, such as `draw` writes; the gold labels of the run count too.
    UsageError for a run that does not ask for labels, or with too few of them.
    """
    found = combine_run(folder, by)
    if not isinstance(found.result, Combined) or found.task.ask != "label":
        raise UsageError(
            f'{folder}: disagreement needs a run that asks for "label"; this one asks for "{found.task.ask}".'
        )
    votes, winners = found.result.votes, found.result.winners
    at = np.flatnonzero(winners != ABSTAINED)
    if len(at) < FEWEST or len(set(winners[at])) < 2:
        raise UsageError(f"{folder}: too few labels: disagreement needs {FEWEST} labeled rows and two labels.")
    texts = [found.asker.text(found.rows[row]) or "" for row in at]
    labels, gold = winners[at], votes.gold[at]
    if checked:
        gold = gold.copy()
        _read_checked(checked, [canonical_json(votes.ids[row]) for row in at], votes.labels, gold)
    probabilities = linear.out_of_sample(texts, labels, len(votes.labels))
    suspicions = errors.suspicion(probabilities, labels)
    rivals = errors.rivals(probabilities, labels)
    doubts = [
        Doubt(
            votes.ids[row], votes.labels[labels[n]], votes.labels[rivals[n]], float(suspicions[n]),
            texts[n], None if gold[n] == ABSTAINED else votes.labels[gold[n]],
        )
        for n, row in enumerate(at)
    ]  # fmt: skip
    rate = errors.error_rate(suspicions > 0, labels, gold)
    return Disagreement(sorted(doubts, key=lambda one: -one.suspicion), rate)


def keep_checked(folder: Path, found: Disagreement) -> int:
    """Keep the true answers of checked rows, as if they were given in the audit; give the number of new ones."""
    with Store.read(folder) as store:
        known = {row.id: row for row, _ in annotations.rows(store)}
    new = [one for one in found.doubts if one.gold is not None and known[canonical_json(one.id)].gold != one.gold]
    with Database.beside(folder) as run:
        for one in new:
            row = known[canonical_json(one.id)]
            decide(run, CHECKED, "gold", [("row", row.id)], {"gold": str(one.gold), "of": row.content})
    return len(new)


def _read_checked(path: Path, ids: list[str], labels: tuple[str, ...], gold: np.ndarray) -> None:
    place = {identity: n for n, identity in enumerate(ids)}
    number = {label: n for n, label in enumerate(labels)}
    for n, row in enumerate(read_objects(path), 1):
        if missing := {"id", "gold"} - row.keys():
            raise UsageError(f"{path}, row {n}: there is no column {min(missing)}.")
        known = as_text(row["gold"])
        if not known:
            continue
        if known not in number:
            raise UsageError(f"{path}, row {n}: the gold label {known!r:.40} is not among {', '.join(labels)}.")
        identity = row["id"]
        keys = {k for k in (canonical_json(identity), str(identity)) if k in place}
        if len(keys) > 1:
            raise UsageError(f"{path}, row {n}: the id {identity} may be a number or a text, and the run has both.")
        if not keys:
            raise UsageError(f"{path}, row {n}: the run has no labeled row with the id {identity!r:.40}.")
        gold[place[keys.pop()]] = number[known]


def draw(found: Disagreement, path: Path, each: int, seed: int = 0) -> int:
    """Write rows to be checked by people: `each` of those that agree and of the others, at random; give their number.

    CSV with the columns id, text, label and gold; gold is empty. Rows whose true label is known are left out.
    UsageError if the file exists: a person may have filled it in.
    """
    if path.exists():
        raise UsageError(f"{path} exists, and may have been filled in. Choose another file with --draw.")
    rng = np.random.default_rng(seed)
    drawn: list[Doubt] = []
    for disagrees in (False, True):
        kind = [one for one in found.doubts if one.disagrees == disagrees and one.gold is None]
        drawn += [kind[n] for n in rng.permutation(len(kind))[:each]]
    drawn = [drawn[n] for n in rng.permutation(len(drawn))]  # which kind a row is must not be seen
    with whole_file(path, "--draw") as part, part.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("id", "text", "label", "gold"))
        out.writerows((as_text(one.id), one.text, one.label, "") for one in drawn)
    return len(drawn)


def render(found: Disagreement) -> str:
    """The rows to look at first, and the share of wrong labels if it is known."""
    n = sum(one.disagrees for one in found.doubts)
    lines = [
        f"{n_of(len(found.doubts), 'labeled row')}. A small model, trained on the other rows, predicts another label "
        f"for {n:,} of them. This is not an error rate.",
        "  id          label            predicted        text",
    ]
    for one in found.doubts[: min(n, SHOWN)]:
        text = " ".join(one.text.split())
        text = text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."
        cells = (visible(str(one.id))[:11], visible(one.label)[:16], visible(one.predicted)[:16])
        lines.append(f"  {cells[0]:<11} {cells[1]:<16} {cells[2]:<16} {visible(text)}")
    if n > SHOWN:
        lines.append(f"  ... and {n - SHOWN:,} more: --json")
    if found.rate:
        r = found.rate
        lines.append(
            f"wrong labels: {r.share:.1%} ({r.low:.1%} to {r.high:.1%}), from checked rows: {r.agreeing:,} where "
            f"model and label agree, {r.disagreeing:,} where they do not"
        )
    else:
        lines.append(
            "How many labels are wrong is not known. To estimate it, check by hand at least "
            f"{LEAST} rows where model and label agree, and {LEAST} where they do not: write them with --draw FILE, "
            "fill in gold, and pass the file with --checked."
        )
    return "\n".join(lines)
