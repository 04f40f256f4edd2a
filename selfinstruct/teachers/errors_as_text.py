"""Errors that a proxy wrote into the answer's text, with status 200, as if the model had said so.

    >>> is_error("Error: upstream request timeout")
    True

Only the words of proxies and servers count, at the very beginning of a short text: a model may well write about errors.
Not covered: errors in other words or languages, and an answer that is only "None" or "null", which may be one.
"""

import re

LONGEST = 2000  # characters; longer texts are answers
_STATUS = (
    r"(?:internal server error|bad gateway|service (?:is )?(?:temporarily )?unavailable|gateway time-?out"
    r"|too many requests|upstream (?:request timeout|connect error|error|timed? ?out)|request timed out"
    r"|resource (?:has been )?exhausted|rate limit (?:reached|exceeded)|quota exceeded|insufficient (?:quota|credits?)"
    r"|(?:server|model) (?:is )?overloaded|no available channel|provider returned error)"
)
_BEFORE = r"(?:[\[(]?\d{3}[\])]?[: ]{1,2}|(?:api |http |server |proxy )?error(?: code)?[: ]{1,3}(?:\d{3}[\s:-]{1,3})?)?"
_SPEAKS_OF_IT = r"(?![\s,]{0,9}(?:is|are|means|when|which|that|happens|occurs)\b)"
_PAGE = (
    r"(?:<!doctype html[^<>]{0,80}>\s{0,40})?<html[^<>]{0,200}>\s{0,40}(?:<(?:head|meta)[^<>]{0,200}>\s{0,40}){0,9}"
    r"<title>[^<>]{0,60}?\b[45]\d\d\b"
)
_ERROR = re.compile(
    rf"{_BEFORE}{_STATUS}\b{_SPEAKS_OF_IT}|{_PAGE}"
    r"|(?:error: |exception: )?(?:litellm|openai|anthropic|httpx|requests|aiohttp|google\.api_core)\.[\w.]{0,60}"
    r"(?:Error|Exception|Timeout|Exhausted)\b|error code: [45]\d\d - \{"
    r"|[\[{\s]{0,4}[\"']error[\"']\s{0,4}:\s{0,4}[{\"'][^\n]{0,400}[\"'](?:code|type|message|status)[\"']"
    r"|you(?:['’]ve| have) (?:reached|exceeded|hit) your (?:\w+ ){0,3}(?:limit|quota)\b"
    r"|(?:warning: )?it seems we could(?:n['’]t| not) process your request",
    re.IGNORECASE,
)


def is_error(text: str) -> bool:
    """Whether an answer's text is an error of a server or proxy."""
    return len(text) <= LONGEST and bool(_ERROR.match(text.lstrip()))
