"""A run judged again under other rules: nothing is asked, nothing is lost, and the same rules give the same run."""

import asyncio
import json
import shutil
import signal
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from selfinstruct.asking.prompts import shipped
from selfinstruct.filters.verdicts import OPTIONAL, verdict_on
from selfinstruct.pool.pool import Pool
from selfinstruct.records import Candidate, Task, row_hash
from selfinstruct.runs.refilter import refilter
from selfinstruct.store.database import Database
from selfinstruct.store.decisions import decide, undo
from selfinstruct.store.declared import rules_of
from selfinstruct.store.schema import HASHED
from selfinstruct.store.store import Store
from tests.conftest import COMMAND, json_lines, run_cli
from tests.loopback import HANG_S, kill, loopback, wait_until, working

SEEDS = (shipped("seeds") / "seeds.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
ASKED = ("system_prompts", "requests", "completions", "faults", "sent")
JUDGED = ("steps", "candidates", "tasks", "instances", "rejections", "seeds", "test_lines")
MESSY = "malformed_share = 0.3\nrefusal_share = 0.1\nrepeat_share = 0.3\nforbidden_share = 0.2"
RUNS = {
    "JSON": '[teacher]\nanswer_format = "json"',
    "text": '[teacher]\nanswer_format = "text"',
    "base model": '[teacher]\nendpoint = "completion"',
    "alpaca": 'strategy = "alpaca"\n[teacher]\nanswer_format = "text"',
    "alpaca in JSON": 'strategy = "alpaca"\n[teacher]\nanswer_format = "json"',
    "faulty": '[teacher]\nanswer_format = "text"\n[simulated]\ntoo_long_tokens = 845\nerror_share = 0.05',
    "two models": '[[instances.mix]]\nmodel = "simulated"\n[[instances.mix]]\nmodel = "simulated-2"',
}


def held(run: Path, *tables: str) -> dict[str, list]:
    """What tables hold, in any order."""
    with closing(sqlite3.connect(run / "run.db")) as db:
        return {table: sorted(db.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables}


def query(run: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(run / "run.db")) as db:
        return db.execute(sql).fetchall()


def grown(folder: Path, target: int, settings: str, *options: object) -> Path:
    """A run of the simulated teacher."""
    config = folder.with_suffix(".toml")
    config.write_text(settings)
    result = run_cli("generate", folder, "--target", target, "--config", config, *options)
    assert result.returncode == 0, result.stderr
    return folder


def judged_again(run: Path, new: Path, *options: object) -> dict:
    """What the command says of `run` judged again, whose new run holds everything that was asked."""
    before = held(run, *ASKED, *JUDGED)
    result = run_cli("refilter", run, new, "--json", *options)
    assert result.returncode == 0, result.stderr
    assert held(run, *ASKED, *JUDGED) == before
    assert held(new, *ASKED) == held(run, *ASKED)
    checked = run_cli("verify", new)
    assert checked.returncode == 0, checked.stdout
    return json.loads(result.stdout)


def counts(found: dict, what: str, verb: str) -> dict[str, int]:
    return {reason: values["count"] for reason, values in found[what][verb].items()}


def same(one: Path, other: Path) -> bool:
    assert (one / "records.jsonl").read_bytes() == (other / "records.jsonl").read_bytes()
    return held(one, *JUDGED) == held(other, *JUDGED)


def texts(run: Path) -> list[tuple]:
    rows = json_lines((run / "records.jsonl").read_text())
    return [tuple(row[key] for key in ("task", "instruction", "input", "output", "is_classification")) for row in rows]


def fails(*arguments: object) -> str:
    result = run_cli(*arguments)
    assert result.returncode == 2, result.stdout
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def messy(tmp_path_factory) -> Path:
    """A run with rejections of many kinds; a teacher that repeats itself. To be read only."""
    return grown(tmp_path_factory.mktemp("messy") / "run", 40, f"seed = 5\n{RUNS['text']}\n[simulated]\n{MESSY}\n")


# The same rules.


@pytest.mark.parametrize("kind", RUNS)
def test_the_same_rules_give_the_same_run_and_it_goes_on_alike(tmp_path, kind):
    simulated = "" if "[simulated]" in RUNS[kind] else f"[simulated]\n{MESSY}\n"
    seeds = tmp_path / "seeds.jsonl"
    seeds.write_text("".join(SEEDS[:24]), encoding="utf-8")
    run = grown(tmp_path / "run", 12, f"seed = 5\n{RUNS[kind]}\n{simulated}", "--seeds", seeds)
    assert (kind == "faulty") == bool(query(run, "SELECT 1 FROM completions WHERE error IS NOT NULL"))
    found = judged_again(run, tmp_path / "new")
    assert same(run, tmp_path / "new")
    assert found["tasks"] == {"before": 12, "after": 12, "lost": {}, "gained": {}}
    assert (found["read_differently"], found["waiting"]) == (0, 0)
    for name in ("run", "new"):
        grow_on(tmp_path / name, 17)
    assert same(run, tmp_path / "new")


def grow_on(run: Path, target: int) -> Path:
    result = run_cli("generate", run, "--target", target)
    assert result.returncode == 0, result.stderr
    return run


def test_what_waits_in_a_killed_run_waits_in_the_new_one(tmp_path):
    config, run, new = tmp_path / "run.toml", tmp_path / "run", tmp_path / "new"
    config.write_text("seed = 5\n[running]\nconcurrency = 2\n[simulated]\nrepeat_share = 0.3\n")
    unmade = "SELECT count(*) FROM tasks WHERE generated = 0"
    command = [*COMMAND, "generate", str(run), "--target", "30", "--config", str(config), "--model", "simulated"]
    with (
        loopback("repeat_share = 0.3") as server,
        working([*command, "--base-url", server.url]) as process,
    ):
        while not (Store.exists(run) and query(run, "SELECT 1 FROM instances") and query(run, unmade)[0][0] > 5):
            server.hold(after=1)
            wait_until(lambda: server.held, process)
        kill(process)
        ((n_unmade,),) = query(run, unmade)
        assert n_unmade > 0
        found = judged_again(run, new)
        assert held(run, *JUDGED) == held(new, *JUDGED)
        assert found["waiting"] == n_unmade
        server.release()
        for folder in (run, new):
            grow_on(folder, 30)
    assert same(run, new)


def test_a_run_that_went_through_other_rules_and_went_on_is_still_the_same_run(messy, tmp_path):
    """Its gaps were filled later, so that what was made of its tasks was not judged in their order."""
    judged_again(messy, tmp_path / "loose", "--without", "forbidden_word", "--without", "too_short")
    assert query(tmp_path / "loose", "SELECT count(*) FROM tasks WHERE generated = 0")[0][0] > 3
    grow_on(tmp_path / "loose", 55)
    judged_again(tmp_path / "loose", tmp_path / "again")
    assert same(tmp_path / "loose", tmp_path / "again")
    grow_on(tmp_path / "loose", 60)
    grow_on(tmp_path / "again", 60)
    assert same(tmp_path / "loose", tmp_path / "again")


# Other thresholds.


def expected(run: Path, **rules: object) -> list[str]:
    """The ids of the tasks that other rules admit of a run's candidates, one by one."""
    with Store.read(run) as store:
        pool = Pool(store.seeds(), rules_of(store).model_copy(update=rules))
        pending = {one.id for one in store.pending()}
        rows = store.query("SELECT request_id, place, instruction, cut, step FROM candidates ORDER BY step, position")
    for *parts, step in rows:
        candidate = Candidate(*parts)
        if candidate.id not in pending and verdict_on(candidate, pool)[0] is None:
            pool.admit(Task.admitted(len(pool.tasks), candidate, step))
    return [task.id for task in pool.tasks]


@pytest.mark.parametrize("threshold", [0.3, 0.45, 0.6, 0.8, 0.95, 1.0])
def test_another_threshold_gives_what_it_would_have_given_and_says_what_is_lost_and_gained(messy, tmp_path, threshold):
    new = tmp_path / "new"
    found = judged_again(messy, new, "--rouge-threshold", threshold)
    tasks, before = ([row[0] for row in query(r, "SELECT id FROM tasks ORDER BY position")] for r in (new, messy))
    assert tasks == expected(messy, rouge_threshold=threshold)
    assert (found["tasks"]["before"], found["tasks"]["after"]) == (40, len(tasks))
    reasons = dict(query(new, "SELECT subject_id, reason FROM rejections WHERE subject = 'candidate'"))
    lost = [reasons[one] for one in before if one not in tasks]  # each has its reason
    assert counts(found, "tasks", "lost") == ({"too_similar": len(lost)} if lost else {})
    gained = len(set(tasks) - set(before))
    assert sum(counts(found, "tasks", "gained").values()) == gained
    assert tomllib.loads((new / "config.toml").read_text())["filters"]["rouge_threshold"] == threshold
    assert bool(lost) == (threshold < 0.5)
    assert bool(gained) or threshold < 0.9


def test_the_new_run_goes_on_from_its_own_pool(messy, tmp_path):
    new = tmp_path / "new"
    n_tasks = judged_again(messy, new, "--rouge-threshold", 0.45)["tasks"]["after"]
    paid = set(query(messy, "SELECT id FROM requests"))
    grow_on(new, 45)
    assert "no problems" in run_cli("verify", new).stdout
    assert paid < set(query(new, "SELECT id FROM requests"))
    assert query(new, "SELECT count(*) FROM tasks")[0][0] == 45 > n_tasks
    assert max(score for (score,) in query(new, "SELECT nearest_score FROM tasks")) <= 0.45


def test_each_command_works_on_the_new_run(messy, tmp_path):
    new = tmp_path / "new"
    judged_again(messy, new, "--rouge-threshold", 0.45)
    assert json.loads(run_cli("status", new, "--json").stdout)["tasks"] < 40
    assert len(json_lines(run_cli("tasks", new, "--json").stdout)) < 40
    rows = json_lines(run_cli("rejected", new, "--reason", "too_similar", "--json").stdout)
    assert any(0.45 < row["evidence"]["score"] <= 0.7 for row in rows)
    for command in (["export", new, "--format", "alpaca", "--card"], ["report", new]):
        result = run_cli(*command)
        assert result.returncode == 0, result.stderr
    assert "filters to switch off" in (new / "README.md").read_text()


def test_a_person_reads_what_changes(messy, tmp_path):
    text = run_cli("refilter", messy, tmp_path / "new", "--rouge-threshold", 0.45, "--without", "too_short").stdout
    assert "lost" in text
    assert "ROUGE-L 0." in text
    assert "too_short            too few words" in text
    assert f"selfinstruct generate {tmp_path / 'new'} --target N" in text


# Filters that are switched off: a run of recorded answers in which each of them found something.

LONG = " ".join(["Say this word aloud and then say another one that sounds quite like it:", *["la"] * 140])
TEST_QUESTION = "Which of the four planets that are made of gas takes the longest time for one turn around its star?"
BODY = (
    "one after the other the boats go up through the lock while water flows in and the gates stay shut for as long as "
    "it takes, until both levels are the same and the keeper on the wall lets them out into the upper part of it"
)
PROPOSED = {
    "too_short": "Name rivers.",
    "too_long": LONG,
    "forbidden_word": "Describe the picture on the wall of your room.",
    "asks_for_program": "Write a program that sorts the names of all pupils.",
    "starts_with_punctuation": "- Tell me how old the oldest oak tree is.",
    "starts_with_non_ascii": "Écris un poème sur la mer en hiver.",
    "echoed_prompt": "Do not repeat a task shown or change only a few of its words.",
    "contaminated": TEST_QUESTION,
    "too_similar": "Turn the temperature from Celsius into Kelvin.",
    "cut_off": "Explain in two sentences why bread rises when it",
}
GOOD = {
    "output_equals_input": ("Repeat nothing of what I tell you now.", "Input: tea\nOutput: tea"),
    "pseudo_empty_input": ("Suggest a name for a small bakery.", None),
    "ends_with_colon": ("List three tools of a carpenter.", "Input: none of them\nOutput: The tools are:"),
    "merged_tasks": ("Give one reason to keep a diary.", "Input: now\nOutput: To think.\n7. Instruction: Sing\nx"),
    "refused_output": (
        "Name the tallest tree of a street.",
        "Input: ours\nOutput: I'm sorry, but I can't help with that.",
    ),
    "conflicting_outputs": (
        "Decide which animal lives longer.",
        "Example 1\nInput: ox, bee\nOutput: ox\n\nExample 2\nInput: ox, bee\nOutput: bee",
    ),
    "duplicate_instance": (
        "Convert miles to kilometres for a runner.",
        "Example 1\nInput: 1\nOutput: 1.6\n\nExample 2\nInput: 1\nOutput: 1.6",
    ),
    "too_many": (
        "Spell the number in French words.",
        "\n\n".join(f"Example {n}\nInput: {n}\nOutput: mot {n}" for n in range(1, 8)),
    ),
    "copied_demonstration": ("Rewrite the hour for a bus timetable.", "Input: 11:05 am\nOutput: 11:05"),
    "first of two": ("Describe how ships climb a hill.", f"Input: the canal\nOutput: {BODY}."),
    "near_duplicate": ("Report what canal engineers invented long ago.", f"Input: the canal\nOutput: {BODY}."),
}


def written(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def recorded_files(folder: Path) -> list[object]:
    """The options of an import in which every filter finds something."""
    seed = {"instruction": "Turn the temperature from Celsius into Fahrenheit.", "is_classification": False}
    seeds = [{**seed, "instances": [{"input": "21", "output": "69.8"}]}]
    proposed = [text for reason, text in PROPOSED.items() if reason != "cut_off"]
    proposed += [instruction for instruction, said in GOOD.values() if said]
    lists = ["\n".join(f"{n}. {text}" for n, text in enumerate(proposed[i : i + 4], 1)) for i in range(0, 32, 4)]
    completions: list[dict] = [{"prompt": "", "text": text, "finish_reason": "stop"} for text in lists if text]
    completions.insert(2, {"prompt": "", "text": "I am sorry, but I cannot help with that.", "finish_reason": "stop"})
    cut = f"1. Explain why the tide comes twice a day.\n2. {PROPOSED['cut_off']}"
    completions.append({"prompt": "", "text": cut, "finish_reason": "length"})
    completions.append({"instruction": "Sum up a short fable in one sentence."})
    said = [{"instruction": text, "raw_instances": raw} for text, raw in GOOD.values() if raw]
    # Answers for what is no task under the usual rules.
    said += [
        {"instruction": PROPOSED[reason], "raw_instances": f"Input: given {reason}\nOutput: answer {reason}"}
        for reason in ("forbidden_word", "too_similar")
    ]
    said[0]["instance_metadata"] = {"prompt": "Task: ...\nExample 1\n"}
    labels = {
        "instruction": "Explain why the tide comes twice a day.",
        "raw_instances": " yes\nInput: Does it?",
        "is_classification": True,
        "instance_metadata": {"prompt": "Task: Explain why ...\nClass label:"},
    }
    test_set = folder / "exam.txt"
    test_set.write_text(TEST_QUESTION + "\n")
    config = folder / "rules.toml"
    config.write_text(f'decontaminate = ["{test_set}"]\n[filters]\nascii_start = true\n')
    return [
        "--completions", written(folder / "completions.jsonl", completions),
        "--instances", written(folder / "instances.jsonl", [{**said[-3], "raw_instances": "Output: x"}, *said, labels]),
        "--classification", written(folder / "classes.jsonl", [
            {"instruction": text, "is_classification": answer}
            for text, answer in (("Repeat nothing of what I tell you now.", "No"), ("No such task at all.", "Yes"))
        ]),
        "--seeds", written(folder / "seeds.jsonl", seeds), "--config", config,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    """A run of recorded answers; and beside it one of a finished dataset. Both to be read only."""
    folder = tmp_path_factory.mktemp("recorded")
    result = run_cli("import", folder / "run", *recorded_files(folder))
    assert result.returncode == 0, result.stderr
    rows = [
        {"instruction": "Suggest a name for a small bakery.", "input": "<noinput>", "output": "Crumbs."},
        {"instruction": "Suggest a name for a small bakery.", "input": "by the sea", "output": "Sea Loaf."},
        {"instruction": "Suggest names.", "input": "", "output": "Ada, Bo"},
        {"instruction": "???", "input": "", "output": "What?"},
        {"instruction": "Explain how a lock lifts a boat.", "input": "", "output": ""},
    ]
    (folder / "alpaca.json").write_text(json.dumps(rows * 3))
    assert run_cli("import", folder / "alpaca", "--alpaca", folder / "alpaca.json").returncode == 0
    return folder


@pytest.mark.parametrize("name", ["run", "alpaca"])
def test_imported_runs_are_the_same_under_the_same_rules(recorded, tmp_path, name):
    judged_again(recorded / name, tmp_path / "new")
    assert same(recorded / name, tmp_path / "new")
    shutil.copytree(recorded / name, tmp_path / "copy")
    for folder in ("copy", "new"):
        grow_on(tmp_path / folder, 30)
    assert same(tmp_path / "copy", tmp_path / "new")
    judged_again(tmp_path / "copy", tmp_path / "again")
    assert same(tmp_path / "copy", tmp_path / "again")


def test_nothing_that_was_brought_in_is_read_differently(recorded, tmp_path):
    found = judged_again(recorded / "run", tmp_path / "new", "--rouge-threshold", 0.9)
    assert found["read_differently"] == 0
    assert counts(found, "tasks", "gained") == {"too_similar": 1}
    # The answer that no task had a use for is one's now.
    assert "answer too_similar" in (tmp_path / "new/records.jsonl").read_text()
    assert "answer too_similar" not in (recorded / "run/records.jsonl").read_text()


def test_every_filter_has_found_something(recorded):
    reasons = {reason for run in ("run", "alpaca") for (reason,) in query(recorded / run, REASONS)}
    assert reasons >= set(OPTIONAL) | {"no_words", "empty_output", "no_such_task", "answered_again", "refusal"}


REASONS = "SELECT reason FROM rejections"


@pytest.mark.parametrize("name", OPTIONAL)
def test_each_filter_can_be_switched_off_and_it_is_as_if_it_had_been_off(recorded, tmp_path, name):
    of_alpaca = name == "pseudo_empty_input"
    run = recorded / ("alpaca" if of_alpaca else "run")
    assert (name,) in query(run, REASONS)
    found = judged_again(run, tmp_path / "new", "--without", name)
    assert (name,) not in query(tmp_path / "new", REASONS)
    kind = "tasks" if name in PROPOSED else "records"
    assert found[kind]["gained"][name]["count"] >= 1
    assert found[kind]["gained"][name]["examples"]
    # The same files, brought in under these rules from the beginning.
    options = recorded_files(tmp_path)
    if of_alpaca:
        options = ["--alpaca", recorded / "alpaca.json", "--config", tmp_path / "rules.toml"]
        (tmp_path / "rules.toml").write_text("[filters]\n")
    with (tmp_path / "rules.toml").open("a") as file:
        file.write(f'without = ["{name}"]\n')
    assert run_cli("import", tmp_path / "anew", *options).returncode == 0
    assert [texts(tmp_path / "anew")] == [texts(tmp_path / "new")]
    columns = "SELECT subject, stage, reason, evidence FROM rejections WHERE reason != 'contaminated'"
    assert sorted(query(tmp_path / "anew", columns)) == sorted(query(tmp_path / "new", columns))


def test_switched_off_filters_add_up_and_a_profile_and_test_sets_are_laid_over(recorded, tmp_path):
    judged_again(recorded / "run", tmp_path / "one", "--without", "too_short")
    (tmp_path / "more.txt").write_text("Explain why the tide comes twice a day.\n")
    options = ["--without", "too_long", "--profile", "paper", "--decontaminate", tmp_path / "more.txt"]
    found = judged_again(tmp_path / "one", tmp_path / "two", *options)
    (tmp_path / "more.txt").unlink()  # its questions are in the store
    settings = tomllib.loads((tmp_path / "two/config.toml").read_text())
    assert settings["filters"]["without"] == ["too_long", "too_short"]
    assert settings["filters"]["ascii_tokens"]
    assert "video" not in settings["filters"]["forbidden_words"]
    assert [Path(name).name for name in settings["decontaminate"]] == ["exam.txt", "more.txt"]
    assert counts(found, "tasks", "lost") == {"contaminated": 1}
    assert counts(found, "tasks", "gained") == {"too_long": 1}
    # A config file says which filters are off.
    config = tmp_path / "c.toml"
    config.write_text("[filters]\nwithout = []\n")
    found = judged_again(tmp_path / "two", tmp_path / "three", "--config", config, "--without", "cut_off")
    assert counts(found, "tasks", "lost") == {"too_long": 1, "too_short": 1}
    assert tomllib.loads((tmp_path / "three/config.toml").read_text())["filters"]["without"] == ["cut_off"]
    grow_on(tmp_path / "three", 20)
    assert "no problems" in run_cli("verify", tmp_path / "three").stdout


# What people decided.


def test_decisions_come_along_but_those_about_what_is_lost(recorded, tmp_path):
    """A rescued task that the rules admit themselves is exported once."""
    run, new = tmp_path / "run", tmp_path / "new"
    shutil.copytree(recorded / "alpaca", run)
    ((rejected,),) = query(run, "SELECT id FROM candidates WHERE instruction = 'Suggest names.'")
    ((kept,),) = query(run, "SELECT id FROM instances WHERE task = 0 AND position = 1")
    with Database.beside(run) as db:
        decide(db, "ada", "rescue", [("candidate", rejected)])
        decide(db, "ada", "edit", [("instance", kept)], {"input": "in town", "output": "Town Loaf."})
        undo(db, "ada", decide(db, "ada", "ban", [("instance", kept)]))
    found = judged_again(run, new, "--without", "too_short")
    assert found["decisions_left_out"] == 0
    assert [text[1:4] for text in texts(new)].count(("Suggest names.", "", "Ada, Bo")) == 1
    assert "Town Loaf." in (new / "records.jsonl").read_text()
    assert len(query(new, "SELECT * FROM decisions")) == 4
    (tmp_path / "c.toml").write_text("[filters]\nmin_words = 8\n")
    options = ["--without", "too_short", "--rouge-threshold", 0]
    assert judged_again(run, tmp_path / "none", *options)["tasks"]["after"] <= 1
    found = judged_again(run, tmp_path / "long", "--config", tmp_path / "c.toml")
    assert found["tasks"]["after"] == 0
    assert found["decisions_left_out"] == 3
    assert [text[1:4] for text in texts(tmp_path / "long")] == [("Suggest names.", "", "Ada, Bo")] * 3
    assert "decisions" in run_cli("refilter", run, tmp_path / "again", "--config", tmp_path / "c.toml").stdout


# What may go wrong.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--without", "too_shrot"], "did you mean too_short?"),
        (["--without", "no_words"], "no_words cannot be switched off"),
        (["--without", "empty_output"], "empty_output cannot be switched off"),
        (["--without", "what"], "choose one of: cut_off"),
        (["--decontaminate", "nowhere.txt"], "nowhere.txt"),
        (["--config", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_a_mistake_leaves_nothing_behind(messy, tmp_path, options, message):
    assert message in fails("refilter", messy, tmp_path / "new", *options)
    assert list(tmp_path.iterdir()) == []


def test_only_the_rules_may_differ(messy, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text('seed = 6\nprompts = "mine"\n[filters]\nmin_words = 9\n[running]\nconcurrency = 3\n')
    message = fails("refilter", messy, tmp_path / "new", "--config", config)
    assert "seed: was 5, now 6" in message
    assert "prompts: was" in message
    assert "min_words" not in message
    config.write_text("[filters]\nmin_words = 9\n[running]\nconcurrency = 3\n")
    judged_again(messy, tmp_path / "new", "--config", config)
    assert tomllib.loads((tmp_path / "new/config.toml").read_text())["running"]["concurrency"] == 3
    # The run's own file, edited, does as well.
    config.write_text((messy / "config.toml").read_text().replace("max_words = 150", "max_words = 15"))
    found = judged_again(messy, tmp_path / "short", "--config", config)
    assert counts(found, "tasks", "lost")["too_long"] > 1


def test_a_folder_that_is_there_and_a_run_that_is_not(messy, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    assert "already exists" in fails("refilter", messy, tmp_path / "full")
    assert "already exists" in fails("refilter", messy, messy)
    assert "no run here" in fails("refilter", tmp_path / "nowhere", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
    (tmp_path / "empty").mkdir()
    judged_again(messy, tmp_path / "empty")
    judged_again(messy, tmp_path / "deep/down/new")


def test_what_a_killed_process_left_is_swept(messy, tmp_path):
    """Copies under names of their own pile up: ibis-project/ibis#6974, openfoodfacts/robotoff#1696, storj/core#167."""
    (tmp_path / ".new.unfinished/run").mkdir(parents=True)
    (tmp_path / ".new.unfinished/run/run.db").write_bytes(b"half of a run")
    judged_again(messy, tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    (tmp_path / "elsewhere/run").mkdir(parents=True)
    (tmp_path / ".other.unfinished").symlink_to(tmp_path / "elsewhere")
    assert "is a symlink" in fails("refilter", messy, tmp_path / "other")
    assert (tmp_path / "elsewhere/run").exists()


async def test_ctrl_c_leaves_nothing_behind(messy, tmp_path):
    working = asyncio.create_task(refilter(messy, tmp_path / "new", None, {}))
    await asyncio.sleep(0)
    assert [path.name.startswith(".new.") for path in tmp_path.iterdir()] == [True]
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert list(tmp_path.iterdir()) == []


def test_answers_that_are_read_differently_are_counted_and_judged_as_they_are_read(messy, tmp_path):
    """As by other parsers: the words that they read are others now."""
    run = tmp_path / "run"
    shutil.copytree(messy, run)
    with closing(sqlite3.connect(run / "run.db")) as db, db:
        ((proposal, one),) = db.execute(
            "SELECT c.request_id, c.step FROM candidates c JOIN tasks t ON t.id = c.id ORDER BY t.position LIMIT 1"
        )
        ((instance,),) = db.execute(
            "SELECT i.request_id FROM instances i JOIN tasks t ON t.position = i.task JOIN candidates c ON c.id = t.id "
            "WHERE c.step > ? LIMIT 1",
            (one,),
        )
        text = "1. Explain to a child why ice floats on water.\n2. Name three rivers that cross a border."
        db.execute("UPDATE completions SET text = ? WHERE request_id = ?", (text, proposal))
        db.execute("UPDATE completions SET text = 'Input: a\nOutput: b' WHERE request_id = ?", (instance,))
        db.create_function("row_hash", -1, row_hash)  # what changes is the reading, so the hash must fit
        db.execute(f"UPDATE completions SET hash = row_hash('completions', {HASHED['completions']})")
    found = judged_again(run, tmp_path / "new")
    assert found["read_differently"] == 2
    assert counts(found, "tasks", "lost")["read_differently"] >= 1
    assert counts(found, "tasks", "gained")["read_differently"] == 2
    assert counts(found, "records", "lost")["read_differently"] >= 1
    assert found["waiting"] == 2, "a third one is gained that says the same as a lost one, and has its answers"
    assert "Explain to a child why ice floats" in run_cli("tasks", tmp_path / "new").stdout


def test_a_run_that_is_being_written_is_only_read(tmp_path):
    config, run, new = tmp_path / "c.toml", tmp_path / "run", tmp_path / "new"
    config.write_text("seed = 4\n[running]\nconcurrency = 4\n")
    n_tasks = "SELECT count(*) FROM tasks"
    with loopback() as server:
        teacher = ["--model", "simulated", "--base-url", server.url, "--config", str(config)]
        server.hold()
        command = [*COMMAND, "generate", str(run), "--target", "100000", *teacher]
        with working(command) as process:
            while not (Store.exists(run) and query(run, "SELECT count(*) FROM instances")[0][0]):
                server.hold(after=10)
                wait_until(lambda: server.held, process)
            server.hold(after=30)  # while it is judged again
            result = run_cli("refilter", run, new)
            assert result.returncode == 0, result.stderr
            assert "another process is working" in fails("generate", run, "--target", 60)
            while query(run, n_tasks) == query(new, n_tasks):
                server.hold(after=10)
                wait_until(lambda: server.held, process)
            process.send_signal(signal.SIGINT)
            server.release()
            assert process.wait(HANG_S) == 130
        assert "no problems" in run_cli("verify", new).stdout
        ((after,),) = query(run, n_tasks)
        for folder in (run, new):
            grow_on(folder, after + 1)
        assert same(run, new)
        alone = tmp_path / "alone"
        assert run_cli("generate", alone, "--target", after + 1, *teacher).returncode == 0
    assert same(alone, run)
