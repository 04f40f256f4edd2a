"""Charts as inline SVG, drawn with nothing but arithmetic: columns, bars and a sunburst.

Widths are in the user units of a view box 360 wide, so that texts of 11 units can be read on a telephone and are not
huge on a desk. Colours come from the page's style sheet by class. Every text goes through `Markup.format`, which
escapes it.
"""

import math
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from selfinstruct.report.verbs import Root
from selfinstruct.untrusted import shown

WIDTH = 360.0
CENTRE = WIDTH / 2  # of the sunburst
HUES = 7  # colours of the sunburst in the style sheet, h0 ... h6


def bar(part: float, kind: str = "good") -> Markup:
    """A bar as wide as its surroundings, of which `part` (0 to 1) is filled."""
    return Markup(
        '<svg class="bar" aria-hidden="true"><rect class="rest" width="100%" height="100%" rx="3"/>'
        '<rect class="{}" width="{:.2f}%" height="100%" rx="3"/></svg>'
    ).format(kind, 100 * part)


def columns(
    values: Sequence[float],
    above: Sequence[str],
    below: Sequence[str],
    label: str,
    *,
    top: float | None = None,
    kind: str = "good",
    line: tuple[float, str] | None = None,
) -> Markup:
    """Columns over an axis, from 0 to the greatest value, or to `top`, which is shown behind them.

    `above` has a text for each column. So has `below`, or one more: then its texts stand at the columns' edges. `line`
    is an upright mark: its place in columns from the left, and its text. `label` says it all to who cannot see it.
    """
    left, right, floor, height = 10.0, WIDTH - 10, 142.0, 112.0
    step = (right - left) / max(len(values), 1)
    highest = top or max(values, default=0) or 1
    parts = [Markup('<line class="axis" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(left, floor, right, floor)]
    for i, (value, text) in enumerate(zip(values, above, strict=True)):
        x, tall = left + i * step, height * min(value / highest, 1)
        if top:
            parts.append(_column("rest", x, step, floor, height))
        if value > 0:
            parts.append(_column(kind, x, step, floor, tall := max(tall, 1.0)))
        parts.append(_text(x + step / 2, floor - (height if top else tall) - 4, text))
    shift = 0.0 if len(below) > len(values) else step / 2
    parts += [_text(left + i * step + shift, floor + 14, text, "tick") for i, text in enumerate(below)]
    if line:
        x = left + line[0] * step
        parts.append(Markup('<line class="mark" x1="{0:.1f}" y1="14" x2="{0:.1f}" y2="{1}"/>').format(x, floor))
        parts.append(_text(x, 10, line[1], "tick"))
    return _svg(parts, 162, label)


def sunburst(roots: Sequence[Root], label: str) -> Markup:
    """Verbs as an inner ring, the objects of each outside of it; arcs are as long as they are frequent.

    What is too thin for a text has none: the table beside it has all of them.
    """
    inner, middle, outer = 44.0, 108.0, 176.0
    whole = sum(root.tasks for root in roots) or 1
    parts: list[Markup] = []
    begin = 0.0
    for i, root in enumerate(roots):
        end = begin + root.tasks / whole
        parts.append(_sector(inner, middle, begin, end, f"h{i % HUES} verb"))
        parts.append(_along((inner + middle) / 2, begin, end, root.verb, 62))
        at = begin
        for noun, n in root.objects:
            to = at + n / whole
            parts.append(_sector(middle, outer, at, to, f"h{i % HUES} noun"))
            parts.append(_along((middle + outer) / 2, at, to, noun, 64))
            at = to
        if root.objects and at < end:
            parts.append(_sector(middle, outer, at, end, f"h{i % HUES} other"))
        begin = end
    return _svg(parts, 360, label, "round")


def _svg(parts: Iterable[Markup], height: float, label: str, kind: str = "flat") -> Markup:
    head = Markup('<svg class="{}" viewBox="0 0 {:g} {:g}" role="img" aria-label="{}">').format(
        kind, WIDTH, height, label
    )
    return head + Markup("").join(parts) + Markup("</svg>")


def _column(kind: str, x: float, step: float, floor: float, tall: float) -> Markup:
    return Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1"/>').format(
        kind, x + step * 0.07, floor - tall, step * 0.86, tall
    )


def _text(x: float, y: float, text: str, kind: str = "value") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>').format(kind, x, y, text) if text else Markup("")


def _point(radius: float, turn: float) -> str:
    """A point of a circle; `turn` runs from 0, the top, clockwise to 1."""
    angle = 2 * math.pi * turn
    return f"{CENTRE + radius * math.sin(angle):.1f} {CENTRE - radius * math.cos(angle):.1f}"


def _sector(near: float, far: float, begin: float, end: float, kind: str) -> Markup:
    end = min(end, begin + 0.9999)  # an arc from a point to itself is none
    large = int(end - begin > 0.5)
    path = (
        f"M{_point(near, begin)}L{_point(far, begin)}"
        f"A{far:g} {far:g} 0 {large} 1 {_point(far, end)}L{_point(near, end)}"
        f"A{near:g} {near:g} 0 {large} 0 {_point(near, begin)}Z"
    )
    return Markup('<path class="{}" d="{}"/>').format(kind, path)


def _along(radius: float, begin: float, end: float, text: str, room: float) -> Markup:
    """A text along the radius in the middle of a sector, read from the left; none where the sector is too thin."""
    if (end - begin) * 2 * math.pi * radius < 11:
        return Markup("")
    turn = (begin + end) / 2
    most = int(room / 5.4)
    short = text if len(text) <= most else text[: most - 1] + "…"
    x, y = _point(radius, turn).split()
    rotated = 360 * turn - 90 if turn < 0.5 else 360 * turn + 90
    return Markup('<text class="spoke" transform="translate({} {}) rotate({:.1f})">{}</text>').format(
        x, y, rotated, shown(short, "{}")
    )
