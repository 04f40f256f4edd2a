"""Decides when to send each call, when to retry, and when to give up.

One scheduler handles all calls of a run. A call holds one of `concurrency` places only while it is in flight, not while
it waits for a retry or for capacity at its server. How often a server may be called is decided by its teacher's `pace`.
A request goes to whichever of its servers has capacity. A request that fails for good becomes a Completion with an
`error`, and the run continues. If nothing else is answered either, the server or the settings are to blame: the run
stops, nothing is stored for the request, and it is sent again later. Nothing is sent that might exceed the budget.
"""

import asyncio
import math
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from selfinstruct.errors import RequestRefused, Stopped, TeacherError, TryAgain
from selfinstruct.records import Completion, Request
from selfinstruct.teachers import Teacher
from selfinstruct.teachers.budget import Budget
from selfinstruct.teachers.failures import BUSY
from selfinstruct.teachers.pacing import Call, Outcome, Pace
from selfinstruct.teachers.refusals import StageCalls
from selfinstruct.teachers.words import GENERATE, Words

BACKOFF_FIRST_S = 0.5
BACKOFF_MOST_S = 30.0
AWAY_S = 5.0  # how long an unreachable server gets no calls, if there is another one
UNREACHABLE_ATTEMPTS = 3  # while the server has not answered at all
REFUSALS_IN_A_ROW = 5  # of a stage that never got an answer: the settings are wrong, not the request
REFUSALS_LATER = 20  # of a stage that was answered before: the server has changed
TOO_LONG_TRIES = 3  # of a request that is too long, while its stage has no answer
TOO_LONG_AT_FIRST = 3  # requests of a stage without any answer: the window is too small
TOO_LONG_IN_A_ROW = 20  # of any stage: the window is too small for it, although some requests fit
LONG_PAUSE_S = 60.0  # a pause this long is announced, so that the run does not seem stuck
SESSIONS = 3  # if all attempts failed in this many sessions, the request is to blame, not the server
MALFORMED_ATTEMPTS = 4  # of a request with unreadable answers: each may have been billed
BY_CHANCE = 1e-6  # if a row of garbled answers is less likely than this by chance, the request is to blame
GARBLED = (1, 50)  # prior: garbled calls out of all calls, before a server's own rate is known
AT_A_TURN = 2  # calls sent per turn of the event loop; in between, answers and refusals are processed
BUDGET_LOOK_S = 0.02  # seconds after which a call that the budget holds back is checked again in any case


# Called for every failed attempt; returns how often this request has failed so far, including earlier sessions.
Fault = Callable[[Request, int, TryAgain], int]


class Waiting(NamedTuple):
    """A waiting request. `turn` receives the server to call, and the record that its pace keeps of the call."""

    number: int
    teachers: Sequence[Teacher]
    request: Request
    wanted: Callable[[], bool]
    turn: asyncio.Future[tuple[Teacher, Call]]


def _silence(fault: TryAgain, answered: int) -> str:
    """What a server has done that failed with this, and answered so many requests."""
    if answered:
        return "has stopped answering"
    return "has not answered at all" if fault.raw is None else "has sent no answer that can be read"


