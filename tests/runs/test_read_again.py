"""`verify` reads the stored answers again: what agrees with itself but comes from no answer is found, too."""

import asyncio
import shutil
import sqlite3
from contextlib import closing

import pytest

from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.runs.verify import verify
from selfinstruct.store.rows import instance_id
from selfinstruct.store.store import Store
from tests.conftest import run_cli


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verified") / "run"
    assert run_cli("generate", folder, "--target", 20).returncode == 0
    return folder


@pytest.fixture
def run(grown, tmp_path):
    return shutil.copytree(grown, tmp_path / "run")


def verified(run):
    return verify(run, lambda work: asyncio.run(work()))


def change(run, *statements):
    with closing(sqlite3.connect(run / "run.db")) as db, db:
        for statement in statements:
            assert db.execute(*([statement] if isinstance(statement, str) else statement)).rowcount > 0, statement


def one_instance(run):
    with closing(sqlite3.connect(run / "run.db")) as db:
        return db.execute(
            "SELECT i.id, t.id, i.request_id, i.task, i.input FROM instances i JOIN tasks t ON t.position = i.task "
            "WHERE i.position = 0 AND NOT EXISTS (SELECT 1 FROM rejections WHERE subject_id = i.id) LIMIT 1 OFFSET 3"
        ).fetchone()


def test_a_run_is_what_its_answers_say(grown):
    assert verified(grown) == ([], [])


def test_an_instance_of_no_answer_is_found_though_its_id_is_right(run):
    _, task_id, request_id, task, _ = one_instance(run)
    forged = ParsedInstance("", "It was never said.", False)
    identity = instance_id(task_id, request_id, 50, forged)
    row = (identity, task, 50, request_id, forged.input, forged.output)
    change(
        run,
        ("INSERT INTO instances(id, task, position, request_id, input, output) VALUES (?, ?, ?, ?, ?, ?)", row),
    )
    assert f"instance {identity}: does not come from any answer, or not by the run's rules" in verified(run)[0]


def test_an_edited_output_is_found_though_the_id_was_computed_again(run):
    identity, task_id, request_id, _, given = one_instance(run)
    new = instance_id(task_id, request_id, 0, ParsedInstance(given, "Another answer.", False))
    change(run, ("UPDATE instances SET id = ?, output = 'Another answer.' WHERE id = ?", (new, identity)))
    problems, _ = verified(run)
    assert f"instance {identity}: is missing, but comes from the answers" in problems


LAST = "(SELECT request_id FROM instances WHERE task = (SELECT max(task) FROM instances) LIMIT 1)"


@pytest.mark.parametrize(
    "statements",
    [
        ["DELETE FROM instances WHERE id = (SELECT id FROM instances LIMIT 1 OFFSET 5)"],
        [f"DELETE FROM completions WHERE request_id = {LAST}", f"DELETE FROM requests WHERE id = {LAST}",
         f"DELETE FROM instances WHERE request_id = {LAST}"],
        ["DELETE FROM seeds WHERE position = (SELECT max(position) FROM seeds)"],
        ["INSERT INTO rejections SELECT 'instance', id, 'filter', 'empty_output', '{}' FROM instances WHERE task = 4"],
        ["DELETE FROM rejections"],
        ["UPDATE candidates SET cut = 1 - cut WHERE rowid = 2"],
        ["UPDATE tasks SET nearest_id = (SELECT id FROM seeds LIMIT 1), nearest_score = 0.0 WHERE position = 9"],
        ["UPDATE run SET value = replace(value, 'Task', 'Job') WHERE key = 'prompts'"],
    ],
    ids=["an instance", "an answer with all of its rows", "a seed", "rejected by hand", "rejections deleted", "cut",
         "another neighbour", "the prompts"],
)  # fmt: skip
def test_what_was_changed_by_hand_is_found(run, statements):
    change(run, *statements)
    assert verified(run).problems


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE instances SET output = 'x' WHERE rowid = 3", "the row was changed"),
        ("UPDATE tasks SET extra = '{}' WHERE position = 3", "task 3: its hash should be"),
        ("UPDATE tasks SET nearest_score = 0.123 WHERE position = 3", "not 0.123"),
        ("UPDATE tasks SET nearest_score = 'high' WHERE position = 3", "nearest_score is high, not REAL"),
        ("DROP TABLE instances", "the table instances: is missing"),
        ("DROP VIEW records", "the view records: is missing"),
        ("DELETE FROM run WHERE key = 'config'", "not everything could be checked: "),
    ],
)
def test_one_change_is_one_finding(run, statement, finding):
    with closing(sqlite3.connect(run / "run.db")) as db, db:
        db.execute(statement)
    found = verified(run)
    (problem,), _ = found
    assert finding in problem
    # What cannot be read cannot be filtered again.
    assert found.readable is not finding.startswith(("the table", "the view", "not everything"))


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("DELETE FROM tasks WHERE position = 3", "task 3: is missing, but comes from the answers"),
        ("DELETE FROM steps WHERE step = 1", "step 1: missing"),
        ("DELETE FROM candidates WHERE id = (SELECT id FROM tasks WHERE position = 3)", "candidate "),
        ("DELETE FROM completions WHERE rowid = 9", "completions: 1 row was deleted"),
    ],
)
def test_what_was_deleted_is_named_first_and_what_referred_to_it_in_one_line(run, statement, finding):
    change(run, statement)
    problems, _ = verified(run)
    assert problems[0].startswith(finding)
    assert sum("do not exist" in problem for problem in problems) <= 1


def test_answers_that_another_version_read_are_not_read_again_and_a_note_says_so(run, cli):
    with Store.resume(run) as store, store.transaction():
        store.set_settings({"versions": ["0.1.0", "0.2.0"]})
    shown = cli("verify", run)
    assert "no problems" in shown.stdout
    assert "Note: The answers were not parsed again: they were parsed by version 0.1.0, and this is" in shown.stderr
