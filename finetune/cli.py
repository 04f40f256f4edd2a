"""The commands of fine-tuning, among those of `selfinstruct`; each imports its room, and torch with it, when called."""

from pathlib import Path
from typing import Annotated

import typer

Student = Annotated[Path, typer.Argument(metavar="DIR", help="A student's folder.")]


def add_commands(app: typer.Typer) -> None:
    """Give the command line the commands of this package."""
    for command in (finetune, chat, serve, merge, gguf, evaluate, compare):
        app.command()(command)


def finetune() -> None:
    """Fine-tune a model on a run or a dataset."""
    raise NotImplementedError


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


def evaluate(  # noqa: PLR0917 - typer reads the options from here
    student: Student,
    data: Annotated[
        Path | None,
        typer.Option(help="Dialogues in any format that is trained; without it, what the training held out."),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="The base model or another student, asked the same: folder or hub name."),
    ] = None,
    constraints: Annotated[
        int, typer.Option(min=0, help="Also ask so many prompts with constraints that a program can check.")
    ] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only so many of the dialogues, drawn evenly.")] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")] = 512,
    output: Annotated[
        Path | None,
        typer.Option(help="Where answers are kept and found again, in JSONL; without it, DIR/evaluation.jsonl."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
) -> None:
    """Measure a student on held-out dialogues: loss, ROUGE-L, exact match, whether it stops; beside another model."""
    import sys

    from finetune.evaluate import constrained, evaluate, held_out, template_of, trained
    from finetune.evaluation_report import render
    from selfinstruct.check.files import to_line
    from selfinstruct.errors import UsageError
    from selfinstruct.visible import visible

    if not output and not student.is_dir():
        raise UsageError(f"{student}: there is no such folder. For a model on the hub, say --output FILE.jsonl too.")
    answers = output or student / "evaluation.jsonl"
    set_aside = student / "held_out.jsonl"
    if data is None and set_aside.exists():
        data = set_aside
    if data is None and not constraints:
        raise UsageError(f"{set_aside}: there is none, so name a file of dialogues with --data, or use --constraints.")
    questions = held_out(data, template_of(student), limit) if data else []
    try:
        found = evaluate(str(student), [*questions, *constrained(constraints)], before, max_tokens, answers)
    except KeyboardInterrupt:
        print(f"What was answered is in {answers}; the same command goes on from there.", file=sys.stderr)
        raise
    overlap = trained(student, questions)
    if json:
        print(to_line({**found.as_dict(), "trained": overlap and overlap._asdict()}))
    else:
        print(visible(render(found, overlap)))


def compare() -> None:
    """Compare two students' answers blindly."""
    raise NotImplementedError
