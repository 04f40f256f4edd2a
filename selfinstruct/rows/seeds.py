"""Seed tasks: one JSON object a line, in the paper's format.

{"id": "s1", "name": "rivers", "instruction": "Name three rivers of the given continent.",
 "instances": [{"input": "Africa", "output": "Nile, Niger, Congo"}], "is_classification": false}

Other fields are not used, and said to be.
"""

import json
import shlex
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from selfinstruct.errors import UsageError
from selfinstruct.records import Instance, SeedTask, storable
from selfinstruct.rows import not_used
from selfinstruct.rows.fields import is_empty
from selfinstruct.rows.reading import DECODER, json_fault, numbered_lines, other_kind, read_text, refuse_one_value
from selfinstruct.settings import plain


def _some_text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if storable(text) != text:
        raise ValueError("contains half a surrogate pair, which is not a character")
    return text


# What a row in Alpaca's format lacks.
_INSTEAD: dict[tuple[int | str, ...], str] = {
    ("instances",): '; put input and output into it: "instances": [{"input": "...", "output": "..."}]',
    ("is_classification",): "; set it to true if the output is one of a few labels, and to false otherwise",
}


class _InstanceLine(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    input: str
    output: str


class _SeedLine(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    id: str = ""
    name: str = ""
    instruction: Annotated[str, AfterValidator(_some_text)]
    instances: list[_InstanceLine] = Field(min_length=1)
    is_classification: bool


def read_seeds(path: Path) -> tuple[SeedTask, ...]:
    """The seed tasks of a JSONL file, in its order; a missing id becomes "seed_<line>".

    UsageError names every wrong line and field (the first ten of them), a missing file, or an empty one.
    """
    seeds, problems, unused = parse_seeds(path)
    if problems:
        more = [f"... and {len(problems) - 10} more"] if len(problems) > 10 else []
        raise UsageError("\n".join([*(f"{path}, line {n}: {problem}" for n, problem in problems[:10]), *more]))
    not_used.tell(path, unused)
    return tuple(seeds.values())


def parse_seeds(path: Path) -> tuple[dict[int, SeedTask], list[tuple[int, str]], Counter[str]]:
    """The seed tasks of a JSONL file by line, what is wrong with it, each with its line, and which fields are not used.

    UsageError if the file cannot be read at all, or holds nothing.
    """
    text = read_text(path)
    _refuse_list(path, text)
    seeds: dict[int, SeedTask] = {}
    problems: list[tuple[int, str]] = []
    seen: dict[str, int] = {}
    unused: Counter[str] = Counter()
    for number, line in numbered_lines(text):
        try:
            values = DECODER.decode(line)
            parsed = _SeedLine.model_validate(values)
            json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair could not be stored
        except ValidationError as error:
            problems += [(number, _explain(problem["loc"], problem["msg"])) for problem in error.errors()]
            continue
        except (RecursionError, ValueError) as error:
            problems.append((number, json_fault(error).replace("line 1, ", "")))
            continue
        seed = SeedTask(
            parsed.id or f"seed_{number}", parsed.name, parsed.instruction.strip(),
            tuple(Instance(i.input, i.output) for i in parsed.instances), parsed.is_classification,
        )  # fmt: skip
        if seed.id in seen:
            problems.append((number, f"field id: {seed.id!r} is already used on line {seen[seed.id]}"))
        seen[seed.id] = number
        seeds[number] = seed
        unused.update(sorted(_not_used(values)))
    if not seeds and (kind := other_kind(path)):
        raise UsageError(f"{path}: no seed tasks found. {kind}")
    if not seeds:
        refuse_one_value(path, text)
    if not seeds and not problems:
        raise UsageError(f"{path}: no seed tasks found. At least one is needed; forty or more are better.")
    return seeds, problems, unused


def _refuse_list(path: Path, text: str) -> None:
    with suppress(ValueError, RecursionError):
        if text.lstrip().startswith("[") and isinstance(json.loads(text), list):
            raise UsageError(
                f"{path}: this is one JSON list; seed tasks must be JSON Lines, one object per line. To convert it: "
                f"jq -c '.[]' {shlex.quote(str(path))} > seeds.jsonl"
            )


def _not_used(row: dict[str, Any]) -> set[str]:
    """What a seed task has beside its fields, and its instances beside theirs."""
    beside = [(key, value) for key, value in row.items() if key not in _SeedLine.model_fields]
    beside += [
        (f"instances.*.{key}", value)
        for instance in row["instances"]
        for key, value in instance.items()
        if key not in _InstanceLine.model_fields
    ]
    return {key for key, value in beside if not is_empty(value)}


def _explain(location: tuple[int | str, ...], message: str) -> str:
    message = "must be a JSON object" if message.startswith("Input should be a valid dictionary") else plain(message)
    if message == "missing":
        message += _INSTEAD.get(location, "")
    where = ".".join(str(part) for part in location)
    return f"field {where}: {message}" if where else message
