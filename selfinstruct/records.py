"""The nouns: what travels through the engine, each a frozen value.

    SeedTask -> Request -> Completion -> Candidate -> Task or Rejection -> Instance or Rejection -> Record

Every id is the first 24 hex digits of the SHA-256 of what the thing is, so that `verify` can recompute it
and an answer is found again by what was asked:

    >>> Candidate(request_id="5b6c", position=0, instruction="Name three rivers.").id
    'ca4ed18be96ea0d961071cad'
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, NamedTuple

Endpoint = Literal["chat", "completion"]
AnswerFormat = Literal["auto", "json", "text"]
IMPORTED = "imported"  # the teacher of answers that were recorded elsewhere


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_json(value: Any) -> str:
    """One spelling for one value: sorted keys, no spaces, text as it is."""
    return _CANONICAL.encode(value)


def storable(text: str) -> str:
    """The text with half surrogate pairs, which JSON can carry and UTF-8 cannot, turned into question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def content_id(*parts: Any) -> str:
    """24 hex digits (96 bits) that stand for `parts`, JSON values, as they are stored."""
    return hashlib.sha256(canonical_json(parts).encode("utf-8", "replace")).hexdigest()[:24]


def new_tokens_at_most(sampling: Mapping[str, Any]) -> int | None:
    """The most tokens that an answer may have by these sampling settings; None if they do not say."""
    named = [sampling.get("max_completion_tokens"), sampling.get("max_tokens")]
    return max((n for n in named if isinstance(n, int)), default=None)


@dataclass(frozen=True, slots=True)
class Instance:
    """One worked example of a task; `input` is "" where the task needs none."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class SeedTask:
    """A task written by people, in the paper's format (one JSON object a line)."""

    id: str
    name: str
    instruction: str
    instances: tuple[Instance, ...]
    is_classification: bool


@dataclass(frozen=True)
class Request:
    """One question to a teacher. Its id is the hash of everything that shapes the answer.

    `system` is the part of the prompt that stays the same during a run, `user` the part that changes;
    a completion endpoint gets both as one text. `sampling` goes into the request's body as it is.
    `sample` tells apart requests that are equal otherwise (proposal number, second try of a question).
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
        """The hash of teacher kind, model, endpoint, prompt, sampling settings and sample number."""
        return content_id(
            "request", self.teacher, self.model, self.endpoint, self.system, self.user, dict(self.sampling), self.sample
        )

    @property
    def max_new_tokens(self) -> int | None:
        """The most tokens that the answer may have; None if the request does not say."""
        return new_tokens_at_most(self.sampling)

    @property
    def guessed_tokens(self) -> int:
        """About how many tokens prompt and answer have, as providers guess it when they count towards a limit."""
        return (len(self.system) + len(self.user)) // 4 + (self.max_new_tokens or 0)


@dataclass(frozen=True, slots=True)
class Completion:
    """What the teacher said to one request, or why it said nothing (`error`).

    `raw` is the server's JSON as it came. `logprobs` are the log-probabilities of the text's tokens
    (natural logarithm) where they were asked for. `cost_usd` is None if the model's price is unknown.
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
        """Whether the token limit ended the answer, so that its last item is not to be trusted."""
        return self.finish_reason == "length"


@dataclass(frozen=True)
class Candidate:
    """A proposed instruction, the `position`-th (from 0) that was read from one completion.

    `cut` where the token limit ended the answer inside it; `instances` where it came with some; `extra` is whatever
    else was read of it, JSON values by name.
    """

    request_id: str
    position: int
    instruction: str
    cut: bool = False
    instances: tuple[Instance, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @cached_property
    def id(self) -> str:
        """The hash of where it came from and what it says."""
        came_with = [[i.input, i.output] for i in self.instances]
        parts: list[Any] = [self.request_id, self.position, self.instruction, *([came_with] if came_with else [])]
        return content_id("candidate", *parts, *([dict(self.extra)] if self.extra else []))


class Rejection(NamedTuple):
    """Why something may not stay. `reason` is the name of the filter, `evidence` what it saw (JSON values)."""

    reason: str
    evidence: dict[str, Any]


class Line(NamedTuple):
    """A text of a file: the number of its line, or of its row in a JSON list, from 1."""

    file: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Neighbor:
    """The most similar text of an index: its position there and how similar it is, 0 to 1 (ROUGE-L F1, or Jaccard)."""

    index: int
    score: float


@dataclass(frozen=True, slots=True)
class Task:
    """An admitted candidate, the `position`-th (from 0) of the run, with the candidate's request, instances, extra."""

    position: int
    id: str
    instruction: str
    step: int
    request_id: str
    instances: tuple[Instance, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @classmethod
    def admitted(cls, position: int, candidate: Candidate, step: int) -> "Task":
        """The task that a candidate becomes."""
        c = candidate
        return cls(position, c.id, c.instruction, step, c.request_id, c.instances, c.extra)


@dataclass(frozen=True)
class Record:
    """One line of the dataset: an instance with its task's instruction; `is_classification` None: not known.

    `extra` is what else the stages brought: of the candidate, the task and the instance.

    A negative `task` -n is none of the run's: a candidate that was rejected and rescued by decision n.
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
        """The record of an instance, with what the stages brought of candidate, task and instance."""
        extra = {name: value for some in extras for name, value in some.items()}
        messages = [
            {"role": "user", "content": user_message(instruction, input)},
            {"role": "assistant", "content": output},
        ]
        is_classification = extra.pop("is_classification", None)
        return cls(identity, task, instruction, input, output, is_classification, messages, extra)

    @classmethod
    def fields(cls) -> tuple[str, ...]:
        """The names of the values that every record has: all but `extra`."""
        return tuple(one.name for one in fields(cls) if one.name != "extra")

    def as_dict(self) -> dict[str, Any]:
        """The record as JSON values, in the order of the fields above; `extra` only where there is any."""
        values = dict(self.__dict__)
        return values if self.extra else {name: value for name, value in values.items() if name != "extra"}


def user_message(instruction: str, input: str) -> str:
    """The instruction and its input as one chat turn: a blank line between them, none where there is no input."""
    return f"{instruction}\n\n{input}" if input else instruction
