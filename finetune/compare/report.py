"""The results as text for the terminal, and as one page without scripts: DIR/comparison.html."""

from collections import defaultdict
from pathlib import Path

from finetune.compare.prompts import in_words
from finetune.compare.results import Outcome, Rate, Rater, Results, Said, Share, who
from selfinstruct import __version__
from selfinstruct.rows.writing import whole_file
from selfinstruct.terminal import n_of
from selfinstruct.web.page import environment

PREFERRED = {"a": "A is better", "b": "B is better", "tie": "a tie"}


def write_page(found: Results, folder: Path) -> Path:
    """Write DIR/comparison.html and return its path; UsageError if it cannot be written."""
    path = folder / "comparison.html"
    with whole_file(path, "--out") as part:
        part.write_text(html(found, folder.name), encoding="utf-8")
    return path


def html(found: Results, name: str) -> str:
    """The page."""
    templates = environment("finetune.compare")
    templates.filters |= {"percent": percent, "p": p_value, "words": in_words, "who": who}
    reasons: defaultdict[int, list[tuple[Rater, Said]]] = defaultdict(list)
    for judge in found.raters:
        for one in judge.said if judge.kind == "judge" else ():
            reasons[one.item.position].append((judge, one))
    return templates.get_template("report.html").render(
        r=found, s=found.settings, name=name, version=__version__, preferred=PREFERRED, reasons=reasons
    )


def render(found: Results) -> str:
    """The figures as text, about 100 characters wide."""
    settings = found.settings
    lines = [f"A: {settings['a']}", f"B: {settings['b']}", n_of(found.prompts, "prompt")]
    if settings["dropped"]:
        lines[-1] += f", and {len(settings['dropped']):,} left out that overlap {settings['train']}"
    lines[-1] += f"; the same answer on {found.same_answer:,}"
    if found.unanswered:
        lines[-1] += f"; without an answer from both: {found.unanswered:,}"
    if not found.outcomes:
        lines.append("No verdicts yet.")
    else:
        head = ("", "prompts", "A wins", "tie", "B wins", "A's win rate (tie = ½)", "sign test")
        rows = [head, *(_row(outcome) for outcome in found.outcomes)]
        wide = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines.append("")
        for row in rows:
            cells = [row[0].ljust(wide[0]), *(cell.rjust(width) for cell, width in zip(row[1:], wide[1:], strict=True))]
            lines.append("  ".join(cells).rstrip())
        lines.append("")
    for outcome in found.outcomes:
        lines.append(f"{who(outcome)}: {'; '.join(_notes(outcome))}.")
    if found.people:
        lines.append(f"People agree in {found.people.same:.0%} of the pairs of verdicts, Fleiss' kappa "
                     f"{kappa(found.people.kappa)}.")  # fmt: skip
    for pair in found.pairs:
        lines.append(f"{pair.one} and {pair.other}: the same on {pair.agreement.same:.0%} of {pair.prompts:,}, Cohen's "
                     f"kappa {kappa(pair.agreement.kappa)}.")  # fmt: skip
    return "\n".join(lines)


def percent(rate: Rate) -> str:
    """A share with its interval, if it has one."""
    if rate.low is None or rate.high is None:
        return f"{rate.value:.1%}"
    return f"{rate.value:.1%} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def p_value(p: float) -> str:
    """A p-value, in words where it is very small."""
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def kappa(value: float | None) -> str:
    """A kappa; if there is none, all verdicts were the same."""
    return "undefined (all verdicts are the same)" if value is None else f"{value:.2f}"


def _row(o: Outcome) -> tuple[str, ...]:
    rate = percent(o.win_rate) if o.win_rate else ""
    return (who(o), f"{o.prompts:,}", f"{o.wins:,}", f"{o.ties:,}", f"{o.losses:,}", rate, p_value(o.p_value))


def _notes(o: Outcome) -> list[str]:
    notes = []
    if o.kind == "judge":
        both = o.prompts + o.unreadable
        notes.append(f"both orders agree on {o.agreed:,} of {both:,}")
        if o.unreadable:
            notes.append(f"unreadable verdicts: {o.unreadable:,}")
    if o.both_bad:
        notes.append(f"both bad: {o.both_bad:,}")
    if o.missing:
        notes.append(f"not judged yet: {o.missing:,}")
    return [*notes, _bias("the first answer", o.first), _bias("the longer answer", o.longer)]


def _bias(what: str, share: Share) -> str:
    return f"{what} wins {percent(share.interval)} of {share.n:,}" if share.interval else f"{what}: no verdict"
