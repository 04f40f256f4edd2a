"""Files that users bring: text, and rows of JSON; every problem is a UsageError that names the place."""

import codecs
import json
import re
import stat
from pathlib import Path
from typing import Any, NamedTuple

from selfinstruct.errors import UsageError

# What was read from each pipe, by device and inode: it can be read only once, and some files are read twice.
_PIPES: dict[tuple[int, int], bytes] = {}


FIELDS_SHOWN = 10  # of a file that is one object, whose keys may be those of thousands of rows

# What a file is that begins so.
_OTHER_KINDS = {
    b"\x1f\x8b": "compressed with gzip. Unpack it first (gunzip).",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard. Unpack it first (unzstd).",
    b"PK\x03\x04": "a ZIP archive or an .xlsx file. Unpack it, or save it as JSON Lines.",
    b"ARROW1": "an Arrow file, which is not supported. Save it as Parquet or JSON Lines.",
    b"version https://git-lfs": "only a pointer of Git LFS. Get the file itself with: git lfs pull",
    codecs.BOM_UTF32_LE: "text in UTF-32. Convert it: iconv -f utf-32 -t utf-8",
    codecs.BOM_UTF16_LE: "text in UTF-16. Convert it: iconv -f utf-16 -t utf-8",
    codecs.BOM_UTF16_BE: "text in UTF-16. Convert it: iconv -f utf-16 -t utf-8",
    b"{\0": "text in UTF-16. Convert it: iconv -f utf-16le -t utf-8",
    b"[\0": "text in UTF-16. Convert it: iconv -f utf-16le -t utf-8",
}


class RepeatedField(ValueError):
    """An object of JSON with two values for one field: it is not known which of them is meant."""


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
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file.") from None
    except IsADirectoryError:
        records = path / "records.jsonl"
        of_run = f" The records of this run are in {records}." if records.is_file() else ""
        raise UsageError(f"{path}: this is a folder; name a file.{of_run}") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).") from None
    if kind := next((kind for start, kind in _OTHER_KINDS.items() if content.startswith(start)), None):
        raise UsageError(f"{path}: {kind}")
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, value in pairs:
            if found[name] != value:
                raise RepeatedField(f"has two values for the field {name}")
    return found


DECODER = json.JSONDecoder(object_pairs_hook=_object)  # RepeatedField where `json.loads` takes the last value


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
    try:
        rows = [Row(number, where, _loads(line, where, path)) for number, line, where in lines]
    except UsageError:
        refuse_one_value(path, text)  # which says more than that its first line is not valid
        raise
    return rows or _empty(path)


def refuse_one_value(path: Path, text: str) -> None:
    """UsageError if the lines of a file are one JSON value together."""
    if "\n" not in text.strip():
        return
    try:
        whole = json.loads(text)
    except (RecursionError, ValueError):
        return
    names = [*list(whole)[:FIELDS_SHOWN], *["..."] * (len(whole) > FIELDS_SHOWN)] if isinstance(whole, dict) else []
    fields = f" with the fields {', '.join(names)}" if names else ""
    raise UsageError(f"{path} is one JSON value{fields}. Put the rows into a list, or one per line.")


def _empty(path: Path) -> list[Row]:
    raise UsageError(f"{path} is empty.")


def _loads(text: str, where: str, path: Path) -> Any:
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        fault = json_fault(error)
        fault = fault if where == str(path) else fault.replace("line 1, ", "")  # `where` says which line it is
        raise UsageError(f"{where}: {fault}. {other_kind(path) or 'Correct or remove it.'}") from None
    except (RecursionError, ValueError) as error:
        advice = f"selfinstruct check {path} names the row." if where == str(path) else "Correct or remove it."
        raise UsageError(f"{where}: {json_fault(error)}. {advice}") from None


def json_fault(error: RecursionError | ValueError) -> str:
    """What keeps a text from being read as JSON: a mistake in it, values nested too deeply, a number too long."""
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON ({error.msg}, line {error.lineno}, column {error.colno})"
    if isinstance(error, RepeatedField):
        return str(error)
    if isinstance(error, UnicodeEncodeError):
        return "contains half a surrogate pair, which is not a character"
    return "nested too deeply" if isinstance(error, RecursionError) else "has a number with too many digits"
