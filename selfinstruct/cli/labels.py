"""Commands on labels."""

from pathlib import Path
from typing import Annotated

import typer

from selfinstruct import labels as label_models
from selfinstruct.cli import completing
from selfinstruct.cli.options import Json, RunFolder
from selfinstruct.errors import UsageError
from selfinstruct.untrusted import say, to_json

Names = Annotated[str, typer.Option(metavar="A,B,C", help="Columns of votes, one for each voter, separated by commas.")]
By = Annotated[
    str,
    typer.Option(
        metavar=f"{'|'.join(label_models.NAMES)}|FILE.py:NAME",
        help="Label model: a confusion matrix for each voter, or its chance to guess, both found without gold labels; "
        "equal votes; votes weighted by accuracy on gold rows; or your own function.",
        autocompletion=completing.label_models,
    ),
]


def combine(  # noqa: PLR0917 - typer reads the options from here
    votes: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|FILE", help="Folder of a run of annotate, or a file of votes: CSV, JSON, JSON Lines, Parquet."
        ),
    ],
    columns: Names = "",
    id: Annotated[str, typer.Option(metavar="COLUMN", help="Column that identifies rows. Default: their number.")] = "",
    gold: Annotated[str, typer.Option(metavar="COLUMN", help="Column of true labels; it may be mostly empty.")] = "",
    labels: Annotated[
        str, typer.Option(metavar="X,Y", help="All labels; other votes count as none. Default: those in the votes.")
    ] = "",
    by: By = "",
    confidence: Annotated[
        float, typer.Option(metavar="P", min=0, max=1, help="Reject rows whose winner is less probable than this.")
    ] = 0.0,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON Lines of rows that a student learns; of a RUN only.")
    ] = None,
    json: Json = False,
) -> None:
    """Combine the votes of several voters about the same rows.

    The report says how far the voters agree, how often each is right, and whether to use the combination.

    Examples:
    selfinstruct combine outputs/mail --output mail-labeled.jsonl
    selfinstruct combine votes.csv --columns gpt,qwen,llama --gold gold
    """
    if votes.is_dir():
        if given := [
            name for name, value in {"columns": columns, "id": id, "gold": gold, "labels": labels}.items() if value
        ]:
            raise UsageError(f"--{given[0]} is for a file of votes. The run in {votes} knows its own. Leave it out.")
        _combine_run(votes, by, confidence, output, json)
        return
    if not votes.exists():
        raise UsageError(f"{votes}: no such file, and no folder of a run.")
    from selfinstruct.labels import combining, report
    from selfinstruct.labels.votes import read_votes

    if output:
        raise UsageError("--output needs a run of annotate, which knows the texts. With --json, the rows are printed.")
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


def _combine_run(folder: Path, by: str, confidence: float, output: Path | None, json: bool) -> None:
    from selfinstruct.runs.votes import combine_run, write_training_rows

    found = combine_run(folder, by)
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
        Path | None, typer.Option(metavar="FILE", help="Rows checked by hand: id, and gold where it was filled in.")
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV to write, with rows to be checked by hand.")
    ] = None,
    each: Annotated[
        int, typer.Option(metavar="N", min=1, help="Rows to draw of those that agree, and of the others.")
    ] = 50,
    json: Json = False,
) -> None:
    """Find labels that may be wrong, by a small model's opinion.

    It predicts each row's label from the other rows. The most doubtful rows come first. Rows checked by hand turn the
    disagreement into an error rate.

    Examples:
    selfinstruct disagreement outputs/mail --draw check.csv
    selfinstruct disagreement outputs/mail --checked check.csv
    """
    from selfinstruct.runs import disagreement as second

    found = second.disagreement(run, checked)
    if json:
        for row in found.rows():
            print(to_json(row))
    else:
        say(second.render(found))
    if draw:
        n = second.draw(found, draw, each)
        if not json:
            say(f"{n:,} rows to check by hand: fill in the column gold of {draw}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
