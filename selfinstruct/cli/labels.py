"""Commands on labels."""

from pathlib import Path
from typing import Annotated

import typer

from selfinstruct import labels as label_models
from selfinstruct.cli import completing
from selfinstruct.cli.options import Json
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
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Votes: CSV, JSON, JSON Lines or Parquet.")],
    columns: Names,
    id: Annotated[str, typer.Option(metavar="COLUMN", help="Column that identifies rows. Default: their number.")] = "",
    gold: Annotated[str, typer.Option(metavar="COLUMN", help="Column of true labels; it may be mostly empty.")] = "",
    labels: Annotated[
        str, typer.Option(metavar="X,Y", help="All labels; other votes count as none. Default: those in the votes.")
    ] = "",
    by: By = label_models.NAMES[0],
    confidence: Annotated[
        float, typer.Option(metavar="P", min=0, max=1, help="Reject rows whose winner is less probable than this.")
    ] = 0.0,
    json: Json = False,
) -> None:
    """Combine the votes of several voters about the same rows.

    The report says how far the voters agree, how often each is right, and whether to use the combination.

    Examples:
    selfinstruct combine votes.csv --columns gpt,qwen,llama --gold gold
    selfinstruct combine votes.csv --columns gpt,qwen --confidence 0.8 --json
    """
    from selfinstruct.labels import combining, report
    from selfinstruct.labels.votes import read_votes

    votes = read_votes(file, _names(columns), id=id, gold=gold, labels=_names(labels))
    found = combining.combine(votes, by)
    if json:
        for row in found.rows(confidence):
            print(to_json(row))
    else:
        say(f"{file}: {report.render(found, confidence)}")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
