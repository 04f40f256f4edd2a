"""Commands that create a run: from a teacher, from another tool's answers, or from a run's own under other filters."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from selfinstruct.cli.consent import teachers_in_words, with_consent
from selfinstruct.cli.options import (
    BaseUrl,
    Batch,
    Concurrency,
    Config,
    Decontaminate,
    DryRun,
    Filter,
    MaxCost,
    MaxRequests,
    MaxTokens,
    Model,
    Profile,
    RunFolder,
    Seed,
    Seeds,
    SendKeys,
    Strategy,
    Target,
    Teacher,
    Without,
)
from selfinstruct.errors import BudgetReached, TeacherError, YieldCollapsed
from selfinstruct.untrusted import say, to_json

if TYPE_CHECKING:
    from selfinstruct.runs.run import Run


def generate(  # noqa: PLR0917 - typer reads the options from here
    run: RunFolder,
    target: Target,
    config: Config = None,
    seeds: Seeds = None,
    teacher: Teacher = None,
    model: Model = None,
    base_url: BaseUrl = None,
    strategy: Strategy = None,
    profile: Profile = None,
    decontaminate: Decontaminate = None,
    filter: Filter = None,
    concurrency: Concurrency = None,
    seed: Seed = None,
    batch: Batch = None,
    dry_run: DryRun = False,
    max_cost: MaxCost = None,
    max_requests: MaxRequests = None,
    max_tokens: MaxTokens = None,
    send_keys: SendKeys = False,
) -> None:
    """Start a run, or resume it, until it has N tasks.

    Examples:
    selfinstruct generate outputs/first --target 200
    selfinstruct generate outputs/mine --target 500 --model gpt-4.1-mini --dry-run
    """
    from selfinstruct.runs.run import open_run

    servers = base_url[0] if base_url and len(base_url) == 1 else base_url or None
    asked: dict[str, dict[str, Any]] = {
        "teacher": {"kind": teacher or ("openai" if model or servers else None), "model": model, "base_url": servers},
        "running": {
            "concurrency": concurrency, "max_cost": max_cost, "max_requests": max_requests, "max_tokens": max_tokens,
            "batch": batch,
        },
        "filters": {"custom": filter or None},
        "": {
            "seed": seed, "strategy": strategy, "profile": profile,
            "decontaminate": [str(path) for path in decontaminate or ()] or None,
        },
    }  # fmt: skip
    named = {table: {k: v for k, v in values.items() if v is not None} for table, values in asked.items()}
    flags = named.pop("") | {table: values for table, values in named.items() if values}
    opened = with_consent(lambda: open_run(run, config, flags, seeds), send_keys)
    with opened.store:
        say(f"{'Started' if opened.is_new else 'Resuming'} {run}. Teacher: {teachers_in_words(opened.config)}")
        for name in opened.changed:
            say(f"{name} has changed since the last session. Its earlier decisions are kept.")
        if opened.kept:
            say(opened.kept)
        _grow(run, opened, target, dry_run)


def _grow(folder: Path, run: "Run", target: int, dry_run: bool) -> None:
    """Generate until the run has its tasks, and print its status; exit code 130 if it was stopped before."""
    import asyncio

    from selfinstruct.report.status import render, status
    from selfinstruct.runs.estimate import SAMPLE_TASKS
    from selfinstruct.runs.generate import generate as grow

    try:
        finished = asyncio.run(grow(run, min(target, SAMPLE_TASKS) if dry_run else target, dry_run))
    except (asyncio.CancelledError, KeyboardInterrupt):
        finished = False
    except (BudgetReached, TeacherError, YieldCollapsed):
        say(render(status(run.store), str(folder)))
        raise
    if dry_run and finished:
        _print_estimate(run, target)
        return
    found = status(run.store)
    say(render(found, str(folder)))
    if found.tasks > target:
        say(f"The run already has more tasks than --target {target:,}, so no tasks were added, only missing instances.")
    quoted = shlex.quote(str(folder))
    say(f"Records: {folder / 'records.jsonl'}\nTo see what was rejected: selfinstruct rejected {quoted}")
    if not finished:
        say("Stopped before the target. To resume, run the same command again.")
        sys.exit(130)


def _print_estimate(run: "Run", target: int) -> None:
    from selfinstruct.runs.estimate import estimate, render

    say(render(estimate(run.store, run.config, target)))


def import_(  # noqa: PLR0917 - typer reads the options from here
    run: RunFolder,
    completions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSONL of answers to requests for new tasks.")
    ] = None,
    classification: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSONL of answers to classification requests.")
    ] = None,
    instances: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSONL of answers to requests for instances.")
    ] = None,
    alpaca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Finished dataset to audit, with instruction, input and output.")
    ] = None,
    seeds: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSONL of the seed tasks that the answers were generated from.")
    ] = None,
    filter: Filter = None,
    profile: Profile = None,
    config: Config = None,
) -> None:
    """Import answers of another tool, or a finished dataset.

    The answers go through the same parsers and filters as generated ones. No API calls are made.

    Examples:
    selfinstruct import outputs/old --completions out.jsonl --seeds seeds.jsonl
    selfinstruct import outputs/alpaca --alpaca alpaca_data.json
    """
    from selfinstruct.report.status import render
    from selfinstruct.report.status import status as count
    from selfinstruct.runs.importing import bring_in, read_recorded
    from selfinstruct.runs.run import open_run

    recorded = read_recorded(
        run, seeds, completions=completions, classification=classification, instances=instances, alpaca=alpaca
    )
    flags: dict[str, Any] = {"profile": profile} if profile else {}
    flags |= {"filters": {"custom": filter}} if filter else {}
    opened = open_run(run, config, flags, seeds, asking=False)
    with opened.store as store:
        if opened.kept:
            say(opened.kept)
        brought = bring_in(opened, recorded)
        say(render(count(store), str(run)))
    if brought.lost:
        say(f"Answers that no admitted task could use: {brought.lost:,} (reasons no_such_task, answered_again).")
    if brought.waiting:
        say(f"Tasks without recorded instances: {brought.waiting:,}. selfinstruct generate will request the instances.")
    quoted = shlex.quote(str(run))
    say(f"Records: {run / 'records.jsonl'}\nTo see what was rejected: selfinstruct rejected {quoted}")


def refilter(  # noqa: PLR0917 - typer reads the options from here
    run: RunFolder,
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Folder of the new run.")],
    rouge_threshold: Annotated[
        float | None,
        typer.Option(metavar="F1", min=0, max=1, help="ROUGE-L F1 above which an instruction is too similar."),
    ] = None,
    without: Without = None,
    filter: Filter = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="FILE.py:NAME", help="Your custom strategy, if RUN was generated with one.")
    ] = None,
    profile: Profile = None,
    decontaminate: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Also reject what overlaps this test set. Can be repeated."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help='TOML file of filter settings: [filters] under "Settings of a run" in the docs.'
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the changes as one JSON object.")] = False,
) -> None:
    """Filter the answers in RUN again, under different rules.

    The result is written to NEW. No API calls are made, and RUN is not changed.

    Examples:
    selfinstruct refilter outputs/first outputs/strict --rouge-threshold 0.6
    selfinstruct refilter outputs/first outputs/short --without too_short
    """
    import asyncio

    from selfinstruct.runs.changes import render
    from selfinstruct.runs.refilter import refilter as filter_again

    rules = {"rouge_threshold": rouge_threshold, "without": without or None, "custom": filter or None}
    named = {key: value for key, value in rules.items() if value is not None}
    flags: dict[str, Any] = {"filters": named} if named else {}
    flags |= {"profile": profile} if profile else {}
    flags |= {"strategy": strategy} if strategy else {}
    flags |= {"decontaminate": [str(path) for path in decontaminate]} if decontaminate else {}
    found = asyncio.run(filter_again(run, new, config, flags))
    if json:
        print(to_json(found.as_dict()))
        return
    say(render(found, str(run), str(new)))
    own = [f"--filter {shlex.quote(one)}" for one in filter or []]
    own += [f"--strategy {shlex.quote(strategy)}"] if strategy else []
    grow = " ".join(["selfinstruct generate", shlex.quote(str(new)), "--target N", *own])
    say(f"Records: {new / 'records.jsonl'}\nTo grow it further: {grow}")
