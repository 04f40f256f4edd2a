"""Questions about the rows of a file: each asked once of every teacher, the same bytes always."""

import asyncio
import csv
import json
import random
import re
import sqlite3
from contextlib import closing

import aiohttp
import pytest

import selfinstruct as si
from selfinstruct.annotation.question import Asker
from selfinstruct.annotation.task import AnnotationTask
from selfinstruct.annotation.votes import Vote, read_vote
from selfinstruct.audit.server import serving_votes
from selfinstruct.errors import StoreError, UsageError
from selfinstruct.records import Completion, Request
from selfinstruct.runs.given import given_of
from selfinstruct.runs.verify import verify
from selfinstruct.runs.votes import combine_run
from selfinstruct.store.store import Store
from selfinstruct.testing import ScriptedTeacher
from tests.conftest import run_cli

ROWS = [
    {"id": "a", "text": "The lamp on the stairs is broken.", "gold": "fault"},
    {"id": "b", "text": "Thank you for the new bench.", "gold": "other"},
    {"id": "c", "text": "The lift makes a noise.", "gold": ""},
]
LABELS = {"ask": "label", "instruction": "Does the resident report a fault?", "labels": ["fault", "other"]}


def by_words(request: Request) -> str:
    """A teacher that knows two words; models whose names end in "off" say the opposite now and then."""
    text = request.user.rpartition("\n")[2]
    is_fault = "broken" in text or "noise" in text
    if request.model.endswith("off") and random.Random(request.id).random() < 0.3:
        is_fault = not is_fault
    return "fault" if is_fault else "other"


def scripted(answer=by_words) -> ScriptedTeacher:
    teacher = ScriptedTeacher()
    teacher.enqueue(answer, repeat=True)
    return teacher


def models(teacher: ScriptedTeacher, *names: str) -> list[dict]:
    return [{"kind": teacher, "model": name} for name in names]


def annotate(folder, teacher, rows=ROWS, task=LABELS, names=("one", "two"), **more):
    return si.annotate(
        folder, rows, task, id="id", gold="gold", teacher=models(teacher, *names), progress=False, **more
    )


def test_every_model_is_asked_about_every_row_and_shown_no_gold(tmp_path):
    teacher = scripted()
    run = annotate(tmp_path / "run", teacher)
    assert sorted((one.model, one.user.rpartition("\n")[2]) for one in teacher.requests) == sorted(
        (model, row["text"]) for model in ("one", "two") for row in ROWS
    )
    assert {one.user for one in teacher.requests} == {f"{LABELS['instruction']}\n\n{row['text']}" for row in ROWS}
    assert all("- fault" in one.system and "- other" in one.system for one in teacher.requests)
    assert [(vote["row"], vote["voter"], vote["value"]) for vote in run.votes()][:2] == [
        ('"a"', "one", "fault"), ('"a"', "two", "fault"),
    ]  # fmt: skip
    found = run.combine()
    assert found.result.score.share == 1
    assert [row["output"] for row in found.training_rows()] == ["fault", "other", "fault"]


def test_nothing_is_asked_twice_and_a_changed_row_is_asked_again(tmp_path):
    annotate(tmp_path / "run", scripted())
    again = scripted()
    si.annotate(tmp_path / "run", teacher=models(again, "one", "two"), progress=False)
    assert again.requests == []
    changed = [*ROWS[:2], {**ROWS[2], "text": "The lift is silent."}]
    annotate(tmp_path / "run", again, changed)
    assert {one.user.rpartition("\n")[2] for one in again.requests} == {"The lift is silent."}
    assert len(again.requests) == 2
    votes = si.Annotations(tmp_path / "run").votes()
    assert [vote["value"] for vote in votes if vote["row"] == '"c"'] == ["other", "other"]


def test_more_samples_ask_only_for_the_new_ones(tmp_path):
    stage = {"sampling": {"temperature": 0.7}}
    annotate(tmp_path / "run", scripted(), names=("one",), annotate=stage)
    teacher = scripted()
    run = annotate(tmp_path / "run", teacher, names=("one",), samples=3, annotate=stage)
    assert len(teacher.requests) == 2 * len(ROWS)
    assert len({one.id for one in teacher.requests}) == 2 * len(ROWS)
    assert [vote["sample"] for vote in run.votes()][:3] == [0, 1, 2]


