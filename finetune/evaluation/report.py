"""An evaluation as text for people, in columns."""

import math
from collections.abc import Callable, Sequence

from finetune.evaluation.evaluate import Evaluation, Trained
from finetune.evaluation.judging import Figure
from finetune.evaluation.statistics import Interval
from selfinstruct.terminal import n_of

Spelled = Callable[[float], str]


def render(found: Evaluation, trained: Trained | None) -> str:
    """The figures as a table: the student, the model before it, the difference, and tasks better and worse."""
    blocks = []
    if found.rows:
        lines = [
            f"{found.student} on {n_of(found.rows, 'held-out dialogue')} of {n_of(found.tasks, 'task')}; "
            f"greedy answers of at most {n_of(found.max_tokens, 'token')}"
            + (f"; before: {found.before}" if found.before else ""),
            *_table(found.figures, found.before),
            f"  the references: {found.references['tokens']:.1f} tokens, {found.references['words']:.1f} words; "
            f"{found.references['loops']:.1%} repeat in a loop",
        ]
        if found.left_out:
            lines.append(f"  {n_of(found.left_out, 'dialogue')} without a loss: longer than the model's context")
        if found.before and any(figure.before and not figure.difference for figure in found.figures):
            lines.append("  some differences are left out: the two models use different tokenizers")
        blocks.append(lines)
    if found.families:
        counts = ", ".join(f"{number:,} {grade}" for grade, number in found.grades.items())
        blocks.append(
            [
                f"tasks of the simulated world: {counts}; right by family",
                *_table(found.families, found.before, in_short=True),
            ]
        )
    if found.prompts:
        blocks.append([f"{n_of(found.prompts, 'prompt')} with constraints", *_table(found.constraints, found.before)])
        blocks.append(["followed strictly, by kind", *_table(found.kinds, found.before, in_short=True)])
    if trained and (warning := _warning(trained, found.rows)):
        blocks.append([warning])
    blocks.append([
        "[from, to]: 95% bootstrap interval over tasks, none if all tasks have the same value; p: sign test over tasks",
        f"All answers: {found.answers}",
    ])  # fmt: skip
    return "\n\n".join("\n".join(lines) for lines in blocks)


def _table(figures: Sequence[Figure], before: str | None, in_short: bool = False) -> list[str]:
    """The figures in columns; `in_short`: without differences, for which there are too few rows."""
    rows = [["", "rows", "student"]]
    if before:
        rows[0] += ["before"] if in_short else ["before", "difference", "tasks better, worse, p"]
    for figure in figures:
        rows.append(_row(figure)[: len(rows[0])])
        if figure.name == "loss":
            sides = (_exp(side) if side else None for side in (figure.after, figure.before))
            rows.append(["  as perplexity", "", *(_cell(side, "{:.2f}".format) for side in sides)])
    widths = [max(len(row[place]) for row in rows if place < len(row)) for place in range(len(rows[0]))]
    return [
        ("  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))).rstrip()
        for row in rows
    ]


def _row(figure: Figure) -> list[str]:
    spelled = _spelling(figure)
    row = [figure.says, f"{figure.rows:,}", _cell(figure.after, spelled), _cell(figure.before, spelled)]
    if figure.difference == (0, 0, 0):
        return [*row, "none"]
    row.append(_cell(figure.difference, lambda value: ("+" if value >= 0 else "") + spelled(value)))
    if figure.p is not None:
        p = "p < 0.001" if figure.p < 0.001 else f"p = {figure.p:.3f}"
        row.append(f"{figure.wins:,}, {figure.losses:,}, {p}")
    return row


def _spelling(figure: Figure) -> Spelled:
    if figure.is_share:
        return "{:.1%}".format
    return "{:.1f}".format if figure.name in ("tokens", "words") else "{:.3f}".format


def _cell(interval: Interval | None, spelled: Spelled) -> str:
    if not interval:
        return ""
    bounds = f" [{spelled(interval.low)}, {spelled(interval.high)}]" if interval.has_width else ""
    return spelled(interval.value) + bounds


def _exp(loss: Interval) -> Interval:
    return Interval(*(math.exp(min(bound, 700)) for bound in loss))


def _warning(trained: Trained, rows: int) -> str:
    if trained.unread:
        return f"warning: the training data cannot be read, so overlap with it is unknown: {trained.unread}"
    if not trained.same + trained.alike:
        return ""
    example = " ".join(trained.example.split())
    return (
        f"warning: {trained.same:,} of {rows:,} questions are among the {trained.rows:,} training rows, and "
        f"{trained.alike:,} more are similar\n  (13 consecutive words in common, or ROUGE-L F1 above 0.7), such as: "
        + (example if len(example) <= 100 else example[:97] + "...")
    )
