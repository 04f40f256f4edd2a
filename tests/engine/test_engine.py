"""The ordered gate: the same data whatever the timing, paid once, nothing in vain."""

import asyncio
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from selfinstruct.config.config import parse_config
from selfinstruct.engine.engine import Engine, window_at
from selfinstruct.engine.gate import Gate
from selfinstruct.errors import RequestRefused, TeacherError, YieldCollapsed
from selfinstruct.export.export import write_records
from selfinstruct.filters.verdicts import verdict_on
from selfinstruct.pool.pool import Pool
from selfinstruct.records import Candidate, Request, Task
from selfinstruct.report.status import progress_of, status
from selfinstruct.runs.run import Run, open_run
from selfinstruct.simulated.world.tasks import compose, make_instance, recognise
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from selfinstruct.strategies.self_instruct import SelfInstruct
from selfinstruct.teachers.scheduler import Scheduler
from selfinstruct.testing import AnswerTo, ScriptedTeacher
from tests.virtual_time import on_virtual_time


def after(delay: Callable[[Request], float], answers: Callable[[Request], str]) -> AnswerTo:
    """The answers, each after the seconds that `delay` gives for its request."""

    async def answer(request: Request) -> str:
        await asyncio.sleep(delay(request))
        return answers(request)

    return answer


def scripted(answers: AnswerTo) -> ScriptedTeacher:
    """A teacher that answers every request by a function of it."""
    teacher = ScriptedTeacher()
    teacher.enqueue(answers, repeat=True)
    return teacher


def simulated(request: Request) -> str:
    """What a good teacher would say, by the grammar of the simulated one."""
    rng = random.Random(request.id)
    if request.stage == "propose":
        return "\n".join(f"{9 + i}. {compose(rng)}" for i in range(8))
    instruction = request.user.split("\n")[0].removeprefix("Task: ")
    task = recognise(instruction)
    if request.stage == "classify":
        return "Yes" if task.is_classification else "No"
    pairs = [make_instance(task, rng) for _ in range(2)]
    if task.is_classification:
        return "\n\n".join(f"Class label: {output}\nInput: {given}" for given, output in pairs)
    return "\n\n".join(f"Example {i}\nInput: {g}\nOutput: {o}" for i, (g, o) in enumerate(pairs, 1))


def engine_of(run: Run, teacher) -> Engine:
    """The engine of an opened run, with one teacher for all stages."""
    running = run.config.running
    scheduler = Scheduler(running.concurrency, running.attempts, run.store.add_fault)
    gate = Gate(run.store, run.config, progress_of(run.store))
    return Engine(
        gate,
        run.prompts,
        {(stage, run.config.stage(stage).teacher.model): (teacher,) for stage in run.config.stages},
        scheduler,
    )


async def grow(folder: Path, target: int, teacher, **settings) -> Store:
    """Grow a run with a scripted teacher for all stages, and give its store, still open."""
    run = open_run(folder, None, settings, None)
    engine = engine_of(run, teacher)
    try:
        assert await engine.run(target)
    except BaseException:
        run.store.close()
        raise
    write_records(run.store)
    return run.store


def noisy(seed: int):
    """Delays of a few milliseconds that differ from run to run of the test, not only from request to request."""
    rng = random.Random(seed)
    return lambda request: rng.lognormvariate(-6.5, 1.0)


@on_virtual_time
async def test_same_bytes_at_any_concurrency(tmp_path):
    files = []
    for concurrency in (1, 8, 128):
        teacher = scripted(after(noisy(concurrency), simulated))
        folder = tmp_path / str(concurrency)
        with await grow(folder, 60, teacher, seed=7, running={"concurrency": concurrency}) as store:
            assert verify(store) == []
        files.append((folder / "records.jsonl").read_bytes())
    assert files[0] == files[1] == files[2]
    assert files[0].count(b"\n") > 60


async def test_another_seed_gives_other_data(tmp_path):
    for seed in (1, 2):
        (await grow(tmp_path / str(seed), 20, scripted(simulated), seed=seed)).close()
    assert (tmp_path / "1/records.jsonl").read_bytes() != (tmp_path / "2/records.jsonl").read_bytes()


