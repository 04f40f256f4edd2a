"""What the teacher has to say, before and after it is put into words.

An `Answer` keeps its items beside its text, so that a malformed answer can be rewritten from the items, a JSON answer
built from them and a probability put on the words that answer the question:

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
    """One thing said: a task, a yes or no (as output), an instance, or a whole task with its instance."""

    instruction: str = ""
    input: str = ""
    output: str = ""
    sure: float = 1.0
    """The probability with which the output is right, as the teacher sees it."""
    instead: str = ""
    """The output that the teacher nearly gave."""


@dataclass(frozen=True)
class Answer:
    """Items and the well-formed text that says them."""

    shape: Shape
    items: tuple[Item, ...]
    text: str
    first: int = 1
    """The number of the first item of a list."""


def plain(shape: Shape, items: Sequence[Item], first: int = 1, gap: str = "\n\n") -> Answer:
    """Put items into the words of the project's prompts; `gap` parts instances (a few-shot prompt has them closer)."""
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
    """Write an instance, the input left out when there is none."""
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
