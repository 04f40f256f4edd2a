"""How an answer ended: one table for what servers send, and for what other tools recorded of them.

OpenAI has five words for it. Others have more, in spellings of their own, and gateways pass them on as they are:
"MAX_TOKENS" (Gemini), "model_length" (Mistral), "max_tokens" (Anthropic), "insufficient_system_resource" (DeepSeek).
Whoever knows only "length" takes half an answer for a whole one. The reason is stored as it was sent; case, separators
and prefixes such as "FinishReason." do not count.

Sources: the references of OpenAI, Azure, Mistral, Gemini and Vertex, Anthropic, Bedrock, Groq, OpenRouter, DeepSeek,
Cohere, watsonx, Z.AI, xAI, vLLM, TGI, llama.cpp, Ollama and LM Studio, 2026.
"""

import re
from typing import Literal

Ending = Literal["done", "cut", "filtered", "failed", "tool_call", "refusal"]

_WORDS: dict[Ending, str] = {
    # By itself, or at a stop sequence.
    "done": "stop end_turn stop_sequence eos eos_token endoftext eosFound stopStringFound complete completed finish "
    "finished word 1",
    # At a limit of tokens: of the request, or of the model's window.
    "cut": "length max_tokens model_length max_output_tokens max_completion_tokens token_limit limit max_length "
    "model_context_window_exceeded context_length_exceeded maxPredictedTokensReached contextLengthReached ERROR_LIMIT "
    "incomplete max_new_tokens max_time truncated repetition 2",
    # Held back or broken off by somebody who looked at it.
    "filtered": "content_filter content_filtered SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY "
    "MODEL_ARMOR LANGUAGE guardrail_intervened sensitive ERROR_TOXIC moderation 3 4",
    # Broken off by the server: what there is of it is no answer.
    "failed": "error abort aborted failed cancelled canceled timeout time_limit network_error server_error "
    "insufficient_system_resource not_finished user_cancel userStopped modelUnloaded unload load OTHER "
    "MALFORMED_RESPONSE MALFORMED_FUNCTION_CALL malformed_model_output pause_turn",
    "tool_call": "tool_calls tool_call tool_use function_call toolCalls UNEXPECTED_TOOL_CALL",
    "refusal": "refusal",
}

# What gives away a word that is not in the table. A whole answer is lost rather than half of one kept.
_PARTS: dict[Ending, tuple[str, ...]] = {
    "filtered": ("filter", "safety", "blocked", "moderat", "policy", "prohibit", "guardrail"),
    "failed": ("error", "fail", "abort", "cancel", "timeout", "disconnect", "interrupt", "malformed", "overload"),
    "cut": ("length", "limit", "truncat", "incomplete", "maxtok", "maxnew", "maxout", "maxcompl", "exceeded", "budget"),
}


def reason_in(value: object) -> str:
    """The finish reason in a field of a server's answer; "" if there is none, which KoboldCpp says as "null"."""
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if isinstance(value, dict):  # SGLang
        value = value.get("type")
    if type(value) is int:  # Gemini's enum, which some gateways pass on as a number
        value = str(value)
    return value if isinstance(value, str) and value.strip().casefold() not in ("", "null", "none") else ""


def _plain(reason: str) -> str:
    return re.sub(r"[^a-z0-9]", "", reason.casefold()).removeprefix("finishreason")


_ENDINGS: dict[str, Ending] = {_plain(word): ending for ending, words in _WORDS.items() for word in words.split()}


def ending_of(reason: str) -> Ending | None:
    """What a finish reason means, in any case and spelling; None for one that says nothing of the kind.

    What follows a colon explains it ("content_filter: RECITATION").
    """
    word = _plain(reason[:100].partition(":")[0])
    by_part = (ending for ending, parts in _PARTS.items() if any(part in word for part in parts))
    return _ENDINGS.get(word) or next(by_part, None)
