"""The pace of calls, on virtual time: a simulated limiter behind a network, and workers behind the scheduler."""

import asyncio
import math
import random
from collections import Counter
from contextlib import suppress
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfinstruct.errors import TryAgain
from selfinstruct.records import Completion, Request
from selfinstruct.simulated.server.rate_limits import RateLimit
from selfinstruct.teachers.bucket import Bucket, Room
from selfinstruct.teachers.pacing import AT_ONCE, Pace
from selfinstruct.teachers.rate_limits import duration_s, retry_after_s, rooms
from selfinstruct.teachers.scheduler import Scheduler
from selfinstruct.teachers.throttle import Throttle
from tests.virtual_time import play

NETWORK_S = 0.002
WORKERS = 256


class Limited:
    """A server with limits: `is_full(now)` says whether it refuses the call that comes in now."""

    def __init__(
        self, *limits, latency=lambda: 0.1, headers=False, retry_after_s=None, is_full=None, pace=None, used=15
    ):
        self.pace = pace or Pace(WORKERS)
        self.limits = limits
        self.latency = latency
        self.headers = headers
        self.retry_after_s = retry_after_s
        self.is_full = is_full or (lambda now: False)
        self.used = used  # tokens of an answer with its prompt
        self.refused = []  # when each refusal went out
        self.came = []  # when each call came in
        self.answered = []  # when each answer went out

    async def complete(self, request):
        await asyncio.sleep(NETWORK_S)
        now = asyncio.get_running_loop().time()
        self.came.append(now)
        is_refused = any(limit.wait(now) > 0 for limit in self.limits) or self.is_full(now)
        if not is_refused:
            for limit in self.limits:
                limit.take(now)
        headers = self.limits[0].headers(now) if self.headers else {}
        await asyncio.sleep(NETWORK_S if is_refused else self.latency() + NETWORK_S)
        self.pace.heard(*rooms(headers))
        if is_refused:
            self.refused.append(now)
            raise TryAgain("http_429", "slow down", retry_after_s=self.retry_after_s)
        self.answered.append(asyncio.get_running_loop().time())
        return Completion(request.id, "yes", "stop", 5, self.used - 5)


class Seen(NamedTuple):
    """How a run of calls went: seconds in all, answers a second in its second half, share of refused calls."""

    wall_s: float
    rate: float
    refused: float


async def calls(n, *servers, workers=WORKERS, attempts=12, sampling=None):
    """Make `n` calls through the scheduler; gives the time when they are over."""
    random.seed(1)  # of the pauses before another try
    scheduler = Scheduler(workers, attempts, lambda request, attempt, fault: 1)
    numbers = iter(range(n))

    async def work():
        for number in numbers:
            request = Request("propose", "scripted", "m", "chat", "", str(number), sampling or {})
            completion = await scheduler.complete(servers, request, lambda: True)
            assert completion.error is None

    await asyncio.gather(*(work() for _ in range(workers)))
    return asyncio.get_running_loop().time()


def seen(n, server, **options) -> Seen:
    wall_s = play(calls(n, server, **options))
    answered = sorted(server.answered)
    half = len(answered) // 2
    rate = (len(answered) - half - 1) / (answered[-1] - answered[half])
    return Seen(wall_s, rate, len(server.refused) / (n + len(server.refused)))


