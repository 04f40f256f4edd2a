"""What people decide: append-only, honoured by every export, without a say in what a run admits."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from selfinstruct.errors import UsageError
from selfinstruct.records import Candidate
from selfinstruct.store.database import Database
from selfinstruct.store.decisions import decide, decisions, is_exported, undo
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from tests.conftest import COMMAND, FEW_SEEDS, json_lines, run_cli
from tests.loopback import HANG_S, loopback, wait_until, working

CONFIG = "[simulated]\nrepeat_share = 0.2\nforbidden_share = 0.2\nmalformed_share = 0.3\n"


def made(folder: Path, *options: object) -> Path:
    config = folder / "run.toml"
    config.write_text(CONFIG)
    result = run_cli("generate", folder / "run", "--target", 40, "--config", config, "--seeds", FEW_SEEDS, *options)
    assert result.returncode == 0, result.stderr
    return folder / "run"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("self_instruct"))


@pytest.fixture(scope="module")
def finished_alpaca(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("alpaca"), "--strategy", "alpaca")


@pytest.fixture
def folder(finished, tmp_path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


@pytest.fixture
def alpaca(finished_alpaca, tmp_path) -> Path:
    return Path(shutil.copytree(finished_alpaca, tmp_path / "alpaca"))


def exported(folder: Path) -> list[dict]:
    assert run_cli("export", folder, "--format", "messages").returncode == 0
    return json_lines((folder / "records.jsonl").read_text())


def ids(folder: Path, sql: str) -> list[str]:
    with closing(sqlite3.connect(folder / "run.db")) as db:
        return [identity for (identity,) in db.execute(sql)]


def rows(folder: Path, table: str) -> list[tuple]:
    with closing(sqlite3.connect(folder / "run.db")) as db:
        return db.execute(f"SELECT * FROM {table}").fetchall()


REJECTED_INSTANCES = "SELECT subject_id FROM rejections WHERE subject = 'instance' ORDER BY 1"
REJECTED_CANDIDATES = "SELECT subject_id FROM rejections WHERE subject = 'candidate' ORDER BY 1"


def decided(folder: Path, action: str, *subjects: tuple[str, str], **payload: str) -> int:
    with Database.beside(folder) as run:
        return decide(run, "ada", action, subjects, payload)


def taken_back(folder: Path, batch: int) -> int:
    with Database.beside(folder) as run:
        return undo(run, "ada", batch)


def test_a_banned_record_is_not_exported_until_the_ban_is_undone(folder):
    before = exported(folder)
    batch = decided(folder, "ban", ("instance", before[3]["id"]))
    assert exported(folder) == before[:3] + before[4:]
    assert taken_back(folder, batch) > batch
    assert exported(folder) == before


def test_a_banned_task_takes_all_its_records_along(folder):
    before = exported(folder)
    task = before[0]["task"]
    (candidate,) = ids(folder, f"SELECT id FROM tasks WHERE position = {task}")
    decided(folder, "ban", ("candidate", candidate))
    assert exported(folder) == [record for record in before if record["task"] != task]
    decided(folder, "rescue", ("candidate", candidate))
    assert exported(folder) == before


def test_a_rescued_instance_stands_where_it_was_said(folder):
    before = exported(folder)
    rejected = ids(folder, REJECTED_INSTANCES)[0]
    decided(folder, "rescue", ("instance", rejected))
    after = exported(folder)
    (record,) = [record for record in after if record["id"] == rejected]
    assert [other for other in after if other is not record] == before
    assert [row["task"] for row in after] == sorted(row["task"] for row in after)
    assert record["messages"][1]["content"] == record["output"]


def test_the_last_of_ban_and_rescue_counts(folder):
    rejected = ids(folder, REJECTED_INSTANCES)[0]
    subject = ("instance", rejected)
    for action, expected in (("rescue", True), ("ban", False), ("rescue", True)):
        decided(folder, action, subject)
        assert (rejected in [record["id"] for record in exported(folder)]) is expected
    with Store.read(folder) as store:
        assert is_exported(store, subject) is True


def test_an_edited_instance_keeps_its_id_and_both_texts(folder):
    first = exported(folder)[0]
    subject = ("instance", first["id"])
    batch = decided(folder, "edit", subject, input="zero \x00 byte", output="Better.\nTwo lines.")
    (record,) = [record for record in exported(folder) if record["id"] == first["id"]]
    assert (record["input"], record["output"]) == ("zero \x00 byte", "Better.\nTwo lines.")
    assert record["messages"][1]["content"] == "Better.\nTwo lines."
    assert ids(folder, f"SELECT output FROM instances WHERE id = '{first['id']}'") == [first["output"]]
    decided(folder, "edit", subject, input="", output="Best.")
    assert exported(folder)[0]["output"] == "Best."
    with Store.read(folder) as store:
        assert verify(store) == []
        assert [one.texts.output for one in decisions(store)] == ["Best.", "Better.\nTwo lines."]
    taken_back(folder, batch)
    assert exported(folder)[0]["output"] == "Best."


def test_a_rescued_candidate_without_instances_exports_nothing_until_they_are_made(folder):
    before = exported(folder)
    candidate = ids(folder, REJECTED_CANDIDATES)[0]
    assert decided(folder, "rescue", ("candidate", candidate))
    assert exported(folder) == before
    with Store.read(folder) as store:
        assert is_exported(store, ("candidate", candidate)) is True


def test_a_rescued_candidate_is_exported_with_the_instances_it_came_with(alpaca):
    before = exported(alpaca)
    candidate = ids(alpaca, REJECTED_CANDIDATES)[0]
    number = decided(alpaca, "rescue", ("candidate", candidate))
    after = exported(alpaca)
    assert after[: len(before)] == before
    (record,) = after[len(before) :]
    (instruction,) = ids(alpaca, f"SELECT instruction FROM candidates WHERE id = '{candidate}'")
    assert (record["task"], record["instruction"]) == (-number, instruction)
    (pairs,) = ids(alpaca, f"SELECT instances FROM candidates WHERE id = '{candidate}'")
    assert [[record["input"], record["output"]]] == json.loads(pairs)
    for format in ("self-instruct", "parquet", "alpaca"):
        assert run_cli("export", alpaca, "--format", format).returncode == 0
    rows = json_lines((alpaca / "self-instruct.jsonl").read_text())
    assert len({row["id"] for row in rows}) == len(rows)
    with Store.read(alpaca) as store:
        assert verify(store) == []
    taken_back(alpaca, number)
    assert exported(alpaca) == before


def test_tags_and_comments_change_no_export(folder):
    before = exported(folder)
    answer = ids(folder, "SELECT subject_id FROM rejections WHERE subject = 'completion'")[0]
    decided(folder, "tag", ("instance", before[0]["id"]), tag=" look  again ")
    decided(folder, "comment", ("completion", answer), text="A <b>refusal</b>\x00")
    assert exported(folder) == before
    with Store.read(folder) as store:
        assert [one.payload for one in decisions(store)] == [{"text": "A <b>refusal</b>\x00"}, {"tag": "look again"}]
        assert verify(store) == []


def test_a_batch_is_taken_back_as_a_whole_and_what_is_so_already_is_left_out(folder):
    before = exported(folder)
    subjects = [("instance", record["id"]) for record in before[:5]]
    decided(folder, "ban", subjects[0])
    batch = decided(folder, "ban", *subjects)
    with Store.read(folder) as store:
        assert len(decisions(store, batch=batch)) == 4
    assert exported(folder) == before[5:]
    assert decided(folder, "ban", *subjects) == 0
    taken_back(folder, batch)
    assert exported(folder) == before[1:]
    assert taken_back(folder, batch) == 0


@pytest.mark.parametrize(
    ("action", "subject", "payload", "expected"),
    [
        ("ban", ("instance", "nobody"), {}, "There is no instance nobody"),
        ("ban", ("planet", "x"), {}, "There is no planet x"),
        ("rescue", ("completion", "an answer"), {}, "nothing to rescue"),
        ("edit", ("candidate", "a candidate"), {"input": "", "output": "x"}, "Only the input and output"),
        ("edit", ("instance", "an instance"), {"input": "x", "output": " "}, "output is empty"),
        ("tag", ("instance", "an instance"), {"tag": "  "}, "needs a text"),
    ],
)
def test_what_cannot_be_decided_is_refused(folder, action, subject, payload, expected):
    some = {
        "an answer": "SELECT subject_id FROM rejections WHERE subject = 'completion'",
        "a candidate": REJECTED_CANDIDATES,
        "an instance": "SELECT id FROM instances",
    }
    name = ids(folder, some[subject[1]])[0] if subject[1] in some else subject[1]
    with pytest.raises(UsageError, match=expected):
        decided(folder, action, (subject[0], name), **payload)
    assert ids(folder, "SELECT id FROM decisions") == []


def test_an_undo_is_not_undone(folder):
    batch = taken_back(folder, decided(folder, "ban", ("instance", exported(folder)[0]["id"])))
    with pytest.raises(UsageError, match="Decide again"):
        taken_back(folder, batch)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE decisions SET subject_id = 'gone' WHERE action = 'ban'", "no such instance"),
        ("UPDATE decisions SET action = 'burn' WHERE action = 'ban'", "unknown action"),
        ("UPDATE decisions SET subject = 'planet' WHERE action = 'ban'", "unknown subject"),
        ("UPDATE decisions SET undoes = 2 WHERE action = 'undo'", "undoes something that is not an earlier"),
        ("UPDATE decisions SET undoes = NULL WHERE action = 'undo'", "and only then"),
        ("DELETE FROM decided_texts", "an edit without texts"),
        ("UPDATE decided_texts SET output = 'Worse.'", "decided_texts row 2 0: its hash"),
        ("UPDATE decisions SET author = 'somebody' WHERE action = 'ban'", "decision 1: its hash"),
    ],
)
def test_verify_notices(folder, statement, expected):
    first, second, *_ = exported(folder)
    batch = decided(folder, "ban", ("instance", first["id"]))
    decided(folder, "edit", ("instance", second["id"]), input="", output="Better.")
    taken_back(folder, batch)
    with closing(sqlite3.connect(folder / "run.db")) as db, db:
        assert db.execute(statement).rowcount == 1
    with Store.read(folder) as store:
        assert any(expected in problem for problem in verify(store))


def test_verify_notices_a_text_that_no_candidate_came_with(alpaca):
    decided(alpaca, "rescue", ("candidate", ids(alpaca, REJECTED_CANDIDATES)[0]))
    with closing(sqlite3.connect(alpaca / "run.db")) as db, db:
        db.execute("UPDATE decided_texts SET output = output || '!'")
    with Store.read(alpaca) as store:
        assert any("did not come with" in problem for problem in verify(store))


@pytest.mark.parametrize("strategy", ["self-instruct", "alpaca"])
def test_decisions_survive_going_on_and_have_no_say_in_what_is_admitted(tmp_path, strategy):
    """A run that goes on after many decisions makes the tasks of one that nobody looked at; its export honours them."""
    plain = made(tmp_path, "--strategy", strategy)
    shutil.copytree(plain, looked_at := tmp_path / "looked_at")
    records = json_lines((plain / "records.jsonl").read_text())
    banned = [("instance", record["id"]) for record in records[::3]]
    decided(looked_at, "ban", *banned)
    decided(looked_at, "edit", ("instance", records[1]["id"]), input="", output="Edited.")
    decided(looked_at, "rescue", *(("candidate", name) for name in ids(looked_at, REJECTED_CANDIDATES)))
    for folder in (plain, looked_at):
        assert run_cli("generate", folder, "--target", 80).returncode == 0
    for table in ("candidates", "tasks", "instances", "rejections"):
        assert rows(looked_at, table) == rows(plain, table)
    expected = [r for r in json_lines((plain / "records.jsonl").read_text()) if ("instance", r["id"]) not in banned]
    found = [r for r in json_lines((looked_at / "records.jsonl").read_text()) if r["task"] >= 0]
    assert [r["id"] for r in found] == [r["id"] for r in expected]
    assert [r["output"] for r in found if r["id"] == records[1]["id"]] == ["Edited."]
    assert run_cli("verify", looked_at).returncode == 0


def test_a_decision_made_while_the_run_writes_is_in_what_it_exports(tmp_path):
    command = [*COMMAND, "generate", str(tmp_path / "run"), "--target", "120", "--model", "simulated", "--base-url"]
    with loopback() as server, working([*command, server.url]) as process:
        found: list[str] = []
        while not found:
            server.hold(after=10)
            wait_until(lambda: server.held, process)
            found = ids(tmp_path / "run", "SELECT id FROM filtered WHERE kept LIMIT 1")
        decided(tmp_path / "run", "ban", ("instance", found[0]))
        assert process.poll() is None
        server.release()
        assert process.wait(HANG_S) == 0
    records = json_lines((tmp_path / "run/records.jsonl").read_text())
    assert records
    assert found[0] not in [record["id"] for record in records]
    assert run_cli("verify", tmp_path / "run").returncode == 0


def test_a_candidate_that_is_not_judged_yet_waits(folder):
    with Store.resume(folder) as store, store.transaction():
        step, request = store.query("SELECT step, request_id FROM candidates ORDER BY step DESC LIMIT 1")[0]
        waiting = Candidate(request, 99, "Say what a lock is for.")
        row = (waiting.id, step, 99, request, 99, waiting.instruction, 0, None)
        store.db.execute("INSERT INTO candidates VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", row)
    assert decided(folder, "rescue", ("candidate", waiting.id)) == 0
    with Store.read(folder) as store:
        assert is_exported(store, ("candidate", waiting.id)) is None


def test_the_next_generate_makes_the_instances_of_a_rescued_instruction(folder, tmp_path):
    before = exported(folder)
    rejected = ids(folder, "SELECT subject_id FROM rejections WHERE reason = 'too_similar' ORDER BY 1 LIMIT 3")
    with Database.beside(folder) as run:
        batch = decide(run, "ada", "rescue", [("candidate", one) for one in rejected])
    assert exported(folder) == before
    assert run_cli("generate", folder, "--target", 40).returncode == 0
    rows = exported(folder)
    with Store.read(folder) as store:
        texts = dict(store.query("SELECT id, instruction FROM candidates"))
    new = [row for row in rows if row["task"] < 0]
    assert {row["instruction"] for row in new} == {texts[one] for one in rejected}
    assert [row for row in rows if row["task"] >= 0] == before
    assert run_cli("verify", folder).returncode == 0
    # Asked once: going on asks for nothing more, and neither the pool nor what comes later knows of them.
    asked = len(ids(folder, "SELECT request_id FROM completions"))
    assert run_cli("generate", folder, "--target", 40).returncode == 0
    assert len(ids(folder, "SELECT request_id FROM completions")) == asked
    with Database.beside(folder) as run:
        undo(run, "ada", batch)
    assert exported(folder) == before
