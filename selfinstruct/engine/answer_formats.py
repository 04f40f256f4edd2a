"""Structured output: the JSON that a chat model's server is asked to hold its answers to, and whether it can.

Servers differ: some know no `response_format` and refuse it, some ignore it. So each server is asked once, by a small
request of its own, before a run's first real one. What it does then is settled for the run and stored with it; the same
prompts and parsers serve both, with a JSON schema or with lines of text.
"""

from collections.abc import Mapping
from typing import Any

from selfinstruct.asking.stages import PROBE, response_format
from selfinstruct.config.config import Config
from selfinstruct.errors import RequestRefused, TryAgain
from selfinstruct.parsing.json_answers import json_rows
from selfinstruct.records import AnswerFormat, Completion, Request
from selfinstruct.store.store import Store
from selfinstruct.teachers import Teacher, Teachers, kinds
from selfinstruct.teachers.scheduler import Scheduler
from selfinstruct.teachers.settings import TeacherSettings

SERVER_ERRORS = 5  # in a row, to a request with a schema: the server does not support it (llama.cpp answers 500)
MALFORMED = 2  # answers without content: the same


async def settle_answer_formats(config: Config, teachers: Teachers, scheduler: Scheduler, store: Store) -> Config:
    """The settings with "json" or "text" in the place of each stage's "auto".

    One request for each server and model whose answer format is not settled. Raises what `Scheduler.complete` raises.
    """
    found: dict[tuple[int, str], AnswerFormat] = {}
    settled: dict[str, list[dict[str, Any]]] = {}
    for stage in config.stages:
        settled[stage] = []
        for settings, sampling, _ in config.choices(stage):
            asked = teachers[stage, settings.model][0]  # its other servers run the same
            server = (id(asked), settings.endpoint)
            if settings.endpoint == "completion" or not kinds.load(settings.kind).holds_to_schemas:
                found[server] = "text"
            elif settings.answer_format == "auto" and server not in found:
                probe = _probe(settings, sampling, config.seed)
                completion = store.completion(probe.id)
                if completion is None:
                    probed = _Probed(asked, config.running.attempts)
                    completion = await scheduler.complete((probed,), probe, lambda: True)
                    store.add_completion(probe, completion)
                found[server] = "text" if completion.error or json_rows(completion.text) is None else "json"
            is_open = settings.answer_format == "auto"
            settled[stage].append({"answer_format": found[server]} if is_open else {})
    return config.with_choices(settled)


def _probe(settings: TeacherSettings, sampling: Mapping[str, Any], seed: int) -> Request:
    limits = {key: value for key, value in sampling.items() if key.startswith("max_")}
    body = {**limits, "response_format": response_format(PROBE, {"number": {"type": "string"}})}
    if settings.send_seed:
        body["seed"] = seed & 0x7FFFFFFF
    question = "Name any number between 1 and 9."
    return Request(PROBE, settings.kind, settings.model, settings.endpoint, "", question, body)


class _Probed:
    """A teacher to which a refusal, or one server error after the other, is an answer too."""

    def __init__(self, teacher: Teacher, attempts: int):
        self._teacher = teacher
        self.pace = teacher.pace
        self._enough = min(SERVER_ERRORS, attempts)
        self._in_a_row = self._malformed = 0

    async def complete(self, request: Request) -> Completion:
        try:
            return await self._teacher.complete(request)
        except RequestRefused as error:
            return Completion(request.id, "", "error", error=str(error), raw=error.raw or "")
        except TryAgain as error:
            # 502 to 504 are a server that is away or still loading. A malformed answer may have been paid for, and the
            # scheduler has patience for a few of them only.
            self._malformed += error.raw is not None
            self._in_a_row = self._in_a_row + 1 if error.reason in ("http_500", "http_501") else 0
            if self._in_a_row < self._enough and self._malformed < MALFORMED:
                raise
            return Completion(request.id, "", "error", error=str(error), raw=error.raw or "")
