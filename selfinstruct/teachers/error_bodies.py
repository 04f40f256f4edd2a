"""What a server says in an error, whatever the form of its body.

    {"error": {"message": ..., "type": ..., "param": ..., "code": ...}}      OpenAI, Groq, OpenRouter, llama.cpp
    [{"error": {"message": ..., "status": ..., "details": [...]}}]           Gemini
    {"object": "error", "message": {"detail": [{"loc": ..., "msg": ...}]}}   Mistral
    {"error": "...", "error_type": ...}    {"code": "...", "error": "..."}   TGI; xAI
    {"detail": "..."} or [{"loc": ..., "msg": ...}]                          FastAPI, NVIDIA
    JSON inside of a message; plain text; HTML                               gateways and proxies

So no form is assumed: all of the body is read, and known keys are looked for wherever they stand.
"""

import html
import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from selfinstruct.records import storable
from selfinstruct.teachers.rate_limits import duration_s

MESSAGES = ("message", "msg", "detail", "error", "errors", "raw", "error_description", "description", "")
CODES = ("code", "type", "status", "reason", "error_type", "quotaid", "__type")
PARAMS = ("param", "parameter", "field")
MOST_VALUES, MOST_DEPTH, MOST_CHARS = 300, 12, 500
_MARKUP = re.compile(r"<[^<>]*>")
_UNSEEN = re.compile(r"(?is)<(script|style)\b[^<]*</\1\s*>")
_WAIT = re.compile(r"(?:try again|retry|wait)[ a-z]{0,12}?\b(?:in|after|for) (\d[\d.]*) ?([a-zµ]*(?:\d[\d.]*[a-zµ]+)*)")
_UNITS = {"second": "s", "seconds": "s", "sec": "s", "minute": "m", "minutes": "m", "min": "m", "hour": "h",
          "hours": "h", "milliseconds": "ms"}  # fmt: skip


class Said(NamedTuple):
    """An error in the server's words.

    - `message`: at most 500 characters; the whole body where no message is found in it.
    - `codes`: all codes, types and the like, in lower case.
    - `status`: the HTTP status that the body names, for those that come with status 200.
    - `retry_after_s`: seconds to wait, where the body says it.
    - `is_page`: whether it is HTML, which a proxy sends rather than the server.
    """

    message: str
    codes: frozenset[str]
    status: int | None
    retry_after_s: float | None
    is_page: bool

    @property
    def words(self) -> str:
        """Message and codes in lower case, to look for words in."""
        return f"{self.message} {' '.join(sorted(self.codes))}".lower()


def said(raw: str) -> Said:
    """What the body of an error says."""
    is_page = raw.lstrip()[:9].lower().startswith(("<!doctype", "<html"))
    values = list(islice(_values(_text_of(raw[:4000]) if is_page else raw), MOST_VALUES))
    message = _message(values) or raw.strip() or "no reason given"
    named = [str(value) for key, value in values if key in CODES and value is not None]
    return Said(
        storable(message)[:MOST_CHARS], frozenset(name.lower() for name in named), _status(values),
        _retry_after_s(values, message), is_page,
    )  # fmt: skip


def _values(value: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """All single values in JSON with their keys, in their order; JSON inside of a text is read, too."""
    if depth > MOST_DEPTH:
        return
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            yield from _values(json.loads(value), key, depth + 1)
            return
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _values(one, name.lower(), depth + 1)
    elif isinstance(value, list) and key == "loc":
        yield key, ".".join(map(str, value))
    elif isinstance(value, list):
        for one in value:
            yield from _values(one, key, depth + 1)
    else:
        yield key, value


def _message(values: list[tuple[str, Any]]) -> str:
    """The texts that are messages, each once; with the parameter that one is about, where it does not name it."""
    found: list[str] = []
    place = ""
    for key, value in values:
        if key == "loc":
            place = f"{value}: "
        elif key in MESSAGES and isinstance(value, str) and (text := value.strip()):
            if not any(text in before for before in found):
                found.append(place + text)
            place = ""
    if not found:
        found = [str(value).strip() for key, value in values if key == "title" and value]
    message = "; ".join(found)
    params = [str(value) for key, value in values if key in PARAMS and isinstance(value, str)]
    about = [param for param in params if param and param not in message]
    return f"{about[0]}: {message}" if about and message else message


def _status(values: list[tuple[str, Any]]) -> int | None:
    for key, value in values:
        if key in ("code", "status", "statuscode", "status_code") and re.fullmatch(r"[45]\d\d", str(value)):
            return int(value)
    return None


def _retry_after_s(values: list[tuple[str, Any]], message: str) -> float | None:
    """From Gemini's retryDelay, OpenRouter's x-ratelimit-reset (milliseconds since 1970), or words."""
    for key, value in values:
        with suppress(ValueError, OverflowError):
            if key == "retrydelay":
                return duration_s(str(value))
            if key == "x-ratelimit-reset" and (wait_s := float(value) / 1000 - time.time()) > 0:
                return wait_s
    if found := _WAIT.search(message.lower()[:MOST_CHARS]):
        with suppress(ValueError):
            return duration_s(found[1] + _UNITS.get(found[2], found[2]))
    return None


def _text_of(page: str) -> str:
    """What a page shows, on one line."""
    return " ".join(html.unescape(_MARKUP.sub(" ", _UNSEEN.sub(" ", page))).split())
