"""A dataset's file as rows, and rows as such a file again: a JSON list, JSON Lines, or Parquet, told by the content.

A row that cannot be read is a row with a fault: the others are read all the same. In a JSON list nothing behind a fault
can be read, since it is not known where the next row begins.

The whole file is held in memory, text and values: `docs/check.md` says how much that is.
"""

import io
import json
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from selfinstruct.errors import UsageError
from selfinstruct.rows.fields import KNOWN
from selfinstruct.rows.reading import (
    DECODER,
    RepeatedField,
    json_fault,
    numbered_lines,
    other_kind,
    read_bytes,
    refuse_one_value,
    utf8,
)

_SPACE = re.compile(r"[ \t\n\r]*")
Kind = Literal["JSON list", "JSON Lines", "Parquet"]


class Row(NamedTuple):
    """One row: its line, or its place in a list or table, from 1, and its value.

    `raw` is its text, None in Parquet; `fault` says why it has no value.
    """

    number: int
    value: Any
    raw: str | None = None
    fault: str | None = None


class File(NamedTuple):
    """A dataset as read; `layout` is what stands before, between and behind the rows of a list, `table` Parquet's.

    `beside`: columns of the table that no format knows and whose values are not read, with their rows that hold one.
    """

    path: Path
    kind: Kind
    rows: list[Row]
    layout: tuple[str, str, str] = ("", "\n", "")
    table: Any = None
    beside: Mapping[str, int] = {}

    @property
    def unit(self) -> Literal["line", "row"]:
        """What `Row.number` counts."""
        return "line" if self.kind == "JSON Lines" else "row"


def of_run(path: Path) -> Path:
    """The records of a run, if the path is its folder; UsageError for a run of votes, which has none."""
    if (path / "run.db").is_file() and (path / "annotations.jsonl").is_file():
        raise UsageError(
            f"{path} holds votes on rows, not records. Write training data for a student with selfinstruct "
            f"combine {path} --output FILE, and pass that file."
        )
    return path / "records.jsonl" if (path / "run.db").is_file() else path


