"""When the simulated service fails, and how long it takes.

Both depend on the request and on how often the server has seen it, so that a request may fail at first and succeed when
it is retried, the same way in every run:

    >>> settings = SimulatedSettings(error_share=0.5)
    >>> [fortune(settings, b"some request", attempt).fault for attempt in range(4)]
    [None, None, 'error', 'error']
"""

import hashlib
import math
from statistics import NormalDist
from typing import Any, NamedTuple

from selfinstruct.simulated.server.wire import error_body
from selfinstruct.simulated.settings import SimulatedSettings

SERVER_ERROR = error_body("The server had an error while processing your request.", "server_error")
NO_QUOTA = error_body(
    "You exceeded your current quota, please check your plan and billing details.",
    "insufficient_quota",
    None,
    "insufficient_quota",
)

_NORMAL = NormalDist()


class Fortune(NamedTuple):
    """What happens to one attempt of a request."""

    fault: str | None
    latency_s: float
    draw: int
    """An independent number for other draws (which kind of garbage)."""


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


def too_many(unit: str) -> dict[str, Any]:
    """Write the error of a rate limit on "requests" or "tokens"."""
    return error_body("Rate limit reached. Please try again later.", unit, None, "rate_limit_exceeded")


def garbage(draw: int, answer: bytes) -> tuple[str, bytes]:
    """Return the content type and body of a 200 without an answer: a page, half an answer, no choices or no content."""
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
