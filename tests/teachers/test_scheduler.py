"""The scheduler against scripted teachers, on a loop whose clock jumps ahead whenever everybody sleeps."""

import asyncio
from collections import Counter
from functools import partial

import pytest

from selfinstruct.errors import RequestRefused, Stopped, TeacherError, TryAgain
from selfinstruct.records import Completion, Request
from selfinstruct.teachers.scheduler import (
    MALFORMED_ATTEMPTS,
    REFUSALS_IN_A_ROW,
    REFUSALS_LATER,
    TOO_LONG_AT_FIRST,
    TOO_LONG_IN_A_ROW,
    TOO_LONG_TRIES,
    UNREACHABLE_ATTEMPTS,
    Scheduler,
)
from selfinstruct.testing import ScriptedTeacher
from tests.virtual_time import play, settle


def request(name="a", stage="propose"):
    return Request(stage, "scripted", "m", "chat", "", name, {})


class Scripted(ScriptedTeacher):
    """Gives its results in order, then answers everything; waits for `gate` in each call while that is closed."""

    def __init__(self, *results):
        super().__init__()
        self.in_flight = self.peak = self.cancelled = 0
        self.gate = asyncio.Event()
        self.gate.set()
        for result in results:
            self.enqueue(partial(self.give, result))
        self.enqueue(partial(self.give, None), repeat=True)

    @property
    def calls(self):
        return [request.user for request in self.requests]

    async def give(self, result, request):
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await self.gate.wait()
            if result == "never":
                await asyncio.Event().wait()
            return result or f"answer to {request.user}"
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1


class Sending:
    """A scheduler, and the faults that it has reported."""

    def __init__(self, concurrency=4, deadline_s=60.0, attempts=12, failed_before=0):
        self.faults = []
        self.failed_before = failed_before  # tries of each request in earlier sessions
        self.deadline_s = deadline_s
        self.scheduler = Scheduler(concurrency, attempts, self.note)

    def note(self, request, attempt, fault):
        self.faults.append((request.user, attempt, fault.reason))
        return self.failed_before + sum(user == request.user for user, _, _ in self.faults)

    async def send(self, teacher, name="a", stage="propose", wanted=lambda: True):
        teacher.pace.deadline_s = self.deadline_s
        return await self.scheduler.complete((teacher,), request(name, stage), wanted)

    def begin(self, teacher, *names, **options):
        return [asyncio.create_task(self.send(teacher, name, **options)) for name in names]


def busy(**options):
    return TryAgain("http_503", "overloaded", **options)


async def outcomes(tasks):
    return await asyncio.gather(*tasks, return_exceptions=True)


# Places.


def test_no_more_than_concurrency_calls_are_in_flight():
    async def scene():
        sending, teacher = Sending(concurrency=3), Scripted()
        teacher.gate.clear()
        tasks = sending.begin(teacher, *"abcdefghijklmnopqrst")
        await settle()
        assert teacher.in_flight == sending.scheduler.in_flight == 3
        assert teacher.calls == ["a", "b", "c"]
        teacher.gate.set()
        answers = await asyncio.gather(*tasks)
        assert [answer.text for answer in answers] == [f"answer to {name}" for name in "abcdefghijklmnopqrst"]
        assert teacher.peak == 3
        assert sending.scheduler.in_flight == 0

    play(scene())


def test_with_one_place_calls_are_made_one_by_one_in_order():
    async def scene():
        sending, teacher = Sending(concurrency=1), Scripted()
        await asyncio.gather(*sending.begin(teacher, *"abcde"))
        assert (teacher.peak, teacher.calls) == (1, list("abcde"))

    play(scene())


def test_a_waiting_retry_holds_no_place():
    async def scene():
        sending, teacher = Sending(concurrency=1), Scripted(busy())
        (first,) = sending.begin(teacher, "a")
        await settle()
        assert (sending.faults, sending.scheduler.in_flight) == ([("a", 1, "http_503")], 0)
        teacher.gate.clear()
        (second,) = sending.begin(teacher, "b")
        await settle()
        assert (teacher.calls, teacher.in_flight) == (["a", "b"], 1)
        teacher.gate.set()
        answers = await asyncio.gather(first, second)
        assert [answer.attempts for answer in answers] == [2, 1]
        assert teacher.calls == ["a", "b", "a"]

    play(scene())


