"""Reading conversations: every format and kind of file, what is refused, weights, and splits by task."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import run_cli
from ft_tokenizers import assistant, system, user
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.data import dialogues
from finetune.data.dialogues import normalised, read_dialogues, split, write_dialogues
from finetune.data.rows import from_rows
from finetune.examples import Dialogue
from selfinstruct.errors import UsageError
from selfinstruct.store.decisions import decide
from selfinstruct.store.store import Store

ROWS = {
    "self-instruct": {"id": "seed_1", "instruction": "Add.", "instances": [{"input": "1 2", "output": "3"}]},
    "records": {
        "id": "a1", "task": 7, "instruction": "Add.", "input": "1 2", "output": "3", "is_classification": False,
        "messages": [user("Add.\n\n1 2"), assistant("3")],
    },
    "messages": {"messages": [user("Add.\n\n1 2"), assistant("3")]},
    "sharegpt": {"conversations": [{"from": "human", "value": "Add.\n\n1 2"}, {"from": "gpt", "value": "3"}]},
    "prompt-completion": {"prompt": "Add.\n\n1 2\n", "completion": " 3"},
    "alpaca": {"instruction": "Add.", "input": "1 2", "output": "3"},
}  # fmt: skip
WITH_FIELDS = ("self-instruct", "records", "alpaca")


def write(path: Path, rows: list, kind: str = "jsonl") -> Path:
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind == "json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def talk(question: str, task: str = "", source: str = "") -> Dialogue:
    return Dialogue([user(question), assistant("Yes.")], task or normalised(question), source)


@pytest.mark.parametrize("kind", ["json", "jsonl", "parquet"])
@pytest.mark.parametrize("format", ROWS)
def test_every_format_in_every_kind_of_file_is_the_same_conversation(tmp_path, format, kind):
    path = write(tmp_path / f"data.{kind}", [ROWS[format]], kind)
    (found,) = read_dialogues(path)
    unit = "line" if kind == "jsonl" else "row"
    assert found.messages == [user("Add.\n\n1 2"), assistant("3")]
    assert found.source == f"{path}, {unit} 1"
    assert (found.instruction, found.input) == (("Add.", "1 2") if format in WITH_FIELDS else (None, None))
    named = {"self-instruct": f"{path}, task seed_1", "records": f"{path}, task 7", "alpaca": "add."}
    assert found.task == named.get(format, "add. 1 2")


def test_conversations_keep_their_turns_and_have_one_system_turn(tmp_path):
    turns = [system("Be brief."), system("Be kind."), user("Hi"), assistant("Hello"), user("Bye"), assistant("Bye")]
    rows = [{"messages": turns}, {"messages": turns[2:], "system": "Be brief."}]
    both, beside = read_dialogues(write(tmp_path / "chats.jsonl", rows))
    assert both.messages == [system("Be brief.\n\nBe kind."), *turns[2:]]
    assert beside.messages == [system("Be brief."), *turns[2:]]
    assert both.task != beside.task


def test_prompt_and_completion_may_be_lists_of_turns(tmp_path):
    row = {"prompt": [user("Hi"), assistant("Hello"), user("Bye")], "completion": [assistant("Bye")]}
    (found,) = read_dialogues(write(tmp_path / "data.jsonl", [row]))
    assert found.messages == [user("Hi"), assistant("Hello"), user("Bye"), assistant("Bye")]


def test_an_alpaca_row_needs_no_input(tmp_path):
    (found,) = read_dialogues(write(tmp_path / "data.json", [{"instruction": "Name a river.", "output": "Elbe"}]))
    assert (found.messages[0], found.instruction, found.input) == (user("Name a river."), "Name a river.", "")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"instruction": "Add.", "output": " "}, "output: empty answer"),
        ({"instruction": "Add.", "output": 3}, "output: a field has the wrong type (a number, not text)"),
        ({"instruction": "", "output": "3"}, "instruction: empty instruction"),
        ({"instruction": "Add."}, "instruction: a field of the file's format is missing"),
        (
            {"instruction": "Smile \ud83d now", "output": "b"},
            "instruction: half a surrogate pair, which is not a character",
        ),
        ({"instruction": "a", "input": "\ude00", "output": "b"}, "input: half a surrogate pair"),
        ({"messages": [user("Hi"), assistant("Yes \ud83d")]}, "messages.1.content: half a surrogate pair"),
        ({"messages": [system("\ud83d"), user("Hi"), assistant("Yes")]}, "messages.0.content: half a surrogate pair"),
        ({"messages": [user("Hi")]}, "the conversation does not end with the assistant"),
        ({"messages": [assistant("Hi")]}, "user and assistant do not alternate (assistant after the beginning)"),
        ({"messages": [{"role": "narrator", "content": "Hi"}, assistant("Hi")]}, "messages.0.role: a role that"),
        ({"messages": [user("Hi"), {"role": "tool", "content": "3"}, assistant("3")]}, "do not alternate (tool after"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}, assistant("A cat")]},
            "a picture, sound or video",
        ),
    ],
)
def test_a_row_that_cannot_be_trained_on_is_named(tmp_path, row, said):
    good = ROWS["messages" if "messages" in row else "alpaca"]
    path = write(tmp_path / "data.jsonl", [good, row])
    with pytest.raises(UsageError) as error:
        read_dialogues(path)
    assert f"{path}: 1 of 2 rows cannot be trained on:\n  line 2: " in str(error.value)
    assert said in str(error.value)


def test_faults_are_counted_and_check_mends_them(tmp_path):
    bad = [{"instruction": f"Task {n}", "output": "\ud83d" if n % 2 else ""} for n in range(8)]
    path = write(tmp_path / "data.jsonl", [*bad, ROWS["alpaca"]])
    with path.open("a") as file:
        file.write('{"instruction": "torn\n')
    with pytest.raises(UsageError, match=r"9 of 10 rows .*\n(  line \d: .*\n){5}  and 4 more\n.* --fix OUT"):
        read_dialogues(path)
    run_cli("check", path, "--fix", tmp_path / "good.jsonl")
    assert [d.instruction for d in read_dialogues(tmp_path / "good.jsonl")] == ["Add."]


def test_files_that_are_no_dataset(tmp_path):
    empty, mixed, strange = tmp_path / "empty.json", tmp_path / "mixed.jsonl", tmp_path / "strange.jsonl"
    empty.write_text("\n")
    write(mixed, [ROWS["alpaca"], ROWS["messages"], ROWS["alpaca"]])
    write(strange, [{"text": "Once upon a time"}])
    with pytest.raises(UsageError, match="is empty"):
        read_dialogues(empty)
    with pytest.raises(UsageError, match=r"several formats \(2 alpaca, 1 messages\).*one file per format"):
        read_dialogues(mixed)
    with pytest.raises(UsageError, match=r"no row has a known format.*instruction, output \(alpaca\)"):
        read_dialogues(strange)
    with pytest.raises(UsageError, match="no such file"):
        read_dialogues(tmp_path / "missing.jsonl")
    with pytest.raises(UsageError, match="no run here"):
        read_dialogues(tmp_path)


def test_a_run_gives_what_export_gives(tmp_path):
    run_cli("generate", tmp_path / "run", "--target", "12", "--teacher", "simulated")
    before = read_dialogues(tmp_path / "run")
    with Store.read(tmp_path / "run") as store:
        records = list(store.records())
    assert [d.messages for d in before] == [record.messages for record in records]
    assert {d.task for d in before} == {f"{tmp_path / 'run'}, task {record.task}" for record in records}
    assert (before[0].instruction, before[0].input) == (records[0].instruction, records[0].input)
    with Store.beside(tmp_path / "run") as store:
        decide(store, "me", "ban", [("instance", records[0].id)])
    assert [d.messages for d in read_dialogues(tmp_path / "run")] == [record.messages for record in records[1:]]


def test_a_copied_records_file_stands_for_its_run(tmp_path):
    write(tmp_path / "records.jsonl", [ROWS["records"]])
    assert read_dialogues(tmp_path)[0].messages == [user("Add.\n\n1 2"), assistant("3")]


def test_a_dataset_as_the_hub_gives_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "there").mkdir()
    write(tmp_path / "there/train.parquet", [ROWS["alpaca"]] * 2, "parquet")
    file = dialogues._on_hub(str(tmp_path / "there"))  # load_dataset takes a folder as it takes a name
    assert [row.value["instruction"] for row in file.rows] == ["Add.", "Add."]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"instruction": "Add.", "output": ""}], "once it is saved as FILE, selfinstruct check FILE --fix OUT writes"),
        (
            [ROWS["alpaca"], ROWS["messages"]],
            "several formats.*once it is saved as FILE, selfinstruct check FILE lists",
        ),
        ([{"messages": [user("<image> Who?"), assistant("Eve")]}], "Save it as a file without"),
    ],
)
def test_what_is_wrong_with_a_dataset_of_the_hub_is_mended_in_a_file(tmp_path, monkeypatch, rows, said):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "there").mkdir()
    write(tmp_path / "there/train.jsonl", rows)
    with pytest.raises(UsageError, match=f"(?s){said}") as error:
        from_rows(dialogues._on_hub(str(tmp_path / "there")), [])
    assert f"selfinstruct check {tmp_path}" not in str(error.value)


def test_a_name_that_the_hub_does_not_give(monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(UsageError, match="nobody/none: no such file or folder, and no such dataset could be loaded"):
        read_dialogues("nobody/none")


def test_weights(tmp_path):
    rows = [{"instruction": f"Task {n // 2}", "input": str(n), "output": "x"} for n in range(20)]
    path = write(tmp_path / "data.json", rows, "json")
    once = read_dialogues(path)
    assert read_dialogues(path, 2) == once * 2
    half = read_dialogues(path, 0.5)
    assert len(half) == 10
    assert len({d.task for d in half}) == 5  # tasks whole
    assert half == read_dialogues(path, 0.5)
    assert half != read_dialogues(path, 0.5, seed=1)
    assert read_dialogues(path, 2.5) == once * 2 + half
    with pytest.raises(UsageError, match="weight = 0"):
        read_dialogues(path, 0)


def test_a_weight_that_takes_nothing_is_refused(tmp_path):
    path = write(tmp_path / "data.json", [{"instruction": f"Task {n}", "output": "x"} for n in range(18)], "json")
    with pytest.raises(UsageError, match=r"data.json: weight = 0.01 selects none of its 18 rows.*to 0.0555556 or more"):
        read_dialogues(path, 0.01)
    assert len(read_dialogues(path, 0.0555556)) == 1
    write(path, [{"instruction": "One task", "input": str(n), "output": "x"} for n in range(18)], "json")
    with pytest.raises(
        UsageError, match=r"0.9 selects none of its 18 rows, because tasks are kept whole. Set it to 1 or more"
    ):
        read_dialogues(path, 0.9)


def test_tasks_may_be_named_with_anything():
    rows = [talk(f"Question {n}", f"data-\udcff.jsonl, task {n}") for n in range(4)]  # a file's name that is not UTF-8
    assert len(split(rows, 1).held_out) == 1


def test_a_split_puts_no_task_and_no_text_on_both_sides():
    records = [talk(f"Question {n}", f"run, task {n // 3}") for n in range(60)]
    again = [talk(f"  QUESTION {n} ", source="another file") for n in range(0, 60, 7)]
    found = split([*records, *again, *records], 0.25, seed=3)
    texts = [{normalised(d.messages[0]["content"]) for d in side} for side in found]
    tasks = [{d.task for d in side if d.task.startswith("run")} for side in found]
    assert not texts[0] & texts[1]
    assert not tasks[0] & tasks[1]
    assert len(texts[0] | texts[1]) == 60
    assert len(found.held_out) == len({d.messages[0]["content"] for d in found.held_out})  # weights: each row once
    assert split(records, 6).held_out != split(records, 6, seed=1).held_out


@given(st.lists(st.integers(0, 8), min_size=2, max_size=40), st.floats(0, 0.9), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_any_split_is_whole(tasks, share, seed):
    rows = [talk(f"Question {n}", f"task {task}") for n, task in enumerate(tasks)]
    try:
        found = split(rows, share, seed)
    except UsageError as error:
        assert "cannot hold out" in str(error)
        return
    assert sorted(map(str, [*found.train, *found.held_out])) == sorted(map(str, rows))
    assert not {d.task for d in found.train} & {d.task for d in found.held_out}
    assert len(found.held_out) <= max(1, round(share * len(rows)))
    assert found == split(rows, share, seed)


def test_a_split_of_one_task_is_refused():
    with pytest.raises(UsageError, match=r"(?s)They belong to 1 task .*another eval_share in a TOML file for --config"):
        split([talk(f"Question {n}", "one") for n in range(9)], 0.2)
    with pytest.raises(UsageError, match="eval_share = -1"):
        split([talk("Question")], -1)
    assert split([talk("Question")], 0).held_out == []


def test_without_a_share_what_can_be_held_out_is(tmp_path):
    rows = [{"instruction": "Classify the sentiment.", "input": f"Text {n}", "output": "good"} for n in range(100)]
    same = read_dialogues(write(tmp_path / "data.jsonl", rows))
    assert split(same) == (same, [])
    with pytest.raises(UsageError, match=r"eval_share = 0.05: cannot hold out 5 of 100 rows"):
        split(same, 0.05)
    for n, expected in ((0, 0), (19, 0), (20, 1), (100, 5), (10_000, 500), (12_000, 500)):
        assert len(split([talk(f"Question {k}") for k in range(n)]).held_out) == expected


def test_a_foreign_column_named_task_does_not_join_rows(tmp_path):
    """Such as that of HachiML/Timeseries-QA on the hub: a label with few values."""
    rows = [{"messages": [user(f"Add {n}."), assistant(f"{n}")], "task": ("qa", "math")[n % 2]} for n in range(40)]
    notes = []
    found = read_dialogues(write(tmp_path / "data.jsonl", rows), notes=notes)
    assert len(split(found).held_out) == 2
    assert notes == [f"{tmp_path / 'data.jsonl'}: not used: task in 40 rows"]


@pytest.mark.parametrize("name", ["messages", "records", "alpaca"])
def test_dialogues_that_are_written_are_restored(tmp_path, name):
    notes = []
    found = read_dialogues(write(tmp_path / "data.jsonl", [ROWS[name]]))
    write_dialogues(found, tmp_path / "held_out.jsonl")
    again = read_dialogues(tmp_path / "held_out.jsonl", notes=notes)
    assert [one._replace(source="") for one in again] == [one._replace(source="") for one in found]
    assert not notes


def test_chats_that_begin_alike_are_not_one_task():
    chats = [Dialogue([user("Hi"), assistant("Hi"), user(f"{n}?"), assistant("Yes")], f"{n}", "") for n in range(10)]
    assert len(split(chats, 2).held_out) == 2
