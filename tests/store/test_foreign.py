"""Runs that somebody else made, or that stand in odd places: nothing is written through links, nothing foreign runs."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from selfinstruct.errors import SelfInstructError, StoreError, UsageError
from selfinstruct.report.status import status
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from tests.conftest import FEW_SEEDS, run_cli


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign") / "run"
    assert run_cli("generate", folder, "--target", 4, "--seeds", FEW_SEEDS).returncode == 0
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


# Nothing is written through a link: as reported of archives and caches, whose links were followed
# (huggingface/datasets#8303, develar/app-builder#163; one that leads nowhere yet: zlib-ng/minizip-ng#1027).


@pytest.mark.parametrize("leads_somewhere", [True, False])
@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("run.db", ["status"]),
        ("run.db", ["generate", "--target", 5]),
        ("run.db-wal", ["generate", "--target", 5]),
        ("run.db-journal", ["generate", "--target", 5]),
        ("run.lock", ["generate", "--target", 5]),
        ("config.toml", ["generate", "--target", 5]),
        (".config.toml.part", ["generate", "--target", 5]),
        ("records.jsonl", ["generate", "--target", 5]),
        (".records.jsonl.part", ["export", "--format", "messages"]),
        ("messages.jsonl", ["export", "--format", "messages"]),
        ("README.md", ["export", "--format", "messages", "--card"]),
        ("report.html", ["report"]),
        (".report.html.part", ["report"]),
    ],
)
def test_nothing_is_written_through_a_link(folder, tmp_path, name, command, leads_somewhere):
    victim = tmp_path / "victim"
    if leads_somewhere:
        victim.write_text("mine")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(victim)
    result = run_cli(command[0], folder, *command[1:])
    assert "Traceback" not in result.stderr
    assert victim.exists() == leads_somewhere
    assert not leads_somewhere or victim.read_text() == "mine"
    assert result.returncode == 0 or any(
        words in result.stderr for words in ("is a link", "no run here", "was not written by selfinstruct")
    )


def test_a_lock_that_is_a_hard_link_is_not_emptied(folder, tmp_path):
    (tmp_path / "victim").write_text("mine")
    (folder / "run.lock").unlink()
    (folder / "run.lock").hardlink_to(tmp_path / "victim")
    assert run_cli("generate", folder, "--target", 5).returncode == 0
    assert (tmp_path / "victim").read_text() == "mine"


def test_decisions_are_written_through_no_link(folder, tmp_path):
    from selfinstruct.audit.index import Index

    (tmp_path / "victim").write_text("mine")
    (folder / "audit.db").symlink_to(tmp_path / "victim")
    with Store.read(folder) as store, pytest.raises(UsageError, match=r"audit\.db is a link"):
        Index(store)
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_folder_may_be_a_link(folder, tmp_path):
    (tmp_path / "elsewhere").symlink_to(folder)
    assert run_cli("generate", tmp_path / "elsewhere", "--target", 5).returncode == 0


# Nothing that a file brings runs (unswsecsoc/UNSW-Discord-Verification-Bot#15, osquery/osquery#5702,
# rqlite/rqlite#2737).


def changed(folder, *statements):
    with closing(sqlite3.connect(folder / "run.db")) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TRIGGER t AFTER INSERT ON decisions BEGIN DELETE FROM completions; END"],
        ["CREATE TRIGGER t AFTER INSERT ON requests BEGIN UPDATE completions SET text = 'theirs'; END"],
        ["DROP VIEW records", f"CREATE VIEW records AS SELECT ({ENDLESS}) AS id"],
        ["DROP VIEW rejected", f"CREATE VIEW rejected AS {ENDLESS}"],
        ["DROP TABLE seeds", f"CREATE VIEW seeds AS {ENDLESS}"],
        ["DROP TABLE run", f"CREATE VIEW run AS {ENDLESS}"],
        ["DROP TABLE test_lines", "CREATE VIRTUAL TABLE test_lines USING fts5(file, number, text)"],
    ],
)
def test_a_file_that_would_do_other_things_than_ours_is_refused(folder, statements):
    changed(folder, *statements)
    for use in (Store.read, Store.resume, Store.beside, Store.exists):
        with pytest.raises(
            StoreError, match=r"which selfinstruct did not create|not the one that selfinstruct creates"
        ):
            use(folder)


DAMAGED = "its settings are damaged"


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE run SET value = '[\"x\", 1, null]' WHERE key = 'versions'", DAMAGED),
        ("UPDATE run SET value = '\"text\"' WHERE key = 'target'", DAMAGED),
        ("UPDATE run SET value = '[1]' WHERE key = 'prompts'", DAMAGED),
        ("INSERT OR REPLACE INTO run(key, value) VALUES('learned', '[3]')", DAMAGED),
        (
            'INSERT OR REPLACE INTO run(key, value) VALUES(\'learned\', \'{"edits": {"propose": {"m": [["seed"]]}}}\')',
            DAMAGED,
        ),
        ("INSERT OR REPLACE INTO run(key, value) VALUES('highest_prices', '{\"m\": 1}')", DAMAGED),
        ("UPDATE candidates SET instruction = 'same text'", "a candidate was changed after it was stored"),
        ("UPDATE tasks SET position = position * 1000 WHERE position > 1", "tasks are missing"),
        (
            "INSERT INTO faults(request_id, stage, attempt, reason, detail, created_at, tokens, cost_usd) "
            "VALUES('a', 'b', 1, 'c', 'd', 1e308, 9e18, 9e307)",
            "Stopped at the budget",
        ),
    ],
)
def test_senseless_values_end_a_resumed_run_with_a_message(folder, tmp_path, statement, said):
    prices = tmp_path / "prices.toml"
    prices.write_text("[prices.simulated]\ninput = 1\noutput = 1\n", encoding="utf-8")
    changed(folder, statement)
    run = run_cli("generate", folder, "--target", 5, "--max-cost", 1, "--config", prices)
    assert run.returncode != 0
    assert said in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("statement", "commands"),
    [
        (f"UPDATE rejections SET evidence = '{{\"score\": {'9' * 5000}}}'", [["rejected"], ["report", "--json"]]),
        ("UPDATE candidates SET instances = '[1]'", [["generate", "--target", 5]]),
        ("UPDATE steps SET n_candidates = 9000000000000", [["generate", "--target", 5]]),
        ("DELETE FROM seeds", [["tasks", "--json", "--similar"]]),
    ],
)
def test_damaged_rows_end_a_command_with_a_message_at_most(folder, statement, commands):
    changed(folder, "INSERT INTO rejections SELECT 'instance', id, 'filter', 'theirs', '{}' FROM instances", statement)
    for command in commands:
        shown = run_cli(command[0], folder, *command[1:])
        assert "Traceback" not in shown.stderr
        assert shown.returncode == 0 or "store of this run is damaged" in shown.stderr or "Stopped:" in shown.stderr


def test_tables_and_views_of_the_users_own_are_left_alone(folder):
    changed(folder, "CREATE TABLE mine(x)", "CREATE VIEW long AS SELECT * FROM tasks", "CREATE INDEX i ON mine(x)")
    with Store.read(folder) as store:
        assert verify(store) == []


def test_an_audits_own_file_with_foreign_code_is_made_again(folder):
    from selfinstruct.audit.index import Index

    with Store.read(folder) as store:
        Index(store).close()
        with closing(sqlite3.connect(folder / "audit.db")) as db:
            db.execute("CREATE TRIGGER t AFTER INSERT ON items BEGIN DELETE FROM groups; END")
        index = Index(store)
        index.refresh()
        assert index.query("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'") == [(0,)]
        index.close()


# Odd places: names that are other bytes than UTF-8 (samschott/maestral#230, freedomofpress/dangerzone#768,
# GoogleCloudPlatform/gsutil#1625), addresses of SQLite, line breaks, and folders that nobody may write.


@pytest.mark.parametrize("name", [b"a\xff\xfeb", b"file:x?mode=ro", b"a\nb", b"#%41?'\"", "\u202eé".encode()])
def test_a_run_in_an_odd_place_works(finished, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    folder = os.fsdecode(name)
    shutil.copytree(finished, folder)
    for command in (
        ("generate", folder, "--target", 5), ("status", folder), ("status", folder, "--json"), ("report", folder),
        ("verify", folder), ("tasks", folder), ("rejected", folder), ("check", f"{folder}/records.jsonl"),
        ("export", folder, "--format", "messages", "--card"), ("refilter", folder, f"{folder}2"),
    ):  # fmt: skip
        result = run_cli(*command)
        assert result.returncode == 0, (command, result.stderr)
        assert "\u202e" not in result.stdout


def test_a_setting_that_is_not_utf_8_is_named(folder, tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")
    Path(odd).write_text("What is the question?\n")
    result = run_cli("generate", tmp_path / "new", "--target", 2, "--decontaminate", odd)
    assert result.returncode == 2
    assert r"not UTF-8 text, and cannot be stored" in result.stderr


READING = [
    ["status"], ["status", "--json", "--diversity"], ["verify"], ["tasks", "--json"], ["rejected"],
    ["report", "--json"],
]  # fmt: skip


@pytest.mark.parametrize("command", READING, ids=str)
def test_reading_commands_work_on_a_read_only_copy(folder, command):
    for path in folder.glob("run.db-*"):
        path.unlink()
    for path in (*folder.iterdir(), folder):
        path.chmod(path.stat().st_mode & ~0o222)
    before = sorted(path.name for path in folder.iterdir())
    shown = run_cli(command[0], folder, *command[1:], as_anyone=True)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout == run_cli(command[0], folder, *command[1:]).stdout
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_read_only_copy_can_be_exported_and_reported_elsewhere(folder, tmp_path):
    for path in (*folder.iterdir(), folder):
        path.chmod(path.stat().st_mode & ~0o222)
    for command in (
        ["report", str(folder), "--output", str(tmp_path / "report.html")],
        ["export", str(folder), "--format", "alpaca", "--output", str(tmp_path / "out.json")],
        ["refilter", str(folder), str(tmp_path / "new")],
    ):
        shown = run_cli(*command, as_anyone=True)
        assert shown.returncode == 0, shown.stderr
    assert status_of(folder) == status_of(tmp_path / "new")


def status_of(folder):
    with Store.read(folder) as store:
        return status(store).records


def test_a_run_that_is_no_run_is_explained(tmp_path):
    (tmp_path / "run.db").mkdir(parents=True)
    with pytest.raises(SelfInstructError, match="not a regular file"):
        Store.read(tmp_path)
