"""An answer with no class or no instance to be read: asked once more in other words, then done without."""

import pytest

from selfinstruct.config.config import parse_config
from selfinstruct.engine.requests import Requests
from selfinstruct.records import Completion, Rejection, Task
from selfinstruct.runs.refilter import refilter
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from selfinstruct.strategies.self_instruct import SelfInstruct
from selfinstruct.testing import ScriptedTeacher
from tests.conftest import shipped_prompts
from tests.engine.test_engine import grow, scripted, simulated

TASK = Task(0, "t0", "Say whether the review is kind or harsh.", 0, "r0")
EXAMPLES = "Example 1\nInput: The soup was cold.\nOutput: harsh"
LABELS = "Class label: harsh\nInput: The soup was cold."
AGAIN = "Answer with one word, Yes or No, also where you have to guess."


def given(*classes, instances=()):
    """A teacher that gives these answers, one after the other; any number of clear ones where none is named."""
    teacher = ScriptedTeacher()
    for stage, answers in (("classify", classes), ("instances", instances)):
        for answer in answers:
            teacher.enqueue(answer, stage=stage)
    if not classes:
        teacher.enqueue("No", stage="classify")
    if not instances:
        teacher.enqueue(LABELS, stage="instances", containing="label first")
        teacher.enqueue(EXAMPLES, stage="instances")
    return teacher


def sent(teacher, stage):
    return [request for request in teacher.requests if request.stage == stage]


async def made(teacher, /, **settings):
    config = parse_config(settings, "test")
    endpoint = config.stage("classify").teacher.endpoint
    requests = Requests(config, shipped_prompts("self-instruct", endpoint))
    return await SelfInstruct(config).generate_instances(TASK, requests.asking(teacher.complete))


@pytest.mark.parametrize(
    ("said", "verdict"), [("Yes", True), ("No.", False), ("It is not a classification task.", False)]
)
async def test_a_clear_answer_is_not_asked_for_again(said, verdict):
    teacher = given(said)
    found = await made(teacher)
    assert found.extra.get("is_classification") is verdict
    assert found.unreadable == []
    assert [len(sent(teacher, "classify")), len(sent(teacher, "instances"))] == [1, 1]
    assert AGAIN not in sent(teacher, "classify")[0].user


@pytest.mark.parametrize("unclear", ["continue", "", "Yes and no.", "It depends.", "I'm sorry, but I can't help."])
@pytest.mark.parametrize(("second", "verdict"), [("Yes", True), ("No", False)])
async def test_an_unclear_answer_is_asked_for_once_more_and_the_second_one_counts(unclear, second, verdict):
    teacher = given(unclear, second)
    found = await made(teacher)
    first, again = sent(teacher, "classify")
    assert found.extra.get("is_classification") is verdict
    assert [(instance.input, instance.output) for instance in found.instances] == [("The soup was cold.", "harsh")]
    assert [request_id for request_id, _ in found.unreadable] == [first.id]
    assert AGAIN in again.user
    assert AGAIN not in first.user
    assert (again.sample, again.sampling["seed"]) == (first.sample + 1, first.sampling["seed"] + 1)
    assert first.id != again.id
    assert ("label first" in sent(teacher, "instances")[0].user) is verdict


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        (("continue", "Maybe."), ["unclear_class", "unclear_class"]),
        (("", "continue"), ["empty_answer", "unclear_class"]),
        (("I'm sorry, but I can't say.", "Yes and no."), ["refusal", "unclear_class"]),
    ],
)
async def test_two_unclear_answers_make_the_task_input_first(said, reasons):
    teacher = given(*said)
    found = await made(teacher)
    assert "is_classification" not in found.extra
    assert "each an input and its output" in sent(teacher, "instances")[0].user
    assert len(found.instances) == 1
    assert [(request_id, why.reason) for request_id, why in found.unreadable] == [
        (request.id, reason) for request, reason in zip(sent(teacher, "classify"), reasons, strict=True)
    ]


async def test_a_request_without_an_answer_is_not_asked_for_again():
    """It failed for good; the scheduler has tried it as often as it may."""
    teacher = given(Completion("", "", "error", error="http_400: no"))
    found = await made(teacher)
    assert len(sent(teacher, "classify")) == 1
    assert "is_classification" not in found.extra
    assert found.unreadable == [(sent(teacher, "classify")[0].id, Rejection("no_answer", {"error": "http_400: no"}))]
    assert len(found.instances) == 1


async def test_a_base_model_is_asked_again_too():
    teacher = given(" Task", " No")
    found = await made(teacher, teacher={"endpoint": "completion"})
    assert found.extra["is_classification"] is False
    assert [request.user.splitlines()[-1] for request in sent(teacher, "classify")] == [
        "Is it a classification task?", "Is it a classification task, Yes or No?",
    ]  # fmt: skip


async def test_json_is_asked_again_too():
    teacher = given('{"is_classification": null}', '{"is_classification": true}')
    found = await made(teacher, teacher={"answer_format": "json"})
    assert found.extra["is_classification"] is True
    first, again = sent(teacher, "classify")
    assert again.user == first.user.removesuffix(".") + ", also where you have to guess."
    assert first.id != again.id


