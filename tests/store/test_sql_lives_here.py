"""Only the store speaks SQL to run.db; the audit besides to its own file, audit.db."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import selfinstruct
from selfinstruct.audit import index

PACKAGE = Path(selfinstruct.__file__).parent
AUDITS_OWN = {PACKAGE / "audit/index.py", PACKAGE / "audit/listing.py"}
STATEMENT = re.compile(
    r"\s*(?:(?:SELECT|WITH|VALUES|EXPLAIN|INSERT|REPLACE|UPDATE|DELETE\s+FROM|CREATE|DROP|ALTER|PRAGMA|ATTACH|DETACH)\s"
    r"|(?:BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|VACUUM|ANALYZE|REINDEX)(?:[\s;]|$))"
)
TABLE = re.compile(
    r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|VIEW)\s+(?!IF\b)((?:temp\.)?\w+|\{\})|\bIF (?:NOT )?EXISTS ([\w.]+|\{\})"
)


def statements(source: str) -> Iterator[tuple[int, str]]:
    """The string literals that begin as SQL statements do, with their lines; {} is what an f-string puts in."""
    tree = ast.parse(source)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            text = node.value
        else:
            continue
        if STATEMENT.match(text):
            yield node.lineno, text


def tables(statement: str) -> set[str]:
    """The tables and views that a statement names."""
    return {name or other for name, other in TABLE.findall(statement)}


FILES = sorted(path for path in PACKAGE.rglob("*.py") if (PACKAGE / "store") not in path.parents)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_statement_outside_of_the_store(path):
    found = list(statements(path.read_text(encoding="utf-8")))
    if path in AUDITS_OWN:
        own = tables(index._TABLES) | {"texts", "found", "temp.found", "{}"}
        assert found, "the audit's own file is read and written here"
        found = [(line, text) for line, text in found if not tables(text) <= own]
    assert not found, "put it into a function of selfinstruct/store that is named by what it answers"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('x = "SELECT 1"', ["SELECT 1"]),
        ('"\\n   DELETE FROM " "steps"', ["\n   DELETE FROM steps"]),
        ('f"SELECT {columns} FROM {table} r"', ["SELECT {} FROM {} r"]),
        ('"PRAGMA data_version"', ["PRAGMA data_version"]),
        ('"COMMIT"', ["COMMIT"]),
        ('"""Select what is to be read."""', []),
        ('"SELECTED"', []),
        ('"DELETE"', []),
        ('f"{n} of them: SELECT"', []),
    ],
)
def test_what_is_a_statement(source, found):
    assert [text for _, text in statements(source)] == found


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("SELECT 1", set()),
        ("SELECT a FROM items i JOIN groups g ON g.id = i.g", {"items", "groups"}),
        ("INSERT OR IGNORE INTO {}(a) SELECT b FROM candidates", {"{}", "candidates"}),
        ("DROP TABLE IF EXISTS temp.found", {"temp.found"}),
        ("UPDATE groups SET n = n + 1", {"groups"}),
        ("DELETE FROM marks WHERE item = ?", {"marks"}),
    ],
)
def test_what_a_statement_names(statement, found):
    assert tables(statement) == found
