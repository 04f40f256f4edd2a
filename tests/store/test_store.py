"""The store keeps its promises, and `verify` notices where it does not."""

import json
import sqlite3
from pathlib import Path

import pytest

from selfinstruct.errors import StoreError, TryAgain, UsageError
from selfinstruct.records import Completion, Request
from selfinstruct.runs.run import open_run
from selfinstruct.store.schema import MIGRATIONS
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from tests.conftest import run_cli


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished run with rejections of every stage and pending candidates."""
    folder = tmp_path_factory.mktemp("store") / "run"
    config = folder.parent / "run.toml"
    config.write_text("[simulated]\nrepeat_share = 0.2\nforbidden_share = 0.2\nmalformed_share = 0.3\n")
    result = run_cli("generate", folder, "--target", 41, "--config", config)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    """A copy of the finished run, to be damaged."""
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "run.db").write_bytes((finished / "run.db").read_bytes())
    return folder


def described(folder: Path) -> Store:
    """A run that has begun, with nothing in it."""
    store = Store.create(folder)
    store.describe({"config": {}}, [], [])
    return store


def problems(folder: Path, *statements: str) -> list[str]:
    """What verify says after these statements have changed the file behind the store's back."""
    db = sqlite3.connect(folder / "run.db")
    with db:
        for statement in statements:
            assert db.execute(statement).rowcount > 0, f"changed nothing: {statement}"
    db.close()
    with Store.read(folder) as store:
        return verify(store)


def test_finished_run_is_sound_and_has_something_to_check(finished):
    with Store.read(finished) as store:
        assert verify(store) == []
        stages = {row[0] for row in store.query("SELECT DISTINCT stage FROM rejections")}
    assert {"filter", "novelty"} <= stages


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("UPDATE requests SET user = user || '!' WHERE rowid = 1", "its id should be"),
        ("UPDATE requests SET sampling = '{}' WHERE rowid = 2", "its id should be"),
        ("DELETE FROM completions WHERE request_id = (SELECT id FROM requests WHERE stage = 'classify')", "completion"),
        ("UPDATE candidates SET instruction = 'Name a tree.' WHERE rowid = 1", "its id should be"),
        ("DELETE FROM rejections WHERE subject = 'candidate' AND stage = 'filter'", "must be exactly one of"),
        ("UPDATE steps SET n_tasks = n_tasks + 1 WHERE step = 1", "recorded"),
        ("UPDATE steps SET n_candidates = 99 WHERE step = 1", "instead of 99"),
        ("UPDATE tasks SET nearest_score = 0.123 WHERE position = 3", "its similarity"),
        ("UPDATE tasks SET nearest_id = 'nobody' WHERE position = 3", "unknown"),
        ("UPDATE tasks SET generated = 0 WHERE position = 2", "not marked as generated"),
        ("UPDATE instances SET output = 'nonsense' WHERE rowid = 1", "its id should be"),
        ("UPDATE rejections SET reason = '' WHERE stage = 'novelty'", "reason or evidence missing"),
        ("UPDATE rejections SET subject_id = 'gone' WHERE stage = 'novelty' AND subject_id = "
         "(SELECT min(subject_id) FROM rejections WHERE stage = 'novelty')", "no such candidate"),
        ("UPDATE rejections SET evidence = json_set(evidence, '$.score', 0.999) WHERE stage = 'novelty'", "similarity"),
        ("UPDATE run SET value = json_set(value, '$.filters.rouge_threshold', 0.1) WHERE key = 'config'", "above 0.1"),
    ],
)  # fmt: skip
def test_verify_notices(copied, statement, expected):
    found = problems(copied, statement)
    assert any(expected in problem for problem in found), found


def test_verify_notices_tasks_out_of_order(copied):
    found = problems(
        copied,
        "UPDATE tasks SET position = -1 WHERE position = 4",
        "UPDATE tasks SET position = 4 WHERE position = 30",
        "UPDATE tasks SET position = 30 WHERE position = -1",
    )
    assert any("order" in problem for problem in found)


def test_answer_is_found_again_by_what_was_asked(tmp_path):
    request = Request("classify", "openai", "m", "chat", "system", "Task: Name a tree.", {"temperature": 0.0}, 3)
    said = Completion(request.id, "No\x00 \U0001f333", "stop", 7, 2, (-0.5, -0.25), 0.1, 2, 0.001, None, '{"x": 1}')
    with described(tmp_path / "run") as store:
        store.add_completion(request, said)
    with Store.resume(tmp_path / "run") as store:
        assert store.completion(request.id) == said
        assert store.completion("another") is None


def test_failed_tries_are_kept(tmp_path):
    request = Request("classify", "openai", "m", "chat", "", "Task: Name a tree.", {})
    with described(tmp_path / "run") as store:
        store.add_fault(request, 2, TryAgain("http_500", "oops", raw="<html>"))
        assert store.query("SELECT request_id, attempt, reason, detail, raw FROM faults") == [
            (request.id, 2, "http_500", "oops", "<html>")
        ]


def test_system_prompt_is_stored_once_and_survives_a_rollback(tmp_path):
    requests = [Request("classify", "openai", "m", "chat", "the same", f"Task {i}", {}) for i in range(3)]
    with described(tmp_path / "run") as store:
        with pytest.raises(ZeroDivisionError), store.transaction():
            store._system_prompt("the same")
            1 / 0  # noqa: B018
        for request in requests:
            store.add_completion(request, Completion(request.id, "Yes", "stop"))
        assert store.query("SELECT text FROM system_prompts") == [("the same",)]


def test_one_writer_many_readers(tmp_path):
    with described(tmp_path / "run") as writer:
        with pytest.raises(StoreError, match="another process"):
            Store.resume(tmp_path / "run")
        with Store.read(tmp_path / "run") as reader:
            assert reader.settings() == {"config": {}}
            with writer.transaction():
                writer.set_settings({"target": 5})
            assert reader.settings()["target"] == 5
            with pytest.raises(StoreError, match="readonly"), reader.transaction():
                reader.set_settings({"target": 6})
    Store.resume(tmp_path / "run").close()


def test_run_that_was_killed_while_being_made_is_begun_again(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.db").touch()
    assert not Store.exists(folder)
    with pytest.raises(UsageError, match="no run here"):
        Store.read(folder)
    run = open_run(folder, None, {"seed": 5}, None)
    with run.store:
        assert run.is_new
        assert run.store.seeds()


def test_store_of_a_newer_version_is_left_alone(tmp_path):
    described(tmp_path / "run").close()
    db = sqlite3.connect(tmp_path / "run/run.db")
    assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(StoreError, match="newer selfinstruct"):
        Store.resume(tmp_path / "run")


def test_views_are_readable_without_us(finished):
    """What someone with only an SQLite browser sees."""
    db = sqlite3.connect(finished / "run.db")
    records = db.execute("SELECT instruction, input, output FROM records").fetchall()
    rejected = db.execute("SELECT stage, reason, text, evidence FROM rejected").fetchall()
    db.close()
    in_file = [json.loads(line) for line in (finished / "records.jsonl").read_text().splitlines()]
    assert records == [(r["instruction"], r["input"], r["output"]) for r in in_file]
    assert all(stage and reason and text is not None and json.loads(evidence) is not None
               for stage, reason, text, evidence in rejected)  # fmt: skip
