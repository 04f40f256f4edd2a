"""The formats that records leave in: one declaration each, read by the command line, the writer and the card.

| format            | one row is                                                     | read by                      |
|-------------------|----------------------------------------------------------------|------------------------------|
| alpaca            | {instruction, input, output}, all rows in one JSON list        | most fine-tuning tools       |
| self-instruct     | a task: {id, instruction, instances, is_classification}, JSONL | as seeds of another run      |
| messages          | {"messages": [{role, content}, ...]}, JSONL                    | TRL, OpenAI fine-tuning      |
| prompt-completion | {prompt, completion}, JSONL                                    | TRL                          |
| sharegpt          | {"conversations": [{from, value}, ...]}, JSONL                 | FastChat, Axolotl, ...       |
| parquet           | a record with all its fields, `extra` as JSON                  | datasets, pandas, DuckDB     |
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from selfinstruct.records import Record, user_message

Row = dict[str, Any]


class Format(NamedTuple):
    """A format: its name, how its file ends, which rows records become, and what a row is in words, for the card."""

    name: str
    suffix: str
    rows: Callable[[Iterable[Record]], Iterator[Row]]
    words: str


def _each(row: Callable[[Record], Row]) -> Callable[[Iterable[Record]], Iterator[Row]]:
    """Rows of which each is one record."""
    return lambda records: map(row, records)


def _alpaca(record: Record) -> Row:
    return {"instruction": record.instruction, "input": record.input, "output": record.output}


def _messages(record: Record) -> Row:
    return {"messages": record.messages}


def _prompt_completion(record: Record) -> Row:
    return {"prompt": user_message(record.instruction, record.input), "completion": record.output}


def _sharegpt(record: Record) -> Row:
    speakers = {"user": "human", "assistant": "gpt", "system": "system"}
    return {"conversations": [{"from": speakers[m["role"]], "value": m["content"]} for m in record.messages]}


def _by_task(records: Iterable[Record]) -> Iterator[Row]:
    for task, group in itertools.groupby(records, key=lambda record: record.task):
        of_task = list(group)
        yield {
            "id": f"task_{task}",
            "name": f"task_{task}",
            "instruction": of_task[0].instruction,
            "instances": [{"input": record.input, "output": record.output} for record in of_task],
            "is_classification": bool(of_task[0].is_classification),
        }


FORMATS = (
    Format("alpaca", "json", _each(_alpaca), "`instruction`, `input` (empty where the task needs none) and `output`"),
    Format(
        "self-instruct", "jsonl", _by_task,
        "a task: `id`, `name`, `instruction`, `instances` (`input`, `output`) and `is_classification`",
    ),
    Format(
        "messages", "jsonl", _each(_messages),
        "`messages`: a user turn (instruction and input) and an assistant turn (output)",
    ),
    Format(
        "prompt-completion", "jsonl", _each(_prompt_completion),
        "`prompt` (instruction and input) and `completion` (output)",
    ),
    Format(
        "sharegpt", "jsonl", _each(_sharegpt),
        "`conversations`: a `human` turn (instruction and input) and a `gpt` turn (output)",
    ),
    Format(
        "parquet", "parquet", _each(Record.as_dict),
        "a record: `id`, `task`, `instruction`, `input`, `output`, `is_classification`, `messages` and `extra`",
    ),
)  # fmt: skip
NAMES = tuple(one.name for one in FORMATS)


def format_named(name: str) -> Format:
    """The format of that name, one of NAMES."""
    return next(one for one in FORMATS if one.name == name)
