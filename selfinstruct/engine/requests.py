"""From a stage and its variables to a request: the prompt filled in, the teacher drawn, the sampling settings added."""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from selfinstruct.asking.prompts import Prompts
from selfinstruct.asking.stages import Stage, response_format
from selfinstruct.config.config import Config
from selfinstruct.errors import UsageError
from selfinstruct.records import Completion, Request
from selfinstruct.settings import did_you_mean
from selfinstruct.strategies import Answer, Ask
from selfinstruct.teachers import kinds
from selfinstruct.teachers.settings import StageTeacher


class Requests:
    """The requests of one run."""

    def __init__(self, config: Config, prompts: Prompts):
        self._prompts = prompts
        self._choices = {stage: config.choices(stage) for stage in config.stages}
        prompts_ = [(stage.name, prompt) for stage in config.asks.stages for prompt in stage.prompts]
        self._fields = {(stage, prompt.name): tuple(prompt.fields) for stage, prompt in prompts_}
        self._schemas = {(stage, one.name): response_format(one.name, one.fields) for stage, one in prompts_}
        self._bounded = {
            (stage, one.name): response_format(one.name, one.fields, getattr(config, one.most) if one.most else None)
            for stage, one in prompts_
        }

    def build(
        self, stage: Stage, prompt: str, number: int, choice: StageTeacher | None = None, **variables: Any
    ) -> Request:
        """The request of `stage` with one of its prompts.

        `number` tells apart requests that are equal otherwise, and seeds the teacher: `choice`, or the one of several
        models that it draws.
        """
        if (stage.name, prompt) not in self._schemas:
            stages = {name: [p for of, p in self._schemas if of == name] for name, _ in self._schemas}
            if stage.name not in stages:
                raise UsageError(
                    f"The strategy sends requests of the stage {stage.name}, which is not among its stages: "
                    f"{', '.join(stages)}."
                )
            hint = did_you_mean(prompt, stages[stage.name])
            raise UsageError(f"The stage {stage.name} has no prompt {prompt}; {hint}")
        if not isinstance(number, int) or not 0 <= number < 2**63:
            raise UsageError(
                f"Stage {stage.name}: the number of the request is {number!r}; it must be from 0 to 2**63 - 1."
            )
        drawn_by = f"{stage.name}/{number}/{variables.get('instruction', '')}"
        teacher, sampling, _ = choice or _drawn(self._choices[stage.name], drawn_by)
        in_json = teacher.answer_format == "json"
        system, user = self._prompts.render(f"{teacher.endpoint}/{prompt}", json=in_json, **variables)
        if in_json:
            schemas = self._bounded if kinds.load(teacher.kind).bounds_lists else self._schemas
            sampling = {**sampling, "response_format": schemas[stage.name, prompt]}
        if teacher.send_seed:
            sampling = {**sampling, "seed": number & 0x7FFFFFFF}  # all that some servers take
        if teacher.logprobs:
            sampling = {**sampling, "logprobs": True if teacher.endpoint == "chat" else 0}
        return Request(stage.name, teacher.kind, teacher.model, teacher.endpoint, system, user, sampling, number)

    def asking(self, complete: Callable[[Request], Awaitable[Completion]]) -> Ask:
        """What a strategy asks by, where `complete` answers its requests."""

        async def ask(stage: Stage, prompt: str, number: int, prefix: str = "", **variables: Any) -> Answer:
            request = self.build(stage, prompt, number, **variables)
            completion = await complete(request)
            started = prefix if request.endpoint == "completion" else ""
            return Answer(completion, started, request.endpoint, self._fields[stage.name, prompt])

        return ask


def _drawn(choices: Sequence[StageTeacher], drawn_by: str) -> StageTeacher:
    """One of a stage's models, by weight; what `drawn_by` says decides, and nothing else."""
    if len(choices) == 1:
        return choices[0]
    return random.Random(drawn_by).choices(choices, [choice.weight for choice in choices])[0]
