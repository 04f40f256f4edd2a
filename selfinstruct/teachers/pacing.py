"""How fast one server may be called: as the user allows, as it says itself, and as it is seen to bear.

Four things hold a call back, each for its own reason:

    Retry-After    the server said when to come again: until then nobody calls it
    Bucket         a limit of requests or tokens a minute, from the settings or from the server's x-ratelimit headers
    Throttle       the server refuses calls (429, 503) and does not say how many it would take: the rate is found out
    in flight      most calls come late: fewer at a time, then slowly more again

The first two are exact; the Throttle measures.

Times are seconds on the event loop's clock. Additive increase and multiplicative decrease of the calls in flight is
TCP's (Chiu & Jain 1989); limits by latency follow Netflix's concurrency-limits, with a far coarser measure, since the
length of answers differs from call to call.
"""

import math
import statistics
from collections import Counter, defaultdict
from typing import Literal, NamedTuple

from selfinstruct.teachers.bucket import PAUSE_MOST_S, Bucket, Room
from selfinstruct.teachers.throttle import Throttle

AT_ONCE = 16  # calls that a run begins with; more follow one by one, so that a refusal is heard before all are sent
RAMP_S = 0.001
LATE_FACTOR = 10.0  # times what the first calls took
LATE_OVER = 20  # calls; when half of them are late there are too many in flight
LATE_CUT = 0.7

Outcome = Literal["answered", "refused", "late", "failed"]
NOTHING: tuple[Room | None, Room | None] = (None, None)


class Call(NamedTuple):
    """A call that was sent: when, for which stage, about how many tokens; and how many calls and tokens by then.

    `is_first`: one of the first of its stage, which show how long an answer takes. `sample`: the number of the sample
    that it belongs to, 0 for none.
    """

    at: float
    stage: str
    tokens: int
    n_calls: int
    n_tokens: int
    is_first: bool
    sample: int