@pytest.mark.parametrize("error", [ValueError("a mistake of ours"), TeacherError("wrong key")])
def test_an_error_that_no_retry_can_mend_passes_at_once_and_frees_its_place(error):
    async def scene():
        sending, teacher = Sending(concurrency=1), Scripted(error)
        with pytest.raises(type(error), match=str(error)):
            await sending.send(teacher)
        assert (len(teacher.calls), sending.faults, sending.scheduler.in_flight) == (1, [], 0)
        assert (await sending.send(teacher, "b")).text == "answer to b"

    play(scene())


def test_a_cancelled_call_frees_its_place():
    async def scene():
        sending, teacher = Sending(concurrency=1), Scripted("never")
        (task,) = sending.begin(teacher, "a")
        await settle()
        task.cancel()
        assert isinstance((await outcomes([task]))[0], asyncio.CancelledError)
        assert (teacher.cancelled, sending.scheduler.in_flight) == (1, 0)
        assert (await sending.send(teacher, "b")).text == "answer to b"

    play(scene())


# Trying again.


def test_an_answer_at_once_is_passed_on_as_it_came():
    async def scene():
        sending, teacher = Sending(), Scripted()
        answer = await sending.send(teacher)
        assert answer == Completion(request().id, "answer to a", "stop", attempts=1)
        assert sending.faults == []

    play(scene())


def test_every_fault_is_reported_and_the_tries_are_counted():
    async def scene():
        faults = [busy(), TryAgain("connection", "reset"), TryAgain("http_429", "slow down", retry_after_s=0.0)]
        sending, teacher = Sending(), Scripted(*faults)
        answer = await sending.send(teacher)
        assert (answer.attempts, answer.error) == (4, None)
        assert sending.faults == [("a", 1, "http_503"), ("a", 2, "connection"), ("a", 3, "http_429")]

    play(scene())


def test_a_request_that_fails_for_good_becomes_a_completion_where_the_teacher_has_answered_before():
    async def scene():
        sending, teacher = Sending(attempts=3), Scripted(busy(), None, busy(), busy())
        (failing,) = sending.begin(teacher, "a")
        await settle()
        await sending.send(teacher, "meanwhile")
        failed = await failing
        assert failed == Completion(request().id, "", "error", attempts=3, error="http_503: overloaded")
        assert len(sending.faults) == 3
        assert (await sending.send(teacher, "after")).text == "answer to after"

    play(scene())


def test_a_teacher_that_answers_nobody_any_more_stops_the_run():
    async def scene():
        sending, teacher = Sending(attempts=3), Scripted(None, *[busy()] * 3)
        await sending.send(teacher, "before")
        with pytest.raises(TeacherError, match=r"has stopped answering.*overloaded.*same command again"):
            await sending.send(teacher)

    play(scene())


def test_a_server_that_cannot_be_reached_any_more_stops_the_run_whoever_was_answered_before():
    async def scene():
        gone = TryAgain("connection", "refused", unreachable=True)
        sending, teacher = Sending(attempts=3), Scripted(gone, None, gone, gone)
        (failing,) = sending.begin(teacher, "a")
        await settle()
        await sending.send(teacher, "meanwhile")
        with pytest.raises(TeacherError, match="has stopped answering"):
            await failing

    play(scene())


def test_a_request_that_failed_in_three_sessions_is_to_blame_itself():
    async def scene():
        sending, teacher = Sending(attempts=2, failed_before=4), Scripted(busy(), busy())
        assert (await sending.send(teacher)).error == "http_503: overloaded"

    play(scene())


def test_a_busy_server_uses_up_no_tries_as_long_as_it_answers_others():
    async def scene():
        slow_down = TryAgain("http_429", "slow down", retry_after_s=0.0)
        sending, teacher = Sending(concurrency=1, attempts=2), Scripted(*[slow_down, None] * 6)
        answers = await asyncio.gather(*sending.begin(teacher, *"abcdef"))
        assert [answer.error for answer in answers] == [None] * 6
        with pytest.raises(TeacherError):
            for _ in range(3):
                teacher.enqueue(slow_down)
            await sending.send(teacher, "g")

    play(scene())


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (busy(), r"not answered at all.*overloaded.*--base-url"),
        (TryAgain("http_429", "slow down", retry_after_s=0.0), r"not answered at all.*slow down.*lower concurrency"),
        (TryAgain("malformed_answer", "no JSON", raw="<p>"), r"has sent no answer that can be read.*--base-url"),
    ],
)
def test_a_teacher_that_never_answered_stops_the_run(fault, says):
    async def scene():
        sending, teacher = Sending(attempts=3), Scripted(*[fault] * 3)
        with pytest.raises(TeacherError, match=says):
            await sending.send(teacher)
        assert len(teacher.calls) == len(sending.faults) == 3

    play(scene())


