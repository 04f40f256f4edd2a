"""The votes of a run that `annotate` made, combined, and turned into data for a student."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selfinstruct.annotation import STAGE
from selfinstruct.annotation.question import Asker
from selfinstruct.annotation.rows import Row
from selfinstruct.annotation.task import FIRST, SECOND, AnnotationTask
from selfinstruct.annotation.votes import Vote, read_vote
from selfinstruct.config.stored import config_of
from selfinstruct.errors import UsageError
from selfinstruct.export.export import write_lines
from selfinstruct.labels import NAMES, report, scores, texts
from selfinstruct.labels.combining import Combined, combine
from selfinstruct.labels.models import ABSTAINED
from selfinstruct.labels.votes import Votes
from selfinstruct.parsing.labels import read_score
from selfinstruct.records import Rejection, canonical_json, user_message
from selfinstruct.rows.writing import refuse_ending
from selfinstruct.runs.given import given_of
from selfinstruct.settings import did_you_mean
from selfinstruct.store import annotations
from selfinstruct.store.annotations import StoredVote
from selfinstruct.store.store import Store
from selfinstruct.terminal import n_of
from selfinstruct.untrusted import visible

Anything = Combined | scores.Scores | texts.Texts


class Orders(NamedTuple):
    """How a voter answers preferences that are asked in both orders.

    `both`: pairs with a vote in both; `same`: those of them with the same winner; `shown_first`: the votes, of `n`, for
    the text that was shown first.
    """

    voter: str
    both: int
    same: int
    shown_first: int
    n: int


class CombinedRun(NamedTuple):
    """The votes of a run, combined. `result`: of labels and preferences, of scores, or of answers."""

    task: AnnotationTask
    asker: Asker
    rows: list[Row]
    result: Anything
    spent: list[annotations.Spent]
    orders: list[Orders]
    longer: tuple[int, int] | None

    def training_rows(self, confidence: float = 0.0) -> Iterator[dict[str, Any]]:
        """The rows that are not rejected, as a student learns them.

        Labels and answers: `instruction`, `input`, `output`; preferences: `prompt`, `chosen`, `rejected`; scores: the
        columns of the row, with `score`. All with `id` and, where there is one, `confidence`.
        """
        of_id = {row.id: row for row in self.rows}
        for found in self.result.rows(confidence):
            if "rejected" in found:
                continue
            row, winner = of_id[canonical_json(found["id"])], found["winner"]
            values = {"id": found["id"], **self._lesson(row, winner)}
            if values.keys() > {"id"}:
                yield values | ({"confidence": found["confidence"]} if "confidence" in found else {})

    def _lesson(self, row: Row, winner: Any) -> dict[str, Any]:
        text = self.asker.text(row) or ""
        if self.task.ask == "score":
            return {**row.fields, "score": winner}
        if self.task.ask == "prefer":
            first, second = self.asker.options(row) or ("", "")
            pair = {FIRST: (first, second), SECOND: (second, first)}.get(winner)
            prompt = user_message(self.task.instruction, text)
            return {"prompt": prompt, "chosen": pair[0], "rejected": pair[1]} if pair else {}
        return {"instruction": self.task.instruction, "input": text, "output": winner}

    def render(self, confidence: float = 0.0) -> str:
        """Everything that is known of the voters and their combination, in words."""
        if isinstance(self.result, scores.Scores):
            lines = [scores.render(self.result)]
        elif isinstance(self.result, texts.Texts):
            lines = [texts.render(self.result, confidence)]
        else:
            lines = [report.render(self.result, confidence)]
        return "\n".join([*lines, *self._orders(), *self._costs()])

    def _orders(self) -> Iterator[str]:
        for one in self.orders:
            if one.both:
                yield (
                    f"  {visible(one.voter)}: the same winner in both orders for {one.same / one.both:.1%} of "
                    f"{n_of(one.both, 'pair')}; the text shown first wins {one.shown_first / one.n:.1%} of the time"
                )
        if self.longer:
            right, n = self.longer
            yield f"  baseline: the longer text is the better one in {right / n:.1%} of {n_of(n, 'gold row')}"

    def _costs(self) -> Iterator[str]:
        """What the votes cost, and a right label; and what the same money buys of the best voter alone."""
        if any(one.cost_usd is None for one in self.spent) or not any(one.cost_usd for one in self.spent):
            return
        total = sum(one.cost_usd or 0.0 for one in self.spent)
        shares: dict[str, float] = {}
        if isinstance(self.result, Combined):
            shares = {
                voter: one.share for voter, one in zip(self.result.votes.voters, self.result.scores, strict=True) if one
            }
        for one in self.spent:
            right = f", ${(one.cost_usd or 0) / (one.answers * share):.6f} per right answer" if (
                share := shares.get(one.voter)
            ) else ""  # fmt: skip
            yield f"  cost of {visible(one.voter)}: ${one.cost_usd:,.4f}{right}"
        yield f"  cost of all: ${total:,.4f}"
        if isinstance(self.result, Combined) and self.result.best is not None and len(self.spent) > 1:
            best = self.result.votes.voters[self.result.best]
            alone = next((one.cost_usd or 0.0 for one in self.spent if one.voter == best), 0.0)
            if alone:
                yield (
                    f"For the same money, {visible(best)} alone could have labeled {total / alone:,.1f} times as many "
                    "rows."
                )


def combine_run(folder: Path, by: str = "", voters: Sequence[str] = ()) -> CombinedRun:
    """Combine the votes of a run; UsageError if it has none, or for a label model that does not suit them.

    `voters`: those whose votes count; all by default.
    """
    with Store.read(folder) as store, store.snapshot():
        return combine_votes(store, by, of=voters)


def combine_votes(
    store: Store, by: str = "", only: Collection[str] | None = None, of: Sequence[str] = ()
) -> CombinedRun:
    """The same of an open store. `only`: the ids of the rows that count; all by default. `of`: the voters."""
    folder, given = store.folder, given_of(store)
    rows = [row for row, _ in annotations.rows(store) if only is None or row.id in only]
    cast = [vote for vote in annotations.votes(store) if only is None or vote.row in only]
    spent = [one for one in annotations.spent(store) if not of or one.voter in of]
    there = dict.fromkeys(vote.voter for vote in cast)
    for name in of:
        if name not in there:
            raise UsageError(f"{folder}: there is no voter {name}; {did_you_mean(name, tuple(there))}")
    cast = [vote for vote in cast if not of or vote.voter in of]
    declared = [choice.teacher.model for choice in config_of(store).choices(STAGE)]
    task, asker = given.task, Asker(given.task, given.examples)
    if asker.shown_to_all:  # a model that was shown the answer is not measured on it
        rows = [row._replace(gold=None) if asker.text(row) in asker.shown_to_all else row for row in rows]
    voters = tuple(dict.fromkeys([*(v for v in declared if any(one.voter == v for one in cast)), *(
        one.voter for one in cast)]))  # fmt: skip
    if not any(one.value is not None for one in cast):
        raise UsageError(f"{folder}: there are no votes. See selfinstruct status {folder}.")
    of_row: dict[tuple[str, str], list[StoredVote]] = defaultdict(list)
    for vote in cast:
        if vote.value is not None:
            of_row[vote.row, vote.voter].append(vote)
    ids = [json.loads(row.id) for row in rows]
    result: Anything
    if task.ask in ("score", "answer"):
        if by:
            raise UsageError(f'by (--by) has no effect on a run that asks for "{task.ask}". Leave it out.')
        result = _scores(ids, voters, rows, of_row, task) if task.ask == "score" else _texts(ids, voters, rows, of_row)
    else:
        result = combine(_votes(ids, voters, rows, of_row, task), by or (NAMES[0] if len(voters) > 1 else "majority"))
    is_pair = task.ask == "prefer"
    return CombinedRun(
        task, asker, rows, result, spent, _of_orders(voters, cast) if is_pair else [],
        _longer(asker, rows) if is_pair else None,
    )  # fmt: skip


def write_training_rows(found: CombinedRun, path: Path, confidence: float = 0.0) -> int:
    """Write what a student learns as JSON Lines, and give the number of rows."""
    refuse_ending(path, "JSON Lines", "Rows for a student are always written as")
    return write_lines(path, found.training_rows(confidence))


def misread(store: Store) -> list[str]:
    """The votes of a run that are not what their answers say, one line each."""
    task, lines = given_of(store).task, []
    for cast, stored in annotations.in_order_of_answers(store):
        completion = store.completion(cast.request_id)
        name = f"vote of {cast.voter} on {cast.row}, sample {cast.sample}"
        if completion is None:
            lines.append(f"{name}: there is no answer")
        elif tuple(_values(read_vote(task, completion, cast.swapped))) != stored:
            lines.append(f"{name}: it is not what the answer says")
    return lines


def _values(vote: Vote | Rejection) -> tuple[Any, Any, Any]:
    return vote if isinstance(vote, Vote) else (None, None, None)


OfRow = dict[tuple[str, str], list[StoredVote]]


def _votes(ids: list[Any], voters: tuple[str, ...], rows: Sequence[Row], of_row: OfRow, task: AnnotationTask) -> Votes:
    pick, labels = _preferred if task.ask == "prefer" else _commonest, task.choices
    number = {label: at for at, label in enumerate(labels)}
    cast = np.full((len(rows), len(voters)), ABSTAINED, dtype=np.int64)
    for at, row in enumerate(rows):
        for column, voter in enumerate(voters):
            chosen = pick(of_row.get((row.id, voter), []))
            if chosen in number:
                cast[at, column] = number[chosen]
    gold = np.array([number.get(row.gold or "", ABSTAINED) for row in rows], dtype=np.int64)
    return Votes(ids, voters, labels, cast, gold, {})


def _commonest(votes: list[StoredVote]) -> str | None:
    """What most samples of one voter say; in a tie, the first of them."""
    counts = Counter(vote.value for vote in votes)
    return max(counts, key=lambda value: counts[value]) if counts else None


def _preferred(votes: list[StoredVote]) -> str | None:
    """What most samples prefer in both orders; None if the order decides, or one of them has no vote."""
    pairs: dict[int, list[str | None]] = defaultdict(list)
    for vote in votes:
        pairs[vote.sample].append(vote.value)
    agreed = [pair[0] for pair in pairs.values() if len(pair) == 2 and pair[0] == pair[1]]
    counts = Counter(agreed)
    return max(counts, key=lambda value: counts[value]) if counts else None


def _scores(
    ids: list[Any], voters: tuple[str, ...], rows: Sequence[Row], of_row: OfRow, task: AnnotationTask
) -> scores.Scores:  # fmt: skip
    given = np.full((len(rows), len(voters)), np.nan)
    for at, row in enumerate(rows):
        for column, voter in enumerate(voters):
            if votes := of_row.get((row.id, voter)):
                given[at, column] = np.mean([_number(vote.value) for vote in votes])
    gold = np.array([read_score(row.gold or "", *task.scale) for row in rows], dtype=np.float64)  # None becomes NaN
    return scores.combine_scores(ids, voters, given, gold)


def _number(value: str | None) -> float:
    try:
        return float(value or "nan")
    except ValueError:  # in a run of somebody else
        return float("nan")


def _texts(ids: list[Any], voters: tuple[str, ...], rows: Sequence[Row], of_row: OfRow) -> texts.Texts:
    """Each sample of a voter is an answer of its own."""
    samples = sorted({vote.sample for votes in of_row.values() for vote in votes})
    names = tuple(voter if samples == [0] else f"{voter} #{one + 1}" for voter in voters for one in samples)
    given = []
    for row in rows:
        found = {(voter, vote.sample): vote.value for voter in voters for vote in of_row.get((row.id, voter), ())}
        given.append([found.get((voter, sample)) for voter in voters for sample in samples])
    return texts.Texts(ids, names, given)


def _of_orders(voters: Sequence[str], cast: Sequence[StoredVote]) -> list[Orders]:
    pairs: dict[tuple[str, str, int], dict[bool, str]] = defaultdict(dict)
    for vote in cast:
        if vote.value is not None:
            pairs[vote.voter, vote.row, vote.sample][vote.swapped] = vote.value
    found = []
    for voter in voters:
        own = [pair for (of, _, _), pair in pairs.items() if of == voter]
        both = [pair for pair in own if len(pair) == 2]
        decided = [(swapped, value) for pair in own for swapped, value in pair.items() if value in (FIRST, SECOND)]
        first = sum((value == SECOND) == swapped for swapped, value in decided)
        same = sum(pair[False] == pair[True] for pair in both)
        found.append(Orders(voter, len(both), same, first, max(1, len(decided))))
    return found


def _longer(asker: Asker, rows: Sequence[Row]) -> tuple[int, int] | None:
    """How often the longer text is the better one by gold, of rows with texts of different lengths."""
    right = n = 0
    for row in rows:
        options = asker.options(row)
        if row.gold in (FIRST, SECOND) and options and len(options[0]) != len(options[1]):
            n += 1
            right += (len(options[0]) > len(options[1])) == (row.gold == FIRST)
    return (right, n) if n else None
