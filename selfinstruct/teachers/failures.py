"""What an error means: whether the request, the whole run, or only this attempt has failed.

Neither the status nor the code is reliable: servers report a wrong key with 400, a prompt that is too long with 413,
422, 429 or 500, and overload with 400 or with an `error` in an answer of status 200. So the text is searched for known
phrases first, and the status decides only if there are none. The order of the checks matters: some texts match several.
Sources: the table in `tests/teachers/test_failures.py`.
"""

import os
from collections.abc import Mapping

from selfinstruct.errors import RequestRefused, TeacherError, TryAgain
from selfinstruct.patterns import pattern
from selfinstruct.teachers.error_bodies import Said, said
from selfinstruct.teachers.rate_limits import retry_after_s
from selfinstruct.teachers.refused import is_about_settings
from selfinstruct.teachers.words import GENERATE, Words

_FILTERED = pattern(
    r"content[_ ]filter|content_policy|content management policy|responsibleaipolicy|data_?inspection_?failed"
    r"|prohibited_content|inappropriate content|\bmoderation\b"
)
_TOO_LONG = pattern(
    r"context_length|context length|context window|context size|context limit|context_size|context the overflows"
    r"|(?:prompt|input|inputs|request|messages?|query|content|text)\b[^.]{0,60}? too (?:long|large|many tokens|big)"
    r"|too many tokens|reduce (?:the length|your (?:prompt|message size))|token limit|tokens must be reduced"
    r"|maximum (?:model|prompt|context|input) length|(?:input|prompt) length\b[^.]{0,40}(?:exceed|should be|range)"
    r"|range of input length|token count\b[^.]{0,60}exceed"
    r"|max_(?:completion_|new_)?tokens[^.]{0,40}?\b(?:got|is|:) ?-\d"
    r"|inputs?` (?:tokens \+|must have less than)|exceeds? (?:the )?max(?:imum)? (?:number of )?(?:context|tokens)"
    r"|超长|超过.{0,10}(?:长度|上下文)"
)
_KEY = pattern(
    r"api[ _]key (?:not|is not) valid|api_?key_?invalid|(?:incorrect|invalid|wrong|missing) (?:x-)?api[ -_]?key"
    r"|invalid_api_key|api key (?:is )?(?:invalid|expired|missing|not found)|authentication_?error|no auth credentials"
    r"|invalid authentication|authentication error|auth_error|authentication credentials|authorization header"
)
_QUOTA = pattern(
    r"insufficient[_ ](?:quota|balance|credit|fund)|exceeded_current_quota|billing_|credit balance"
    r"|balance is (?:too low|insufficient"
    r"|not enough)|out of credits|no credits|used all (?:available|of your) credits|spending limit"
    r"|key limit exceeded|monthly included credits"
    r"|arrearage|good standing|account (?:is )?suspended|quota is used up|perday|余额不足|欠费|额度不足|额度已用尽"
    r"|reached your [a-z ]{0,20}usage limit|(?:exceeded|crossed) ?budget|budget has been exceeded|\bbudget_exceeded"
    r"|insufficient_user_quota|quota is not enough"
)
_OPENAI_QUOTA = "exceeded your current quota"  # Gemini also says this of a limit per minute
_ELSEWHERE = pattern(r"(?:country|region|location)[^.]{0,40} not (?:supported|available)|unsupported_country")
_NO_MODEL = pattern(
    r"model_not_found|deploymentnotfound|invalid_model"
    r"|model(?:[^.]|\.(?=\S)){0,80}? (?:does not exist|not exist|not found)"  # a name may have dots
    r"|not a valid model|(?:unknown|invalid|no such) model\b|method not allowed"
    r"|unexpected endpoint or method"  # LM Studio, with status 200
    r"|model_decommissioned|has been decommissioned|model_not_available|non-serverless model"
)
_NOT_LOADED = pattern(r"\bno models? (?:is |are )?(?:currently )?loaded")
# The key is right, but not for this model (OpenAI's projects, LiteLLM's keys and teams).
_NO_ACCESS = pattern(r"model_access_denied|not allowed to access model|not have access to (?:the )?model\b")
_RATE = pattern(r"rate.?limit|too many requests|throttl|resource_exhausted|per minute|requests per|限流|频率")
_PASSING = pattern(
    r"overloaded|try again|temporar|busy|at capacity|capacity exceeded|is loading|loading model|failed to load model"
    r"|time[d ]?-?out|took too long|crashed|is unloaded|upstream|internal (?:server )?error|please retry|繁忙|稍后"
)
_WAIT = pattern(r"wait before|throttl")
_UNREADABLE = ("json_validate_failed", "failed to generate json")
BUSY = ("http_429", "http_503", "http_529")  # the server works, but is overloaded
GAVE_UP_WAITING = (408, 504, 524)  # a gateway: the server behind it may go on, and bill
PASSING_STATUSES = (408, 409, 424, 425, 429, 498, 499)


