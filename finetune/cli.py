"""The fine-tuning commands of `selfinstruct`. Each imports its subpackage, and with it torch, when it runs."""

import importlib.util
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from finetune.cli_options import (
    Config,
    DryRun,
    Judge,
    Launch,
    Method,
    Overlong,
    People,
    Preset,
    Prompts,
    SideA,
    StartModel,
    TemplateName,
    TrainedOn,
    TrainingData,
)
from selfinstruct.errors import UsageError
from selfinstruct.untrusted import say, to_json

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the student.")]
Student = Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the student, or a GGUF file.")]


def finetune(  # noqa: PLR0917 - typer reads the options from here
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the student.")],
    data: TrainingData = None,
    model: StartModel = None,
    config: Config = None,
    preset: Preset = None,
    method: Method = None,
    template: TemplateName = None,
    overlong: Overlong = None,
    max_length: Annotated[int | None, typer.Option(metavar="N", help="Maximum tokens per row.")] = None,
    epochs: Annotated[float | None, typer.Option(metavar="N", help="Number of passes over the data.")] = None,
    learning_rate: Annotated[float | None, typer.Option(metavar="RATE", help="Peak learning rate.")] = None,
    seeds: Annotated[bool | None, typer.Option("--seeds", help="Also train on the runs' seed tasks.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Random seed.")] = None,
    launch: Launch = None,
    dry_run: DryRun = False,
) -> None:
    """Fine-tune a model on runs, files and hub datasets.

    If it is interrupted, the same command resumes the training.

    Examples:
    selfinstruct finetune outputs/first --model Qwen/Qwen2.5-0.5B --out my_student
    selfinstruct finetune data.jsonl --config my_student/finetune.toml --out other
    """
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
        say(f"\nTo talk to it: selfinstruct chat {shlex.quote(str(out))}")
    elif not dry_run:
        say(f"Stopped. {out} has a checkpoint; the same command resumes from it.")
        sys.exit(130)


def chat(
    student: Student,
    system: Annotated[str, typer.Option(metavar="TEXT", help="System message.")] = "",
    temperature: Annotated[
        float, typer.Option(metavar="T", min=0, max=2, help="0 always picks the most likely token.")
    ] = 0.7,
    max_tokens: Annotated[int, typer.Option(metavar="N", min=1, help="Maximum tokens per answer.")] = 512,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Random seed. Without it, answers differ each time.")
    ] = None,
) -> None:
    """Chat with a student. If input is piped, each line is a message.

    Examples:
    selfinstruct chat my_student
    """
    check_installed()
    from finetune.inference.chat import chat as talk
    from finetune.inference.student import Student as Opened
    from finetune.inference.student import check_folder

    check_folder(student)
    talk(Opened(str(student)), system, temperature, max_tokens, seed)


def serve(
    student: Student,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port to listen on; 0 picks a free one.")
    ] = 8000,
    host: Annotated[
        str,
        typer.Option(metavar="HOST", help="0.0.0.0 accepts connections from other machines, with no API key required."),
    ] = "127.0.0.1",
) -> None:
    """Serve a student as an OpenAI-compatible server.

    Uses vLLM if it is installed, otherwise transformers.

    Examples:
    selfinstruct serve my_student --port 8001
    """
    check_installed()
    from finetune.inference.serving import serve as become_server

    become_server(student, host, port)


def merge(
    student: Folder,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder to write.")],
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(help="Data type of the merged weights. Default: that of the base model."),
    ] = None,
) -> None:
    """Merge an adapter into its base model.

    Examples:
    selfinstruct merge my_student merged
    """
    check_installed()
    from finetune.inference.converting import merge as write

    write(student, out, dtype)
    say(f"Merged into {out}. To try it: selfinstruct chat {shlex.quote(str(out))}")


def gguf(
    student: Folder,
    out: Annotated[Path, typer.Argument(metavar="OUT.gguf", help="File to write.")],
    converter: Annotated[
        Path | None, typer.Option(metavar="FILE", help="llama.cpp's convert_hf_to_gguf.py, if it is not on the PATH.")
    ] = None,
) -> None:
    """Convert a student for llama.cpp and Ollama.

    Writes an Ollama Modelfile next to the GGUF file.

    Examples:
    selfinstruct gguf my_student my_student.gguf
    """
    check_installed()
    from finetune.inference.converting import UNKNOWN_TO_OLLAMA
    from finetune.inference.converting import gguf as write

    written, modelfile = write(student, out, converter)
    say(f"Wrote {written} and {modelfile}. To add it to Ollama: ollama create NAME -f {shlex.quote(str(modelfile))}")
    if UNKNOWN_TO_OLLAMA in modelfile.read_text(encoding="utf-8"):
        say(f"First: {UNKNOWN_TO_OLLAMA}")