def test_each_teacher_has_to_answer_for_itself():
    async def scene():
        sending, good, bad = Sending(attempts=2), Scripted(), Scripted(busy(), busy())
        await sending.send(good)
        with pytest.raises(TeacherError):
            await sending.send(bad)

    play(scene())


def test_a_server_that_cannot_be_reached_at_the_start_is_given_up_soon():
    async def scene():
        sending, teacher = Sending(), Scripted(*[TryAgain("connection", "refused", unreachable=True)] * 12)
        with pytest.raises(TeacherError, match="refused"):
            await sending.send(teacher)
        assert len(teacher.calls) == UNREACHABLE_ATTEMPTS == 3

    play(scene())


def test_a_server_that_goes_away_later_is_waited_for():
    async def scene():
        gone = TryAgain("connection", "refused", unreachable=True)
        sending, teacher = Sending(), Scripted(None, *[gone] * 11)
        await sending.send(teacher, "before")
        answer = await sending.send(teacher)
        assert (answer.error, answer.attempts) == (None, 12)

    play(scene())


def test_nobody_waits_after_the_last_try():
    async def scene():
        sending, teacher = Sending(attempts=1), Scripted(None, busy())
        await sending.send(teacher, "before")
        (task,) = sending.begin(teacher, "a")
        await settle()
        gave_up = task.done()
        await outcomes([task])
        assert gave_up

    play(scene())


# Deadlines.


def test_a_call_that_takes_too_long_is_given_up_and_tried_again():
    async def scene():
        sending, teacher = Sending(deadline_s=5), Scripted("never", "never")
        answer = await sending.send(teacher)
        assert (answer.attempts, answer.text) == (3, "answer to a")
        assert sending.faults == [("a", 1, "deadline"), ("a", 2, "deadline")]
        assert (teacher.cancelled, teacher.in_flight, sending.scheduler.in_flight) == (2, 0, 0)

    play(scene())


def test_a_call_that_always_takes_too_long_becomes_a_completion():
    async def scene():
        sending, teacher = Sending(deadline_s=2.5, attempts=2), Scripted("never", None, "never")
        (failing,) = sending.begin(teacher, "a")
        await settle()
        await sending.send(teacher, "meanwhile")
        assert (await failing).error == "deadline: no complete answer within 2.5 s"

    play(scene())


def test_a_server_that_is_only_slow_needs_a_longer_deadline():
    async def scene():
        sending, teacher = Sending(deadline_s=2.5, attempts=2), Scripted("never", "never")
        with pytest.raises(TeacherError, match=r"within 2\.5 s.*set a longer deadline_s under \[running\], or lower"):
            await sending.send(teacher)

    play(scene())


# A server that says "wait".


def test_a_pause_that_the_server_asked_for_holds_for_every_call_to_it_and_for_no_other():
    async def scene():
        sending, teacher, other = Sending(), Scripted(busy(retry_after_s=3600)), Scripted()
        tasks = sending.begin(teacher, "a")
        await settle()
        tasks += sending.begin(teacher, "b", "c")
        (elsewhere,) = sending.begin(other, "d")
        await settle()
        assert teacher.calls == ["a"]
        assert elsewhere.result().text == "answer to d"
        sending.scheduler.stop()
        assert [type(result) for result in await outcomes(tasks)] == [Stopped] * 3
        assert teacher.calls == ["a"]

    play(scene())


def test_a_pause_holds_for_calls_that_wait_for_a_place_already():
    async def scene():
        sending, teacher = Sending(concurrency=1), Scripted(busy(retry_after_s=3600))
        tasks = sending.begin(teacher, "a", "b", "c")
        await settle()
        calls = list(teacher.calls)
        sending.scheduler.stop()
        await outcomes(tasks)
        assert calls == ["a"]

    play(scene())


def test_a_pause_is_heard_of_before_all_that_may_go_have_gone():
    async def scene():
        sending, teacher = Sending(concurrency=100), Scripted(busy(retry_after_s=3600))
        tasks = sending.begin(teacher, *map(str, range(100)))
        await settle()
        assert 0 < len(teacher.calls) < 10
        sending.scheduler.stop()
        assert [type(result) for result in await outcomes(tasks)].count(Stopped) > 90

    play(scene())


