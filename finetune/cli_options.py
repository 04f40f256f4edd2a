"""Options and arguments of the fine-tuning commands that need more than one line; see selfinstruct.cli.options."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def _presets(incomplete: str) -> list[str]:
    from finetune.training.settings import presets

    return [name for name in presets() if name.startswith(incomplete)]


def _launchers(incomplete: str) -> list[str]:
    return [name for name in ("ddp", "fsdp") if name.startswith(incomplete)]


# finetune

TrainingData = Annotated[
    list[str] | None,
    typer.Argument(metavar="[DATA]...", help="Training data: run folders, files, or names on the hub."),
]
Preset = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Published settings: alpaca-7b or koala-13b.", autocompletion=_presets),
]
Method = Annotated[
    Literal["full", "lora", "qlora"] | None,
    typer.Option(help="Train all weights, or adapters. Default: full if it fits in memory, else lora."),
]
TemplateName = Annotated[
    Literal["model", "chatml", "alpaca", "paper"] | None,
    typer.Option(help="Dialogue format. Default: the model's own, or chatml if it has none."),
]
Overlong = Annotated[
    Literal["drop", "truncate", "error"] | None, typer.Option(help="What to do with rows over --max-length.")
]
Launch = Annotated[
    str | None,
    typer.Option(
        metavar="HOW",
        help="Train on several GPUs with `accelerate launch`: ddp, fsdp, or your own config file.",
        autocompletion=_launchers,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be trained and whether it fits, without loading weights.")
]
StartModel = Annotated[
    str | None, typer.Option(metavar="MODEL", help="Model to start from: a folder, a GGUF file, or a name on the hub.")
]
Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="TOML file of settings, such as another DIR's finetune.toml.")
]

# compare

SideA = Annotated[
    str,
    typer.Argument(
        metavar="A", help="Folder of a student, file of answers, MODEL@FILE for one model of such a file, or MODEL@URL."
    ),
]
Prompts = Annotated[
    Path,
    typer.Option(metavar="FILE", help="Questions: a dataset in any common format, or a .txt file with one per line."),
]
Judge = Annotated[
    str | None,
    typer.Option(
        metavar="MODEL", help='Judge model; sees each pair in both orders. "simulated" is the built-in judge.'
    ),
]
TrainedOn = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Training data: leave out prompts that overlap it.")
]
People = Annotated[
    bool | None,
    typer.Option("--people/--no-people", help="Let people judge in a browser. Default: on unless --judge is given."),
]
