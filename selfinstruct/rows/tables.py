"""Any table that a user brings as rows with named columns: CSV, TSV, JSON, JSON Lines, Parquet, or a run's records."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from selfinstruct.errors import UsageError
from selfinstruct.rows import files
from selfinstruct.rows.reading import read_text
from selfinstruct.untrusted import to_json


def read_objects(path: Path) -> list[dict[str, Any]]:
    """The rows of a file by the names of its columns; those of CSV are texts.

    UsageError, which says where, for a row that cannot be read or has other cells than there are columns.
    """
    path = files.of_run(path)
    if path.suffix.lower() not in (".csv", ".tsv"):
        found = files.read(path)
        for row in found.rows:
            if row.fault or not isinstance(row.value, dict):
                raise UsageError(f"{path}, {found.unit} {row.number}: {row.fault or 'not a JSON object'}.")
        return [files.whole_row(found, at) for at in range(len(found.rows))]
    text = read_text(path)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
    try:
        rows = list(reader)
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: {error}.") from None
    if not rows:
        raise UsageError(f"{path}: there is no row below the names of the columns.")
    if repeated := [name for name, n in Counter(reader.fieldnames or ()).items() if n > 1]:
        raise UsageError(f"{path}: two columns are called {repeated[0]!r}. Rename one.")
    for number, cells in enumerate(rows, 1):
        if None in cells or None in cells.values():
            raise UsageError(f"{path}, row {number}: it has more or fewer cells than there are columns.")
    return rows


def ids_of(path: Path, rows: Sequence[Mapping[str, Any]], id: str) -> list[Any]:
    """What identifies each row: its value in the column `id`, or its number from 1 if `id` is "".

    UsageError for a row without an id, and for two rows with the same one.
    """
    ids = [row.get(id) for row in rows] if id else list(range(1, len(rows) + 1))
    first: dict[str, int] = {}
    for number, one in enumerate(ids, 1):
        if one is None or one == "":
            raise UsageError(f"{path}, row {number}: it has no {id}.")
        key = to_json(one)
        if key in first:
            raise UsageError(f"{path}: rows {first[key]} and {number} have the same {id}, {key[:50]}.")
        first[key] = number
    return ids
