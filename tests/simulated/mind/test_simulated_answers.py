"""What the simulated teacher answers in each stage, and how often it is wrong."""

import re
from random import Random

import pytest

from selfinstruct.simulated.mind.answering import respond
from selfinstruct.simulated.mind.malformed import FORBIDDEN
from selfinstruct.simulated.mind.understanding import Ask, understand
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.simulated.world.tasks import grade, make_instance, recognise
from tests.simulated.asking import (
    BARE,
    CLASSIFY,
    CLOSED,
    INPUT_FIRST,
    LISTED,
    OPEN,
    OUTPUT_FIRST,
    PLAIN,
    PROPOSE,
    TASKS,
    continued,
    said,
    teacher,
)


async def test_chat_proposes_the_tasks_asked_for() -> None:
    async with teacher() as (_, client):
        answer = await said(client, PROPOSE)
        lines = answer.split("\n")
        assert [line.split(". ")[0] for line in lines] == [str(number) for number in range(9, 17)]
        tasks = [line.split(". ", 1)[1] for line in lines]
        assert all(recognise(task) for task in tasks) and not set(tasks) & set(TASKS[:8])
        few = await said(client, PROPOSE.replace("8 more tasks, numbered 9 to 16, one", "three more tasks, one"))
        assert [line.split(".")[0] for line in few.split("\n")] == ["9", "10", "11"]


async def test_proposals_repeat_and_offend_as_told() -> None:
    async with teacher(SimulatedSettings(repeat_share=1, forbidden_share=0)) as (_, client):
        repeated = (await said(client, PROPOSE)).split("\n")
        assert sum(line.split(". ", 1)[1] in TASKS[:8] for line in repeated) in range(9)
        assert all(any(line[-30:-20] in task for task in TASKS[:8]) for line in repeated)
    async with teacher(SimulatedSettings(repeat_share=0, forbidden_share=1)) as (_, client):
        assert all(line.split(". ", 1)[1] in FORBIDDEN for line in (await said(client, PROPOSE)).split("\n"))


async def test_chat_classifies() -> None:
    async with teacher() as (_, client):
        assert await said(client, CLASSIFY.format(CLOSED)) == "Yes"
        assert await said(client, CLASSIFY.format(OPEN)) == "No"
        assert await said(client, CLASSIFY.format("Is the tomato a fruit or a vegetable?")) == "Yes"
        assert await said(client, CLASSIFY.format("Write a poem about the sea.")) == "No"


async def test_chat_gives_examples_input_first() -> None:
    async with teacher() as (_, client):
        blocks = (await said(client, INPUT_FIRST.format(OPEN))).split("\n\n")
        assert len(blocks) == 3
        for number, block in enumerate(blocks, 1):
            match = re.fullmatch(rf"Example {number}\nInput: (.+)\nOutput: (.+)", block, re.DOTALL)
            assert match and grade(OPEN, match[1], match[2]) == "right"
        bare = await said(client, INPUT_FIRST.format(BARE))
        assert bare.startswith("Example 1\nOutput: ") and "Input:" not in bare
        assert grade(BARE, "", bare.removeprefix("Example 1\nOutput: ")) == "right"
        alien = await said(client, INPUT_FIRST.format("Write a poem about the sea."))
        assert re.fullmatch(r"(Example \d\nInput: \S.+\nOutput: \S.+\s*){3}", alien)


async def test_chat_gives_examples_label_first() -> None:
    async with teacher() as (_, client):
        blocks = (await said(client, OUTPUT_FIRST.format(CLOSED))).split("\n\n")
        pairs = [re.fullmatch(r"Class label: (.+)\nInput: (.+)", block, re.DOTALL) for block in blocks]
        assert all(pair and grade(CLOSED, pair[2], pair[1]) == "right" for pair in pairs)
        assert len({pair[1] for pair in pairs if pair}) == len(pairs) > 1
        alien = await said(client, OUTPUT_FIRST.format("Is the mood of the text glad, sad or angry?"))
        assert {line for line in alien.split("\n") if "label" in line} == {
            f"Class label: {mood}" for mood in ("glad", "sad", "angry")
        }


