"""What stages bring besides texts goes with candidates, tasks and instances into records, decisions and exports."""

import json

import pyarrow.parquet as pq
import pytest

from selfinstruct.engine.gate import Gate
from selfinstruct.engine.progress import Progress
from selfinstruct.export.export import export
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.records import Candidate, Completion, Request
from selfinstruct.runs.run import open_run
from selfinstruct.store import generations
from selfinstruct.store.decisions import add_instances, decide, rescues_without_instances
from selfinstruct.store.listing import tasks
from selfinstruct.store.rows import as_object
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from selfinstruct.strategies import GeneratedInstances, Proposal
from tests.conftest import json_lines

ODD = {"a \x00 'quoted' key.with.dots": ["\x00", None, {"deep": "河"}], "nothing": None}


@pytest.fixture
def run(tmp_path):
    """A run with one task of one instance, and a candidate that a filter has rejected, with fields of their own."""
    with open_run(tmp_path / "run", None, {}, None).store as store:
        request = Request("propose", "simulated", "simulated", "chat", "", "Propose.", {})
        store.add_completion(request, Completion(request.id, "text", "stop"))
        good = Candidate(request.id, 0, "Explain how a lock lifts a boat.", extra={"evolved_from": "s1", **ODD})
        short = Candidate(request.id, 1, "Too short", extra={"evolved_from": "s2"})
        gate = Gate(store, open_run_config(store), Progress())
        (task,) = gate.admit(0, Proposal([good, short], []), 10)
        instance = ParsedInstance("", "The gates close.", False, {"score": 3})
        extra = {"is_classification": False, "difficulty": "high"}
        gate.keep(task, GeneratedInstances(request.id, [instance], extra=extra))
        yield store


def open_run_config(store):
    from selfinstruct.config.stored import config_of

    return config_of(store)


def test_all_of_it_is_in_the_record_and_the_store_is_sound(run):
    (record,) = run.records()
    assert record.extra == {"evolved_from": "s1", **ODD, "difficulty": "high", "score": 3}
    assert record.is_classification is False
    assert record.as_dict()["extra"] == record.extra
    assert verify(run) == []
    ((task,),) = [list(tasks(run))]
    assert task["extra"] == {"evolved_from": "s1", **ODD, "difficulty": "high"}
    assert task["is_classification"] is False


def test_a_record_without_any_has_no_such_key(run):
    (record,) = run.records()
    bare = record.__class__(*list(record.__dict__.values())[:7])
    assert "extra" not in bare.as_dict()


def test_ids_depend_on_it(run):
    (row,) = run.query("SELECT id FROM instances")
    run.db.execute("UPDATE instances SET extra = '{\"score\":4}'")
    assert any(row[0] in problem and "was changed" in problem for problem in verify(run))
    run.db.execute("UPDATE candidates SET extra = NULL")
    assert sum("candidate" in problem and "was changed" in problem for problem in verify(run)) == 2


def test_exports_hold_it_as_json(run, tmp_path):
    path, n = export(run, "parquet", tmp_path / "out.parquet")
    (row,) = pq.read_table(path).to_pylist()
    assert n == 1
    assert json.loads(row["extra"]) == {"evolved_from": "s1", **ODD, "difficulty": "high", "score": 3}
    path, _ = export(run, "messages", tmp_path / "out.jsonl")
    assert [set(row) for row in json_lines(path.read_text())] == [{"messages"}]


def test_a_rescued_candidate_keeps_what_was_read_and_generated(run):
    ((rejected,),) = run.query("SELECT subject_id FROM rejections WHERE subject = 'candidate'")
    decide(run, "ada", "rescue", [("candidate", rejected)])
    (task,) = rescues_without_instances(run)
    assert task.extra == {"evolved_from": "s2"}
    instance = ParsedInstance("", "It is long enough.", False, {"score": 1})
    add_instances(run, task, task.request_id, [instance], {"difficulty": "low"})
    *_, record = run.records()
    assert record.task < 0
    assert record.extra == {"evolved_from": "s2", "difficulty": "low", "score": 1}


def test_the_audit_finds_it(run):
    (task,) = run.tasks()
    assert generations.task(run, task.id).extra == {"is_classification": False, "difficulty": "high"}
    ((identity,),) = run.query("SELECT id FROM instances")
    assert generations.instance(run, identity).extra == {"score": 3}


def test_a_run_is_read_again_with_it(run):
    with Store.read(run.folder) as again:
        assert [r.extra for r in again.records()] == [r.extra for r in run.records()]
        assert [c.extra for c in again.pending()] == []


def test_half_a_surrogate_pair_is_stored_as_text_is(run):
    half = Candidate("r", 0, "Say it.", extra={"half": "\ud800"})
    whole = Candidate("r", 0, "Say it.", extra={"half": "?"})
    assert half.id == whole.id
    assert as_object(half.extra) == as_object(whole.extra)