@pytest.mark.parametrize("concurrency", [1, 3, 16])
def test_the_same_bytes_at_any_concurrency_and_after_a_stop(tmp_path, concurrency):
    rows = [{"id": n, "text": f"Lamp {n} is {'broken' if n % 3 else 'fine'}.", "gold": ""} for n in range(40)]
    whole = si.annotate(
        tmp_path / "whole", rows, LABELS, id="id", teacher=models(scripted(), "one", "two off"), progress=False
    )

    async def slow(request: Request) -> str:
        await asyncio.sleep(random.random() / 1000)
        return by_words(request)

    with pytest.raises(si.BudgetReached):
        si.annotate(
            tmp_path / "run", rows, LABELS, id="id", teacher=models(scripted(slow), "one", "two off"), progress=False,
            concurrency=concurrency, max_requests=30,
        )  # fmt: skip
    rest = scripted(slow)
    si.annotate(tmp_path / "run", teacher=models(rest, "one", "two off"), progress=False, max_requests=500)
    assert len(rest.requests) == 80 - 30
    assert (tmp_path / "run" / "annotations.jsonl").read_bytes() == (whole.folder / "annotations.jsonl").read_bytes()
    assert whole.votes() == si.Annotations(tmp_path / "run").votes()


def test_an_unreadable_answer_is_a_rejection_and_never_a_label(tmp_path):
    answers = {"lamp": "It depends.", "bench": "I'm sorry, I can't help with that.", "lift": ""}
    teacher = scripted(lambda request: next(text for word, text in answers.items() if word in request.user))
    run = annotate(tmp_path / "run", teacher, names=("one",))
    assert run.status().rejected == {"no_label": 1, "refusal": 1, "empty_answer": 1}
    assert [vote["value"] for vote in run.votes()] == [None] * 3
    with Store.read(tmp_path / "run") as store:
        evidence = store.query("SELECT evidence FROM rejections WHERE reason = 'no_label'")
    assert json.loads(evidence[0][0]) == {"answer": "It depends."}
    with pytest.raises(UsageError, match="there are no votes"):
        run.combine()


def test_preferences_are_asked_in_both_orders_and_a_vote_for_the_order_is_none(tmp_path):
    rows = [
        {"id": n, "question": f"Question {n}?", "x": f"good {n}" if n % 2 else f"bad {n}",
         "y": f"bad {n}" if n % 2 else f"good {n}", "gold": "1" if n % 2 else "2"}
        for n in range(6)
    ]  # fmt: skip
    task = {
        "ask": "prefer", "instruction": "Which answer is better?", "template": "{{ question }}",
        "options": ["{{ x }}", "{{ y }}"],
    }  # fmt: skip

    def judge(request: Request) -> str:
        first, _ = (part.partition("\n\n")[0] for part in request.user.split("]\n")[1:3])
        return "1" if request.model == "biased" or first.startswith("good") else "2"

    run = annotate(tmp_path / "run", scripted(judge), rows, task, ("fair", "biased"))
    found = run.combine("majority")
    assert found.result.votes.cast[:, 1].tolist() == [-1] * 6
    assert found.result.score.share == 1
    fair, biased = found.orders
    assert (fair.same, fair.both, fair.shown_first) == (6, 6, 6)
    assert (biased.same, biased.both, biased.shown_first, biased.n) == (0, 6, 12, 12)
    assert "shown first wins 100.0%" in found.render()
    alone = annotate(tmp_path / "alone", scripted(judge), rows, task, ("biased",)).combine().render()
    assert "6 rows, 1 voter," in alone
    assert "nan" not in alone
    assert found.longer == (3, 6) or found.longer[1] == 6
    assert next(found.training_rows()) == {
        "id": 0, "prompt": "Which answer is better?\n\nQuestion 0?", "chosen": "good 0", "rejected": "bad 0",
        "confidence": 1.0,
    }  # fmt: skip


