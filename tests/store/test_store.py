"""The store keeps its promises, and `verify` notices where it does not."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from selfinstruct.errors import StoreError, TryAgain, UsageError
from selfinstruct.records import Completion, Line, Request
from selfinstruct.runs.run import open_run
from selfinstruct.store.schema import HASHED, MIGRATIONS
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from tests.conftest import FEW_SEEDS, run_cli
from tests.forks import Forked


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished run with rejections of every stage and pending candidates."""
    folder = tmp_path_factory.mktemp("store") / "run"
    config = folder.parent / "run.toml"
    config.write_text("[simulated]\nrepeat_share = 0.2\nforbidden_share = 0.2\nmalformed_share = 0.3\n")
    result = run_cli("generate", folder, "--target", 15, "--config", config, "--seeds", FEW_SEEDS)
    assert result.returncode == 0, result.stderr
    return folder


def copy_of(run: Path, place: Path) -> Path:
    """A copy, to be damaged."""
    folder = place / "copy"
    folder.mkdir()
    (folder / "run.db").write_bytes((run / "run.db").read_bytes())
    return folder


@pytest.fixture
def copied(finished, tmp_path) -> Path:
    """A copy of the finished run."""
    return copy_of(finished, tmp_path)


REQUEST = Request("classify", "openai", "m", "chat", "", "Task: Name a tree.", {})


@pytest.fixture(scope="module")
def more_from_outside(finished, tmp_path_factory) -> Path:
    """The finished run with failed tries and a test set, too."""
    folder = copy_of(finished, tmp_path_factory.mktemp("outside"))
    with Store.resume(folder) as store:
        for attempt in (1, 2):
            store.add_fault(REQUEST, attempt, TryAgain("busy", "HTTP 503"), tokens=5)
        store.describe({}, store.seeds(), [Line("test.txt", 1, "What is two plus two?")])
        assert verify(store) == []
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


@pytest.mark.parametrize(
    ("statement", "row"),
    [
        # As rows that others let be edited, and lines that they let be deleted (Drakon-Systems-Ltd/ShieldCortex#508).
        ("UPDATE completions SET text = text || ' ' WHERE rowid = 3", "completions row 3"),
        ("UPDATE completions SET raw = replace(raw, 'a', 'b') WHERE rowid = 3", "completions row 3"),
        ("UPDATE completions SET completion_tokens = completion_tokens + 1 WHERE rowid = 3", "completions row 3"),
        ("UPDATE completions SET cost_usd = 0.5 WHERE rowid = 3", "completions row 3"),
        ("UPDATE completions SET finish_reason = 'length' WHERE rowid = 3", "completions row 3"),
        ("UPDATE completions SET hash = NULL WHERE rowid = 3", "completions row 3"),
        ("UPDATE requests SET stage = 'classify' WHERE stage = 'instances'", "completions row"),
        ("UPDATE seeds SET instruction = 'Something else.' WHERE position = 2", "seeds row 2"),
        ("UPDATE seeds SET instances = '[]' WHERE position = 2", "seeds row 2"),
        ("UPDATE tasks SET extra = '{\"is_classification\":true}' WHERE position = 1", "task 1"),
        ("UPDATE faults SET tokens = 7 WHERE id = 1", "faults row 1"),
        ("DELETE FROM faults WHERE id = 1", "faults: 1 row was deleted"),
        ("UPDATE test_lines SET text = 'What else?'", "test_lines row 1"),
        ("UPDATE run SET value = json_set(value, '$.teacher.model', 'better') WHERE key = 'config'", "run row config"),
        ("UPDATE run SET value = value + 1 WHERE key = 'target'", "run row target"),
        ("INSERT INTO run(key, value) VALUES ('theirs', '1')", "run row theirs"),
    ],
)
def test_verify_finds_any_change_of_what_came_from_outside(more_from_outside, tmp_path, statement, row):
    found = problems(copy_of(more_from_outside, tmp_path), statement)
    assert any(line.startswith(row) for line in found), found


def test_a_resumed_run_does_not_make_a_changed_seed_good(copied):
    assert problems(copied, "UPDATE seeds SET instruction = 'Something else.' WHERE position = 2")
    with Store.resume(copied) as store:
        store.describe({}, store.seeds(), store.test_lines())
        assert [line for line in verify(store) if line.startswith("seeds row 2: its hash")]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        # SQLite keeps what does not fit the type (duckdb/duckdb-sqlite#15, duckdb/duckdb#8439, outerbase/studio#145),
        # and bytes that are no text (coleifer/sqlite-web#160, chrrel/whatsapp-exporter#18, dbcli/litecli#89).
        ("UPDATE completions SET prompt_tokens = 'many' WHERE rowid = 2", "prompt_tokens is many, not INTEGER"),
        ("UPDATE completions SET latency_s = x'00' WHERE rowid = 2", "latency_s is b'\\x00', not REAL"),
        ("UPDATE completions SET text = cast(x'61ff' AS TEXT) WHERE rowid = 2", "text is not UTF-8: a\\xff"),
        ("UPDATE candidates SET instruction = x'6162' WHERE rowid = 2", "instruction is b'ab', not TEXT"),
        ("UPDATE candidates SET extra = '[1]' WHERE rowid = 2", "extra is not a JSON object: [1]"),
        ("UPDATE requests SET sampling = '{\"a\": ' WHERE rowid = 2", 'sampling is not JSON: {"a":'),
        ("UPDATE rejections SET evidence = '{'", "evidence is not JSON: {"),
        ("UPDATE rejections SET evidence = '{}' WHERE reason = 'too_similar'", "its evidence names an unknown"),
        ("UPDATE seeds SET instances = '[[' || char(34) || 'a'", "instances is not JSON: [["),
        ("UPDATE seeds SET instances = '[1]'", "seeds row 0: its hash"),
        ("UPDATE run SET value = '[' WHERE key = 'config'", "run row config: value is not JSON: ["),
        ("UPDATE tasks SET nearest_score = 'near' WHERE position = 1", "nearest_score is near, not REAL"),
        ("UPDATE tasks SET generated = 'x' WHERE position = 1", "generated is x, not INTEGER"),
        ("UPDATE instances SET extra = cast(x'ff' AS TEXT) WHERE rowid = 1", "extra is not UTF-8"),
    ],
)
def test_a_damaged_column_is_a_finding_with_its_table_and_row(copied, statement, expected):
    found = problems(copied, statement)
    assert any(expected in line for line in found), found
    table = statement.split()[1]
    assert any(line.startswith((table, table[:-1], "rejected", "instance ")) for line in found), found