def failure(
    base_url: str, key_env: str, status: int, headers: Mapping[str, str], raw: str, *, words: Words = GENERATE
) -> Exception:
    """RequestRefused, TryAgain or TeacherError for an answer with this status; `raw` is its body without the key.

    The messages name `base_url` and `key_env`. A status below 400 means that the answer's body contains an error.
    """
    error = said(raw)
    is_unnamed = status < 400 and error.status is None  # status 200, and no status in the error: its text decides
    if status < 400:
        status = error.status or 400
    text = error.words
    about = f"{status}: {error.message}"
    if is_about_settings(text, status):
        return RequestRefused(f"http_{status}", error.message)
    if status < 500 and (
        _FILTERED.search(text) or (status == 403 and "flagged" in text) or "invalid_prompt" in error.codes
    ):
        return RequestRefused("content_filter", error.message)
    wait_s = retry_after_s(headers)
    if _is_quota(status, error):
        return TeacherError(
            f"{base_url}: the account's quota is used up ({error.message}). Add credit, or wait until it is renewed. "
            f"{words.resume}"
        )
    if status < 500 and (_ELSEWHERE.search(text) or (status == 403 and error.is_page)):
        return TeacherError(f"{base_url} refused access ({about}). {words.resume}")
    if status < 500 and _NOT_LOADED.search(text):
        return TeacherError(
            f"{base_url} has no model loaded ({about}). Load {words.model} there, then run the same command again."
        )
    if status in (401, 403) and _NO_ACCESS.search(text):
        return TeacherError(
            f"{base_url} does not let this key use the model ({about}). Check {words.model} and the environment "
            f"variable {key_env}, then run the same command again."
        )
    if status == 401 and not os.environ.get(key_env):
        return TeacherError(
            f"{base_url} asks for a key ({about}). Set the environment variable {key_env}, then run the same command "
            "again."
        )
    if status in (401, 403) or (status < 500 and _KEY.search(text)):
        return TeacherError(
            f"{base_url} rejected the key ({about}). Check the environment variable {key_env}, then run the same "
            "command again."
        )
    if _is_too_long(status, text):
        return RequestRefused("context_too_long", error.message)
    if status == 404 or (status < 500 and _NO_MODEL.search(text)):
        return TeacherError(
            f"{base_url} does not know this model or address ({about}). Check {words.model} and {words.base_url}, "
            "which usually ends in /v1."
        )
    if any(word in text for word in _UNREADABLE):  # the model answered, but not in the requested format
        return TryAgain("malformed_answer", error.message, raw=raw[:10_000])
    if status in PASSING_STATUSES or status >= 500:
        passing = TryAgain(
            f"http_{status}", error.message, retry_after_s=error.retry_after_s if wait_s is None else wait_s
        )
        passing.may_be_billed = status in GAVE_UP_WAITING
        return passing
    if is_unnamed and not _RATE.search(text):
        return TryAgain("http_500", error.message, retry_after_s=wait_s)
    if _RATE.search(text):  # treated as a 429, which pacing understands
        return TryAgain("http_429", error.message, retry_after_s=error.retry_after_s if wait_s is None else wait_s)
    if _PASSING.search(text):
        return TryAgain(f"http_{status}", error.message, retry_after_s=wait_s)
    return RequestRefused(f"http_{status}", error.message)


def _is_too_long(status: int, text: str) -> bool:
    """Whether the request can never fit. Servers use similar words, with 429, for the limit of tokens per minute."""
    if status == 413:
        return True
    if not _TOO_LONG.search(text) or _WAIT.search(text):
        return False
    return status < 429 or (status == 429 and "reduce" in text) or (status == 500 and "exceed" in text)


def _is_quota(status: int, error: Said) -> bool:
    """Whether the account's credit or daily quota is used up, not just the limit per minute."""
    if status >= 500:
        return False
    is_pace = "resource_exhausted" in error.codes or error.retry_after_s is not None
    return status == 402 or bool(_QUOTA.search(error.words)) or (_OPENAI_QUOTA in error.words and not is_pace)