# Instances.


@pytest.mark.parametrize(
    ("said", "reason"),
    [("I'm sorry, but I can't help.", "refusal"), ("", "empty_answer"), ("Example 1", "no_instance")],
)
async def test_instances_that_cannot_be_read_are_asked_for_once_more(said, reason):
    teacher = given(instances=(said, EXAMPLES))
    found = await made(teacher)
    first, again = sent(teacher, "instances")
    assert [(instance.input, instance.output) for instance in found.instances] == [("The soup was cold.", "harsh")]
    assert found.request_id == again.id
    assert [(request_id, why.reason) for request_id, why in found.unreadable] == [(first.id, reason)]
    assert again.user == first.user + " Make up whatever the task leaves open, and write the examples only."
    assert (again.sample, again.sampling["seed"]) == (first.sample + 1, first.sampling["seed"] + 1)


async def test_two_answers_without_instances_are_enough():
    teacher = given(instances=("Example 1", "I'm sorry, but I can't help."))
    found = await made(teacher)
    assert found.instances == []
    assert [why.reason for _, why in found.unreadable] == ["no_instance", "refusal"]


@pytest.mark.parametrize(
    ("finish", "error", "settings"),
    [("length", None, {}), ("error", "http_400: no", {}), ("stop", None, {"teacher": {"endpoint": "completion"}})],
)
async def test_instances_are_not_asked_for_again_where_that_would_not_help(finish, error, settings):
    teacher = given(instances=[Completion("", "", finish, error=error)])
    assert (await made(teacher, **settings)).instances == []
    assert len(sent(teacher, "instances")) == 1


async def test_a_run_asks_again_for_instances_and_keeps_why(tmp_path):
    def answer(request):
        is_first = request.stage == "instances" and "Make up" not in request.user
        return "I'm sorry, but I can't help." if is_first else simulated(request)

    with await grow(tmp_path / "run", 15, scripted(answer)) as store:
        assert verify(store) == []
        rows = store.query("SELECT reason, stage, count(*) FROM rejected WHERE subject = 'completion'")
        assert rows == [("refusal", "instances", 15)]
        assert len({record.task for record in store.records()}) == 15
        records = list(store.records())
    found = await refilter(tmp_path / "run", tmp_path / "new", None, {})
    assert (found.read_differently, found.waiting) == (0, 0)
    with Store.read(tmp_path / "new") as store:
        assert list(store.records()) == records


# A run.


def undecided(second):
    """The teacher of test_engine, but the first answer to the question for the class is of no use."""

    def answer(request):
        if request.stage != "classify":
            return simulated(request)
        if AGAIN not in request.user:
            return "continue"
        return second or simulated(request)

    return answer


async def test_a_run_whose_second_answers_are_clear_has_all_its_classes(tmp_path):
    teacher = scripted(undecided(None))
    with await grow(tmp_path / "run", 15, teacher) as store:
        assert verify(store) == []
        rows = store.query("SELECT reason, stage, text FROM rejected WHERE subject = 'completion'")
        assert rows == [("unclear_class", "classify", "continue")] * 15
        classes = store.query("SELECT extra, count(*) FROM tasks GROUP BY 1")
        assert {fields for fields, _ in classes} == {'{"is_classification":false}', '{"is_classification":true}'}
    with await grow(tmp_path / "clear", 15, scripted(simulated)) as store:
        assert store.query("SELECT extra, count(*) FROM tasks GROUP BY 1") == classes
    stages = [request.stage for request in teacher.requests]
    assert [stages.count(stage) for stage in ("classify", "instances")] == [30, 15]


async def test_a_run_without_a_clear_answer_loses_no_task(tmp_path):
    teacher = scripted(undecided("That is hard to say."))
    with await grow(tmp_path / "run", 15, teacher) as store:
        assert verify(store) == []
        rows = store.query("SELECT reason, text, count(*) FROM rejected WHERE subject = 'completion' GROUP BY 2")
        assert rows == [("unclear_class", "That is hard to say.", 15), ("unclear_class", "continue", 15)]
        assert store.query("SELECT DISTINCT extra, generated FROM tasks") == [(None, 1)]
        assert {record.is_classification for record in store.records()} == {None}
    assert all("each an input" in request.user for request in teacher.requests if request.stage == "instances")


async def test_what_was_asked_twice_is_not_asked_a_third_time_when_the_run_goes_on(tmp_path):
    for target in (6, 12):
        teacher = scripted(undecided("That is hard to say."))
        (await grow(tmp_path / "run", target, teacher)).close()
    assert len({request.id for request in teacher.requests}) == len(teacher.requests)
    assert [request.stage for request in teacher.requests].count("classify") == 12
    (await grow(tmp_path / "at_once", 12, scripted(undecided("That is hard to say.")))).close()
    assert (tmp_path / "run/records.jsonl").read_bytes() == (tmp_path / "at_once/records.jsonl").read_bytes()
