"""A training's folder: begun, gone on with, or refused, and which checkpoint to go on from.

Going on is the same command again. What it does not name stays as it was; what it names must be what it was, unless it
only says how to compute (settings.RUNNING).
"""

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from finetune.examples import Example
from finetune.training.progress import read_metrics
from finetune.training.settings import RUNNING, FinetuneSettings, parse_settings, to_toml
from selfinstruct.config import merge, read_toml
from selfinstruct.errors import UsageError
from selfinstruct.export import whole_file

HEAD = """# What this student was trained with, defaults written out. To train another one like it:
# selfinstruct finetune --config THIS_FILE --out OTHER
"""


def taken_up(settings: FinetuneSettings, folder: Path) -> FinetuneSettings:
    """The settings of the training that was begun in `folder`, or `settings` where there is none yet.

    UsageError where `settings` name something else than it was begun with, or the folder holds other things.
    """
    file = folder / "finetune.toml"
    if not file.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder}: is there already, and is no training of ours. Choose another --out.")
        return settings
    before = parse_settings(read_toml(file), file).model_dump(mode="json")
    named, now = (settings.model_dump(mode="json", exclude_unset=unset) for unset in (True, False))
    pairs = [(key, now[key], before[key]) for key in named if key != "lora"]
    pairs += [(f"lora.{key}", now["lora"][key], before["lora"][key]) for key in named.get("lora", ())]
    differing = [
        f"  {key}: {json.dumps(value)}, but it was begun with {json.dumps(was)}"
        for key, value, was in pairs
        if value != was and key not in RUNNING
    ]
    if differing:
        raise UsageError(
            "\n".join([f"{folder}: was begun with other settings:", *differing])
            + "\nLeave them out to go on with it, or train anew in another --out."
        )
    return parse_settings(merge(before, {key: named[key] for key in RUNNING & named.keys()}), file)


def write_settings(settings: FinetuneSettings, folder: Path) -> None:
    """Write DIR/finetune.toml."""
    with whole_file(folder / "finetune.toml", "--out") as part:
        part.write_text(HEAD + to_toml(settings), encoding="utf-8")


def check_data(examples: Iterable[Example], folder: Path) -> None:
    """Remember what the training learns from; UsageError where it was begun with something else."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps(example).encode())
    file = folder / "checkpoints" / "data.sha256"
    if not latest(folder):
        with whole_file(file, "--out") as part:
            part.write_text(digest.hexdigest(), encoding="utf-8")
    elif file.read_text(encoding="utf-8") != digest.hexdigest():
        raise UsageError(
            f"{folder}: the data, or the tokenizer, is not what it was when this training was begun, so it cannot go "
            "on as if nothing had happened. Train anew in another --out."
        )


def latest(folder: Path) -> Path | None:
    """The latest checkpoint that is whole: the trainer writes its state last, and a kill may come before."""
    found = sorted((folder / "checkpoints").glob("checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]))
    return next((path for path in reversed(found) if _is_whole(path)), None)


def drop_broken(folder: Path) -> None:
    """Remove checkpoints that a kill left in the making; the trainer would take them for whole ones."""
    for path in (folder / "checkpoints").glob("checkpoint-*"):
        if not _is_whole(path):
            shutil.rmtree(path)


def is_finished(folder: Path) -> bool:
    """Whether the student is there: its last line of metrics is written after everything else."""
    metrics = read_metrics(folder / "metrics.jsonl")
    return bool(metrics) and "stopped" in metrics[-1]


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return False
    return True
