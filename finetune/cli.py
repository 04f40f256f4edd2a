"""The commands of fine-tuning, among those of `selfinstruct`; each imports its room, and torch with it, when called."""

import importlib.util
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from selfinstruct.errors import UsageError
from selfinstruct.untrusted import visible

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
    check_installed()
    from finetune.training.settings import named_settings, parse_settings

    sources = [{"path": path} for path in data or ()]
    asked = {
        "data": sources or None, "model": model, "method": method, "template": template, "overlong": overlong,
        "max_length": max_length, "epochs": epochs, "learning_rate": learning_rate, "seeds": seeds, "seed": seed,
    }  # fmt: skip
    flags = {name: value for name, value in asked.items() if value is not None}
    settings = parse_settings(named_settings(config, preset, flags), config)
    if launch:
        from finetune.training.launching import launch_by

        sys.exit(launch_by(launch, sys.argv[1:]))

    from finetune.training.train import train

    trained = train(settings, out, dry_run=dry_run)
    if trained:
        print(f"\nTalk to it: selfinstruct chat {shlex.quote(str(out))}")
    elif not dry_run:
        print(f"Stopped; {out} has a checkpoint. The same command goes on.")
        sys.exit(130)


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
    check_installed()
    from finetune.inference.chat import chat as talk
    from finetune.inference.student import Student as Opened
    from finetune.inference.student import check_folder

    check_folder(student)
    talk(Opened(str(student)), system, temperature, max_tokens, seed)


def serve(
    student: Student,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes any free port.")] = 8000,
    host: Annotated[str, typer.Option(help="0.0.0.0 lets other machines in, without any key.")] = "127.0.0.1",
) -> None:
    """Serve a student as an OpenAI-compatible server: by vLLM where it is installed, else by transformers."""
    check_installed()
    from finetune.inference.serving import serve as become_server

    become_server(student, host, port)


def merge(
    student: Student,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.")],
) -> None:
    """Write an adapter and its base as one model."""
    check_installed()
    from finetune.inference.converting import merge as write

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
    check_installed()
    from finetune.inference.converting import UNKNOWN_TO_OLLAMA
    from finetune.inference.converting import gguf as write

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
    check_installed()
    from finetune.evaluation.evaluate import constrained, evaluate, held_out, template_of, trained
    from finetune.evaluation.report import render
    from selfinstruct.rows.files import to_line

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


def compare(  # noqa: PLR0917 - typer reads the options from here
    a: Annotated[
        str, typer.Argument(metavar="A", help="A student's folder, a file of answers, MODEL@FILE of one, or MODEL@URL.")
    ],
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
    from selfinstruct.rows.files import to_line

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
        print(to_line(found.as_dict()))
    else:
        print(visible(report.render(found)), f"Report: {path}", sep="\n")


def check_installed() -> None:
    """UsageError where the packages for fine-tuning are missing."""
    missing = [name for name in ("torch", "transformers", "peft", "trl") if not importlib.util.find_spec(name)]
    if missing:
        raise UsageError(f"This needs {' and '.join(missing)}: pip install 'selfinstruct[finetune]'.")
