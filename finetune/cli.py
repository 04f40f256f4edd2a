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


def evaluate(student: Student) -> None:
    """Measure a student on held-out data."""
    raise NotImplementedError


def compare() -> None:
    """Compare two students' answers blindly."""
    raise NotImplementedError


def _check_installed() -> None:
    """UsageError where the packages for fine-tuning are missing."""
    missing = [name for name in ("torch", "transformers", "peft") if not importlib.util.find_spec(name)]
    if missing:
        raise UsageError(f"This needs {' and '.join(missing)}: pip install 'selfinstruct[finetune]'.")
