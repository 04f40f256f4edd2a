"""Custom teachers: a function that answers a request, or a class whose objects do.

    async def ask(request):             # records.Request: system, user, sampling, model, stage
        return "1. Name a lake."        # the text, or a records.Completion to report more

A class is instantiated once for each model, with its settings, and may have a `close`, async or not:

    class Ask:
        def __init__(self, teacher): ...        # teachers.settings.TeacherSettings
        async def __call__(self, request): ...

A synchronous function is called in a thread, which a run that ends leaves behind. RequestRefused, TryAgain and
TeacherError say what an error means for the run. An OSError, such as a lost connection, is retried; any other error
stops the run with its file and line.
"""

import asyncio
import copy
import inspect
import math
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any

from selfinstruct.custom import Custom, explained, load, of_object, place_of, refuse_init
from selfinstruct.errors import RequestRefused, TeacherError, TryAgain, UsageError
from selfinstruct.records import Completion, Request, storable
from selfinstruct.teachers import Teacher
from selfinstruct.teachers.budget import cost_usd
from selfinstruct.teachers.kinds import Kind, Session
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.settings import Price, TeacherSettings

GRACE_S = 5.0  # seconds in which an async teacher must stop once it was cancelled


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
        given = replace(request, sampling=copy.deepcopy(dict(request.sampling)))  # it may change what it is given
        try:
            with explained(self._answer):
                said = await (_in_a_task if self._is_async else _in_a_thread)(self._answer, given)
        except (UsageError, TryAgain, RequestRefused) as error:
            failure = _failure(error) if isinstance(error, UsageError) else _storable(error)
            if isinstance(failure, TryAgain):
                failure.raised_in = place_of(self._answer).removesuffix(": ")
            raise failure from error.__cause__
        if isinstance(said, str):
            said = Completion(request.id, said, "stop", raw=said)  # raw without a count: it counts with its most
        if not isinstance(said, Completion):
            raise TeacherError(
                f"{place_of(self._answer)}The teacher returned {said!r:.80}; it must return a str or a Completion."
            )
        said = checked_completion(said, self._answer)
        cost = said.cost_usd
        if cost is None and (said.prompt_tokens or said.completion_tokens):
            cost = cost_usd(self._prices.get(request.model), said.prompt_tokens, said.completion_tokens, False)
        return replace(said, request_id=request.id, cost_usd=cost, latency_s=time.perf_counter() - started)


def checked_completion(said: Completion, answer: Any) -> Completion:
    """The completion that a user's `answer` returned, as it can be stored; TeacherError, naming the field, if not."""

    def count(name: str) -> int:
        value = getattr(said, name)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
            raise wrong(name, "a whole number, 0 or more")
        return value

    def text(name: str) -> str:
        value = getattr(said, name)
        if not isinstance(value, str):
            raise wrong(name, "a string")
        return storable(value)

    def wrong(name: str, right: str) -> TeacherError:
        value = getattr(said, name)
        return TeacherError(
            f"{place_of(answer)}The teacher returned a Completion with {name} {value!r:.60}; use {right}."
        )

    def is_number(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

    if said.cost_usd is not None and not (is_number(said.cost_usd) and said.cost_usd >= 0):
        raise wrong("cost_usd", "US dollars, 0 or more")
    logprobs = said.logprobs
    if logprobs is not None and not (isinstance(logprobs, tuple | list) and all(map(is_number, logprobs))):
        raise wrong("logprobs", "a tuple of numbers")
    return Completion(
        said.request_id, text("text"), text("finish_reason"), count("prompt_tokens"), count("completion_tokens"),
        None if logprobs is None else tuple(map(float, logprobs)), cost_usd=said.cost_usd,
        error=None if said.error is None else text("error"), raw=text("raw"),
    )  # fmt: skip


def _failure(error: UsageError) -> TryAgain | TeacherError:
    """What a mistake or a lost connection means for the run."""
    if isinstance(error.__cause__, OSError):  # a TimeoutError is one too
        return TryAgain("connection", str(error))
    return TeacherError(f"{error}. All answers so far are kept.")


def _storable(error: TryAgain | RequestRefused) -> TryAgain | RequestRefused:
    """The same error with texts that can be stored."""
    error.reason, error.detail = storable(str(error.reason)), storable(str(error.detail))
    error.args = (f"{error.reason}: {error.detail}",)
    if isinstance(error, TryAgain) and not isinstance(error.retry_after_s, int | float):
        error.retry_after_s = None
    error.raw = None if error.raw is None else storable(str(error.raw))
    return error


async def _in_a_task(answer: Callable[[Request], Coroutine[Any, Any, Any]], request: Request) -> Any:
    """Call it in a task of its own, which is left behind where it does not stop `GRACE_S` after it was cancelled."""
    coroutine = answer(request)
    task = asyncio.ensure_future(coroutine)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else may look at it
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task], timeout=GRACE_S)
        if task.done():
            raise
        # What the scheduler says of the deadline, which is what cancels a call, ends with this.
        raise asyncio.CancelledError(
            f"{place_of(answer)}the teacher did not stop when it was cancelled; it must not swallow "
            "asyncio.CancelledError"
        ) from None
    finally:
        if not task.done():
            _leave_behind(task, coroutine)


