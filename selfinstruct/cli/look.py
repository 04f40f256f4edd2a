"""Commands that show what is in a run. Only `audit` changes it: there, people decide."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from selfinstruct.cli.options import Json, Reason, RunFolder, Stage
from selfinstruct.cli.printing import measure_diversity, print_diversity
from selfinstruct.errors import UsageError
from selfinstruct.terminal import n_of
from selfinstruct.untrusted import say, to_json, visible


def status(
    run: RunFolder,
    diversity: Annotated[
        bool,
        typer.Option(
            "--diversity", help="Also measure how varied the tasks are; takes a few seconds for 50,000 tasks."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Show counts, rejection reasons, tokens and cost. Also works while RUN is in progress.

    Examples:
    selfinstruct status outputs/first
    selfinstruct status outputs/first --diversity --json
    """
    from selfinstruct.report import annotations
    from selfinstruct.report.status import render
    from selfinstruct.report.status import status as count
    from selfinstruct.store.annotations import is_of_votes
    from selfinstruct.store.store import Store

    with Store.read(run) as store:
        if is_of_votes(store):
            votes = annotations.annotation_status(store)
            print(to_json(votes.as_dict())) if json else say(annotations.render(votes, str(run)))
            return
        found = count(store)
        varied = measure_diversity(store) if diversity else None
    if json:
        print(to_json({**found.as_dict(), **({"diversity": varied.as_dict()} if varied else {})}))
        return
    say(render(found, str(run)))
    if varied:
        print_diversity(varied)


def report(
    run: RunFolder,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Page to write. Default: RUN/report.html.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the figures as one JSON object and write no page.")
    ] = False,
) -> None:
    """Write an HTML page with charts of yield and cost.

    Examples:
    selfinstruct report outputs/first
    """
    if output and json:
        raise UsageError("--json writes no page. Drop --output, and redirect the figures to a file with >.")
    from selfinstruct.report.figures import figures
    from selfinstruct.report.page import write_page
    from selfinstruct.store.annotations import read_grown

    with read_grown(run) as store:
        found = figures(store)
        print(to_json(found.as_dict()) if json else visible(str(write_page(store, found, output))))


def verify(run: RunFolder) -> None:
    """Recompute ids, hashes and scores; parse answers again. Exit code 1 if anything differs.

    Examples:
    selfinstruct verify outputs/first
    """
    from selfinstruct.api.blocking import blocking
    from selfinstruct.runs.verify import verify as check

    found = check(run, blocking)
    problems, notes = found
    for problem in problems[:50]:
        say(problem)
    if problems:
        say(f"{run}: {n_of(len(problems), 'problem')}.")
        is_of_votes = (run / "annotations.jsonl").is_file()  # which refilter refuses
        again = f" If there is none, filter the stored answers again: selfinstruct refilter {run} NEW"
        say(f"Restore a copy of the run.{again if found.readable and not is_of_votes else ''}", file=sys.stderr)
        sys.exit(1)
    say(f"{run}: no problems.")
    for note in notes:
        say(f"Note: {note}", file=sys.stderr)


def tasks(
    run: RunFolder,
    similar: Annotated[
        bool,
        typer.Option("--similar", help="With --json: add the ten most similar instructions and the mean similarity."),
    ] = False,
    json: Json = False,
) -> None:
    """List the admitted tasks in order.

    Examples:
    selfinstruct tasks outputs/first
    selfinstruct tasks outputs/first --json --similar > tasks.jsonl
    """
    if similar and not json:
        raise UsageError("--similar needs --json.")
    from selfinstruct.store.annotations import read_grown
    from selfinstruct.store.answers import counted_here
    from selfinstruct.store.listing import describe_task
    from selfinstruct.store.listing import tasks as rows

    with read_grown(run) as store:
        has_classes = any(one.field == "is_classification" for one in counted_here(store))
        for row in rows(store, similar):
            print(to_json(row) if json else visible(describe_task(row, has_classes)))


def rejected(
    run: RunFolder,
    stage: Stage = None,
    reason: Reason = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="List at most N rejections.")] = None,
    json: Json = False,
) -> None:
    """List what was rejected, with the reason and the evidence.

    Examples:
    selfinstruct rejected outputs/first --reason too_similar --limit 3
    selfinstruct rejected outputs/first --json > rejected.jsonl
    """
    from selfinstruct.store.listing import describe_rejection, listed_stage, refuse_absent
    from selfinstruct.store.listing import rejected as rows
    from selfinstruct.store.store import Store

    with Store.read(run) as store:
        listed = listed_stage(store, stage)
        refuse_absent(store, listed, reason)
        is_empty = True
        for row in rows(store, listed, reason, limit):
            is_empty = False
            print(to_json(row) if json else visible(describe_rejection(row)))
    if is_empty and not json:
        say("Nothing was rejected" + (f" for reason {reason}." if reason else "."))


def audit(
    run: RunFolder,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port on 127.0.0.1; 0 picks a free one.")
    ] = 0,
) -> None:
    """Review RUN in a browser: search, rescue, ban, edit, tag. Also works while RUN is in progress.

    A run of annotate has its own pages: rows, votes, and the right answers that you choose.

    Examples:
    selfinstruct audit outputs/first
    """
    import asyncio

    from selfinstruct.audit.server import serve

    asyncio.run(serve(run, port))
