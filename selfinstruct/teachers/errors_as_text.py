"""Errors that a proxy wrote into the answer's text, with status 200, as if the model had said so.

    >>> is_error("Error: upstream request timeout")
    True
    >>> is_error("503 Service Unavailable", "Which HTTP status says that a service is down?")
    False

Only the words of proxies, servers and client libraries count, at the very beginning of a short text, and only if the
prompt is not about errors itself: a model may well write about them. Not covered: errors in other words or languages,
and an answer that is only "None" or "null", which may be one.
"""

import re

from selfinstruct.patterns import pattern

LONGEST = 2000  # characters; longer texts are answers
_STATUS = (
    r"(?:internal server error|bad gateway|service (?:is )?(?:temporarily )?unavailable|gateway time-?out"
    r"|too many requests|upstream (?:request timeout|connect error|error|timed? ?out)|request timed out"
    r"|resource[ _](?:has been )?exhausted|rate[ _]limit[ _](?:reached|exceeded|error)|quota exceeded"
    r"|insufficient[ _](?:quota|credits?)|(?:server|model|engine) (?:is )?(?:currently )?overloaded|overloaded_error"
    r"|no available channel|provider returned error|cuda (?:error|out of memory)|model crashed)"
)
_BEFORE = (
    r"(?:(?:http )?[\[(]?[45]\d\d[\])]?[: ]{1,2}"
    r"|\W{0,3}(?:(?:api |http |server |proxy )?error(?: code)?|exception)\]?[: ]{1,3}(?:[45]\d\d[\s:-]{1,3})?)?"
)
_ENDS = r"(?=\s{0,3}(?:$|[.:;,!|({\[<\n/-]))"  # "Bad Gateway: ...", but not "bad gateways are"
_PAGE = (
    r"(?:<!doctype html[^<>]{0,80}>\s{0,40})?<html[^<>]{0,200}>\s{0,40}(?:<(?:head|meta)[^<>]{0,200}>\s{0,40}){0,9}"
    r"<title>[^<>]{0,30}?(?:\b[45]\d\d (?:bad|internal|gateway|service|too many|not found|forbidden|unauthorized"
    r"|request|error|origin|web server|time)|error:? [45]\d\d)\b"
)
_ERROR = pattern(
    rf"{_BEFORE}(?:{_STATUS}{_ENDS}|upstream connect error\b)|{_PAGE}"
    r"|(?:error: |exception: )?(?:litellm|openai|anthropic|httpx|requests|aiohttp|google\.api_core)\.[\w.]{0,60}"
    r"(?:Error|Exception|Timeout|Exhausted):|error code: [45]\d\d - \{"
    r"|[\[{\s]{0,4}[\"']error[\"']\s{0,4}:\s{0,4}[{\"'][^\n]{0,400}[\"'](?:code|type|message|status)[\"']"
    r"|you(?:['’]ve| have) (?:reached|exceeded|hit) your (?:\w+ ){0,2}"
    r"(?:quota|(?:message|request|rate|usage|api|token|credit)s? limit)\b"
    r"|(?:warning: )?it seems we could(?:n['’]t| not) process your request"
    r"|(?:the server had an error|an error (?:has )?occurred) (?:while|when) processing your request"
    r"|request failed with status code [45]\d\d|(?:http|api error|error)[: ]{1,2}[45]\d\d\W*$"
    r"|(?:connection error|fetch failed|error generating (?:a )?response|no response from (?:the )?model"
    r"|error: terminated|data: \[DONE\]|\{\"detail\":\s?\"not found\"\})\W*$"
    r"|(?:系统|系統|服务器|伺服器)(?:繁忙|错误|異常|异常)|当前分组上游负载已饱和",
    re.IGNORECASE,
)
_ABOUT_ERRORS = pattern(
    r"\b(?:errors?|exceptions?|status(?:es)?|https?|html|servers?|apis?|time-?outs?|quotas?|limits?|gateways?|logs?"
    r"|json|traceback|debug\w*|php|python|javascript)\b",
    re.IGNORECASE,
)


def is_error(text: str, prompt: str = "") -> bool:
    """Whether the text of an answer to `prompt` is an error of a server or proxy."""
    return len(text) <= LONGEST and bool(_ERROR.match(text.lstrip())) and not _ABOUT_ERRORS.search(prompt)
