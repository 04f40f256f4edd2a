"""What an answer is read as: an item of a list, an instance, a whole task."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Item(NamedTuple):
    """One item of a list; `cut` where the token limit ended the answer inside it."""

    text: str
    cut: bool


class ParsedInstance(NamedTuple):
    """One instance as read from an answer; `cut` as above, `extra` whatever else was read of it, as JSON values."""

    input: str
    output: str
    cut: bool
    extra: Mapping[str, Any] = MappingProxyType({})


class WholeTask(NamedTuple):
    """A task with its instance, as read from one answer; `cut` as above."""

    instruction: str
    input: str
    output: str
    cut: bool