def test_what_goes_wrong_while_a_turn_is_given_reaches_whoever_waits_for_it():
    async def scene():
        sending, teacher = Sending(), Scripted()

        def mistaken():
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await sending.send(teacher, wanted=mistaken)
        assert (await sending.send(teacher, "b")).text == "answer to b"

    play(scene())


def test_a_short_pause_does_not_shorten_a_longer_one():
    async def scene():
        sending, teacher = Sending(), Scripted(busy(retry_after_s=3600), busy(retry_after_s=0.0))
        tasks = sending.begin(teacher, "a", "b")  # both are in flight when the answers come
        await settle()
        assert len(sending.faults) == 2
        tasks += sending.begin(teacher, "c")
        await settle()
        assert teacher.calls == ["a", "b"]
        sending.scheduler.stop()
        assert [type(result) for result in await outcomes(tasks)] == [Stopped] * 3

    play(scene())


def test_after_the_pause_all_calls_are_made():
    async def scene():
        sending, teacher = Sending(concurrency=1), Scripted(busy(retry_after_s=0.02))
        answers = await asyncio.gather(*sending.begin(teacher, *"abc"))
        assert sorted(teacher.calls) == ["a", "a", "b", "c"]
        assert [answer.error for answer in answers] == [None] * 3

    play(scene())


# Refusals.


def refused():
    return RequestRefused("http_400", "unknown parameter")


@pytest.mark.parametrize(
    ("attempts", "n", "first"),
    [(12, REFUSALS_IN_A_ROW, "5 propose requests were all"), (3, 3, "3 propose requests were all"),
     (1, 1, "propose request was")],
)  # fmt: skip
def test_the_first_refusals_in_a_row_of_a_stage_stop_the_run(attempts, n, first):
    async def scene():
        sending, teacher = Sending(attempts=attempts), Scripted(*[refused()] * 9)
        with pytest.raises(TeacherError, match=rf"The first {first} refused: .*unknown parameter.*\[propose\]"):
            await sending.send(teacher)
        assert len(teacher.calls) == n

    play(scene())


@pytest.mark.parametrize(("reason", "first"), [("content_filter", ()), ("context_too_long", (None,))])
def test_a_refusal_that_is_about_the_request_is_believed_at_once(reason, first):
    async def scene():
        sending, teacher = Sending(), Scripted(*first, *[RequestRefused(reason, "no")] * 9)
        for _ in first:
            await sending.send(teacher)
        answers = [await sending.send(teacher, str(n)) for n in range(9)]
        assert {(a.error, a.finish_reason, a.attempts) for a in answers} == {(f"{reason}: no", "error", 1)}

    play(scene())


def too_long():
    return RequestRefused("context_too_long", "9,000 tokens, 512 fit")


def test_a_stage_that_is_too_long_from_the_first_request_on_stops_the_run_and_stores_nothing():
    async def scene():
        sending, teacher = Sending(), Scripted(*[too_long()] * 9)
        with pytest.raises(TeacherError, match="all too long for the server's context window: 9,000 tokens, 512 fit"):
            await asyncio.gather(*sending.begin(teacher, *"abc"))
        tries = Counter(teacher.calls)  # how often the first two were tried meanwhile depends on the random pauses
        assert len(tries) == TOO_LONG_AT_FIRST
        assert min(tries.values()) == tries[teacher.calls[-1]] == 2

    play(scene())


def test_a_long_request_at_the_very_beginning_does_not_stop_the_run():
    async def scene():
        sending, teacher = Sending(), Scripted(*[too_long()] * TOO_LONG_TRIES, None)
        assert (await sending.send(teacher, "long")).error == "context_too_long: 9,000 tokens, 512 fit"
        assert not (await sending.send(teacher, "short")).error

    play(scene())


def test_a_stage_that_is_too_long_again_and_again_stops_the_run():
    async def scene():
        sending, teacher = Sending(), Scripted(None, *[too_long()] * 99)
        await sending.send(teacher)
        for n in range(TOO_LONG_IN_A_ROW - 1):
            assert (await sending.send(teacher, str(n))).error
        with pytest.raises(TeacherError, match=r"latest 20 propose requests .* larger window"):
            await sending.send(teacher, "last")

    play(scene())


