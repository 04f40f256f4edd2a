"""The command line as a user meets it: what it prints, and what a user's mistake costs (nothing)."""

import json
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from selfinstruct.cli.consent import teachers_in_words
from selfinstruct.config.config import parse_config
from selfinstruct.engine.display import STOPPING
from tests.conftest import (
    COMMAND,
    environment,
    json_lines,
    run_cli,
    server_calls,
    simulate,
    simulated_server,
)
from tests.loopback import command_after, kill, loopback, wait_until, working


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A finished run of 30 tasks."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    result = run_cli("generate", folder, "--target", 30, "--seed", 1)
    assert result.returncode == 0, result.stderr
    return folder


def fails(*arguments, **options) -> str:
    """The message of a command that must fail as a user's mistake does: exit code 2, no traceback."""
    result = run_cli(*arguments, **options)
    assert result.returncode == 2, f"{result.returncode}\n{result.stdout}\n{result.stderr}"
    assert "Traceback" not in result.stderr
    return result.stderr


def test_generate_says_who_answers_and_what_came_of_it(cli, tmp_path):
    output = cli("generate", tmp_path / "run", "--target", 10).stdout
    assert "SIMULATED" in output
    assert "10 admitted of 10" in output
    records = json_lines((tmp_path / "run/records.jsonl").read_text())
    assert len({record["task"] for record in records}) == 10
    first = records[0]
    assert list(first) == ["id", "task", "instruction", "input", "output", "is_classification", "messages"]
    assert [message["role"] for message in first["messages"]] == ["user", "assistant"]
    assert first["messages"][1]["content"] == first["output"]


def test_stages_with_the_same_teachers_are_named_together():
    values = {"teacher": {"kind": "simulated"}, "classify": {"kind": "openai", "model": "gpt"}}
    said = teachers_in_words(parse_config(values, "test"))
    assert said.startswith("propose, instances: SIMULATED (")
    assert said.endswith("; classify: gpt")
    assert said.count("SIMULATED") == 1
    assert teachers_in_words(parse_config({}, "test")).startswith("SIMULATED (")


def test_status_in_words_and_as_json(cli, run):
    words = cli("status", run).stdout
    assert "30 admitted of 30" in words
    assert "graded outputs are correct (" in words
    figures = json.loads(cli("status", run, "--json").stdout)
    assert figures["tasks"] == figures["generated"] == 30
    judged = sum(row["count"] for row in figures["rejected"] if row["stage"] in ("filter", "novelty"))
    assert figures["tasks"] + judged + figures["pending"] == figures["candidates"]
    assert figures["grades"]["right"] > 50
    assert figures["grades"]["wrong"] == 0


def test_wrong_answers_of_the_simulated_teacher_show_in_the_grades(cli, tmp_path):
    config = tmp_path / "wrong.toml"
    config.write_text("[simulated]\nwrong_share = 0.3\n")
    cli("generate", tmp_path / "run", "--target", 60, "--config", config)
    grades = json.loads(cli("status", tmp_path / "run", "--json").stdout)["grades"]
    assert 0.15 < grades["wrong"] / (grades["wrong"] + grades["right"]) < 0.45


def test_tasks_in_order_with_their_nearest(cli, run):
    rows = json_lines(cli("tasks", run, "--json").stdout)
    assert [row["position"] for row in rows] == list(range(30))
    for row in rows:
        assert row["instances"]
        assert isinstance(row["is_classification"], bool)
        assert row["nearest"]
        assert 0 <= row["nearest_score"] <= 0.7
    assert cli("tasks", run).stdout.count("\n") == 30


