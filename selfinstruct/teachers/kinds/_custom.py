"""Custom teachers: a function that answers a request, or a class whose objects do.

    async def ask(request):             # records.Request: system, user, sampling, model, stage
        return "1. Name a lake."        # the text, or a records.Completion to report more

A class is instantiated once for each model, with its settings, and may have an async `close`:

    class Ask:
        def __init__(self, teacher): ...        # teachers.settings.TeacherSettings
        async def __call__(self, request): ...

A synchronous function is called in a thread. RequestRefused, TryAgain and TeacherError say what an error means for the
run. An OSError, such as a lost connection, is retried; any other error stops the run with its file and line.
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
    """A user's function or object as a teacher."""

    def __init__(self, answer: Any, pace: Pace, prices: dict[str, Price]):
        self.pace = pace
        self._answer = answer
        self._prices = prices
        self._is_async = inspect.iscoroutinefunction(answer) or inspect.iscoroutinefunction(type(answer).__call__)

    async def complete(self, request: Request) -> Completion:
        """Call it once; `teachers.Teacher` says what that raises."""
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
            raise TeacherError(f"The teacher returned {said!r:.80}; it must return a str or a Completion.")
        cost = said.cost_usd
        if cost is None and (said.prompt_tokens or said.completion_tokens):
            cost = cost_usd(self._prices.get(request.model), said.prompt_tokens, said.completion_tokens, False)
        return replace(
            said, request_id=request.id, text=storable(said.text), raw=storable(said.raw), cost_usd=cost,
            latency_s=time.perf_counter() - started,
        )  # fmt: skip


class CustomKind(Kind):
    """A user's function or class as a kind of teacher."""

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
    """A custom kind of which only the name is known."""

    def __init__(self, default_model: str):
        self.default_model = default_model


def custom_kind(given: Any) -> Custom:
    """A custom kind of teacher, given by name, or as a function, a class or a Kind."""
    if isinstance(given, Custom):
        return given
    named = load(given) if isinstance(given, str) else of_object(given)
    code = named.code
    if inspect.isclass(code) and issubclass(code, Kind):
        code = code()
    if not isinstance(code, Kind):
        if not callable(code.__call__ if inspect.isclass(code) else code):
            raise UsageError(f"{named} is not a teacher: it must be a function or a class with __call__.")
        code = CustomKind(named, code)
    return Custom(named, code, named.sha256)


def declaration(kind: Kind) -> dict[str, Any]:
    """What the store records about a kind."""
    return {"default_model": kind.default_model}


def as_declared(name: str, declared: Mapping[str, Any]) -> Custom:
    """A kind known only by its declaration in a run's store."""
    return Custom(name, NotLoaded(str(declared.get("default_model", ""))))
