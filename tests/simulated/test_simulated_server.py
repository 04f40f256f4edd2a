import asyncio
import hashlib
import json
import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import aiohttp
import openai
import pytest
from pydantic import SecretStr, ValidationError

from selfinstruct.simulated.mind.answering import respond
from selfinstruct.simulated.mind.answers import Answer, Item, plain
from selfinstruct.simulated.mind.malformed import FORBIDDEN, KINDS, kinds_for, malform
from selfinstruct.simulated.mind.structured import as_json
from selfinstruct.simulated.mind.tokens import cut, tokens
from selfinstruct.simulated.mind.understanding import Ask, understand
from selfinstruct.simulated.server.app import Serving, serving
from selfinstruct.simulated.server.faults import fortune
from selfinstruct.simulated.server.rate_limits import RateLimit
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.simulated.world.tasks import compose, grade, make_instance, recognise

RNG = Random(20)
TASKS = [compose(RNG) for _ in range(400)]
KNOWN = [(task, known) for task in TASKS if (known := recognise(task))]
CLOSED = next(task for task, known in KNOWN if known.is_classification and known.needs_input and len(known.labels) > 1)
OPEN = next(task for task, known in KNOWN if not known.is_classification and known.needs_input)
BARE = next(task for task, known in KNOWN if not known.is_classification and not known.needs_input)
LISTED = "\n".join(f"{number}. {task}" for number, task in enumerate(TASKS[:8], 1))

PROPOSE = f"Here are 8 tasks:\n\n{LISTED}\n\nWrite 8 more tasks, numbered 9 to 16, one per line."
CLASSIFY = "Task: {}\nIs it a classification task? Answer Yes or No."
INPUT_FIRST = "Task: {}\n\nWrite up to 3 examples, each an input and its output."
OUTPUT_FIRST = "Task: {}\n\nWrite up to 3 examples, the class label first, then an input that belongs to it."

PLAIN = SimulatedSettings(repeat_share=0, forbidden_share=0)


@asynccontextmanager
async def teacher(
    settings: SimulatedSettings = PLAIN, **options: Any
) -> AsyncIterator[tuple[Serving, openai.AsyncOpenAI]]:
    options = {"api_key": "any", "max_retries": 0} | options
    async with (
        serving(settings) as server,
        openai.AsyncOpenAI(base_url=server.base_url, http_client=openai.DefaultAioHttpClient(), **options) as client,
    ):
        yield server, client


async def ask(client: openai.AsyncOpenAI, content: str, **options: Any) -> Any:
    messages: Any = [{"role": "system", "content": "Task: be brief."}, {"role": "user", "content": content}]
    return await client.chat.completions.create(model="simulated", messages=messages, **options)


async def said(client: openai.AsyncOpenAI, content: str, **options: Any) -> str:
    return str((await ask(client, content, **options)).choices[0].message.content)


async def continued(client: openai.AsyncOpenAI, prompt: str, **options: Any) -> Any:
    return await client.completions.create(model="simulated-base", prompt=prompt, **({"max_tokens": 900} | options))


async def post(server: Serving, body: Any, path: str = "/chat/completions", **options: Any) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.base_url + path, data=data, **options) as response,
    ):
        return response.status, await response.json()


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came about")


def body(content: str = "Hello", **more: Any) -> dict[str, Any]:
    return {"model": "simulated", "messages": [{"role": "user", "content": content}], **more}


# What each stage is answered.


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


# The same request, the same answer.


async def test_the_answer_depends_on_the_request_alone() -> None:
    async with teacher() as (_, one), teacher() as (_, other):
        first = await said(one, PROPOSE, seed=1)
        assert first == await said(one, PROPOSE, seed=1) == await said(other, PROPOSE, seed=1)
        assert first != await said(one, PROPOSE, seed=2)
        several = (await ask(one, PROPOSE, seed=1, n=3)).choices
        assert [choice.index for choice in several] == [0, 1, 2]
        assert len({choice.message.content for choice in several}) == 3


async def test_the_spelling_of_a_request_does_not_matter() -> None:
    async with serving(PLAIN) as server:
        turned = dict(reversed(body(PROPOSE, seed=5).items()))
        (_, first), (_, second) = await post(server, body(PROPOSE, seed=5)), await post(server, turned)
        assert first == second
        canonical = json.dumps(body(PROPOSE, seed=5), sort_keys=True, separators=(",", ":")).encode()
        assert server.calls()["repeated"] == {hashlib.sha256(canonical).hexdigest(): 2}


