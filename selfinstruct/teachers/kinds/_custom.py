"""Teachers of the user's own: a function that answers a request, or a class of such.

    async def ask(request):             # records.Request: system, user, sampling, model, stage
        return "1. Name a lake."        # the answer, or a records.Completion where more is known of it

A class is made once for each model, with its settings, and may have an async `close`:

    class Ask:
        def __init__(self, teacher): ...        # teachers.settings.TeacherSettings
        async def __call__(self, request): ...

A plain function is called in a thread. RequestRefused, TryAgain and TeacherError say what an error means for the run;
an OSError, as of a connection, is tried again, and any other error stops the run with its file and line.
"""

import asyncio
import inspect
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from selfinstruct.custom import Custom, explained, load, of_object
from selfinstruct.errors import TeacherError, TryAgain, UsageError
from selfinstruct.records import Completion, Request, storable
from selfinstruct.teachers import Teacher
from selfinstruct.teachers.budget import cost_usd
from selfinstruct.teachers.kinds import Kind, Session
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.settings import Price, TeacherSettings


class CustomTeacher:
    """A user's function or object, asked like any teacher."""

    def __init__(self, answer: Any, pace: Pace, prices: dict[str, Price]):
        self.pace = pace
        self._answer = answer
        self._prices = prices
        self._is_async = inspect.iscoroutinefunction(answer) or inspect.iscoroutinefunction(type(answer).__call__)

    async def complete(self, request: Request) -> Completion:
        """Ask once; see `teachers.Teacher` for what it raises."""
        started = time.perf_counter()
        try:
            with explained():
                said = await self._answer(request) if self._is_async else await asyncio.to_thread(self._answer, request)
        except UsageError as error:
            if isinstance(error.__cause__, OSError):  # a TimeoutError is one too
                raise TryAgain("connection", str(error)) from error.__cause__
            raise TeacherError(f"{error}. Everything answered so far is kept.") from error.__cause__
        if isinstance(said, str):
            said = Completion(request.id, said, "stop")
        if not isinstance(said, Completion):
            raise TeacherError(f"The teacher gave {said!r:.80}; it must give a text, or a Completion.")
        cost = said.cost_usd
        if cost is None and (said.prompt_tokens or said.completion_tokens):
            cost = cost_usd(self._prices.get(request.model), said.prompt_tokens, said.completion_tokens, False)
        return replace(
            said, request_id=request.id, text=storable(said.text), raw=storable(said.raw), cost_usd=cost,
            latency_s=time.perf_counter() - started,
        )  # fmt: skip


class CustomKind(Kind):
    """The kind that a user's function or class is."""

    holds_to_schemas = False

    def __init__(self, name: str, code: Any):
        self._name = name
        self._code = code
        self.default_model = name.rpartition(":")[2]

    async def open(self, teacher: TeacherSettings, base_url: str, session: Session, stack: AsyncExitStack) -> Teacher:
        """The function, or an object of the class."""
        answer: Any = self._code
        if isinstance(self._code, type):
            with explained():
                answer = self._code(teacher)
        if close := getattr(answer, "close", None):
            stack.push_async_callback(close)
        return CustomTeacher(answer, session.pace(teacher), session.prices)


class NotLoaded(Kind):
    """A user's own kind, of which only the name is known."""

    def __init__(self, default_model: str):
        self.default_model = default_model


def custom_kind(given: Any) -> Custom:
    """A kind of teacher that the user names, or gives as a function, a class or a Kind."""
    if isinstance(given, Custom):
        return given
    named = load(given) if isinstance(given, str) else of_object(given)
    code = named.code
    if inspect.isclass(code) and issubclass(code, Kind):
        code = code()
    if not isinstance(code, Kind):
        if not callable(code.__call__ if inspect.isclass(code) else code):
            raise UsageError(f"{named} is no teacher: it must be a function of a request, or a class of such.")
        code = CustomKind(named, code)
    return Custom(named, code, named.sha256)


def declaration(kind: Kind) -> dict[str, Any]:
    """What the store keeps of a kind."""
    return {"default_model": kind.default_model}


def as_declared(name: str, declared: Mapping[str, Any]) -> Custom:
    """A kind of which only the declaration is known, out of a run's store."""
    return Custom(name, NotLoaded(str(declared.get("default_model", ""))))