READING = (
    ["status", "--json"], ["tasks", "--json"], ["rejected", "--json"], ["report", "--json"], ["verify"],
    ["export", "--format", "alpaca", "--output"],
)  # fmt: skip


def read_only(finished: Path, folder: Path, version: str, left: bool) -> Path:
    """A copy that may only be read, of this version; `left`: with a WAL that holds something."""
    folder.mkdir()
    with closing(sqlite3.connect(finished / "run.db")) as whole, closing(sqlite3.connect(folder / "run.db")) as db:
        whole.backup(db)
        db.execute("PRAGMA journal_mode = WAL")
        if version == "earlier":
            db.execute("DROP TABLE votes")
            db.execute("DROP TABLE rows")
            for table in HASHED.keys() - {"rows", "votes"}:
                db.execute(f"ALTER TABLE {table} DROP COLUMN hash")
            db.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 3}")
        if left:
            db.execute("PRAGMA wal_autocheckpoint = 0")
            with db:
                db.execute("UPDATE steps SET step = step")
            kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".db-shm"}
            assert kept["run.db-wal"]
    if left:
        for name, content in kept.items():
            if not name.endswith("-shm"):
                (folder / name).write_bytes(content)
    folder.chmod(0o555)
    return folder


def run_as_anyone(commands: list[list[str]]) -> list[tuple[int, str, str]]:
    """Exit code, output and errors of each command, all in one process: `verify` imports for two seconds."""
    code = (
        "import json, sys; from tests.conftest import run_here\n"
        "results = map(run_here, json.loads(sys.argv[1]))\n"
        "print(json.dumps([(result.returncode, result.stdout, result.stderr) for result in results]))"
    )
    with Forked([sys.executable, "-c", code, json.dumps(commands)], subprocess.PIPE, as_anyone=True) as process:
        return json.loads(process.communicate()[0])


def test_a_folder_that_may_only_be_read_is_read(finished, tmp_path):
    """sifiveinc/wake#501, dgobbi/vtk-dicom#178, python/cpython#135386."""
    folders = {
        (version, left): read_only(finished, tmp_path / f"{version} {left}", version, left)
        for version in ("today", "earlier")
        for left in (False, True)
    }
    before = {path: path.read_bytes() for folder in folders.values() for path in folder.iterdir()}
    asked = [
        (version, [command[0], str(folder), *command[1:], *([str(tmp_path / "alpaca.json")] * ("--output" in command))])
        for (version, left), folder in folders.items()
        for command in (READING if version == "today" and left else READING[4:5])
    ]
    results = run_as_anyone([command for _, command in asked])
    for (version, command), (code, output, errors) in zip(asked, results, strict=True):
        assert code == 0, (command, output, errors)
        assert ("before there were hashes" in errors) == (version == "earlier"), command
    assert {path: path.read_bytes() for folder in folders.values() for path in folder.iterdir()} == before


@pytest.mark.parametrize("name", ["file:run?mode=ro", "a%20b #c", os.fsdecode(b"r\xff\xfen")])
def test_a_folder_may_have_any_name(tmp_path, monkeypatch, name):
    """SQLite takes what begins with "file:" for an address, and bytes that are no UTF-8 are names too."""
    monkeypatch.chdir(tmp_path)
    described(Path(name)).close()
    with Store.read(Path(name)) as store:
        assert verify(store) == []
        store.copy_to(Path(f"{name} copied"))
    Path(name).chmod(0o555)
    assert "no problems" in run_cli("verify", name, as_anyone=True).stdout


def test_an_audit_of_a_folder_that_may_only_be_read_keeps_its_index_in_memory(copied, tmp_path, monkeypatch):
    copied.chmod(0o555)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    code = (
        "import sys; from pathlib import Path; from selfinstruct.audit.index import Index\n"
        "from selfinstruct.store.store import Store\n"
        "with Store.read(Path(sys.argv[1])) as store: index = Index(store); index.refresh(); index.close()"
    )
    with Forked([sys.executable, "-c", code, str(copied)], as_anyone=True) as process:
        assert process.wait() == 0
    assert [path.name for path in copied.iterdir()] == ["run.db"]
    assert list(elsewhere.iterdir()) == []


def test_verify_notices_tasks_out_of_order(copied):
    found = problems(
        copied,
        "UPDATE tasks SET position = -1 WHERE position = 4",
        "UPDATE tasks SET position = 4 WHERE position = 12",
        "UPDATE tasks SET position = 12 WHERE position = -1",
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
            assert reader.settings()["config"] == {}
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
