"""From the body of a request to the body of its answer: checks, choices, usage.

`chat` and `completion` take the parsed body of a request and return the answer as JSON values; what is wrong with a
request is raised as `Refused`, with the status and the words that OpenAI uses for it:

    >>> chat({"model": "simulated", "messages": [{"role": "user", "content": "Hello"}]}, SimulatedSettings(), b"digest")
    Reply(body={'id': 'chatcmpl-646967657374', 'object': 'chat.completion', ...}, malformed=0, reserved_tokens=4)
    >>> chat({"model": "simulated"}, SimulatedSettings(), b"digest")
    Traceback (most recent call last):
    Refused: 400 Missing required parameter: 'messages'.

Each choice of an answer has its own random generator, seeded from the digest of the request and the choice's index.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from selfinstruct.simulated.answering import respond
from selfinstruct.simulated.answers import Answer
from selfinstruct.simulated.faults import chance
from selfinstruct.simulated.malformed import FinishReason, kinds_for, malform
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.simulated.structured import as_json, wants_whole_tasks
from selfinstruct.simulated.understanding import Ask, understand
from selfinstruct.simulated.wire import CREATED, chat_logprobs, count, cut, error_body, legacy_logprobs, scored
from selfinstruct.simulated.world.tasks import compose

Body = Mapping[str, Any]

_REFUSAL = "I'm sorry, I can't assist with that request."


class Refused(Exception):
    """A request that gets an error for an answer, at every attempt."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None):
        super().__init__(f"{status} {message}")
        self.status = status
        self.body = error_body(message, "invalid_request_error", param, code)


class Reply(NamedTuple):
    """An answer as JSON values, how many of its choices are malformed, and what a token limit counts for it."""

    body: dict[str, Any]
    malformed: int
    reserved_tokens: int
    """Tokens of the prompt and, where the request sets a limit, as many as its choices may have."""


class Limits(NamedTuple):
    """What a request says about the answer's extent."""

    n: int
    stop: list[str]
    max_tokens: int | None


def chat(body: Body, settings: SimulatedSettings, digest: bytes) -> Reply:
    """Answer a request to /v1/chat/completions."""
    model = _model(body)
    messages = [(_role(message), _content(message)) for message in _messages(body)]
    limits = _limits(body, body.get("max_completion_tokens", body.get("max_tokens")), least=1)
    top = _whole_number(body, "top_logprobs", 0, 0, 20)
    wants_scores = body.get("logprobs") is True
    if top and not wants_scores:
        raise Refused(400, "top_logprobs needs logprobs to be true.", "top_logprobs")
    said = [content for role, content in messages if role == "user"] or [messages[-1][1]]
    background = "\n".join(content for role, content in messages if role in ("system", "developer"))
    ask = understand(said[-1], background)
    json_wanted, schema = _response_format(body, settings)
    if json_wanted and ask.stage == "propose" and wants_whole_tasks(schema):
        ask = Ask("whole", ask.task, ask.shown, ask.first, ask.count)
    choices, used, malformed = [], 0, 0
    for index in range(limits.n):
        rng = _generator(digest, index)
        answer = respond(ask, settings, rng)
        if json_wanted:
            answer = as_json(answer, schema)
        text, reason, is_malformed = _shaped(answer, settings, rng)
        said_in = "content"
        if settings.refusal_share and chance(digest, f"refusal {index}") < settings.refusal_share:
            said_in, text, reason, is_malformed = "refusal", _REFUSAL, "stop", False
        text, reason = _cut(text, reason, limits)
        malformed += is_malformed
        used += count(text)
        scores = chat_logprobs(scored(text, answer.items, top, rng)) if wants_scores else None
        choices.append(
            {
                "index": index,
                "message": {"role": "assistant", "content": None, "refusal": None, said_in: text},
                "logprobs": scores and {"content": None, "refusal": None, said_in: scores},
                "finish_reason": reason,
            }
        )
    asked = _count_messages([content for _, content in messages])
    answer_body = _envelope(
        "chatcmpl", "chat.completion", model=model, digest=digest, choices=choices, asked=asked, used=used
    )
    return Reply(answer_body, malformed, asked + limits.n * (limits.max_tokens or 0))


def completion(body: Body, settings: SimulatedSettings, digest: bytes) -> Reply:
    """Answer a request to /v1/completions; as with OpenAI, 16 tokens are the limit where the request names none."""
    model = _model(body)
    prompt = _prompt(body)
    echo = body.get("echo") is True
    limits = _limits(body, body.get("max_tokens", 16), least=0 if echo else 1)
    wants_scores = body.get("logprobs") is not None
    top = _whole_number(body, "logprobs", 0, 0, 5)
    ask = understand(prompt)
    choices, used, malformed = [], 0, 0
    for index in range(limits.n):
        rng = _generator(digest, index)
        answer = respond(ask, settings, rng, gap="\n")
        text, reason, is_malformed = _shaped(answer, settings, rng)
        text = _continued(text, ask, prompt)
        if reason == "stop":
            text += _run_on(ask, rng)
        text, reason = _cut(text, reason, limits)
        malformed += is_malformed
        used += count(text)
        scores = scored(text, answer.items, top, rng) if wants_scores else []
        if echo and wants_scores:
            scores = scored(prompt, (), top, _generator(digest, -1)) + scores
        choices.append(
            {
                "index": index,
                "text": prompt + text if echo else text,
                "logprobs": legacy_logprobs(scores, top, is_echoed=echo) if wants_scores else None,
                "finish_reason": reason,
            }
        )
    asked = count(prompt)
    answer_body = _envelope(
        "cmpl", "text_completion", model=model, digest=digest, choices=choices, asked=asked, used=used
    )
    return Reply(answer_body, malformed, asked + limits.n * (limits.max_tokens or 0))


