"""From the body of a request to the body of its answer: choices and usage.

`chat` and `completion` take the parsed body of a request and return the answer as JSON values; an invalid request
raises `Refused`:

    >>> chat({"model": "simulated", "messages": [{"role": "user", "content": "Hello"}]}, SimulatedSettings(), b"digest")
    Reply(body={'id': 'chatcmpl-646967657374', 'object': 'chat.completion', ...}, malformed=0, reserved_tokens=4)
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from selfinstruct.simulated.mind.choices import Choice, Wanted, continuation, echoed, in_json, message
from selfinstruct.simulated.mind.tokens import count
from selfinstruct.simulated.mind.understanding import understand
from selfinstruct.simulated.server.requests import (
    Body,
    Limits,
    Refused,
    count_messages,
    read_limits,
    read_messages,
    read_model,
    read_prompt,
    read_response_format,
    whole_number,
)
from selfinstruct.simulated.server.wire import CREATED, chat_logprobs, legacy_logprobs
from selfinstruct.simulated.settings import SimulatedSettings


class Reply(NamedTuple):
    """An answer as JSON values, how many of its choices are malformed, and what a token limit counts for it."""

    body: dict[str, Any]
    malformed: int
    reserved_tokens: int
    """Tokens of the prompt and, where the request sets a limit, as many as its choices may have."""


def chat(body: Body, settings: SimulatedSettings, digest: bytes) -> Reply:
    """Answer a request to /v1/chat/completions."""
    model = read_model(body)
    messages = read_messages(body)
    limits = read_limits(body, body.get("max_completion_tokens", body.get("max_tokens")), least=1)
    top = whole_number(body, "top_logprobs", 0, 0, 20)
    wants_scores = body.get("logprobs") is True
    if top and not wants_scores:
        raise Refused(400, "top_logprobs needs logprobs to be true.", "top_logprobs")
    said = [content for role, content in messages if role == "user"] or [messages[-1][1]]
    background = "\n".join(content for role, content in messages if role in ("system", "developer"))
    wanted = Wanted(understand(said[-1], background), limits.stop, limits.max_tokens, top=top if wants_scores else None)
    is_json, schema = read_response_format(body, settings)
    if is_json:
        wanted = in_json(wanted, schema)
    choices = [message(wanted, settings, digest, index) for index in range(limits.n)]
    written = [_written(index, choice) for index, choice in enumerate(choices)]
    asked = count_messages(content for _, content in messages)
    head = {"id": f"chatcmpl-{digest[:12].hex()}", "object": "chat.completion", "created": CREATED, "model": model}
    return _reply(head, choices, written, asked, limits)


def _written(index: int, choice: Choice) -> dict[str, Any]:
    """Write a choice as the chat endpoint does."""
    said_in = "refusal" if choice.is_refusal else "content"
    scores = None if choice.scores is None else chat_logprobs(choice.scores)
    return {
        "index": index,
        "message": {"role": "assistant", "content": None, "refusal": None, said_in: choice.text},
        "logprobs": scores and {"content": None, "refusal": None, said_in: scores},
        "finish_reason": choice.finish_reason,
    }


def completion(body: Body, settings: SimulatedSettings, digest: bytes) -> Reply:
    """Answer a request to /v1/completions; as with OpenAI, the limit is 16 tokens if the request sets none."""
    model = read_model(body)
    prompt = read_prompt(body)
    echo = body.get("echo") is True
    limits = read_limits(body, body.get("max_tokens", 16), least=0 if echo else 1)
    wants_scores = body.get("logprobs") is not None
    top = whole_number(body, "logprobs", 0, 0, 5)
    wanted = Wanted(understand(prompt), limits.stop, limits.max_tokens, top=top if wants_scores else None)
    choices = [continuation(wanted, prompt, settings, digest, index) for index in range(limits.n)]
    before = echoed(prompt, top, digest) if echo and wants_scores else []
    written = [
        {
            "index": index,
            "text": prompt + choice.text if echo else choice.text,
            "logprobs": None if choice.scores is None else legacy_logprobs(before + choice.scores, top, is_echoed=echo),
            "finish_reason": choice.finish_reason,
        }
        for index, choice in enumerate(choices)
    ]
    head = {"id": f"cmpl-{digest[:12].hex()}", "object": "text_completion", "created": CREATED, "model": model}
    return _reply(head, choices, written, count(prompt), limits)


def _reply(
    head: dict[str, Any], choices: Sequence[Choice], written: list[dict[str, Any]], asked: int, limits: Limits
) -> Reply:
    """Put the choices, in the format of their endpoint, into the body of an answer."""
    used = sum(count(choice.text) for choice in choices)
    body = {
        **head,
        "system_fingerprint": "fp_simulated",
        "choices": written,
        "usage": {"prompt_tokens": asked, "completion_tokens": used, "total_tokens": asked + used},
    }
    malformed = sum(choice.is_malformed for choice in choices)
    return Reply(body, malformed, asked + limits.n * (limits.max_tokens or 0))
