"""A training's folder: started, resumed, or refused, and which checkpoint to resume from.

The same command resumes. Settings that it does not name stay as they were; those that it names must be unchanged,
unless they only affect the computation (settings.RUNNING).
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from safetensors import SafetensorError, safe_open

from finetune.examples import Example
from finetune.training.progress import read_metrics
from finetune.training.settings import RUNNING, FinetuneSettings, parse_settings, to_toml
from selfinstruct.errors import UsageError
from selfinstruct.rows.toml import read_toml
from selfinstruct.rows.writing import refuse_link, whole_file
from selfinstruct.settings import merge

HEAD = """# The settings of this student, including defaults. To train another one like it:
# selfinstruct finetune --config THIS_FILE --out OTHER
"""
PARTS = ("*model*", "optimizer*", "scheduler.pt", "rng_state*", "trainer_state.json")


def taken_up(settings: FinetuneSettings, folder: Path) -> FinetuneSettings:
    """The settings of the training in `folder`, or `settings` if none has reached a checkpoint yet.

    UsageError if `settings` differ from those it was started with, or the folder cannot be used.
    """
    file = folder / "finetune.toml"
    if not file.exists():
        _check_free(folder)
        return settings
    if not latest(folder) and settings.model_fields_set:
        return settings  # nothing came of it: start over
    begun = folder / "checkpoints" / "finetune.toml"
    before, written = (_settings(path) for path in (begun if begun.exists() else file, file))
    named = settings.model_dump(mode="json", exclude_unset=True)
    now = parse_settings(merge(written, named), file)
    differing = [*_differing(before, written), *_differing(before, now.model_dump(mode="json"))]
    if differing:
        raise UsageError(
            "\n".join([f"{folder} was started with different settings:", *dict.fromkeys(differing)])
            + "\nRestore them to resume, or train from the start in another --out."
        )
    return now


def _settings(path: Path) -> dict[str, Any]:
    return parse_settings(read_toml(path), path).model_dump(mode="json")


def _differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The settings that differ, one line each, except those that only affect the computation."""
    pairs = [(key, now[key], before[key]) for key in before if key != "lora" and key not in RUNNING]
    pairs += [(f"lora.{key}", now["lora"][key], before["lora"][key]) for key in before["lora"]]
    return [f"  {key}: {json.dumps(value)}, was {json.dumps(was)}" for key, value, was in pairs if value != was]


def _check_free(folder: Path) -> None:
    """UsageError if no training can be started in `folder`."""
    if folder.exists() and (not folder.is_dir() or any(path.name != "checkpoints" for path in folder.iterdir())):
        raise UsageError(f"{folder} already exists and is not a training run of selfinstruct. Choose another --out.")
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UsageError(f"{folder}: cannot be written ({there}). Choose another --out.")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock `folder` for this training; UsageError if another one is running there."""
    if (folder / "checkpoints").is_symlink():
        raise UsageError(f"{folder / 'checkpoints'} is a link, so nothing is written to it. Remove it.")
    refuse_link(folder / "checkpoints" / "lock")
    try:
        (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        file = (folder / "checkpoints" / "lock").open("a")
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror}). Choose another --out.") from None
    with file as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(
                f"{folder}: another process is training there. Wait for it, or choose another --out."
            ) from None
        yield


def write_settings(settings: FinetuneSettings, folder: Path) -> None:
    """Write DIR/finetune.toml, and next to the checkpoints the version that they were started with."""
    for file in (folder / "finetune.toml", folder / "checkpoints" / "finetune.toml"):
        with whole_file(file, "--out") as part:
            part.write_text(HEAD + to_toml(settings), encoding="utf-8")


def check_data(examples: Iterable[Example], folder: Path) -> None:
    """Store the hash of the training data; UsageError if the training was started with other data."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(json.dumps(example).encode())
    file = folder / "checkpoints" / "data.sha256"
    if not latest(folder):
        with whole_file(file, "--out") as part:
            part.write_text(digest.hexdigest(), encoding="utf-8")
    elif not file.is_file() or file.read_text(encoding="utf-8") != digest.hexdigest():
        raise UsageError(
            f"{folder}: the data or the tokenizer has changed since this run was started, so it cannot be "
            "resumed. Train from the start in another --out."
        )


def latest(folder: Path) -> Path | None:
    """The latest checkpoint that can be resumed from."""
    return next((path for path in _checkpoints(folder) if not _fault(path)), None)


def drop_damaged(folder: Path) -> list[str]:
    """Remove checkpoints that cannot be resumed from, which the trainer would take for whole ones; say why, of each."""
    faults = {path: fault for path in _checkpoints(folder) if (fault := _fault(path))}
    for path in faults:
        shutil.rmtree(path)
    return [f"{path} was incomplete or damaged ({fault}) and has been removed." for path, fault in faults.items()]


def is_finished(folder: Path) -> bool:
    """Whether the student is finished: its last line of metrics is written after everything else."""
    metrics = read_metrics(folder / "metrics.jsonl")
    return bool(metrics) and "stopped" in metrics[-1]


def _checkpoints(folder: Path) -> list[Path]:
    """The latest one first."""
    found = [path for path in (folder / "checkpoints").glob("checkpoint-*") if path.name[11:].isdecimal()]
    return sorted(found, key=lambda path: int(path.name[11:]), reverse=True)


def _fault(checkpoint: Path) -> str | None:
    """Why a checkpoint cannot be resumed from, by itself or because the best one before it is lost."""
    if fault := _fault_of_files(checkpoint):
        return fault
    state = json.loads((checkpoint / "trainer_state.json").read_bytes())
    if not isinstance(state, dict) or state.get("global_step") != int(checkpoint.name[11:]):
        return "trainer_state.json belongs to another checkpoint"
    best = state.get("best_global_step") or state["global_step"]
    if best != state["global_step"] and (fault := _fault_of_files(checkpoint.with_name(f"checkpoint-{best}"))):
        return f"checkpoint-{best}, the best one before it: {fault}"
    return None


def _fault_of_files(checkpoint: Path) -> str | None:
    """The first file that is missing or cut off. Not covered: damage inside of a file, which shows when it is read."""
    for part in PARTS:
        if not any(checkpoint.glob(part)):
            return f"{part.replace('*', '')} is missing"
    for path in sorted(checkpoint.iterdir()):
        if not (path.is_file() or path.is_dir()):
            return f"{path.name}: not a file"
        try:
            if path.suffix == ".json":
                content = json.loads(path.read_bytes())
                for shard in content["weight_map"].values() if path.name.endswith(".index.json") else ():
                    (checkpoint / shard).stat()
            elif path.suffix == ".safetensors":
                with safe_open(path, "pt"):
                    pass
            elif path.suffix in (".pt", ".pth"):
                ZipFile(path).close()
        except (OSError, ValueError, LookupError, TypeError, AttributeError, BadZipFile, SafetensorError) as error:
            return f"{path.name}: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
    return None
