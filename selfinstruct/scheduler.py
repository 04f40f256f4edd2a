"""How many calls at once, when to try again, when to give up.

One scheduler carries all calls of a run. A call holds one of `concurrency` places only while it is in flight, not
while it waits for another try. A server that says "wait" (Retry-After) is left alone by every call to it. A request
that fails for good becomes a Completion with an `error`, and the run goes on; a server that has answered nothing
at all stops the run at once, because then the mistake is in the settings.
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
MALFORMED_ATTEMPTS = 4  # of a request that was answered with something unreadable: each may have been paid for

Fault = Callable[[Request, int, TryAgain], None]


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
        malformed = 0
        for attempt in range(1, self._attempts + 1):
            try:
                async with self._place(teacher):
                    if not wanted():
                        raise Stopped
                    completion = await self._send(teacher, request)
            except RequestRefused as error:
                return self._refusal(request, error, attempt)
            except TryAgain as error:
                fault = error
            else:
                self._answered[id(teacher)] += 1
                self._answered[request.stage] += 1
                return completion if attempt == 1 else replace(completion, attempts=attempt)
            self._on_fault(request, attempt, fault)
            malformed += fault.answer is not None
            if malformed == MALFORMED_ATTEMPTS:
                refusal = RequestRefused(fault.reason, fault.detail)
                return self._refusal(request, refusal, attempt, fault.answer or "")
            if not self._answered[id(teacher)] and fault.unreachable and attempt == UNREACHABLE_ATTEMPTS:
                break
            if attempt < self._attempts:
                await self._back_off(teacher, attempt, fault)
        if not self._answered[id(teacher)]:
            raise TeacherError(
                f"The teacher has answered nothing yet, and failed again and again ({fault}). "
                "Is the server up, and --base-url right? Then run the same command again."
            )
        return Completion(request.id, "", "error", attempts=attempt, error=f"{fault.reason}: {fault.detail}")

    async def _send(self, teacher: Teacher, request: Request) -> Completion:
        self.in_flight += 1
        try:
            async with asyncio.timeout(self._deadline_s):
                return await teacher.complete(request)
        except TimeoutError:
            raise TryAgain("deadline", f"no whole answer within {self._deadline_s:g} s") from None
        finally:
            self.in_flight -= 1

    def _refusal(self, request: Request, error: RequestRefused, attempt: int, answer: str = "") -> Completion:
        self._refused[request.stage] += 1
        if not self._answered[request.stage] and self._refused[request.stage] >= REFUSALS_IN_A_ROW:
            raise TeacherError(
                f"The first {REFUSALS_IN_A_ROW} {request.stage} requests were all refused: {error}. "
                f"Check the model and the sampling settings of [{request.stage}]."
            )
        return Completion(request.id, "", "error", attempts=attempt, error=str(error), answer=answer)

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
