"""What the strategies share: a request from its prompt, and an answer in which nothing was said."""

import random
from collections.abc import Sequence
from typing import Any

from selfinstruct.config.config import StageTeacher
from selfinstruct.engine.structured import response_format
from selfinstruct.parsing.verdicts import is_refusal
from selfinstruct.records import Completion, Rejection, Request, Stage
from selfinstruct.strategies.prompts import Prompts


def build_request(
    choices: Sequence[StageTeacher], prompts: Prompts, stage: Stage, prompt: str, number: int, **variables: Any
) -> Request:
    """The request of `stage` to one of `choices`, with the prompt of that name.

    `number` tells apart equal ones, and seeds the teacher and the choice.
    """
    drawn_by = f"{stage}/{number}/{variables.get('instruction', '')}"
    teacher, sampling, _ = choices[0] if len(choices) == 1 else _drawn(choices, drawn_by)
    in_json = teacher.answer_format == "json"
    system, user = prompts.render(f"{teacher.endpoint}/{prompt}", json=in_json, **variables)
    if in_json:
        sampling = {**sampling, "response_format": response_format(prompt)}
    if teacher.send_seed:
        sampling = {**sampling, "seed": number & 0x7FFFFFFF}  # all that some servers take
    if teacher.logprobs:
        sampling = {**sampling, "logprobs": True if teacher.endpoint == "chat" else 0}
    return Request(stage, teacher.kind, teacher.model, teacher.endpoint, system, user, sampling, number)


def _drawn(choices: Sequence[StageTeacher], drawn_by: str) -> StageTeacher:
    """One of a stage's models, by weight; what `drawn_by` says decides, and nothing else."""
    return random.Random(drawn_by).choices(choices, [choice.weight for choice in choices])[0]


def no_answer(completion: Completion) -> Rejection | None:
    """Why there is nothing to read in a completion; None where there may be something."""
    if completion.error:
        return Rejection("no_answer", {"error": completion.error})
    if completion.finish_reason == "refusal":  # the server says so itself
        return Rejection("refusal", {})
    if not completion.text.strip():
        return Rejection("empty_answer", {"finish_reason": completion.finish_reason})
    return None


def declined(completion: Completion) -> Rejection | None:
    """That the teacher declined, where the server says so, or an answer that gave nothing else begins like that."""
    return Rejection("refusal", {}) if completion.finish_reason == "refusal" or is_refusal(completion.text) else None
