"""Answers token by token: stops, limits, probabilities."""

import math

from selfinstruct.simulated.mind.tokens import cut, tokens
from selfinstruct.simulated.settings import SimulatedSettings
from tests.simulated.asking import (
    CLASSIFY,
    CLOSED,
    INPUT_FIRST,
    OPEN,
    OUTPUT_FIRST,
    PROPOSE,
    ask,
    continued,
    said,
    teacher,
)


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


async def test_the_confidence_reaches_the_wire() -> None:
    settings = SimulatedSettings(wrong_share=0.5)
    async with teacher(settings) as (_, client):
        for template, task in ((OUTPUT_FIRST, CLOSED), (INPUT_FIRST, OPEN), (CLASSIFY, OPEN)):
            for options in ({}, {"response_format": {"type": "json_object"}}):
                choice = (await ask(client, template.format(task), logprobs=True, **options)).choices[0]
                halves = [t.token for t in choice.logprobs.content if abs(math.exp(t.logprob) - 0.5) < 1e-9]
                assert len(halves) in (1, 2, 3), choice.message.content
