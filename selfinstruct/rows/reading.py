"""Files that users bring: text, and rows of JSON; every problem is a UsageError that names the place."""

import json
import re
import stat
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct.errors import UsageError

# What was read from each pipe, by device and inode: it can be read only once, and some files are read twice.
_PIPES: dict[tuple[int, int], bytes] = {}


class Row(NamedTuple):
    """A JSON value of a file; `where` names its place for an error message, `number` is its line or place, from 1."""

    number: int
    where: str
    value: Any


def read_text(path: Path) -> str:
    """A file's text; UsageError if it is missing, may not be read, or is not UTF-8."""
    content = read_bytes(path)
    if content.startswith(b"PAR1"):
        raise UsageError(f"{path}: a Parquet file, which cannot be used here. Save its rows as JSON Lines.")
    return utf8(path, content).replace("\r\n", "\n").replace("\r", "\n")


def utf8(path: Path, content: bytes) -> str:
    """A file's bytes as text, without a byte order mark; UsageError if they are not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        advice = other_kind(path) or "Save it as UTF-8."
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}). {advice}") from None


def other_kind(path: Path) -> str:
    """What to do about a file that cannot be read, if its name says that it is no JSON; "" if it does not."""
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv", ".xlsx"):
        return f"{suffix} files are not supported. Convert it to JSON Lines."
    return "Despite its name, it is not a Parquet file; it may be damaged." if suffix == ".parquet" else ""


def read_bytes(path: Path) -> bytes:
    """A file's bytes; UsageError if it is missing, may not be read, or is neither a file nor a pipe of the shell."""
    try:
        found = path.stat()
        # Reading a named pipe may never begin, and reading a device never end. <(command) is a pipe that is open.
        is_open = stat.S_ISFIFO(found.st_mode) and str(path).startswith(("/dev/", "/proc/"))
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode) or is_open):
            raise UsageError(f"{path}: not a regular file.")
        pipe = found.st_dev, found.st_ino
        content = _PIPES[pipe] if is_open and pipe in _PIPES else path.read_bytes()
        if is_open:
            _PIPES[pipe] = content
        return content
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file.") from None
    except IsADirectoryError:
        records = path / "records.jsonl"
        of_run = f" The records of this run are in {records}." if records.is_file() else ""
        raise UsageError(f"{path}: this is a folder; name a file.{of_run}") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).") from None


def numbered_lines(text: str) -> list[tuple[int, str]]:
    """The lines that hold something, each with its number, from 1; files that were joined have marks inside."""
    if "\ufeff" in text:
        text = re.sub("^\ufeff+", "", text, flags=re.MULTILINE)
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def read_rows(path: Path) -> list[Row]:
    """The values of a file that holds one JSON list, or one JSON value a line; UsageError if it holds neither."""
    text = read_text(path)
    if text.lstrip().startswith("["):
        values = _loads(text, str(path), path)
        rows = [Row(number, f"{path}, row {number}", value) for number, value in enumerate(values, start=1)]
        return rows or _empty(path)
    lines = [(number, line, f"{path}, line {number}") for number, line in numbered_lines(text)]
    rows = [Row(number, where, _loads(line, where, path)) for number, line, where in lines]
    return rows or _empty(path)


def _empty(path: Path) -> list[Row]:
    raise UsageError(f"{path} is empty.")


def _loads(text: str, where: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        fault = json_fault(error)
        fault = fault if where == str(path) else fault.replace("line 1, ", "")  # `where` says which line it is
        raise UsageError(f"{where}: {fault}. {other_kind(path) or 'Correct or remove it.'}") from None
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{where}: {json_fault(error)}. Remove it.") from None


def json_fault(error: RecursionError | ValueError) -> str:
    """What keeps a text from being read as JSON: a mistake in it, values nested too deeply, a number too long."""
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON ({error.msg}, line {error.lineno}, column {error.colno})"
    return f"cannot be read ({type(error).__name__})"
