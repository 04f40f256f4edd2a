"""Records out, into files that are written whole: by how a file ends, a JSON list, JSON Lines or Parquet."""

import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from selfinstruct.export.formats import Format, Row, format_named
from selfinstruct.records import canonical_json
from selfinstruct.rows.writing import refuse_ending, whole_file
from selfinstruct.store.store import Store


def write_records(store: Store) -> Path:
    """Write RUN/records.jsonl, one record a line with all its fields, and give its path."""
    path = store.folder / "records.jsonl"
    write_lines(path, (record.as_dict() for record in store.records()))
    return path


def export(store: Store, format: str, output: Path | None) -> tuple[Path, int]:
    """Write the run's records in `format` and give the file's path and its number of rows.

    Without `output`: RUN/<format>.json, .jsonl or .parquet. UsageError if it cannot be written.
    """
    path, chosen = place(store, format, output), format_named(format)
    return path, WRITERS[chosen.suffix](path, chosen.rows(store.records()))


def place(store: Store, format: str, output: Path | None) -> Path:
    """Where an export goes: `output`, or a file in the run's folder; UsageError if `output` ends like another kind."""
    chosen: Format = format_named(format)
    if output:
        refuse_ending(output, KINDS[chosen.suffix], f"The format {chosen.name} is always written as")
    return output or store.folder / f"{chosen.name}.{chosen.suffix}"


def write_lines(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as JSON Lines, whole or not at all, and give their number."""
    n = 0
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for n, row in enumerate(rows, start=1):  # noqa: B007 - the last n is the count
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return n


def _write_list(path: Path, rows: Iterable[Row]) -> int:
    n = 0
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write("[")
        for n, row in enumerate(rows, start=1):
            file.write(("," if n > 1 else "") + "\n" + json.dumps(row, ensure_ascii=False))
        file.write("\n]\n")
    return n


def _write_parquet(path: Path, rows: Iterable[Row]) -> int:
    """As for records.jsonl, but that the column `extra` is always there, as JSON: its fields differ from run to run."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    schema = pa.schema([
        ("id", pa.string()), ("task", pa.int64()), ("instruction", pa.string()), ("input", pa.string()),
        ("output", pa.string()), ("is_classification", pa.bool_()), ("messages", pa.list_(message)),
        ("extra", pa.string()),
    ])  # fmt: skip
    n = 0
    with whole_file(path) as part, pq.ParquetWriter(part, schema) as writer:
        for batch in _batched(rows, 10_000):
            columns = [{**row, "extra": canonical_json(row["extra"]) if "extra" in row else None} for row in batch]
            writer.write_table(pa.Table.from_pylist(columns, schema=schema))
            n += len(batch)
    return n


WRITERS: dict[str, Callable[[Path, Iterable[Row]], int]] = {
    "json": _write_list,
    "jsonl": write_lines,
    "parquet": _write_parquet,
}


KINDS = {"json": "JSON list", "jsonl": "JSON Lines", "parquet": "Parquet"}  # as people call what WRITERS write


def _batched(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
