"""Files that users bring: text, and rows of JSON; every problem is a UsageError that names the place."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct.errors import UsageError


class Row(NamedTuple):
    """A JSON value of a file; `where` names its place for an error message, `number` is its line or place, from 1."""

    number: int
    where: str
    value: Any


def read_text(path: Path) -> str:
    """A file's text; UsageError if it is missing, may not be read, or is not UTF-8."""
    return utf8(path, read_bytes(path)).replace("\r\n", "\n").replace("\r", "\n")


def utf8(path: Path, content: bytes) -> str:
    """A file's bytes as text, without a byte order mark; UsageError if they are not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None


def read_bytes(path: Path) -> bytes:
    """A file's bytes; UsageError if it is missing, or may not be read."""
    try:
        return path.read_bytes()
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
        values = _loads(text, str(path))
        rows = [Row(number, f"{path}, row {number}", value) for number, value in enumerate(values, start=1)]
        return rows or _empty(path)
    lines = [(number, line, f"{path}, line {number}") for number, line in numbered_lines(text)]
    rows = [Row(number, where, _loads(line, where)) for number, line, where in lines]
    return rows or _empty(path)


def _empty(path: Path) -> list[Row]:
    raise UsageError(f"{path} is empty.")


def _loads(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{where}: {json_fault(error)}. Correct or remove it.") from None
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{where}: {json_fault(error)}. Remove it.") from None


def json_fault(error: RecursionError | ValueError) -> str:
    """What keeps a text from being read as JSON: a mistake in it, values nested too deeply, a number too long."""
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON ({error.msg}, line {error.lineno}, column {error.colno})"
    return f"cannot be read ({type(error).__name__})"
