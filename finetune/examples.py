"""The nouns of fine-tuning: a dialogue as it was read, and the same as tokens with labels."""

from typing import NamedTuple, TypedDict


class Message(TypedDict):
    """One turn: `role` is system, user or assistant."""

    role: str
    content: str


class Dialogue(NamedTuple):
    """A conversation to learn from: every assistant turn of `messages` is trained, the last message is one.

    `task`: what rows of the same task share; a split never puts one of them here and another there. `source`: the file
    and the line or row, for messages to the user. `instruction` and `input`: the fields that the first user turn was
    made of, None if it was a turn from the start.
    """

    messages: list[Message]
    task: str
    source: str
    instruction: str | None = None
    input: str | None = None


class Example(NamedTuple):
    """A dialogue for the model: `ids` [T] and `labels` [T], -100 but for the answers and their stop tokens."""

    ids: list[int]
    labels: list[int]
