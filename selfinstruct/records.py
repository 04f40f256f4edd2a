"""The data types that pass through the engine, all immutable.

    SeedTask -> Request -> Completion -> Candidate -> Task or Rejection -> Instance or Rejection -> Record

Every id is the first 24 hex digits of the SHA-256 of the content, so that `verify` can recompute it and a stored answer
is found by its request:

    >>> Candidate(request_id="5b6c", position=0, instruction="Name three rivers.").id
    'ca4ed18be96ea0d961071cad'
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, NamedTuple

from selfinstruct.finish_reasons import ending_of

Endpoint = Literal["chat", "completion"]
AnswerFormat = Literal["auto", "json", "text"]
IMPORTED = "imported"  # the teacher name of answers recorded by another tool


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(value: Any) -> str:
    """The canonical JSON of a value: sorted keys, no spaces, text unescaped."""
    return _CANONICAL.encode(value)


def storable(text: str) -> str:
    """The text with lone surrogates, which JSON allows and UTF-8 does not, replaced by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def content_id(*parts: Any) -> str:
    """24 hex digits (96 bits) that identify `parts` (JSON values) as stored."""
    return hashlib.sha256(canonical_json(parts).encode("utf-8", "replace")).hexdigest()[:24]


def row_hash(*values: Any) -> str:
    """24 hex digits (96 bits) of stored values: texts, numbers, None. A third cheaper than `content_id`, per answer."""
    text = "\x1f".join(map(str, values))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=12).hexdigest()


def new_tokens_at_most(sampling: Mapping[str, Any]) -> int | None:
    """Maximum tokens of an answer under these sampling settings; None if they set no limit."""
    named = [sampling.get("max_completion_tokens"), sampling.get("max_tokens")]
    return max((n for n in named if isinstance(n, int)), default=None)


@dataclass(frozen=True, slots=True)
class Instance:
    """One worked example of a task; `input` is "" if the task needs none."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class SeedTask:
    """A task written by people, in the paper's format (one JSON object per line)."""

    id: str
    name: str
    instruction: str
    instances: tuple[Instance, ...]
    is_classification: bool


@dataclass(frozen=True)
class Request:
    """One request to a teacher. Its id is the hash of everything that affects the answer.

    - `system`, `user`: the part of the prompt that stays the same during a run, and the part that changes. A completion
      endpoint gets both as one text.
    - `sampling`: copied into the request body.
    - `sample`: distinguishes otherwise equal requests (proposal number, second attempt).
    """

    stage: str
    teacher: str
    model: str
    endpoint: Endpoint
    system: str
    user: str
    sampling: Mapping[str, Any]
    sample: int = 0

    @cached_property
    def id(self) -> str:
        """Hash of teacher kind, model, endpoint, prompt, sampling settings and sample number."""
        return content_id(
            "request", self.teacher, self.model, self.endpoint, self.system, self.user, dict(self.sampling), self.sample
        )

    @property
    def max_new_tokens(self) -> int | None:
        """Maximum tokens of the answer; None if the request sets no limit."""
        return new_tokens_at_most(self.sampling)

    @property
    def guessed_tokens(self) -> int:
        """Estimated tokens of prompt and answer, as providers estimate them for rate limits."""
        return (len(self.system) + len(self.user)) // 4 + (self.max_new_tokens or 0)


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to one request, or the reason why there is none (`error`).

    - `finish_reason`: as servers report it, such as "stop", or "length" at the token limit.
    - `logprobs`: log-probabilities (natural) of the text's tokens, if requested.
    - `cost_usd`: None if the model's price is unknown.
    - `raw`: the server's JSON, unchanged; for an event stream, its events combined.
    """

    request_id: str
    text: str
    finish_reason: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    logprobs: tuple[float, ...] | None = None
    latency_s: float = 0.0
    attempts: int = 1
    cost_usd: float | None = None
    error: str | None = None
    raw: str = ""

    @property
    def was_cut(self) -> bool:
        """Whether a limit, a filter or a failure ended the answer, so that its last item may be incomplete."""
        return ending_of(self.finish_reason) in ("cut", "filtered", "failed")


@dataclass(frozen=True)
class Candidate:
    """A proposed instruction, not yet filtered.

    - `position`: its place in the completion, from 0.
    - `cut`: whether the token limit ended the answer inside it.
    - `instances`: those proposed with it.
    - `extra`: further fields (JSON values), which become fields of each record.
    """

    request_id: str
    position: int
    instruction: str
    cut: bool = False
    instances: tuple[Instance, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @cached_property
    def id(self) -> str:
        """Hash of its origin and content."""
        came_with = [[i.input, i.output] for i in self.instances]
        parts: list[Any] = [self.request_id, self.position, self.instruction, *([came_with] if came_with else [])]
        return content_id("candidate", *parts, *([dict(self.extra)] if self.extra else []))


class Rejection(NamedTuple):
    """Why something was rejected. `reason`: its name, such as that of a filter. `evidence`: what was found."""

    reason: str
    evidence: dict[str, Any]


class Line(NamedTuple):
    """A line of a file, or a row of a JSON list; `number` counts from 1."""

    file: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Neighbor:
    """The most similar text of an index: its position and its similarity, 0 to 1 (ROUGE-L F1 or Jaccard)."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Task:
    """An admitted candidate. `position`: its place in the run, from 0. `step`: the proposal step it came from."""

    position: int
    id: str
    instruction: str
    step: int
    request_id: str
    instances: tuple[Instance, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def admitted(cls, position: int, candidate: Candidate, step: int) -> "Task":
        """The task that `candidate` becomes."""
        c = candidate
        return cls(position, c.id, c.instruction, step, c.request_id, c.instances, c.extra)


@dataclass(frozen=True)
class Record:
    """One row of the dataset: an instance with its task's instruction.

    - `task`: the position of the task, or -n for a rejected candidate that decision n rescued.
    - `is_classification`: None if unknown.
    - `extra`: further fields that the stages added to the candidate, the task and the instance.
    """

    id: str
    task: int
    instruction: str
    input: str
    output: str
    is_classification: bool | None
    messages: list[dict[str, str]] = field(default_factory=list)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, identity: str, task: int, instruction: str, input: str, output: str, *extras: Mapping[str, Any]
    ) -> "Record":
        """The record of an instance, with the extra fields of candidate, task and instance."""
        extra = {name: value for some in extras for name, value in some.items()}
        messages = [
            {"role": "user", "content": user_message(instruction, input)},
            {"role": "assistant", "content": output},
        ]
        is_classification = extra.pop("is_classification", None)
        return cls(identity, task, instruction, input, output, is_classification, messages, extra)

    @classmethod
    def fields(cls) -> tuple[str, ...]:
        """The names of the fields that every record has: all but `extra`."""
        return tuple(one.name for one in fields(cls) if one.name != "extra")

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON values, in the order of its fields; without `extra` if that is empty."""
        values = dict(self.__dict__)
        return values if self.extra else {name: value for name, value in values.items() if name != "extra"}


def user_message(instruction: str, input: str) -> str:
    """Instruction and input as one chat message, with a blank line between; the instruction alone without an input."""
    return f"{instruction}\n\n{input}" if input else instruction
