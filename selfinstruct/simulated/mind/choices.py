"""One choice of an answer: a message of a chat, or the continuation of a prompt.

    >>> wanted = Wanted(understand("1. Name a fruit.\\n2. Name a tree.\\nWrite 4 more tasks."), stop=["\\n5."])
    >>> message(wanted, SimulatedSettings(), b"digest", index=0).text
    '3. ...\\n4. ...'

Each choice has its own random generator, seeded from the digest of the request and the choice's index.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from selfinstruct.simulated.mind.answering import respond
from selfinstruct.simulated.mind.answers import Answer, FinishReason
from selfinstruct.simulated.mind.draws import chance, generator
from selfinstruct.simulated.mind.malformed import kinds_for, malform
from selfinstruct.simulated.mind.structured import JsonSchema, as_json, wants_whole_tasks
from selfinstruct.simulated.mind.tokens import Scored, cut, scored
from selfinstruct.simulated.mind.understanding import Ask
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.simulated.world.tasks import compose

_REFUSAL = "I'm sorry, I can't assist with that request."


@dataclass(frozen=True)
class Wanted:
    """What is asked for, in which form, and how long it may be."""

    ask: Ask
    stop: Sequence[str] = ()
    max_tokens: int | None = None
    top: int | None = None
    """How many of the likeliest tokens to name in each place; None for no probabilities at all."""
    is_json: bool = False
    schema: JsonSchema | None = None
    """What JSON has to fit; None for the plainest form."""


class Choice(NamedTuple):
    """The text of a choice, and how it was made."""

    text: str
    finish_reason: FinishReason
    is_malformed: bool
    is_refusal: bool
    scores: list[Scored] | None
    """The tokens of the text with their probabilities, where those are wanted."""


def in_json(wanted: Wanted, schema: JsonSchema | None) -> Wanted:
    """Ask for the same in JSON; a schema with inputs and outputs turns proposed tasks into whole tasks."""
    ask = wanted.ask
    if ask.stage == "propose" and wants_whole_tasks(schema):
        ask = Ask("whole", ask.task, ask.shown, ask.first, ask.count)
    return replace(wanted, ask=ask, is_json=True, schema=schema)


def message(wanted: Wanted, settings: SimulatedSettings, digest: bytes, index: int) -> Choice:
    """Write the `index`-th message of a chat answer, counted from 0."""
    rng = generator(digest, index)
    answer = respond(wanted.ask, settings, rng)
    if wanted.is_json:
        answer = as_json(answer, wanted.schema)
    text, reason, is_malformed = _shaped(answer, settings, rng)
    is_refusal = bool(settings.refusal_share) and chance(digest, f"refusal {index}") < settings.refusal_share
    if is_refusal:
        text, reason, is_malformed = _REFUSAL, "stop", False
    text, reason = _cut(text, reason, wanted)
    scores = None if wanted.top is None else scored(text, answer.items, wanted.top, rng)
    return Choice(text, reason, is_malformed, is_refusal, scores)


def continuation(wanted: Wanted, prompt: str, settings: SimulatedSettings, digest: bytes, index: int) -> Choice:
    """Write the `index`-th continuation of a prompt, counted from 0."""
    ask = wanted.ask
    rng = generator(digest, index)
    answer = respond(ask, settings, rng, gap="\n")
    text, reason, is_malformed = _shaped(answer, settings, rng)
    text = _continued(text, ask, prompt)
    if reason == "stop":
        text += _run_on(ask, rng)
    text, reason = _cut(text, reason, wanted)
    scores = None if wanted.top is None else scored(text, answer.items, wanted.top, rng)
    return Choice(text, reason, is_malformed, False, scores)


def echoed(prompt: str, top: int, digest: bytes) -> list[Scored]:
    """Score a prompt that is echoed before its continuation."""
    return scored(prompt, (), top, generator(digest, -1))


def _shaped(answer: Answer, settings: SimulatedSettings, rng: Random) -> tuple[str, FinishReason, bool]:
    """Write an answer, sometimes in a form that was not asked for."""
    if rng.random() < settings.malformed_share and (kinds := kinds_for(answer, settings.malformed_kinds)):
        wrong = malform(rng.choice(kinds), answer, rng)
        return wrong.text, wrong.finish_reason, True
    return answer.text, "stop", False


def _continued(text: str, ask: Ask, prompt: str) -> str:
    """Write an answer as the continuation of a prompt."""
    begun = rf"{ask.first}\." if ask.stage == "propose" else re.escape(ask.opened)
    if ask.opened and (opening := re.match(begun, text)):
        text = text[opening.end() :]
    elif text.strip():
        text = f"{' ' if ask.opened or ask.stage in ('classify', 'answer') else chr(10)}{text}"
    return text.lstrip() if prompt[-1:].isspace() else text


def _run_on(ask: Ask, rng: Random) -> str:
    """Continue after an answer, as base models do: with a blank line, and after a question with the next task."""
    match ask.stage:
        case "propose" | "whole":
            return "\n\n"
        case "classify" | "input_first" | "output_first":
            return f"\n\nTask: {compose(rng)}\n"
        case "answer" | "judge":
            return ""


def _cut(text: str, reason: FinishReason, wanted: Wanted) -> tuple[str, FinishReason]:
    short, by = cut(text, wanted.stop, wanted.max_tokens)
    return short, by if len(short) < len(text) else reason
