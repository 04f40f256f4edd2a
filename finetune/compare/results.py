"""Wins, ties and losses of A against B, with their uncertainty.

| figure    | what it is                                                                                            |
|-----------|-------------------------------------------------------------------------------------------------------|
| win rate  | share of the prompts that A wins, a tie counting half; 95 % interval by the bootstrap over prompts    |
| sign test | exact, two-sided, of wins against losses; ties are left out                                           |
| first     | share of verdicts for the answer shown first, without ties: 50 % if there is no position bias         |
| longer    | share of those verdicts for the answer with more characters                                           |

A prompt counts once for each rater, and once for all people together: it is won if more of them prefer A than B. Its
share of the win rate is that of their verdicts. "Both bad" is a tie. Prompts to which A and B gave the same answer are
in none of these figures. `first` and `longer` count every verdict (a judge has two on each prompt), and their intervals
are drawn over whole prompts. If all prompts have the same result, the bootstrap interval has no width: it is Wilson's
if A wins all or none, and there is none if all are ties.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Literal, NamedTuple

from finetune.compare.agreement import Agreement, cohen, fleiss
from finetune.compare.judge import read_verdict
from finetune.compare.store import SIDES, Item, Preferred, Side, Store, Verdict, preferred
from finetune.evaluation.statistics import mean, sign_test, wilson

EVERYBODY = "all people"
ROUNDING = 1e-9
INTERNAL = ("prompts", "salt", "identity_a", "identity_b")  # settings that do not help a reader
SCORE: dict[Preferred, float] = {"a": 1.0, "tie": 0.5, "b": 0.0}


class Rate(NamedTuple):
    """A mean with the bounds of its interval, None if it has no interval: all prompts have the same result."""

    value: float
    low: float | None
    high: float | None


class Share(NamedTuple):
    """A share of `n` verdicts, with its interval, None if there are none."""

    n: int
    interval: Rate | None

    def as_dict(self) -> dict[str, Any]:
        """The share as JSON values."""
        return {"n": self.n, **(self.interval._asdict() if self.interval else {})}


class Said(NamedTuple):
    """One verdict as it was given, None if it cannot be parsed; `text`: the answer of a judge model."""

    item: Item
    first: Side
    verdict: Verdict | None
    text: str = ""

    @property
    def preferred(self) -> Preferred | None:
        """Which answer is the better one; None if the verdict cannot be parsed."""
        return preferred(self.first, self.verdict) if self.verdict else None


class Rater(NamedTuple):
    """A rater: every verdict as it was given, and the resulting verdict on each item, by its position."""

    name: str
    kind: Literal["person", "judge"]
    said: list[Said]
    preferred: dict[int, Preferred]


def who(rater: "Rater | Outcome") -> str:
    """The name, and whether it is a person or a judge."""
    return f"judge {rater.name}" if rater.kind == "judge" else rater.name


class Outcome(NamedTuple):
    """The figures of one rater, or of all people together.

    `win_rate` is None if nothing was judged. `agreed`: prompts on which a judge gave the same verdict in both orders;
    `unreadable`: those with an order whose verdict cannot be parsed; `missing`: those not judged yet.
    """

    name: str
    kind: Literal["person", "people", "judge"]
    wins: int
    ties: int
    losses: int
    both_bad: int
    win_rate: Rate | None
    p_value: float
    first: Share
    longer: Share
    agreed: int
    unreadable: int
    missing: int

    @property
    def prompts(self) -> int:
        """The number of judged prompts."""
        return self.wins + self.ties + self.losses


class Pair(NamedTuple):
    """The agreement of two raters on the `prompts` that both judged."""

    one: str
    other: str
    prompts: int
    agreement: Agreement


class Results(NamedTuple):
    """All figures of a comparison, and the items with each rater's verdicts."""

    settings: dict[str, Any]
    prompts: int
    same_answer: int
    unanswered: int
    outcomes: list[Outcome]
    pairs: list[Pair]
    people: Agreement | None
    items: list[Item]
    raters: list[Rater]

    def as_dict(self) -> dict[str, Any]:
        """Everything as JSON values; the items as their verdicts by rater."""
        settings = {key: value for key, value in self.settings.items() if key not in INTERNAL}
        outcomes = [
            {
                **o._asdict(), "win_rate": o.win_rate and o.win_rate._asdict(), "first": o.first.as_dict(),
                "longer": o.longer.as_dict(),
            }
            for o in self.outcomes
        ]  # fmt: skip
        items = [
            {
                "messages": item.messages, "a": item.a, "b": item.b,
                "verdicts": {who(r): r.preferred[item.position] for r in self.raters if item.position in r.preferred},
            }
            for item in self.items
        ]  # fmt: skip
        pairs = [{**pair._asdict(), "agreement": pair.agreement._asdict()} for pair in self.pairs]
        return {
            **settings, "prompts": self.prompts, "same_answer": self.same_answer, "unanswered": self.unanswered,
            "outcomes": outcomes, "pairs": pairs,
            "people": self.people and self.people._asdict(), "items": items,
        }  # fmt: skip