class Scheduler:
    """Sends requests, at most `concurrency` at a time, each at most `attempts` times, within the budget.

    `answered`: the stages that have answers from earlier sessions. `tell` is called with a line about each long pause.
    """

    def __init__(
        self, concurrency: int, attempts: int, on_fault: Fault, budget: Budget | None = None, *,
        answered: Iterable[str] = (), tell: Callable[[str], None] = lambda line: None, words: Words = GENERATE,
    ):  # fmt: skip
        self.in_flight = 0
        self.paces: set[Pace] = set()  # of the servers called so far
        self.held_until = 0.0  # on the loop's clock: when the next call may be sent, by its server's pace
        self.stopping = asyncio.Event()
        self.budget = budget
        self._concurrency = concurrency
        self._attempts = attempts
        self.on_fault = on_fault
        # One for each model, with separate ones for proposals, which the budget may hold back.
        self._queues: defaultdict[object, deque[Waiting]] = defaultdict(deque)
        self._n_waited = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._is_due = False
        self._between_tries: set[str] = set()  # ids of requests that have failed and are being retried
        self._answered: Counter[object] = Counter(answered)  # by servers, and by stage
        self._malformed: Counter[object] = Counter()  # by servers
        self._calls: defaultdict[str, StageCalls] = defaultdict(StageCalls)
        self._refused: Counter[str] = Counter()  # by stage, since its last answer
        # By stage, since its last answer: how often each request was too long.
        self._too_long: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._tell, self._told_until = tell, -math.inf
        self._words = words

    def look_again(self) -> None:
        """Schedule a check of the queues, after everything that has arrived by now is processed."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._take_turns)

    def stop(self) -> None:
        """Send nothing more. Calls in flight are completed, everything else raises Stopped."""
        self.stopping.set()
        self.look_again()

    async def complete(self, teachers: Sequence[Teacher], request: Request, wanted: Callable[[], bool]) -> Completion:
        """The answer to `request` from any of `teachers`, or a Completion whose `error` says why there is none.

        Raises Stopped if the run stops or `wanted()` becomes false before it is sent; TeacherError if the servers would
        answer no request; BudgetReached if the budget no longer allows it.
        """
        try:
            return await self._complete(teachers, request, wanted)
        finally:
            self._between_tries.discard(request.id)

    async def _complete(self, teachers: Sequence[Teacher], request: Request, wanted: Callable[[], bool]) -> Completion:
        servers = tuple(map(id, teachers))
        failed = malformed = attempt = 0
        answered = self._answered[servers]
        while failed < self._attempts:
            attempt += 1
            try:
                completion = await self._send(teachers, request, wanted)
            except RequestRefused as error:
                is_answered = await self._calls[request.stage].one_is_answered()
                if is_answered or self._is_about_the_request(request, error):
                    return _failure(request, attempt, error)
                fault = TryAgain(error.reason, error.detail)
            except TryAgain as error:
                fault = error
            else:
                self._answered[servers] += 1
                self._answered[request.stage] += 1
                self._too_long[request.stage].clear()
                self._refused[request.stage] = 0
                return completion if attempt == 1 else replace(completion, attempts=attempt)
            tries = fault.tries or self.on_fault(request, attempt, fault)
            self._between_tries.add(request.id)
            may_wait = fault.reason == "http_429" or (fault.unreachable and len(teachers) > 1)
            if may_wait and self._answered[servers] > answered:
                answered = self._answered[servers]  # busy, or one of several: this is no attempt
            else:
                failed += 1
            if fault.raw is not None:
                malformed += 1
                self._malformed[servers] += 1
            if malformed >= MALFORMED_ATTEMPTS:
                if not self._answered[request.stage]:
                    break
                others = self._malformed[servers] - malformed + GARBLED[0]
                if (others / (others + self._answered[servers] + GARBLED[1])) ** malformed < BY_CHANCE:
                    return _failure(request, attempt, fault)
            if fault.unreachable and not self._answered[servers] and attempt == UNREACHABLE_ATTEMPTS * len(teachers):
                break
            if failed < self._attempts:
                # Exponential, with full jitter. Timing only: the data does not depend on it.
                most = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** max(0, failed - 1))
                await self._sleep(random.uniform(0, most))
        # Is the request to blame, or the server? Were others answered while this one kept failing?
        server_is_down = self._answered[servers] == answered and tries < SESSIONS * self._attempts
        if fault.unreachable or server_is_down:
            raise TeacherError(
                f"{self._words.teacher} {_silence(fault, self._answered[servers])} and failed repeatedly ({fault}). "
                f"{self._words.remedy(fault)}, then run the same command again to resume."
            )
        return _failure(request, attempt, fault)

    async def _send(self, teachers: Sequence[Teacher], request: Request, wanted: Callable[[], bool]) -> Completion:
        """One attempt, as soon as there is capacity for it."""
        teacher, call = await self._turn(teachers, request, wanted)
        number = self._calls[request.stage].sent()
        outcome: Outcome = "failed"
        completion: Completion | None = None
        problem: Exception | None = None
        clock = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(teacher.pace.deadline_s):
                completion = await teacher.complete(request)
            outcome = "answered"
            teacher.pace.used(clock(), call, completion.prompt_tokens + completion.completion_tokens)
            return completion
        except TimeoutError as error:
            outcome = "late"
            why = f"; {error.__cause__}" if str(error.__cause__) else ""  # a custom teacher may not have stopped
            problem = TryAgain("deadline", f"no complete answer within {teacher.pace.deadline_s:g} s{why}")
            raise problem from None
        except (RequestRefused, TryAgain, TeacherError) as error:
            problem = error
            if isinstance(error, TryAgain):
                outcome = "refused" if error.reason in BUSY else "failed"
                if error.notice:
                    self._tell(error.notice)
                if error.retry_after_s is not None:
                    teacher.pace.pause(clock(), error.retry_after_s)
                    self._tell_pause(clock(), error, error.retry_after_s)
                elif error.unreachable and len(teachers) > 1:
                    teacher.pace.pause(clock(), AWAY_S)
            raise
        finally:
            if self.budget:
                self.budget.settle(request, completion, problem)
            self._calls[request.stage].ended(number, is_answered=completion is not None)
            self._end(teacher, call, outcome)

    async def _turn(
        self, teachers: Sequence[Teacher], request: Request, wanted: Callable[[], bool]
    ) -> tuple[Teacher, Call]:
        """Wait for a place and for a teacher that may be called; first come, first served."""
        held_back: object = None
        if self.budget is not None and self.budget.is_proposal(request):
            held_back = "new" if self.budget.is_new_proposal(request) else "again"
        self._n_waited += 1
        turn: asyncio.Future[tuple[Teacher, Call]] = asyncio.get_running_loop().create_future()
        self._queues[tuple(map(id, teachers)), held_back].append(
            Waiting(self._n_waited, teachers, request, wanted, turn)
        )
        self.look_again()
        try:
            teacher, call = await turn
            if self.stopping.is_set():
                raise Stopped
            return teacher, call
        except (asyncio.CancelledError, Stopped):
            if turn.done() and not turn.cancelled() and not turn.exception():
                if self.budget:
                    self.budget.settle(request, None, Stopped())
                self._end(*turn.result(), "failed")
            raise

    def _take_turns(self) -> None:
        """Send the requests that may go now: of those at the heads of the queues, the longest-waiting one first."""
        self._is_due = False
        if self._alarm:
            self._alarm.cancel()
        soonest, left = math.inf, AT_A_TURN
        for queue in sorted((q for q in self._queues.values() if q), key=lambda queue: queue[0].number):
            while queue:
                if left == 0:
                    self.look_again()
                    return
                if queue[0].turn.done():  # it was cancelled
                    queue.popleft()
                    continue
                try:
                    wait_s = self._go(queue[0])
                except Exception as error:  # noqa: BLE001  # the waiting request must get it, or would wait forever
                    queue.popleft().turn.set_exception(error)
                    continue
                if wait_s > 0:
                    soonest = min(soonest, wait_s)
                    break
                queue.popleft()
                left -= 1
        if soonest < math.inf:
            self._alarm = asyncio.get_running_loop().call_later(soonest, self._take_turns)

    def _go(self, waiting: Waiting) -> float:
        """Send it and return 0, or return the seconds until it may go; infinite: not before a call has ended."""
        _, teachers, request, wanted, turn = waiting
        if self.stopping.is_set() or not wanted():
            raise Stopped
        now = asyncio.get_running_loop().time()
        if self.budget is not None and not self.budget.fits(request, len(self._between_tries), now):
            return BUDGET_LOOK_S
        if self.in_flight >= self._concurrency:
            return math.inf
        tokens = request.guessed_tokens
        teacher = min(teachers, key=lambda one: (one.pace.wait(now, tokens), one.pace.in_flight))
        wait_s = teacher.pace.wait(now, tokens)
        self.held_until = now + wait_s
        if wait_s <= 0:
            if self.budget:
                self.budget.reserve(request)
            self.in_flight += 1
            self.paces.add(teacher.pace)
            self._between_tries.discard(request.id)
            turn.set_result((teacher, teacher.pace.sent(now, request.stage, tokens)))
        return wait_s

    def _end(self, teacher: Teacher, call: Call, outcome: Outcome) -> None:
        """Free the place of a call that has ended."""
        self.in_flight -= 1
        teacher.pace.ended(asyncio.get_running_loop().time(), call, outcome)
        self.look_again()

    def _is_about_the_request(self, request: Request, error: RequestRefused) -> bool:
        """False if the stage has no answer yet: the settings may be wrong; TeacherError once that is likely.

        If all requests are too long, the server's window is too small, even if some were answered before.
        """
        stage, is_known = request.stage, bool(self._answered[request.stage])
        if error.reason == "content_filter":
            return True
        if error.reason == "context_too_long":
            tries = self._too_long[stage]
            tries[request.id] += 1
            # Without any answer so far, count requests refused twice: one at a time, the next may still be answered.
            n = len(tries) if is_known else sum(n > 1 for n in tries.values())
            if n >= (TOO_LONG_IN_A_ROW if is_known else TOO_LONG_AT_FIRST):
                raise TeacherError(self._words.window_too_small(stage, n, is_known, error.detail))
            return is_known or tries[request.id] >= TOO_LONG_TRIES
        self._refused[stage] += 1
        n = REFUSALS_LATER if is_known else min(REFUSALS_IN_A_ROW, self._attempts)
        if self._refused[stage] >= n:
            which = "latest" if is_known else "first"
            all_of_them = f"The {which} {n} {stage} requests were all" if n > 1 else f"The {which} {stage} request was"
            what = f"{all_of_them} refused: {error}"
            raise TeacherError(self._words.refused(what, stage, request.sampling, is_known=is_known))
        return is_known

    def _tell_pause(self, now: float, error: TryAgain, seconds: float) -> None:
        """Announce each long pause once."""
        if seconds >= LONG_PAUSE_S and now >= self._told_until:
            self._told_until = now + seconds
            length = f"{seconds / 60:,.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
            self._tell(
                f"The server asks for a pause of {length} ({error}). No calls are sent to it during the pause. "
                "Ctrl-C stops the run; the same command resumes it."
            )

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but wake up and raise Stopped as soon as the run stops."""
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return
        raise Stopped


def _failure(request: Request, attempts: int, why: RequestRefused | TryAgain) -> Completion:
    """The completion that is stored for a request without an answer."""
    return Completion(request.id, "", "error", attempts=attempts, error=str(why), raw=why.raw or "")