def test_scores_are_combined_without_each_voters_bias(tmp_path):
    rows = [{"id": n, "text": f"Text {n}", "gold": str(n % 4 + 1)} for n in range(12)]
    task = {"ask": "score", "instruction": "How good is it?", "scale": [1, 5], "steps": {"1": "bad", "5": "good"}}

    def rate(request: Request) -> str:
        right = int(request.user.rpartition(" ")[2]) % 4 + 1
        return f"{right + 1 if request.model == 'mild' else right}/5"

    rows[0]["gold"] = "1/5"
    run = annotate(tmp_path / "run", scripted(rate), rows, task, ("strict", "mild"))
    scores = run.combine().result
    assert scores.biases.tolist() == pytest.approx([-0.5, 0.5])
    assert scores.corrected.tolist() == pytest.approx([n % 4 + 1.5 for n in range(12)])
    assert "1.00, 0.00 of 12" in run.combine().render()
    assert "no effect on scores" in run_cli("combine", run.folder, "--confidence", "0.8").stderr


def test_answers_become_what_a_student_learns(tmp_path):
    task = {"ask": "answer", "instruction": "Reply to the resident."}
    run = annotate(tmp_path / "run", scripted(lambda request: f"Thanks for: {request.user[-9:]}"), task=task)
    rows = list(run.combine().training_rows())
    assert rows[0]["instruction"] == task["instruction"]
    assert rows[0]["input"] == ROWS[0]["text"]
    assert rows[0]["output"] == "Thanks for: s broken."
    assert rows[0]["confidence"] == 1


def test_reasons_stand_before_the_label_and_are_kept(tmp_path):
    task = {**LABELS, "rationale": True}
    run = annotate(tmp_path / "run", scripted(lambda r: "A lamp is broken.\nLabel: fault"), task=task, names=("one",))
    assert {(vote["value"], vote["rationale"]) for vote in run.votes()} == {("fault", "A lamp is broken.")}


@pytest.mark.parametrize("choose", ["first", "nearest"])
def test_examples_are_shown(tmp_path, choose):
    with (tmp_path / "gold.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerows([("text", "gold"), ("A lamp is broken.", "FAULT"), ("The bench is green.", "other"),
                       ("Is the lift new?", "other")])  # fmt: skip
    task = {**LABELS, "examples": {"file": str(tmp_path / "gold.csv"), "n": 1, "choose": choose}}
    teacher = scripted()
    annotate(tmp_path / "run", teacher, task=task, names=("one",))
    shown = {one.user.rpartition("\n")[2]: one.system + one.user for one in teacher.requests}
    assert not any("FAULT" in text for text in shown.values())  # the label as the task spells it
    if choose == "first":
        assert all("A lamp is broken." in text and "Is the lift new?" not in text for text in shown.values())
    else:
        assert "A lamp is broken." in shown[ROWS[0]["text"]]
        assert "Is the lift new?" in shown[ROWS[2]["text"]]
        assert len({one.system for one in teacher.requests}) == 1


def test_rows_that_show_nothing_are_counted_and_not_asked(tmp_path):
    teacher = scripted()
    rows = [*ROWS, {"id": "d", "text": " ", "gold": ""}, {"id": "e", "gold": ""}]
    run = annotate(tmp_path / "run", teacher, rows, names=("one",))
    assert len(teacher.requests) == 3
    assert run.status().problems == {"empty_row": 1, "no_column": 1}
    assert [row.get("rejected") for row in run.combine().result.rows()][3:] == ["no_votes", "no_votes"]