def evaluate(  # noqa: PLR0917 - typer reads the options from here
    student: Student,
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Dialogues in any training format. Default: those that training held out."),
    ] = None,
    before: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Model to compare with, such as the base model: folder or hub name."),
    ] = None,
    constraints: Annotated[
        int, typer.Option(metavar="N", min=0, help="Also test N prompts with constraints that a program can check.")
    ] = 0,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Use only N of the dialogues, drawn at random: the same ones each time."),
    ] = None,
    max_tokens: Annotated[int, typer.Option(metavar="N", min=1, help="Maximum tokens per answer.")] = 512,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="JSONL file where answers are kept and reused. Default: DIR/evaluation.jsonl."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON object.")] = False,
) -> None:
    """Evaluate a student on held-out dialogues.

    Reports loss, ROUGE-L, exact match and whether answers end on their own; with
    --before, also those of another model.

    Examples:
    selfinstruct evaluate my_student
    selfinstruct evaluate my_student --before Qwen/Qwen2.5-0.5B --limit 200
    """
    check_installed()
    from finetune.evaluation.evaluate import constrained, evaluate, held_out, reasoning_of, template_of, trained
    from finetune.evaluation.report import render

    if not output and not student.is_dir():
        raise UsageError(
            f"{student}: no such folder. For a GGUF file or a model on the hub, also pass --output FILE.jsonl."
        )
    answers = output or student / "evaluation.jsonl"
    set_aside = student / "held_out.jsonl"
    if data is None and set_aside.exists():
        data = set_aside
    if data is None and not constraints:
        raise UsageError(f"{set_aside} does not exist. Pass a file of dialogues with --data, or use --constraints.")
    questions = held_out(data, template_of(student), limit, reasoning_of(student)) if data else []
    try:
        found = evaluate(str(student), [*questions, *constrained(constraints)], before, max_tokens, answers)
    except KeyboardInterrupt:
        say(f"The answers so far are in {answers}; the same command resumes from there.", file=sys.stderr)
        raise
    overlap = trained(student, questions)
    if json:
        print(to_json({**found.as_dict(), "trained": overlap and overlap._asdict()}))
    else:
        say(render(found, overlap))


def compare(  # noqa: PLR0917 - typer reads the options from here
    a: SideA,
    b: Annotated[str, typer.Argument(metavar="B", help="The student to compare with A, in any of these forms.")],
    prompts: Prompts,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the comparison. The same command resumes it.")],
    people: People = None,
    judge: Judge = None,
    judge_base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Server of the judge model. Default: OpenAI.")
    ] = None,
    train: TrainedOn = None,
    max_tokens: Annotated[int, typer.Option(metavar="N", min=1, help="Maximum tokens per answer.")] = 512,
    temperature: Annotated[
        float, typer.Option(metavar="T", min=0, max=2, help="0 always picks the most likely token.")
    ] = 0.0,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Random seed of the answers, and of the order on the page.")
    ] = 0,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port of the page; 0 picks a free one.")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the results as one JSON object.")] = False,
) -> None:
    """Compare two students blindly, with people or a judge model.

    The results are written to DIR/comparison.html.

    Examples:
    selfinstruct compare student_a student_b --prompts questions.txt --out ab
    selfinstruct compare a.jsonl b.jsonl --prompts q.txt --out ab --judge gpt-4.1
    """
    from finetune.compare import comparing, report
    from finetune.compare.answers import Asking
    from finetune.compare.asking import Served
    from finetune.compare.results import results
    from finetune.compare.store import Store

    if judge_base_url and not judge:
        raise UsageError("--judge-base-url needs --judge MODEL.")
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
        print(to_json(found.as_dict()))
    else:
        say(f"{report.render(found)}\nReport: {path}")


def check_installed() -> None:
    """Raise UsageError if the packages for fine-tuning are missing."""
    missing = [name for name in ("torch", "transformers", "peft", "trl") if not importlib.util.find_spec(name)]
    if missing:
        raise UsageError(f"Fine-tuning needs {' and '.join(missing)}. Run: pip install 'selfinstruct[finetune]'.")


COMMANDS = (finetune, chat, serve, merge, gguf, evaluate, compare)
