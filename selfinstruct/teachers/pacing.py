"""How fast one server may be called: as the user allows, as it says itself, and as it is seen to bear.

Four things hold a call back, each for its own reason:

    Retry-After    the server said when to come again: until then nobody calls it
    Bucket         a limit of requests or tokens a minute, from the settings or from the server's x-ratelimit headers
    Throttle       the server refuses calls (429, 503) and does not say how many it would take: the rate is found out
    in flight      most calls come late: fewer at a time, then slowly more again

The first two are exact. The Throttle measures: between two moments at which a server refuses, it has taken what it can
take, so what it took over that time is its rate, whether it counts in buckets or in windows. Around that rate it goes
up while nothing is refused and down when more than 1 % is. Cuts that do not lessen the refusals are taken back: then
they are not about the rate.

Times are seconds on the event loop's clock. Additive increase and multiplicative decrease of the calls in flight is
TCP's (Chiu & Jain 1989); limits by latency follow Netflix's concurrency-limits, with a far coarser measure, since the
length of answers differs from call to call.
"""

import math
import statistics
from collections import Counter, defaultdict
from typing import Literal, NamedTuple

AT_ONCE = 16  # calls that a run begins with; more follow one by one, so that a refusal is heard before all are sent
RAMP_S = 0.001
PAUSE_MOST_S = 3600.0  # a server that asks for more is asked again then
BELIEVED = 0.1  # share of a server's account of its limits by which it may lie above our own
CYCLE_CALLS, CYCLE_S = 100, 1.0  # so many calls, and so long, between two looks at the share of refused ones
SEARCH_CALLS, SEARCH_RAISE = 20, 0.05  # instead, while the rate is known from a few calls only
REFUSED_MOST = 0.01  # share of refused calls above which the rate is cut
CUT, CUT_TAKEN_BACK = 0.97, 1.03
ENOUGH = 20  # taken calls, before pauses, that show a server's rate
COUNTED_MOST_S = 60.0  # what was taken longer ago may be few calls because no more were made
RARER = 1.5  # times as many calls to a pause as at the cut before, or it is not the rate that pauses are about
RAISE_FIRST, RAISE_MOST = 0.015, 0.5
QUIET_CYCLES = 10  # without a refusal; from then on each raise doubles
CUTS = 2  # in a row that have not lessened the refusals: then they are not about the rate
AWAY = 0.05  # share of taken calls, to refused ones, up to which a server is taken to be away
WANTED = 0.3  # share of the rate below which it was not the rate that held calls back
REFUSED_AT_ONCE, MOST = 4, 0.7  # refused calls, and their share of the latest: the rate is far too high
HOLD_FIRST_S, HOLD_MOST_S = 0.1, 30.0
CATCH_UP_S = 0.02  # so much behind its time a call may be without putting off the next one
CATCH_UP_FACTOR = 2.0  # times the rate, after a pause that the server asked for
LATE_FACTOR = 10.0  # times what the first calls took
LATE_OVER = 20  # calls; when half of them are late there are too many in flight
LATE_CUT = 0.7

Outcome = Literal["answered", "refused", "late", "failed"]


class Room(NamedTuple):
    """What a server says of one of its limits: how much in all, how much is left, seconds until all is there again."""

    limit: float
    remaining: float
    reset_s: float


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


