"""The strategy alpaca: whole tasks in one request, in JSON, in text and from base models; and no other question."""

import json
import random

import pytest

from selfinstruct.asking.prompts import shipped
from selfinstruct.config.config import parse_config
from selfinstruct.engine.requests import Requests
from selfinstruct.export.export import export
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.pool.pool import Pool, Snapshot
from selfinstruct.records import Candidate, Completion, Instance, Rejection, Task
from selfinstruct.report.status import render, status
from selfinstruct.rows.seeds import read_seeds
from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from selfinstruct.strategies import GeneratedInstances, Proposal
from selfinstruct.strategies.alpaca import Alpaca, came_with, read_whole_tasks
from selfinstruct.testing import ScriptedTeacher
from tests.conftest import json_lines, run_cli, shipped_prompts

WAYS = {
    "JSON": {"teacher": {"answer_format": "json"}},
    "text": {"teacher": {"answer_format": "text"}},
    "completion": {"teacher": {"endpoint": "completion"}},
}


async def grow(folder, target, **settings):
    """Grow a run with this strategy and the simulated teacher, and give its store, open for reading."""
    run = open_run(folder, None, {"strategy": "alpaca", **settings}, None)
    with run.store as store:
        assert await generate(run, target)
        assert verify(store) == []
        assert [len(store.tasks()), status(store).generated] == [target, target]
    return Store.read(folder)


def texts(store, stage="propose"):
    return [user for (user,) in store.query("SELECT user FROM requests WHERE stage = ?", (stage,))]


@pytest.mark.parametrize("way", WAYS)
async def test_a_run_reaches_its_target_with_right_answers_only(tmp_path, way):
    with await grow(tmp_path / "run", 70, **WAYS[way]) as store:
        found = status(store)
        records = list(store.records())
        n_requests = dict(store.query("SELECT stage, count(*) FROM requests GROUP BY stage"))
        candidates = store.query("SELECT count(*), sum(instances IS NOT NULL) FROM candidates")[0]
    assert found.grades["right"] >= 60
    assert found.grades["wrong"] == 0
    assert set(n_requests) == {"propose"}
    # Twenty tasks a request; as a base model the simulated teacher stops after about eight.
    assert n_requests["propose"] <= (12 if way == "completion" else 6)
    assert candidates[0] == candidates[1], "each candidate comes with its instance"
    assert {record.is_classification for record in records} == {None}
    assert len({record.task for record in records}) == len(records), "one instance a task"
    assert any(record.input for record in records)
    assert any(not record.input for record in records)
    assert not [record for record in records if "noinput" in record.input.lower()]
    assert [record["is_classification"] for record in json_lines((tmp_path / "run/records.jsonl").read_text())] == [
        None
    ] * len(records)


@pytest.mark.parametrize("way", WAYS)
async def test_seeds_only_are_shown(tmp_path, way):
    with await grow(tmp_path / "run", 60, **WAYS[way], seed_demonstrations=2) as store:
        seeds = {" ".join(seed.instruction.split()): seed for seed in store.seeds()}
        for user in texts(store):
            shown = [line.split("Instruction: ")[1] for line in user.splitlines() if ". Instruction: " in line]
            assert len(set(shown)) == 2
            assert set(shown) <= set(seeds)
            assert all(seeds[instruction].instances[0].output.strip() in user for instruction in shown)
        assert len(set(texts(store))) == len(texts(store)) >= 3


async def test_the_data_do_not_depend_on_concurrency_or_on_when_the_run_grew(tmp_path):
    for name, targets, concurrency in (("one", [45], 1), ("many", [45], 32), ("grown", [7, 8, 26, 45], 4)):
        for target in targets:
            (await grow(tmp_path / name, target, seed=3, running={"concurrency": concurrency})).close()
    one, many, grown = ((tmp_path / name / "records.jsonl").read_bytes() for name in ("one", "many", "grown"))
    assert one == many == grown
    assert one.count(b"\n") >= 40


