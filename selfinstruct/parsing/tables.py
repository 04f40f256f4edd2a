"""A Markdown table in place of a list or of examples, with the names of fields above its columns.

    >>> table_rows("Here you are:\\n\\n| # | Input | Output |\\n|---|---|---|\\n| 1 | 3 | three |")
    [{'input': '3', 'output': 'three'}]

At most an announcement stands above it. A table below a heading such as "Example 1" is that example's content, and one
with other columns, or with rows of different lengths, is what a task asked for.
"""

import re
from functools import cache

from selfinstruct.parsing.names import NAMES, Field, any_of
from selfinstruct.patterns import pattern

_DELIMITERS = pattern(r"[ \t]*\|?(?:[ \t]*:?-+:?[ \t]*\|)*[ \t]*(?::?-+:?[ \t]*)?")
_CELL_END = pattern(r"(?<!\\)\|")
_AROUND_NAME = pattern(
    r"(?:new|sample|test|example|expected|desired|correct)[ \t](?=(?:in|out)put|task|instruction)"
    r"|(?<=put)[ \t](?:text|data|string|sentence)",
    re.IGNORECASE,
)
# Columns that belong to neither a task nor an instance.
_BESIDE = pattern(
    r"#|№|nr\.?|no\.?|n[º°]|num(?:ber|éro|ero)?|id|index|s(?:\.|r\.)?[ \t]?no\.?"
    rf"|{any_of('example')}(?:[ \t]?(?:#|no\.?))?"
    r"|(?:test[ \t])?case|rationale|reason(?:ing)?|notes?|comments?|confidence|difficulty"
    r"|explanation|erklärung|explication|explicación|explicação|spiegazione|пояснение|объяснение|解释|說明|说明|説明|설명|",
    re.IGNORECASE,
)
_BREAK = pattern(r"[ \t]{0,8}<br[ \t]?/?>[ \t]{0,8}", re.IGNORECASE)
_HEADING = pattern(rf"[ \t#*_>\[【-]{{0,12}}(?:{any_of('example')}[ \t]{{0,3}}#?\d|\|)", re.IGNORECASE)
_FENCES = ("```", "~~~")
_ABOVE_MOST = 400  # characters of an announcement


def table_rows(text: str, cut: bool = False, *, others: bool = False) -> list[dict[str, str]]:
    """The rows of the table that an answer is, by field; none if it is no table, or has no known columns.

    `cut`: its last row may lack cells. `others`: columns of other names are left out, instead of showing that the table
    is something else.
    """
    lines = text.split("\n")
    first = text[: text.find("|") + 1].count("\n")
    above = [line for line in lines[:first] if line.strip() and not line.lstrip().startswith(_FENCES)]
    if first + 2 >= len(lines) or sum(map(len, above)) > _ABOVE_MOST or any(map(_HEADING.match, above)):
        return []
    header, below = _cells(lines[first]), lines[first + 1]
    names = [_fields().get(_plain(cell).casefold()) for cell in header]
    is_table = "|" in lines[first] and "-" in below and _DELIMITERS.fullmatch(below) is not None
    is_known = others or all(n or _BESIDE.fullmatch(_plain(cell)) for n, cell in zip(names, header, strict=True))
    if (
        not is_table
        or not is_known
        or not any(names)
        or (not others and len({*names} - {None}) < sum(map(bool, names)))
    ):
        return []
    rows = []
    for n, line in enumerate(lines[first + 2 :], start=first + 3):
        if not line.strip() or line.lstrip().startswith(_FENCES):
            break
        cells = _cells(line, len(header))
        if cut and n == len(lines):
            cells += [""] * (len(header) - len(cells))
        if len(cells) != len(header):
            return []
        rows.append({name: cell for name, cell in zip(names, cells, strict=True) if name})
    return rows


def _cells(line: str, n: int = 0) -> list[str]:
    """The cells of a line, `n` if it has as many, with line breaks for <br>, except beside code."""
    cells = [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(line.strip().removeprefix("|"))]
    if len(cells) > max(n, 1) and not cells[-1]:  # behind the last mark
        del cells[-1]
    return [cell if "`" in cell else _BREAK.sub("\n", cell) for cell in cells]


def _plain(cell: str) -> str:
    """A column's name, without what stands around a field's."""
    return _AROUND_NAME.sub("", cell.strip(" \t*_`:"))


@cache
def _fields() -> dict[str, str]:
    """The fields by their names in any language."""
    fields: tuple[Field, ...] = ("label", "output", "input", "instruction")
    return {name.casefold(): field for field in fields for name in NAMES[field]}
