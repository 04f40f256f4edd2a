"""A limit of requests or tokens over time, from the settings or as a server tells it, and what is left of it.

Times are seconds on the event loop's clock.
"""

import math
from typing import NamedTuple

PAUSE_MOST_S = 3600.0  # a server that asks for more is asked again then
BELIEVED = 0.1  # share of a server's account of its limits by which it may lie above our own


class Room(NamedTuple):
    """What a server says of one of its limits: how much in all, how much is left, seconds until all is there again."""

    limit: float
    remaining: float
    reset_s: float


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
