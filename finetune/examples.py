"""The data types of fine-tuning: a dialogue as it was read, and the same as tokens with labels."""

import re
from typing import Any, NamedTuple, NotRequired, TypedDict

_THOUGHT = re.compile(r"\s*<think>.*?</think>\s*", re.DOTALL)

Tools = list[dict[str, Any]]


class Message(TypedDict):
    """One turn: `role` is system, user, assistant or tool.

    An answer's `content` begins with its reasoning, in <think> and </think>, if it has some. `tool_calls` are those of
    an answer, as chat templates take them; a `weight` of 0 marks an answer that is not trained.
    """

    role: str
    content: str
    tool_calls: NotRequired[list[dict[str, Any]]]
    weight: NotRequired[int]


def thought_of(message: Message) -> str:
    """The reasoning that an answer begins with, marks and white space behind it included; "" if there is none."""
    found = _THOUGHT.match(message["content"]) if message["role"] == "assistant" else None
    return found.group() if found else ""


class Dialogue(NamedTuple):
    """A conversation to learn from: every assistant turn of `messages` but those of weight 0 is trained, and the last
    message is one that is.

    `task`: what rows of the same task share; a split never puts one of them here and another there. `source`: the file
    and the line or row, for messages to the user. `instruction` and `input`: the fields that the first user turn was
    made of, None if it was a turn from the start; with earlier turns (`history`), the last user turn. `tools`: those
    that the chat template shows the model.
    """

    messages: list[Message]
    task: str
    source: str
    instruction: str | None = None
    input: str | None = None
    tools: Tools | None = None


class Example(NamedTuple):
    """A dialogue for the model: `ids` [T] and `labels` [T], -100 except for the answers and their stop tokens."""

    ids: list[int]
    labels: list[int]
