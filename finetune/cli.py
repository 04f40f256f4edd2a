"""The commands of fine-tuning, among those of `selfinstruct`; each imports its room, and torch with it, when called."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

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


def compare() -> None:
    """Compare two students' answers blindly."""
    raise NotImplementedError
