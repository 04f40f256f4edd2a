"""How many calls at once, when to try again, when to give up.

One scheduler carries all calls of a run. A call holds one of `concurrency` places only while it is in flight, not
while it waits for another try. A server that says "wait" (Retry-After) is left alone by every call to it. A request
that fails for good becomes a Completion with an `error`, and the run goes on. Where nothing else is answered either,
the server or the settings are to blame: the run stops, nothing is stored for the request, and it is asked again later.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from selfinstruct.errors import RequestRefused, Stopped, TeacherError, TryAgain
from selfinstruct.records import Completion, Request
from selfinstruct.teachers import Teacher

BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 30.0
PAUSE_MOST_S = 3600.0  # a server that asks for more is asked again then
UNREACHABLE_ATTEMPTS = 3  # while the server has answered nothing yet
REFUSALS_IN_A_ROW = 5  # of a stage that never got an answer: the settings are wrong, not the request
SESSIONS = 3  # a request that failed all its tries in so many sessions is to blame itself, not the server
MALFORMED_ATTEMPTS = 4  # of a request that was answered with something unreadable: each may have been paid for

# Told of every try that failed; answers how often this request has failed so far, in earlier sessions too.
Fault = Callable[[Request, int, TryAgain], int]


class Scheduler:
    """Sends requests, at most `concurrency` at a time. `deadline_s` bounds one try, `attempts` the tries."""

    def __init__(self, concurrency: int, deadline_s: float, attempts: int, on_fault: Fault):
        self.in_flight = 0
        self.stopping = asyncio.Event()
        self._places = asyncio.Semaphore(concurrency)
        self._deadline_s = deadline_s
        self._attempts = attempts
        self._on_fault = on_fault
        self._not_before: dict[int, float] = {}  # by teacher: nobody calls it earlier
        self._answered: Counter[object] = Counter()  # by teacher, and by stage
        self._refused: Counter[str] = Counter()  # by stage

    def stop(self) -> None:
        """Send nothing more; calls in flight come to their end, everything else raises Stopped."""
        self.stopping.set()

    async def complete(self, teacher: Teacher, request: Request, wanted: Callable[[], bool]) -> Completion:
        """The answer to `request`, or a Completion whose `error` says why there is none.

        Raises Stopped where the run stops, or `wanted()` has become false, before it was sent; TeacherError where
        the teacher would answer no request.
        """
        failed = malformed = attempt = 0
        answered = self._answered[id(teacher)]
        while failed < self._attempts:
            attempt += 1
            try:
                async with self._place(teacher):
                    if not wanted():
                        raise Stopped
                    completion = await self._send(teacher, request)
            except RequestRefused as error:
                if self._is_about_the_request(request, error):
                    return _failure(request, attempt, error)
                fault = TryAgain(error.reason, error.detail)
            except TryAgain as error:
                fault = error
            else:
                self._answered[id(teacher)] += 1
                self._answered[request.stage] += 1
                return completion if attempt == 1 else replace(completion, attempts=attempt)
            tries = self._on_fault(request, attempt, fault)
            if fault.reason == "http_429" and self._answered[id(teacher)] > answered:
                answered = self._answered[id(teacher)]  # busy with others' calls, not broken: no try is used up
            else:
                failed += 1
            malformed += fault.answer is not None
            if malformed == MALFORMED_ATTEMPTS:
                if self._answered[request.stage]:
                    return _failure(request, attempt, fault)
                break
            if fault.unreachable and not self._answered[id(teacher)] and attempt == UNREACHABLE_ATTEMPTS:
                break
            if failed < self._attempts:
                await self._back_off(teacher, attempt, fault)
        # Is it the request, or the server? While a request failed again and again, were others answered?
        server_is_down = self._answered[id(teacher)] == answered and tries < SESSIONS * self._attempts
        if fault.unreachable or server_is_down:
            begin = "does not answer any more" if self._answered[id(teacher)] else "has answered nothing yet"
            raise TeacherError(
                f"The teacher {begin}, and failed again and again ({fault}). Is the server up, and --base-url right? "
                "Then run the same command again: the run goes on where it was."
            )
        return _failure(request, attempt, fault)

    async def _send(self, teacher: Teacher, request: Request) -> Completion:
        self.in_flight += 1
        try:
            async with asyncio.timeout(self._deadline_s):
                return await teacher.complete(request)
        except TimeoutError:
            raise TryAgain("deadline", f"no whole answer within {self._deadline_s:g} s") from None
        finally:
            self.in_flight -= 1

    def _is_about_the_request(self, request: Request, error: RequestRefused) -> bool:
        """False where the stage was never answered: the settings may be wrong; TeacherError once that is likely."""
        if self._answered[request.stage] or error.reason in ("context_too_long", "content_filter"):
            return True
        self._refused[request.stage] += 1
        if self._refused[request.stage] >= REFUSALS_IN_A_ROW:
            raise TeacherError(
                f"The first {REFUSALS_IN_A_ROW} {request.stage} requests were all refused: {error}. Check the model "
                f"and the sampling settings of [{request.stage}]"
                + (' (or set answer_format = "text" there)' if "response_format" in request.sampling else "")
                + "; the run itself is as it was before."
            )
        return False

    async def _back_off(self, teacher: Teacher, attempt: int, fault: TryAgain) -> None:
        """Exponential with full jitter; a pause that the server asked for holds for every call to it."""
        if fault.retry_after_s is not None:
            until = time.monotonic() + min(fault.retry_after_s, PAUSE_MOST_S)
            self._not_before[id(teacher)] = max(until, self._not_before.get(id(teacher), 0.0))
        # Timing only: the data does not depend on it.
        await self._sleep(random.uniform(0, min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** (attempt - 1))))

    @asynccontextmanager
    async def _place(self, teacher: Teacher) -> AsyncIterator[None]:
        """One of the places in flight, at a time when the teacher may be called."""
        while True:
            async with self._places:
                if self.stopping.is_set():
                    raise Stopped
                pause = self._not_before.get(id(teacher), 0.0) - time.monotonic()
                if pause <= 0:
                    yield
                    return
            await self._sleep(pause)

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but wake up and raise Stopped as soon as the run stops."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return
        raise Stopped


def _failure(request: Request, attempts: int, why: RequestRefused | TryAgain) -> Completion:
    """What is stored for a request that gets no answer."""
    return Completion(request.id, "", "error", attempts=attempts, error=str(why), answer=why.answer or "")