def window(most, seconds):
    """A limit that counts in windows of so many seconds, and refuses what is more than `most`."""
    counts = Counter()

    def is_full(now):
        counts[now // seconds] += 1
        return counts[now // seconds] > most

    return is_full


def now_and_then(share):
    """Refusals that have nothing to do with the rate."""
    rng = random.Random(5)
    return lambda now: rng.random() < share


# What servers bear.

HEADERS, RETRY_AFTER, NOTHING = {"headers": True}, {"retry_after_s": 1}, {}


@pytest.mark.parametrize(("says", "n"), [(HEADERS, 2000), (RETRY_AFTER, 2000), (NOTHING, 2500)], ids=str)
def test_100_calls_a_second_are_made_where_the_server_bears_100(says, n):
    server = Limited(RateLimit(100, 1), **says)
    found = seen(n, server)
    half_s = sorted(server.answered)[n // 2 - 1]
    assert half_s == pytest.approx((n // 2 - 100) / 100, rel=0.1)
    assert sum(at < half_s for at in server.refused) < 0.02 * n // 2
    assert found.rate == pytest.approx(100, rel=0.05)
    assert found.refused < 0.02


@pytest.mark.parametrize(("retry_after_s", "limit", "n"), [(1, 600, 2000), (5, 300, 1000), (30, 300, 1000)])
def test_a_limit_a_minute_is_met_where_the_server_says_when_to_come_again(retry_after_s, limit, n):
    found = seen(n, Limited(RateLimit(limit, 60), retry_after_s=retry_after_s))
    assert found.wall_s == pytest.approx((n - limit) / limit * 60, rel=0.1)
    assert found.refused < 0.02


def test_a_limit_a_minute_that_the_server_tells_is_met_without_refusals():
    found = seen(900, Limited(RateLimit(600, 60), headers=True))
    assert found.wall_s == pytest.approx((900 - 600) / 10, rel=0.1)
    assert found.refused < 0.02


def test_a_limit_a_minute_that_the_server_does_not_tell_is_found_out():
    found = seen(1500, Limited(RateLimit(300, 60)))
    assert found.wall_s == pytest.approx((1500 - 300) / 5, rel=0.1)
    assert found.rate == pytest.approx(5, rel=0.05)
    assert found.refused < 0.03


def test_a_rate_that_is_raised_again_and_again_is_cut_again_and_again():
    found = seen(2500, Limited(RateLimit(200, 1), retry_after_s=0.1))
    assert found.rate == pytest.approx(200, rel=0.05)
    assert found.refused < 0.01


@pytest.mark.parametrize(("retry_after_s", "rate", "n", "refused"), [(None, 200, 4000, 0.05), (0.1, 100, 2000, 0.02)])
def test_a_server_that_bears_no_two_calls_at_once_gets_them_evenly(retry_after_s, rate, n, refused):
    found = seen(n, Limited(RateLimit(rate, 1, burst=1), retry_after_s=retry_after_s))
    assert found.rate > 0.5 * rate
    assert found.refused < refused


@pytest.mark.parametrize(("most", "seconds", "n"), [(600, 60, 3000), (100, 1, 2000)])
def test_limits_that_count_in_windows_are_used(most, seconds, n):
    found = seen(n, Limited(is_full=window(most, seconds)))
    assert found.wall_s < 2 * n / most * seconds
    assert found.refused < 0.06


def test_windows_are_used_where_the_server_says_when_to_come_again():
    found = seen(2000, Limited(is_full=window(100, 1), retry_after_s=0.5))
    assert found.wall_s == pytest.approx(20, rel=0.1)
    assert found.refused < 0.02


@pytest.mark.parametrize(
    ("says", "before", "then", "n"),
    [
        *((says, 100, 50, 2000) for says in (HEADERS, RETRY_AFTER, NOTHING)),
        (HEADERS, 50, 400, 4000), (RETRY_AFTER, 50, 200, 8000), (NOTHING, 50, 200, 5000),
    ],
    ids=str,
)  # fmt: skip
def test_a_limit_that_changes_in_mid_run_is_followed(says, before, then, n):
    server = Limited(RateLimit(before, 1), **says)

    async def scene():
        asyncio.get_running_loop().call_later(10, setattr, server, "limits", (RateLimit(then, 1),))
        await calls(n, server)

    play(scene())
    n_last = min(n // 4, 1000)
    last = sorted(server.answered)[-n_last:]
    assert (n_last - 1) / (last[-1] - last[0]) == pytest.approx(then, rel=0.15)
    assert len(server.refused) < 0.06 * n


def test_a_pause_after_a_time_with_little_to_do_does_not_bring_the_rate_down_to_that():
    throttle = Throttle()
    slow = [float(at) for at in range(600)]
    fast = [600 + n / 100 for n in range(9010)]
    for at in slow + fast:
        throttle.sent(at)
    throttle.paused(1)
    throttle.refused(690.2, sent_at=fast[-1], is_paused=True)
    throttle.sent(691.2)
    assert throttle.rate > 50


def test_pauses_that_have_nothing_to_do_with_the_rate_do_not_bring_it_down_again_and_again():
    disturbed = seen(1000, Limited(is_full=now_and_then(0.05), retry_after_s=1))
    assert disturbed.wall_s < 2 * 0.05 * 1000  # as many pauses of a second as there are refusals, and as long between


@pytest.fixture(scope="module")
def undisturbed_s():
    """What 2500 calls take at a server that refuses none."""
    return seen(2500, Limited()).wall_s


def test_refusals_that_have_nothing_to_do_with_the_rate_do_not_bring_it_down(undisturbed_s):
    assert seen(2500, Limited(is_full=now_and_then(0.05))).wall_s < 2 * undisturbed_s


@pytest.mark.parametrize(("retry_after", "longer"), [(None, 2.5), (1, 1.2)])
def test_a_server_that_was_away_is_soon_called_as_often_as_before(undisturbed_s, retry_after, longer):
    away_s = 20
    server = Limited(is_full=lambda now: 1 <= now < 1 + away_s, retry_after_s=retry_after)
    assert seen(2500, server).wall_s < longer * (undisturbed_s + away_s)


# What the user allows.


def busiest(times, weights, seconds=60.0):
    """The most that came within any `seconds`."""
    most = total = first = 0
    for last, at in enumerate(times):
        total += weights[last]
        while times[first] <= at - seconds + 1e-6:
            total -= weights[first]
            first += 1
        most = max(most, total)
    return most


@pytest.mark.parametrize("per_minute", [1, 7, 60, 90, 600, 3000])
def test_the_users_own_limit_of_calls_holds_in_every_minute_and_is_used(per_minute):
    server = Limited(latency=lambda: random.uniform(0, 3), pace=Pace(WORKERS, requests_per_minute=per_minute))
    n = min(3 * per_minute, 4500) + 2
    play(calls(n, server))
    assert busiest(server.came, [1] * n) <= per_minute
    assert n / (server.came[-1] - server.came[0]) * 60 >= 0.95 * per_minute


@pytest.mark.parametrize(("size", "per_minute"), [(100, 60_000), (1000, 60_000), (4000, 60_000), (4000, 3000)])
def test_the_users_own_limit_of_tokens_holds_in_every_minute_and_is_used(size, per_minute):
    server = Limited(pace=Pace(WORKERS, tokens_per_minute=per_minute), used=size)
    n = max(10, 3 * per_minute // size)
    play(calls(n, server, sampling={"max_tokens": size}))
    too_large = max(0, size - per_minute / 60)  # for the bucket: by so much one call may be over
    assert busiest(server.came, [size] * n) <= per_minute + too_large
    assert n * size / (server.came[-1] - server.came[0]) * 60 >= 0.9 * per_minute


def test_tokens_that_an_answer_did_not_need_are_given_back():
    def wall_s(used):
        server = Limited(pace=Pace(WORKERS, tokens_per_minute=60_000), used=used)
        return play(calls(300, server, sampling={"max_tokens": 1000}))

    assert wall_s(used=100) < 0.2 * wall_s(used=1000)


# Who is held back.


def test_a_pause_holds_for_all_calls_of_that_server_and_for_no_other():
    busy = Limited(is_full=lambda now: now < 1, retry_after_s=50)
    other = Limited()

    async def scene():
        await asyncio.gather(calls(40, busy, workers=40), calls(400, other, workers=40))

    play(scene())
    assert max(other.answered) < 5
    assert AT_ONCE <= len([at for at in busy.came if at < 49]) <= AT_ONCE + 5  # sent before the first refusal came


def test_the_calls_of_a_model_go_to_the_server_that_may_be_called():
    busy = Limited(is_full=lambda now: now < 1, retry_after_s=50)
    other = Limited()
    assert play(calls(400, busy, other)) < 5


class Gone(Limited):
    """An address at which nobody listens."""

    async def complete(self, request):
        await asyncio.sleep(NETWORK_S)
        raise TryAgain("connection", "refused", unreachable=True)


def test_a_server_that_is_gone_uses_up_no_tries_while_another_one_answers():
    slow = Limited(pace=Pace(WORKERS, requests_per_minute=60))
    play(calls(300, slow, Gone(), attempts=2))
    assert len(slow.answered) == 300


# In flight.


class Crowded(Limited):
    """A server that works on `capacity` calls at a time; the others wait their turn."""

    def __init__(self, capacity, **options):
        super().__init__(**options)
        self.turns = asyncio.Semaphore(capacity)

    async def complete(self, request):
        async with self.turns:
            return await super().complete(request)


def test_where_most_calls_come_too_late_fewer_are_in_flight_and_all_are_answered():
    server = Crowded(8, pace=Pace(WORKERS, deadline_s=2.0), latency=lambda: 0.5)
    play(calls(1000, server))
    assert len(server.answered) == 1000
    assert server.pace.limit < 64


def test_where_answers_come_as_quickly_as_at_first_more_are_in_flight_again():
    slow_from, slow_to = 5, 200

    def latency():
        return 30.0 if slow_from < asyncio.get_running_loop().time() < slow_to else 1.0

    server = Limited(latency=latency)
    limits = []

    async def scene():
        for second in (slow_to, slow_to + 100):
            asyncio.get_running_loop().call_later(second, lambda: limits.append(server.pace.limit))
        await calls(8000, server)

    play(scene())
    while_slow, later = limits
    assert while_slow < WORKERS / 4
    assert later > 2 * while_slow


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5])
def test_answers_that_take_very_different_times_are_not_taken_for_late_ones(sigma):
    rng = random.Random(2)
    server = Limited(latency=lambda: rng.lognormvariate(0, sigma))
    play(calls(1500, server))
    assert server.pace.limit == WORKERS


# The bucket itself.

ASKED = st.lists(st.tuples(st.floats(0, 5), st.floats(0.01, 50)), max_size=60)


@settings(max_examples=150)
@given(rate=st.floats(0.01, 100), size=st.floats(1, 100), asked=ASKED)
def test_a_bucket_lets_no_more_through_than_its_size_and_what_fills_up_meanwhile(rate, size, asked):
    bucket, now, taken = Bucket(rate, size), 0.0, []
    for pause, wanted in asked:
        now += pause
        amount = min(wanted, size)
        while (wait := bucket.wait(now, amount)) > 0:
            now = max(now + wait, math.nextafter(now, math.inf))
        bucket.take(now, amount)
        taken.append((now, amount))
    for first, (begin, _) in enumerate(taken):
        total = 0.0
        for at, amount in taken[first:]:
            total += amount
            assert total <= size + rate * (at - begin) + 1e-6 * (1 + len(taken) + rate * now)


@given(rate=st.floats(0.1, 10), size=st.floats(1, 100), back=st.floats(0, 1000))
def test_what_is_given_back_fills_a_bucket_no_more_than_to_its_brim(rate, size, back):
    bucket = Bucket(rate, size)
    bucket.take(0.0, -back)
    bucket.take(0.0, size)
    assert bucket.wait(0.0, 1) > 0


@given(limit=st.floats(1, 1e6), used=st.floats(0, 1), reset_s=st.floats(0, 1e9), now=st.floats(0, 1e6))
def test_whatever_a_server_says_of_its_limit_it_is_asked_again_within_the_hour(limit, used, reset_s, now):
    bucket = Bucket(limit, limit)
    bucket.told(now, Room(limit, limit * (1 - used), reset_s), now, 0)
    assert 0 <= bucket.wait(now, 1) <= 3600


def test_a_throttle_that_heard_no_refusal_holds_nothing_back():
    throttle = Throttle()
    for number in range(10_000):
        assert throttle.wait(number / 1000) == 0
        throttle.sent(number / 1000)


# What servers say.


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360), ("120ms", 0.12), ("1h2m3.5s", 3723.5), ("59.70s", 59.7), ("2", 2), ("0", 0), ("0.5", 0.5),
        ("1d", 86_400), ("7us", 7e-6), ("7µs", 7e-6),
    ],
)  # fmt: skip
def test_durations_are_read(text, seconds):
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-1", "-5s", "5 s", "1h-2m", "nan", "inf", "1e12", f"{'9' * 400}h", "99999999h", "²", "1,5s", "s"],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError):
        duration_s(text)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_is_refused(text):
    with suppress(ValueError):
        assert 0 <= duration_s(text) < 1e9


def told(**changes):
    headers = {"limit": "500", "remaining": "499", "reset": "120ms"} | changes
    return {f"x-ratelimit-{key}-requests": value for key, value in headers.items()}


def test_the_room_at_a_server_is_read_from_its_headers():
    tokens = {
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "1m",
    }
    assert rooms(told() | tokens) == (Room(500, 499, 0.12), Room(30_000, 0, 60))
    assert rooms(tokens) == (None, Room(30_000, 0, 60))
    assert rooms({}) == (None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"limit": "0"}, {"limit": "-1"}, {"limit": "nan"}, {"limit": "1e300"}, {"limit": "100, 100;w=60"},
        {"remaining": "501"}, {"remaining": "-1"}, {"remaining": "many"}, {"reset": "soon"}, {"reset": "-1s"},
        {"reset": ""},
    ],
)  # fmt: skip
def test_headers_that_make_no_sense_are_passed_over(changes):
    assert rooms(told(**changes)) == (None, None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None), ({"retry-after": "1"}, 1), ({"retry-after": "0.5"}, 0.5), ({"retry-after-ms": "812"}, 0.812),
        ({"retry-after-ms": "812", "retry-after": "9"}, 0.812), ({"retry-after-ms": "-1"}, None),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9), ({"retry-after-ms": "nan", "retry-after": "9"}, 9),
        ({"retry-after": "-1"}, None), ({"retry-after": "soon"}, None), ({"retry-after": "²"}, None),
        ({"retry-after": ""}, None), ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "Wed, 21 Oct 99999 07:28:00 GMT"}, None),
    ],
)  # fmt: skip
def test_the_pause_that_a_server_asks_for_is_read(headers, seconds):
    assert retry_after_s(headers) == seconds
