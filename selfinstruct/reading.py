"""Files that users bring: text, and rows of JSON; whatever is wrong with one is a UsageError that names the place."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct.errors import UsageError


class Row(NamedTuple):
    """A JSON value of a file; `where` names its place for an error message, `number` is its line or place, from 1."""

    number: int
    where: str
    value: Any


def read_text(path: Path) -> str:
    """A file's text; UsageError where it is missing, may not be read, or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).") from None


def read_rows(path: Path) -> list[Row]:
    """The values of a file that holds one JSON list, or one JSON value a line; UsageError where it holds neither."""
    text = read_text(path)
    if text.lstrip().startswith("["):
        values = _loads(text, str(path))
        rows = [Row(number, f"{path}, row {number}", value) for number, value in enumerate(values, start=1)]
        return rows or _empty(path)
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    where = [f"{path}, line {number}" for number, _ in lines]
    rows = [Row(number, at, _loads(line, at)) for (number, line), at in zip(lines, where, strict=True)]
    return rows or _empty(path)


def _empty(path: Path) -> list[Row]:
    raise UsageError(f"{path}: is empty.")


def _loads(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{error.msg}, line {error.lineno}, column {error.colno}"
        raise UsageError(f"{where}: not valid JSON ({place}). Correct it, or take it out.") from None
    except (RecursionError, ValueError) as error:  # nested too deeply, a number too long
        raise UsageError(f"{where}: cannot be read ({type(error).__name__}). Take it out.") from None
