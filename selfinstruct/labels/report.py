"""A combination in words."""

import numpy as np

from selfinstruct.labels.combining import Combined, Score
from selfinstruct.labels.models import ABSTAINED
from selfinstruct.terminal import n_of
from selfinstruct.untrusted import visible

MANY_ABSTENTIONS = 0.2
NAME_WIDTH = 24


def render(found: Combined, confidence: float = 0.0) -> str:
    """The agreement, each voter's accuracy, the combination's, and whether to use it."""
    votes = found.votes
    n, n_cast = len(votes.ids), int((votes.cast != ABSTAINED).sum())
    missing = 1 - n_cast / votes.cast.size
    width = max(NAME_WIDTH, *map(len, (*votes.voters, found.method)))
    agreement = "undefined" if found.alpha is None else f"{found.alpha:.2f}"
    is_alone = len(votes.voters) == 1  # with nobody to compare it to
    lines = [
        f"{n_of(n, 'row')}, {n_of(len(votes.voters), 'voter')}, {n_of(len(votes.labels), 'label')}, "
        f"{n_of(n_cast, 'vote')}; {missing:.1%} of the votes are missing",
        f"agreement: Krippendorff's alpha {agreement} (1: full, 0: chance)",
        f"  {'voter':<{width}} abstained  estimated right" + ("  right on gold rows" if found.score else ""),
    ]
    for at, name in enumerate(votes.voters):
        abstained = float((votes.cast[:, at] == ABSTAINED).mean())
        guess = found.estimated[at]
        lines.append(
            f"  {visible(name):<{width}} {abstained:>9.1%}  {'' if guess is None or is_alone else f'{guess:.1%}':>15}"
            + (f"  {_score(found.scores[at])}" if found.score else "")
        )
    won = found.confidence[found.winners != ABSTAINED]
    sure = "" if is_alone or not len(won) else f"{float(won.mean()):.1%}"
    lines.append(
        f"  {visible(found.method):<{width}} {'':>9}  {sure:>15}" + (f"  {_score(found.score)}" if found.score else "")
    )
    lines += [f"  {name}: {n_of(count, 'vote')} for none of the labels" for name, count in votes.unlisted.items()]
    counts = [int((found.winners == label).sum()) for label in range(len(votes.labels))]
    lines.append("winners: " + ", ".join(f"{visible(a)}: {b:,}" for a, b in zip(votes.labels, counts, strict=True)))
    if without := int((found.winners == ABSTAINED).sum()):
        lines.append(f"rejected as no_votes: {n_of(without, 'row')}")
    if confidence:
        below = int(((found.confidence < confidence) & (found.winners != ABSTAINED)).sum())
        lines.append(f"rejected as disagreement, below {confidence:g}: {n_of(below, 'row')}")
    return "\n".join([*lines, *_verdict(found, missing)])


def _score(score: Score | None) -> str:
    if score is None:
        return "none of them"
    low, high = score.interval
    return f"{score.share:.1%} of {score.n:,} ({low:.0%} to {high:.0%})"


def _verdict(found: Combined, missing: float) -> list[str]:
    """Whether to use the combination, as far as that is known."""
    lines = []
    if found.best is None:
        lines.append(
            "There are no gold labels: whether voters make the same mistakes is not known. Label about 20 rows by "
            "hand, in a column that --gold names or, for a run of annotate, in selfinstruct audit."
        )
    elif len(found.votes.voters) > 1:
        name = visible(found.votes.voters[found.best])
        if found.is_better:
            lines.append(f"On the gold rows, {found.method} is right more often than the best voter alone, {name}.")
        else:
            lines.append(
                f"Not recommended: on the gold rows, {found.method} is right no more often than {name} alone. Use the "
                f"votes of {name}, or label more gold rows."
            )
        if found.is_overconfident:
            lines.append(
                "The winners are right less often than the votes suggest: the voters err together, which no label "
                "model can see. Do not trust the estimates and the confidence."
            )
    unused = [name for label, name in enumerate(found.votes.labels) if not np.any(found.votes.cast == label)]
    if unused:
        lines.append(f"Nobody voted for {', '.join(map(visible, unused))}.")
    if missing >= MANY_ABSTENTIONS and found.method == "dawid-skene":
        lines.append(f"{missing:.0%} of the votes are missing: compare with --by mace, which ignores abstentions.")
    return lines
