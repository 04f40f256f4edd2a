"""Commands about datasets: a run's records written for trainers, and a look at files that are there already."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from selfinstruct.cli.options import ExportFormat, Json, RunFolder
from selfinstruct.cli.printing import measure_diversity, print_diversity, to_json
from selfinstruct.untrusted import visible


def export(
    run: RunFolder,
    format: Annotated[ExportFormat, typer.Option(help="What the rows look like.")],
    output: Annotated[Path | None, typer.Option(help="The file to write; without it, one in RUN.")] = None,
    card: Annotated[bool, typer.Option("--card", help="Also write a dataset card, README.md, beside it.")] = False,
    push: Annotated[
        str | None,
        typer.Option(metavar="NAME/REPO", help="Send file and card to the Hugging Face hub, as a private dataset."),
    ] = None,
) -> None:
    """Write RUN's records, with what was decided about them, in a format that trainers read; and records.jsonl anew."""
    from selfinstruct.export.export import export as write
    from selfinstruct.export.export import place, write_records
    from selfinstruct.store.store import Store

    if push:
        from selfinstruct.export.hub import check_push

        token = check_push(push)
        card = True
    with Store.read(run) as store, store.snapshot():
        if card:
            from selfinstruct.export.card import card_path

            card_path(place(store, format, output))  # before anything is written
        path, rows = write(store, format, output)
        write_records(store)
        print(f"{rows:,} rows in {path}", flush=True)
        if rows or card:
            varied = measure_diversity(store)
        if rows:
            print_diversity(varied)
        if card:
            from selfinstruct.export.card import write_card

            readme = write_card(store, format, path, rows, varied)
            print(f"Its card: {readme}. Choose a license there.", flush=True)
    if push:
        from selfinstruct.export.hub import push as send

        print(f"Pushed to {send([path, readme], push, token)}")


def overlap(
    dataset: Annotated[Path, typer.Argument(metavar="A", help="A dataset: records.jsonl, Alpaca, messages, text ...")],
    test_set: Annotated[Path, typer.Argument(metavar="B", help="A test set: .txt, .jsonl or .json.")],
    json: Json = False,
) -> None:
    """Say which rows of A overlap a question of B: by a run of 13 words, or by ROUGE-L. Exit code 1 where one does."""
    from selfinstruct.pool.contamination import overlaps, render
    from selfinstruct.rows.questions import read_lines, read_pairs

    lines = read_lines(test_set)
    found = overlaps(read_pairs(dataset), lines)
    print(to_json(found.as_dict()) if json else visible(render(found)))
    if found.found:
        sys.exit(1)


def check(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A JSON list, JSON Lines or Parquet, of any common format.")
    ],
    level: Annotated[
        Literal["error", "warning", "advice"], typer.Option(help="Exit code 1 from which level of findings on.")
    ] = "error",
    fix: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Write a cleaned copy, and OUT.removed.jsonl: what went or changed, and why."),
    ] = None,
    json: Json = False,
) -> None:
    """Say what is wrong with the rows of an instruction dataset. Exit code 1 where it is as bad as --level."""
    from selfinstruct.checks import checking, fixing, report
    from selfinstruct.rows.files import to_line

    if fix:
        fixing.refuse_existing(fix)
    found = checking.check(file)
    fixed = fixing.fix(found, fix) if fix else None
    if json:
        for finding in found.findings:
            print(to_line(finding.as_dict(found.file.unit)))
        print(to_line({"summary": {**found.summary(), **({"fixed": fixed.as_dict()} if fixed else {})}}))
    else:
        print(visible(report.render(found, fixed)))
    if found.worst(level):
        sys.exit(1)


def check_seeds(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file of seed tasks.")], json: Json = False
) -> None:
    """Say what is wrong with a file of seed tasks, and what would make it better. Exit code 1 but for mere advice."""
    from selfinstruct.checks.seeds import check_seeds as check

    summary, findings = check(file)
    for level, line, message in findings:
        where = f"{file}, line {line}" if line else str(file)
        row = {"level": level, "line": line, "message": message}
        print(to_json(row) if json else visible(f"{where}: {level}: {message}"))
    if not json:
        print(f"{file}: {summary}. " + (f"Findings: {len(findings)}." if findings else "Nothing to find fault with."))
    if any(finding.level != "advice" for finding in findings):
        sys.exit(1)
