"""Answers in JSON, as models write it: bare or fenced, after a greeting, with trailing commas, cut off in the middle.

    >>> json_rows('Sure!\\n```json\\n{"tasks": ["Name a river.", "Name a lake.",]}\\n```')
    ['Name a river.', 'Name a lake.']
    >>> json_rows('9. Put {"a": 1} into words.') is None
    True

Valid JSON is read by the standard parser, the rest by `broken_json`. Field names are matched loosely: a schema enforced
by the server fixes them, but a model that was only asked for JSON chooses its own.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from selfinstruct.parsing.broken_json import MOST, broken_values
from selfinstruct.parsing.names import any_of
from selfinstruct.patterns import pattern
from selfinstruct.rows.escapes import meant

INSTRUCTION = ("instruction", "task", "prompt", "question", "request", "description", "text", "content")
INPUT = ("input", "context", "passage", "text", "sentence", "question", "example")
OUTPUT = (
    "output", "expected output", "answer", "response", "completion", "result", "target", "label", "class label",
    "class", "category",
)  # fmt: skip
VERDICT = (
    "is classification", "is classification task", "is a classification task", "classification task", "classification",
    "answer", "verdict", "output", "label", "result",
)  # fmt: skip
_KNOWN = {*INSTRUCTION, *OUTPUT, *VERDICT}

_FENCED = pattern(r"^[ \t]{0,40}(?:```|~~~)\w{0,20}[ \t]{0,40}\n\s{0,400}(?=[\[{])", re.MULTILINE)
_BARE = pattern(
    r"^[ \t]{0,40}(?:[^\n{}\[\]]{0,80}:[ \t]{0,40})?(?=\{\s{0,400}[\"'{]|\[\s{0,400}[\"'\[{]|\{\}|\[\])",
    re.MULTILINE,
)
# If JSON is the answer, only a greeting may precede it, but no item or field in another form.
_OTHER_FORM = pattern(
    r"^[ \t]{0,40}[-*•]\s|^[^\w\n]{0,40}\d{1,3}[.):]\s"
    r"|^[^\w\n]{0,40}(?:example|input|output|answer|(?:class\s{0,3})?label|task|instruction)\b[^\n]{0,20}(?::|$)",
    re.IGNORECASE | re.MULTILINE,
)
# The names of lists in an object: of what was asked for, and of what a model writes beside it.
_TASKS = pattern(rf"(?:[\w ]{{1,30}} )?(?:{any_of('instruction')}|prompt|question)\w{{0,9}}", re.IGNORECASE)
_BESIDE = pattern(
    r"(?:[\w ]{1,30} )?(?:analys[ei]s|thoughts?|thinking|thought process|chain of thought|reason(?:s|ing)?|rationales?"
    r"|reflections?|brainstorm\w*|scratchpad|plan(?:ning)?|steps|strateg(?:y|ies)|approach|considerations?"
    r"|observations?|explanations?|notes?|comments?|remarks?|constraints?|criteria|requirements?|required|rules"
    r"|guidelines|topics|categories|tags|keywords|errors?|warnings?)",
    re.IGNORECASE,
)
_SAYS_SOMETHING = pattern(r"[^\W_]")
_BETWEEN = pattern(r"[ \t\r\n,]*")
_DECODER = json.JSONDecoder(strict=False)  # models put line breaks into strings


class Rows(list[Any]):
    """The rows of an answer in JSON. `ends_inside`: it ends inside a text, so the last row is not whole."""

    ends_inside = False


def json_rows(text: str) -> Rows | None:
    """The elements of the JSON list in an answer, or its single object; None if the answer is not JSON."""
    value, ends_inside = _json_in(text)
    while isinstance(value, dict) and len(value) == 1 and isinstance(inner := next(iter(value.values())), dict):
        if _names(value).keys() & _KNOWN:
            break
        value = inner
    if isinstance(value, dict):
        value = _rows_of(value)
    if not isinstance(value, list) or len(value) > MOST:
        return None
    rows = Rows(value)
    rows.ends_inside = ends_inside
    return rows


def _rows_of(value: dict[str, Any]) -> list[Any]:
    """The rows in an object: numbered fields, the list that was asked for, or the object itself."""
    if len({re.sub(r"\d+$", "", str(key)) for key in value}) == 1 < len(value):  # {"task_1": ..., "task_2": ...}
        return list(value.values())
    names = _names(value)
    if {"type", "properties"} <= names.keys():
        return []  # the schema, instead of an answer
    lists = [(name, part) for name, part in names.items() if isinstance(part, list) and not _BESIDE.fullmatch(name)]
    if not (names.keys() & {*OUTPUT} and names.keys() & {*INSTRUCTION, *INPUT}):
        for is_meant in (_is_of_tasks, _is_of_pairs):
            if meant_one := next((part for name, part in lists if is_meant(name, part)), None):
                return meant_one
    return [value] if names.keys() & _KNOWN or not lists else lists[0][1]


def _is_of_tasks(name: str, rows: list[Any]) -> bool:
    return bool(_TASKS.fullmatch(name))


def _is_of_pairs(name: str, rows: list[Any]) -> bool:
    return any(json_field(row, OUTPUT) is not None for row in rows)


def field_or_text(text: str, name: str) -> str:
    """The field `name` of the JSON object in an answer, as text ("" without it), or the text if the answer is not JSON.

    >>> field_or_text('{"topic": "rivers"}', "topic"), field_or_text("rivers", "topic")
    ('rivers', 'rivers')
    """
    value, _ = _json_in(text)
    if value is None:
        return text.strip()
    while True:
        fields = {**_names(value), **value} if isinstance(value, dict) else {}
        for one in (name, *_names({name: None})):
            if one in fields:
                return _as_text(fields[one])
        if not isinstance(value, dict | list) or len(value) != 1:
            return ""
        (value,) = value.values() if isinstance(value, dict) else value  # an object around the object, or a list


def _json_in(text: str) -> tuple[Any, bool]:
    """The JSON value that an answer is, None if it is not JSON; does it end inside a text?"""
    found = _FENCED.search(text) or _BARE.search(text)
    if not found or _OTHER_FORM.search(text[: found.end()]):
        return None, False
    return _decoded(meant(text[found.end() :]))


def json_field(row: Any, names: tuple[str, ...]) -> str | None:
    """The first field of `row` with one of these names (any case), as text; None if it has none of them."""
    fields = _names(row) if isinstance(row, dict) else {}
    return next((_as_text(fields[name]) for name in names if name in fields), None)


def _names(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields by name: in lower case, with spaces between words, and without a trailing number."""
    spaced = {re.sub(r"[\s_-]+|(?<=[a-z])(?=[A-Z])", " ", str(key)): value for key, value in row.items()}
    return {key.strip(" 0123456789").lower(): value for key, value in spaced.items()}


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _decoded(body: str) -> tuple[Any, bool]:
    """The JSON value at the start of `body`, several as one list, None if there is none; does it end inside a text?"""
    values: list[Any] = []
    ends_inside = False
    at = 0
    try:
        while body[at : at + 1] in ("{", "[") and len(values) <= MOST:
            value, at = _DECODER.raw_decode(body, at)
            values.append(value)
            at = _BETWEEN.match(body, at).end()  # type: ignore[union-attr]
    except (ValueError, RecursionError):
        try:
            values, ends_inside = broken_values(body) if _SAYS_SOMETHING.search(body) else ([], False)
        except ValueError:
            values = []
    return values[0] if len(values) == 1 else values or None, ends_inside
