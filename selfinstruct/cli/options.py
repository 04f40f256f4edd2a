"""Options and arguments by name: those that several commands share, and those of commands with many.

typer reads `Annotated[type, ...]`; the default is in the command's signature.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selfinstruct import parts
from selfinstruct.cli import completing
from selfinstruct.export import formats

if TYPE_CHECKING:  # a type checker does not look for files
    ExportFormat = str
else:
    ExportFormat = Literal[formats.NAMES]

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run, such as outputs/first.")]
Profile = Annotated[
    Literal["paper"] | None,
    typer.Option(help="Use the filters of the Self-Instruct paper where they differ from the defaults."),
]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help='TOML file of settings: "Settings of a run" in the docs.')
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON Lines for other programs.")]

# generate

Target = Annotated[int, typer.Option(metavar="N", min=1, help="Number of tasks to reach.")]
Seeds = Annotated[
    Path | None, typer.Option(metavar="FILE", help="JSONL file of seed tasks. Default: the built-in seeds.")
]
Teacher = Annotated[
    str | None,
    typer.Option(
        metavar=f"{'|'.join(parts.TEACHERS)}|FILE.py:NAME",
        help="Built-in simulated teacher, OpenAI-compatible server, a local model in a server started for the "
        "run or in this process, or your own function.",
        autocompletion=completing.teachers,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Teacher model. For llama.cpp: a GGUF file. For vllm, transformers: a folder or a hub name.",
    ),
]
BaseUrl = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL", help="Server address, such as http://localhost:8000/v1. Repeat it to share calls among servers."
    ),
]
Strategy = Annotated[
    str | None,
    typer.Option(
        metavar=f"{'|'.join(parts.STRATEGIES)}|FILE.py:NAME",
        help="Generate the task, its classification and its instances in turn, or whole tasks in one request, or use "
        "your own class.",
        autocompletion=completing.strategies,
    ),
]
Decontaminate = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Test set (.txt, .jsonl, .json): reject what overlaps it. Can be repeated."),
]
Filter = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE.py:NAME", help="Custom filter, such as rules.py:no_number. Can be repeated."),
]
Concurrency = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Maximum calls in flight. Does not change the data.")
]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Random seed.")]
Batch = Annotated[
    bool | None,
    typer.Option("--batch/--no-batch", help="Use OpenAI's Batch API: half the price, answers within a day."),
]
SendKeys = Annotated[
    bool,
    typer.Option(
        "--send-keys",
        help="Allow sending the API keys named by RUN or --config to the servers named there. "
        "The consent is remembered.",
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Generate only a few tasks and estimate what N tasks will need.")
]
MaxCost = Annotated[
    float | None,
    typer.Option(metavar="USD", help="Maximum cost of RUN, earlier sessions included. Needs prices in --config."),
]
MaxRequests = Annotated[int | None, typer.Option(metavar="N", help="Maximum calls of RUN, earlier sessions included.")]
MaxTokens = Annotated[
    int | None,
    typer.Option(metavar="N", help="Maximum tokens of RUN, prompts and earlier sessions included."),
]

# rejected, refilter

Stage = Annotated[
    str | None,
    typer.Option(metavar="STAGE", help="Only this stage, such as novelty.", autocompletion=completing.rejected_stages),
]
Reason = Annotated[
    str | None,
    typer.Option(
        metavar="REASON", help="Only this reason, such as too_similar.", autocompletion=completing.rejected_reasons
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILTER",
        help="Switch a filter off, such as too_short. Can be repeated.",
        autocompletion=completing.filters,
    ),
]
