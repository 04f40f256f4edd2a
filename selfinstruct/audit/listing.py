"""Which of the generations are asked for, how many there are under each facet, and one page of them.

Pages go on behind the last item of the page before (keyset paging), so the thousandth costs what the first does. Counts
come from the groups of the index; only a search, or a choice by mark, is counted item by item, once.
"""

import re
from collections import Counter
from typing import NamedTuple
from urllib.parse import urlencode

from selfinstruct.audit.index import FACETS, LENGTHS, Group, Index, length_class
from selfinstruct.pool.novelty import tokens

PAGE = 50  # items
FEW = 20_000  # rows: up to this number they are sorted; more are read in the order of an index until a page is full

# By name: the column, whether it falls, and in words.
SORTS = {
    "first": ("said", False, "oldest first"),
    "last": ("said", True, "newest first"),
    "longest": ("length", True, "longest"),
    "shortest": ("length", False, "shortest"),
    "similar": ("score", True, "most similar"),
}
LENGTH_ORDER = [length_class(n) for n in LENGTHS]


class Selection(NamedTuple):
    """What is asked for: one value of each facet or "" for all, a mark, words to be found, an order."""

    kind: str = ""
    state: str = ""
    stage: str = ""
    reason: str = ""
    model: str = ""
    length: str = ""
    mark: str = ""
    q: str = ""
    sort: str = "first"

    def query(self, **changes: str) -> str:
        """As the query of an address, with some of it changed."""
        values = self._asdict() | changes
        return urlencode({k: v for k, v in values.items() if v and (k, v) != ("sort", "first")}, errors="replace")


class Item(NamedTuple):
    """One row of a page; `key` is its place in the order."""

    id: int
    kind: str
    subject_id: str
    state: str
    stage: str
    reason: str
    model: str
    length: int
    score: float
    key: str


class Page(NamedTuple):
    """Some items in order; whether there are others before and after them."""

    items: list[Item]
    has_before: bool
    has_after: bool


class Listing:
    """One choice of generations; of an index as it is at the moment."""

    def __init__(self, index: Index, asked: Selection):
        self.index = index
        self.asked = asked
        self._found = _find(index, asked) if asked.q or asked.mark else None
        sizes = self._found
        self._groups = [g if sizes is None else g._replace(n=sizes[g.id]) for g in index.groups()]
        self._chosen = [group for group in self._groups if _fits(group, asked)]
        self.total = sum(group.n for group in self._chosen)

    def facets(self) -> dict[str, list[tuple[str, int]]]:
        """By facet its values with their counts under the choice of all other facets, most frequent first."""
        counted = {}
        for facet in FACETS:
            others = self.asked._replace(**{facet: ""})
            counts = Counter[str]()
            for group in self._groups:
                if _fits(group, others) and getattr(group, facet):
                    counts[getattr(group, facet)] += group.n
            chosen = getattr(self.asked, facet)
            counts[chosen] += 0  # stays visible, so that it can be taken back
            rows = [row for row in counts.most_common() if row[0] and (row[1] or row[0] == chosen)]
            if facet == "length":
                rows.sort(key=lambda row: LENGTH_ORDER.index(row[0]) if row[0] in LENGTH_ORDER else -1)
            counted[facet] = rows
        return counted

    def page(self, after: str = "", before: str = "", size: int = PAGE) -> Page:
        """The first items, or those behind (before) the place `after` (`before`) in the order."""
        backwards = bool(before)
        rows = self._rows(after or before, backwards, size + 1)
        more = len(rows) > size
        items = rows[:size]
        if backwards:
            return Page(items[::-1], more, True)
        return Page(items, bool(after), more)

    def subjects(self) -> list[tuple[str, str]]:
        """All that is asked for, as decisions name it."""
        rows = self.index.query(
            f"SELECT g.kind, i.subject_id FROM items i JOIN groups g ON g.id = i.of_group WHERE {self._where()}"
        )
        return [(str(kind), str(identity)) for kind, identity in rows]

    def _where(self) -> str:
        where = f"i.of_group IN ({', '.join(str(group.id) for group in self._chosen)})"
        return where if self._found is None else f"{where} AND EXISTS (SELECT 1 FROM temp.found f WHERE f.id = i.id)"

    def _rows(self, place: str, backwards: bool, size: int) -> list[Item]:
        column, falls, _ = SORTS[self.asked.sort]
        falls ^= backwards
        # The plus keeps SQLite from the index that is the slower one here.
        few = self.total <= FEW
        by = f"+i.{column}" if few else f"i.{column}"
        where = self._where() if few else self._where().replace("i.of_group IN", "+i.of_group IN", 1)
        parameters: list[float] = []
        if place:
            where += f" AND ({by}, i.id) {'<' if falls else '>'} (?, ?)"
            parameters = _place(place)
        direction = "DESC" if falls else "ASC"
        rows = self.index.query(
            f"SELECT i.id, g.kind, i.subject_id, g.state, g.stage, g.reason, g.model, i.length, i.score, i.{column} "
            f"FROM items i CROSS JOIN groups g ON g.id = i.of_group WHERE {where} "
            f"ORDER BY {by} {direction}, i.id {direction} LIMIT ?",
            (*parameters, size),
        )
        return [Item(*row[:-1], f"{row[-1]}_{row[0]}") for row in rows]  # type: ignore[call-arg]


def search_query(words: str) -> str:
    """FTS5's query for all of the words, "phrases" and beginnings* in a text; "" where there is no word in it."""
    terms = []
    for n, part in enumerate(words.split('"')):
        for term in [part] if n % 2 else part.split():
            if found := tokens(term):
                terms.append(f'"{" ".join(found)}"' + ("*" if term.endswith("*") and not n % 2 else ""))
    return " ".join(terms)


def _fits(group: Group, asked: Selection) -> bool:
    return all(getattr(asked, facet) in ("", getattr(group, facet)) for facet in FACETS)


def _place(place: str) -> list[float]:
    """The sort key and the id of an item; those of none where an address was tampered with."""
    found = re.fullmatch(r"(-?[0-9.e-]{1,30})_([0-9]{1,18})", place)
    try:
        return [float(found[1]), int(found[2])] if found else [-2.0, 0]
    except ValueError:
        return [-2.0, 0]


def _find(index: Index, asked: Selection) -> Counter[int]:
    """Put what has the words and the mark into the table temp.found, and give its number by group."""
    # Once for all pages of a search: the table stays until something else is looked for, or something has come in.
    wanted = (asked.q, asked.mark, index.version)
    if index.found != wanted:
        index.query("DROP TABLE IF EXISTS temp.found")
        index.query("CREATE TEMP TABLE found(id INTEGER PRIMARY KEY)")
        if asked.q and (query := search_query(asked.q)):
            index.query("INSERT INTO temp.found SELECT rowid FROM texts WHERE texts MATCH ?", (query,))
        if asked.mark and not asked.q:
            index.query("INSERT INTO temp.found SELECT item FROM marks WHERE mark = ?", (asked.mark,))
        elif asked.mark:
            index.query("DELETE FROM temp.found WHERE id NOT IN (SELECT item FROM marks WHERE mark = ?)", (asked.mark,))
        rows = index.query("SELECT of_group, count(*) FROM items WHERE id IN (SELECT id FROM temp.found) GROUP BY 1")
        index.found, index.found_sizes = wanted, Counter(dict(rows))
    return index.found_sizes