class Bucket:
    """Room for `size` calls or tokens, filling up again by `rate` a second."""

    def __init__(self, rate: float, size: float):
        self.rate = rate
        self.size = size
        self._level = size
        self._at = -math.inf
        self._full_at = math.inf

    @classmethod
    def per_minute(cls, limit: float) -> "Bucket":
        """Room for `limit` in any minute, whenever it begins.

        A second's worth of it at once: more may be too much for a server that counts over short times. What comes at
        once is missing in the rest of the minute.
        """
        size = max(1.0, limit / 60)
        return cls((limit - size + 1) / 60, size)

    def wait(self, now: float, amount: float) -> float:
        """Seconds until there is room for `amount`; for more than fits, until the bucket is full."""
        self._fill(now)
        missing = min(amount, self.size) - self._level
        return 0.0 if missing <= 1e-9 else min(missing / self.rate, self._full_at - now)

    def take(self, now: float, amount: float) -> None:
        """Use up room; a negative amount gives some back."""
        self._fill(now)
        self._level = min(self.size, self._level - amount)
        self._full_at += amount / self.rate

    def told(self, now: float, room: Room, asked_at: float, taken_since: float) -> None:
        """Believe what the server says of its own bucket, as it was at `asked_at`; `taken_since` was sent later."""
        used, reset_s = room.limit - room.remaining, min(room.reset_s, PAUSE_MOST_S)
        if used > 0 and reset_s >= 0.1:  # below that the server's rounding counts
            self.rate = min(self.rate, used / reset_s)
        self.size = room.limit
        self._fill(now)
        level = min(self.size, room.remaining + (now - asked_at) * self.rate) - taken_since
        # Calls overtake each other on their way, so one account may be too high by a few: it is believed slowly.
        self._level = min(level, self._level + max(0.0, level - self._level) * BELIEVED)
        # Counted in windows or in a bucket that fills evenly: then everything is there again.
        self._full_at = asked_at + reset_s + taken_since / self.rate

    def _fill(self, now: float) -> None:
        if now >= self._full_at:
            self._level, self._full_at = self.size, math.inf
        elif now > self._at:
            self._level = min(self.size, self._level + (now - self._at) * self.rate)
        self._at = max(now, self._at)


