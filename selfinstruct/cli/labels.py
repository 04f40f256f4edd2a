"""Commands on labels."""

from pathlib import Path
from typing import Annotated

import typer

from selfinstruct import labels as label_models
from selfinstruct.cli import completing
from selfinstruct.cli.options import Json, RunFolder
from selfinstruct.errors import UsageError
from selfinstruct.untrusted import say, to_json

Names = Annotated[
    str,
    typer.Option(
        metavar="A,B,C", help="Columns of votes in FILE, one for each voter; of a RUN, the models that count."
    ),
]
By = Annotated[
    str,
    typer.Option(
        metavar=f"{'|'.join(label_models.NAMES)}|FILE.py:NAME",
        help="Label model. dawid-skene, the default, and mace estimate the errors of each voter without gold labels. "
        "majority counts all votes the same; weighted counts them by accuracy on gold rows; or your own function.",
        autocompletion=completing.label_models,
    ),
]


def combine(  # noqa: PLR0917 - typer reads the options from here
    votes: Annotated[
        Path,
        typer.Argument(metavar="RUN|FILE", help="Run of annotate, or a file of votes: CSV, JSON, JSON Lines, Parquet."),
    ],
    columns: Names = "",
    id: Annotated[str, typer.Option(metavar="COLUMN", help="Column of row ids in FILE. Default: the row number.")] = "",
    gold: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of gold labels in FILE; may be mostly empty.")
    ] = "",
    labels: Annotated[
        str, typer.Option(metavar="X,Y", help="All labels; votes for others are ignored. Default: those that occur.")
    ] = "",
    by: By = "",
    confidence: Annotated[
        float, typer.Option(metavar="P", min=0, max=1, help="Reject rows whose winner is less probable than this.")
    ] = 0.0,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="JSON Lines file to write: training data for a student. Needs a RUN."),
    ] = None,
    json: Json = False,
) -> None:
    """Combine the votes of models or people on the same rows.

    The report says how far the voters agree, how often each is right, and whether to use the combination.

    Examples:
    selfinstruct combine outputs/mail --output mail-labeled.jsonl
    selfinstruct combine votes.csv --columns gpt,qwen,llama --gold gold
    """
    if votes.is_dir():
        if given := [name for name, value in {"id": id, "gold": gold, "labels": labels}.items() if value]:
            raise UsageError(f"--{given[0]} is for a file of votes. The run in {votes} has its own. Leave it out.")
        _combine_run(votes, _names(columns), by, confidence, output=output, json=json)
        return
    if not votes.exists():
        raise UsageError(f"{votes}: no such file, and no folder of a run.")
    from selfinstruct.labels import combining, report
    from selfinstruct.labels.votes import read_votes

    if output:
        raise UsageError("--output needs a run of annotate, which holds the texts. For a file of votes, use --json.")
    if not columns:
        raise UsageError("Name the columns of votes: --columns A,B,C")
    found = combining.combine(
        read_votes(votes, _names(columns), id=id, gold=gold, labels=_names(labels)), by or label_models.NAMES[0]
    )
    if json:
        for row in found.rows(confidence):
            print(to_json(row))
    else:
        say(f"{votes}: {report.render(found, confidence)}")


def _combine_run(
    folder: Path, voters: tuple[str, ...], by: str, confidence: float, *, output: Path | None, json: bool
) -> None:
    from selfinstruct.runs.votes import combine_run, write_training_rows

    found = combine_run(folder, by, voters)
    if confidence and found.task.ask == "score":
        raise UsageError("--confidence has no effect on scores, which have no probability. Leave it out.")
    n = write_training_rows(found, output, confidence) if output else 0
    if json:
        for row in found.result.rows(confidence):
            print(to_json(row))
        return
    say(f"{folder}: {found.render(confidence)}")
    if output:
        say(f"Rows for a student: {n:,}, in {output}")


def disagreement(
    run: RunFolder,
    checked: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File of rows checked by hand, with the columns id and gold.")
    ] = None,
    draw: Annotated[Path | None, typer.Option(metavar="FILE", help="CSV file to write: rows to check by hand.")] = None,
    each: Annotated[
        int, typer.Option(metavar="N", min=1, help="Rows to draw where model and label agree, and where they do not.")
    ] = 50,
    json: Json = False,
) -> None:
    """Find labels that may be wrong, and estimate how many are.

    A small model predicts the label of each row from the other rows. The most doubtful rows come first. Rows checked
    by hand turn the disagreement into an error rate.

    Examples:
    selfinstruct disagreement outputs/mail --draw check.csv
    selfinstruct disagreement outputs/mail --checked check.csv
    """
    from selfinstruct.runs import disagreement as second

    found = second.disagreement(run, checked)
    n_new = second.keep_checked(run, found) if checked else 0
    if json:
        for row in found.rows():
            print(to_json(row))
    else:
        say(second.render(found))
        if checked:
            say(f"True answers kept from {checked}: {n_new:,}. They count as gold in selfinstruct combine.")
    if draw:
        n = second.draw(found, draw, each)
        if not json:
            say(f"{n:,} rows to check by hand in {draw}: fill in its column gold, then pass it with --checked.")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
