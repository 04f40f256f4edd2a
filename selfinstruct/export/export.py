"""Records out, in the formats that trainers read.

| format            | one row is                                                     | read by                      |
|-------------------|----------------------------------------------------------------|------------------------------|
| alpaca            | {instruction, input, output}, all rows in one JSON list        | most fine-tuning tools       |
| self-instruct     | a task: {id, instruction, instances, is_classification}, JSONL | as seeds of another run      |
| messages          | {"messages": [{role, content}, ...]}, JSONL                    | TRL, OpenAI fine-tuning      |
| prompt-completion | {prompt, completion}, JSONL                                    | TRL                          |
| sharegpt          | {"conversations": [{from, value}, ...]}, JSONL                 | FastChat, Axolotl, ...       |
| parquet           | a record with all its fields                                   | datasets, pandas, DuckDB     |

A file is written beside its place and moved there when it is whole, so a reader never sees half of it.
"""

import itertools
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from selfinstruct.records import ExportFormat, Record, user_message
from selfinstruct.rows.writing import whole_file
from selfinstruct.store.store import Store

SUFFIXES: dict[ExportFormat, str] = {
    "alpaca": "json", "self-instruct": "jsonl", "messages": "jsonl", "prompt-completion": "jsonl", "sharegpt": "jsonl",
    "parquet": "parquet",
}  # fmt: skip


def write_records(store: Store) -> Path:
    """Write RUN/records.jsonl, one record a line with all its fields, and give its path."""
    path = store.folder / "records.jsonl"
    _write_lines(path, (record.as_dict() for record in store.records()))
    return path


def export(store: Store, format: ExportFormat, output: Path | None) -> tuple[Path, int]:
    """Write the run's records in `format` and give the file's path and its number of rows.

    Without `output`: RUN/<format>.json, .jsonl or .parquet. UsageError where it cannot be written.
    """
    path = place(store, format, output)
    if format == "alpaca":
        return path, _write_list(path, map(_alpaca, store.records()))
    if format == "parquet":
        return path, _write_parquet(path, store.records())
    if format == "self-instruct":
        return path, _write_lines(path, _by_task(store.records()))
    rows = {"messages": _messages, "prompt-completion": _prompt_completion, "sharegpt": _sharegpt}[format]
    return path, _write_lines(path, map(rows, store.records()))


def place(store: Store, format: ExportFormat, output: Path | None) -> Path:
    """Where an export goes: `output`, or a file in the run's folder."""
    return output or store.folder / f"{format}.{SUFFIXES[format]}"


def _alpaca(record: Record) -> dict[str, Any]:
    return {"instruction": record.instruction, "input": record.input, "output": record.output}


def _messages(record: Record) -> dict[str, Any]:
    return {"messages": record.messages}


def _prompt_completion(record: Record) -> dict[str, Any]:
    return {"prompt": user_message(record.instruction, record.input), "completion": record.output}


def _sharegpt(record: Record) -> dict[str, Any]:
    speakers = {"user": "human", "assistant": "gpt", "system": "system"}
    return {"conversations": [{"from": speakers[m["role"]], "value": m["content"]} for m in record.messages]}


def _by_task(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    for task, group in itertools.groupby(records, key=lambda record: record.task):
        of_task = list(group)
        yield {
            "id": f"task_{task}",
            "name": f"task_{task}",
            "instruction": of_task[0].instruction,
            "instances": [{"input": record.input, "output": record.output} for record in of_task],
            "is_classification": bool(of_task[0].is_classification),
        }


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    n = 0
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        for n, row in enumerate(rows, start=1):  # noqa: B007 - the last n is the count
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return n


def _write_list(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    n = 0
    with whole_file(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.write("[")
        for n, row in enumerate(rows, start=1):
            file.write(("," if n > 1 else "") + "\n" + json.dumps(row, ensure_ascii=False))
        file.write("\n]\n")
    return n


def _write_parquet(path: Path, records: Iterable[Record]) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    schema = pa.schema([
        ("id", pa.string()), ("task", pa.int64()), ("instruction", pa.string()), ("input", pa.string()),
        ("output", pa.string()), ("is_classification", pa.bool_()), ("messages", pa.list_(message)),
    ])  # fmt: skip
    n = 0
    with whole_file(path) as part, pq.ParquetWriter(part, schema) as writer:
        for batch in _batched(records, 10_000):
            writer.write_table(pa.Table.from_pylist([record.as_dict() for record in batch], schema=schema))
            n += len(batch)
    return n


def _batched(rows: Iterable[Record], size: int) -> Iterator[list[Record]]:
    iterator = iter(rows)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
