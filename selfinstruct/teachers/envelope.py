"""The answer in the JSON of an OpenAI-compatible server: its text, how it ended, and the tokens it took.

The text is read from wherever servers put it: `content` as text or in parts, the arguments of a call if the request
had a schema or tools, `refusal`, and `reasoning_content` if a server's parser mistook the whole answer for reasoning.
Reasoning itself is not part of the answer; it stays in the stored JSON. A field may have any value; one of the wrong
type is treated as missing.

Sources: https://platform.openai.com/docs/api-reference/chat/object; for parts Mistral's and Databricks' references;
for errors with status 200 https://openrouter.ai/docs/api-reference/errors; for `status` OpenAI's Responses API.
"""

import json
import os
import re
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple

from selfinstruct.errors import RequestRefused
from selfinstruct.finish_reasons import ending_of, reason_in
from selfinstruct.parsing.thoughts import spoken
from selfinstruct.records import canonical_json, storable
from selfinstruct.teachers.errors_as_text import is_error

TEXT_PARTS = ("text", "output_text")
TOKENS_MOST = 10_000_000  # in one call, more than any model's window: a larger count is invalid
CHARS_PER_TOKEN = 16  # more than any language has on average, repeated characters aside
_REPEATED = re.compile(r"(.)\1{3,}", re.DOTALL)
_CALLS = "the answer calls a tool that was not offered"
# A call that the server did not take out of the text (NousResearch/hermes-agent#7628 and #35129).
_CALL_AS_TEXT = re.compile(
    r"\s*+(?:<(?:[a-z]{1,20}:)?(?:tool_calls?|function_calls?)>|<function=\w|<\|tool_calls?(?:_section)?_begin\|>)"
)
_ABOUT_CALLS = re.compile(r"\btools?\b|function|\bcalls?\b|\bxml\b|\btags?\b", re.IGNORECASE)
LOGPROB_MOST = 1e6  # excludes infinity and NaN
REASONS = ("finish_reason", "native_finish_reason", "stop_reason")
REASONING = ("reasoning_content", "reasoning", "reasoning_details", "reasoning_text", "thinking")
FILTERS = "content_filter_results"  # of Azure
OFFERS = ("response_format", "tools", "functions")  # of a request: with one of them, a call may be the answer
KEPT = 10_000  # characters of an answer that cannot be read


