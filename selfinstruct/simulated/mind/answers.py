"""The content of an answer, and its text.

An `Answer` keeps its items next to its text, so that the items can be rewritten in a malformed way or as JSON, and the
words that answer the question can get a probability:

    >>> plain("tasks", [Item(instruction="Name a fruit."), Item(instruction="Name a tree.")], first=9).text
    '9. Name a fruit.\\n10. Name a tree.'
    >>> plain("labelled", [Item(input="Lovely!", output="positive")]).text
    'Class label: positive\\nInput: Lovely!'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Shape = Literal["tasks", "verdict", "examples", "labelled", "whole", "text", "json"]
FinishReason = Literal["stop", "length"]


class Item(NamedTuple):
    """One item: a task, a yes or no (as output), an instance, or a whole task with its instance."""

    instruction: str = ""
    input: str = ""
    output: str = ""
    sure: float = 1.0
    """The probability with which the output is right, as the teacher sees it."""
    instead: str = ""
    """The output that the teacher nearly gave."""


@dataclass(frozen=True)
class Answer:
    """Items and their well-formed text."""

    shape: Shape
    items: tuple[Item, ...]
    text: str
    first: int = 1
    """The number of the first item of a list."""


def plain(shape: Shape, items: Sequence[Item], first: int = 1, gap: str = "\n\n") -> Answer:
    """Write items in the format of the project's prompts; `gap` separates instances (less in a few-shot prompt)."""
    match shape:
        case "tasks":
            text = "\n".join(f"{number}. {item.instruction}" for number, item in enumerate(items, first))
        case "examples":
            text = gap.join(f"Example {number}\n{instance(item)}" for number, item in enumerate(items, 1))
        case "labelled":
            text = gap.join(labelled(item) for item in items)
        case "whole":
            text = "\n###\n".join(whole(number, item) for number, item in enumerate(items, first))
        case _:
            text = "\n\n".join(item.output for item in items)
    return Answer(shape, tuple(items), text, first)


def instance(item: Item, before_input: str = "Input: ", before_output: str = "Output: ") -> str:
    """Write an instance, without an input line if there is no input."""
    given = f"{before_input}{item.input}\n" if item.input else ""
    return f"{given}{before_output}{item.output}"


def labelled(item: Item, before_label: str = "Class label: ") -> str:
    """Write an instance with its label first."""
    given = f"\nInput: {item.input}" if item.input else ""
    return f"{before_label}{item.output}{given}"


def whole(number: int, item: Item) -> str:
    """Write a task with its instance, in the block form of the Alpaca prompt."""
    given = item.input or "<noinput>"
    return f"{number}. Instruction: {item.instruction}\n{number}. Input:\n{given}\n{number}. Output:\n{item.output}"