async def test_admitting_in_the_order_of_arrival_would_not_be_deterministic(tmp_path):
    """The very completions of one run, admitted as they arrived under other timings, give other pools.

    Each proposal rewords what its neighbours propose, so that who comes first is admitted.
    """

    def similar(request: Request) -> str:
        if request.stage != "propose":
            return simulated(request)
        step_rng = random.Random(request.id)
        shared = random.Random(step_rng.randrange(6))
        return "\n".join(
            f"{9 + i}. {compose(shared)[:-1]}, signed by {step_rng.choice(['Ada', 'Bo', 'Cy'])}." for i in range(8)
        )

    with await grow(tmp_path / "run", 40, scripted(similar), seed=3, window=16) as store:
        by_step: dict[int, list[str]] = {}
        for step, instruction in store.query("SELECT step, instruction FROM candidates ORDER BY step, position"):
            by_step.setdefault(step, []).append(instruction)
        admitted = [task.instruction for task in store.tasks()]
        seeds, rules = store.seeds(), parse_config({}, "defaults").filters

    def admit(order: list[int]) -> list[str]:
        pool = Pool(seeds, rules)
        for step in order:
            for place, instruction in enumerate(by_step[step]):
                candidate = Candidate(f"request {step}", place, instruction)
                if len(pool.tasks) < len(admitted) and verdict_on(candidate, pool)[0] is None:
                    pool.admit(Task.admitted(len(pool.tasks), candidate, step))
        return [task.instruction for task in pool.tasks]

    in_order = sorted(by_step)
    assert admit(in_order) == admitted
    arrivals = [random.Random(seed).sample(in_order, len(in_order)) for seed in range(5)]
    assert all(admit(arrival) != admitted for arrival in arrivals)
    assert any(set(admit(arrival)) != set(admitted) for arrival in arrivals), "not even the same tasks in another order"


@on_virtual_time
async def test_a_run_that_grows_ends_like_a_run_asked_for_at_once(tmp_path):
    teacher = scripted(after(noisy(1), simulated))
    for target in (13, 14, 40, 90):
        (await grow(tmp_path / "grown", target, teacher, seed=5)).close()
    assert len({request.id for request in teacher.requests}) == len(teacher.requests), "something was asked for twice"
    with await grow(tmp_path / "at_once", 90, scripted(simulated), seed=5) as store:
        assert verify(store) == []
    grown, at_once = (tmp_path / name / "records.jsonl" for name in ("grown", "at_once"))
    assert grown.read_bytes() == at_once.read_bytes()


async def test_every_candidate_is_accounted_for(tmp_path):
    with await grow(tmp_path / "run", 50, scripted(simulated)) as store:
        found = status(store)
    rejected = sum(n for stage, _, n in found.rejected if stage in ("filter", "novelty"))
    assert found.tasks == 50
    assert found.tasks + rejected + found.pending == found.candidates


@on_virtual_time
async def test_hardly_a_proposal_is_paid_for_in_vain(tmp_path):
    teacher = scripted(after(noisy(2), simulated))
    with await grow(tmp_path / "run", 600, teacher, running={"concurrency": 256}) as store:
        found = status(store)
    sent = sum(request.stage == "propose" for request in teacher.requests)
    assert found.unused_proposals <= 0.03 * sent
    assert sent >= 600 / 8


async def test_early_steps_do_not_all_look_at_an_empty_pool(tmp_path):
    """A wide window from the start would show seeds only, all run long."""
    teacher = scripted(simulated)
    with await grow(tmp_path / "run", 60, teacher, window=64, running={"concurrency": 256}) as store:
        generated = {task.instruction for task in store.tasks()}
    proposals = [request.user for request in teacher.requests if request.stage == "propose"]
    with_generated = [user for user in proposals if any(instruction in user for instruction in generated)]
    assert len(with_generated) >= len(proposals) - 3


def test_window_ramps_up_and_stays():
    assert [window_at(step, 4) for step in range(9)] == [1, 1, 2, 2, 3, 3, 4, 4, 4]
    seen = [step - window_at(step, 64) for step in range(500)]
    assert seen == sorted(seen), "a later step may not see less than an earlier one"
    assert all(s < step for step, s in enumerate(seen))


