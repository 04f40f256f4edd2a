"""What a server takes: the JSON that it is asked to hold answers to, and the settings that go into a request.

Servers differ. Some know no `response_format`, and refuse or ignore it; some refuse `seed`, a temperature of 0, or
`max_tokens`. So each server is asked before a run's first real request, by a small request of its own for each set of
settings that the stages have. What it refuses is left out or renamed (`teachers.refused`), and tried again, until it is
accepted. All of it is settled for the run: the settings that are stored with it are those that requests are sent with.

Stages whose settings differ in nothing but a limit of tokens or a temperature up to 1 share a probe, which has the
lowest temperature: who takes 0 takes 1.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from zlib import crc32

from selfinstruct.asking.stages import PROBE, response_format
from selfinstruct.config.config import Config
from selfinstruct.config.learned import Learned, body_of, changes_of
from selfinstruct.errors import TeacherError, TryAgain
from selfinstruct.parsing.json_answers import json_rows
from selfinstruct.records import AnswerFormat, Completion, Request, content_id
from selfinstruct.store.answers import answered_stages
from selfinstruct.store.store import Store
from selfinstruct.teachers import Teacher, Teachers, kinds
from selfinstruct.teachers.probing import EDITS_MOST, Probed
from selfinstruct.teachers.refused import Edit, edited, edits_for
from selfinstruct.teachers.scheduler import Scheduler
from selfinstruct.teachers.settings import StageTeacher
from selfinstruct.teachers.words import GENERATE

SCHEMA = response_format(PROBE, {"number": {"type": "string"}})


class Place(NamedTuple):
    """One choice of a stage, and its number there."""

    stage: str
    number: int
    choice: StageTeacher

    @property
    def may_be_json(self) -> bool:
        """Whether a schema is sent if the server takes it."""
        kind = kinds.load(self.choice.teacher.kind)
        format_ = self.choice.teacher.answer_format
        return self.choice.teacher.endpoint == "chat" and (
            format_ == "json" or (format_ == "auto" and kind.holds_to_schemas)
        )

    @property
    def is_open(self) -> bool:
        """Whether the server is to show if it takes a schema."""
        return self.may_be_json and self.choice.teacher.answer_format == "auto"


async def settle_settings(
    config: Config, teachers: Teachers, scheduler: Scheduler, store: Store, tell: Callable[[str], None]
) -> Config:
    """The settings as each server takes them: without what it refuses, with "json" or "text" in the place of "auto".

    `tell` is given a line about each change. A few small requests for each server and model, once in a run. Raises
    TeacherError where a setting is refused that nothing can stand for, and what `Scheduler.complete` raises.
    """
    is_new = not answered_stages(store, config.stages)  # then the servers may be others than at the last try
    learned = Learned() if is_new else Learned.of(store.settings())
    servers: dict[tuple[int, str], list[Place]] = {}
    for stage in config.stages:
        for number, choice in enumerate(config.choices(stage)):
            asked = teachers[stage, choice.teacher.model][0]  # its other servers run the same
            servers.setdefault((id(asked), choice.teacher.endpoint), []).append(Place(stage, number, choice))
    settled: dict[str, list[dict[str, Any]]] = {stage: [{} for _ in config.choices(stage)] for stage in config.stages}
    for places in servers.values():
        teacher = teachers[places[0].stage, places[0].choice.teacher.model][0]
        server = _Server(config, teacher, places, scheduler, store)
        edits = await server.settle(learned)
        for place in places:
            learned.edits.setdefault(place.stage, {})[place.choice.teacher.model] = edits
            changes = changes_of(place.choice, edits)
            if place.choice.teacher.answer_format == "auto":
                changes["answer_format"] = server.answer_format if place.may_be_json else "text"
            settled[place.stage][place.number] = changes
        for edit, problem in server.found:
            if edit.name == "stream_options":  # it comes with stream, so that tokens are counted
                continue
            tell(_line(edit, problem, places))
    with store.transaction():
        store.set_settings(learned.as_settings())
    return config.with_choices(settled)


class _Server:
    """One server and model: what is tried with it, and what comes of that."""

    def __init__(self, config: Config, teacher: Teacher, places: list[Place], scheduler: Scheduler, store: Store):
        self.answer_format: AnswerFormat = "json"
        self.found: list[tuple[Edit, str]] = []  # with what the server said
        self._teacher = teacher
        self._places = places
        self._may_refuse = kinds.load(places[0].choice.teacher.kind).may_refuse
        self._seed = config.seed
        self._attempts = config.running.attempts
        self._scheduler = scheduler
        self._store = store

    async def settle(self, learned: Learned) -> list[Edit]:
        """All edits that the server needs, those of earlier sessions first."""
        edits: list[Edit] = []
        for place in self._places:
            edits += [one for one in learned.about(place.stage, place.choice.teacher.model) if one not in edits]
        for body, place in _trials(self._places).values():
            is_open = place.is_open and "response_format" in edited(body, edits)
            if is_open or (self._may_refuse and not self._was_tried(place, edited(body, edits), learned)):
                await self._try(body, place, edits)
                learned.tried[_key(place, edited(body, edits))] = _temperature(edited(body, edits))
        if any(edit.name == "response_format" for edit in edits):
            self.answer_format = "text"
        return edits

    def _was_tried(self, place: Place, body: dict[str, Any], learned: Learned) -> bool:
        return learned.tried.get(_key(place, body), math.inf) <= _temperature(body)

    async def _try(self, body: dict[str, Any], place: Place, edits: list[Edit]) -> None:
        """Send a probe, and edit it until it is accepted.

        What the server says is stored, unless it ends the run: then the next session may find another server.
        """
        while True:
            now = edited(body, edits)
            probe = self._probe(place, now)
            completion = self._store.completion(probe.id)
            if completion is None:
                probed = Probed(self._teacher, self._attempts, "response_format" in now)
                completion = await self._scheduler.complete((probed,), probe, lambda: True)
            try:
                new = self._edits(completion, now, place, len(edits))
            except TeacherError as error:
                self._store.add_fault(probe, 1, TryAgain("run_stopped", str(error)))
                raise
            self._store.add_completion(probe, completion)
            edits += new
            self.found += [(edit, (completion.error or "").partition(": ")[2]) for edit in new]
            if not new or not self._may_refuse:
                return

    def _edits(self, completion: Completion, now: dict[str, Any], place: Place, n_edits: int) -> list[Edit]:
        """What to edit after the server's answer to a probe with the settings `now`; none if it was accepted."""
        if not completion.error:
            if "response_format" in now and json_rows(completion.text) is None:
                self.answer_format = "text"
            return []
        if completion.error.startswith("context_too_long"):
            raise TeacherError(GENERATE.window_too_small(place.stage, 1, False, completion.error))
        if not completion.error.startswith("http_4"):  # errors, one after the other: with a schema, an answer too
            self.answer_format = "text"
            return []
        known = edits_for(now, completion.error) if self._may_refuse else ()
        new = [edit for edit in known if edit.of(now) != now]
        if place.is_open and not new and "response_format" in now:
            new = [Edit("response_format", "omit")]  # the server did not say what it refuses: the schema, mostly
        fixed = [edit for edit in new if edit.name == "response_format" and not place.is_open]
        if not new or fixed or n_edits >= EDITS_MOST:
            problem = f"The server rejects the settings of [{place.stage}]: {completion.error}"
            raise TeacherError(GENERATE.refused(problem, place.stage, now))
        return new

    def _probe(self, place: Place, body: dict[str, Any]) -> Request:
        """The probe with this body: another for each server, since a run may go on at another."""
        settings = place.choice.teacher
        seed = {"seed": self._seed & 0x7FFFFFFF} if "seed" in body else {}
        question = "Name any number between 1 and 9."
        server = crc32(settings.servers[0].encode())
        return Request(PROBE, settings.kind, settings.model, settings.endpoint, "", question, {**body, **seed}, server)


