"""The rows that are asked about: each with an id, its columns, and its true answer where that is known."""

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

import jinja2
from jinja2 import meta

from selfinstruct.asking.sandbox import Bounded
from selfinstruct.errors import UsageError
from selfinstruct.records import canonical_json, content_id, storable
from selfinstruct.rows.tables import ids_of, read_objects
from selfinstruct.settings import did_you_mean

WHOLE = "row"  # the variable of a template that holds all columns: {{ row["my text"] }}


class Row(NamedTuple):
    """A row. `id`: as JSON. `fields`: its columns. `gold`: its true answer, None if it is not known."""

    id: str
    fields: Mapping[str, Any]
    gold: str | None

    @property
    def content(self) -> str:
        """What identifies its columns: a gold answer that a person gave is about them, whatever has the id later."""
        return content_id(dict(self.fields))


def read_rows(path: Path, id: str = "", gold: str = "") -> list[Row]:
    """The rows of a file; UsageError for a column that is missing, two rows with one id, or no gold answer at all."""
    return as_rows(path, read_objects(path), id, gold)


def as_rows(path: Path, rows: Sequence[Mapping[str, Any]], id: str = "", gold: str = "") -> list[Row]:
    """The same of rows that were read already; `path` is what messages call them."""
    if not rows:
        raise UsageError(f"{path}: there are no rows.")
    rows = [_as_json(path, number, row) for number, row in enumerate(rows, 1)]
    there = dict.fromkeys(name for row in rows for name in row)
    for name in filter(None, (id, gold)):
        if name not in there:
            raise UsageError(f"{path}: there is no column {name}; {did_you_mean(name, tuple(there))}")
    golds = [as_text(row.get(gold)) if gold else "" for row in rows]
    if gold and not any(golds):
        raise UsageError(f"{path}: the column {gold} is empty. Leave it out, or fill in some rows.")
    ids = ids_of(path, rows, id)
    return [Row(canonical_json(one), row, known or None) for one, row, known in zip(ids, rows, golds, strict=True)]


def _as_json(path: Path, number: int, row: object) -> dict[str, Any]:
    """A row as the store keeps it: JSON values without lone surrogates, None for what is not a number."""
    if not isinstance(row, Mapping):
        raise UsageError(f"{path}, row {number}: a row must be a dict of columns, not {row!r:.40}.")
    cells = {str(name): None if is_nan(cell) else cell for name, cell in row.items()}
    try:
        return cast("dict[str, Any]", json.loads(storable(canonical_json(cells))))
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}, row {number}: a value cannot be stored ({error}). Make it text.") from None


def is_nan(value: Any) -> bool:
    """Whether a value is the NaN that data frames have for an empty cell."""
    return isinstance(value, float) and math.isnan(value)


def as_text(value: Any) -> str:
    """A cell as text; "" for an empty one."""
    if value is None or is_nan(value):
        return ""
    return storable(value.strip() if isinstance(value, str) else canonical_json(value))


@lru_cache(maxsize=1)
def _environment() -> Bounded:
    return Bounded(undefined=jinja2.StrictUndefined, autoescape=False, finalize=_shown)


def _shown(value: Any) -> Any:
    return "" if value is None or is_nan(value) else value  # an empty cell


def check_template(template: str) -> None:
    """ValueError if a template cannot be read, or shows nothing of a row."""
    if not columns_in(template):
        raise ValueError(f"the template {template!r:.60} shows no column of a row; write {{{{ column }}}}")


@lru_cache(maxsize=16)
def columns_in(template: str) -> frozenset[str]:
    """The variables that a template uses; ValueError if it is not a template."""
    try:
        return frozenset(meta.find_undeclared_variables(_environment().parse(template)))
    except jinja2.TemplateSyntaxError as error:
        raise ValueError(f"the template {template!r:.60} is not valid: {error.message}") from None


@lru_cache(maxsize=16)
def _compiled(template: str) -> jinja2.Template:
    return _environment().from_string(template)


def filled(template: str, fields: Mapping[str, Any]) -> str | None:
    """The template with the columns of a row; None if the row lacks one of them. UsageError if it fails otherwise."""
    try:
        return storable(_compiled(template).render({**fields, WHOLE: fields}).strip())
    except jinja2.UndefinedError:
        return None
    except jinja2.TemplateError as error:
        raise UsageError(f"The template {template!r:.60} cannot be rendered: {error}") from None


def refuse_columns(path: Path, templates: Sequence[str], rows: Sequence[Row], gold: str) -> None:
    """UsageError for a template that shows a column that no row has, or the gold column."""
    there = dict.fromkeys(name for row in rows for name in row.fields)
    for template in templates:
        for name in sorted(columns_in(template) - {WHOLE}):
            if name not in there:
                raise UsageError(
                    f"{path}: there is no column {name}, which the template shows; {did_you_mean(name, tuple(there))}"
                )
        for row in rows if gold and columns_in(template) & {WHOLE, gold} else ():
            others = {name: value for name, value in row.fields.items() if name != gold}
            if row.gold and filled(template, row.fields) != filled(template, others):  # also {{ row[...] }}
                raise UsageError(f"The template shows the column {gold}, which holds the true answers.")
