"""The scripted teacher of selfinstruct.testing: which answer a request gets, and what stands where there is none."""

import asyncio
import json
import re
import textwrap
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import selfinstruct as si
from selfinstruct import testing
from selfinstruct.errors import TeacherError, TryAgain
from selfinstruct.records import Completion, Request
from selfinstruct.store.verify import verify
from selfinstruct.teachers.kinds import Session
from selfinstruct.teachers.settings import RunningSettings, TeacherSettings
from selfinstruct.testing import ScriptedTeacher
from tests.engine.test_engine import after, grow, noisy, simulated
from tests.virtual_time import on_virtual_time


def request(user="Name a river.", stage="classify"):
    return Request(stage, "scripted", "m", "chat", "Be brief.", user, {})


async def texts(teacher, *requests):
    return [(await teacher.complete(one)).text for one in requests]


async def test_answers_are_given_in_their_order_by_stage():
    teacher = ScriptedTeacher()
    teacher.enqueue("any")
    for text in ("Yes", "No"):
        teacher.enqueue(text, stage="classify")
    teacher.enqueue("1. Name a lake.", stage="propose")
    asked = [request(), request(stage="propose"), request(), request(stage="instances")]
    assert await texts(teacher, *asked) == ["Yes", "1. Name a lake.", "No", "any"]
    assert teacher.requests == asked


async def test_what_names_a_text_goes_first_and_what_is_repeated_last():
    teacher = ScriptedTeacher()
    teacher.enqueue("other", stage="classify", repeat=True)
    teacher.enqueue("once", stage="classify")
    teacher.enqueue("river", containing="river", repeat=True)
    rivers, lake = [request(), request()], request("Name a lake.")
    assert await texts(teacher, *rivers, lake, lake, lake) == ["river", "river", "once", "other", "other"]


async def test_what_an_answer_may_be():
    async def later(one):
        await asyncio.sleep(0)
        return Completion("", f"to {one.user}", "stop", logprobs=(-0.5,))

    teacher = ScriptedTeacher()
    teacher.enqueue("1. Name", finish_reason="length", prompt_tokens=7, completion_tokens=3)
    teacher.enqueue(later)
    teacher.enqueue(TryAgain("http_503", "overloaded"))
    teacher.enqueue(lambda one: TryAgain("http_500", one.stage))
    one = request()
    assert await teacher.complete(one) == Completion(one.id, "1. Name", "length", 7, 3)
    assert await teacher.complete(one) == Completion(one.id, "to Name a river.", "stop", logprobs=(-0.5,))
    for reason in ("http_503", "http_500"):
        with pytest.raises(TryAgain, match=reason):
            await teacher.complete(one)
    assert len(teacher.requests) == 4


async def test_where_no_answer_is_left_the_end_of_the_request_is_shown_and_what_is_left():
    teacher = ScriptedTeacher()
    teacher.enqueue("Yes", stage="classify")
    for _ in range(2):
        teacher.enqueue("1. Name a lake.", stage="propose")
    teacher.enqueue("Yes", containing="lake")
    await teacher.complete(request())
    with pytest.raises(TeacherError) as error:
        await teacher.complete(request("Name a hill."))
    assert str(error.value) == (
        "The script has no answer left for classify request 2. Remaining answers: stage propose (2); "
        "any stage, containing 'lake' (1). Its prompt ends with:\nName a hill."
    )
    with pytest.raises(TeacherError) as error:
        await teacher.complete(request("many examples, " * 99 + "Name a hill."))
    assert str(error.value).endswith("ends with:\n..." + ("many examples, " * 99 + "Name a hill.")[-200:])


async def test_as_a_kind_of_teacher_it_opens_itself_at_the_pace_of_the_settings():
    teacher = ScriptedTeacher()
    async with AsyncExitStack() as stack:
        session = Session(RunningSettings(deadline_s=3.0))
        assert await teacher.open(TeacherSettings(), "", session, stack) is teacher
    assert teacher.pace.deadline_s == 3.0
    assert teacher.default_model


TASKS = ("Name one river in Europe.", "List three uses of old jars.", "Say whether the review is kind or harsh.")


def script(concurrency):
    """Three tasks in two lists, the first of which is only half read; then lists that bring nothing new."""
    teacher = ScriptedTeacher()
    delay = noisy(concurrency)
    teacher.enqueue(after(delay, lambda one: f"9. {TASKS[0]}\n10. Too short."), stage="propose")
    teacher.enqueue(f"9. {TASKS[1]}\n10. {TASKS[2]}", stage="propose")
    teacher.enqueue(f"9. {TASKS[0]}", stage="propose", repeat=True)
    teacher.enqueue("Yes", stage="classify", containing="harsh")
    teacher.enqueue(after(delay, lambda one: "No"), stage="classify", repeat=True)
    teacher.enqueue("I'm sorry, but I can't help.", stage="instances", containing="jars")
    teacher.enqueue(after(delay, lambda one: "Example 1\nOutput: a vase"), stage="instances", containing="jars")
    teacher.enqueue("Class label: harsh\nInput: The soup was cold.", stage="instances", containing="harsh")
    teacher.enqueue(after(delay, lambda one: "Example 1\nOutput: the Elbe"), stage="instances", containing="river")
    return teacher


