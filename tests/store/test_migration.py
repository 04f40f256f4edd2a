"""A run that an earlier version began can be read, goes on as it began, and keeps its promises."""

import json
import re
import shutil
import sqlite3
from contextlib import closing

import pytest

from selfinstruct.config.stored import config_of
from selfinstruct.records import content_id
from selfinstruct.store import schema
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from tests.conftest import json_lines, run_cli

# Of prompts that know nothing of JSON or of a second question, as version 1 stored them.
PROMPTS = {
    "propose": (
        "You invent tasks.",
        "Here are some tasks:\n\n{% for task in demonstrations %}{{ loop.index }}. {{ task }}\n{% endfor %}\n"
        "Write {{ n_new }} more tasks, numbered {{ demonstrations|length + 1 }} to "
        "{{ demonstrations|length + n_new }}, one per line.",
    ),
    "classify": ("You decide.", "Task: {{ instruction }}\nIs it a classification task? Answer Yes or No."),
    "input_first": (
        "You write examples.",
        "Task: {{ instruction }}\n\nWrite up to {{ n_instances }} examples, each an input and its output.",
    ),
    "output_first": (
        "You write examples.",
        "Task: {{ instruction }}\n\nWrite up to {{ n_instances }} examples, the class label first, "
        "then an input that belongs to it.",
    ),
}
TABLES = ("run", "seeds", "system_prompts", "requests", "completions", "faults", "steps", "tasks", "instances",
          "rejections")  # fmt: skip
# Columns of version 1, as they are today.
RENAMED = {
    ("completions", "answer"): "raw",
    ("faults", "answer"): "raw",
    ("tasks", "made"): "generated",
    ("tasks", "is_classification"): "json_extract(extra, '$.is_classification')",
}
# What version 1 had no settings for.
LATER = ("strategy", "profile", "decontaminate")
LATER_FILTERS = ("ascii_tokens", "near_duplicate")


@pytest.fixture(scope="module")
def today(tmp_path_factory):
    """A run of today as version 1 would have carried it out: in text, with the prompts above."""
    folder = tmp_path_factory.mktemp("runs")
    for name, (system, user) in PROMPTS.items():
        path = folder / "prompts/chat" / f"{name}.jinja"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{{% block system %}}{system}{{% endblock %}}{{% block user %}}{user}{{% endblock %}}")
    (folder / "run.toml").write_text(f'seed = 3\nprompts = "{folder}/prompts"\n[teacher]\nanswer_format = "text"\n')
    result = run_cli("generate", folder / "run", "--target", 30, "--config", folder / "run.toml")
    assert result.returncode == 0, result.stderr
    return folder / "run"


@pytest.fixture
def old(today, tmp_path):
    """The same run in a file of version 1."""
    folder = tmp_path / "old"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "run.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        schema.MIGRATIONS[0](db)
        db.execute("PRAGMA user_version = 1")
        db.execute("ATTACH ? AS today", (str(today / "run.db"),))
        for table in TABLES:
            columns = [name for _, name, *_ in db.execute(f"PRAGMA main.table_info({table})")]
            columns = ", ".join(RENAMED.get((table, name), name) for name in columns)
            db.execute(f"INSERT INTO {table} SELECT {columns} FROM today.{table}")
        columns = "id, step, position, request_id, place, instruction, cut"
        db.execute(f"INSERT INTO candidates SELECT {columns} FROM today.candidates")
        config = json.loads(db.execute("SELECT value FROM run WHERE key = 'config'").fetchone()[0])
        for key in LATER:
            config.pop(key)
        for key in LATER_FILTERS:
            config["filters"].pop(key)
        for section in ("teacher", "propose", "classify", "instances"):
            config[section].pop("answer_format", None)
        config["simulated"].pop("json_schema")
        db.execute("UPDATE run SET value = ? WHERE key = 'config'", (json.dumps(config),))
        give_ids_of_version_1(db)
    return folder


def give_ids_of_version_1(db):
    """Version 1 hashed everything of a request but its stage; the other ids follow from that one."""
    new = {}
    for identity, system, sampling, *parts in db.execute(
        "SELECT r.id, s.text, sampling, teacher, model, endpoint, user, sample FROM requests r "
        "JOIN system_prompts s ON s.id = system_prompt"
    ):
        teacher, model, endpoint, user, sample = parts
        new[identity] = content_id("request", teacher, model, endpoint, system, user, json.loads(sampling), sample)
    for identity, request, place, instruction in db.execute(
        "SELECT id, request_id, place, instruction FROM candidates"
    ):
        new[identity] = content_id("candidate", new[request], place, instruction)
    for identity, task, request, position, given, output in db.execute(
        "SELECT i.id, t.id, i.request_id, i.position, input, output FROM instances i JOIN tasks t ON t.position = task"
    ):
        new[identity] = content_id("instance", new[task], new[request], position, given, output)
    columns = {
        "requests": ["id"], "completions": ["request_id"], "faults": ["request_id"],
        "candidates": ["id", "request_id"], "tasks": ["id", "nearest_id"], "instances": ["id", "request_id"],
        "rejections": ["subject_id", "evidence"],
    }  # fmt: skip
    db.create_function("old", 1, lambda text: text and re.sub("[0-9a-f]{24}", lambda m: new.get(m[0], m[0]), text))
    db.execute("PRAGMA foreign_keys = OFF")
    for table, names in columns.items():
        db.execute(f"UPDATE {table} SET {', '.join(f'{name} = old({name})' for name in names)}")


