"""Export: a small real run in every format, read back by the format's own readers."""

import asyncio
import json

import pyarrow.parquet as pq
import pytest

from selfinstruct.errors import UsageError
from selfinstruct.export.export import export, write_records
from selfinstruct.export.formats import NAMES
from selfinstruct.records import Instance, user_message
from selfinstruct.rows.seeds import read_seeds
from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run

FORMATS = list(NAMES)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A finished run of five tasks."""
    run = open_run(tmp_path_factory.mktemp("runs") / "first", None, {"seed": 3}, None)
    with run.store:
        assert asyncio.run(generate(run, 5))
        yield run.store


@pytest.fixture(scope="module")
def records(store):
    found = list(store.records())
    assert {record.task for record in found} == set(range(5))
    return found


def lines(path):
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def test_the_run_has_instances_with_and_without_classification(records):
    assert {record.is_classification for record in records} == {True, False}
    assert all(record.output for record in records)


def test_records_jsonl_holds_every_field(store, records):
    path = write_records(store)
    assert path == store.folder / "records.jsonl"
    assert lines(path) == [record.as_dict() for record in records]
    assert list(lines(path)[0]) == [
        "id", "task", "instruction", "input", "output", "is_classification", "messages",
    ]  # fmt: skip


def test_alpaca_is_one_json_list(store, records):
    path, n = export(store, "alpaca", None)
    assert (path, n) == (store.folder / "alpaca.json", len(records))
    assert json.loads(path.read_text(encoding="utf-8")) == [
        {"instruction": record.instruction, "input": record.input, "output": record.output} for record in records
    ]


def test_self_instruct_is_one_task_a_line(store, records):
    path, n = export(store, "self-instruct", None)
    assert (path, n) == (store.folder / "self-instruct.jsonl", 5)
    rows = lines(path)
    assert [list(row) for row in rows] == [["id", "name", "instruction", "instances", "is_classification"]] * 5
    assert [row["id"] for row in rows] == [f"task_{n}" for n in range(5)]
    for number, row in enumerate(rows):
        of_task = [record for record in records if record.task == number]
        assert row["instruction"] == of_task[0].instruction
        assert row["is_classification"] is of_task[0].is_classification
        assert row["instances"] == [{"input": record.input, "output": record.output} for record in of_task]


def test_a_self_instruct_export_can_be_the_seeds_of_another_run(store, records, tmp_path):
    path, _ = export(store, "self-instruct", tmp_path / "seeds.jsonl")
    seeds = read_seeds(path)
    assert [seed.instruction for seed in seeds] == list(dict.fromkeys(record.instruction for record in records))
    assert [instance for seed in seeds for instance in seed.instances] == [
        Instance(record.input, record.output) for record in records
    ]
    run = open_run(tmp_path / "second", None, {"seed": 4}, path)
    with run.store:
        assert asyncio.run(generate(run, 2))
        assert run.store.seeds() == seeds
        assert len(run.store.tasks()) == 2


def test_messages_are_a_user_and_an_assistant_turn(store, records):
    path, n = export(store, "messages", None)
    assert (path, n) == (store.folder / "messages.jsonl", len(records))
    assert lines(path) == [
        {
            "messages": [
                {"role": "user", "content": user_message(record.instruction, record.input)},
                {"role": "assistant", "content": record.output},
            ]
        }
        for record in records
    ]


def test_prompt_completion_has_two_texts(store, records):
    path, n = export(store, "prompt-completion", None)
    assert (path, n) == (store.folder / "prompt-completion.jsonl", len(records))
    assert lines(path) == [
        {"prompt": user_message(record.instruction, record.input), "completion": record.output} for record in records
    ]


def test_sharegpt_has_a_human_and_a_gpt_turn(store, records):
    path, n = export(store, "sharegpt", None)
    assert (path, n) == (store.folder / "sharegpt.jsonl", len(records))
    assert lines(path) == [
        {
            "conversations": [
                {"from": "human", "value": user_message(record.instruction, record.input)},
                {"from": "gpt", "value": record.output},
            ]
        }
        for record in records
    ]


def test_parquet_holds_every_field_with_its_type(store, records):
    path, n = export(store, "parquet", None)
    assert (path, n) == (store.folder / "parquet.parquet", len(records))
    table = pq.read_table(path)
    assert table.to_pylist() == [{**record.as_dict(), "extra": None} for record in records]
    assert {field.name: str(field.type) for field in table.schema} == {
        "id": "string",
        "task": "int64",
        "instruction": "string",
        "input": "string",
        "output": "string",
        "is_classification": "bool",
        "messages": "list<element: struct<role: string, content: string>>",
        "extra": "string",
    }


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_can_go_elsewhere_and_be_repeated(store, tmp_path, format):
    elsewhere = tmp_path / "new folder" / "größe.data"
    path, n = export(store, format, elsewhere)
    first = path.read_bytes()
    assert path == elsewhere
    assert n > 0
    assert export(store, format, elsewhere) == (path, n)
    assert path.read_bytes() == first
    assert list(elsewhere.parent.iterdir()) == [elsewhere]


@pytest.mark.parametrize(("format", "name", "ending"), [
    ("parquet", "x.json", ".parquet"), ("alpaca", "x.jsonl", ".json"), ("messages", "x.CSV", ".jsonl"),
])  # fmt: skip
def test_a_name_that_says_another_kind_of_file_is_refused(store, tmp_path, format, name, ending):
    with pytest.raises(UsageError, match=rf"The format {format} is always written as .*{name} must end in \{ending}\."):
        export(store, format, tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", FORMATS)
def test_an_old_file_is_replaced(store, tmp_path, format):
    path = tmp_path / "data"
    path.write_text("something old " * 100_000)
    export(store, format, path)
    assert b"something old" not in path.read_bytes()


@pytest.mark.parametrize("format", FORMATS)
def test_a_run_without_a_record_exports_an_empty_file(tmp_path, format):
    run = open_run(tmp_path / "empty", None, {}, None)
    with run.store:
        path, n = export(run.store, format, None)
    assert n == 0
    if format == "parquet":
        assert pq.read_table(path).num_rows == 0
    else:
        assert path.read_text() == ("[\n]\n" if format == "alpaca" else "")


# Places that cannot be written to.


def everything_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("format", FORMATS)
def test_a_folder_is_no_place_for_a_file(store, tmp_path, format):
    (tmp_path / "data").mkdir()
    with pytest.raises(UsageError, match="cannot be written") as caught:
        export(store, format, tmp_path / "data")
    assert str(tmp_path / "data") in str(caught.value)
    assert "--output" in str(caught.value)
    assert everything_in(tmp_path) == ["data"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_name_that_is_too_long_is_explained_and_leaves_nothing(store, tmp_path, format):
    with pytest.raises(UsageError, match="cannot be written"):
        export(store, format, tmp_path / ("x" * 300))
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("format", FORMATS)
def test_a_place_below_a_file_is_explained(store, tmp_path, format):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(UsageError, match="cannot be written"):
        export(store, format, tmp_path / "file" / "data")
    assert everything_in(tmp_path) == ["file"]


@pytest.mark.parametrize("path", ["/", "."])
def test_a_path_without_a_name_is_explained(store, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot be written"):
        export(store, "alpaca", type(tmp_path)(path))
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize("format", FORMATS)
def test_a_failure_half_way_leaves_the_old_file_and_no_other(tmp_path, format):
    """The database is damaged behind the first records: what was exported before stays as it was."""
    run = open_run(tmp_path / "run", None, {}, None)
    with run.store:
        asyncio.run(generate(run, 2))
        out = tmp_path / "out"
        path, _ = export(run.store, format, out / "data")
        before = path.read_bytes()
        last = list(run.store.records())[-1].id
        with run.store.transaction():
            run.store.db.execute("UPDATE instances SET output = x'ff' WHERE id = ?", (last,))
        with pytest.raises((TypeError, ValueError)):
            export(run.store, format, path)
    assert path.read_bytes() == before
    assert everything_in(out) == ["data"]
