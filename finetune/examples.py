"""The data types of fine-tuning: a dialogue as it was read, and the same as tokens with labels."""

from typing import NamedTuple, TypedDict


class Message(TypedDict):
    """One turn: `role` is system, user or assistant."""

    role: str
    content: str


class Dialogue(NamedTuple):
    """A conversation to train on: every assistant turn of `messages` is trained, and the last message is one.

    `task`: shared by all rows of a task; a split never separates them. `source`: the file and the line or row, for
    messages to the user. `instruction` and `input`: the fields that the first user turn was made from, None if it was
    already a turn.
    """

    messages: list[Message]
    task: str
    source: str
    instruction: str | None = None
    input: str | None = None


class Example(NamedTuple):
    """A dialogue for the model: `ids` [T] and `labels` [T], -100 except for the answers and their stop tokens."""

    ids: list[int]
    labels: list[int]