@on_virtual_time
async def test_a_script_gives_the_same_run_at_any_concurrency(tmp_path):
    for concurrency in (1, 3, 64):
        folder = tmp_path / str(concurrency)
        with await grow(folder, 3, script(concurrency), running={"concurrency": concurrency}) as store:
            assert verify(store) == []
            found = [(one.instruction, one.input, one.output, one.is_classification) for one in store.records()]
        assert found == [
            (TASKS[0], "", "the Elbe", False), (TASKS[1], "", "a vase", False),
            (TASKS[2], "The soup was cold.", "harsh", True),
        ]  # fmt: skip
    assert len({(tmp_path / name / "records.jsonl").read_bytes() for name in ("1", "3", "64")}) == 1


@on_virtual_time
async def test_proposals_and_first_questions_are_sent_in_order_at_any_concurrency(tmp_path):
    orders = []
    for concurrency in (1, 5, 64):
        teacher = ScriptedTeacher()
        teacher.enqueue(after(noisy(concurrency), simulated), repeat=True)
        folder = tmp_path / str(concurrency)
        with await grow(folder, 40, teacher, running={"concurrency": concurrency}) as store:
            steps = dict(store.query("SELECT request_id, step FROM candidates"))
            tasks = [task.instruction for task in store.tasks()]
        sent = [steps[one.id] for one in teacher.requests if one.stage == "propose" and one.id in steps]
        assert sent == sorted(sent)
        asked = [one.user for one in teacher.requests if one.stage == "classify"]
        assert all(task in user for task, user in zip(tasks, asked, strict=True))
        orders.append(asked)
    assert orders[0] == orders[1] == orders[2]


@pytest.mark.parametrize("concurrency", [1, 16])
def test_in_python_it_is_a_teacher_like_any_other(tmp_path, concurrency):
    teacher = script(concurrency)
    run = si.generate(tmp_path / "run", 3, teacher=teacher, concurrency=concurrency, progress=False)
    assert [task["instruction"] for task in run.tasks()] == list(TASKS)
    assert [row["reason"] for row in run.rejected(stage="filter")] == ["too_short"]
    assert run.verify() == []
    n_asked = len(teacher.requests)
    assert {one.model for one in teacher.requests} == {"ScriptedTeacher"}
    si.generate(tmp_path / "run", 3, teacher=teacher, progress=False)
    assert len(teacher.requests) == n_asked


def test_a_run_for_which_no_answer_is_left_stops_with_the_request(tmp_path):
    teacher = ScriptedTeacher()
    teacher.enqueue(f"9. {TASKS[0]}", stage="propose")
    with pytest.raises(si.TeacherError, match=r"(?s)no answer left for (classify|propose) request \d.*ends with:"):
        si.generate(tmp_path / "run", 3, teacher=teacher, progress=False)
    assert si.Run(tmp_path / "run").status().tasks == 1


def test_it_answers_in_json_where_the_settings_say_so(tmp_path):
    teacher = ScriptedTeacher()
    teacher.enqueue(json.dumps({"tasks": [TASKS[0]]}), stage="propose")
    teacher.enqueue(json.dumps({"is_classification": False}), stage="classify")
    teacher.enqueue(json.dumps({"instances": [{"input": "", "output": "the Elbe"}]}), stage="instances")
    stages = {stage: {"answer_format": "json"} for stage in ("propose", "classify", "instances")}
    run = si.generate(tmp_path / "run", 1, teacher=teacher, progress=False, **stages)
    assert [row["output"] for row in run.records()] == ["the Elbe"]
    assert all("response_format" in one.sampling for one in teacher.requests)


def test_the_example_of_its_docstring_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = re.search(r"\n\n((?:    .+\n|\n)+)", testing.__doc__).group(1)
    scope = {"ScriptedTeacher": ScriptedTeacher, "si": si}
    exec(textwrap.dedent(example), scope)
    assert [row["output"] for row in si.Run("outputs/scripted").records()] == ["ScriptedTeacher"] * 2


def test_the_example_of_the_docs_is_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[1] / "docs/python.md").read_text()
    (example,) = [code for code in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "ScriptedTeacher()" in code]
    exec(example, {"si": si})
