"""Commands on datasets: export a run for trainers, and check files that already exist."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from selfinstruct.cli.options import ExportFormat, Json, RunFolder
from selfinstruct.cli.printing import measure_diversity, print_diversity
from selfinstruct.terminal import n_of
from selfinstruct.untrusted import say, to_json, visible


def export(
    run: RunFolder,
    format: Annotated[ExportFormat, typer.Option(help="Format of the rows.")],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File to write. Default: in RUN, named after the format.")
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Also write a dataset card, README.md, next to the file.")
    ] = False,
    push: Annotated[
        str | None,
        typer.Option(metavar="NAME/REPO", help="Upload file and card to the Hugging Face Hub as a private dataset."),
    ] = None,
) -> None:
    """Write the records in a format that trainers read.

    Decisions made in the audit are applied, and records.jsonl is written again.

    Examples:
    selfinstruct export outputs/first --format messages --card
    selfinstruct export outputs/first --format parquet --output data.parquet
    """
    from selfinstruct.export.export import export as write
    from selfinstruct.export.export import place, write_records
    from selfinstruct.store.annotations import read_grown

    if push:
        from selfinstruct.export.hub import check_push

        token = check_push(push)
        card = True
    with read_grown(run) as store, store.snapshot():
        if card:
            from selfinstruct.export.card import card_path

            card_path(place(store, format, output))  # before anything is written
        path, rows = write(store, format, output)
        if output and not os.access(run, os.W_OK):
            say(f"{run} cannot be written, so records.jsonl in it stays as it was.")
        else:
            write_records(store)
        if rows or card:
            varied = measure_diversity(store)
        if card:  # written before anything is printed, as a pipe such as `| head` may be closed by then
            from selfinstruct.export.card import write_card

            readme = write_card(store, format, path, rows, varied)
        say(f"{n_of(rows, 'row')} in {path}")
        if rows:
            print_diversity(varied)
        if card:
            say(f"Card: {readme}. Choose a license in it.")
    if push:
        from selfinstruct.export.hub import push as send

        say(f"Pushed to {send([path, readme], push, token)}")


def overlap(
    dataset: Annotated[
        Path, typer.Argument(metavar="A", help="Dataset in any common format, such as Alpaca or Parquet, or .txt.")
    ],
    test_set: Annotated[Path, typer.Argument(metavar="B", help="Test set: .txt, .jsonl or .json.")],
    json: Json = False,
) -> None:
    """List the rows of A that overlap a test set B. Exit code 1 if any do.

    A row overlaps a question of B if they share 13 consecutive words, if the row contains all of a question of 8 to 12
    words, or if its own question is similar (ROUGE-L).

    Examples:
    selfinstruct overlap outputs/first/records.jsonl test_set.jsonl
    """
    from selfinstruct.pool.contamination import overlaps, render
    from selfinstruct.rows.files import of_run
    from selfinstruct.rows.questions import read_lines, read_pairs

    lines = read_lines(test_set)
    found = overlaps(read_pairs(of_run(dataset)), lines)
    print(to_json(found.as_dict()) if json else visible(render(found)))
    if found.found:
        sys.exit(1)


def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="JSON list, JSON Lines or Parquet, in any common format; or a run.")
    ],
    level: Annotated[
        Literal["error", "warning", "advice"], typer.Option(help="Lowest level of finding that gives exit code 1.")
    ] = "error",
    fix: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write a cleaned copy to OUT, and what changed and why to OUT.removed.jsonl."),
    ] = None,
    json: Json = False,
) -> None:
    """Report problems in an instruction dataset. Exit code 1 if any reach --level.

    Examples:
    selfinstruct check data.jsonl
    selfinstruct check data.jsonl --fix cleaned.jsonl
    """
    from selfinstruct.checks import checking, fixing, report
    from selfinstruct.rows.files import of_run

    if fix:
        fixing.refuse_existing(fix)
    found = checking.check(of_run(file))
    fixed = fixing.fix(found, fix) if fix else None
    if json:
        for finding in found.findings:
            print(to_json(finding.as_dict(found.file.unit)))
        print(to_json({"summary": {**found.summary(), **({"fixed": fixed.as_dict()} if fixed else {})}}))
    else:
        say(report.render(found, fixed))
    if found.worst(level):
        sys.exit(1)


def check_seeds(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL file of seed tasks.")], json: Json = False
) -> None:
    """Report problems in a seed file, and what would improve it. Exit code 1 if there is more than advice.

    Examples:
    selfinstruct seeds check my_seeds.jsonl
    """
    from selfinstruct.checks.seeds import check_seeds as check

    summary, findings = check(file)
    for level, line, message in findings:
        where = f"{file}, line {line}" if line else str(file)
        row = {"level": level, "line": line, "message": message}
        print(to_json(row) if json else visible(f"{where}: {level}: {message}"))
    if not json:
        say(f"{file}: {summary}. " + (f"Findings: {len(findings)}." if findings else "No problems found."))
    if any(finding.level != "advice" for finding in findings):
        sys.exit(1)


def select(  # noqa: PLR0917 - typer reads the options from here
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rows: JSON, JSON Lines, CSV, Parquet, or a RUN.")],
    output: Annotated[Path, typer.Option(metavar="OUT", help="JSON Lines file to write.")],
    keep: Annotated[int | None, typer.Option(metavar="N", min=1, help="How many rows to keep, at most.")] = None,
    at_least: Annotated[float | None, typer.Option(metavar="X", help="Keep only rows with this score or more.")] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="|".join(("score", "least", "diverse", "coverage", "random")),
            help="Highest score; lowest score; highest score without similar texts; texts that cover the rest; random.",
        ),
    ] = "score",
    column: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of numbers. Default: score, or confidence.")
    ] = "",
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Random seed, for --by random.")] = 0,
) -> None:
    """Select rows by a score, by diversity, or at random.

    The report compares the selection with random ones of the same size, and says how much of a score is length.

    Examples:
    selfinstruct select scored.jsonl --at-least 4.5 --output good.jsonl
    selfinstruct select data.jsonl --by coverage --keep 500 --output few.jsonl
    """
    from selfinstruct.runs import selecting

    found = selecting.select(file, by, keep, column, seed=seed, at_least=at_least)
    selecting.write(found, output)
    say(f"{selecting.render(found)}\nRows: {output}")