# Limits, usage, probabilities.


def test_tokens_join_to_the_text() -> None:
    text = "Überraschung! 1,234 _x_ \t\n\n 日本語 😀 antidisestablishmentarianism"
    assert "".join(tokens(text)) == text
    assert cut("a b c d", [" d", " c"], None) == ("a b", "stop")
    assert cut("a b c d", [], 2) == ("a b", "length")
    assert cut("a b c d", [" c"], 2) == ("a b", "stop")


async def test_stop_and_limit_are_kept() -> None:
    async with teacher() as (_, client):
        whole = await said(client, PROPOSE)
        stopped = (await ask(client, PROPOSE, stop=["\n11."])).choices[0]
        assert stopped.message.content.count("\n") == 1 and stopped.finish_reason == "stop"
        short = await ask(client, PROPOSE, max_tokens=10)
        assert short.choices[0].finish_reason == "length" and short.usage.completion_tokens == 10
        assert len(tokens(short.choices[0].message.content)) == 10
        newer = await ask(client, PROPOSE, max_completion_tokens=7, n=2)
        assert newer.usage.completion_tokens == 14
        assert newer.usage.total_tokens == newer.usage.prompt_tokens + 14
        assert len(whole) > 200
        assert (await client.completions.create(model="simulated", prompt="1. A.\n2.")).usage.completion_tokens == 16


async def test_chat_log_probabilities() -> None:
    async with teacher(SimulatedSettings(wrong_share=0.4)) as (_, client):
        choice = (await ask(client, CLASSIFY.format(CLOSED), logprobs=True, top_logprobs=4)).choices[0]
        (token,) = choice.logprobs.content
        assert token.token == choice.message.content and bytes(token.bytes).decode() == token.token
        assert len(token.top_logprobs) == 4 and token.top_logprobs[0].token == token.token
        assert {option.token for option in token.top_logprobs[:2]} == {"Yes", "No"}
        assert sum(math.exp(option.logprob) for option in token.top_logprobs) <= 1 + 1e-9
        longer = (await ask(client, OUTPUT_FIRST.format(CLOSED), logprobs=True)).choices[0]
        assert "".join(token.token for token in longer.logprobs.content) == longer.message.content
        assert longer.logprobs.content[0].top_logprobs == []
        assert (await ask(client, CLASSIFY.format(CLOSED))).choices[0].logprobs is None


async def test_legacy_log_probabilities_and_echo() -> None:
    prompt = f"Task: {CLOSED}\nIs it a classification task?"
    async with teacher() as (_, client):
        choice = (await continued(client, prompt, logprobs=3, stop=["\n"])).choices[0]
        scores = choice.logprobs
        assert scores.tokens == [" Yes"] and scores.text_offset == [0]
        assert math.exp(scores.token_logprobs[0]) > 0.99 and " No" in scores.top_logprobs[0]
        echoed = (await continued(client, prompt, logprobs=1, echo=True, max_tokens=0)).choices[0]
        assert echoed.text == prompt == "".join(echoed.logprobs.tokens)
        assert echoed.logprobs.token_logprobs[0] is None and echoed.logprobs.token_logprobs[1] <= 0
        assert echoed.text[echoed.logprobs.text_offset[5] :].startswith(echoed.logprobs.tokens[5])


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


async def test_the_confidence_reaches_the_wire() -> None:
    settings = SimulatedSettings(wrong_share=0.5)
    async with teacher(settings) as (_, client):
        for template, task in ((OUTPUT_FIRST, CLOSED), (INPUT_FIRST, OPEN), (CLASSIFY, OPEN)):
            for options in ({}, {"response_format": {"type": "json_object"}}):
                choice = (await ask(client, template.format(task), logprobs=True, **options)).choices[0]
                halves = [t.token for t in choice.logprobs.content if abs(math.exp(t.logprob) - 0.5) < 1e-9]
                assert len(halves) in (1, 2, 3), choice.message.content


# JSON.


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


# Requests that are wrong.