def test_one_long_request_among_others_is_stored_also_in_a_later_session():
    async def scene():
        sending, teacher = Sending(), Scripted(too_long())
        sending.scheduler = Scheduler(4, 12, sending.note, answered=["propose"])
        assert (await sending.send(teacher)).error == "context_too_long: 9,000 tokens, 512 fit"

    play(scene())


def test_a_long_pause_is_told_in_the_servers_words_and_once():
    async def scene():
        told = []
        pause = TryAgain("http_429", "tokens per day: 99,815 of 100,000 used", retry_after_s=3012.0)
        sending, teacher = Sending(), Scripted(pause, pause, pause)
        sending.scheduler = Scheduler(4, 12, sending.note, tell=told.append)
        await asyncio.gather(*sending.begin(teacher, *"abc"))
        (line,) = told
        assert "a pause of 50 minutes (http_429: tokens per day: 99,815 of 100,000 used)" in line

    play(scene())


def test_a_stage_that_was_answered_before_may_be_refused_now_and_then_but_not_for_good():
    async def scene():
        some = [refused()] * (REFUSALS_LATER - 1)
        sending, teacher = Sending(), Scripted(None, *some, None, *some, refused())
        await sending.send(teacher)
        for _ in range(2):
            answers = [await sending.send(teacher, str(n)) for n in range(REFUSALS_LATER - 1)]
            assert {answer.error for answer in answers} == {"http_400: unknown parameter"}
            if len(teacher.calls) == REFUSALS_LATER:
                await sending.send(teacher, "between")
        with pytest.raises(
            TeacherError, match=r"The latest 20 propose requests were all refused: .* Earlier ones were"
        ):
            await sending.send(teacher, "last")

    play(scene())


@pytest.mark.parametrize("reason", ["http_400", "context_too_long"])
@pytest.mark.parametrize("is_known", [True, False])
def test_quick_refusals_among_slow_answers_stop_no_run(reason, is_known):
    async def scene():
        async def give(result, seconds, request):
            await asyncio.sleep(seconds)
            return result

        teacher, sending = ScriptedTeacher(), Sending()
        sending.scheduler = Scheduler(32, 12, sending.note, answered=["propose"] * is_known)
        for n in range(200):
            some = n % 10 == 9
            teacher.enqueue(partial(give, "answer" if some else RequestRefused(reason, "no"), 5 if some else 0.01))
        answers = await asyncio.gather(*sending.begin(teacher, *map(str, range(200))))
        assert Counter(answer.error for answer in answers) == {None: 20, f"{reason}: no": 180}
        assert {answer.attempts for answer in answers} == {1}

    play(scene())


def test_what_is_refused_beside_a_call_without_an_answer_waits_for_its_end():
    async def scene():
        sending, teacher = Sending(deadline_s=60.0), Scripted(None, "never", *[refused()] * 99)
        await sending.send(teacher, "before")
        others = sending.begin(teacher, *map(str, range(REFUSALS_LATER + 1)))
        await asyncio.sleep(59)
        assert not any(other.done() for other in others)
        with pytest.raises(TeacherError, match="latest 20 propose requests were all refused"):
            await asyncio.gather(*others)

    play(scene())


def test_refusals_are_counted_by_stage():
    async def scene():
        sending, teacher = Sending(), Scripted(None, *[refused()] * 9)
        await sending.send(teacher, stage="propose")
        assert (await sending.send(teacher, stage="propose")).error == "http_400: unknown parameter"
        with pytest.raises(TeacherError, match=r"\[classify\]"):
            await sending.send(teacher, stage="classify")
        assert len(teacher.calls) == 2 + REFUSALS_IN_A_ROW

    play(scene())


def test_a_refusal_is_not_tried_again_and_says_how_many_tries_there_were():
    async def scene():
        sending, teacher = Sending(), Scripted(None, busy(), refused())
        await sending.send(teacher, "before")
        answer = await sending.send(teacher)
        assert (answer.attempts, len(teacher.calls)) == (2, 3)

    play(scene())


# Answers that are none.


def malformed(number=0):
    return TryAgain("malformed_answer", "no choices", raw=f'{{"n": {number}}}')