async def test_pending_candidates_keep_their_instances(tmp_path):
    with await grow(tmp_path / "run", 5) as store:
        pending = store.pending()
        answers = store.query("SELECT text FROM completions JOIN requests ON id = request_id WHERE stage = 'propose'")
    said = [task for (text,) in answers for task in json.loads(text)["tasks"]]
    assert len(pending) >= 10
    assert all(len(candidate.instances) == 1 for candidate in pending)
    for candidate in pending:
        (instance,) = candidate.instances
        assert {"instruction": candidate.instruction, "input": instance.input, "output": instance.output} in said
    with await grow(tmp_path / "run", 5 + len(pending) // 2) as store:
        tasks = {task.instruction: task for task in store.tasks()}
        went_on = [candidate for candidate in pending if candidate.instruction in tasks]
        assert len(went_on) >= 5
        for candidate in went_on:
            task = tasks[candidate.instruction]
            assert (task.instances, task.request_id, task.id) == (
                candidate.instances, candidate.request_id, candidate.id,
            )  # fmt: skip
        assert store.query("SELECT count(*) FROM requests WHERE stage = 'propose'") == [(1,)], "asked again"


@pytest.mark.parametrize("way", ["JSON", "text"])
async def test_what_was_cut_off_loses_its_last_block_only(tmp_path, way):
    simulated = {"malformed_share": 1.0, "malformed_kinds": ["cut_off"], "repeat_share": 0.0, "forbidden_share": 0.0}
    with await grow(tmp_path / "run", 40, **WAYS[way], simulated=simulated) as store:
        per_request = store.query(
            "SELECT count(*), sum(cut), max(place * cut), max(place) FROM candidates GROUP BY request_id"
        )
        assert per_request
        for n, n_cut, place_of_cut, last in per_request:
            assert n in (19, 20)
            assert n_cut == 1
            assert place_of_cut == last
        rejected = store.query("SELECT reason, c.cut FROM rejections JOIN candidates c ON c.id = subject_id")
        assert {reason for reason, cut in rejected if cut} == {"cut_off"}
        assert status(store).grades["wrong"] == 0
        assert not store.query("SELECT 1 FROM rejections WHERE reason IN ('empty_output', 'merged_tasks')")


@pytest.mark.parametrize(
    "kind", ["skipped_numbers", "repeated_numbers", "restarted_numbers", "no_separator", "bold_fields",
             "heading_fields", "numbered_once", "preamble", "sign_off", "code_fence"],
)  # fmt: skip
async def test_a_malformed_answer_loses_nothing(tmp_path, kind):
    simulated = {"malformed_share": 1.0, "malformed_kinds": [kind], "repeat_share": 0.0, "forbidden_share": 0.0}
    with await grow(tmp_path / "run", 15, **WAYS["text"], simulated=simulated) as store:
        assert {n for (n,) in store.query("SELECT count(*) FROM candidates GROUP BY request_id")} == {20}
        # What the rules turn away is like a task or a record before it, and nothing else.
        reasons = {reason for (reason,) in store.query("SELECT DISTINCT reason FROM rejections")}
        assert reasons <= {"too_similar", "near_duplicate"}
        assert status(store).grades["wrong"] == 0


async def test_nothing_is_said_of_classes_that_were_not_asked_for(tmp_path):
    with await grow(tmp_path / "run", 5) as store:
        assert "class      not requested" in render(status(store), "run")
        _, n = export(store, "self-instruct", tmp_path / "out.jsonl")
    rows = json_lines((tmp_path / "out.jsonl").read_text())
    assert n == len(rows) == 5
    assert [row["is_classification"] for row in rows] == [False] * 5
    assert all(len(row["instances"]) == 1 for row in rows)


def test_on_the_command_line(cli, tmp_path):
    cli("generate", tmp_path / "run", "--target", 30, "--strategy", "alpaca", "--seed", 1)
    figures = json.loads(cli("status", tmp_path / "run", "--json").stdout)
    assert figures["tasks"] == figures["generated"] == 30
    assert {usage["stage"] for usage in figures["usage"]} == {"probe", "propose"}
    assert "class      not requested" in cli("status", tmp_path / "run").stdout
    rows = json_lines(cli("tasks", tmp_path / "run", "--json").stdout)
    assert [row["is_classification"] for row in rows] == [None] * 30
    cli("tasks", tmp_path / "run")
    cli("verify", tmp_path / "run")
    for form in ("alpaca", "self-instruct", "messages", "parquet"):
        cli("export", tmp_path / "run", "--format", form, "--output", tmp_path / form)
    assert "SIMULATED" in cli("generate", tmp_path / "run", "--target", 35).stdout
    cli("generate", tmp_path / "again", "--target", 35, "--config", tmp_path / "run/config.toml")
    assert (tmp_path / "run/records.jsonl").read_bytes() == (tmp_path / "again/records.jsonl").read_bytes()
    other = run_cli("generate", tmp_path / "run", "--target", 40, "--strategy", "self-instruct")
    assert other.returncode == 2
    assert "strategy was 'alpaca', now 'self-instruct'" in other.stderr


def test_the_published_numbers_are_the_defaults_and_can_be_changed():
    config = parse_config({"strategy": "alpaca"}, "test")
    assert (config.seed_demonstrations, config.generated_demonstrations, config.proposals_per_request) == (3, 0, 20)
    assert config.stages == ("propose",)
    assert config.stage("propose").sampling == {"temperature": 1.0, "max_tokens": 3072}
    base = parse_config({"strategy": "alpaca", "teacher": {"endpoint": "completion"}}, "test").stage("propose")
    assert base.sampling == {"temperature": 1.0, "top_p": 1.0, "max_tokens": 3072, "stop": ["\n24."]}
    config = parse_config({"strategy": "alpaca", "seed_demonstrations": 5, "proposals_per_request": 10}, "test")
    assert (config.seed_demonstrations, config.generated_demonstrations, config.proposals_per_request) == (5, 0, 10)


# One request.


def saying(answer):
    """A teacher that gives this answer to one request."""
    teacher = ScriptedTeacher()
    teacher.enqueue(answer)
    return teacher


async def proposed(teacher, /, **settings):
    config = parse_config({"strategy": "alpaca", **settings}, "test")
    endpoint = config.stage("propose").teacher.endpoint
    requests = Requests(config, shipped_prompts("alpaca", endpoint))
    pool = Pool(read_seeds(shipped("seeds") / "seeds.jsonl"), config.filters)
    pool.admit(Task(0, "t0", "Name a tree of the north.", 0, "r0", (Instance("", "The birch."),)))
    return await Alpaca(config).propose(Snapshot(pool, 1), random.Random(1), requests.asking(teacher.complete))


BLOCKS = (
    "4. Instruction: Add the numbers.\n4. Input:\n3 + 4\n4. Output:\n7\n###\n"
    "5. Instruction: Name a lake.\n5. Input:\n<noinput>\n5. Output:\nLake Baikal."
)


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (BLOCKS, {}),
        (BLOCKS.removeprefix("4. Instruction:"), {"teacher": {"endpoint": "completion"}}),
        (json.dumps({"tasks": [{"instruction": "Add the numbers.", "input": "3 + 4", "output": "7"},
                               {"instruction": "Name a lake.", "input": "", "output": "Lake Baikal."}]}),
         {"teacher": {"answer_format": "json"}}),
    ],
    ids=["text", "completion", "JSON"],
)  # fmt: skip
async def test_an_answer_becomes_candidates_with_their_instances(text, settings):
    teacher = saying(text)
    proposal = await proposed(teacher, **settings)
    (request,) = teacher.requests
    assert proposal == Proposal(
        [
            Candidate(request.id, 0, "Add the numbers.", False, (Instance("3 + 4", "7"),)),
            Candidate(request.id, 1, "Name a lake.", False, (Instance("", "Lake Baikal."),)),
        ],
        [],
    )
    assert "Name a tree" not in request.user
    assert ("response_format" in request.sampling) == (text[0] == "{")