@pytest.mark.parametrize(
    ("sent", "status", "param", "code"),
    [
        (b"{nonsense", 400, None, None),
        (b"[1]", 400, None, None),
        (b"\xff\xfe", 400, None, None),
        ({"model": "simulated"}, 400, "messages", "missing_required_parameter"),
        ({"model": "simulated", "messages": []}, 400, "messages", "invalid_type"),
        ({"model": "simulated", "messages": ["hi"]}, 400, "messages", "invalid_type"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, 400, "model", None),
        (body() | {"model": "gpt-9"}, 404, "model", "model_not_found"),
        (body(stream=True), 400, "stream", "unsupported_value"),
        (body(n=0), 400, "n", None),
        (body(n="2"), 400, "n", None),
        (body(stop=["a"] * 5), 400, "stop", "invalid_type"),
        (body(max_tokens=0), 400, None, None),
        (body(top_logprobs=3), 400, "top_logprobs", None),
        (body(response_format={"type": "xml"}), 400, "response_format", "invalid_value"),
    ],
)
async def test_a_wrong_request_is_refused(sent: Any, status: int, param: str | None, code: str | None) -> None:
    async with serving(PLAIN) as server:
        got, answer = await post(server, sent)
        error = answer["error"]
        assert (got, error["code"]) == (status, code) and error["message"] and error["type"] == "invalid_request_error"
        assert error["param"] == param or status == 400
        assert server.calls()["refused"] == 1 and server.calls()["answered"] == 0


async def test_odd_but_legal_requests_are_answered() -> None:
    async with serving(PLAIN) as server:
        parts = [
            {"type": "text", "text": "Task: Name a fruit.\n"},
            {"type": "text", "text": "Is it a classification task?"},
        ]
        odd = {"model": "simulated", "messages": [{"role": "user", "content": parts}], "stop": None, "n": None}
        status, answer = await post(server, odd)
        assert status == 200 and answer["choices"][0]["message"]["content"] == "No"
        assert (await post(server, body("\ud800 Name a fruit.", logprobs=True)))[0] == 200
        assert (await post(server, {"model": "simulated", "prompt": ["1. A.\n2."]}, "/completions"))[0] == 200
        assert (await post(server, {"model": "simulated", "prompt": [1, 2]}, "/completions"))[0] == 400
        status, closed = await post(server, body(), headers={"Connection": "close"})
        assert status == 200 and closed["object"] == "chat.completion"


async def test_the_key_is_checked_and_never_echoed() -> None:
    settings = SimulatedSettings(api_key=SecretStr("right-key"))
    async with teacher(settings, api_key="wrong-key") as (server, client):
        with pytest.raises(openai.AuthenticationError) as caught:
            await said(client, "Hello")
        assert caught.value.code == "invalid_api_key" and "key" not in str(caught.value).replace("_key", "").replace(
            "API key", ""
        )
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()
        with_key = client.with_options(api_key="right-key")
        assert await said(with_key, "Hello") and [model.id async for model in with_key.models.list()] == ["simulated"]
        assert server.calls()["refused"] == 1


async def test_models_and_unknown_addresses() -> None:
    async with teacher() as (_, client):
        assert (await client.models.retrieve("simulated-large")).id == "simulated-large"
        with pytest.raises(openai.NotFoundError) as caught:
            await client.models.retrieve("other")
        assert caught.value.code == "model_not_found"
        with pytest.raises(openai.NotFoundError) as caught:
            await client.embeddings.create(model="simulated", input="text")
        assert caught.value.code == "unknown_url"


# Counts.


async def test_calls_are_counted() -> None:
    async with teacher() as (server, client):
        await asyncio.gather(*(said(client, "Hello") for _ in range(3)), said(client, "Good day"))
        with pytest.raises(openai.NotFoundError):
            await client.completions.create(model="other", prompt="x")
        async with (
            aiohttp.ClientSession() as session,
            session.get(server.base_url.removesuffix("/v1") + "/simulated/calls") as response,
        ):
            calls = await response.json()
        assert calls == server.calls()
        assert (calls["received"], calls["answered"], calls["distinct"], calls["refused"]) == (5, 4, 2, 1)
        assert list(calls["repeated"].values()) == [3]
        assert calls["in_flight"] == 0 and calls["faults"] == {}


async def test_many_connections_at_once() -> None:
    async with serving(SimulatedSettings(latency_s=0.3)) as server:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def status() -> int:
                async with session.post(f"{server.base_url}/chat/completions", json=body()) as response:
                    await response.read()
                    return response.status

            assert Counter(await asyncio.gather(*(status() for _ in range(600)))) == {200: 600}
        assert server.calls()["peak_in_flight"] > 100
        assert server.calls()["in_flight"] == 0


# Faults.