def results(store: Store) -> Results:
    """The figures of what has been judged so far."""
    items = store.items()
    to_judge = {item.position: item for item in items if not item.is_same}
    people, judges = _people(store, to_judge), _judges(store, to_judge)
    outcomes = [_outcome(rater, to_judge) for rater in people]
    if len(people) > 1:
        outcomes.insert(0, _of_all(people, to_judge))
    outcomes += [_of_judge(rater, to_judge) for rater in judges]
    agreement = fleiss([[r.preferred[place] for r in people if place in r.preferred] for place in to_judge])
    ((prompts,),) = store.query("SELECT count(*) FROM items")
    return Results(
        store.settings(), prompts, len(items) - len(to_judge), prompts - len(items), outcomes,
        _pairs([*people, *judges]), agreement, items, [*people, *judges],
    )  # fmt: skip


def _people(store: Store, items: Mapping[int, Item]) -> list[Rater]:
    people: dict[str, Rater] = {}
    for vote in store.votes():
        rater = people.setdefault(vote.rater, Rater(vote.rater, "person", [], {}))
        rater.said.append(Said(items[vote.item], vote.first, vote.verdict))
        rater.preferred[vote.item] = vote.preferred
    return sorted(people.values())


def _judges(store: Store, items: Mapping[int, Item]) -> list[Rater]:
    """The judges; an item has a verdict if both orders can be parsed: the common one, or else a tie."""
    said: dict[str, list[Said]] = defaultdict(list)
    for judge, place, first, text in store.judgements():
        if place in items:
            said[judge].append(Said(items[place], first, read_verdict(text), text))
    raters = []
    for judge, both in said.items():
        orders: dict[int, list[Preferred]] = defaultdict(list)
        for one in both:
            orders[one.item.position] += [one.preferred] if one.preferred else []
        verdicts = {place: two for place, two in orders.items() if len(two) == len(SIDES)}
        preferred: dict[int, Preferred] = {p: two[0] if two[0] == two[1] else "tie" for p, two in verdicts.items()}
        raters.append(Rater(judge, "judge", both, preferred))
    return raters


def _outcome(rater: Rater, items: Mapping[int, Item]) -> Outcome:
    return _count(
        rater.name, rater.kind, {place: SCORE[verdict] for place, verdict in rater.preferred.items()}, rater.said,
        len(items),
    )  # fmt: skip


def _of_all(people: Sequence[Rater], items: Mapping[int, Item]) -> Outcome:
    """All people together: an item's score is the mean of its verdicts."""
    scores: dict[int, list[float]] = defaultdict(list)
    for rater in people:
        for place, verdict in rater.preferred.items():
            scores[place].append(SCORE[verdict])
    means = {place: sum(some) / len(some) for place, some in scores.items()}
    return _count(EVERYBODY, "people", means, [one for rater in people for one in rater.said], len(items))


def _of_judge(rater: Rater, items: Mapping[int, Item]) -> Outcome:
    orders: dict[int, list[Preferred | None]] = defaultdict(list)
    for one in rater.said:
        orders[one.item.position].append(one.preferred)
    whole = [two for two in orders.values() if len(two) == len(SIDES)]
    agreed = sum(None not in two and two[0] == two[1] for two in whole)
    unreadable = sum(None in two for two in whole)
    return _outcome(rater, items)._replace(agreed=agreed, unreadable=unreadable, missing=len(items) - len(whole))


def _count(
    name: str, kind: Literal["person", "people", "judge"], scores: Mapping[int, float], said: Sequence[Said], total: int
) -> Outcome:
    values = list(scores.values())
    wins, losses = sum(value > 0.5 for value in values), sum(value < 0.5 for value in values)
    decided = [one for one in said if one.preferred not in (None, "tie")]
    unequal = [one for one in decided if len(one.item.a) != len(one.item.b)]
    return Outcome(
        name, kind, wins, len(values) - wins - losses, losses, sum(one.verdict == "bad" for one in said),
        _interval(values, list(scores)), sign_test(wins, losses),
        _share([one.verdict == "first" for one in decided], decided),
        _share([one.preferred == _longer(one.item) for one in unequal], unequal),
        0, 0, total - len(values),
    )  # fmt: skip


def _longer(item: Item) -> Side:
    return "a" if len(item.a) > len(item.b) else "b"


def _share(hits: Sequence[bool], said: Sequence[Said]) -> Share:
    return Share(len(hits), _interval([float(hit) for hit in hits], [one.item.position for one in said]))


def _interval(values: Sequence[float], places: Sequence[int]) -> Rate | None:
    """The mean, with an interval drawn over whole items; None if there is nothing."""
    if not values:
        return None
    if set(values) in ({0.0}, {1.0}):
        n = len(set(places))
        return Rate(*wilson(n if values[0] else 0, n))
    found = mean(values, groups=places)
    return Rate(*found) if found.high - found.low > ROUNDING else Rate(found.value, None, None)


def _pairs(raters: Sequence[Rater]) -> list[Pair]:
    found = []
    for one, other in combinations(raters, 2):
        both = sorted(one.preferred.keys() & other.preferred.keys())
        first, second = ([rater.preferred[place] for place in both] for rater in (one, other))
        if both:
            found.append(Pair(who(one), who(other), len(both), cohen(first, second)))
    return found