def test_rejected_with_reason_and_evidence(cli, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text("[simulated]\nrepeat_share = 0.3\nforbidden_share = 0.2\n")
    cli("generate", tmp_path / "run", "--target", 60, "--config", config)
    rows = json_lines(cli("rejected", tmp_path / "run", "--json").stdout)
    reasons = {row["reason"] for row in rows}
    assert {"too_similar", "forbidden_word"} <= reasons
    assert all(row["explanation"] and row["text"] for row in rows)
    similar = json_lines(cli("rejected", tmp_path / "run", "--reason", "too_similar", "--limit", 3, "--json").stdout)
    assert len(similar) == 3
    assert all(row["evidence"]["score"] > 0.7 and row["evidence"]["nearest"] for row in similar)
    assert {
        row["stage"] for row in json_lines(cli("rejected", tmp_path / "run", "--stage", "filter", "--json").stdout)
    } == {"filter"}
    assert "ROUGE-L" in cli("rejected", tmp_path / "run", "--stage", "novelty").stdout
    assert "too_similar" in fails("rejected", tmp_path / "run", "--reason", "boring")
    assert "did you mean too_similar?" in fails("rejected", tmp_path / "run", "--reason", "to_similar")
    assert f"that is {tmp_path / 'run'}." in fails("status", tmp_path / "run/run.db")
    assert "name the folder of the run" in fails("generate", tmp_path / "run/records.jsonl", "--target", 9)
    assert "selfinstruct seeds check FILE" in fails("seeds", "FILE")
    none = cli("rejected", tmp_path / "run", "--reason", "contaminated")
    assert none.stdout == "Nothing was rejected for reason contaminated.\n"


def test_tasks_of_a_strategy_without_classes_have_no_class_in_the_list(cli, tmp_path):
    cli("generate", tmp_path / "run", "--target", 10, "--strategy", "alpaca")
    assert "class" not in re.sub("[Cc]lassify", "", cli("tasks", tmp_path / "run").stdout)
    assert json_lines(cli("tasks", tmp_path / "run", "--json").stdout)[0]["is_classification"] is None


@pytest.mark.parametrize("form", ["alpaca", "self-instruct", "messages", "prompt-completion", "sharegpt", "parquet"])
def test_export(cli, run, tmp_path, form):
    output = cli("export", run, "--format", form, "--output", tmp_path / "out/data").stdout
    assert "rows in" in output
    assert (tmp_path / "out/data").stat().st_size > 1000


def test_run_goes_on_and_repeats_nothing(cli, tmp_path):
    cli("generate", tmp_path / "run", "--target", 10, "--seed", 3)
    output = cli("generate", tmp_path / "run", "--target", 5).stdout
    assert "10 admitted\n" in output
    assert "The run already has more tasks than --target 5, so no tasks were added" in output
    output = cli("generate", tmp_path / "run", "--target", 25).stdout
    assert "Resuming" in output
    cli("generate", tmp_path / "at_once", "--target", 25, "--seed", 3)
    grown, at_once = ((tmp_path / name / "records.jsonl").read_bytes() for name in ("run", "at_once"))
    assert grown == at_once
    cli("verify", tmp_path / "run")


def test_config_of_a_run_repeats_it(cli, run, tmp_path):
    cli("generate", tmp_path / "again", "--target", 30, "--config", run / "config.toml")
    assert (tmp_path / "again/records.jsonl").read_bytes() == (run / "records.jsonl").read_bytes()


def test_other_settings_for_a_run_are_named_one_by_one(cli, tmp_path):
    folder = tmp_path / "run"
    cli("generate", folder, "--target", 5, "--seed", 3)
    config = tmp_path / "other.toml"
    config.write_text("seed = 3\nwindow = 9\n[filters]\nrouge_threshold = 0.5\n[running]\nconcurrency = 3\n")
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text(
        json.dumps(
            {"instruction": "Name a tree.", "instances": [{"input": "", "output": "Oak"}], "is_classification": False}
        )
    )
    before = (folder / "run.db").read_bytes()
    message = fails("generate", folder, "--target", 9, "--config", config, "--seeds", seeds)
    assert "window was 64, now 9" in message
    assert "filters.rouge_threshold was 0.7, now 0.5" in message
    assert "To apply other filters to its answers, use refilter." in message
    assert "seeds" in message
    assert "concurrency" not in message
    assert "seed was 3, now 4" in fails("generate", folder, "--target", 9, "--seed", 4)
    assert "model was 'simulated', now 'simulated-large'" in fails(
        "generate", folder, "--target", 9, "--teacher", "simulated", "--model", "simulated-large"
    )
    assert (folder / "run.db").read_bytes() == before


def test_changed_prompts_are_named_and_an_unchanged_folder_is_fine(cli, tmp_path):
    from shutil import copytree

    from selfinstruct.asking.prompts import shipped

    prompts = tmp_path / "prompts"
    copytree(shipped("prompts"), prompts)
    config = tmp_path / "run.toml"
    config.write_text(f"prompts = '{prompts}'\n")
    cli("generate", tmp_path / "run", "--target", 3, "--config", config)
    cli("generate", tmp_path / "run", "--target", 4, "--config", config)
    propose = prompts / "chat/propose.jinja"
    propose.write_text(propose.read_text().replace("invent tasks", "think up tasks"))
    assert "chat/propose" in fails("generate", tmp_path / "run", "--target", 5, "--config", config)
    cli("generate", tmp_path / "run", "--target", 5)  # with its own prompts it goes on


def test_base_models_are_asked_at_their_endpoint(cli, tmp_path):
    config = tmp_path / "base.toml"
    config.write_text('[teacher]\nendpoint = "completion"\nlogprobs = true\n')
    cli("generate", tmp_path / "run", "--target", 20, "--config", config)
    with sqlite3.connect(tmp_path / "run/run.db") as db:
        endpoints = db.execute("SELECT DISTINCT endpoint FROM requests").fetchall()
        logprobs = [json.loads(row[0]) for row in db.execute("SELECT logprobs FROM completions")]
    db.close()
    assert endpoints == [("completion",)]
    assert all(values and max(values) <= 0 for values in logprobs)
    assert json.loads(cli("status", tmp_path / "run", "--json").stdout)["grades"]["right"] >= 20
    cli("verify", tmp_path / "run")


def test_each_stage_may_have_a_server_of_its_own(cli, tmp_path):
    with simulated_server(folder=tmp_path) as cheap, simulated_server(folder=tmp_path) as strong:
        config = tmp_path / "run.toml"
        config.write_text(
            f'[teacher]\nkind = "openai"\nmodel = "simulated-small"\nbase_url = "{cheap}"\n'
            f'[instances]\nmodel = "simulated-large"\nbase_url = "{strong}"\n'
        )
        cli("generate", tmp_path / "run", "--target", 10, "--config", config)
        usage = json.loads(cli("status", tmp_path / "run", "--json").stdout)["usage"]
        requests = {(row["stage"], row["model"]): row["requests"] for row in usage}
        assert set(requests) == {
            ("probe", "simulated-small"), ("probe", "simulated-large"),
            ("propose", "simulated-small"), ("classify", "simulated-small"), ("instances", "simulated-large"),
        }  # fmt: skip
        assert requests["instances", "simulated-large"] == 10
        assert server_calls(strong)["answered"] == 10 + 1
        assert server_calls(cheap)["answered"] == sum(requests.values()) - 10 - 1
    assert "simulated-large at http" in cli("generate", tmp_path / "run", "--target", 10).stdout


def test_what_a_model_says_does_not_steer_the_terminal(cli, tmp_path):
    cli("generate", tmp_path / "run", "--target", 3)
    with sqlite3.connect(tmp_path / "run/run.db") as db:
        db.execute("UPDATE candidates SET instruction = 'Name a tree.' || char(27) || '[2J' || char(0)")
    db.close()
    output = cli("tasks", tmp_path / "run").stdout
    assert "Name a tree.\\x1b[2J\\x00" in output
    assert "\x1b" not in output


def test_real_server_address_key_and_cost(cli, tmp_path):
    config = tmp_path / "run.toml"
    config.write_text('[prices."simulated-large"]\ninput = 1000.0\noutput = 2000.0\n')
    key = "sk-very-secret-0123456789"
    (tmp_path / "simulated.toml").write_text(f"[simulated]\napi_key = '{key}'\n")
    with simulate("--config", tmp_path / "simulated.toml") as server:
        output = cli(
            "generate", tmp_path / "run", "--target", 5, "--teacher", "openai", "--model", "simulated-large",
            "--base-url", server, "--config", config, env=environment(OPENAI_API_KEY=key),
        ).stdout  # fmt: skip
        figures = json.loads(cli("status", tmp_path / "run", "--json").stdout)
        tokens = (
            sum(u["prompt_tokens"] for u in figures["usage"]),
            sum(u["completion_tokens"] for u in figures["usage"]),
        )
        cost = sum(u["cost_usd"] for u in figures["usage"])
        assert cost == pytest.approx((tokens[0] * 1000 + tokens[1] * 2000) / 1e6)
        assert "$" in output
        for path in (tmp_path / "run").iterdir():
            assert key.encode() not in path.read_bytes(), f"the key is in {path.name}"
        wrong = fails(
            "generate", tmp_path / "other", "--target", 5, "--model", "simulated", "--base-url", server,
            env=environment(OPENAI_API_KEY="sk-wrong-key-42"),
        )  # fmt: skip
        assert "OPENAI_API_KEY" in wrong
        assert "sk-wrong-key-42" not in wrong
        unknown = fails(
            "generate", tmp_path / "unknown", "--target", 5, "--model", "gpt-17", "--base-url", server,
            env=environment(OPENAI_API_KEY=key),
        )  # fmt: skip
        assert "--model" in unknown
        # Both can go on once the mistake is mended.
        cli("generate", tmp_path / "other", "--target", 5, env=environment(OPENAI_API_KEY=key))


def test_nobody_listens(tmp_path):
    message = fails("generate", tmp_path / "run", "--target", 5, "--model", "m", "--base-url", "http://127.0.0.1:9/v1")
    assert "--base-url" in message


def test_no_key(tmp_path):
    message = fails(
        "generate", tmp_path / "run", "--target", 5, "--teacher", "openai", "--model", "m", env=environment()
    )
    assert "OPENAI_API_KEY" in message


def test_no_model(tmp_path):
    wrong = fails("generate", tmp_path / "run", "--target", 5, "--teacher", "simulated", "--model", "gpt")
    assert "'gpt' (--model): the simulated teacher has no such model" in wrong
    assert "--model" in fails("generate", tmp_path / "run", "--target", 5, "--teacher", "openai")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "no seed task"),
        ("{nonsense\n", "line 1"),
        ('{"instruction": "Name a tree.", "instances": [], "is_classification": false}\n', "instances"),
        ('\n{"instruction": "Name a tree.", "instances": [{"input": ""}], "is_classification": false}\n', "line 2"),
    ],
)
def test_bad_seeds(tmp_path, content, expected):
    (tmp_path / "seeds.jsonl").write_text(content)
    message = fails("generate", tmp_path / "run", "--target", 5, "--seeds", tmp_path / "seeds.jsonl")
    assert expected in message
    assert not (tmp_path / "run").exists()


