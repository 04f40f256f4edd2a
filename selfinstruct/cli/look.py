"""Commands that show what is in a run, and change nothing (but for a person who decides in the audit)."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from selfinstruct.cli.options import Json, RunFolder
from selfinstruct.cli.printing import measure_diversity, print_diversity, to_json
from selfinstruct.errors import UsageError
from selfinstruct.untrusted import visible


def status(
    run: RunFolder,
    diversity: Annotated[
        bool, typer.Option("--diversity", help="Also how varied the tasks are: seconds for 50,000.")
    ] = False,
    json: Json = False,
) -> None:
    """Show what RUN holds, also while it is growing."""
    from selfinstruct.report.status import render
    from selfinstruct.report.status import status as count
    from selfinstruct.store.store import Store

    with Store.read(run) as store:
        found = count(store)
        varied = measure_diversity(store) if diversity else None
    if json:
        print(to_json({**found.as_dict(), **({"diversity": varied.as_dict()} if varied else {})}))
        return
    print(render(found, str(run)))
    if varied:
        print_diversity(varied)


def report(
    run: RunFolder,
    output: Annotated[Path | None, typer.Option(help="The page to write; without it, RUN/report.html.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object instead.")] = False,
) -> None:
    """Write RUN as one HTML page: what came in, what was rejected and why, how varied it is, what it cost."""
    if output and json:
        raise UsageError("--json prints the figures and writes no page: leave --output out, and use > FILE.")
    from selfinstruct.report.figures import figures
    from selfinstruct.report.page import write_page
    from selfinstruct.store.store import Store

    with Store.read(run) as store:
        found = figures(store)
        print(to_json(found.as_dict()) if json else write_page(store, found, output))


def verify(run: RunFolder) -> None:
    """Recompute every id, count and score in RUN, and say what does not hold. Exit code 1 where something does not."""
    from selfinstruct.store.store import Store
    from selfinstruct.store.verify import verify as check

    with Store.read(run) as store:
        problems = check(store)
    for problem in problems[:50]:
        print(problem)
    if problems:
        print(f"{run}: {len(problems)} problems.")
        sys.exit(1)
    print(f"{run}: everything holds.")


def tasks(
    run: RunFolder,
    similar: Annotated[
        bool, typer.Option("--similar", help="With --json: the ten most similar instructions, and the mean similarity.")
    ] = False,
    json: Json = False,
) -> None:
    """List the admitted tasks in order."""
    if similar and not json:
        raise UsageError("--similar goes with --json.")
    from selfinstruct.store.listing import describe_task
    from selfinstruct.store.listing import tasks as rows
    from selfinstruct.store.store import Store

    with Store.read(run) as store:
        for row in rows(store, similar):
            print(to_json(row) if json else visible(describe_task(row)))


def rejected(
    run: RunFolder,
    stage: Annotated[str | None, typer.Option(help="propose, filter, novelty, classify or instances.")] = None,
    reason: Annotated[str | None, typer.Option(help="Such as too_similar.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    json: Json = False,
) -> None:
    """List what was rejected, with the reason and the evidence."""
    from selfinstruct.store.listing import describe_rejection, refuse_absent
    from selfinstruct.store.listing import rejected as rows
    from selfinstruct.store.store import Store

    with Store.read(run) as store:
        refuse_absent(store, stage, reason)
        for row in rows(store, stage, reason, limit):
            print(to_json(row) if json else visible(describe_rejection(row)))


def audit(
    run: RunFolder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on loopback; 0 takes any free one.")] = 0,
) -> None:
    """Look through RUN in a browser, also while it is growing: what was rejected and why; rescue, ban, edit, tag it."""
    import asyncio

    from selfinstruct.audit.server import serve

    asyncio.run(serve(run, port))