class Answer(NamedTuple):
    """A server's answer; token counts are 0 if it gives no valid ones."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    logprobs: tuple[float, ...] | None


class NoAnswer(ValueError):
    """A body without an answer; `reason` is stored with the failed attempt."""

    def __init__(self, detail: str, reason: str = "malformed_answer"):
        super().__init__(detail)
        self.reason = reason


class Reported(NamedTuple):
    """An error with status 200: its JSON, and the headers that it contains.

    `may_have_cost`: the body also has part of an answer, or token counts.
    """

    raw: str
    headers: dict[str, str]
    may_have_cost: bool


def error_in(body: Any) -> Reported | None:
    """The error in a body, instead of an answer or next to part of one; None if there is none."""
    if isinstance(body, list):  # Google
        body = next((one for one in body if isinstance(one, dict)), None)
    if not isinstance(body, dict):
        return None
    choice = first_choice(body)
    error = body.get("error") or (choice or {}).get("error")
    base = body.get("base_resp")  # MiniMax
    if not error and choice is None:
        if isinstance(base, dict) and base.get("status_code"):
            error = {"code": base.get("status_code"), "message": base.get("status_msg")}
        elif body.get("object") == "error" or body.get("errors") or body.get("message") or body.get("detail"):
            error = body  # older vLLM, Mistral; Cloudflare; FastAPI
    if not error:
        return None
    if isinstance(body.get("error"), str):  # TGI, which has error_type next to it
        error = {"message": body["error"], "type": body.get("error_type"), "code": body.get("code")}
    metadata = error.get("metadata") if isinstance(error, dict) else None
    headers = metadata.get("headers") if isinstance(metadata, dict) else None
    return Reported(
        json.dumps({"error": error}, ensure_ascii=False),
        {str(name).lower(): value[:100] for name, value in headers.items() if isinstance(value, str)}
        if isinstance(headers, dict)
        else {},
        bool(choice or body.get("usage")),
    )


def answer_in(body: Any, endpoint: str, prompt: str = "", *, offers_calls: bool = False) -> Answer:
    """The answer to `prompt` in a server's JSON; NoAnswer if it has none, RequestRefused if the server withheld it.

    `offers_calls`: whether the request had one of OFFERS.
    """
    choice = first_choice(body)
    if choice is None:
        raise NoAnswer("the answer has no choices")
    finish_reason = finish_reason_of({**choice, **_status_of(body)})
    ending = ending_of(finish_reason)
    if ending == "failed":
        raise NoAnswer(f'the server ended the answer with "{finish_reason}"', "incomplete_answer")
    text = text_of(choice, endpoint, has_calls=offers_calls)
    calls = _calls(choice)
    if (calls or ending == "tool_call") and not (text and _is_json(text)):  # any other text only introduces the call
        text = _arguments(calls) if offers_calls else None
    if text and not offers_calls and _CALL_AS_TEXT.match(spoken(text)) and not _ABOUT_CALLS.search(prompt):
        raise NoAnswer(_CALLS)
    if not text and (refused := refusal_of(choice)):
        text, finish_reason = refused, "refusal"
    if not text and ending == "filtered":
        raise RequestRefused("content_filter", "the server withheld its answer")
    if text is None and ending in ("cut", "refusal"):
        text = ""  # a reasoning model that spent all its tokens on thinking: a retry would not help
    if text is None or (not text and ending != "cut" and _has_reasoning(choice)):
        raise NoAnswer(_why_empty(choice, endpoint))
    if is_error(text, prompt):
        raise NoAnswer(text[:500], "error_as_answer")
    prompt_tokens, completion_tokens = _tokens(body.get("usage"))
    return Answer(text, finish_reason, prompt_tokens, completion_tokens, _logprobs(choice.get("logprobs")))


def first_choice(body: Any) -> dict[str, Any] | None:
    """The first of the choices in a body, if there is one."""
    choices = body.get("choices") if isinstance(body, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def finish_reason_of(choice: Mapping[str, Any], missing: str = "unknown") -> str:
    """The finish reason of a choice in the server's spelling, from whichever field has it."""
    found = [reason for name in REASONS if (reason := reason_in(choice.get(name)))]
    if is_filtered(choice):
        found.append("content_filter")
    # One field may say more than the first: "stop", and "MAX_TOKENS" as the native reason.
    told = [reason for reason in found if ending_of(reason) not in ("done", None)]
    return storable((told or found or [missing])[0][:100])


def is_filtered(choice: Mapping[str, Any]) -> bool:
    """Whether Azure's filters held back part of a choice, which some of its models end with "stop" all the same."""
    results = choice.get(FILTERS)
    verdicts = results.values() if isinstance(results, dict) else ()
    return any(isinstance(one, dict) and one.get("filtered") is True for one in verdicts)


def _status_of(body: Mapping[str, Any]) -> dict[str, str]:
    """Why a body says that it is incomplete or failed, as gateways to OpenAI's Responses API pass it on."""
    status, details = body.get("status"), body.get("incomplete_details")
    if status not in ("incomplete", "failed", "cancelled"):
        return {}
    return {"stop_reason": (reason_in(details.get("reason")) if isinstance(details, dict) else "") or status}


def text_of(choice: Mapping[str, Any], endpoint: str = "chat", *, has_calls: bool = True) -> str | None:
    """The text of a choice without its reasoning; None if it has none. `has_calls`: whether a call may be the text."""
    if endpoint == "completion":
        text = choice.get("text")
        return text if isinstance(text, str) else None
    message = choice.get("message")
    if not isinstance(message, dict):
        return None
    text = _joined(message.get("content"))
    return text or (_arguments(_calls(choice)) if has_calls else None) or _taken_for_reasoning(message) or text


def refusal_of(choice: Mapping[str, Any]) -> str | None:
    """OpenAI's `refusal`: the text with which a model declines."""
    message = choice.get("message")
    refusal = message.get("refusal") if isinstance(message, dict) else None
    return refusal if isinstance(refusal, str) and refusal else None