def _trials(places: list[Place]) -> dict[str, tuple[dict[str, Any], Place]]:
    """The different settings of a server's stages, as bodies of probes, each with one of its stages."""
    trials: dict[str, tuple[dict[str, Any], Place]] = {}
    for place in places:
        body = body_of(place.choice, SCHEMA if place.may_be_json else None)
        if not kinds.load(place.choice.teacher.kind).may_refuse:  # only whether it takes a schema is asked
            body = {key: body[key] for key in body if key.startswith("max_") or key in ("response_format", "seed")}
        key = _key(place, body)
        if key in trials:
            before, first = trials[key]
            if "temperature" in body and _temperature(body) < _temperature(before):
                before["temperature"] = body["temperature"]
            if place.may_be_json and not first.may_be_json:
                trials[key] = ({**before, "response_format": SCHEMA}, place)
        else:
            trials[key] = (body, place)
    return trials


def _key(place: Place, body: Mapping[str, Any]) -> str:
    """What a probe stands for: limits of tokens, and temperatures up to 1, are not told apart."""
    rest = {key: value for key, value in body.items() if not key.startswith("max_") and key != "response_format"}
    if _temperature(body) <= 1 and "temperature" in body:
        rest["temperature"] = "low"
    limits = sorted(key for key in body if key.startswith("max_"))
    teacher = place.choice.teacher
    return content_id("settings", teacher.kind, teacher.model, teacher.endpoint, rest, limits)


def _temperature(body: Mapping[str, Any]) -> float:
    value = body.get("temperature")
    return float(value) if isinstance(value, int | float) else 1.0


def _line(edit: Edit, problem: str, places: list[Place]) -> str:
    """What was changed, why, and how much it matters."""
    model = places[0].choice.teacher.model
    stages = ", ".join(dict.fromkeys(place.stage for place in places))
    begin = "Warning: this shapes the data. " if edit.shapes_data else ""
    return f"{begin}Requests to {model} are sent {edit.as_setting} ({stages}), because its server says: {problem}"