async def test_server_errors_pass_when_tried_again() -> None:
    settings = SimulatedSettings(error_share=0.5)
    async with teacher(settings) as (server, client):
        for number in range(12):
            for _ in range(50):
                try:
                    assert await said(client, f"Hello {number}")
                    break
                except openai.InternalServerError as error:
                    assert error.status_code == 500 and error.type == "server_error"
        calls = server.calls()
        assert calls["answered"] == calls["distinct"] == 12
        assert calls["faults"]["error"] == calls["received"] - 12 > 0


async def test_dropped_connections() -> None:
    async with teacher(SimulatedSettings(dropped_share=1)) as (server, client):
        with pytest.raises(openai.APIConnectionError):
            await said(client, "Hello")
        assert server.calls()["faults"]["dropped"] >= 1 and server.calls()["answered"] == 0


async def test_stalled_calls_end_when_the_client_goes() -> None:
    async with teacher(SimulatedSettings(stall_share=1), timeout=0.2) as (server, client):
        with pytest.raises(openai.APITimeoutError):
            await said(client, "Hello")
        await until(lambda: server.calls()["in_flight"] == 0)
        assert server.calls()["faults"] == {"stall": 1}


async def test_a_server_with_a_stalled_call_closes() -> None:
    async with aiohttp.ClientSession() as session:
        async with serving(SimulatedSettings(stall_share=1)) as server:
            call = asyncio.create_task(session.post(f"{server.base_url}/chat/completions", json=body()))
            await until(lambda: server.calls()["in_flight"] == 1)
        with pytest.raises(aiohttp.ClientError):
            await call


async def test_slow_bodies_come_complete() -> None:
    async with serving(SimulatedSettings(slow_body_share=1, slow_body_s=0.2)) as server:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{server.base_url}/chat/completions", json=body(PROPOSE)) as response,
        ):
            assert response.status == 200 and server.calls()["answered"] == 0
            assert len((await response.json())["choices"]) == 1
        assert server.calls()["faults"] == {"slow_body": 1} and server.calls()["answered"] == 1


async def test_garbage_comes_in_all_kinds() -> None:
    seen = set()
    async with serving(SimulatedSettings(garbage_share=1)) as server, aiohttp.ClientSession() as session:
        for number in range(40):
            async with session.post(f"{server.base_url}/chat/completions", json=body(f"Hello {number}")) as response:
                text = await response.text()
                assert response.status == 200
            if text.startswith("<"):
                seen.add("html")
            elif not text.endswith("}"):
                seen.add("broken")
            else:
                choices = json.loads(text)["choices"]
                seen.add("null" if choices and choices[0]["message"]["content"] is None else "none")
        assert seen == {"html", "broken", "null", "none"} and server.calls()["answered"] == 0


async def test_requests_are_turned_away_by_share() -> None:
    async with teacher(SimulatedSettings(rate_limited_share=1, retry_after_s=0.25)) as (server, client):
        with pytest.raises(openai.RateLimitError) as caught:
            await said(client, "Hello")
        assert caught.value.code == "rate_limit_exceeded"
        assert caught.value.response.headers["retry-after"] == "0.25"
        assert server.calls()["faults"] == {"rate_limited": 1}
    async with teacher(SimulatedSettings(rate_limited_share=1)) as (_, client):
        with pytest.raises(openai.RateLimitError) as caught:
            await said(client, "Hello")
        assert "retry-after" not in caught.value.response.headers


async def test_requests_are_turned_away_by_rate() -> None:
    async with teacher(SimulatedSettings(rate_limit_per_minute=3, rate_limit_per_s=100)) as (server, client):
        raw = client.chat.completions.with_raw_response
        answer = await raw.create(model="simulated", messages=[{"role": "user", "content": "Hello"}])
        assert answer.headers["x-ratelimit-limit-requests"] in ("3", "100")
        assert int(answer.headers["x-ratelimit-remaining-requests"]) in (2, 99)
        results = await asyncio.gather(*(said(client, f"Hello {n}") for n in range(5)), return_exceptions=True)
        assert sum(isinstance(result, openai.RateLimitError) for result in results) == 3
        assert server.calls()["faults"] == {"rate_limited": 3} and server.calls()["answered"] == 3


def test_a_rate_limit_refills_evenly() -> None:
    limit = RateLimit(3, 60.0)
    for _ in range(3):
        assert limit.wait(0.0) == 0
        limit.take(0.0)
    assert limit.headers(0.0)["x-ratelimit-remaining-requests"] == "0"
    assert limit.wait(0.0) == pytest.approx(20) and limit.wait(20.1) == 0
    slow = RateLimit(0.5, 1.0)
    slow.take(0.0)
    assert slow.wait(0.0) == pytest.approx(2) and slow.wait(2.1) == 0


