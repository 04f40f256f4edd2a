"""The answer in the JSON that a server speaking OpenAI's protocol sends: its text, how it ended, what it took.

Source: https://platform.openai.com/docs/api-reference/chat/object.
"""

from typing import Any, NamedTuple

from selfinstruct.errors import RequestRefused
from selfinstruct.records import storable


class Answer(NamedTuple):
    """What a server answered; tokens are 0 where it gives no sensible count."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    logprobs: tuple[float, ...] | None


def answer_in(body: Any, endpoint: str, raw: str) -> Answer:
    """The answer in the server's JSON; ValueError, KeyError, IndexError, TypeError or AttributeError if it has none.

    RequestRefused, with `raw` as it was sent, if the server withheld it.
    """
    choice = body["choices"][0]
    text = choice["message"]["content"] if endpoint == "chat" else choice["text"]
    finish_reason = storable(str(choice.get("finish_reason") or "unknown"))
    if not text and isinstance(refusal := choice.get("message", {}).get("refusal"), str) and refusal:
        text, finish_reason = refusal, "refusal"
    if text is None and finish_reason == "length":
        text = ""  # a reasoning model that spent all its tokens on thinking: asking again would not help
    if finish_reason == "content_filter" and not text:
        raise RequestRefused("content_filter", "the server withheld its answer", storable(raw)[:10_000])
    if not isinstance(text, str):
        raise TypeError("the content is null")
    return Answer(text, finish_reason, _tokens(body, "prompt"), _tokens(body, "completion"), _logprobs(choice))


def describe(error: BaseException) -> str:
    """An exception in words."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _tokens(body: dict[str, Any], part: str) -> int:
    """The number of tokens that the server counted, 0 if it says nothing sensible."""
    usage = body.get("usage")
    count = usage.get(f"{part}_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) and 0 <= count < 2**53 else 0


def _logprobs(choice: dict[str, Any]) -> tuple[float, ...] | None:
    """The log-probabilities of the answer's tokens, None if there are none, or in no known form."""
    try:
        found = choice["logprobs"]
        if "content" in found:
            return tuple(float(token["logprob"]) for token in found["content"])
        return tuple(float(p) for p in found["token_logprobs"] if p is not None)
    except (KeyError, TypeError, ValueError):
        return None