def without_ids(text):
    return re.sub("[0-9a-f]{24}", "ID", text)


def version(folder):
    with closing(sqlite3.connect(folder / "run.db")) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def test_the_file_is_of_version_1(old):
    with closing(sqlite3.connect(old / "run.db")) as db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(candidates)")]
    assert columns == ["id", "step", "position", "request_id", "place", "instruction", "cut"]
    assert version(old) == 1 < len(schema.MIGRATIONS)


@pytest.mark.parametrize(
    "command",
    [["status", "--json"], ["verify"], ["tasks", "--json"], ["rejected", "--json"], ["export", "--format", "alpaca"]],
)
def test_an_old_run_can_be_looked_at(cli, old, today, command):
    shown, expected = (cli(command[0], folder, *command[1:]).stdout for folder in (old, today))
    assert without_ids(shown.replace(str(old), "RUN")) == without_ids(expected.replace(str(today), "RUN"))


def test_an_old_run_is_brought_up_to_date_where_it_is_opened_to_go_on(old):
    with Store.resume(old) as store:
        assert verify(store) == []
        assert all(candidate.instances == () for candidate in store.pending())
        assert all(task.instances == () and task.request_id for task in store.tasks())
    assert version(old) == len(schema.MIGRATIONS)
    Store.resume(old).close()  # a second time there is nothing to do


def test_an_old_run_goes_on_as_it_began(cli, old, today, tmp_path):
    asked = answers(old)
    cli("generate", old, "--target", 60)
    cli("verify", old)
    with Store.read(old) as store:
        assert len(store.tasks()) == 60
        assert answers(old)[: len(asked)] == asked, "what was paid for is kept"
        stages = dict(store.query("SELECT stage, count(*) FROM requests GROUP BY stage"))
        assert stages["instances"] == 60, "a task was asked about twice"
        assert not store.query("SELECT 1 FROM requests WHERE sampling LIKE '%response_format%' AND stage != 'probe'")
        assert {config_of(store).stage(stage).teacher.answer_format for stage in config_of(store).stages} == {"text"}
    # As the run of today, in text.
    shutil.copytree(today, tmp_path / "today")
    cli("generate", tmp_path / "today", "--target", 60)
    ours, expected = (without_ids((folder / "records.jsonl").read_text()) for folder in (old, tmp_path / "today"))
    assert ours == expected
    assert len({record["task"] for record in json_lines(ours)}) == 60


def answers(folder):
    """What was asked and said, in order."""
    with closing(sqlite3.connect(folder / "run.db")) as db:
        return db.execute(
            "SELECT stage, user, sample, text FROM completions m JOIN requests r ON r.id = request_id ORDER BY m.rowid"
        ).fetchall()


def test_a_run_that_was_stopped_in_version_1_pays_for_nothing_twice(cli, old):
    """Its last tasks were admitted, and asked about, but not made."""
    with closing(sqlite3.connect(old / "run.db")) as db, db:
        db.execute("DELETE FROM rejections WHERE subject_id IN (SELECT id FROM instances WHERE task >= 20)")
        db.execute("DELETE FROM instances WHERE task >= 20")
        db.execute("UPDATE tasks SET made = 0, is_classification = NULL WHERE position >= 20")
    asked = answers(old)
    cli("generate", old, "--target", 30)
    cli("verify", old)
    assert [row for row in answers(old) if row[0] != "probe"] == asked


def test_a_new_file_is_what_all_migrations_make_of_an_empty_one(tmp_path):
    def tables(path):
        with closing(sqlite3.connect(path)) as db:
            version = db.execute("PRAGMA user_version").fetchone()
            return version, db.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()

    with closing(sqlite3.connect(tmp_path / "one.db", isolation_level=None)) as db:
        schema.migrate(db, tmp_path / "one.db")
    with closing(sqlite3.connect(tmp_path / "each.db", isolation_level=None)) as db:
        for number, migration in enumerate(schema.MIGRATIONS, 1):
            migration(db)
            db.execute(f"PRAGMA user_version = {number}")
    assert tables(tmp_path / "one.db") == tables(tmp_path / "each.db")
