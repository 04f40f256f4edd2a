"""The commands of fine-tuning, among those of `selfinstruct`; each imports its room, and torch with it, when called."""

import shlex
import sys
from json import dumps
from pathlib import Path
from typing import Annotated, Literal

import typer

from selfinstruct.errors import UsageError
from selfinstruct.terminal import visible

Student = Annotated[Path, typer.Argument(metavar="DIR", help="A student's folder.")]


def add_commands(app: typer.Typer) -> None:
    """Give the command line the commands of this package."""
    for command in (finetune, chat, serve, merge, gguf, evaluate, compare):
        app.command()(command)


def finetune(  # noqa: PLR0917 - typer reads the options from here
    out: Annotated[Path, typer.Option(metavar="DIR", help="The student's folder.")],
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATA]...", help="What to learn from: a run's folder, a file, or a name on the hub."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model to begin with: a folder, or a name on the hub.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings in TOML, such as another DIR's finetune.toml.")] = None,
    preset: Annotated[str | None, typer.Option(help="Published settings: alpaca-7b or koala-13b.")] = None,
    method: Annotated[
        Literal["full", "lora", "qlora"] | None,
        typer.Option(help="All weights, or adapters; without it, all where the memory suffices."),
    ] = None,
    template: Annotated[
        Literal["model", "chatml", "alpaca", "paper"] | None,
        typer.Option(help="How a dialogue is written; without it as the model has it, or chatml."),
    ] = None,
    overlong: Annotated[
        Literal["drop", "truncate", "error"] | None, typer.Option(help="What becomes of rows over --max-length.")
    ] = None,
    max_length: Annotated[int | None, typer.Option(help="Tokens of a row.")] = None,
    epochs: Annotated[float | None, typer.Option(help="Times that all rows are used.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="At its highest.")] = None,
    seeds: Annotated[bool | None, typer.Option("--seeds", help="Learn from the runs' seed tasks too.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of every random choice.")] = None,
    launch: Annotated[
        str | None,
        typer.Option(help="Train on several GPUs by accelerate launch: ddp, fsdp, or a config of yours."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be trained, and whether it fits; load no weights.")
    ] = False,
) -> None:
    """Fine-tune a model on runs and datasets. The same command again goes on where it was."""
    from finetune.settings import named_settings, parse_settings

    sources = [{"path": path} for path in data or ()]
    asked = {
        "data": sources or None, "model": model, "method": method, "template": template, "overlong": overlong,
        "max_length": max_length, "epochs": epochs, "learning_rate": learning_rate, "seeds": seeds, "seed": seed,
    }  # fmt: skip
    flags = {name: value for name, value in asked.items() if value is not None}
    settings = parse_settings(named_settings(config, preset, flags), config)
    if launch:
        from finetune.launching import launch_by

        sys.exit(launch_by(launch, sys.argv[1:]))

    from finetune.training import train

    trained = train(settings, out, dry_run=dry_run)
    if trained:
        print(f"\nTalk to it: selfinstruct chat {shlex.quote(str(out))}")
    elif not dry_run:
        print(f"Stopped; {out} has a checkpoint. The same command goes on.")
        sys.exit(130)


def chat(student: Student) -> None:
    """Talk to a student."""
    raise NotImplementedError


def serve(student: Student) -> None:
    """Serve a student as an OpenAI-compatible server."""
    raise NotImplementedError


def merge(student: Student) -> None:
    """Write an adapter and its base as one model."""
    raise NotImplementedError


def gguf(student: Student) -> None:
    """Write a student for llama.cpp and Ollama."""
    raise NotImplementedError


def evaluate(student: Student) -> None:
    """Measure a student on held-out data."""
    raise NotImplementedError


def compare(  # noqa: PLR0917 - typer reads the options from here
    a: Annotated[str, typer.Argument(metavar="A", help="A student's folder, a file of answers, or MODEL@URL.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Likewise.")],
    prompts: Annotated[Path, typer.Option(help="The questions: a dataset of any common format, or .txt, one a line.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where everything is kept; go on with the same command.")],
    people: Annotated[
        bool | None, typer.Option("--people/--no-people", help="A page for people to judge; on without --judge.")
    ] = None,
    judge: Annotated[
        str | None, typer.Option(metavar="MODEL", help="A model that judges, in both orders; simulated: the built-in.")
    ] = None,
    judge_base_url: Annotated[str | None, typer.Option(help="Its server; without it, OpenAI's.")] = None,
    train: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Training data: leave out the prompts that overlap it.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Of an answer.")] = 512,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="Of the answers; 0: always the likeliest.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of the answers, and of what is shown where and when.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 takes any free one.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the results as one JSON object.")] = False,
) -> None:
    """Compare two students' answers blindly, by people in a browser or a judge model, in DIR/comparison.html."""
    from finetune.compare import comparing, report
    from finetune.compare.answers import Asking
    from finetune.compare.asking import Served
    from finetune.compare.results import results
    from finetune.compare.store import Store

    if judge_base_url and not judge:
        raise UsageError("--judge-base-url goes with --judge MODEL.")
    asked = Served(judge, judge_base_url or "") if judge else None
    if asked:
        asked.check()  # before the answers are paid for
    with Store(out) as store:
        comparing.answered(store, (a, b), prompts, train, Asking(max_tokens, temperature, seed))
        if asked:
            comparing.judged(store, asked)
        if people or (people is None and not judge):
            comparing.judged_by_people(store, port)
        found = results(store)
        path = report.write_page(found, out)
    if json:
        print(dumps(found.as_dict(), ensure_ascii=False))
    else:
        print(visible(report.render(found)), f"Report: {path}", sep="\n")