async def test_completions_go_on_from_the_prompt() -> None:
    async with teacher() as (_, client):
        proposed = (await continued(client, f"A list of tasks.\n\n{LISTED}\n9.", stop=["\n\n", "\n17."])).choices[0]
        lines = ("9." + proposed.text).split("\n")
        assert [line.split(". ")[0] for line in lines] == [str(number) for number in range(9, 17)]
        assert proposed.finish_reason == "stop"
        question = "Is it a classification task?"
        prompt = f"Task: a\n{question} No\n\nTask: {CLOSED}\n{question}"
        verdict = await continued(client, prompt, max_tokens=3, stop=["\n"])
        assert verdict.choices[0].text == " Yes"
        examples = await continued(client, f"Task: a\nExample 1\nOutput: b\n\nTask: {OPEN}\nExample 1", stop="Task:")
        assert re.fullmatch(r"\nInput: .+\nOutput: .+\nExample 2\nInput: .+\nExample 3\n.+\n\n",
                            examples.choices[0].text, re.DOTALL)  # fmt: skip
        labels = await continued(client, f"Task: a\nClass label: b\n\nTask: {CLOSED}\nClass label:", stop=["Task:"])
        assert re.fullmatch(r" .+\nInput: .+(\nClass label: .+\nInput: .+)+\n\n", labels.choices[0].text)
        runs_on = await continued(client, f"Task: {CLOSED}\nClass label:")
        assert "\n\nTask: " in runs_on.choices[0].text


async def test_a_known_task_is_done() -> None:
    known = recognise(OPEN)
    assert known
    given, right = make_instance(known, Random(4))
    async with teacher() as (_, client):
        assert await said(client, f"{OPEN}\n\n{given}") == right
        assert grade(BARE, "", await said(client, BARE)) == "right"
        assert (await said(client, "How are you?")).endswith(".")


@pytest.mark.parametrize(
    ("prompt", "background", "stage", "count"),
    [
        ("Task: T.\nIs this a classification task?", "", "classify", None),
        ("Task: T.", "Say Yes if the task is a classification task.", "classify", None),
        ("Is this a classification task with finite labels?\n\nTask: T.\nIs it classification?", "", "classify", None),
        ("Task: T.\nCan it be regarded as a classification task with finite labels?", "", "classify", None),
        ("**Task:** T.\n\nPlease give 5 examples.", "", "input_first", 5),
        ("Task: T.\nWrite two examples, label first.", "", "output_first", 2),
        ("Come up with examples.\n\nTask: a\nExample 1\nInput: x\nOutput: y\n\nTask: T.\n", "", "input_first", 3),
        ("Give each label an input.\n\nTask: a\nClass label: b\nInput: c\n\nTask: T.", "", "output_first", 3),
        ("1. A.\n2. B.\nWrite 4 more tasks of 5 to 60 words.", "", "propose", 4),
        ("Here are tasks:\n1) A.\n2) B.\nContinue, one per line.", "Write 5 new tasks.", "propose", 5),
        ("Come up with tasks:\n\nTask 1: A.\nTask 2: B.\nTask 3:", "", "propose", 8),
        ("Task list below. What comes first?\n\n1. A.\n2. B.", "", "propose", 8),
        ("Sort this:\n1. pear\n2. fig", "", "answer", None),
        ("", "", "answer", None),
    ],
)  # fmt: skip
def test_edited_prompts_are_understood(prompt: str, background: str, stage: str, count: int | None) -> None:
    understood = understand(prompt, background)
    assert understood.stage == stage and count in (None, understood.count)
    assert understood.task in ("T.", prompt) or stage == "propose"


def test_an_alpaca_prompt_gets_whole_tasks() -> None:
    prompt = "List of tasks:\n###\n1. Instruction: A.\n1. Input:\n<noinput>\n1. Output:\nB\n###\n2. Instruction:"
    wanted = understand(prompt)
    assert (wanted.stage, wanted.first, wanted.shown) == ("whole", 2, ("A.",))
    text = respond(wanted, PLAIN, Random(1)).text
    assert re.match(r"2\. Instruction: .+\n2\. Input:\n.+\n2\. Output:\n.+\n###\n3\. Instruction: ", text)


def test_the_teacher_is_wrong_as_often_as_it_says() -> None:
    settings = SimulatedSettings(wrong_share=0.2)
    labels = [respond(Ask("output_first", CLOSED, count=1), settings, Random(seed)).items[0] for seed in range(1000)]
    verdicts = [respond(Ask("classify", CLOSED), settings, Random(seed)).items[0] for seed in range(2000)]
    wrong = [grade(CLOSED, item.input, item.output) == "wrong" for item in labels]
    wrong += [item.output == "No" for item in verdicts]
    sure = [item.sure for item in labels + verdicts]
    assert abs(sum(wrong) / 3000 - 0.2) < 0.03
    for low, high in ((0.5, 0.7), (0.7, 0.9), (0.9, 1.0)):
        group = [(s, w) for s, w in zip(sure, wrong, strict=True) if low <= s < high]
        assert abs(sum(w for _, w in group) / len(group) - (1 - sum(s for s, _ in group) / len(group))) < 0.06
    examples = [respond(Ask("input_first", OPEN), settings, Random(seed)).items for seed in range(200)]
    assert any(grade(OPEN, item.input, item.output) == "wrong" for items in examples for item in items)
    right = [respond(Ask("classify", CLOSED), PLAIN, Random(seed)).items[0].output for seed in range(50)]
    assert set(right) == {"Yes"}