def test_a_burst_of_one_spaces_requests_evenly() -> None:
    limit = RateLimit(60, 60.0, burst=1)
    limit.take(0.0)
    assert limit.wait(0.0) == pytest.approx(1) and limit.wait(1.0) == 0
    assert limit.headers(0.0) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1.000s",
    }


def test_a_bucket_of_tokens() -> None:
    limit = RateLimit(1000, 60.0, unit="tokens")
    assert limit.wait(0.0, 5000) == 0
    limit.take(0.0, 700)
    assert limit.wait(0.0, 300) == 0 and limit.wait(0.0, 400) == pytest.approx(6)
    assert limit.headers(0.0)["x-ratelimit-remaining-tokens"] == "300"
    assert limit.wait(0.0, 5000) == pytest.approx(42)


async def test_tokens_are_limited_as_asked_for() -> None:
    settings = SimulatedSettings(rate_limit_tokens_per_minute=1000, rate_limit_per_minute=50)
    async with teacher(settings) as (server, client):
        raw = client.chat.completions.with_raw_response
        first = await raw.create(
            model="simulated", messages=[{"role": "user", "content": "Hello"}], max_tokens=300, n=2
        )
        prompt = first.parse().usage.prompt_tokens
        assert first.headers["x-ratelimit-limit-tokens"] == "1000"
        assert first.headers["x-ratelimit-remaining-tokens"] == f"{1000 - prompt - 600}"
        assert first.headers["x-ratelimit-remaining-requests"] == "49"
        with pytest.raises(openai.RateLimitError) as caught:
            await said(client, "Hello", max_tokens=500)
        assert caught.value.type == "tokens" and caught.value.code == "rate_limit_exceeded"
        assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "49"
        await said(client, "Hello", max_tokens=20)
        assert server.calls()["faults"] == {"rate_limited": 1} and server.calls()["answered"] == 2


async def test_a_server_may_be_silent_about_its_limits() -> None:
    settings = SimulatedSettings(rate_limit_per_minute=60, rate_limit_burst=1, rate_limit_headers=False)
    async with serving(settings) as server, aiohttp.ClientSession() as session:
        for status in (200, 429):
            async with session.post(f"{server.base_url}/chat/completions", json=body()) as response:
                assert response.status == status
                assert not [name for name in response.headers if "ratelimit" in name or "retry" in name.lower()]


# What is refused for good, and what it costs.


async def test_poisoned_requests_never_pass() -> None:
    async with serving(SimulatedSettings(poison_share=0.3)) as server:
        sent = [body(f"Hello {number}") for number in range(60)]
        first = [(await post(server, one))[0] for one in sent]
        assert [(await post(server, one))[0] for one in sent] == first
        assert set(first) == {200, 400} and 8 < first.count(400) < 30
        status, answer = await post(server, sent[first.index(400)])
        assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
        calls = server.calls()
        assert calls["refused"] == 2 * first.count(400) + 1 and calls["answered"] == 2 * first.count(200)


async def test_long_prompts_are_refused() -> None:
    async with teacher(SimulatedSettings(too_long_tokens=30)) as (server, client):
        assert await said(client, "Hello")
        with pytest.raises(openai.BadRequestError) as caught:
            await said(client, "Hello " * 30)
        assert caught.value.code == "context_length_exceeded" and caught.value.param == "messages"
        assert server.calls()["refused"] == 1


async def test_the_quota_ends() -> None:
    async with teacher(SimulatedSettings(quota_requests=2)) as (server, client):
        for number in range(2):
            assert await said(client, f"Hello {number}")
        for number in range(3):
            with pytest.raises(openai.RateLimitError) as caught:
                await said(client, f"Hello {number}")
            assert caught.value.code == caught.value.type == "insufficient_quota"
        assert server.calls()["answered"] == 2 and server.calls()["faults"] == {"insufficient_quota": 3}


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


async def test_tokens_are_charged_for_what_was_answered() -> None:
    settings = SimulatedSettings(error_share=0.2, garbage_share=0.2, slow_body_share=0.2, slow_body_s=0.01)
    async with serving(settings) as server:
        spent = [0, 0]
        for number in range(60):
            try:
                status, answer = await post(server, body(f"Hello {number}"))
            except (ValueError, aiohttp.ContentTypeError):
                continue
            if status == 200 and "usage" in answer:
                spent[0] += answer["usage"]["prompt_tokens"]
                spent[1] += answer["usage"]["completion_tokens"]
        calls = server.calls()
        assert [calls["prompt_tokens"], calls["completion_tokens"]] == spent and all(spent)
        assert {"error", "garbage", "slow_body"} == calls["faults"].keys()