def describe(error: BaseException) -> str:
    """An exception in words; of aiohttp's for a failed connection, where to and why."""
    reason = getattr(error, "os_error", None)
    if isinstance(reason, OSError):
        why = reason.strerror
        if isinstance(reason, ssl.SSLError):
            why = f"TLS failed: {reason.reason.replace('_', ' ').lower()}" if reason.reason else None
        elif reason.errno and reason.errno > 0:
            why = os.strerror(reason.errno)
        return f"cannot connect to {getattr(error, 'host', '')}:{getattr(error, 'port', '')} ({why or reason})"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _joined(content: Any) -> str | None:
    """The text of `message.content`: a text, or the parts of it that are text."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    texts = [text for part in parts if (text := _text_of_part(part)) is not None]
    return "".join(texts) if texts else None


def _text_of_part(part: Any) -> str | None:
    if isinstance(part, dict):
        if part.get("type", "text") not in TEXT_PARTS or True in (part.get("thought"), part.get("thinking")):
            return None
        part = part.get("text")
        if isinstance(part, dict):
            part = part.get("value")
    return part if isinstance(part, str) else None


def _calls(choice: Mapping[str, Any]) -> list[Any]:
    """The functions that an answer calls, with their arguments."""
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    calls = message.get("tool_calls")
    functions = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return functions or [function for function in [message.get("function_call")] if function]


def _arguments(calls: list[Any]) -> str | None:
    """The arguments of function calls: the answer of a server that uses calls to enforce a schema."""
    found = []
    for function in calls:
        arguments = function.get("arguments") if isinstance(function, dict) else None
        text = canonical_json(arguments) if isinstance(arguments, dict | list) else arguments
        if isinstance(text, str) and _is_json(text):
            found.append(text)
    return "\n".join(found) or None


def _taken_for_reasoning(message: Mapping[str, Any]) -> str | None:
    """An answer that the server's parser mistook for reasoning: the text after the thoughts, or an answer in JSON.

    Any other reasoning may be only thoughts, which must not become data.
    """
    for name in ("reasoning_content", "reasoning"):
        reasoning = message.get(name)
        if isinstance(reasoning, str) and reasoning:
            said = spoken(reasoning)
            return said.strip() or None if said != reasoning else (reasoning if _is_json(reasoning) else None)
    return None


def _is_json(text: str) -> bool:
    """Whether the whole text is a JSON object or array."""
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False


def _has_reasoning(choice: Mapping[str, Any]) -> bool:
    message = choice.get("message")
    return isinstance(message, dict) and any(message.get(name) for name in REASONING)


def _why_empty(choice: Mapping[str, Any], endpoint: str) -> str:
    """Why there is no text in a choice, in words."""
    if endpoint == "completion":
        return "the answer has no text"
    message = choice.get("message")
    if not isinstance(message, dict):
        return "the answer has no message"
    if _calls(choice) or ending_of(finish_reason_of(choice)) == "tool_call":
        return _CALLS
    if _has_reasoning(choice):
        return (
            "the answer has reasoning but no content. Turn off thinking (for many models with sampling = "
            "{ chat_template_kwargs = { enable_thinking = false } }), or the server's reasoning parser"
        )
    return "the answer has no content"


def _tokens(usage: Any) -> tuple[int, int]:
    """The server's token counts of prompt and answer; 0 for a count that is not an integer, or absurd.

    Some servers count reasoning in the total or in a detail, but not in the answer's tokens (xAI).
    """
    usage = usage if isinstance(usage, dict) else {}
    prompt, completion, total = (_count(usage.get(f"{part}_tokens")) for part in ("prompt", "completion", "total"))
    details = usage.get("completion_tokens_details")
    reasoning = _count(details.get("reasoning_tokens") if isinstance(details, dict) else usage.get("reasoning_tokens"))
    if reasoning > completion:
        completion += reasoning
    if not prompt:  # what the total has beyond the answer's may be of the prompt or of reasoning
        return 0, completion if total <= completion else 0
    return prompt, max(completion, total - prompt) if completion else 0


def or_none(count: int, text: str) -> int:
    """A token count, or 0 if no tokenizer could make so few tokens of the text: some servers always report 1."""
    if count * CHARS_PER_TOKEN >= len(text) or count * CHARS_PER_TOKEN >= len(_REPEATED.sub(r"\1", text)):
        return count
    return 0


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= TOKENS_MOST else 0


def _logprobs(found: Any) -> tuple[float, ...] | None:
    """The log-probabilities of the answer's tokens; None if there are none, or their form is unknown."""
    if not isinstance(found, dict):
        return None
    tokens = found.get("content")
    values: list[Any]
    if isinstance(tokens, list):
        values = [token.get("logprob") if isinstance(token, dict) else None for token in tokens]
    else:
        tokens = found.get("token_logprobs")
        values = [value for value in tokens if value is not None] if isinstance(tokens, list) else [None]
    is_known = all(type(value) in (int, float) and abs(value) < LOGPROB_MOST for value in values)
    return tuple(map(float, values)) if is_known else None