def prompt_tokens(body: Body) -> int:
    """Count the tokens of a request's prompt as its usage will; 0 where the prompt is none."""
    try:
        if "messages" in body:
            return _count_messages([_content(message) for message in _messages(body)])
        return count(_prompt(body))
    except Refused:
        return 0


def check_model(model: object) -> str:
    """Return the name of a model that exists: any that starts with "simulated"."""
    if not isinstance(model, str) or not model:
        raise Refused(400, "you must provide a model parameter", "model")
    if not model.startswith("simulated"):
        raise Refused(404, f"The model '{model[:100]}' does not exist or you do not have access to it.",
                      "model", "model_not_found")  # fmt: skip
    return model


def _shaped(answer: Answer, settings: SimulatedSettings, rng: Random) -> tuple[str, FinishReason, bool]:
    """Write an answer down, now and then in a form that was not asked for."""
    if rng.random() < settings.malformed_share and (kinds := kinds_for(answer, settings.malformed_kinds)):
        wrong = malform(rng.choice(kinds), answer, rng)
        return wrong.text, wrong.finish_reason, True
    return answer.text, "stop", False


def _continued(text: str, ask: Ask, prompt: str) -> str:
    """Write an answer as the continuation of a prompt."""
    begun = rf"{ask.first}\." if ask.stage == "propose" else re.escape(ask.opened)
    if ask.opened and (opening := re.match(begun, text)):
        text = text[opening.end() :]
    elif text.strip():
        text = f"{' ' if ask.opened or ask.stage in ('classify', 'answer') else chr(10)}{text}"
    return text.lstrip() if prompt[-1:].isspace() else text


def _run_on(ask: Ask, rng: Random) -> str:
    """Go on after an answer, as base models do: with a blank line, and with the next task after a question on one."""
    match ask.stage:
        case "propose" | "whole":
            return "\n\n"
        case "classify" | "input_first" | "output_first":
            return f"\n\nTask: {compose(rng)}\n"
        case "answer" | "judge":
            return ""


def _cut(text: str, reason: FinishReason, limits: Limits) -> tuple[str, FinishReason]:
    short, by = cut(text, limits.stop, limits.max_tokens)
    return short, by if len(short) < len(text) else reason


def _generator(digest: bytes, index: int) -> Random:
    return Random(hashlib.sha256(b"%b/%d" % (digest, index)).digest())


def _envelope(
    prefix: str, kind: str, *, model: str, digest: bytes, choices: list[dict[str, Any]], asked: int, used: int
) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{digest[:12].hex()}",
        "object": kind,
        "created": CREATED,
        "model": model,
        "system_fingerprint": "fp_simulated",
        "choices": choices,
        "usage": {"prompt_tokens": asked, "completion_tokens": used, "total_tokens": asked + used},
    }


def _model(body: Body) -> str:
    if body.get("stream"):
        raise Refused(400, "The simulated teacher does not stream; leave 'stream' out.", "stream", "unsupported_value")
    return check_model(body.get("model"))


def _prompt(body: Body) -> str:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise Refused(400, "'prompt' must be a string (lists of prompts are not simulated).", "prompt")
    return prompt


def _count_messages(contents: Sequence[str]) -> int:
    return sum(3 + count(content) for content in contents)


def _messages(body: Body) -> list[Any]:
    messages = body.get("messages")
    if messages is None:
        raise Refused(400, "Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "'messages' must be an array with at least one message.", "messages", "invalid_type")
    return messages


def _role(message: Any) -> str:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Refused(400, "Each of 'messages' must be an object with a 'role'.", "messages", "invalid_type")
    role: str = message["role"]
    return role


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if not isinstance(content, str):
        raise Refused(400, "The 'content' of a message must be a string or an array of parts.", "messages",
                      "invalid_type")  # fmt: skip
    return content


def _limits(body: Body, max_tokens: Any, least: int) -> Limits:
    stop = body.get("stop")
    stop = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(stop, list) or len(stop) > 4 or not all(isinstance(word, str) and word for word in stop):
        raise Refused(400, "'stop' must be a string or an array of at most four strings.", "stop", "invalid_type")
    if max_tokens is not None and (type(max_tokens) is not int or max_tokens < least):
        raise Refused(400, f"The token limit must be a whole number of at least {least}.", "max_tokens")
    return Limits(_whole_number(body, "n", 1, 1, 128), stop, max_tokens)


def _whole_number(body: Body, name: str, default: int, low: int, high: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if type(value) is not int or not low <= value <= high:
        raise Refused(400, f"'{name}' must be a whole number from {low} to {high}.", name)
    return value


def _response_format(body: Body, settings: SimulatedSettings) -> tuple[bool, dict[str, Any] | None]:
    """Tell whether JSON is wanted, and by which schema."""
    wanted = body.get("response_format") or {"type": "text"}
    if settings.json_schema == "ignored":
        return False, None
    if settings.json_schema == "refused" and wanted != {"type": "text"}:
        raise Refused(400, "This server has no 'response_format'.", "response_format", "unsupported_parameter")
    match wanted:
        case {"type": "text"}:
            return False, None
        case {"type": "json_object"}:
            return True, None
        case {"type": "json_schema", "json_schema": {"schema": dict() as schema}}:
            return True, schema
    message = "'response_format' must be text, json_object, or json_schema with a schema."
    raise Refused(400, message, "response_format", "invalid_value")
