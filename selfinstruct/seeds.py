"""Seed tasks: one JSON object a line, in the paper's format.

{"id": "s1", "name": "rivers", "instruction": "Name three rivers of the given continent.",
 "instances": [{"input": "Africa", "output": "Nile, Niger, Congo"}], "is_classification": false}
"""

import json
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from selfinstruct.errors import UsageError
from selfinstruct.records import Instance, SeedTask

# Something other than white space.
_Text = Annotated[str, StringConstraints(pattern=r"\S")]


class _InstanceLine(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    input: str
    output: str


class _SeedLine(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)
    id: str = ""
    name: str = ""
    instruction: _Text
    instances: list[_InstanceLine] = Field(min_length=1)
    is_classification: bool


def read_seeds(path: Path) -> tuple[SeedTask, ...]:
    """The seed tasks of a JSONL file, in its order; a missing id becomes "seed_<line>".

    UsageError names every wrong line and field (the first ten of them), a missing file, or an empty one.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such seed file. --seeds takes a JSONL file of seed tasks.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).") from None
    seeds: list[SeedTask] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            parsed = _SeedLine.model_validate(values)
            json.dumps(values, ensure_ascii=False).encode()  # half a surrogate pair could not be stored
        except json.JSONDecodeError as error:
            problems.append(f"line {number}: not valid JSON ({error.msg}, column {error.colno})")
            continue
        except ValidationError as error:
            problems += [_explain(number, problem["loc"], problem["msg"]) for problem in error.errors()]
            continue
        except (RecursionError, ValueError) as error:  # nested too deeply, a number too long, text that is no text
            problems.append(f"line {number}: cannot be read ({type(error).__name__})")
            continue
        seed = SeedTask(
            parsed.id or f"seed_{number}", parsed.name, parsed.instruction.strip(),
            tuple(Instance(i.input, i.output) for i in parsed.instances), parsed.is_classification,
        )  # fmt: skip
        if seed.id in seen:
            problems.append(f"line {number}: field id: {seed.id!r} is used on line {seen[seed.id]} already")
        seen[seed.id] = number
        seeds.append(seed)
    if problems:
        more = [f"... and {len(problems) - 10} more"] if len(problems) > 10 else []
        raise UsageError("\n".join(f"{path}, {p}" for p in problems[:10]) + "".join(f"\n{m}" for m in more))
    if not seeds:
        raise UsageError(f"{path}: holds no seed task. It needs at least one, better forty.")
    return tuple(seeds)


def _explain(number: int, location: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in location)
    return f"line {number}: field {where}: {message}" if where else f"line {number}: {message}"
