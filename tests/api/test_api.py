"""The Python API: in a script, in a thread, in a running event loop; interrupted and resumed; what it refuses."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import selfinstruct as si
from selfinstruct.export.formats import NAMES
from selfinstruct.filters.verdicts import FilterSettings
from selfinstruct.store.store import Store
from selfinstruct.teachers.settings import RunningSettings
from tests.conftest import json_lines, run_cli, until
from tests.loopback import HANG_S, loopback, wait_until, working


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 12 tasks with rejections; to be read only."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    return si.generate(
        folder,
        12,
        seed=5,
        progress=False,
        simulated={"repeat_share": 0.3, "forbidden_share": 0.3},
    )


def test_what_it_gives_is_what_the_commands_say(run):
    records = json_lines((run.folder / "records.jsonl").read_text())
    assert run.records() == records
    assert run.tasks() == json_lines(run_cli("tasks", run.folder, "--json").stdout)
    assert run.rejected() == json_lines(run_cli("rejected", run.folder, "--json").stdout)
    some = run.rejected(reason="too_similar", limit=2)
    assert 1 <= len(some) <= 2
    assert {row["reason"] for row in some} == {"too_similar"}
    assert run.status().as_dict() == json.loads(run_cli("status", run.folder, "--json").stdout)
    assert run.verify() == []
    assert repr(run) == f"<Run {run.folder}: 12 tasks, {len(records)} records>"


def test_figures_are_one_line(run, tmp_path):
    status = run.status()
    calls, records = sum(one.requests for one in status.usage), len(run.records())
    rejected = len(run.rejected())
    line = f"12 of 12 tasks, {records} records, {rejected} rejected, {calls} calls"
    assert repr(status) == str(status) == f"<Status: {line}>"
    priced = [one._replace(cost_usd=0.25) for one in status.usage]
    assert repr(status._replace(target=0, usage=priced[:1])) == (
        f"<Status: 12 tasks, {records} records, {rejected} rejected, 1 call, $0.2500>"
    )
    changes = run.refilter(tmp_path / "same").changes
    line = f"{records} before, {records} now: 0 lost, 0 gained"
    assert repr(changes) == f"<Changes: tasks 12 before, 12 now: 0 lost, 0 gained; records {line}>"
    assert repr(changes.tasks) == "<Compared: 12 before, 12 now: 0 lost, 0 gained>"


def test_a_command_makes_the_same_run(run, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text("seed = 5\n[simulated]\nrepeat_share = 0.3\nforbidden_share = 0.3\n")
    run_cli("generate", tmp_path / "run", "--target", 12, "--config", config)
    assert (tmp_path / "run/records.jsonl").read_bytes() == (run.folder / "records.jsonl").read_bytes()


def test_what_is_found_in_a_file_is_one_line_in_a_notebook(run):
    path = run.folder / "records.jsonl"
    checked, overlapping = si.check(path), si.overlap(path, path)
    assert repr(checked) == f"<Checked {path}: rows {len(run.records())}, findings {len(checked.findings)}>"
    n = len(run.records())
    assert repr(overlapping) == f"<Overlaps: {n} of {n} rows overlap the test set of {overlapping.lines} lines>"


def test_rows_become_tables(run):
    pytest.importorskip("datasets", reason="needs pip install 'selfinstruct[finetune]'")
    rows = run.records()
    assert run.records().to_pandas()["instruction"].tolist() == [row["instruction"] for row in rows]
    assert rows.to_dataset()["output"][:] == [row["output"] for row in rows]
    later = si.Rows([{"id": 1}, {"id": 2, "extra": {"grade": 3}}], ("id",))
    assert later.to_dataset()["extra"][:] == [None, {"grade": 3}], "the first row does not say which columns there are"


def test_without_a_row_a_table_has_its_columns_all_the_same(run):
    pytest.importorskip("datasets", reason="needs pip install 'selfinstruct[finetune]'")
    for rows in (run.records(), run.tasks(), run.tasks(similar=True), run.rejected(reason="too_similar")):
        assert rows.fields == tuple(rows[0])
        empty = rows[:0]
        assert tuple(empty.to_pandas().columns) == tuple(rows.to_pandas().columns) == rows.fields
        assert tuple(empty.to_dataset().column_names) == rows.fields
    assert run.rejected(reason="merged_tasks").to_pandas()["evidence"].tolist() == []


def test_without_pandas_or_datasets_it_says_what_to_install(run, monkeypatch):
    for name in ("pandas", "datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(si.UsageError, match="pip install pandas"):
        run.records().to_pandas()
    with pytest.raises(si.UsageError, match="pip install datasets"):
        run.records().to_dataset()


@pytest.mark.parametrize("format", NAMES)
def test_exports(run, tmp_path, format):
    written = run.export(format, tmp_path / "data")
    expected = tmp_path / "expected"
    run_cli("export", run.folder, "--format", format, "--output", expected)
    assert written.read_bytes() == expected.read_bytes()


def test_a_reason_that_there_is_not_is_refused_and_one_without_rows_is_none(run):
    assert run.rejected(reason="merged_tasks") == []
    assert run.rejected(stage="novelty", limit=1)[0]["stage"] == "novelty"
    with pytest.raises(si.UsageError, match=r"no reason 'too_simlar'; did you mean too_similar\?"):
        run.rejected(reason="too_simlar")
    with pytest.raises(si.UsageError, match=r"no stage 'novel'; did you mean novelty\?"):
        run.rejected(stage="novel")


def test_a_format_that_there_is_not_is_refused(run):
    with pytest.raises(si.UsageError, match=r"no format 'jsonl'; choose one of: alpaca, .*messages"):
        run.export("jsonl")


def test_filtered_again(run, tmp_path):
    strict = run.refilter(tmp_path / "strict", rouge_threshold=0.2)
    assert strict.status().tasks < 12
    assert strict.changes.tasks.before == 12
    assert {lost.reason for lost in strict.changes.tasks.lost} == {"too_similar"}
    with pytest.raises(si.UsageError, match="already exists"):
        run.refilter(tmp_path / "strict", rouge_threshold=0.2)
    assert si.Run(strict.folder).records() == strict.records()


def test_what_is_no_rule_is_refused(run, tmp_path):
    with pytest.raises(si.UsageError, match="unknown key max_cost"):
        run.refilter(tmp_path / "new", max_cost=1)


def test_the_answers_are_never_overwritten(run):
    for write in (lambda place: run.export("messages", place), run.report):
        with pytest.raises(si.UsageError, match="never overwritten"):
            write(run.folder / "run.db")
    assert run.verify() == []


def test_advice_is_only_what_the_call_accepts(run, tmp_path):
    with pytest.raises(si.UsageError, match=r"^unknown argument temperature: a sampling setting, but no model"):
        run.refilter(tmp_path / "new", temperature=3)
    with pytest.raises(si.UsageError, match=r"^similar is 'x'; it must be True or False\.$"):
        run.tasks(similar="x")


@pytest.mark.parametrize("wrong", [{"limit": -1}, {"limit": "5"}, {"limit": True}, {"reason": ["too_similar"]}])
def test_wrong_arguments_are_refused(run, wrong):
    with pytest.raises(si.UsageError):
        run.rejected(**wrong)
    with pytest.raises(si.UsageError):
        run.export(None)
    with pytest.raises(si.UsageError):
        si.check(None)


@pytest.mark.parametrize("port", [99999, -1, "80", 80.0, True])
def test_a_port_that_there_is_not_is_refused(run, port):
    with pytest.raises(si.UsageError, match=rf"^port is {port!r}; it must be a whole number from 0 to 65535"):
        run.audit(port)


def test_numbers_of_numpy_are_numbers(run, tmp_path):
    assert run.rejected(limit=np.int64(2)) == run.rejected(limit=2)
    assert si.generate(tmp_path / "run", np.int32(3), progress=False).status().target == 3


def test_some_rows_are_rows(run):
    assert isinstance(run.records()[:2], si.Rows)
    assert run.records()[0] == run.records()[:2][0]


def test_a_run_is_found_again_from_another_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(run.folder.parent)
    same = si.Run("first")
    assert repr(same).startswith("<Run first: 12 tasks")
    monkeypatch.chdir(tmp_path)
    assert same.tasks() == run.tasks()


def test_the_callers_signal_handlers_are_kept_and_errors_have_no_other_behind_them(tmp_path):
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda *_: None) for number in numbers]
    ours = [signal.getsignal(number) for number in numbers]
    try:
        si.generate(tmp_path / "run", 3, progress=False)
        with pytest.raises(si.UsageError) as error:
            si.generate(tmp_path / "run", 3, seed=8)
        assert [signal.getsignal(number) for number in numbers] == ours
        assert error.value.__context__ is None
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def test_a_report_and_a_check(run, tmp_path):
    assert run.report(tmp_path / "report.html").read_text().startswith("<!doctype html>")
    for source in (run, run.export("alpaca", tmp_path / "a.json")):
        assert si.check(source).summary()["rows"] == len(run.records())


def test_a_run_is_resumed_with_a_higher_target(tmp_path):
    first = si.generate(tmp_path / "run", 6, progress=False)
    calls = sum(usage.requests for usage in first.status().usage)
    again = si.generate(tmp_path / "run", 6, progress=False)
    assert sum(usage.requests for usage in again.status().usage) == calls
    assert si.generate(tmp_path / "run", 9, progress=False).status().tasks == 9


def test_settings_find_their_tables(tmp_path):
    run = si.generate(
        tmp_path / "run", 3, progress=False, rouge_threshold=0.6, concurrency=3, running={"attempts": 4},
        classify={"sampling": {"max_tokens": 9}}, strategy="self-instruct",
    )  # fmt: skip
    text = (run.folder / "config.toml").read_text()
    for line in ("rouge_threshold = 0.6", "concurrency = 3", "attempts = 4", "max_tokens = 9"):
        assert f"\n{line}\n" in text
    assert not RunningSettings.model_fields.keys() & FilterSettings.model_fields.keys()


def test_prices_that_are_given_later_hold_for_what_was_answered_before(tmp_path):
    with loopback() as server:
        teacher = {"kind": "openai", "model": "simulated", "base_url": server.url}
        first = si.generate(tmp_path / "run", 3, teacher=teacher, progress=False).status()
        prices = {"simulated": {"input": 1.0, "output": 4.0}}
        si.generate(tmp_path / "run", 3, prices=prices, progress=False)
        priced = si.Run(tmp_path / "run").status()
        more = si.generate(tmp_path / "run", 12, max_cost=1.0, progress=False).status()
    assert first.cost_usd is None
    for found in (priced, more):
        for one in found.usage:
            assert one.cost_usd == pytest.approx((one.prompt_tokens * 1.0 + one.completion_tokens * 4.0) / 1e6)
        assert found.cost_usd == pytest.approx(sum(one.cost_usd for one in found.usage))
    assert sum(one.requests for one in more.usage) > sum(one.requests for one in priced.usage)
    assert more.as_dict() == json.loads(run_cli("status", tmp_path / "run", "--json").stdout)


def test_a_cost_of_which_only_a_part_is_known_is_not_known(tmp_path):
    """Some answers were stored with a price that the settings do not have any more, as an earlier version allowed."""
    with loopback() as server:
        teacher = {"kind": "openai", "model": "simulated", "base_url": server.url}
        si.generate(tmp_path / "run", 3, teacher=teacher, prices={"simulated": {"input": 1, "output": 4}})
        assert si.Run(tmp_path / "run").status().cost_usd > 0
        with Store.resume(tmp_path / "run") as store, store.transaction():
            store.set_settings({"config": {**store.settings()["config"], "prices": {}}})
        assert si.generate(tmp_path / "run", 12, progress=False).status().cost_usd is None


def test_what_a_config_file_leaves_out_is_kept_and_said(tmp_path, capsys):
    config = tmp_path / "config.toml"
    config.write_text("[running]\nattempts = 3\n")
    si.generate(tmp_path / "run", 2, concurrency=4)
    assert "Kept" not in capsys.readouterr().out
    si.generate(tmp_path / "run", 3, config=config)
    assert f"Kept from the run, because {config} does not set them: running.concurrency.\n" in capsys.readouterr().out


def test_recorded_answers_become_a_run_as_by_the_command(tmp_path):
    rows = [{"instruction": "Name a river in Spain.", "input": "", "output": "The Ebro."}] * 2
    data = tmp_path / "alpaca.json"
    data.write_text(json.dumps(rows))
    run = si.import_answers(tmp_path / "run", alpaca=data, rouge_threshold=0.6)
    run_cli("import", tmp_path / "same", "--alpaca", data)
    assert [row["output"] for row in run.records()] == ["The Ebro."]
    assert (tmp_path / "same/records.jsonl").read_bytes() == (run.folder / "records.jsonl").read_bytes()
    assert "\nrouge_threshold = 0.6\n" in (run.folder / "config.toml").read_text()
    answers, classes = tmp_path / "answers.jsonl", tmp_path / "classes.jsonl"
    answers.write_text('{"prompt": "", "text": "1. Name a river in Spain.\\n2. Name a lake in Italy."}\n')
    classes.write_text('{"instruction": "Name a lake in Italy.", "is_classification": true}\n')
    seeds = Path(__file__).parents[2] / "seeds/seeds.jsonl"
    run = si.import_answers(tmp_path / "answered", completions=answers, seeds=seeds)
    again = si.import_answers(run.folder, completions=answers, classification=classes)
    assert [task["instruction"] for task in again.tasks()] == ["Name a river in Spain.", "Name a lake in Italy."]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "Nothing to import. Pass completions"),
        ({"alpaca": "a.json", "completions": "b.jsonl"}, "cannot be combined with completions, "),
        ({"alpaca": "a.json", "instances": "b.jsonl"}, "cannot be combined with completions, classification or inst"),
        ({"completions": "a.json"}, "needs seeds"),
        ({"alpaca": "nothing.json"}, "nothing.json"),
        ({"alpaca": ["a.json"]}, r"alpaca is \['a.json'\]; it must be a path"),
        ({"alpaca": "a.json", "max_word": 3}, "did you mean max_words"),
    ],
)
def test_what_cannot_be_imported_is_said_before_a_run_is_begun(tmp_path, monkeypatch, files, says):
    monkeypatch.chdir(tmp_path)
    for name in ("a.json", "b.jsonl"):
        (tmp_path / name).write_text('[{"instruction": "Name a river.", "input": "", "output": "The Po."}]')
    with pytest.raises(si.UsageError, match=says):
        si.import_answers("run", **files)
    assert not (tmp_path / "run").exists()


def test_rows_that_overlap_a_test_set_are_found(run, tmp_path):
    questions = tmp_path / "test.txt"
    questions.write_text(run.records()[0]["instruction"] + "\nWhy is the sky blue over the sea in the evening?\n")
    found = si.overlap(run, questions)
    assert found.found
    assert {overlap.line.number for _, overlap in found.found} == {1}
    assert si.overlap(run.folder / "records.jsonl", questions) == found
    command = run_cli("overlap", run.folder / "records.jsonl", questions, "--json")
    assert json.loads(command.stdout) == found.as_dict()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"target": 0}, "target is 0; it must be a whole number of at least 1"),
        ({"target": True}, "target is True"),
        ({"target": 3.0}, "target is 3.0"),
        ({"target": "ten"}, "target is 'ten'"),
        ({"target": 3, "sed": 7}, "unknown key sed; did you mean seed?"),
        ({"target": 3, "rouge": 0.5}, "did you mean rouge_threshold?"),
        ({"target": 3, "model": "m"}, 'it belongs to the teacher: teacher=si.openai("MODEL", ...)'),
        ({"target": 3, "temperature": 1}, 'set it in a stage: propose={"sampling": {"temperature": ...}}'),
        ({"target": 3, "rouge_threshold": 3}, "filters.rouge_threshold"),
        ({"target": 3, "strategy": "evolve"}, "there is no strategy 'evolve'; choose one of: self-instruct, alpaca"),
        ({"target": 3, "teacher": {"kind": "openai"}}, "No model for stage"),
        ({"target": 3, "teacher": si.openai("m", api_key_env="sk-mine")}, "never the key itself"),
        ({"target": 3, "seeds": "nothing.jsonl"}, "nothing.jsonl"),
        ({"target": 3, "seeds": [{"instruction": "Why?"}]}, "seeds is [{'instruction': 'Why?'}]; it must be a path"),
        ({"target": 3, "seeds": si.Rows([{"instruction": "Why?"}] * 99)}, "...; it must be a path"),
        ({"target": 3, "seeds": ""}, "seeds is ''; it must be a path"),
        ({"target": 3, "teacher": "gpt-4.1"}, 'such as si.openai("gpt-4.1")'),
        ({"target": 3, "rouge_treshold": 0.5}, "did you mean rouge_threshold?"),
        (
            {"target": 3, "min_words": 2, "filters": {"min_words": 3}},
            "min_words is set twice: directly, and in filters",
        ),
        ({"target": 3, "min_words": 2, "filters": "x"}, "filters is 'x'; it must be a list of filters"),
        ({"target": 3, "filters": si.reject}, "it must be a list of filters"),
        ({"target": 3, "teacher": 42}, "teacher is 42; it must be a table of settings"),
        ({"target": 3, "max_requests": "12"}, "running.max_requests: must be a whole number, not text"),
        ({"target": 3, "config": "nothing.toml"}, "nothing.toml"),
    ],
)
def test_what_is_wrong_is_said_before_a_run_is_begun(tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(si.UsageError) as error:
        si.generate(tmp_path / "run", **arguments)
    assert says in str(error.value)
    assert "sk-mine" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(si.UsageError, match="no run here"):
        si.Run(tmp_path)


# Where it is called.


def test_in_a_running_event_loop_and_in_a_thread(run, tmp_path, capsys):
    settings = {"seed": 5, "simulated": {"repeat_share": 0.3, "forbidden_share": 0.3}, "progress": False}

    async def notebook():
        first = si.generate(tmp_path / "blocking", 12, **settings)
        second = await si.generate_async(tmp_path / "awaited", 12, **settings)
        return first, second, first.refilter(tmp_path / "again")

    runs = list(asyncio.run(notebook()))
    handlers = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=lambda: runs.append(si.generate(tmp_path / "thread", 12, **settings)))
    thread.start()
    thread.join(HANG_S)
    assert len(runs) == 4
    assert {(one.folder / "records.jsonl").read_bytes() for one in runs} == {
        (run.folder / "records.jsonl").read_bytes()
    }
    assert signal.getsignal(signal.SIGINT) is handlers
    assert capsys.readouterr().out == ""


SCRIPT = """
import asyncio, sys, selfinstruct as si
def grow():
    return si.generate(sys.argv[1], 30, teacher={"base_url": sys.argv[2]}, concurrency=2, progress=False)