class Pace:
    """What holds calls to one server back. `deadline_s` bounds one call; None: no call is ever late."""

    def __init__(
        self,
        in_flight: int,
        deadline_s: float | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ):
        self.deadline_s = deadline_s
        self.in_flight = 0
        self.arriving = 0  # tokens of the calls in flight, where answers are streamed
        self.limit = float(in_flight)  # of calls in flight
        self._most = in_flight
        self._calls = Bucket.per_minute(requests_per_minute) if requests_per_minute else None
        self._tokens = Bucket.per_minute(tokens_per_minute) if tokens_per_minute else None
        self._told_calls: Bucket | None = None
        self._told_tokens: Bucket | None = None
        self._throttle = Throttle()
        self._not_before = -math.inf
        self._peak, self._grew_at = 0, -math.inf
        self._n_calls = self._n_tokens = self._told_by = 0
        # Which calls are looked at is settled as they are sent: of the answers to come, the first are the quickest, and
        # the last are the slowest.
        self._n_first: Counter[str] = Counter()
        self._first: defaultdict[str, list[float]] = defaultdict(list)  # seconds that they took
        self._sample = 0
        self._take_sample()
        self._heard: tuple[Room | None, Room | None] = NOTHING
        self._cut_at = -math.inf

    def wait(self, now: float, tokens: int) -> float:
        """Seconds until a call of about `tokens` may be sent; infinite: when one in flight has ended."""
        if self.in_flight >= max(1, int(self.limit)):
            return math.inf
        waits = [self._not_before - now, self._throttle.wait(now)]
        if self.in_flight >= max(self._peak, AT_ONCE):
            waits.append(self._grew_at + RAMP_S - now)
        for calls in (self._calls, self._told_calls):
            if calls:
                waits.append(calls.wait(now, 1))
        for bucket in (self._tokens, self._told_tokens):
            if bucket:
                waits.append(bucket.wait(now, tokens))
        return max(0.0, *waits)

    def sent(self, now: float, stage: str, tokens: int) -> Call:
        """A call of about `tokens` is sent."""
        self.in_flight += 1
        if self.in_flight > self._peak:
            self._peak, self._grew_at = self.in_flight, now
        self._n_calls += 1
        self._n_tokens += tokens
        self._throttle.sent(now, is_crowded=2 * self.in_flight >= self._most)
        for calls in (self._calls, self._told_calls):
            if calls:
                calls.take(now, 1)
        for bucket in (self._tokens, self._told_tokens):
            if bucket:
                bucket.take(now, tokens)
        is_first = self._n_first[stage] < LATE_OVER
        self._n_first[stage] += is_first
        is_sampled = self._n_sampled < LATE_OVER
        self._n_sampled += is_sampled
        sample = self._sample if is_sampled else 0
        return Call(now, stage, tokens, self._n_calls, self._n_tokens, is_first, sample)

    def ended(self, now: float, call: Call, outcome: Outcome) -> None:
        """A call came to its end: answered, refused for now (429, 503), not answered in time, or failed otherwise."""
        self.in_flight -= 1
        if self._heard != NOTHING:
            self._believe(now, call, *self._heard)
            self._heard = NOTHING
        if outcome == "refused":
            self._throttle.refused(now, call.at, self._not_before > now, self._n_calls - call.n_calls)
            self._peak = self.in_flight
        if outcome in ("answered", "late"):
            self._note_latency(now, call, outcome == "late")
        elif call.sample == self._sample:
            self._n_sampled -= 1  # another one takes its place
        if call.is_first and outcome != "answered":
            self._n_first[call.stage] -= 1

    def pause(self, now: float, seconds: float) -> None:
        """Nobody calls for so long: the server asked for it. A shorter pause does not shorten a longer one."""
        seconds = min(seconds, PAUSE_MOST_S)
        self._not_before = max(self._not_before, now + seconds)
        self._throttle.paused(seconds)
        self._peak = 0

    def heard(self, requests: Room | None, tokens: Room | None) -> None:
        """The server's own account of its limits, in the answer to the call that is about to end."""
        self._heard = requests, tokens

    def _believe(self, now: float, call: Call, requests: Room | None, tokens: Room | None) -> None:
        """Only the account in the answer to the latest call counts."""
        if call.n_calls < self._told_by:
            return
        self._told_by = call.n_calls
        if requests:
            self._told_calls = self._told_calls or Bucket(requests.limit, requests.limit)
            self._told_calls.told(now, requests, call.at, self._n_calls - call.n_calls)
        if tokens:
            self._told_tokens = self._told_tokens or Bucket(tokens.limit, tokens.limit)
            self._told_tokens.told(now, tokens, call.at, self._n_tokens - call.n_tokens)

    def used(self, now: float, call: Call, tokens: int) -> None:
        """A call took so many tokens: what it was guessed at above that goes back into the user's own limit."""
        if self._tokens and tokens:
            self._tokens.take(now, tokens - call.tokens)

    def _note_latency(self, now: float, call: Call, is_late: bool) -> None:
        """Fewer calls in flight where most are late, or take ten times as long as the first ones; else one more."""
        first = self._first[call.stage]
        if call.is_first and not is_late:
            first.append(now - call.at)
        if call.at < self._cut_at:
            return
        if len(first) == LATE_OVER:
            is_late = is_late or now - call.at > LATE_FACTOR * max(statistics.median(first), 0.01)
        if call.sample == self._sample:
            self._n_late += is_late
            self._n_in_time += not is_late
            if 2 * self._n_late >= LATE_OVER:
                self.limit = max(1.0, LATE_CUT * min(self.limit, self.in_flight + 1))
                self._cut_at = now
            if 2 * max(self._n_late, self._n_in_time) >= LATE_OVER:
                self._take_sample()
        if not is_late:
            self.limit = min(self._most, self.limit + 1 / self.limit)

    def _take_sample(self) -> None:
        self._sample += 1
        self._n_sampled = self._n_late = self._n_in_time = 0