def test_missing_files(tmp_path):
    assert "no such file" in fails("generate", tmp_path / "run", "--target", 5, "--seeds", tmp_path / "none.jsonl")
    assert "no such file" in fails("generate", tmp_path / "run", "--target", 5, "--config", tmp_path / "none.toml")
    for command in (["status"], ["verify"], ["tasks"], ["rejected"], ["export", "--format", "alpaca"]):
        assert "no run here" in fails(command[0], tmp_path / "nothing", *command[1:])


def test_unknown_config_key(tmp_path):
    (tmp_path / "run.toml").write_text("[filters]\nrouge_treshold = 0.6\n")
    message = fails("generate", tmp_path / "run", "--target", 5, "--config", tmp_path / "run.toml")
    assert "did you mean rouge_threshold" in message


def test_damaged_store(cli, tmp_path):
    cli("generate", tmp_path / "run", "--target", 5)
    path = tmp_path / "run/run.db"
    path.write_bytes(b"this is not a database" + path.read_bytes()[22:])
    for command in (["generate", "--target", 6], ["status"], ["verify"], ["export", "--format", "alpaca"]):
        message = fails(command[0], tmp_path / "run", *command[1:])
        assert "recover" in message
    cli("generate", tmp_path / "torn", "--target", 40)
    path = tmp_path / "torn/run.db"
    content = bytearray(path.read_bytes())
    content[8192:-4096] = os.urandom(len(content) - 12288)
    path.write_bytes(content)
    result = run_cli("verify", tmp_path / "torn")
    assert result.returncode in (1, 2)
    assert "Traceback" not in result.stderr


