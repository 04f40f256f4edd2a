"""Sections of settings: checked models, read from TOML, whose fields say when they may change.

Each room declares its own section (filters their thresholds, teachers their limits); `config` puts them together. What
a field says holds unless its section's `may_change` says otherwise:

    class Limits(Section):
        may_change = MayChange.ANY_TIME
        attempts: int = Field(12, ge=1, description="maximum attempts per request")
        seed: Annotated[int, MayChange.UNTIL_ANSWERED] = Field(0, description="random seed")
"""

import difflib
import re
from collections.abc import Collection, Iterator
from enum import Enum
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from selfinstruct.errors import UsageError


class MayChange(Enum):
    """When a setting of an existing run may still change."""

    UNTIL_FILTERED = "until the first answer or import"
    UNTIL_ANSWERED = "until the first answer of its stage"
    ANY_TIME = "at any time"


class Section(BaseModel):
    """A part of the settings; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    may_change: ClassVar[MayChange] = MayChange.UNTIL_ANSWERED

    @field_validator("*", mode="before")
    @classmethod
    def _no_text_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse "12" and true for a number, and "yes" for true, all of which pydantic would convert."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        types = {annotation, *get_args(annotation)}
        if isinstance(value, str) and str not in types and (wanted := types & _WORDS.keys()):
            raise ValueError(f"must be {_WORDS[wanted.pop()]}, not text; remove the quotes")
        if isinstance(value, bool) and bool not in types and (wanted := types & {int, float}):
            raise ValueError(f"must be {_WORDS[wanted.pop()]}, not true or false")
        return value


_WORDS = {bool: "true or false", int: "a whole number", float: "a number"}
Settings = TypeVar("Settings", bound=BaseModel)


def fields_that_may_change(model: type[BaseModel]) -> Iterator[tuple[str, MayChange]]:
    """Each field's name, and when it may change."""
    of_section = getattr(model, "may_change", MayChange.UNTIL_ANSWERED)
    for name, field in model.model_fields.items():
        yield name, next((mark for mark in field.metadata if isinstance(mark, MayChange)), of_section)


def parse_as(model: type[Settings], values: dict[str, Any], source: str) -> Settings:
    """Check `values`; UsageError names the source if there is one, the key, what is wrong, and the nearest known key.

    The source is the file that the values come from, or what they belong to; "" for arguments and options.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [line for problem in error.errors() for line in _explain(problem, model).splitlines()]
        raise UsageError("\n".join(f"{source}: {line}" if source else line for line in lines)) from None


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above` laid over it, tables key by key, but `sampling` as a whole."""
    merged = dict(below)
    for key, value in above.items():
        both_tables = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_tables and key != "sampling" else value
    return merged


def unknown_key(key: str, known: list[str]) -> str:
    """The message for a key that is not one of `known`."""
    return f"unknown key {key}; {did_you_mean(key.rpartition('.')[2], known)}"


def did_you_mean(name: str, known: Collection[str], offered: Collection[str] = ()) -> str:
    """A hint: the nearest known name, or a list of all; `offered`: those to list if not all can be chosen."""
    near = [one for one in known if name and one.startswith(f"{name}_")]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"choose one of: {', '.join(offered or known)}."


_PLAIN = {
    "bool": "true or false", "dictionary": "a table of settings", "integer": "a whole number", "list": "a list",
    "number": "a number", "string": "text", "tuple": "a list",
}  # fmt: skip


def plain(message: str) -> str:
    """A message of pydantic's in the words of our own."""
    if kind := re.match(r"Input should be a valid (bool|dictionary|integer|list|number|string|tuple)", message):
        return f"must be {_PLAIN[kind[1]]}"
    if least := re.match(r"(?:List|Tuple) should have at least (\d+ items?)", message):
        return f"must have at least {least[1]}"
    message = message.removeprefix("Value error, ").replace("Input should", "must")
    return "missing" if message == "Field required" else message


def _explain(problem: Any, model: type[BaseModel]) -> str:
    """One pydantic problem in the user's words; the value is not repeated, it might be a secret."""
    path = [str(part) for part in problem["loc"]]
    if path[-1:] == ["[key]"]:
        return f"unknown key {'.'.join(path[:-1])}; it {plain(str(problem['msg']))}"
    if path[-1:] == ["str"] or path[-1:] == ["tuple[str, ...]"]:  # one of the types that a value may have
        path.pop()
    key = ".".join(path)
    if problem["type"] != "extra_forbidden":
        key = key.replace("teacher.base_url", "teacher.base_url (--base-url)")
        message = plain(str(problem["msg"]))
        return f"{key}: {message}" if key else message
    for part in path[:-1]:  # else it is a place in a list, or the name of a table
        annotations = model.model_fields[part].annotation if part in model.model_fields else _of_tables(model)
        kinds = [kind for kind in (annotations, *get_args(annotations)) if isinstance(kind, type)]
        model = next((kind for kind in kinds if issubclass(kind, BaseModel)), model)
    return unknown_key(key, list(model.model_fields))


def _of_tables(model: type[BaseModel]) -> Any:
    """The model of the tables whose names are free."""
    return model.__annotations__.get("__pydantic_extra__")
