"""The results of parsing: list items, instances, whole tasks."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple


class Item(NamedTuple):
    """One item of a list. `cut`: the token limit ended the answer inside it."""

    text: str
    cut: bool


class ParsedInstance(NamedTuple):
    """One instance read from an answer. `cut`: the token limit ended the answer inside it. `extra`: further fields."""

    input: str
    output: str
    cut: bool
    extra: Mapping[str, Any] = MappingProxyType({})


class WholeTask(NamedTuple):
    """A task with its instance, read from one answer. `cut`: the token limit ended the answer inside it."""

    instruction: str
    input: str
    output: str
    cut: bool
