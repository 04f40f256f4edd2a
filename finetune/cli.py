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


def evaluate(student: Student) -> None:
    """Measure a student on held-out data."""
    raise NotImplementedError


def compare() -> None:
    """Compare two students' answers blindly."""
    raise NotImplementedError