@pytest.mark.parametrize(
    ("text", "error", "reason", "evidence"),
    [
        ("", None, "empty_answer", {"finish_reason": "stop"}),
        ("", "http_400: no", "no_answer", {"error": "http_400: no"}),
        ("I'm sorry, but I can't help with that.", None, "refusal", {}),
        ("It is late.", None, "no_list", {}),
        ("[]", None, "no_list", {}),
        ('{"tasks": [{"input": "3 + 4"}]}', None, "no_list", {}),
    ],
)
async def test_what_cannot_be_read_is_kept_with_the_reason(text, error, reason, evidence):
    teacher = saying(Completion("", text, "stop", error=error))
    proposal = await proposed(teacher)
    assert proposal == Proposal([], [(teacher.requests[0].id, Rejection(reason, evidence))])


def test_the_last_task_of_a_cut_answer_is_marked():
    proposal = read_whole_tasks(Completion("r1", BLOCKS, "length"), "")
    assert [(candidate.position, candidate.cut) for candidate in proposal.candidates] == [(0, False), (1, True)]


def test_a_task_comes_with_its_instances():
    task = Task(3, "t3", "Add the numbers.", 0, "r1", (Instance("3 + 4", "7"), Instance("1 + 1", "2")))
    assert came_with(task) == GeneratedInstances(
        "r1", [ParsedInstance("3 + 4", "7", False), ParsedInstance("1 + 1", "2", False)]
    )