def _leave_behind(task: asyncio.Task[Any], coroutine: Coroutine[Any, Any, Any]) -> None:
    """End a coroutine that cannot be cancelled; else the event loop would wait for it at its end."""
    try:
        coroutine.close()
        task.cancel()  # it wakes up to find its coroutine closed
    except RuntimeError:  # it ignores that too
        asyncio._unregister_task(task)


async def _in_a_thread(answer: Callable[[Request], Any], request: Request) -> Any:
    """Call it in a thread of its own, which starts at once and which a process that ends does not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(said: Any, error: BaseException | None) -> None:
        if done.done():  # given up
            return
        if error:
            done.set_exception(error)
        else:
            done.set_result(said)

    def call() -> None:
        said, failure = None, None
        try:
            with explained(answer):  # here: a StopIteration could not be set as a result
                said = answer(request)
        except Exception as error:  # noqa: BLE001  # handed on
            failure = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, said, failure)

    threading.Thread(target=call, daemon=True, name="teacher").start()
    return await done


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
            with explained(self._code):
                answer = self._code(teacher)
        if callable(getattr(answer, "close", None)):
            stack.push_async_callback(_close, answer)
        return CustomTeacher(answer, session.pace(teacher), session.prices)


async def _close(answer: Any) -> None:
    """Close a user's object; a mistake in that spoils nothing that was answered."""
    with explained():
        closing = answer.close()
        if inspect.isawaitable(closing):
            await closing


class GuardedKind(Kind):
    """A user's Kind, with its errors turned into one message."""

    def __init__(self, kind: Kind):
        self._kind = kind
        self.default_model, self.has_batches = kind.default_model, kind.has_batches
        self.holds_to_schemas, self.may_refuse = kind.holds_to_schemas, kind.may_refuse

    def sampling(self, teacher: TeacherSettings, sampling: dict[str, Any]) -> dict[str, Any]:
        """As the user's has it."""
        with explained():
            return self._kind.sampling(teacher, sampling)

    def check(self, stage: str, teacher: TeacherSettings, sampling: dict[str, Any]) -> None:
        """As the user's has it."""
        with explained():
            self._kind.check(stage, teacher, sampling)

    async def open(self, teacher: TeacherSettings, base_url: str, session: Session, stack: AsyncExitStack) -> Teacher:
        """The user's teacher; what it answers is checked like a function's."""
        with explained():
            opened = await self._kind.open(teacher, base_url, session, stack)
        from selfinstruct.teachers.openai_compatible import OpenAICompatible  # late: it imports aiohttp

        if isinstance(opened, OpenAICompatible):  # which checks by itself, and may be asked by batches
            return opened
        return CustomTeacher(opened.complete, opened.pace, session.prices)


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
        refuse_init(code)
        with explained(code):
            code = code()
    if isinstance(code, Kind):
        return named.standing_for(GuardedKind(code))
    is_called = any("__call__" in vars(one) for one in code.__mro__) if inspect.isclass(code) else callable(code)
    if not is_called:
        raise UsageError(f"{place_of(code)}{named} is not a teacher: it must be a function or a class with __call__.")
    if inspect.isclass(code):
        refuse_init(code, "teacher")
    return named.standing_for(CustomKind(named, code))


def declaration(kind: Kind) -> dict[str, Any]:
    """What the store records about a kind."""
    return {"default_model": kind.default_model}


def as_declared(name: str, declared: Mapping[str, Any]) -> Custom:
    """A kind known only by its declaration in a run's store."""
    return Custom(name, NotLoaded(str(declared.get("default_model", ""))))
