"""Files written next to their place and moved there when complete, so that a reader never sees half of one.

Nothing is written through a symbolic link: a folder that came from somebody else may hold one to any file of ours.
Links to folders are followed, as people keep their runs on other disks.
"""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from selfinstruct.errors import UsageError


def refuse_link(path: Path) -> None:
    """UsageError if `path`, which is about to be written in place, is a link, or anything else but a file."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise UsageError(
            f"{path} is a link or not a regular file, so nothing is written to it. "
            "Replace it with a file, or remove it."
        )


ENDINGS = {"JSON list": (".json",), "JSON Lines": (".jsonl", ".json"), "Parquet": (".parquet",)}
_OTHERS = (".csv", ".tsv", ".xlsx", ".txt", ".arrow", ".zip", ".gz", ".zst", ".bz2", ".xz")


def refuse_ending(path: Path, kind: str, says: str) -> None:
    """UsageError if `path` ends like a file of another kind than `kind`; `says`: which command writes what."""
    claims = {*_OTHERS, *(ending for endings in ENDINGS.values() for ending in endings)}
    if (ending := path.suffix.lower()) in claims and ending not in ENDINGS[kind]:
        article = "a " if kind == "JSON list" else ""
        raise UsageError(f"{says} {article}{kind}: {path} must end in {ENDINGS[kind][0]}.")


@contextmanager
def whole_file(path: Path, option: str = "--output") -> Iterator[Path]:
    """A temporary path beside `path`, moved over it at the end.

    UsageError if it cannot be written, which says by which `option` to choose another one.
    """
    if path.name == "run.db":
        raise UsageError(f"{path} holds a run's answers and is never overwritten. Choose another path with {option}.")
    part = path.parent / f".{path.name}.part"
    try:
        part.unlink(missing_ok=True)  # what is there is not ours, or was left by a kill
        if not path.name or (path.exists() and not path.is_file()):
            raise IsADirectoryError(errno.EISDIR, "not a file")
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}). Choose another path with {option}.") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def whole_folder(path: Path, option: str) -> Iterator[Path]:
    """A temporary folder beside `path`, moved there at the end; `path` must not exist, or be an empty folder.

    UsageError if it cannot be written, which says by which `option` to choose another one.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        if part.is_symlink():
            part.unlink()
        shutil.rmtree(part, ignore_errors=True)  # left by a kill
        part.mkdir(parents=True)
        yield part
        part.replace(path)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written ({error.strerror or error}). Choose another folder with {option}."
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
