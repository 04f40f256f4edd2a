"""Rate limits: unlike the other faults they depend on the clock, as real ones do."""

import math


class RateLimit:
    """At most `limit` requests (or tokens) per `period_s` seconds: a bucket that starts full and refills evenly.

    The bucket holds `burst`, or a period's worth. Its state is one number: the time at which it is full again. A
    request for more than it holds gets through when it is full, and then it takes longer to refill.
    """

    def __init__(self, limit: float, period_s: float, burst: float | None = None, unit: str = "requests"):
        self.limit = limit
        self.unit = unit
        self._burst = limit if burst is None else burst
        self._rate = limit / period_s
        self._full_at = -math.inf

    def wait(self, now: float, cost: float = 1) -> float:
        """Return the seconds from `now` until there is room for a request; 0 if there is room now."""
        return max(0.0, self._full_at - now - max(0.0, self._burst - cost) / self._rate - 1e-9)

    def take(self, now: float, cost: float = 1) -> None:
        """Use up room for one request."""
        self._full_at = max(self._full_at, now) + cost / self._rate

    def headers(self, now: float) -> dict[str, str]:
        """Write the state of the bucket in OpenAI's headers."""
        reset = max(0.0, self._full_at - now)
        left = int(self._burst - reset * self._rate + 1e-6)
        return {
            f"x-ratelimit-limit-{self.unit}": f"{max(1, int(self.limit))}",
            f"x-ratelimit-remaining-{self.unit}": f"{max(0, left)}",
            f"x-ratelimit-reset-{self.unit}": f"{int(reset * 1000)}ms" if reset < 1 else f"{reset:.3f}s",
        }
