"""The words with which servers say how an answer ended."""

import pytest

from selfinstruct.finish_reasons import ending_of
from selfinstruct.records import Completion

# By server, with where it says so, or where others met it.
SERVERS = {
    "OpenAI, Azure, Groq (platform.openai.com/docs/api-reference/chat/object)": {
        "stop": "done", "length": "cut", "content_filter": "filtered", "tool_calls": "tool_call",
        "function_call": "tool_call",
    },
    "Mistral (docs.rs/crate/mistral-openapi-client: FinishReason)": {
        "stop": "done", "model_length": "cut", "error": "failed", "tool_calls": "tool_call",
    },
    "Gemini (epam/ai-dial-adapter-vertexai#85, pydantic/pydantic-ai#631)": {
        "STOP": "done", "MAX_TOKENS": "cut", "SAFETY": "filtered", "RECITATION": "filtered", "BLOCKLIST": "filtered",
        "PROHIBITED_CONTENT": "filtered", "SPII": "filtered", "OTHER": "failed", "MALFORMED_FUNCTION_CALL": "failed",
        "FinishReason.MAX_TOKENS": "cut", "content_filter: RECITATION": "filtered", "FINISH_REASON_UNSPECIFIED": None,
    },
    "Anthropic (docs.anthropic.com, zeitlings/ayai-gpt-nexus#2)": {
        "end_turn": "done", "endturn": "done", "stop_sequence": "done", "max_tokens": "cut", "tool_use": "tool_call",
        "refusal": "refusal", "model_context_window_exceeded": "cut",
    },
    "DeepSeek (docs.rs/openai-interface: FinishReason)": {"insufficient_system_resource": "failed"},
    "Z.AI, xAI (genkit-ai/genkit#6259)": {
        "sensitive": "filtered", "network_error": "failed", "model_context_window_exceeded": "cut", "end_turn": "done",
    },
    "OpenRouter (maximhq/bifrost#5425)": {"error": "failed"},
    "vLLM, SGLang (docs.vllm.ai)": {"abort": "failed", "length": "cut"},
    "TGI (huggingface.co/docs/text-generation-inference)": {"eos_token": "done", "stop_sequence": "done"},
    "llama.cpp (tools/server/README.md: stop_type)": {"eos": "done", "word": "done", "limit": "cut"},
    "Ollama (docs/api.md: done_reason)": {"load": "failed", "unload": "failed"},
    "LM Studio (lmstudio.ai/docs: stopReason)": {
        "eosFound": "done", "stopStringFound": "done", "maxPredictedTokensReached": "cut",
        "contextLengthReached": "cut", "userStopped": "failed", "modelUnloaded": "failed", "toolCalls": "tool_call",
    },
    "words that are in no table": {
        "token_limit_reached": "cut", "stopped_limit": "cut", "MAX_NEW_TOKENS_REACHED": "cut", "stop_token": None,
        "stopped_eos": None, "end": None, "upstream_failure": "failed", "client_disconnect": "failed",
        "blocked_by_policy": "filtered", "unsafe_filtered": "filtered", "safety_stop": "filtered",
    },
    "Gemini's enum as a number (googleapis/googleapis: FinishReason)": {"1": "done", "2": "cut", "3": "filtered"},
    "others": {"eleven": None, "": None, "x" * 10**6: None, "COMPLETE": "done", "guardrail_intervened": "filtered"},
}  # fmt: skip


@pytest.mark.parametrize("server", SERVERS)
def test_each_server_is_understood_in_any_case_and_spelling(server):
    for reason, ending in SERVERS[server].items():
        for spelled in (reason, reason.lower(), reason.upper(), reason.replace("_", "-"), f" {reason} "):
            assert ending_of(spelled) == ending, spelled


@pytest.mark.parametrize(
    ("reason", "was_cut"),
    [("length", True), ("MAX_TOKENS", True), ("content_filter", True), ("abort", True), ("stop", False),
     ("unknown", False), ("tool_calls", False)],
)  # fmt: skip
def test_what_did_not_end_by_itself_was_cut(reason, was_cut):
    assert Completion("r", "1. Name a", reason).was_cut is was_cut
