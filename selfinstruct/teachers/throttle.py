"""The rate that a server bears, found out from its refusals.

Between two moments at which a server refuses, it has taken what it can take, so what it took over that time is its
rate, whether it counts in buckets or in windows. Around that rate it goes up while nothing is refused and down when
more than 1 % is. Cuts that do not lessen the refusals are taken back: then they are not about the rate.

Times are seconds on the event loop's clock.
"""

import math

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
