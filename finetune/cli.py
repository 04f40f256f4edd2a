"""The commands of fine-tuning, among those of `selfinstruct`; each imports its room, and torch with it, when called."""

import importlib.util
import shlex
from pathlib import Path
from typing import Annotated

import typer

from selfinstruct.errors import UsageError

Student = Annotated[Path, typer.Argument(metavar="DIR", help="A student's folder.")]


def add_commands(app: typer.Typer) -> None:
    """Give the command line the commands of this package."""
    for command in (finetune, chat, serve, merge, gguf, evaluate, compare):
        app.command()(command)


def finetune() -> None:
    """Fine-tune a model on a run or a dataset."""
    raise NotImplementedError


def chat(
    student: Student,
    system: Annotated[str, typer.Option(help="The system message.")] = "",
    temperature: Annotated[float, typer.Option(min=0, max=2, help="0 takes the likeliest token.")] = 0.7,
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")] = 512,
    seed: Annotated[
        int | None, typer.Option(help="Of the random choices; without it, answers differ from time to time.")
    ] = None,
) -> None:
    """Talk to a student, or give it a message a line in a pipe."""
    _check_installed()
    from finetune.chat import chat as talk
    from finetune.student import Student as Opened
    from finetune.student import check_folder

    check_folder(student)
    talk(Opened(str(student)), system, temperature, max_tokens, seed)


def serve(
    student: Student,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes any free port.")] = 8000,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in, without any key.")] = "127.0.0.1",
) -> None:
    """Serve a student as an OpenAI-compatible server: by vLLM where it is installed, else by transformers."""
    _check_installed()
    from finetune.serving import serve as become_server

    become_server(student, host, port)


def merge(
    student: Student,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")],
) -> None:
    """Write an adapter and its base as one model."""
    _check_installed()
    from finetune.converting import merge as write

    write(student, out)
    print(f"Merged into {out}. Try it: selfinstruct chat {shlex.quote(str(out))}")


def gguf(
    student: Student,
    out: Annotated[Path, typer.Argument(metavar="OUT.gguf", help="The file to write.")],
    converter: Annotated[
        Path | None, typer.Option(help="llama.cpp's convert_hf_to_gguf.py, where it is not on the PATH.")
    ] = None,
) -> None:
    """Write a student for llama.cpp, and a Modelfile for Ollama beside it."""
    _check_installed()
    from finetune.converting import UNKNOWN_TO_OLLAMA
    from finetune.converting import gguf as write

    written, modelfile = write(student, out, converter)
    print(f"Wrote {written} and {modelfile}. For Ollama: ollama create NAME -f {shlex.quote(str(modelfile))}")
    if UNKNOWN_TO_OLLAMA in modelfile.read_text(encoding="utf-8"):
        print(f"Before: {UNKNOWN_TO_OLLAMA}")


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


def _check_installed() -> None:
    """UsageError where the packages for fine-tuning are missing."""
    missing = [name for name in ("torch", "transformers", "peft") if not importlib.util.find_spec(name)]
    if missing:
        raise UsageError(f"This needs {' and '.join(missing)}: pip install 'selfinstruct[finetune]'.")