class Throttle:
    """The rate that a server was seen to bear, in calls a second; unlimited while it refuses hardly any."""

    def __init__(self) -> None:
        self.rate = math.inf
        self._next_at = self._latest_at = -math.inf
        self._behind_s = CATCH_UP_S
        self._rate_before_cut = math.inf
        self._hold_s = HOLD_FIRST_S
        self._searching = False
        self._is_paused, self._is_first_pause = False, True
        self._paused_at = -math.inf
        self._count_from(-math.inf)
        self._taken_at_cut = 0.0  # for each pause
        self._quiet = self._cuts = 0  # cycles in a row
        self._share_before_cut = 0.0
        self._begin(-math.inf)

    def _begin(self, now: float) -> None:
        self._since = now
        self._n_crowded = 0
        self._sent = self._refused = self._sent_at_first_refusal = self._sent_until_refusal = 0

    def _count_from(self, now: float) -> None:
        self._counted_from = now
        self._n_sent = self._n_refused = self._n_pauses = 0

    def wait(self, now: float) -> float:
        """Seconds until the next call may be sent."""
        return max(0.0, max(self._next_at, self._latest_at + 1 / (CATCH_UP_FACTOR * self.rate)) - now)

    def paused(self, seconds: float) -> None:
        """The server asked for a pause, in which it makes room: what was not sent then may follow faster."""
        self._behind_s = max(self._behind_s, seconds)

    def sent(self, now: float, is_crowded: bool = True) -> None:
        """A call is sent; `is_crowded`: with half of the calls in flight that there may be, or more."""
        if self._since == -math.inf:
            self._since = self._counted_from = now
        if self._is_paused:
            self._measure_from_pause_to_pause()
        elif self._n_pauses == 0 and now - self._counted_from > COUNTED_MOST_S:
            self._count_from(now)
        self._sent += 1
        self._n_sent += 1
        self._n_crowded += is_crowded
        if self.rate < math.inf:
            self._latest_at = now
            self._next_at = max(self._next_at, now - self._behind_s) + 1 / self.rate
            if self._next_at > now:
                self._behind_s = CATCH_UP_S
        if self._sent >= (SEARCH_CALLS if self._searching else CYCLE_CALLS) and now - self._since >= CYCLE_S:
            self._adjust(now)

    def refused(self, now: float, sent_at: float, is_paused: bool, n_later: int = 0) -> None:
        """A call that was sent at `sent_at`, `n_later` calls ago, was refused.

        `is_paused`: the server said when to come again.
        """
        self._n_refused += is_paused
        if sent_at <= self._since:
            return  # an echo of what was sent before the rate was changed
        if is_paused:
            if self._is_first_pause:
                self._counted_from -= self._behind_s  # what it takes at first it may have saved up for so long
            self._is_paused, self._paused_at = True, now
            self._quiet = 0
            self._begin(now)
            return
        if self._refused == 0:
            self._sent_at_first_refusal = self._sent - 1
        self._refused += 1
        self._sent_until_refusal = self._sent - n_later
        latest = self._sent - self._sent_at_first_refusal
        if self._refused >= max(REFUSED_AT_ONCE, MOST * latest):
            self._stop_for_a_moment(now)
        elif self._searching and self._refused >= REFUSED_AT_ONCE and self._sent >= SEARCH_CALLS:
            self._adjust(now)

    def _measure_from_pause_to_pause(self) -> None:
        """By the end of a pause all refusals have been heard: what was sent before and not refused was taken."""
        self._is_paused = False
        self._n_pauses += 1
        taken, is_first = self._n_sent - self._n_refused, self._is_first_pause
        taken_each = taken / self._n_pauses
        # A few calls may have been refused for another reason.
        is_enough = taken >= (ENOUGH if self.rate < math.inf or is_first else 1)
        if is_enough:
            rate = taken / max(self._paused_at - self._counted_from, 1e-3)
            if rate < self.rate and taken_each >= RARER * self._taken_at_cut:
                self.rate = rate
                self._taken_at_cut = 0.0 if is_first else taken_each
                self._searching = taken < ENOUGH
        if is_enough or taken == 0 or is_first:
            self._count_from(self._paused_at)
        self._is_first_pause = False

    def _measured(self, now: float) -> float:
        return (self._sent - self._refused) / max(now - self._since, 1e-3)

    def _is_away(self) -> bool:
        """Whether hardly any call was taken: then it is not their rate that is refused.

        Of those sent after the last refused one it is not known yet.
        """
        return self._sent_until_refusal - self._refused <= AWAY * self._refused

    def _stop_for_a_moment(self, now: float) -> None:
        taken = self._measured(now)
        self._hold_s = HOLD_FIRST_S if taken else min(2 * self._hold_s, HOLD_MOST_S)
        if taken:
            self.rate = min(CUT * self.rate, taken)
        self._next_at = now + self._hold_s
        self._quiet = 0
        self._searching = True
        self._begin(now)

    def _was_wanted(self, now: float) -> bool:
        """Whether more calls would have been sent, had they been allowed: else the rate is not what was refused."""
        return 2 * self._n_crowded >= self._sent if self.rate == math.inf else self._measured(now) >= WANTED * self.rate

    def _adjust(self, now: float) -> None:
        share = self._refused / self._sent
        if share <= REFUSED_MOST:
            self._cuts = 0
            self._quiet = 0 if self._refused else self._quiet + 1
            self._taken_at_cut = 0.0
            if self._searching:
                self.rate *= 1 + SEARCH_RAISE
            elif self._quiet:
                self.rate *= 1 + min(RAISE_FIRST * 2 ** max(0, self._quiet - QUIET_CYCLES), RAISE_MOST)
            self._begin(now)
            return
        if self._is_away() or not self._was_wanted(now):
            self._begin(now)
            return
        self._searching = False
        if self._cuts == CUTS and share > 0.7 * self._share_before_cut:
            self._cuts = 0
            self.rate = CUT_TAKEN_BACK * self._rate_before_cut
        else:
            if self._cuts == 0:
                self._share_before_cut, self._rate_before_cut = share, self.rate
            self._quiet, self._cuts = 0, min(self._cuts + 1, CUTS)
            self.rate = CUT * min(self.rate, self._measured(now))
        self._begin(now)


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