def read(path: Path) -> File:
    """Read a file; UsageError if it is missing, unreadable, empty, or no row of it can be read."""
    content = read_bytes(path)
    if content.startswith(b"PAR1"):
        file = _read_parquet(path, content)
    elif content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[") and not _is_lines(content):
        file = _read_list(path, content)
    else:
        file = _read_lines(path, content)
    if not file.rows:
        raise UsageError(f"{path} is empty.")
    first = file.rows[0]
    if all(row.fault for row in file.rows):
        advice = "Use a JSON list, one JSON object per line, or Parquet."
        if kind := other_kind(path):
            advice = kind
        elif str(first.fault).startswith("not UTF-8"):
            advice = "Convert it, for example with: iconv -f latin1 -t utf-8"
        raise UsageError(f"{path}: no row can be read ({file.unit} {first.number}: {first.fault}). {advice}")
    return file


def _is_lines(content: bytes) -> bool:
    """Whether the first two lines are a JSON value each: a list in a line does not make the file a list."""
    lines = list(islice(filter(bytes.strip, io.BytesIO(content)), 2))
    if len(lines) < 2:
        return False
    try:
        for line in reversed(lines):  # the second first: most lists of several lines have none that is a value
            json.loads(line)
    except (RecursionError, ValueError):
        return False
    return True


def _read_lines(path: Path, content: bytes) -> File:
    # Bytes that are not UTF-8 become half surrogates, so that only their own lines are at fault.
    text = content.decode("utf-8-sig", "surrogateescape")
    if "\n" not in text:  # lines may end with CR alone, which other commands read as well
        text = text.replace("\r", "\n")
    lines = numbered_lines(text)
    file = File(path, "JSON Lines", [_line(*line) for line in lines], ("", "\n", "\n" if text.endswith("\n") else ""))
    if all(row.fault for row in file.rows):
        refuse_one_value(path, text)
    return file


def _line(number: int, line: str) -> Row:
    try:
        line.encode()
        return Row(number, DECODER.decode(line), line)
    except UnicodeEncodeError as error:
        return Row(number, None, line, f"not UTF-8 (character {error.start + 1})")
    except (RecursionError, ValueError) as error:
        fault = json_fault(error).replace("line 1, ", "")  # of this line; which one it is, the finding says
        return Row(number, None, line, fault)


def _read_list(path: Path, content: bytes) -> File:
    text = utf8(path, content)
    rows: list[Row] = []
    ends: list[tuple[int, int]] = []
    fault = None
    at = _behind_space(text, text.index("[") + 1)
    is_over = text.startswith("]", at)
    while not is_over:
        try:
            value, end, of_row = _decoded(text, at)
        except (RecursionError, ValueError) as error:
            fault = json_fault(error)
            break
        rows.append(Row(len(rows) + 1, value, text[at:end], of_row))
        ends.append((at, end))
        behind = _behind_space(text, end)
        is_over = text.startswith("]", behind)
        at = behind if is_over else _behind_space(text, behind + 1)
        if not is_over and not text.startswith(",", behind):
            at, fault = behind, json_fault(json.JSONDecodeError("Expecting ',' delimiter", text, behind))
            break
    if is_over and text[at + 1 :].strip():
        at += 1
        fault = json_fault(json.JSONDecodeError("Extra data", text, at))
    if fault:
        rows.append(Row(len(rows) + 1, None, text[at:], f"{fault}; nothing after it can be read"))
    head = text[: ends[0][0]] if ends else "["
    gap = text[ends[0][1] : ends[1][0]] if len(ends) > 1 else ",\n"
    tail = text[ends[-1][1] :] if ends and not fault else "\n]\n"
    return File(path, "JSON list", rows, (head, gap, tail))


def _decoded(text: str, at: int) -> tuple[Any, int, str | None]:
    """A value of JSON, its end, and its fault if it has a field twice."""
    try:
        return *DECODER.raw_decode(text, at), None
    except RepeatedField as error:
        return None, json.JSONDecoder().raw_decode(text, at)[1], json_fault(error)


def _behind_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def read_table(path: Path, content: bytes) -> Any:
    """The table of a Parquet file; UsageError if it cannot be read, or has two columns of the same name."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read()
        table.validate(full=True)  # that its texts are UTF-8
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path}: cannot be read as Parquet ({str(error).splitlines()[0]}).") from None
    names = table.column_names
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"{path}: has two columns with the name {twice[0]}. Rename or remove one.")
    return table


def values(path: Path, table: Any) -> list[Any]:
    """The rows of a table as objects; UsageError if one has a value that Python cannot hold."""
    try:
        found: list[Any] = table.to_pylist()
    except (OverflowError, ValueError) as error:  # such as a date after the year 9999
        raise UsageError(f"{path}: cannot be read as Parquet ({error}).") from None
    return found


def _read_parquet(path: Path, content: bytes) -> File:
    table = read_table(path, content)
    known = [name for name in table.column_names if name.lower() in KNOWN]
    if not known:
        has = f"The columns are: {', '.join(table.column_names)}." if table.column_names else "It has no columns."
        raise UsageError(f"{path}: no column has a known name. {has}")
    rows = [Row(n, value) for n, value in enumerate(values(path, table.select(known)), start=1)]
    others = [name for name in table.column_names if name not in known]
    beside = {name: n for name in others if (n := table.num_rows - table.column(name).null_count)}
    return File(path, "Parquet", rows, table=table, beside=beside)


def write(file: File, part: Path, keep: Sequence[int], mended: Mapping[int, Any]) -> None:
    """Write the rows at the positions `keep` (from 0) of a file to `part`, those in `mended` with their new value.

    A row that is not mended is written as it was, byte for byte in JSON; so are the spaces around it.
    """
    if file.kind == "Parquet":
        _write_parquet(file, part, keep, mended)
        return
    head, gap, tail = file.layout
    with part.open("w", encoding="utf-8", newline="") as out:
        out.write(head)
        for n, i in enumerate(keep):
            out.write((gap if n else "") + (to_line(mended[i]) if i in mended else str(file.rows[i].raw)))
        out.write(tail if keep or file.kind == "JSON list" else "")


def _write_parquet(file: File, part: Path, keep: Sequence[int], mended: Mapping[int, Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = file.table.take(pa.array(keep, pa.int64()))
    changed = {name for i, row in mended.items() for name in row if row[name] != file.rows[i].value[name]}
    for place, field in enumerate(table.schema):
        if field.name in changed:
            values = [mended.get(i, file.rows[i].value)[field.name] for i in keep]
            table = table.set_column(place, field, pa.array(values, field.type))
    pq.write_table(table, part)


def whole_row(file: File, position: int) -> Any:
    """All that a row holds, of Parquet also the columns that nothing here looks at; its text where it has no value."""
    row = file.rows[position]
    if file.table is not None:
        return values(file.path, file.table.slice(position, 1))[0]
    return row.raw if row.fault else row.value


def to_line(value: Any) -> str:
    """A value as JSON in one line; characters that UTF-8 cannot carry are escaped."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, default=str)
    return text