def test_verify_finds_changed_rows(cli, tmp_path):
    cli("generate", tmp_path / "run", "--target", 5)
    with sqlite3.connect(tmp_path / "run/run.db") as db:
        db.execute("UPDATE instances SET output = 'something else' WHERE rowid = 1")
    db.close()
    assert "its id should be" in cli("verify", tmp_path / "run", code=1).stdout


def test_second_process_on_one_run_is_refused(cli, tmp_path):
    with loopback() as server:
        server.hold()
        arguments = ["generate", tmp_path / "run", "--target", 200, "--model", "simulated", "--base-url", server.url]
        with working([*COMMAND, *map(str, arguments)]) as first:
            wait_until(lambda: server.held, first)
            assert "another process" in fails(*arguments)
            cli("status", tmp_path / "run")  # looking is allowed
            kill(first)


def test_folder_that_cannot_be_written(cli, tmp_path):
    cli("generate", tmp_path / "run", "--target", 5)
    (tmp_path / "run").chmod(0o555)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    for folder in (locked / "run", locked, tmp_path / "run"):
        assert "can write to" in fails("generate", folder, "--target", 6, as_anyone=True)


def test_full_disk_loses_nothing_and_the_run_goes_on(cli, tmp_path):
    """The store hits a limit on the size of files, as it would hit the end of the disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limits[1]))
    try:
        error = fails("generate", tmp_path / "run", "--target", 60, "--seed", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "same command again" in error
    cli("verify", tmp_path / "run")
    cli("generate", tmp_path / "run", "--target", 60)
    cli("generate", tmp_path / "whole", "--target", 60, "--seed", 1)
    assert (tmp_path / "run/records.jsonl").read_bytes() == (tmp_path / "whole/records.jsonl").read_bytes()


@contextmanager
def generating(server, folder):
    """`generate` in a process of its own that often says how it stands, with an answer that the server holds back."""
    often = "import selfinstruct.engine.display as display; display.LINE_EVERY_S = 0.05"
    arguments = ["generate", folder, "--target", 500, "--model", "simulated", "--base-url", server.url]
    with working(command_after(often, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_until(lambda: server.held, process)
        yield process


def interrupted(process):
    """Press Ctrl-C; what it said up to where it has noticed."""
    process.send_signal(signal.SIGINT)
    said = []
    while not said or STOPPING not in said[-1]:
        said.append(process.stdout.readline())
        assert said[-1], process.communicate()
    return "".join(said)


def test_ctrl_c_once_finishes_what_is_in_flight(cli, tmp_path):
    with loopback() as server:
        server.hold(after=10)
        with generating(server, tmp_path / "run") as process:
            interrupted(process)
            n_held = server.held
            assert n_held > 0
            server.release()
            output, errors = process.communicate()
        assert process.returncode == 130, errors
        assert "To resume, run the same command again." in output
        assert "Traceback" not in errors
        calls = server_calls(server.url)
    assert calls["received"] == calls["answered"] == count(tmp_path / "run", "completions") >= 10 + n_held
    cli("verify", tmp_path / "run")


def test_ctrl_c_twice_stops_at_once(cli, tmp_path):
    with loopback() as server:
        server.hold()
        with generating(server, tmp_path / "run") as process:
            interrupted(process)
            assert process.poll() is None, "the first Ctrl-C must wait for the call in flight"
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate()  # while the answer is still held back
        assert process.returncode == 130, errors
        assert "Traceback" not in errors
    assert "To resume" in output
    cli("verify", tmp_path / "run")


def test_port_in_use():
    with simulate() as server:
        assert "Choose another" in fails("simulate", "--port", server.split(":")[2].split("/")[0])


def test_help_needs_nothing_heavy():
    """What --help imports decides how fast it is: only typer."""
    code = (
        "import sys\nfrom selfinstruct.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'openai', 'pydantic', 'numpy', 'rapidfuzz', 'aiohttp', 'jinja2', 'rouge_score', 'pyarrow', 'torch'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: []" in result.stdout


def test_generation_never_imports_torch(tmp_path):
    code = (
        "import sys\nfrom selfinstruct.cli import app\n"
        f"try:\n    app(['generate', {str(tmp_path / 'run')!r}, '--target', '3'])\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    with working([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.communicate()[0].endswith("False False\n")


@pytest.mark.parametrize(
    "arguments", [["generate"], ["generate", "x", "--target", "0"], ["export", "x", "--format", "xml"]]
)
def test_wrong_usage(arguments):
    result = run_cli(*arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def count(folder: Path, table: str) -> int:
    db = sqlite3.connect(folder / "run.db")
    try:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    finally:
        db.close()


def test_sampling_of_a_run_is_fixed_in_every_way(cli, tmp_path):
    cli("generate", tmp_path / "run", "--target", 3)
    for sampling in ("{ temperature = 1.0, max_tokens = 1024, top_p = 0.5 }", "{ max_tokens = 1024 }"):
        (tmp_path / "other.toml").write_text(f"[propose]\nsampling = {sampling}\n")
        message = fails("generate", tmp_path / "run", "--target", 5, "--config", tmp_path / "other.toml")
        assert "propose.sampling was" in message
    (tmp_path / "other.toml").write_text("[running]\nconcurrency = 2\n")  # says nothing of sampling
    cli("generate", tmp_path / "run", "--target", 5, "--config", tmp_path / "other.toml")


def test_the_address_may_change_from_openais_own_to_another(cli, tmp_path):
    key = environment(OPENAI_API_KEY="sk-x", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    fails("generate", tmp_path / "run", "--target", 3, "--teacher", "openai", "--model", "simulated", env=key)
    with simulated_server(folder=tmp_path) as server:
        cli("generate", tmp_path / "run", "--target", 3, "--base-url", server)
        cli("generate", tmp_path / "run", "--target", 4, "--base-url", server + "/")


def test_a_run_without_an_answer_may_still_change_its_mind(cli, tmp_path):
    fails("generate", tmp_path / "run", "--target", 3, "--model", "m", "--base-url", "http://127.0.0.1:9/v1")
    cli("generate", tmp_path / "run", "--target", 3, "--teacher", "simulated", "--model", "simulated", "--seed", 5,
        "--base-url", "")  # fmt: skip
    assert "seed was 5, now 6" in fails("generate", tmp_path / "run", "--target", 3, "--seed", 6)


def test_a_run_without_an_answer_takes_the_sampling_of_its_new_endpoint(cli, tmp_path):
    fails("generate", tmp_path / "run", "--target", 3, "--model", "m", "--base-url", "http://127.0.0.1:9/v1")
    settings = '[teacher]\nendpoint = "completion"\nkind = "simulated"\nmodel = ""\nbase_url = ""\n'
    (tmp_path / "base.toml").write_text(settings)
    cli("generate", tmp_path / "run", "--target", 3, "--config", tmp_path / "base.toml")
    with sqlite3.connect(tmp_path / "run/run.db") as db:
        sampling = [json.loads(row[0]) for row in db.execute("SELECT sampling FROM requests WHERE stage = 'propose'")]
    db.close()
    assert sampling
    assert all(values["stop"] and values["top_p"] == 0.5 for values in sampling)


def test_folders_that_cannot_be(tmp_path):
    for command in (["generate", "--target", 3], ["status"]):
        assert "Choose another folder" in fails(command[0], tmp_path / ("x" * 300), *command[1:])
    other = tmp_path / "other"
    other.mkdir()
    db = sqlite3.connect(other / "run.db")
    db.execute("CREATE TABLE songs(name TEXT)")
    db.close()
    assert "no run here" in fails("status", other)
    assert "another program" in fails("generate", other, "--target", 3)