async def notebook():
    return grow()
try:
    asyncio.run(notebook()) if sys.argv[3] == "notebook" else grow()
except KeyboardInterrupt as interrupt:
    print(interrupt)
    sys.exit(5)
"""


@pytest.mark.parametrize("where", ["script", "notebook"])
def test_an_interrupt_lets_the_calls_in_flight_end_and_the_same_call_resumes(tmp_path, where):
    folder = tmp_path / "run"
    with loopback() as server:
        server.hold(after=6)
        command = [sys.executable, "-c", SCRIPT, str(folder), server.url, where]
        with working(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            wait_until(lambda: server.held, process)
            process.send_signal(signal.SIGINT)
            server.release()
            said, errors = process.communicate()
        assert process.returncode == 5, errors
        assert said == f"{folder}: stopped. The same call resumes the run.\n"
        stopped = si.Run(folder).status()
        assert sum(usage.requests for usage in stopped.usage) > 0
        assert stopped.tasks < 30
        resumed = si.generate(folder, 30, progress=False)
    assert resumed.status().tasks == 30
    assert resumed.verify() == []


def test_cancelled_it_can_be_resumed(tmp_path):
    async def cancelled():
        with loopback() as server:
            server.hold(after=4)
            task = asyncio.create_task(
                si.generate_async(tmp_path / "run", 12, teacher={"base_url": server.url}, progress=False)
            )
            await until(lambda: server.held)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(cancelled())
    assert si.Run(tmp_path / "run").verify() == []
    assert si.generate(tmp_path / "run", 12, teacher={"base_url": ""}, progress=False).status().tasks == 12


# What it is.


def test_everything_public_is_there_and_documented():
    for name in si.__all__:
        one = getattr(si, name)
        assert one.__doc__, name
        if isinstance(one, type):
            for method, value in vars(one).items():
                assert method.startswith("_") or not callable(value) or value.__doc__, f"{name}.{method}"
    assert sorted(si.__all__) == sorted(sys.modules["selfinstruct.api"].__all__)
    assert not hasattr(si, "nothing_of_the_kind")
    assert set(si.__all__) < set(dir(si))


def modules_after(statement):
    """What a new interpreter has imported for this statement, beside what it begins with."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=HANG_S)
    return set(said.stdout.split())


def test_it_is_imported_when_it_is_used():
    imported = modules_after("import selfinstruct")
    assert {name for name in imported if name.startswith("selfinstruct")} == {"selfinstruct"}
    assert {name.partition(".")[0] for name in imported} <= {"selfinstruct", *sys.stdlib_module_names}
    heavy = {"torch", "transformers", "datasets", "pandas", "openai", "aiohttp", "pyarrow", "IPython"}
    assert not modules_after("from selfinstruct import *") & heavy


PAGE = (Path(__file__).parents[2] / "docs/python.md").read_text()


def test_its_page_documents_all_of_it():
    assert set(si.__all__) <= set(re.findall(r"\bsi\.(\w+)", PAGE))


def test_the_first_example_of_its_page_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pandas", reason="needs pip install 'selfinstruct[finetune]'")
    monkeypatch.chdir(tmp_path)
    exec(re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1), {})
    assert "<Run outputs/first: 60 tasks, " in capsys.readouterr().out
    assert (tmp_path / "data.jsonl").read_text()