WRONG = [
    ({"task": {**LABELS, "ask": "lable"}}, "ask: must be 'label'"),
    ({"task": {**LABELS, "labels": ["fault"]}}, "labels: name at least 2"),
    ({"task": {**LABELS, "labels": ["Fault", "fault "]}}, "differ only in case"),
    ({"task": {**LABELS, "scale": [1, 2]}}, 'scale: belongs to ask = "score"'),
    ({"task": {**LABELS, "template": "{{ body }}"}}, "there is no column body"),
    ({"task": {**LABELS, "template": "{{ gold }}"}}, "which holds the true answers"),
    ({"task": {**LABELS, "template": "text"}}, "shows no column of a row"),
    ({"task": {**LABELS, "template": "{{ text"}}, "is not valid"),
    ({"task": {"ask": "prefer", "instruction": "Which?", "options": ["{{ text }}"]}}, "must be two templates"),
    ({"task": {"ask": "score", "instruction": "How good?", "scale": [5, 1]}}, "scale: must be [lowest, highest]"),
    ({"task": {"ask": "score", "instruction": "How good?", "scale": [5]}}, "task: scale: must be [lowest, highest]"),
    ({"task": {**LABELS, "exmaples": {}}}, "did you mean examples"),
    ({"task": {**LABELS, "template": "{{ row }}"}}, "which holds the true answers"),
    ({"task": {**LABELS, "template": "{{ text }} {{ row['gold'] }}"}}, "which holds the true answers"),
    ({"task": {**LABELS, "labels": "fault, other"}}, "labels: must be a list of texts"),
    ({"task": {**LABELS, "labels": ["fault", "no\nfault"]}}, "a label must be one line"),
    ({"rows": []}, "rows: there are no rows"),
    ({"rows": ["a"]}, "rows, row 1: a row must be a dict of columns"),
    ({"rows": [{**ROWS[0], "at": object}]}, "rows, row 1: a value cannot be stored"),
    ({"rows": iter(ROWS)}, "rows must be a file or a list of dicts"),
    (
        {"teacher": {"kind": "simulated", "model": "simulated2"}, "annotate": {"mix": [{"model": "simulated1"}]}},
        "simulated2 would not be asked",
    ),
    ({"rows": [ROWS[0], ROWS[0]]}, "have the same id"),
    ({"rows": [{**ROWS[0], "gold": "defect"}]}, "gold answers that are not among fault, other: 'defect'"),
    ({"rows": [{**ROWS[0], "gold": ""}]}, "the column gold is empty"),
    ({"rows": [{**ROWS[0], "text": ""}]}, "the template is empty for every row"),
    ({"samples": 3, "annotate": {"sampling": {"temperature": 0}}}, "would all be the same at a temperature of 0"),
    ({"filters": {"rouge_threshold": 0.5}}, "unknown key filters"),
    ({"annotate": {"mix": [{"model": "a", "weight": 2}, {"model": "b"}]}}, "weight has no effect"),
    ({"annotate": {"endpoint": "completion"}}, "annotate needs chat models"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=[message for _, message in WRONG])
def test_what_cannot_be_asked_is_refused_before_anything_is_sent(tmp_path, wrong, message):
    teacher = scripted()
    given = {"rows": ROWS, "task": LABELS, **wrong}
    rows, task = given.pop("rows"), given.pop("task")
    given.setdefault("teacher", {"kind": teacher})
    with pytest.raises(UsageError, match=message.replace("(", r"\(").replace("[", r"\[")):
        si.annotate(tmp_path / "run", rows, task, id="id", gold="gold", progress=False, **given)
    assert teacher.requests == []


def test_empty_cells_are_empty_and_any_text_can_be_stored(tmp_path):
    teacher = scripted()
    rows = [{"id": "\udc00", "text": "a lamp \ud800"}, {"id": 1.5, "text": None}, {"id": [1], "text": float("nan")}]
    run = si.annotate(tmp_path / "run", rows, LABELS, id="id", teacher=models(teacher, "one"), progress=False)
    assert [one.user.rpartition("\n")[2] for one in teacher.requests] == ["a lamp ?"]
    assert run.status().problems == {"empty_row": 2}
    assert [row["id"] for row in run.combine().result.rows()] == ["?", 1.5, [1]]


def test_labels_may_be_numbers_or_truth_values(tmp_path):
    task = {**LABELS, "labels": [True, False]}
    run = annotate(tmp_path / "run", scripted(lambda request: "True."), [{"id": 1, "text": "a", "gold": True}], task)
    assert run.combine().result.score.share == 1


def test_examples_shown_to_all_are_no_measure(tmp_path):
    (tmp_path / "gold.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    task = {**LABELS, "examples": {"file": str(tmp_path / "gold.jsonl"), "n": 1}}
    assert annotate(tmp_path / "run", scripted(), task=task).combine().result.score.n == 1  # of two


def test_another_number_of_samples_keeps_the_temperature_of_the_run(tmp_path):
    annotate(tmp_path / "three", scripted(), samples=3)
    teacher = scripted()
    annotate(tmp_path / "three", teacher, samples=1)
    assert teacher.requests == []
    annotate(tmp_path / "one", teacher)
    with pytest.raises(UsageError, match="would all be the same at a temperature of 0"):
        annotate(tmp_path / "one", teacher, samples=3)


def test_rejections_are_counted_by_the_answers_about_the_rows_that_are_there(tmp_path):
    same = [{"id": n, "text": "a lamp", "gold": "other"} for n in range(3)]
    run = annotate(tmp_path / "run", scripted(lambda request: "It depends."), same)
    assert run.status().rejected == {"no_label": 6}
    annotate(tmp_path / "run", scripted(), same[:1])
    assert run.status().rejected == {"no_label": 2}


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ('{"answer": "Anna"}', "Anna"),
        ('{"name": "Anna"}', '{"name": "Anna"}'),
        ('["Anna", "Ben"]', '["Anna", "Ben"]'),
        ('```json\n{"x": 1}\n```', '```json\n{"x": 1}\n```'),
        ('{"answer": "Anna", "why": "It says so."}', '{"answer": "Anna", "why": "It says so."}'),
    ],
)
def test_an_answer_may_be_json_itself(answer, value):
    task = AnnotationTask.model_validate({"ask": "answer", "instruction": "Extract the names."})
    assert read_vote(task, Completion("1", answer, "stop")).value == value
    assert read_vote(task, Completion("1", '{"answer": ""}', "stop")).reason == "empty_answer"


