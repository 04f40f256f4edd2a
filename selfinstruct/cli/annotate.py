"""The command that asks teachers about rows of a file."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selfinstruct.annotation import MOST_SAMPLES, STAGE
from selfinstruct.cli.consent import teachers_in_words, with_consent
from selfinstruct.cli.options import (
    BaseUrl,
    Batch,
    Concurrency,
    Config,
    MaxCost,
    MaxRequests,
    MaxTokens,
    RunFolder,
    Seed,
    SendKeys,
    Teacher,
)
from selfinstruct.errors import BudgetReached, TeacherError, UsageError
from selfinstruct.labels import ACTIVE
from selfinstruct.untrusted import say

if TYPE_CHECKING:
    from selfinstruct.runs.annotating import Annotation


def annotate(  # noqa: PLR0917 - typer reads the options from here
    run: RunFolder,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Rows to ask about: CSV, JSON, JSON Lines, Parquet, or a run."),
    ] = None,
    task: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file with the question about each row.")
    ] = None,
    id: Annotated[str, typer.Option(metavar="COLUMN", help="Column of row ids. Default: the row number.")] = "",
    gold: Annotated[
        str,
        typer.Option(metavar="COLUMN", help="Column of right answers, where they are known. Never shown to a model."),
    ] = "",
    samples: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=MOST_SAMPLES, help="Answers of each model for each row. Default: 1."),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Ask about some rows only: in N rounds, those that a small model is least sure of."
        ),
    ] = None,
    each: Annotated[int, typer.Option(metavar="N", min=1, help="Rows in each round.")] = 50,
    select: Annotated[str, typer.Option(metavar="|".join(ACTIVE), help="How the rows of a round are chosen.")] = ACTIVE[
        0
    ],
    teacher: Teacher = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Model to ask about every row. Repeat it to ask several.")
    ] = None,
    base_url: BaseUrl = None,
    config: Config = None,
    concurrency: Concurrency = None,
    seed: Seed = None,
    batch: Batch = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask about the first 20 rows only, and estimate the cost of all.")
    ] = False,
    max_cost: MaxCost = None,
    max_requests: MaxRequests = None,
    max_tokens: MaxTokens = None,
    send_keys: SendKeys = False,
) -> None:
    """Ask one or more models about each row of a file.

    Each model gives a label, a score, a preference or an answer: its vote. Without --from and --task, the run is
    resumed. To make one label of the votes, use selfinstruct combine.

    Examples:
    selfinstruct annotate outputs/mail --from mail.csv --task spam.toml
    selfinstruct annotate outputs/mail
    """
    from selfinstruct.runs.annotating import open_annotation
    from selfinstruct.runs.given import Rounds, read_given
    from selfinstruct.settings import did_you_mean

    if select not in ACTIVE:
        raise UsageError(f"There is no selection {select!r}; {did_you_mean(select, ACTIVE)}")
    in_rounds = Rounds(rounds, each, select) if rounds else None
    given = read_given(run, task, source, id=id, gold=gold, samples=samples, rounds=in_rounds)
    servers = base_url[0] if base_url and len(base_url) == 1 else base_url or None
    one = model[0] if model and len(model) == 1 else None
    asked: dict[str, dict[str, Any]] = {
        "teacher": {"kind": teacher or ("openai" if model or servers else None), "model": one, "base_url": servers},
        "running": {
            "concurrency": concurrency, "max_cost": max_cost, "max_requests": max_requests, "max_tokens": max_tokens,
            "batch": batch,
        },
        STAGE: {"mix": [{"model": name} for name in model] if model and len(model) > 1 else None},
    }  # fmt: skip
    named = {table: {k: v for k, v in values.items() if v is not None} for table, values in asked.items()}
    flags: dict[str, Any] = {table: values for table, values in named.items() if values}
    flags |= {} if seed is None else {"seed": seed}
    opened = with_consent(lambda: open_annotation(run, given, config, flags), send_keys)
    with opened.run.store:
        teachers = teachers_in_words(opened.run.config, ", ")
        say(f"{'Started' if opened.run.is_new else 'Resuming'} {run}. Asked: {teachers}")
        if opened.outdated:
            say(
                f"Rows that were changed or removed: {opened.outdated:,}. Their votes no longer count, nor do "
                "true answers given about them in the audit."
            )
        if opened.run.kept:
            say(opened.run.kept)
        _ask(run, opened, dry_run)


def _ask(folder: Path, opened: "Annotation", dry_run: bool) -> None:
    """Ask until every row has its votes, and print the status; exit code 130 if it was stopped before."""
    import asyncio

    from selfinstruct.report.annotations import annotation_status, render
    from selfinstruct.runs.annotating import annotate as ask
    from selfinstruct.runs.annotating import estimate

    store = opened.run.store
    try:
        finished = asyncio.run(ask(opened, dry_run))
    except (asyncio.CancelledError, KeyboardInterrupt):
        finished = False
    except (BudgetReached, TeacherError):
        say(render(annotation_status(store), str(folder)))
        raise
    say(render(annotation_status(store), str(folder)))
    if dry_run and finished:
        say(estimate(opened))
        return
    say(f"Votes: {folder / 'annotations.jsonl'}\nTo combine them: selfinstruct combine {shlex.quote(str(folder))}")
    if not finished:
        say("Stopped before the end. To resume, run the same command again.")
        sys.exit(130)
