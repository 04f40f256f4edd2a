"""What a server says of its limits in the headers of an answer, in OpenAI's names.

    x-ratelimit-limit-requests: 500         x-ratelimit-limit-tokens: 30000
    x-ratelimit-remaining-requests: 499     x-ratelimit-remaining-tokens: 29380
    x-ratelimit-reset-requests: 120ms       x-ratelimit-reset-tokens: 1.24s
    retry-after-ms: 812                     retry-after: 1  (or a date)
    x-ratelimit-reset: 1743292800000        (OpenRouter: when the limit ends, in milliseconds since 1970)

Groq, vLLM's gateways and others send the same. A value that is no sensible number says nothing. Not covered: limits in
other names, which show only by refusals.
"""

import email.utils
import math
import re
import time
from collections.abc import Mapping
from contextlib import suppress

from selfinstruct.teachers.bucket import Room

_UNITS_S = {"d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|d|h|m|s))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)")


def rooms(headers: Mapping[str, str]) -> tuple[Room | None, Room | None]:
    """The room for requests and for tokens, each None if the server does not tell all of it."""
    if "x-ratelimit-limit-requests" not in headers and "x-ratelimit-limit-tokens" not in headers:
        return None, None
    return _room(headers, "requests"), _room(headers, "tokens")


def _room(headers: Mapping[str, str], of: str) -> Room | None:
    try:
        limit, remaining = (float(headers[f"x-ratelimit-{what}-{of}"]) for what in ("limit", "remaining"))
        reset_s = duration_s(headers[f"x-ratelimit-reset-{of}"])
    except (KeyError, ValueError):
        return None
    return Room(limit, remaining, reset_s) if 1 <= limit < 1e12 and 0 <= remaining <= limit else None


def duration_s(text: str) -> float:
    """Seconds, from "6m0s", "120ms", "1h2m3.5s" or a plain number; ValueError if it is none of these."""
    parts = _PART.findall(text) if _DURATION.fullmatch(text) else [(text, "s")]
    seconds = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    if not 0 <= seconds < 1e9:
        raise ValueError(f"no duration: {text}")
    return seconds


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from retry-after-ms, Retry-After (seconds or a date) or x-ratelimit-reset; None if none says."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with suppress(ValueError):
            seconds = float(headers.get(name, ""))
            if seconds >= 0:
                return seconds * unit_s
    with suppress(ValueError, TypeError, OverflowError, OSError, IndexError):
        return max(0.0, email.utils.parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - time.time())
    with suppress(ValueError):
        return _until(float(headers.get("x-ratelimit-reset", "")))
    return None


def _until(reset: float) -> float | None:
    """Seconds until a limit ends: told in milliseconds or seconds since 1970, or as seconds; None if that is past."""
    seconds = reset / 1000 - time.time() if reset >= 1e11 else reset - time.time() if reset >= 1e9 else reset
    return seconds if 0 < seconds < math.inf else None
