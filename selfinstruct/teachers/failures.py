"""What a status other than 2xx means: that the request, the run or only this try has failed.

Servers share OpenAI's form, {"error": {"code": ..., "type": ..., "message": ...}}, but not the words in it.
"""

import json
from collections.abc import Mapping

from selfinstruct.errors import RequestRefused, TeacherError, TryAgain
from selfinstruct.records import storable
from selfinstruct.teachers.rate_limits import retry_after_s

# What servers call a request that is too long for the model; there is no common code.
TOO_LONG = ("context_length_exceeded", "maximum context length", "context length", "too many tokens", "too long")


def failure(base_url: str, key_env: str, status: int, headers: Mapping[str, str], raw: str) -> Exception:
    """RequestRefused, TryAgain or TeacherError for an answer with this status; `raw` is its body without the key.

    `base_url` and `key_env` are named in the messages.
    """
    try:
        body = json.loads(raw)
        body = body.get("error") or body
        said = {key: str(body.get(key) or "") for key in ("code", "type", "message")}
    except (ValueError, AttributeError, RecursionError):
        said = {"code": "", "type": "", "message": ""}
    code = said["code"] or said["type"]
    if status < 400:  # an error in an answer with status 200
        status = int(said["code"]) if said["code"] in map(str, range(400, 600)) else 500
    detail = storable(said["message"] or raw.strip() or "no reason given")[:500]
    if status == 403 and any(word in raw.lower() for word in ("moderation", "flagged")):
        return RequestRefused("content_filter", detail)
    if status in (401, 403):
        return TeacherError(
            f"{base_url} rejected the key ({status}: {detail}). Check the environment variable "
            f"{key_env}, then run the same command again."
        )
    if status == 404 or code == "model_not_found":
        return TeacherError(
            f"{base_url} does not know this model or address ({status}: {detail}). Check model (--model) "
            "and base_url (--base-url), which usually ends in /v1."
        )
    if status == 402 or code == "insufficient_quota" or "billing" in code:
        return TeacherError(f"{base_url}: the account's quota is used up ({detail}). You can resume the run later.")
    if status in (408, 409, 425, 429) or status >= 500:
        return TryAgain(f"http_{status}", detail, retry_after_s=retry_after_s(headers))
    if "content_filter" in code or "content_policy" in code:
        return RequestRefused("content_filter", detail)
    if code in TOO_LONG or any(phrase in detail.lower() for phrase in TOO_LONG):
        return RequestRefused("context_too_long", detail)
    return RequestRefused(f"http_{status}", detail)