async def test_run_whose_yield_collapses_stops_and_says_why(tmp_path):
    teacher = scripted(lambda request: "\n".join(f"{n}. Summarise the text in one line." for n in range(9, 17)))
    with pytest.raises(YieldCollapsed) as caught:
        await grow(tmp_path / "run", 500, teacher, running={"collapse_after": 100})
    assert "too_similar" in str(caught.value)
    assert "selfinstruct rejected" in str(caught.value)
    with Store.read(tmp_path / "run") as store:
        assert verify(store) == []
        assert len(store.tasks()) <= 2
        assert status(store).candidates < 400


@on_virtual_time
async def test_run_whose_yield_collapses_still_makes_what_it_admitted(tmp_path):
    def repeating(request: Request) -> str:
        return simulated(request) if request.stage != "propose" else simulated_once(request)

    first = random.Random(1)
    tasks = "\n".join(f"{9 + i}. {compose(first)}" for i in range(8))

    def simulated_once(request: Request) -> str:
        return tasks

    teacher = scripted(after(lambda request: 0.0 if request.stage == "propose" else 0.02, repeating))
    with pytest.raises(YieldCollapsed):
        await grow(tmp_path / "run", 500, teacher, running={"collapse_after": 40})
    with Store.read(tmp_path / "run") as store:
        found = status(store)
        assert found.generated == found.tasks == 8
        assert found.without_records == 0


async def test_what_is_remembered_of_the_yield_survives_a_resume(tmp_path):
    def half(request: Request) -> str:
        return (
            simulated(request) + "\n17. Too short.\n18. Draw a house."
            if request.stage == "propose"
            else simulated(request)
        )

    after: list[bool] = []
    for target in (20, 21, 50):
        run = open_run(tmp_path / "run", None, {}, None)
        engine = engine_of(run, scripted(half))
        before = list(engine.gate._recent)
        if target > 20:
            assert before == after
        assert await engine.run(target)
        after = list(engine.gate._recent)
        run.store.close()


async def test_garbage_is_rejected_with_its_text_kept(tmp_path):
    teacher = scripted(lambda request: "blergh " + request.id)
    with pytest.raises(YieldCollapsed):
        await grow(tmp_path / "run", 5, teacher, running={"collapse_after": 80})
    with Store.read(tmp_path / "run") as store:
        rows = store.query("SELECT reason, text FROM rejected WHERE subject = 'completion'")
    assert len(rows) == 10, "a list that cannot be read counts for the eight tasks that were asked for"
    assert {reason for reason, _ in rows} == {"no_list"}
    assert all(text.startswith("blergh ") for _, text in rows)


async def test_refused_request_is_a_row_and_the_run_goes_on(tmp_path):
    def refusing(request: Request) -> str:
        if request.stage == "instances" and request.id < "3":
            raise RequestRefused("context_too_long", "8,000 tokens are too many")
        return simulated(request)

    with await grow(tmp_path / "run", 40, scripted(refusing)) as store:
        assert verify(store) == []
        rows = store.query("SELECT evidence FROM rejections WHERE reason = 'no_answer' AND stage = 'instances'")
        assert status(store).generated == 40
    assert rows
    assert "context_too_long" in json.loads(rows[0][0])["error"]


async def test_fatal_error_stops_the_run_keeps_what_was_in_flight_and_goes_on_later(tmp_path):
    first = ScriptedTeacher()
    answer = after(noisy(3), simulated)
    for _ in range(30):
        first.enqueue(answer)
    first.enqueue(TeacherError("the key has expired"), repeat=True)
    with pytest.raises(TeacherError, match="expired"):
        await grow(tmp_path / "run", 30, first, seed=1)
    with Store.read(tmp_path / "run") as store:
        assert status(store).usage
        assert sum(u.requests for u in status(store).usage) == 30, "an answer in flight was lost"
    second = scripted(simulated)
    (await grow(tmp_path / "run", 30, second, seed=1)).close()
    assert not {r.id for r in first.requests[:30]} & {r.id for r in second.requests}
    (await grow(tmp_path / "whole", 30, scripted(simulated), seed=1)).close()
    assert (tmp_path / "run/records.jsonl").read_bytes() == (tmp_path / "whole/records.jsonl").read_bytes()


