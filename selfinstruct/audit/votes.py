"""The pages over a run of votes: rows by how the teachers voted on them, one row whole, the teachers side by side.

A gold answer that a person gives here is a decision like any other, and goes into the next combination.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from aiohttp import web

from selfinstruct.audit.pages import RunPages, back_to, number
from selfinstruct.errors import UsageError
from selfinstruct.labels.combining import Combined
from selfinstruct.labels.models import ABSTAINED
from selfinstruct.records import canonical_json
from selfinstruct.runs.votes import CombinedRun, combine_run
from selfinstruct.store import annotations
from selfinstruct.store.database import Database
from selfinstruct.store.decisions import decide
from selfinstruct.store.store import Store

PAGE = 50  # rows
TEXT = 300  # characters of a row's text in the list
NAV = (("/", "Rows"), ("/voters", "Teachers"))
SHOW = {
    "": "all rows",
    "disagreement": "teachers disagree",
    "no-vote": "an answer was rejected",
    "wrong": "winner is not gold",
    "gold": "with a gold answer",
    "without": "no votes",
}


class Shown(NamedTuple):
    """A row as listed: its number from 0, its text, the votes by voter, the winner, the confidence, the gold answer."""

    number: int
    id: Any
    text: str
    votes: dict[str, Any]
    winner: Any
    confidence: float | None
    gold: str | None
    unread: int

    def kinds(self) -> set[str]:
        """The facets that the row is in."""
        said = {str(vote) for vote in self.votes.values()}
        found = {
            "disagreement": len(said) > 1, "no-vote": self.unread > 0, "gold": self.gold is not None,
            "without": not self.votes, "wrong": self.gold is not None and str(self.winner) != self.gold,
        }  # fmt: skip
        return {"", *(name for name, holds in found.items() if holds)}


class VotePages(RunPages):
    """The pages over one run of votes."""

    nav: tuple[tuple[str, str], ...] = NAV

    def __init__(self, store: Store, author: str, form_token: str):
        super().__init__(store, author, form_token)
        self._known: tuple[int, CombinedRun | None, list[Shown]] | None = None

    async def rows(self, request: web.Request) -> web.Response:
        """The rows, by facet; the least certain first where teachers disagree."""
        _, shown = self._combined()
        facet = request.query.get("show", "")
        facet = facet if facet in SHOW else ""
        counts = Counter(kind for row in shown for kind in row.kinds())
        found = [row for row in shown if facet in row.kinds()]
        if facet == "disagreement":
            found.sort(key=lambda row: (row.confidence or 0.0, row.number))
        start = number(request.query.get("from"), 0)
        page = found[start : start + PAGE]
        return self.page(
            request, "vote_rows.html", rows=page, facet=facet, facets=[(k, w, counts[k]) for k, w in SHOW.items()],
            start=start, total=len(found), size=PAGE,
        )  # fmt: skip

    async def row(self, request: web.Request) -> web.Response:
        """One row whole, with every answer about it."""
        combined, shown = self._combined()
        at = number(request.match_info["number"], len(shown))
        if at >= len(shown):
            raise UsageError("There is no such row in this run.")
        row, problem = annotations.rows(self.store)[at]
        votes = {(one.voter, one.sample, one.swapped): one for one in annotations.votes_on(self.store, row.id)}
        answers = [
            (voter, sample, swapped, votes[voter, sample, swapped], text, error, reason)
            for voter, sample, swapped, text, error, reason in annotations.answers(self.store, row.id)
        ]
        task = combined.task if combined else None
        options = (combined.asker.options(row) or []) if combined else []
        return self.page(
            request, "vote_row.html", one=shown[at], fields=dict(row.fields), content=row.content, problem=problem,
            answers=answers, choices=task.choices if task else (), options=options, last=len(shown) - 1,
        )  # fmt: skip

    async def voters(self, request: web.Request) -> web.Response:
        """What each teacher says where another one says something: a confusion matrix for each pair."""
        combined, _ = self._combined()
        matrices = list(_matrices(combined.result)) if combined and isinstance(combined.result, Combined) else []
        return self.page(
            request, "voters.html", report=combined.render() if combined else "There are no votes.", matrices=matrices
        )

    async def gold(self, request: web.Request) -> web.Response:
        """Set the true answer about a row."""
        form = await request.post()
        combined, shown = self._combined()
        at, answer = number(str(form.get("row", "")), len(shown)), str(form.get("gold", "")).strip()
        if at >= len(shown):
            raise UsageError("There is no such row in this run.")
        choices = combined.task.choices if combined else ()
        if not choices or (answer and answer not in choices):
            raise UsageError(f"The true answer must be one of the choices on the page of the row, not {answer!r:.40}.")
        row, _ = annotations.rows(self.store)[at]
        if form.get("content") != row.content:
            raise UsageError("This row was changed since the page was shown. Load the page again, then decide.")
        with Database.beside(self.store.folder) as run:
            batch = decide(run, self.author, "gold", [("row", row.id)], {"gold": answer, "of": row.content})
        return back_to(str(form.get("back", "")), batch)

    def _combined(self) -> tuple[CombinedRun | None, list[Shown]]:
        """The combination of what the store holds now, and its rows."""
        state = annotations.state(self.store)
        if self._known is None or self._known[0] != state:
            try:
                combined = combine_run(self.store.folder)
            except UsageError:  # no vote yet
                combined = None
            unread = annotations.unread(self.store)
            known = annotations.rows(self.store)
            results: Iterable[dict[str, Any]] = combined.result.rows() if combined else ({} for _ in known)
            shown = [
                Shown(
                    at, result.get("id", at + 1), _text(combined, row), result.get("votes", {}), result.get("winner"),
                    result.get("confidence"), row.gold, unread.get(row.id, 0),
                )
                for at, ((row, _), result) in enumerate(zip(known, results, strict=True))
            ]  # fmt: skip
            self._known = state, combined, shown
        return self._known[1], self._known[2]


class Matrix(NamedTuple):
    """How often `first` said a row's label where `second` said a column's; `counts`: shape (labels, labels)."""

    first: str
    second: str
    labels: tuple[str, ...]
    counts: list[list[int]]


def _matrices(found: Combined) -> Iterable[Matrix]:
    """One for each teacher against the winner, or gold where it is known; then one for each pair of teachers."""
    votes, n = found.votes, len(found.votes.labels)
    columns = dict(zip(votes.voters, votes.cast.T, strict=True))
    pairs = [(voter, "winner", column, found.winners) for voter, column in columns.items()]
    if (votes.gold != ABSTAINED).any():
        pairs += [(voter, "gold", column, votes.gold) for voter, column in columns.items()]
    names = list(columns)
    pairs += [(a, b, columns[a], columns[b]) for at, a in enumerate(names) for b in names[at + 1 :]]
    for first, second, one, other in pairs:
        both = (one != ABSTAINED) & (other != ABSTAINED)
        counts = np.zeros((n, n), dtype=np.int64)
        np.add.at(counts, (one[both], other[both]), 1)
        yield Matrix(first, second, votes.labels, counts.tolist())


def _text(combined: CombinedRun | None, row: Any) -> str:
    """What a list shows of a row."""
    text = (combined.asker.text(row) or "") if combined else canonical_json(row.fields)
    return " ".join(text.split())[:TEXT]