@pytest.mark.parametrize("answer", ["Text 2", "Text 2 is better.", "Answer: **Text 2**", '{"better": "Text 2"}'])
def test_a_text_may_be_named_as_it_is_shown(answer):
    task = AnnotationTask.model_validate({"ask": "prefer", "instruction": "?", "options": ["{{ a }}", "{{ b }}"]})
    assert read_vote(task, Completion("1", answer, "stop")).value == "2"
    assert read_vote(task, Completion("1", answer, "stop"), swapped=True).value == "1"
    both = Completion("1", "Text 1 is as good as text 2.", "stop")
    assert read_vote(task, both).reason == "no_preference"


@pytest.mark.parametrize("ending", ["stop", "length"])
@pytest.mark.parametrize("answer", ["A fault would be another thing.", "There are 2 mistakes."])
def test_what_reasons_name_is_no_choice(answer, ending):
    reason = "answer_cut" if ending == "length" else "no_score" if "2" in answer else "no_label"
    asked = {"ask": "score", "instruction": "How good?"} if "2" in answer else LABELS
    task = AnnotationTask.model_validate({**asked, "rationale": True})
    assert read_vote(task, Completion("1", answer, ending)).reason == reason
    short = AnnotationTask.model_validate(asked)
    assert isinstance(read_vote(short, Completion("1", answer, ending)), Vote) == (ending == "stop")


def test_another_task_is_another_run(tmp_path):
    annotate(tmp_path / "run", scripted())
    other = {**LABELS, "instruction": "Is it about a lamp?"}
    with pytest.raises(UsageError, match="started with another task"):
        annotate(tmp_path / "run", scripted(), task=other)


def test_a_run_of_votes_has_no_tasks_and_a_grown_run_no_votes(tmp_path):
    annotate(tmp_path / "votes", scripted())
    with pytest.raises(UsageError, match="holds votes"):
        si.generate(tmp_path / "votes", 2, progress=False)
    with pytest.raises(UsageError, match="holds votes"):
        si.Run(tmp_path / "votes")
    si.generate(tmp_path / "grown", 2, progress=False)
    with pytest.raises(UsageError, match="not started by annotate"):
        annotate(tmp_path / "grown", scripted())
    with pytest.raises(UsageError, match="not started by annotate"):
        si.Annotations(tmp_path / "grown")
    with pytest.raises(UsageError, match="holds votes"):
        annotate(tmp_path / "again", scripted(), tmp_path / "votes")