@on_virtual_time
async def test_stop_lets_calls_in_flight_end_and_sends_no_more(tmp_path):
    run = open_run(tmp_path / "run", None, {"running": {"concurrency": 4}}, None)

    def delay(request: Request) -> float:
        if len(teacher.requests) == 20:
            engine.stop()
        return 0.001

    teacher = scripted(after(delay, simulated))
    engine = engine_of(run, teacher)
    finished = await engine.run(500)
    with run.store as store:
        stored = store.query("SELECT count(*) FROM completions")[0][0]
    assert finished is False
    assert stored == len(teacher.requests) == 20


async def test_calls_go_out_before_all_that_was_left_unmade_is_composed(tmp_path):
    store = await grow(tmp_path / "run", 80, scripted(simulated))
    with store, store.transaction():
        store.db.execute("DELETE FROM rejections WHERE subject = 'instance' OR stage IN ('classify', 'instances')")
        store.db.execute("DELETE FROM instances")
        store.db.execute("UPDATE tasks SET generated = 0, extra = NULL")
        store.db.execute(
            "DELETE FROM completions WHERE request_id IN (SELECT id FROM requests WHERE stage != 'propose')"
        )
        store.db.execute("DELETE FROM requests WHERE stage IN ('classify', 'instances')")
    started = []

    class Counting(SelfInstruct):
        async def generate_instances(self, task, ask):
            started.append(task.position)
            return await super().generate_instances(task, ask)

    run = open_run(tmp_path / "run", None, {}, None)
    at_answer: list[int] = []

    def answer(request: Request) -> str:
        at_answer.append(len(started))
        return simulated(request)

    engine = engine_of(run, scripted(answer))
    engine.strategy = Counting(run.config)
    with run.store:
        assert await engine.run(80)
    assert len(started) == 80
    assert at_answer[0] < 60


async def test_a_stage_may_have_a_model_of_its_own(tmp_path):
    teacher = scripted(simulated)
    settings = {"instances": {"model": "simulated-strong", "sampling": {"temperature": 0.3}}}
    (await grow(tmp_path / "run", 5, teacher, **settings)).close()
    models = {request.stage: request.model for request in teacher.requests}
    assert models == {"propose": "simulated", "classify": "simulated", "instances": "simulated-strong"}
    sampling = [request.sampling for request in teacher.requests if request.stage == "instances"]
    assert all(s["temperature"] == 0.3 and s["max_tokens"] > 0 for s in sampling)  # the limit stays the default one


async def test_equal_requests_at_the_same_time_are_sent_once(tmp_path):
    run = open_run(tmp_path / "run", None, {}, None)
    teacher = scripted(after(lambda request: 0.01, lambda request: "Yes"))
    engine = engine_of(run, teacher)
    request = Request("classify", "simulated", "simulated", "chat", "", "Task: Name a tree.", {})
    answers = await asyncio.gather(*(engine.answers.to(request) for _ in range(5)))
    run.store.close()
    assert len(teacher.requests) == 1
    assert {answer.text for answer in answers} == {"Yes"}


async def test_two_tasks_of_the_same_words_share_answers_and_the_copies_are_rejected(tmp_path):
    """At a threshold of 1 nothing is too similar, so the same instruction may come twice; its records may not."""

    teacher = ScriptedTeacher()
    teacher.enqueue("9. Name one river in Europe.", stage="propose", repeat=True)
    teacher.enqueue("Example 1\nOutput: The Elbe.", repeat=True)
    with await grow(tmp_path / "run", 3, teacher, filters={"rouge_threshold": 1.0}) as store:
        assert verify(store) == []
        (record,) = store.records()
        assert (record.task, record.output) == (0, "The Elbe.")
        copies = store.query("SELECT task, reason, evidence FROM rejected WHERE subject = 'instance' ORDER BY 1")
    evidence = {"jaccard": 1.0, "nearest_id": record.id}
    assert [(task, reason, json.loads(found)) for task, reason, found in copies] == [
        (1, "near_duplicate", evidence), (2, "near_duplicate", evidence),
    ]  # fmt: skip
    assert sum(request.stage == "instances" for request in teacher.requests) == 1
