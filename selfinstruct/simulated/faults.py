"""When the simulated service fails, and how long it takes.

Both are drawn from the request and from how often the server has seen it, so that the same request may fail at first
and succeed when it is tried again, in every run alike:

    >>> settings = SimulatedSettings(error_share=0.5)
    >>> [fortune(settings, b"some request", attempt).fault for attempt in range(4)]
    [None, None, 'error', 'error']

The rate limits are the exception: they look at the clock, as real ones do.
"""

import hashlib
import math
from statistics import NormalDist
from typing import Any, NamedTuple

from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.simulated.wire import error_body

SERVER_ERROR = error_body("The server had an error while processing your request.", "server_error")
NO_QUOTA = error_body(
    "You exceeded your current quota, please check your plan and billing details.",
    "insufficient_quota",
    None,
    "insufficient_quota",
)

_NORMAL = NormalDist()


class Fortune(NamedTuple):
    """What befalls one attempt of a request."""

    fault: str | None
    latency_s: float
    draw: int
    """A number of its own for whatever is left to draw (which kind of garbage)."""


def fortune(settings: SimulatedSettings, digest: bytes, attempt: int) -> Fortune:
    """Draw the fault (if any) and the latency of the `attempt`-th time a request is seen, counted from 0."""
    drawn = hashlib.sha256(b"%b%d" % (digest, attempt)).digest()
    fate, normal, straggler = (int.from_bytes(drawn[at : at + 8]) / 2**64 for at in (0, 8, 16))
    fault = None
    for kind, share in settings.fault_shares().items():
        if fate < share:
            fault = kind
            break
        fate -= share
    latency = settings.latency_s
    if latency and settings.latency_kind == "lognormal":
        sigma = settings.latency_sigma
        latency *= math.exp(sigma * _NORMAL.inv_cdf(min(max(normal, 1e-12), 1 - 1e-12)) - sigma * sigma / 2)
    if straggler < settings.straggler_share:
        latency *= settings.straggler_factor
    return Fortune(fault, latency, drawn[-1])


def chance(digest: bytes, what: str) -> float:
    """Draw a number from 0 up to 1 for a request: the same whenever it comes, another one for another purpose."""
    return int.from_bytes(hashlib.sha256(b"%b %b" % (digest, what.encode())).digest()[:8]) / 2**64


class RateLimit:
    """At most `limit` requests (or tokens) per `period_s` seconds: a bucket that starts full and refills evenly.

    The bucket holds `burst`, or a period's worth. Kept as one number, the time at which the bucket is full again. What
    is more than the bucket holds finds room when it is full, and then it takes the longer to refill.
    """

    def __init__(self, limit: float, period_s: float, burst: float | None = None, unit: str = "requests"):
        self.limit = limit
        self.unit = unit
        self._burst = limit if burst is None else burst
        self._rate = limit / period_s
        self._full_at = -math.inf

    def wait(self, now: float, cost: float = 1) -> float:
        """Tell how many seconds from `now` until there is room for a request; 0 when there is."""
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


def too_many(unit: str) -> dict[str, Any]:
    """Write the error of a rate limit on "requests" or "tokens"."""
    return error_body("Rate limit reached. Please try again later.", unit, None, "rate_limit_exceeded")


def garbage(draw: int, answer: bytes) -> tuple[str, bytes]:
    """Give the content type and body of a 200 that is no answer: a page, half an answer, no choices or no content."""
    shell = b'{"id":"garbage","object":"chat.completion","created":0,"model":"simulated","choices":'
    kinds = (
        ("text/html", b"<html><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>"),
        ("application/json", answer[: len(answer) // 2]),
        ("application/json", shell + b"[]}"),
        (
            "application/json",
            shell + b'[{"index":0,"finish_reason":"stop","text":null,"message":{"role":"assistant","content":null}}]}',
        ),
    )
    return kinds[draw % len(kinds)]
