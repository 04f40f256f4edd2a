"""The forms of the simulated teacher's answers: JSON, refusals, and whatever else real models come up with."""

import asyncio
import json
from random import Random
from typing import Any

import pytest

from selfinstruct.simulated.mind.answers import Answer, Item, plain
from selfinstruct.simulated.mind.malformed import KINDS, kinds_for, malform
from selfinstruct.simulated.mind.structured import as_json
from selfinstruct.simulated.settings import MALFORMED_KINDS, SimulatedSettings
from selfinstruct.simulated.world.tasks import grade, recognise
from tests.simulated.asking import (
    BARE,
    CLASSIFY,
    CLOSED,
    INPUT_FIRST,
    LISTED,
    OPEN,
    OUTPUT_FIRST,
    PROPOSE,
    ask,
    continued,
    said,
    teacher,
)


def in_schema(name: str, part: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {name: part}, "required": [name], "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def rows(*names: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "object", "properties": {name: {"type": "string"} for name in names}}}


async def test_json_fits_the_schema() -> None:
    async with teacher() as (_, client):

        async def given(prompt: str, name: str, part: dict[str, Any]) -> Any:
            return json.loads(await said(client, prompt, response_format=in_schema(name, part)))[name]

        tasks = await given(PROPOSE, "ideas", {"type": "array", "items": {"type": "string"}})
        assert len(tasks) == 8 and all(map(recognise, tasks))
        assert await given(CLASSIFY.format(CLOSED), "is_classification", {"type": "boolean"}) is True
        assert await given(CLASSIFY.format(OPEN), "is_classification", {"type": "boolean"}) is False
        assert await given(CLASSIFY.format(CLOSED), "answer", {"enum": ["no", "yes"]}) == "yes"
        assert await given(CLASSIFY.format(OPEN), "verdict", {"type": "string"}) == "No"
        for row in await given(INPUT_FIRST.format(OPEN), "examples", rows("input", "output")):
            assert grade(OPEN, row["input"], row["output"]) == "right"
        assert (await given(INPUT_FIRST.format(BARE), "examples", rows("input", "output")))[0]["input"] == ""
        for row in await given(OUTPUT_FIRST.format(CLOSED), "examples", rows("class_label", "input")):
            assert grade(CLOSED, row["input"], row["class_label"]) == "right"
        for row in await given(PROPOSE, "tasks", rows("instruction", "input", "output")):
            assert grade(row["instruction"], row["input"], row["output"]) == "right"


async def test_json_without_a_schema() -> None:
    async with teacher() as (_, client):
        wanted = {"response_format": {"type": "json_object"}}
        assert len(json.loads(await said(client, PROPOSE, **wanted))["tasks"]) == 8
        assert json.loads(await said(client, CLASSIFY.format(CLOSED), **wanted)) == {"is_classification": True}
        assert json.loads(await said(client, INPUT_FIRST.format(OPEN), **wanted))["instances"][0].keys() == {
            "input",
            "output",
        }
        assert json.loads(await said(client, OUTPUT_FIRST.format(CLOSED), **wanted))["instances"][0].keys() == {
            "label",
            "input",
        }
        assert isinstance(json.loads(await said(client, "Hello", **wanted))["answer"], str)


def test_odd_schemas_get_a_least_value() -> None:
    answer = plain("tasks", [Item(instruction="A."), Item(instruction="B.")])
    task = {"type": "object", "properties": {"task": {"type": ["string", "null"]}, "rank": {"type": "integer"}}}
    schema = {
        "$defs": {"Task": task},
        "type": "object",
        "properties": {
            "rows": {"type": "array", "items": {"$ref": "#/$defs/Task"}, "maxItems": 1},
            "kind": {"const": "list"},
            "note": {"anyOf": [{"type": "null"}, {"type": "null"}]},
            "loop": {"$ref": "#/properties/loop"},
        },
    }
    assert json.loads(as_json(answer, schema).text) == {
        "rows": [{"task": "A.", "rank": 0}], "kind": "list", "note": None, "loop": None
    }  # fmt: skip


# Refusals and malformed answers.


async def test_the_teacher_refuses() -> None:
    async with teacher(SimulatedSettings(refusal_share=0.3)) as (_, client):
        replies = [await ask(client, PROPOSE, seed=seed, logprobs=True) for seed in range(60)]
        refused = [reply for reply in replies if reply.choices[0].message.refusal]
        assert 8 < len(refused) < 30
        for reply in refused:
            (choice,) = reply.choices
            assert choice.message.content is None and choice.finish_reason == "stop"
            assert choice.message.refusal.startswith("I'm sorry") and choice.logprobs.content is None
            assert "".join(token.token for token in choice.logprobs.refusal) == choice.message.refusal
            assert reply.usage.completion_tokens == len(choice.logprobs.refusal)
        async with teacher(SimulatedSettings(repeat_share=0.05)) as (_, willing):
            for seed, reply in enumerate(replies):
                if reply not in refused:
                    assert reply == await ask(willing, PROPOSE, seed=seed, logprobs=True)


SAMPLES = {
    "tasks": plain(
        "tasks", [Item(instruction=f"Name a nice {thing}.") for thing in ("fruit", "tree", "bird")], first=9
    ),
    "verdict": plain("verdict", [Item(output="No")]),
    "examples": plain("examples", [Item(input="a b", output="b a"), Item(output="c")]),
    "labelled": plain("labelled", [Item(input="Lovely!", output="good"), Item(output="bad")]),
    "whole": plain("whole", [Item("Reverse it.", "abc", "cba"), Item("Name a fruit.", "", "Fig")], first=4),
    "text": plain("text", [Item(output="A long sentence, as it goes.")]),
    "json": Answer("json", (Item(output="x"),), '{"answer": "x"}'),
}


def test_every_kind_of_malformed_answer_can_be_asked_for() -> None:
    assert tuple(kind.name for kind in KINDS) == MALFORMED_KINDS


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_malformed_answers_keep_what_they_say_is_readable(kind: Any) -> None:
    for shape in kind.shapes:
        answer = SAMPLES[shape]
        assert kind.name in kinds_for(answer) and kind.name not in kinds_for(answer, among=())
        for seed in range(20):
            text, reason, readable = malform(kind.name, answer, Random(seed))
            assert text != answer.text and malform(kind.name, answer, Random(seed)).text == text
            assert (reason == "length") == (kind.name == "cut_off")
            if shape != "verdict":
                assert all(part in " ".join(text.split()) for item in readable for part in item[:3])
            if kind.name not in ("cut_off", "refusal", "empty", "undecided", "forbidden"):
                assert set(readable) == set(answer.items)


async def test_malformed_answers_are_served_and_counted() -> None:
    settings = SimulatedSettings(malformed_share=1, malformed_kinds=("restarted_numbers", "verbose"))
    async with teacher(settings) as (server, client):
        assert (await said(client, PROPOSE)).startswith("1. ")
        assert await said(client, CLASSIFY.format(OPEN)) != "No"
        assert (await said(client, INPUT_FIRST.format(OPEN))).startswith("Example 1\nInput: ")
        assert server.calls()["malformed"] == 2
    async with teacher(SimulatedSettings(malformed_share=1)) as (server, client):
        replies = await asyncio.gather(*(ask(client, PROPOSE, seed=seed) for seed in range(60)))
        assert {reply.choices[0].finish_reason for reply in replies} == {"stop", "length"}
        assert server.calls()["malformed"] == 60
        replies = await asyncio.gather(*(continued(client, f"{LISTED}\n9.", seed=seed) for seed in range(60)))
        cut_short = [reply.choices[0].text for reply in replies if reply.choices[0].finish_reason == "length"]
        assert cut_short and not any(text.endswith("\n") for text in cut_short)