def test_an_unreadable_answer_is_asked_for_four_times_and_the_last_one_is_kept():
    async def scene():
        sending, teacher = Sending(), Scripted(None, *map(malformed, range(1, 9)))
        await sending.send(teacher, "before")
        answer = await sending.send(teacher)
        assert answer == Completion(
            request().id, "", "error", attempts=4, error="malformed_answer: no choices", raw='{"n": 4}'
        )
        assert sending.faults == [("a", n, "malformed_answer") for n in range(1, MALFORMED_ATTEMPTS + 1)]

    play(scene())


def test_where_a_server_garbles_many_answers_a_request_is_given_more_tries():
    """Half of the answers of others cannot be read: four in a row say nothing of this request."""

    async def scene():
        sending, teacher = Sending(), Scripted(*[malformed(), None] * 60, *map(malformed, range(7)))
        for number in range(60):
            await sending.send(teacher, f"before {number}")
        assert (await sending.send(teacher)).error is None
        assert teacher.calls.count("a") == 8

    play(scene())


def test_other_faults_do_not_count_as_unreadable_answers():
    async def scene():
        faults = [fault for n in range(3) for fault in (malformed(n), busy(), busy())]
        sending, teacher = Sending(), Scripted(*faults)
        answer = await sending.send(teacher)
        assert (answer.error, answer.attempts) == (None, 10)

    play(scene())


def test_a_server_that_gives_nothing_but_unreadable_answers_stops_the_run():
    async def scene():
        sending, teacher = Sending(), Scripted(*map(malformed, range(100)))
        with pytest.raises(TeacherError, match="no choices"):
            await sending.send(teacher)
        assert len(teacher.calls) == MALFORMED_ATTEMPTS

    play(scene())


# Stopping.


def test_on_a_stop_calls_in_flight_end_and_queued_ones_are_not_sent():
    async def scene():
        sending, teacher = Sending(concurrency=2), Scripted()
        teacher.gate.clear()
        tasks = sending.begin(teacher, *"abcde")
        await settle()
        sending.scheduler.stop()
        await settle()
        assert teacher.in_flight == 2
        teacher.gate.set()
        results = await outcomes(tasks)
        assert [type(result) for result in results] == [Completion] * 2 + [Stopped] * 3
        assert [result.text for result in results[:2]] == ["answer to a", "answer to b"]
        assert teacher.calls == ["a", "b"]

    play(scene())


def test_on_a_stop_a_waiting_retry_gives_up_at_once():
    async def scene():
        sending, teacher = Sending(), Scripted(busy(retry_after_s=3600))
        (task,) = sending.begin(teacher, "a")
        await settle()
        assert len(sending.faults) == 1
        sending.scheduler.stop()
        await settle()
        assert task.done()
        assert isinstance(task.exception(), Stopped)
        assert teacher.calls == ["a"]

    play(scene())


def test_a_fault_during_the_stop_is_reported_and_not_tried_again():
    async def scene():
        sending, teacher = Sending(), Scripted(busy())
        teacher.gate.clear()
        (task,) = sending.begin(teacher, "a")
        await settle()
        sending.scheduler.stop()
        teacher.gate.set()
        (result,) = await outcomes([task])
        assert isinstance(result, Stopped)
        assert (teacher.calls, sending.faults) == (["a"], [("a", 1, "http_503")])

    play(scene())


def test_after_a_stop_nothing_is_sent():
    async def scene():
        sending, teacher = Sending(), Scripted()
        sending.scheduler.stop()
        with pytest.raises(Stopped):
            await sending.send(teacher)
        assert teacher.calls == []

    play(scene())


def test_what_nobody_wants_any_more_is_not_sent():
    async def scene():
        sending, teacher = Sending(concurrency=1), Scripted()
        teacher.gate.clear()
        is_wanted = True
        tasks = sending.begin(teacher, "a", "b", "c", wanted=lambda: is_wanted)
        await settle()
        is_wanted = False
        teacher.gate.set()
        results = await outcomes(tasks)
        assert [type(result) for result in results] == [Completion, Stopped, Stopped]
        assert teacher.calls == ["a"]
        assert not sending.scheduler.stopping.is_set()
        assert (await sending.send(teacher, "d")).text == "answer to d"

    play(scene())


def test_what_nobody_wants_any_more_is_not_tried_again():
    async def scene():
        sending, teacher = Sending(), Scripted(busy())
        with pytest.raises(Stopped):
            await sending.send(teacher, wanted=lambda: not sending.faults)
        assert teacher.calls == ["a"]

    play(scene())
