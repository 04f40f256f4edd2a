"""Files written next to their place and moved there when complete, so that a reader never sees half of one."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from selfinstruct.errors import UsageError


@contextmanager
def whole_file(path: Path, option: str = "--output") -> Iterator[Path]:
    """A temporary path beside `path`, moved over it at the end.

    UsageError if it cannot be written, which says by which `option` to choose another one.
    """
    if path.name == "run.db":
        raise UsageError(f"{path} holds a run's answers and is never overwritten. Choose another path with {option}.")
    part = path.parent / f".{path.name}.part"
    try:
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
