"""Free answers of several voters to the same question: the commonest one, compared without case, space and marks."""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from selfinstruct.terminal import n_of
from selfinstruct.untrusted import visible


class Texts(NamedTuple):
    """Answers: `given` holds those of each row, in the order of the voters; None where a voter gave none."""

    ids: list[Any]
    voters: tuple[str, ...]
    given: list[list[str | None]]

    def rows(self, confidence: float = 0.0) -> Iterator[dict[str, Any]]:
        """Each row: `id`, `winner`, `confidence` (the share of equal answers), `votes` by voter; `rejected`, if it is.

        In a tie, the first of the tied voters decides.
        """
        for identity, given in zip(self.ids, self.given, strict=True):
            votes = {voter: text for voter, text in zip(self.voters, given, strict=True) if text is not None}
            row: dict[str, Any] = {"id": identity, "winner": None, "confidence": 0.0, "votes": votes}
            if votes:
                counts = Counter(map(normal, votes.values()))
                most = max(counts.values())
                row["winner"] = next(text for text in votes.values() if counts[normal(text)] == most)
                row["confidence"] = round(most / len(votes), 4)
            if row["confidence"] < confidence or not votes:
                row["rejected"] = "disagreement" if votes else "no_votes"
            yield row


def normal(text: str) -> str:
    """A text as it is compared."""
    return " ".join(text.casefold().split()).strip(" .!\"'“”„«»")


def render(found: Texts, confidence: float = 0.0) -> str:
    """How many answers there are, and how many rows have one that voters share."""
    rows = list(found.rows(confidence))
    n_given = sum(len(row["votes"]) for row in rows)
    shared = sum(row["confidence"] > 1 / max(1, len(row["votes"])) for row in rows)
    reasons = Counter(row["rejected"] for row in rows if "rejected" in row)
    lines = [
        f"{n_of(len(rows), 'row')}, {n_of(len(found.voters), 'voter')}, {n_of(n_given, 'answer')}",
        f"rows on which two voters or more give the same answer: {shared:,}",
        *(f"rejected as {visible(reason)}: {n_of(n, 'row')}" for reason, n in reasons.items()),
    ]
    return "\n".join(lines)
