"""The losses of a training as an SVG picture: of each update, smoothed, and held out."""

from collections.abc import Iterable, Sequence
from typing import Any

from markupsafe import Markup

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FLOOR = 720, 360, 56, 700, 28, 320
MOST_POINTS = 600  # per line; more than the picture has columns would only make it larger
HALF_LIFE = 0.02  # of the smoothed line, as a share of all updates

Points = Sequence[tuple[float, float]]  # step, loss

STYLE = """text{font:12px system-ui,sans-serif;fill:#555}.grid{stroke:#ddd}.line{fill:none;stroke-width:2}
.raw{stroke:#bcd;stroke-width:1}.smooth{stroke:#2563a8}.held{stroke:#c2410c}.dot{fill:#c2410c}
@media(prefers-color-scheme:dark){svg{background:#161616}text{fill:#bbb}.grid{stroke:#333}.raw{stroke:#345}
.smooth{stroke:#7ab0f0}.held{stroke:#f59e6b}.dot{fill:#f59e6b}}"""


def draw(rows: Iterable[dict[str, Any]]) -> str:
    """The picture for the lines of metrics.jsonl; empty if there is no loss among them."""
    rows = list(rows)
    train = [(row["step"], row["loss"]) for row in rows if "loss" in row]
    held = [(row["step"], row["eval_loss"]) for row in rows if "eval_loss" in row]
    last = max((step for step, _ in (*train, *held)), default=1)
    shown = sorted(loss for _, loss in train)[: max(1, int(len(train) * 0.995))] + [loss for _, loss in held]
    highest = max(shown, default=1.0) * 1.05 or 1.0

    def at(point: tuple[float, float]) -> str:
        x = LEFT + (RIGHT - LEFT) * point[0] / last
        y = FLOOR - (FLOOR - TOP) * min(point[1] / highest, 1.0)
        return f"{x:.1f},{y:.1f}"

    parts = [Markup("<style>{}</style>").format(Markup(STYLE))]
    for i in range(5):
        value, y = highest * i / 4, FLOOR - (FLOOR - TOP) * i / 4
        parts.append(Markup('<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>').format(LEFT, RIGHT, y))
        parts.append(Markup('<text x="{}" y="{:.1f}" text-anchor="end">{:.2f}</text>').format(LEFT - 8, y + 4, value))
    for i in range(5):
        x = LEFT + (RIGHT - LEFT) * i / 4
        step = Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:,.0f}</text>')
        parts.append(step.format(x, FLOOR + 18, last * i / 4))
    for kind, points in (("raw", train), ("smooth", _smoothed(train)), ("held", held)):
        path = " ".join(map(at, _thinned(points)))
        parts.append(Markup('<polyline class="line {}" points="{}"/>').format(kind, path))
    for point in held:
        across, down = at(point).split(",")
        parts.append(Markup('<circle class="dot" cx="{}" cy="{}" r="3"/>').format(across, down))
    ends = [
        f"{label} {points[-1][1]:.3f}"
        for label, points in (("training", _smoothed(train)), ("held out", held))
        if points
    ]
    parts.append(Markup('<text x="{}" y="16">loss by update: {}</text>').format(LEFT, ", ".join(ends) or "none yet"))
    head = Markup('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {} {}" role="img" aria-label="loss">')
    return str(head.format(WIDTH, HEIGHT) + Markup("").join(parts) + Markup("</svg>\n"))


def _smoothed(points: Points) -> Points:
    """An exponential moving average with a half-life of HALF_LIFE of all updates, unbiased at the start."""
    keep = 0.5 ** (1 / max(1.0, len(points) * HALF_LIFE))
    total = weight = 0.0
    smoothed = []
    for step, loss in points:
        total, weight = keep * total + loss, keep * weight + 1
        smoothed.append((step, total / weight))
    return smoothed


def _thinned(points: Points) -> Points:
    stride = -(-len(points) // MOST_POINTS) or 1
    return [*points[:-1:stride], *points[-1:]]