def test_records_of_a_grown_run_can_be_scored(tmp_path):
    si.generate(tmp_path / "grown", 4, progress=False)
    task = {"ask": "score", "instruction": "How good is the answer?", "template": "{{ instruction }}\n\n{{ output }}"}
    teacher = scripted(lambda request: "4")
    run = si.annotate(tmp_path / "scores", tmp_path / "grown", task, id="id", teacher={"kind": teacher}, progress=False)
    assert run.status().rows == len(si.Run(tmp_path / "grown").records())
    assert {row["score"] for row in run.combine().training_rows()} == {4.0}


def test_the_probability_of_a_label_is_that_of_its_tokens():
    task = AnnotationTask.model_validate(LABELS)
    content = [
        {"token": token, "logprob": p} for token, p in (("Label", -9.0), (":", -1.0), (" fa", -0.1), ("ult", -0.2))
    ]
    raw = json.dumps({"choices": [{"logprobs": {"content": content}}]})
    answer = Completion("1", "Label: fault", "stop", logprobs=(-9.0, -1.0, -0.1, -0.2), raw=raw)
    vote = read_vote(task, answer)
    assert isinstance(vote, Vote)
    assert vote.confidence == pytest.approx(0.7408, abs=1e-4)


def test_templates_are_rendered_in_a_sandbox():
    task = AnnotationTask.model_validate({**LABELS, "template": "{{ text * 1000000000 }}"})
    with pytest.raises(UsageError, match="cannot be rendered"):
        from selfinstruct.annotation.rows import Row

        Asker(task, ()).text(Row("1", {"text": "a"}, None))


def test_each_round_asks_about_the_least_certain_rows_and_a_rerun_about_none(tmp_path):
    rows = [{"id": n, "text": f"Lamp {n % 7} of house {n} is {'broken' if n % 2 else 'fine'}."} for n in range(60)]
    more = {"rounds": 3, "each": 10, "progress": False}
    teacher = scripted()
    run = si.annotate(tmp_path / "run", rows, LABELS, id="id", teacher=models(teacher, "one"), **more)
    asked = [one.user for one in teacher.requests]
    assert len(asked) == len(set(asked)) == 30
    assert len(run.votes()) == 30
    again = scripted()
    si.annotate(tmp_path / "run", teacher=models(again, "one"), progress=False)
    assert again.requests == []
    si.annotate(tmp_path / "run", teacher=models(again, "one"), **{**more, "rounds": 4})
    assert len(again.requests) == 10
    assert not {one.user for one in again.requests} & set(asked)
    with pytest.raises(UsageError, match="Only the number of rounds may change"):
        si.annotate(tmp_path / "run", teacher=models(again, "one"), **{**more, "each": 5})
    with pytest.raises(UsageError, match="need labels"):
        task = {"ask": "score", "instruction": "How good?"}
        si.annotate(tmp_path / "other", rows, task, teacher=models(again, "one"), **more)


def test_rounds_that_were_stopped_choose_the_same_rows_again(tmp_path):
    rows = [{"id": n, "text": f"Lamp {n % 7} of house {n} is {'broken' if n % 2 else 'fine'}."} for n in range(60)]
    more = {"id": "id", "rounds": 3, "each": 10, "progress": False}
    si.annotate(tmp_path / "whole", rows, LABELS, teacher=models(scripted(), "one"), **more)
    with pytest.raises(si.BudgetReached):
        si.annotate(tmp_path / "run", rows, LABELS, teacher=models(scripted(), "one"), max_requests=17, **more)
    rest = scripted()
    si.annotate(tmp_path / "run", teacher=models(rest, "one"), progress=False, max_requests=99)
    assert len(rest.requests) == 13
    ours, theirs = (tmp_path / name / "annotations.jsonl" for name in ("run", "whole"))
    assert ours.read_bytes() == theirs.read_bytes()


