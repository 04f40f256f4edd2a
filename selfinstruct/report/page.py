"""The figures as one HTML page: `page.html`, with the pictures drawn for it."""

from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from selfinstruct.records import IMPORTED
from selfinstruct.report.charts import bar, columns, sunburst
from selfinstruct.report.figures import LENGTHS, Block, Figures, Lengths
from selfinstruct.report.status import cost, describe_values
from selfinstruct.rows.writing import whole_file
from selfinstruct.store.answers import Usage
from selfinstruct.store.store import Store
from selfinstruct.web.page import environment


class Spent(NamedTuple):
    """What all calls cost, in words; `partly` where the price of some is not known."""

    known: str
    partly: bool


def write_page(store: Store, found: Figures, output: Path | None) -> Path:
    """Write the page, RUN/report.html where no `output` is named, and give its path; UsageError if it cannot be."""
    path = output or store.folder / "report.html"
    with whole_file(path) as part:
        part.write_text(html(found), encoding="utf-8")
    return path


def html(found: Figures) -> str:
    """The page."""
    templates = environment("selfinstruct.report")
    templates.filters["share"] = _share
    templates.filters["described"] = describe_values
    asked = {usage.stage for usage in found.status.usage}
    return templates.get_template("page.html").render(
        f=found, s=found.status, bar=bar,
        counted=[(one, stage in asked) for stage, one in found.status.declared.counted.items()],
        lowest=min((block for block in found.acceptance if block.judged), key=_accepted, default=None),
        cost=_cost, spent=_spent(found.status.usage),
        tokens=sum(u.prompt_tokens + u.completion_tokens for u in found.status.usage), pictures=_pictures(found),
    )  # fmt: skip


def _share(part: float, of: float) -> str:
    return f"{part / of:.1%}" if of else "none"


def _cost(usage: Usage) -> str:
    return "recorded elsewhere" if usage.model == IMPORTED else cost(usage)


def _spent(usage: list[Usage]) -> Spent:
    priced = [u.cost_usd for u in usage if u.cost_usd is not None]
    words = sorted({_cost(u) for u in usage if u.cost_usd is None})
    if not priced:
        return Spent(", ".join(words) or "nothing yet", False)
    return Spent(f"${sum(priced):,.2f}", words not in ([], ["free"]))


def _pictures(found: Figures) -> dict[str, Any]:
    """The charts by name; None if there is nothing to draw."""
    novelty = None
    if sum(found.novelty):
        novelty = _tenths(found.novelty, "ROUGE-L F1 with the nearest known instruction", found.threshold)
    seeds = found.diversity.to_seeds
    lengths = {name: _columns_of_lengths(name, lengths) for name, lengths in found.lengths.items()}
    return {
        "acceptance": _acceptance(found) if found.acceptance else None,
        "novelty": novelty,
        "seeds": _tenths(seeds.tenths, "ROUGE-L F1 with the nearest seed", None) if seeds else None,
        "verbs": sunburst(found.verbs.roots, "Root verbs and their objects, also listed in the table next to it")
        if found.verbs.roots else None,
        **lengths,
    }  # fmt: skip


def _tenths(counts: list[int], what: str, threshold: float | None) -> Markup:
    total = sum(counts)
    shares = [n / total for n in counts]
    above = [f"{share:.0%}" if share >= 0.005 else ("<1%" if share else "") for share in shares]
    below = [f"{k / 10:g}" for k in range(11)]
    said = ", ".join(f"from {k / 10:g}: {share:.1%}" for k, share in enumerate(shares))
    line = (threshold * 10, f"limit {threshold:g}") if threshold is not None else None
    return columns(shares, above, below, f"{what}, share of tasks {said}", line=line)


def _accepted(block: Block) -> float:
    return block.admitted / block.judged if block.judged else 0.0


def _acceptance(found: Figures) -> Markup:
    shares = [_accepted(block) for block in found.acceptance]
    last = len(shares) - 1
    above = [f"{share:.0%}" if i in (0, last) or last < 10 else "" for i, share in enumerate(shares)]
    below = [f"{b.first:,}" if i in (0, last // 2, last) or last < 6 else "" for i, b in enumerate(found.acceptance)]
    said = ", ".join(f"{b.first} to {b.last}: {share:.0%}" for b, share in zip(found.acceptance, shares, strict=True))
    return columns(shares, above, below, f"Share of candidates admitted, by steps {said}", top=1.0)


def _columns_of_lengths(name: str, lengths: Lengths) -> Markup | None:
    texts = sum(lengths.bins)
    if not texts:
        return None
    below = ["1", *(f"–{end}" for end in LENGTHS[1:]), f">{LENGTHS[-1]}"]
    shares = [n / texts for n in lengths.bins]
    above = [f"{share:.0%}" if share >= 0.005 else ("<1%" if share else "") for share in shares]
    said = ", ".join(f"{end.strip('–')} words: {share:.1%}" for end, share in zip(below, shares, strict=True))
    return columns(shares, above, below, f"Lengths of {name}s, up to {said}")
