"""Reference pages that people write say what the program has: tables, names, formats, messages."""

import ast
import dataclasses
import re
import sqlite3
from contextlib import closing

import selfinstruct as si
from selfinstruct.export.formats import FORMATS
from selfinstruct.records import Record
from selfinstruct.rows.fields import CALL, PART, ROW, TURN
from selfinstruct.rows.questions import QUESTION_FIELDS
from selfinstruct.store.schema import MIGRATIONS
from tests.docs.blocks import ROOT
from tests.test_docs import COMMANDS


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of all rows of Markdown tables, but for their heads."""
    lines = [line for line in text.splitlines() if line.startswith("| `") or line.startswith("| ...")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_page_of_run_db_has_every_table_and_column():
    with closing(sqlite3.connect(":memory:")) as db:
        for migrate in MIGRATIONS:
            migrate(db)
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]
        real = {name: [column[1] for column in db.execute(f"PRAGMA table_info({name})")] for name in names}
    written = {row[0].strip("` "): re.findall(r"`(\w+)`", row[1]) for row in rows(page("run-db.md"))}
    written["decisions_in_force"] = written["decisions"]  # "as `decisions`"
    assert written == real


def test_the_api_page_has_every_public_name():
    assert sorted(re.findall(r"^::: selfinstruct\.(\w+)$", page("api.md"), re.MULTILINE)) == sorted(si.__all__)


def test_the_page_of_formats_has_every_format_and_field():
    text = page("file-formats.md")
    exports = {row[0].strip("` "): row[1:] for row in rows(text.partition("## Exports")[2].partition("## Seeds")[0])}
    assert exports == {one.name: [f"`{one.name}.{one.suffix}`", one.words] for one in FORMATS}
    fields = [row[0].strip("` ") for row in rows(text.partition("## records.jsonl")[2].partition("## Exports")[0])]
    assert fields == [field.name for field in dataclasses.fields(Record)]
    assert ", ".join(f"`{name}`" for name in QUESTION_FIELDS) in text
    read = rows(text.partition("### Fields of a row")[2])
    assert read == [
        [", ".join(f"`{name}`" for name in field.spellings), field.becomes] for field in (*ROW, *TURN, *PART, *CALL)
    ]


def test_messages_in_troubleshooting_are_those_of_the_program():
    """The words of each message, between the dots, are in the source."""
    source = "\n".join(text for folder in ("selfinstruct", "finetune") for text in _texts(folder))
    tables = page("how-to/troubleshooting.md").split("| message | cause | what to do |")[1:]
    messages = [row[0].strip("` ") for table in tables for row in rows(table.partition("\n\n")[0])]
    assert len(messages) > 20
    for message in messages:
        for part in re.split(r"\.\.\.|`", message):
            assert part.strip(" .:()") in source, f"nothing says {part!r}: {message}"


def _texts(folder: str) -> list[str]:
    """The texts of the source, with dots where values are put in, and "database or disk is full", which is SQLite's."""
    found = ["database or disk is full"]
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "..." for part in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def test_the_first_page_has_every_command():
    table = page("index.md").partition("## The commands")[2]
    found = [name for row in rows(table) for name in re.findall(r"`((?:seeds )?[a-z]+)[ `]", row[0])]
    assert sorted(found) == sorted(COMMANDS)


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90
