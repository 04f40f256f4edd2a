"""Rows of run.db as the nouns of records.py, and back: the one place that knows which column is which field.

Each list of columns stands beside the function that reads its rows. In a query the letters are the tables: r requests,
s system_prompts, c candidates, t tasks.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field

from selfinstruct.errors import StoreError
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.records import (
    Candidate,
    Completion,
    Instance,
    Record,
    Request,
    SeedTask,
    Task,
    canonical_json,
    content_id,
    row_hash,
    storable,
)

Row = Sequence[Any]
T = TypeVar("T")

REQUEST_COLUMNS = "r.stage, r.teacher, r.model, r.endpoint, s.text, r.user, r.sampling, r.sample"
COMPLETION_COLUMNS = (
    "request_id, text, finish_reason, prompt_tokens, completion_tokens, logprobs, latency_s, attempts, cost_usd, "
    "error, raw"
)
SEED_COLUMNS = "id, name, instruction, instances, is_classification"
CANDIDATE_COLUMNS = "c.request_id, c.place, c.instruction, c.cut, c.instances, c.extra"
TASK_COLUMNS = "t.position, t.id, c.instruction, c.step, c.request_id, c.instances, c.extra"
RECORD_COLUMNS = "id, task, instruction, input, output, candidate_extra, task_extra, extra"


class _Learned(BaseModel, strict=True):
    """Changes to requests that a server asked for, by stage and model: name, action and value."""

    edits: dict[str, dict[str, list[Annotated[list[Any], Field(min_length=3, max_length=3)]]]] = {}
    tried: dict[str, Any] = {}


class _Settings(BaseModel, strict=True):
    """What stands in the table `run`, by key."""

    config: dict[str, Any] = {}
    asked: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    prompts: dict[str, str] = {}
    version: str = ""
    versions: list[str] = []
    target: int = 0
    given: dict[str, int] = {}
    hashed_later: int = 0
    learned: _Learned = _Learned()
    highest_prices: dict[str, dict[str, float]] = {}
    imported_steps: int = 0
    empty_steps: dict[str, str] = {}
    batch_token: str = ""


def settings_from(rows: Sequence[Row]) -> dict[str, Any]:
    """The settings of a run from the rows of `run`. ValueError if one is not of its kind, or no JSON."""
    found = {key: json.loads(value) for key, value in rows}
    _Settings.model_validate(found)
    if found and "config" not in found:
        raise ValueError("no config")
    for table in (found.get("config", {}), found.get("asked", {})):
        if not isinstance(table.get("filters", {}), dict):
            raise ValueError("filters are no table")
    return found


def request_from(row: Row) -> Request:
    """A request from its REQUEST_COLUMNS."""
    stage, teacher, model, endpoint, system, user, sampling, sample = row
    return Request(stage, teacher, model, endpoint, system, user, object_from(sampling), sample)


def request_row(request: Request, system_prompt: int) -> Row:
    """A row of `requests`; its system prompt is a row of its own."""
    r = request
    sampling = canonical_json(dict(r.sampling))
    return r.id, r.stage, r.teacher, r.model, r.endpoint, system_prompt, r.user, sampling, r.sample


def completion_from(row: Row) -> Completion:
    """A completion from its COMPLETION_COLUMNS."""
    request_id, text, finish, n_prompt, n_new, logprobs, latency_s, attempts, cost_usd, error, raw = row
    known = tuple(_json_from(logprobs, list)) if logprobs else None
    return Completion(request_id, text, finish, n_prompt, n_new, known, latency_s, attempts, cost_usd, error, raw)


def completion_row(stage: str, completion: Completion, created_at: float) -> Row:
    """A row of `completions`; its hash leaves out when it came, so the same answer has the same one."""
    c = completion
    logprobs = canonical_json(c.logprobs) if c.logprobs is not None else None
    cost = None if c.cost_usd is None else float(c.cost_usd)
    row = (
        c.request_id, c.text, c.finish_reason, c.prompt_tokens, c.completion_tokens, logprobs, float(c.latency_s),
        c.attempts, cost, c.error, c.raw,
    )  # fmt: skip
    *_, hashed = with_hash("completions", row, stage)
    return *row, created_at, hashed


def seed_from(row: Row) -> SeedTask:
    """A seed task from its SEED_COLUMNS."""
    identity, name, instruction, instances, is_classification = row
    return SeedTask(identity, name, instruction, instances_from(instances), bool(is_classification))


def seed_row(position: int, seed: SeedTask) -> Row:
    """A row of `seeds`, except its hash."""
    return position, seed.id, seed.name, seed.instruction, as_pairs(seed.instances), int(seed.is_classification)


def with_hash(table: str, row: Row, *more: Any) -> Row:
    """The row of a table with its hash (see `schema.HASHED`), which covers `more` too."""
    return *row, row_hash(table, *more, *row)


def candidate_from(row: Row) -> Candidate:
    """A candidate from its CANDIDATE_COLUMNS."""
    request_id, place, instruction, cut, instances, extra = row
    return Candidate(request_id, place, instruction, bool(cut), instances_from(instances), extra_from(extra))


def candidate_row(step: int, position: int, candidate: Candidate) -> Row:
    """A row of `candidates`, for the `position`-th of a step."""
    c = candidate
    came_with = as_pairs(c.instances)
    return c.id, step, position, c.request_id, c.position, c.instruction, c.cut, came_with, as_object(c.extra)


def task_from(row: Row) -> Task:
    """A task from its TASK_COLUMNS."""
    position, identity, instruction, step, request_id, instances, extra = row
    came_with = instances_from(instances)
    return Task(position, identity, instruction, step, request_id, came_with, extra_from(extra))


def record_from(row: Row) -> Record:
    """A record from its RECORD_COLUMNS, of the view `records` or `filtered`."""
    identity, task, instruction, given, output, *extras = row
    return Record.of(identity, task, instruction, given, output, *map(extra_from, extras))


def instances_from(pairs: str | None) -> tuple[Instance, ...]:
    """The instances that a column holds as JSON pairs; none where it is NULL."""
    found = _json_from(pairs, list) if pairs else []
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in found):
        raise StoreError(f"The store of this run is damaged: {pairs!r:.60} is not a list of pairs. Restore a copy.")
    return tuple(Instance(*pair) for pair in found)


def as_pairs(instances: Sequence[Instance]) -> str | None:
    """The JSON pairs of a column; NULL where there are none."""
    return canonical_json([[i.input, i.output] for i in instances]) if instances else None


def extra_from(extra: str | None) -> dict[str, Any]:
    """What a column `extra` holds; empty where it is NULL."""
    return object_from(extra) if extra else {}


def canonical(text: str) -> str:
    """The canonical JSON that a column holds, as it is; StoreError if it is none."""
    try:
        found = canonical_json(json.loads(text))
    except (ValueError, TypeError, RecursionError):
        found = None
    if found != text:
        raise StoreError(f"The store of this run is damaged: {text!r:.60} is not canonical JSON. Restore a copy.")
    return text


def object_from(text: str) -> dict[str, Any]:
    """The JSON object that a column holds."""
    return _json_from(text, dict)


def _json_from(text: str, kind: type[T]) -> T:
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        found = None
    if not isinstance(found, kind):
        what = "object" if kind is dict else "list"
        raise StoreError(f"The store of this run is damaged: {text!r:.60} is not a JSON {what}. Restore a copy.")
    return found


def as_object(extra: Mapping[str, Any]) -> str | None:
    """The JSON object of a column `extra`; NULL where it is empty."""
    return storable(canonical_json(extra)) if extra else None


def instance_id(task_id: str, request_id: str, position: int, instance: Instance | ParsedInstance) -> str:
    """The id of the `position`-th instance that was read from an answer, which is its record's id too."""
    extra = dict(instance.extra) if isinstance(instance, ParsedInstance) else {}
    texts = [instance.input, instance.output]
    return content_id("instance", task_id, request_id, position, *texts, *([extra] if extra else []))
