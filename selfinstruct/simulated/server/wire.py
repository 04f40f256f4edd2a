"""The format of log-probabilities and errors in the answers of OpenAI's API."""

from collections.abc import Sequence
from typing import Any

from selfinstruct.simulated.mind.tokens import Scored

CREATED = 1_700_000_000
"""The time of every answer: a clock would make two answers to one request differ."""


def chat_logprobs(scores: Sequence[Scored]) -> list[dict[str, Any]]:
    """Write the log-probabilities of a message's content, or of its refusal, as the chat endpoint does."""

    def entry(token: str, logprob: float) -> dict[str, Any]:
        return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}

    return [{**entry(s.token, s.logprob), "top_logprobs": [entry(*pair) for pair in s.top]} for s in scores]


def legacy_logprobs(scores: Sequence[Scored], top: int, is_echoed: bool) -> dict[str, Any]:
    """Write log-probabilities as the completions endpoint does; the first token of an echoed prompt has none."""
    offsets, at = [], 0
    for score in scores:
        offsets.append(at)
        at += len(score.token)
    known = [index > 0 or not is_echoed for index in range(len(scores))]
    return {
        "tokens": [score.token for score in scores],
        "token_logprobs": [score.logprob if k else None for score, k in zip(scores, known, strict=True)],
        "top_logprobs": [dict(score.top) if k else None for score, k in zip(scores, known, strict=True)]
        if top
        else None,
        "text_offset": offsets,
    }


def error_body(message: str, kind: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Write an error as OpenAI does."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
