"""The command line. Everything heavy is imported by the command that needs it, so that --help answers at once."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from finetune.cli import add_commands
from selfinstruct.errors import BudgetReached, SelfInstructError, TeacherError, UsageError, YieldCollapsed
from selfinstruct.records import ExportFormat, StrategyName, TeacherKind
from selfinstruct.untrusted import visible

if TYPE_CHECKING:
    from selfinstruct.report.diversity import Diversity
    from selfinstruct.runs.run import Run
    from selfinstruct.store.store import Store

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Grow an instruction dataset from seed tasks. Everything the teacher says is kept in RUN/run.db.",
)  # fmt: skip
seeds_app = typer.Typer(no_args_is_help=True, help="Seed tasks.")
app.add_typer(seeds_app, name="seeds")

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder, such as outputs/first.")]
Profile = Annotated[Literal["paper"] | None, typer.Option(help="The published rules, where ours differ.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON lines, for other programs.")]


def main() -> NoReturn:
    """Run the command line; a SelfInstructError becomes its message and exit code 2 (an interrupt is 130 by typer)."""
    try:
        app(prog_name="selfinstruct")
    except SelfInstructError as error:
        print(f"Error: {visible(str(error))}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


@app.command()
def generate(  # noqa: PLR0917 - typer reads the options from here
    run: RunFolder,
    target: Annotated[int, typer.Option(min=1, help="How many tasks the run shall have.")],
    config: Annotated[Path | None, typer.Option(help="Settings in TOML; see docs/config.md.")] = None,
    seeds: Annotated[
        Path | None, typer.Option(help="Seed tasks in JSONL; without it, the ones that come along.")
    ] = None,
    teacher: Annotated[
        TeacherKind | None,
        typer.Option(help="The built-in teacher, any OpenAI-compatible server, or a model in this process."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The teacher's model: its name; a folder for transformers.")] = None,
    base_url: Annotated[
        list[str] | None,
        typer.Option(help="The server's address, such as http://localhost:8000/v1. Several share the calls."),
    ] = None,
    strategy: Annotated[
        StrategyName | None, typer.Option(help="How to ask: task, class, instances; or whole tasks in one request.")
    ] = None,
    profile: Profile = None,
    decontaminate: Annotated[
        list[Path] | None,
        typer.Option(help="A test set (.txt, .jsonl, .json) of which no task may hold a question. May be repeated."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Most calls in flight. Does not change the data.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of every random choice.")] = None,
    batch: Annotated[
        bool | None,
        typer.Option("--batch/--no-batch", help="Ask by OpenAI's Batch API: half the price, answers within a day."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Grow RUN by a few tasks only, and estimate what N tasks will need.")
    ] = False,
    max_cost: Annotated[
        float | None, typer.Option(help="US dollars that RUN may cost, earlier sessions included; needs prices.")
    ] = None,
    max_requests: Annotated[int | None, typer.Option(help="Calls that RUN may make, likewise.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Tokens that RUN may use, likewise, prompts included.")] = None,
) -> None:
    """Grow RUN to N tasks, with their instances. A RUN that exists goes on where it was."""
    import asyncio

    from selfinstruct.report.status import render, status
    from selfinstruct.runs.estimate import SAMPLE_TASKS
    from selfinstruct.runs.generate import generate as grow
    from selfinstruct.runs.run import open_run

    servers = base_url[0] if base_url and len(base_url) == 1 else base_url or None
    asked: dict[str, dict[str, Any]] = {
        "teacher": {"kind": teacher or ("openai" if model or servers else None), "model": model, "base_url": servers},
        "running": {
            "concurrency": concurrency, "max_cost": max_cost, "max_requests": max_requests, "max_tokens": max_tokens,
            "batch": batch,
        },
        "": {
            "seed": seed, "strategy": strategy, "profile": profile,
            "decontaminate": [str(path) for path in decontaminate or ()] or None,
        },
    }  # fmt: skip
    named = {table: {k: v for k, v in values.items() if v is not None} for table, values in asked.items()}
    flags = named.pop("") | {table: values for table, values in named.items() if values}
    opened = open_run(run, config, flags, seeds)
    with opened.store as store:
        print(f"{'Began' if opened.is_new else 'Going on with'} {run}. Teacher: {_teachers(opened.config)}", flush=True)
        try:
            finished = asyncio.run(grow(opened, min(target, SAMPLE_TASKS) if dry_run else target, dry_run))
        except (asyncio.CancelledError, KeyboardInterrupt):
            finished = False
        except (BudgetReached, TeacherError, YieldCollapsed):
            print(render(status(store), str(run)))
            raise
        if dry_run and finished:
            _print_estimate(opened, target)
            return
        print(render(status(store), str(run)))
        quoted = shlex.quote(str(run))
        print(f"Records: {run / 'records.jsonl'}. See why others were rejected: selfinstruct rejected {quoted}")
        if not finished:
            print(f"Stopped before the end. To go on: selfinstruct generate {quoted} --target {target}")
            sys.exit(130)


def _print_estimate(run: "Run", target: int) -> None:
    from selfinstruct.runs.estimate import estimate, render

    print(render(estimate(run.store, run.config, target)))


@app.command("import")
def import_(  # noqa: PLR0917 - typer reads the options from here
    run: RunFolder,
    completions: Annotated[
        Path | None, typer.Option(help="JSONL of recorded answers to requests for new tasks.")
    ] = None,
    classification: Annotated[Path | None, typer.Option(help="JSONL of answers to the question for the class.")] = None,
    instances: Annotated[Path | None, typer.Option(help="JSONL of answers with instances.")] = None,
    alpaca: Annotated[
        Path | None, typer.Option(help="A finished dataset of instruction, input, output, to be audited.")
    ] = None,
    seeds: Annotated[Path | None, typer.Option(help="The seed tasks in JSONL that they were made from.")] = None,
    profile: Profile = None,
    config: Annotated[Path | None, typer.Option(help="Settings in TOML; see docs/config.md.")] = None,
) -> None:
    """Bring recorded answers of another tool into RUN, through the same parsers and filters; nobody is asked."""
    from selfinstruct.report.status import render
    from selfinstruct.report.status import status as count
    from selfinstruct.runs.importing import bring_in, read_recorded, refuse_other_runs
    from selfinstruct.runs.run import open_run
    from selfinstruct.store.store import Store

    if alpaca and (completions or classification or instances):
        raise UsageError("--alpaca brings whole tasks: no --completions, --classification or --instances beside it.")
    recorded = read_recorded(completions, classification, instances, alpaca)
    if Store.exists(run):
        with Store.read(run) as store:
            refuse_other_runs(store, recorded)
    elif completions and not seeds:
        raise UsageError(
            "--seeds is missing: the seed tasks from which these were made, in JSONL. New tasks are compared with them."
        )
    flags = {"profile": profile} if profile else {}
    opened = open_run(run, config, flags, seeds, asking=False)
    with opened.store as store:
        brought = bring_in(opened, recorded)
        print(render(count(store), str(run)))
    if brought.lost:
        print(f"Answers that no admitted task had a use for: {brought.lost:,} (reasons no_such_task, answered_again).")
    if brought.unmade:
        print(f"Tasks without recorded instances: {brought.unmade:,}. selfinstruct generate would ask for them.")
    quoted = shlex.quote(str(run))
    print(f"Records: {run / 'records.jsonl'}. See why others were rejected: selfinstruct rejected {quoted}")


@app.command()
def refilter(  # noqa: PLR0917 - typer reads the options from here
    run: RunFolder,
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The folder of the new run.")],
    rouge_threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="ROUGE-L F1 above which an instruction is not new.")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="FILTER", help="Switch a filter off, such as too_short. May be repeated."),
    ] = None,
    profile: Profile = None,
    decontaminate: Annotated[
        list[Path] | None,
        typer.Option(help="One more test set of which no task may hold a question. May be repeated."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="The rules in TOML; see [filters] in docs/config.md.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what changes as one JSON object.")] = False,
) -> None:
    """Judge all that RUN was told again under other rules, into NEW; nobody is asked, and RUN stays as it is."""
    import asyncio

    from selfinstruct.runs.changes import render
    from selfinstruct.runs.refilter import refilter as judge_again

    rules = {"rouge_threshold": rouge_threshold, "without": without or None}
    named = {key: value for key, value in rules.items() if value is not None}
    flags: dict[str, Any] = {"filters": named} if named else {}
    flags |= {"profile": profile} if profile else {}
    flags |= {"decontaminate": [str(path) for path in decontaminate]} if decontaminate else {}
    found = asyncio.run(judge_again(run, new, config, flags))
    if json:
        print(_to_json(found.as_dict()))
        return
    print(visible(render(found, str(run), str(new))))
    quoted = shlex.quote(str(new))
    print(f"Records: {new / 'records.jsonl'}. To go on from here: selfinstruct generate {quoted} --target N")


def _teachers(config: Any) -> str:
    """Who answers, in words; a simulated teacher is called so."""
    simulated = "SIMULATED (composes tasks from a grammar: for trying things out, not for training a real model)"
    names = {}
    for stage in config.stages:
        teachers = [choice.teacher for choice in config.choices(stage)]
        where = {teacher.model: " and ".join(filter(None, teacher.servers)) for teacher in teachers}
        each = [f"{model} at {servers}" if servers else model for model, servers in where.items()]
        names[stage] = simulated if any(t.kind == "simulated" for t in teachers) else ", or ".join(each)
    distinct = set(names.values())
    return names["propose"] if len(distinct) == 1 else "; ".join(f"{stage}: {name}" for stage, name in names.items())


@app.command()
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
        varied = _diversity(store) if diversity else None
    if json:
        print(_to_json({**found.as_dict(), **({"diversity": varied.as_dict()} if varied else {})}))
        return
    print(render(found, str(run)))
    if varied:
        _print_diversity(varied)


def _diversity(store: "Store") -> "Diversity":
    from selfinstruct.report.diversity import measure

    return measure([task.instruction for task in store.tasks()], [seed.instruction for seed in store.seeds()])


def _print_diversity(varied: "Diversity") -> None:
    from selfinstruct.report.diversity import render

    print("\n".join(render(varied)))


@app.command()
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
        print(_to_json(found.as_dict()) if json else write_page(store, found, output))


@app.command()
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


@app.command()
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
            varied = _diversity(store)
        if rows:
            _print_diversity(varied)
        if card:
            from selfinstruct.export.card import write_card

            readme = write_card(store, format, path, rows, varied)
            print(f"Its card: {readme}. Choose a license there.", flush=True)
    if push:
        from selfinstruct.export.hub import push as send

        print(f"Pushed to {send([path, readme], push, token)}")


@app.command()
def overlap(
    dataset: Annotated[Path, typer.Argument(metavar="A", help="A dataset: records.jsonl, Alpaca, messages, text ...")],
    test_set: Annotated[Path, typer.Argument(metavar="B", help="A test set: .txt, .jsonl or .json.")],
    json: Json = False,
) -> None:
    """Say which rows of A overlap a question of B: by a run of 13 words, or by ROUGE-L. Exit code 1 where one does."""
    from selfinstruct.pool.contamination import overlaps, render

    found = overlaps(dataset, test_set)
    print(_to_json(found.as_dict()) if json else visible(render(found)))
    if found.found:
        sys.exit(1)


@app.command()
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


@app.command()
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
            print(_to_json(row) if json else visible(describe_task(row)))


@app.command()
def rejected(
    run: RunFolder,
    stage: Annotated[str | None, typer.Option(help="propose, filter, novelty, classify or instances.")] = None,
    reason: Annotated[str | None, typer.Option(help="Such as too_similar.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    json: Json = False,
) -> None:
    """List what was rejected, with the reason and the evidence."""
    from selfinstruct.store.listing import describe_rejection
    from selfinstruct.store.listing import rejected as rows
    from selfinstruct.store.store import Store

    with Store.read(run) as store:
        for row in rows(store, stage, reason, limit):
            print(_to_json(row) if json else visible(describe_rejection(row)))


@app.command()
def audit(
    run: RunFolder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on loopback; 0 takes any free one.")] = 0,
) -> None:
    """Look through RUN in a browser, also while it is growing: what was rejected and why; rescue, ban, edit, tag it."""
    import asyncio

    from selfinstruct.audit.server import serve

    asyncio.run(serve(run, port))


@seeds_app.command("check")
def check_seeds(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file of seed tasks.")], json: Json = False
) -> None:
    """Say what is wrong with a file of seed tasks, and what would make it better. Exit code 1 but for mere advice."""
    from selfinstruct.checks.seeds import check_seeds as check

    summary, findings = check(file)
    for level, line, message in findings:
        where = f"{file}, line {line}" if line else str(file)
        row = {"level": level, "line": line, "message": message}
        print(_to_json(row) if json else visible(f"{where}: {level}: {message}"))
    if not json:
        print(f"{file}: {summary}. " + (f"Findings: {len(findings)}." if findings else "Nothing to find fault with."))
    if any(finding.level != "advice" for finding in findings):
        sys.exit(1)


@app.command()
def simulate(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on loopback; 0 takes any free port.")],
    config: Annotated[Path | None, typer.Option(help="TOML whose [simulated] table says how it behaves.")] = None,
) -> None:
    """Serve the simulated teacher as an OpenAI-compatible server, until Ctrl-C."""
    import asyncio

    from selfinstruct.config.config import parse_config, read_toml
    from selfinstruct.simulated.server.app import serving

    settings = parse_config(read_toml(config) if config else {}, str(config)).simulated

    async def serve() -> None:
        async with serving(settings, port=port) as server:
            print(f"The simulated teacher listens at {server.base_url}; Ctrl-C ends it. Ask it with:", flush=True)
            print(f"selfinstruct generate RUN --target N --base-url {server.base_url} --model simulated", flush=True)
            await asyncio.Event().wait()

    try:
        asyncio.run(serve())
    except OSError as error:
        raise UsageError(f"Port {port} cannot be used ({error.strerror}). Choose another one, or 0.") from None


add_commands(app)


def _to_json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False)
