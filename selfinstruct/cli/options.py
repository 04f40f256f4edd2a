"""Options and arguments by name: those that several commands have, and those of a command that has many.

`Annotated[type, ...]` is what typer reads; a default stands in the command's signature.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selfinstruct import parts
from selfinstruct.export import formats

if TYPE_CHECKING:  # a type checker does not look for files
    ExportFormat = str
else:
    ExportFormat = Literal[formats.NAMES]

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder, such as outputs/first.")]
Profile = Annotated[Literal["paper"] | None, typer.Option(help="The published rules, where ours differ.")]
Config = Annotated[Path | None, typer.Option(help="Settings in TOML; see docs/config.md.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON lines, for other programs.")]

# generate's

Target = Annotated[int, typer.Option(min=1, help="How many tasks the run shall have.")]
Seeds = Annotated[Path | None, typer.Option(help="Seed tasks in JSONL; without it, the ones that come along.")]
Teacher = Annotated[
    str | None,
    typer.Option(
        metavar=f"{'|'.join(parts.TEACHERS)}|FILE.py:NAME",
        help="The built-in teacher, any OpenAI-compatible server, a model in this process, or a function of your own.",
    ),
]
Model = Annotated[str | None, typer.Option(help="The teacher's model: its name; a folder for transformers.")]
BaseUrl = Annotated[
    list[str] | None,
    typer.Option(help="The server's address, such as http://localhost:8000/v1. Several share the calls."),
]
Strategy = Annotated[
    str | None,
    typer.Option(
        metavar=f"{'|'.join(parts.STRATEGIES)}|FILE.py:NAME",
        help="How to ask: task, class, instances; whole tasks in one request; or a class of your own.",
    ),
]
Decontaminate = Annotated[
    list[Path] | None,
    typer.Option(help="A test set (.txt, .jsonl, .json) of which no task may hold a question. May be repeated."),
]
Filter = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE.py:NAME", help="A filter of your own, such as rules.py:no_number. May be repeated."),
]
Concurrency = Annotated[int | None, typer.Option(min=1, help="Most calls in flight. Does not change the data.")]
Seed = Annotated[int | None, typer.Option(help="Of every random choice.")]
Batch = Annotated[
    bool | None,
    typer.Option("--batch/--no-batch", help="Ask by OpenAI's Batch API: half the price, answers within a day."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Grow RUN by a few tasks only, and estimate what N tasks will need.")
]
MaxCost = Annotated[
    float | None, typer.Option(help="US dollars that RUN may cost, earlier sessions included; needs prices.")
]
MaxRequests = Annotated[int | None, typer.Option(help="Calls that RUN may make, earlier sessions included.")]
MaxTokens = Annotated[int | None, typer.Option(help="Tokens that RUN may use, prompts and earlier sessions included.")]