async def test_an_abandoned_body_is_charged_for() -> None:
    settings = SimulatedSettings(slow_body_share=1, slow_body_s=60)
    async with teacher(settings, timeout=0.2) as (server, client):
        with pytest.raises(openai.APITimeoutError):
            await said(client, "Hello")
        await until(lambda: server.calls()["in_flight"] == 0)
        calls = server.calls()
        assert calls["answered"] == 0 and calls["prompt_tokens"] > 0 and calls["completion_tokens"] > 0


# Taking turns.


async def test_requests_beyond_the_capacity_wait_their_turn() -> None:
    settings = SimulatedSettings(stall_share=1, capacity=1)
    async with serving(settings) as server, aiohttp.ClientSession() as session:

        async def call(number: int) -> asyncio.Task[Any]:
            before = server.calls()["received"]
            request = session.post(f"{server.base_url}/chat/completions", json=body(f"Hello {number}"))
            task = asyncio.create_task(request.__aenter__())
            await until(lambda: server.calls()["received"] == before + 1)
            return task

        first, second, third = [await call(number) for number in range(3)]
        assert server.calls()["in_flight"] == server.calls()["peak_in_flight"] == 3
        assert server.calls()["faults"] == {"stall": 1}
        second.cancel()
        await until(lambda: server.calls()["in_flight"] == 2)
        assert server.calls()["faults"] == {"stall": 1}
        first.cancel()
        await until(lambda: server.calls()["faults"] == {"stall": 2})
        third.cancel()
        await until(lambda: server.calls()["in_flight"] == 0)
        await asyncio.gather(first, second, third, return_exceptions=True)


async def test_turns_are_taken_in_order() -> None:
    settings = SimulatedSettings(latency_s=0.01, capacity=2)
    async with serving(settings) as server, aiohttp.ClientSession() as session:
        order = []

        async def call(number: int) -> None:
            async with session.post(f"{server.base_url}/chat/completions", json=body(f"Hello {number}")) as response:
                order.append(number)
                assert response.status == 200

        tasks = []
        for number in range(12):
            tasks.append(asyncio.create_task(call(number)))
            await until(lambda: server.calls()["received"] == len(tasks))
        await asyncio.gather(*tasks)
        assert all(abs(place - number) < 2 for place, number in enumerate(order))


def test_fortune_follows_the_request_and_the_attempt() -> None:
    settings = SimulatedSettings(
        latency_s=2.0, latency_kind="lognormal", latency_sigma=0.7, error_share=0.1, stall_share=0.2
    )
    drawn = [fortune(settings, b"request", attempt) for attempt in range(4000)]
    assert drawn == [fortune(settings, b"request", attempt) for attempt in range(4000)]
    kinds = Counter(one.fault for one in drawn)
    assert abs(kinds["error"] / 4000 - 0.1) < 0.02 and abs(kinds["stall"] / 4000 - 0.2) < 0.03
    assert sum(one.latency_s for one in drawn) / 4000 == pytest.approx(2.0, rel=0.1)
    fixed = SimulatedSettings(latency_s=1.0, straggler_share=0.5)
    assert {fortune(fixed, b"request", attempt).latency_s for attempt in range(50)} == {1.0, 10.0}


# Settings and malformed answers.


def test_settings_are_checked() -> None:
    calm = SimulatedSettings()
    assert not any(calm.fault_shares().values()) and calm.latency_s == calm.wrong_share == calm.malformed_share == 0
    assert all(info.description for info in SimulatedSettings.model_fields.values())
    for wrong in (
        {"speed": 1},
        {"error_share": 1.5},
        {"error_share": 0.6, "stall_share": 0.6},
        {"repeat_share": 0.6, "forbidden_share": 0.6},
        {"malformed_kinds": ("odd",)},
        {"latency_s": float("nan")},
        {"latency_s": float("inf")},
        {"rate_limit_burst": 0.5},
        {"capacity": -1},
    ):
        with pytest.raises(ValidationError):
            SimulatedSettings.model_validate(wrong)
    with pytest.raises(ValidationError):
        calm.latency_s = 1.0  # type: ignore[misc]


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


def test_the_server_does_without_the_openai_package() -> None:
    check = "import sys, selfinstruct.simulated.server.app; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