async def test_a_gold_answer_is_about_what_was_seen(tmp_path):
    """Not about what has the number of a row, or its id, after the file has changed."""

    def gold(*texts: str) -> list[str | None]:
        rows = [{"id": n, "text": text, "gold": "fault" if n == 0 else ""} for n, text in enumerate(texts)]
        return [row.gold for row in annotate(tmp_path / "run", scripted(), rows).combine().rows]

    lamp = "The lamp is broken."
    assert await asyncio.to_thread(gold, lamp, "Thanks.") == ["fault", None]
    with Store.read(tmp_path / "run") as store:
        jar = aiohttp.CookieJar(unsafe=True)  # cookies of an address without a name
        async with serving_votes(store, "ada") as address, aiohttp.ClientSession(cookie_jar=jar) as client:
            async with client.get(address) as response:
                root = str(response.url).rstrip("/")
            async with client.get(f"{root}/row/1") as response:
                form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', await response.text()))

            async def decided(**other: str) -> int:
                headers = {"Origin": f"http://{response.url.authority}"}
                values = {**form, "gold": "other", **other}
                async with client.post(f"{root}/gold", data=values, headers=headers, allow_redirects=False) as answer:
                    return answer.status

            assert [await decided(gold="neither"), await decided(row="0"), await decided(row="9")] == [400] * 3
            assert await decided() == 303
            assert await asyncio.to_thread(gold, lamp, "Thanks.") == ["fault", "other"]
            assert await asyncio.to_thread(gold, lamp, "Another text.") == ["fault", None]
            assert await decided() == 400
            assert await asyncio.to_thread(gold, lamp, "Thanks.") == ["fault", "other"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE rows SET id = '{' WHERE position = 0", "is not canonical JSON"),
        ("UPDATE rows SET fields = '[1]'", "is not a JSON object"),
        ("UPDATE run SET value = '{}' WHERE key = 'task'", "its task is damaged"),
        ("UPDATE votes SET sample = 'first'", "a vote on the row"),
        ("UPDATE votes SET confidence = 'high'", "a vote on the row"),
    ],
)
def test_a_damaged_run_is_refused(tmp_path, change, message):
    annotate(tmp_path / "run", scripted(), names=("one",))
    with closing(sqlite3.connect(tmp_path / "run" / "run.db")) as db, db:
        db.execute(change)
    with pytest.raises(StoreError, match=message):
        si.Annotations(tmp_path / "run").combine()
    result = run_cli("verify", tmp_path / "run")
    assert result.returncode == 1
    assert "refilter" not in result.stdout + result.stderr


def test_numbers_of_samples_in_a_run_of_somebody_else_take_no_memory(tmp_path):
    task = {"ask": "answer", "instruction": "Reply to the resident."}
    annotate(tmp_path / "run", scripted(lambda request: "Thanks."), task=task, names=("one",))
    with closing(sqlite3.connect(tmp_path / "run" / "run.db")) as db, db:
        db.execute("UPDATE votes SET sample = 1000000000000")
        db.execute("UPDATE run SET value = json_set(value, '$.samples', 1000000000000) WHERE key = 'task'")
    assert len(si.Annotations(tmp_path / "run").combine().result.voters) == 1
    with Store.read(tmp_path / "run") as store:
        assert given_of(store).samples == 100


def test_votes_that_another_version_has_read_are_not_read_again(tmp_path, monkeypatch):
    annotate(tmp_path / "run", scripted(), names=("one",))
    monkeypatch.setattr("selfinstruct.runs.verify.__version__", "9.9.9")
    found = verify(tmp_path / "run", lambda start: asyncio.run(start()))
    assert found.problems == []
    assert "parsed by version" in found.notes[0]


def test_some_voters_may_be_combined_and_the_others_left_out(tmp_path):
    annotate(tmp_path / "run", scripted())
    found = combine_run(tmp_path / "run", voters=["two"])
    assert found.result.votes.voters == ("two",)
    with pytest.raises(UsageError, match="there is no voter three"):
        combine_run(tmp_path / "run", voters=["three"])


def test_the_settings_of_a_run_repeat_it(tmp_path):
    si.annotate(tmp_path / "run", ROWS, LABELS, id="id", progress=False, seed=3, concurrency=2)
    settings = tmp_path / "settings.toml"
    settings.write_text((tmp_path / "run" / "config.toml").read_text())
    si.annotate(tmp_path / "again", ROWS, LABELS, id="id", progress=False, config=settings)
    ours, theirs = (tmp_path / name / "annotations.jsonl" for name in ("run", "again"))
    assert ours.read_bytes() == theirs.read_bytes()
    assert "annotate NEW" in settings.read_text()
