"""Copies among the records, which the gate should have stopped: `verify` looks for them in a way of its own."""

import pytest

from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run
from selfinstruct.store.rows import instance_id
from selfinstruct.store.verify import verify

LONG = " ".join(f"word{n}" for n in range(2000))


@pytest.fixture
async def store(tmp_path):
    run = open_run(tmp_path / "run", None, {}, None)
    with run.store as store:
        assert await generate(run, 40)
        yield store


def smuggle(store, identity, output):
    """Give a record another output, with the id that it would have had."""
    (row,) = store.query(
        "SELECT t.id, i.request_id, i.position, i.input FROM instances i JOIN tasks t ON t.position = i.task "
        "WHERE i.id = ?",
        (identity,),
    )
    new = instance_id(*row[:3], ParsedInstance(row[3], output, False))
    with store.transaction():
        store.db.execute("UPDATE instances SET id = ?, output = ? WHERE id = ?", (new, output, identity))
    return new


def one_of_each_task(store):
    return list({record.task: record.id for record in store.records()}.values())


def test_a_clean_run_has_no_copies(store):
    assert verify(store) == []


@pytest.mark.parametrize("other", [LONG, LONG.replace("word200", "another")], ids=["equal", "nearly equal"])
def test_copies_of_another_tasks_record_are_found(store, other):
    first, second = one_of_each_task(store)[3:5]
    kept, copy = smuggle(store, first, LONG), smuggle(store, second, other)
    assert verify(store) == [f"record {copy}: nearly repeats record {kept} of another task, but was kept"]


def test_what_a_task_says_twice_itself_and_what_differs_are_no_copies(store):
    task = next(r.task for r in store.records() if sum(other.task == r.task for other in store.records()) > 1)
    same_task = [record.id for record in store.records() if record.task == task][:2]
    for identity in same_task:
        smuggle(store, identity, LONG)
    smuggle(store, one_of_each_task(store)[-1], " ".join(LONG.split()[1000:] + [f"more{n}" for n in range(1000)]))
    assert verify(store) == []
