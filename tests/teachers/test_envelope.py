"""Where servers put an answer, in bodies as public reports show them; and what they put there that is none."""

import json
import time
from dataclasses import replace

import hypothesis
import hypothesis.strategies as st
import pytest

from selfinstruct.errors import RequestRefused, TeacherError, TryAgain
from selfinstruct.records import Request
from selfinstruct.teachers.envelope import NoAnswer, answer_in, error_in
from selfinstruct.teachers.event_stream import body_of_events, is_event_stream
from selfinstruct.teachers.openai_compatible import OpenAICompatible
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.settings import TeacherSettings

JSON = '{"number": "7"}'


def body(message, finish_reason="stop", **choice):
    return {"choices": [{"message": message, "finish_reason": finish_reason, **choice}]}


def part(kind, **more):
    return {"type": kind, **more}


THOUGHTS = "They want a river. 1. Maybe the Rhine."
# What public reports show, and the text in it.
ANSWERS = {
    "posit-dev/chatlas#397: Databricks": (
        body({"content": [part("reasoning", summary=[part("text", text=THOUGHTS)]), part("text", text="Niger")]}),
        "Niger",
    ),
    "docs.mistral.ai/capabilities/reasoning": (
        body({"content": [part("thinking", thinking=[part("text", text=THOUGHTS)]), part("text", text="Ni"),
                          part("text", text="ger")]}), "Niger",
    ),
    "OpenAI's assistants: text is an object": (body({"content": [part("text", text={"value": "Niger"})]}), "Niger"),
    "Gemini: thought = true": (body({"content": [{"text": THOUGHTS, "thought": True}, {"text": "Niger"}]}), "Niger"),
    "vllm-project/vllm#19222: JSON taken for reasoning": (body({"content": None, "reasoning_content": JSON}), JSON),
    "vllm-project/vllm#22507: thoughts end, the answer follows": (
        body({"content": "", "reasoning": f"{THOUGHTS}</think>\nNiger"}), "Niger"),
    "safety-research/safety-tooling#113": (
        body({"content": None, "tool_calls": [{"function": {"name": "f", "arguments": JSON}}]}, "tool_calls"), JSON),
    "chatanywhere/GPT_API_free#225": (
        body({"content": None, "function_call": {"name": "f", "arguments": JSON}}, "function_call"), JSON),
    "sigoden/aichat#1326: no content; ollama/docs/api.md: arguments as an object": (
        body({"tool_calls": [{"function": {"name": "f", "arguments": {"number": "7"}}}]}), '{"number":"7"}'),
    "darkmatter/nixmac#199: cut while it thought": (
        body({"content": None, "reasoning_content": "We need to"}, "length"), ""),
    "content left out": (body({}, "MAX_TOKENS"), ""),
    "a reason in a list": (body({"content": "Niger"}, ["length"]), "Niger"),
    "thinking = true": (body({"content": [{"text": THOUGHTS, "thinking": True}, {"text": "Niger"}]}), "Niger"),
    "SGLang: a reason is an object": (body({"content": "Niger"}, {"type": "length", "length": 9}), "Niger"),
    "a call whose answer is announced": (
        body({"content": "Let me look.", "tool_calls": [{"function": {"name": "f", "arguments": JSON}}]}, "tool_calls"),
        JSON),
    "vllm-project/vllm#53255: a reason without a call": (body({"content": JSON, "tool_calls": []}, "tool_calls"), JSON),
    "JSON in the content, and a wrong reason": (body({"content": JSON}, "tool_calls"), JSON),
    "reasoning beside an answer": (body({"content": "Niger", "reasoning_content": "{}"}), "Niger"),
}  # fmt: skip


# Errors in place of an answer, with status 200; where such texts were reported.
ERRORS_AS_TEXT = {
    "jayrinaldime/ollama-straico-apiproxy#22": "Warning: It seems we couldn't process your request this time.",
    "BerriAI/litellm#37710": "litellm.APIConnectionError: unable to complete request: max_output_tokens",
    "the same, other classes": "litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit reached",
    "Envoy": "upstream request timeout", "a proxy of it": "Error: upstream connect error or disconnect/reset",
    "Python's client, printed": "Error code: 429 - {'error': {'message': 'Too many requests'}}",
    "nginx": "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body></body></html>",
    "a page with a doctype": '<!DOCTYPE html>\n<html lang="en"><head><meta charset="a"><title>Error 503</title>',
    "an error's JSON": '{"error": {"message": "Try later", "type": "rate_limit_error"}}',
    "the same, printed": "[{'error': {'code': 429, 'message': 'Resource exhausted'}}]",
    "a status alone": "503 Service Unavailable", "a limit": "You've reached your free message limit.",
    "a code alone": "HTTP 502", "axios": "Request failed with status code 500", "undici": "fetch failed",
    "OpenAI": "The server had an error while processing your request. Sorry about that!",
    "Anthropic": "API Error: 529 overloaded_error", "vLLM": "Error: CUDA out of memory. Tried to allocate 2 GiB",
    "one-api": "当前分组上游负载已饱和，请稍后再试", "the end of a stream": "data: [DONE]",
}  # fmt: skip


@pytest.mark.parametrize("source", ERRORS_AS_TEXT)
def test_an_error_in_place_of_the_answer_is_none(source):
    with pytest.raises(NoAnswer) as failed:
        answer_in(body({"content": ERRORS_AS_TEXT[source]}), "chat")
    assert failed.value.reason == "error_as_answer"


@pytest.mark.parametrize(
    "text",
    [
        "Bad gateway is what a proxy answers.", "Internal server error means that it failed.", '{"error": 0}',
        "Error handling in Python", "9. Explain the error: upstream request timeout", "None", "<title>404 flowers",
        "Too many requests are sent.", "requests.get raises an error.", "Example 1\nOutput: Bad gateway",
        "Too many requests can overload a server.", "Bad Gateway errors usually come from a proxy.",
        "You have reached your daily step limit! Great work.", "requests.exceptions.Timeout is raised when it waits.",
        "<html><title>Fortune 500 companies</title></html>",
    ],
)  # fmt: skip
def test_an_answer_about_errors_is_one(text):
    assert answer_in(body({"content": text}), "chat").text == text


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Which HTTP status line says that a service is down?", "503 Service Unavailable"),
        ("Write a sample error of an API.", '{"error": {"code": 404, "message": "User not found"}}'),
        ("Which tags are around a call of a tool?", "<tool_call>"),
        ("Write the HTML of an error page.", "<html><head><title>404 Not Found</title></head></html>"),
    ],
)
def test_an_error_that_was_asked_for_is_an_answer(prompt, text):
    assert answer_in(body({"content": text}), "chat", prompt).text == text


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"finish_reason": "stop", "native_finish_reason": "MAX_TOKENS"}, "MAX_TOKENS"),
        ({"finish_reason": "stop", "stop_reason": "max_tokens"}, "max_tokens"),
        ({"finish_reason": "length", "native_finish_reason": "stop"}, "length"),
        ({"finish_reason": "stop", "native_finish_reason": "end_turn"}, "stop"),
    ],
)
def test_of_several_reasons_the_one_that_says_more_counts(fields, reason):
    choice = {"message": {"content": "Niger"}, **fields}
    assert answer_in({"choices": [choice]}, "chat").finish_reason == reason


def filtered(value, **more):
    return {
        "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}, "x": {"filtered": value}, **more}
    }


@pytest.mark.parametrize(
    ("choice", "beside", "reason"),
    [
        (filtered(True), {}, "content_filter"),
        (filtered(False, protected_material_text={"filtered": False, "detected": True}), {}, "stop"),
        (filtered("no", y=None, z=[True]), {}, "stop"),
        # BerriAI/litellm#37710: a bridge to the Responses API that ends every answer with "stop".
        ({}, {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "max_output_tokens"),
        ({}, {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter"),
        ({}, {"status": "incomplete", "incomplete_details": None}, "incomplete"),
        ({}, {"status": "completed", "incomplete_details": None}, "stop"),
        ({}, {"status": 2}, "stop"),
        ({}, {"status": ["failed"]}, "stop"),
    ],
)
def test_an_answer_that_is_not_whole_is_known_beside_a_reason_that_says_nothing(choice, beside, reason):
    sent = {**body({"content": "The Ni"}, **choice), **beside}
    assert answer_in(sent, "chat").finish_reason == reason
    if choice and reason != "stop":
        late = {"choices": [{"delta": {}, "finish_reason": "stop", "content_filter_results": {}}]}
        pieces = stream({"choices": [{"delta": {"content": "The Ni"}, **choice}]}, late, "[DONE]")
        assert answer_in(body_of_events(pieces), "chat").finish_reason == reason


@pytest.mark.parametrize("beside", [{"status": "failed"}, {"status": "cancelled"}])
def test_an_answer_that_failed_by_its_status_is_none(beside):
    with pytest.raises(NoAnswer, match=beside["status"]):
        answer_in({**body({"content": "The Ni"}), **beside}, "chat")


@pytest.mark.parametrize("source", ANSWERS)
def test_an_answer_is_found_and_no_thoughts(source):
    sent, text = ANSWERS[source]
    assert answer_in(sent, "chat", offers_calls=True).text == text


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (body({"content": None, "reasoning_content": THOUGHTS}), "reasoning but no content"),
        (body({"content": "", "reasoning": THOUGHTS}), "reasoning but no content"),
        # openrouter.ai/docs/use-cases/reasoning-tokens, caozhiyuan/copilot-api#230, ollama/docs/api.md: other names.
        (body({"content": "", "reasoning_details": [part("reasoning.text", text="x")]}), "reasoning but no content"),
        (body({"content": "", "reasoning_text": THOUGHTS}), "reasoning but no content"),
        (body({"content": "", "thinking": THOUGHTS}), "reasoning but no content"),
        (body({"content": None}), "no content"),
        (body({"content": [part("image_url", url="x")]}), "no content"),
        (body({"content": None, "tool_calls": [{"function": {"arguments": "no json"}}]}), "tool that was not offered"),
        (body({"content": "The Ni"}, "insufficient_system_resource"), "insufficient_system_resource"),
        (body({"content": "The Ni"}, "error"), '"error"'),
        ({"choices": [{"finish_reason": "stop"}]}, "no message"),
        (body({"content": "I will search the web for it."}, "tool_calls"), "calls a tool that was not offered"),
        (
            body({"content": "Let me look.", "tool_calls": [{"function": {"name": "f", "arguments": ""}}]}, "tool_use"),
            "calls a tool that was not offered",
        ),
        # vllm-project/vllm#27385: gpt-oss calls a built-in tool when there are none.
        (body({"content": None, "tool_calls": [{"function": {"name": "f", "arguments": JSON}}]}, "tool_calls"),
         "calls a tool that was not offered"),
        (body({"content": "", "reasoning": THOUGHTS, "function_call": {"name": "f", "arguments": JSON}}),
         "calls a tool that was not offered"),
        # Blaizzy/mlx-vlm#1014: the reason is "stop" in spite of the call.
        (body({"content": "I will look it up.", "tool_calls": [{"function": {"name": "f", "arguments": JSON}}]}),
         "calls a tool that was not offered"),
        (body({"content": "<tool_call>\n<function=f>\n</function></tool_call>"}), "calls a tool that was not offered"),
        (body({"content": f"<think>Hm</think>\n<minimax:tool_call>{JSON}"}), "calls a tool that was not offered"),
        ({"choices": {"0": {}}}, "no choices"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told_in_words(sent, says):
    with pytest.raises(NoAnswer, match=says):
        answer_in(sent, "chat")


@pytest.mark.parametrize("reason", ["SAFETY", "content_filter: PROHIBITED_CONTENT", "RECITATION", "sensitive"])
def test_a_withheld_answer_is_refused_under_any_name(reason):
    with pytest.raises(RequestRefused, match="content_filter"):
        answer_in(body({"content": None}, reason), "chat")


# Counts of tokens. Reports: philschmid/easyllm#42 (float), maximhq/bifrost#5425 (null), router-for-me/CLIProxyAPI#5733
# and mozilla-ai/any-llm#1290 (an answer's tokens without those of its reasoning).


@pytest.mark.parametrize(
    "count", [None, 37.25, 12.0, "34", -1, True, [3], {}, 10**15, 10**400, float("nan"), float("inf")], ids=repr
)
@pytest.mark.parametrize("half", ["prompt_tokens", "completion_tokens"])
def test_a_count_that_is_none_is_0_and_leaves_the_other_half(half, count):
    usage = {"prompt_tokens": 11, "completion_tokens": 4, half: count}
    answer = answer_in({**body({"content": "Niger"}), "usage": usage}, "chat")
    assert [answer.prompt_tokens, answer.completion_tokens] == [0 if usage[k] is count else usage[k] for k in usage]


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        # UKGovernmentBEIS/inspect_ai#5528, LiveBench/LiveBench#503: xAI reports them beside the answer's.
        ({"completion_tokens": 237, "completion_tokens_details": {"reasoning_tokens": 1901}}, 2138),
        ({"completion_tokens": 237, "prompt_tokens": 11, "total_tokens": 2149,
          "completion_tokens_details": {"reasoning_tokens": 1901}}, 2138),
        ({"completion_tokens": 0, "completion_tokens_details": {"reasoning_tokens": 60}}, 60),
        ({"completion_tokens": 2000, "completion_tokens_details": {"reasoning_tokens": 1901}}, 2000),
        ({"completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": "many"}}, 5),
        ({"completion_tokens": 5, "completion_tokens_details": [], "reasoning_tokens": 9}, 14),
        ({"prompt_tokens": 0, "completion_tokens": 5, "total_tokens": 400}, 0),
        ({"prompt_tokens": 0, "completion_tokens": 400, "total_tokens": 400}, 400),
    ],
)  # fmt: skip
def test_tokens_of_reasoning_count_wherever_they_are_reported(usage, counted):
    assert answer_in({**body({"content": "Niger"}), "usage": usage}, "chat").completion_tokens == counted


# abetlen/llama-cpp-python#1344 (always 1), neuralmagic/deepsparse#1496 (always 2).
@pytest.mark.parametrize("count", [1, 2, 5])
async def test_a_count_that_is_too_small_for_its_text_is_none(teacher, count):
    usage = {"prompt_tokens": count, "completion_tokens": count, "total_tokens": 2 * count}
    long = " ".join(f"word{n}" for n in range(40))
    request = replace(a_request(), user=long)
    read = teacher.read(request, json.dumps({**body({"content": long}), "usage": usage}), 0.0)
    assert (read.prompt_tokens, read.completion_tokens) == (0, 0)
    for short in ("Niger", "=" * 200, " " * 5000):  # one token can be a long run of the same character
        read = teacher.read(a_request(), json.dumps({**body({"content": short}), "usage": usage}), 0.0)
        assert (read.prompt_tokens, read.completion_tokens) == (count, count)


def test_tokens_of_reasoning_count_where_only_the_total_has_them():
    for completion, total, counted in [(198, 623, 603), (4, 15, 4), (4, "many", 4), (0, 81, 0)]:
        usage = {"prompt_tokens": 20, "completion_tokens": completion, "total_tokens": total}
        assert answer_in({**body({"content": "Niger"}), "usage": usage}, "chat").completion_tokens == counted


@pytest.mark.parametrize("p", [10**400, float("nan"), float("-inf"), "-1", True, None, [1], {}], ids=repr)
def test_log_probabilities_that_are_none_are_left_out(p):
    for logprobs in ({"content": [{"logprob": -0.5}, {"logprob": p}]}, {"token_logprobs": [p, "x"]}, p, {"content": p}):
        assert answer_in(body({"content": "Niger"}, logprobs=logprobs), "chat").logprobs is None


# Streams.


def stream(*events, end="\n\n", prefix="data: "):
    return "".join(f"{prefix}{event if isinstance(event, str) else json.dumps(event)}{end}" for event in events)


def delta(finish_reason=None, **fields):
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish_reason}]}


HELLO = [delta(role="assistant", content=""), delta(content="Ni"), delta(content="ger"), delta("stop")]
USAGE = {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 4}}
STREAMS = {
    "openai: usage last": stream(*HELLO, USAGE, "[DONE]"),
    "no [DONE]": stream(*HELLO, USAGE),
    "symfony/ai#909: comments of OpenRouter": ": OPENROUTER PROCESSING\n\n" + stream(*HELLO, USAGE, "[DONE]"),
    "ggml-org/llama.cpp#14268: events without a blank line": stream(*HELLO, USAGE, "[DONE]", end="\n"),
    "coddy-project/coddy-agent#106: empty data": "data:\n\n" + stream(*HELLO, USAGE, "[DONE]"),
    "caikit/caikit#538: JSON over several lines": stream(*HELLO[:3])
    + "data: {\ndata: \"choices\": [{\"delta\": {}, \"finish_reason\": \"stop\"}],\n"
    + 'data: "usage": {"prompt_tokens": 11, "completion_tokens": 4}\ndata: }\n\n',
    "CR LF, names, no space": "event: message\r\nid: 1\r\n" + stream(*HELLO, USAGE, end="\r\n\r\n", prefix="data:"),
    "a byte order mark, whole messages": "\ufeff" + stream({"choices": [{"message": {"content": "Niger"},
    "finish_reason": "stop"}], "usage": USAGE["usage"]}),
    "lucasjinreal/Crane#121: text after the end": stream(*HELLO, USAGE, "error: late"),
    "PowerShell/AIShell#350: null as a text": stream(delta("null", content="Ni"), delta("null", content="ger"),
    HELLO[3], USAGE),
    "two answers": stream(*HELLO[:2], {"choices": [{"index": 1, "delta": {"content": "Nile"}}]}, *HELLO[2:], USAGE),
    "swuecho/chat#687: the whole text so far": stream(
        *(delta(content=text, reasoning=text) for text in ("", "N", "Ni", "Ni", "Niger")), HELLO[3], USAGE),
    "parts": stream(delta(content=[part("thinking", thinking=[part("text", text=THOUGHTS)])]), *HELLO, USAGE),
}  # fmt: skip


@pytest.mark.parametrize("source", STREAMS)
def test_a_stream_is_read_like_an_answer(source):
    assert is_event_stream(STREAMS[source])
    answer = answer_in(body_of_events(STREAMS[source]), "chat")
    assert (answer.text, answer.finish_reason) == ("Niger", "stop")
    assert (answer.prompt_tokens, answer.completion_tokens) == (11, 4)


@pytest.mark.parametrize("pieces", [["ha"] * 5, ["Ni", "Niger"], ["-", "--", "---", "\n"], ["1", "12", "2"]])
def test_pieces_that_repeat_are_all_of_the_answer(pieces):
    events = stream(*(delta(content=piece) for piece in pieces), HELLO[3], USAGE)
    assert answer_in(body_of_events(events), "chat").text == "".join(pieces)


@pytest.mark.parametrize("before", [[delta(role="assistant", content=None)], [delta(role="assistant")], []])
def test_a_stream_of_a_model_that_ends_at_once_is_an_empty_answer(before):
    """llama.cpp sends "content": null first; what was then not sent is no part that got lost."""
    assert answer_in(body_of_events(stream(*before, delta("stop"), USAGE)), "chat").text == ""
    with pytest.raises(NoAnswer, match="reasoning but no content"):
        answer_in(body_of_events(stream(*before, delta(reasoning_content=THOUGHTS), delta("stop"), USAGE)), "chat")
    with pytest.raises(NoAnswer):
        answer_in(body_of_events(stream(*before, delta("error"), USAGE)), "chat")
    with pytest.raises(NoAnswer):
        answer_in(body_of_events(stream(*before, delta(), "[DONE]")), "chat")


def test_a_stream_of_calls_of_a_base_model_and_of_log_probabilities_is_read():
    call = (
        [{"index": 0, "function": {"name": "f", "arguments": JSON[:5]}}],
        [{"index": 0, "function": {"arguments": JSON[5:]}}],
    )
    calls = stream(*(delta(tool_calls=one) for one in call), delta("tool_calls"))
    assert answer_in(body_of_events(calls), "chat", offers_calls=True).text == JSON
    texts = stream({"choices": [{"text": "Ni"}]}, {"choices": [{"text": "ger", "finish_reason": "length"}]})
    assert answer_in(body_of_events(texts), "completion").text == "Niger"
    scored = stream(
        *({"choices": [{"delta": {"content": c}, "logprobs": {"content": [{"logprob": -1}]}}]} for c in "ab"), "[DONE]"
    )
    assert answer_in(body_of_events(scored), "chat").logprobs == (-1.0, -1.0)


@pytest.mark.parametrize("later", ["", "null", "stop", None, {"type": "stop"}])
def test_a_later_event_does_not_make_a_cut_answer_whole(later):
    """ollama/ollama#4357, sgl-project/sglang#3912: an empty reason in the last event."""
    cut = stream(*HELLO[:2], delta("length"), delta(later), "[DONE]")
    assert answer_in(body_of_events(cut), "chat").finish_reason == "length"
    typed = stream(*HELLO[:2], delta({"type": "length"}), delta(later), "[DONE]")
    assert answer_in(body_of_events(typed), "chat").finish_reason == "length"
    assert answer_in(body_of_events(stream(*HELLO, delta("length"))), "chat").finish_reason == "length"


@pytest.mark.parametrize(
    "said",
    [
        # octos-org/octos#13, foundation-model-stack/fms-guardrails-orchestrator#410, zendev-sh/goai#110.
        'event: error\ndata: {"error": "Stream error: Internal Network Failure"}',
        'event: error\ndata: {"code": 422, "details": "chat completion request failed"}',
        "event: error\ndata: Internal Network Failure",
        'data: {"error": {"message": "Compute error."}, "message": "Compute error."}',
        'data: {"object": "error", "message": "EngineCore encountered an issue", "code": 500}',
        'data: {"message": "Compute error.", "type": "server_error"}',
        'data: {"detail": "Internal Server Error"}',
    ],
)
async def test_an_error_between_the_pieces_is_no_end_of_the_answer(teacher, said):
    raw = f"{stream(*HELLO)}{said}\n\n{stream(delta('stop'), '[DONE]')}"
    with pytest.raises((TryAgain, RequestRefused)):
        teacher.read(a_request(), raw, 0.0)


@pytest.mark.parametrize(
    "before",
    [": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n", "\ufeff", "\n\n\n ", ": omniroute-keepalive\r\n"],
)
async def test_what_keeps_the_connection_open_is_no_part_of_an_answer(teacher, before):
    """router-for-me/CLIProxyAPI#417, inferencerlabs/inferencer-feedback#158, jundot/omlx#2066."""
    assert teacher.read(a_request(), before + json.dumps(body({"content": "Niger"})), 0.0).text == "Niger"
    assert teacher.read(a_request(), before + stream(*HELLO, delta("stop")), 0.0).finish_reason == "stop"


@pytest.mark.parametrize(
    "text",
    [
        stream(*(delta("null", content=piece) for piece in ("Ni", "ger"))),
        stream(*HELLO[:3]),
        stream(*HELLO[:2], '{"choices": [{"del'),
        stream(*HELLO[:2], "[1]"),
        stream(HELLO[0]),
    ],
)
def test_a_stream_that_breaks_off_is_no_answer(text):
    with pytest.raises(NoAnswer) as caught:
        body_of_events(text)
    assert caught.value.reason == "incomplete_answer"


# Errors with status 200. `failures.failure` says what they mean.

ERRORS = {
    "UKGovernmentBEIS/inspect_ai#1534": ({"error": {"message": "Slow down.", "code": 429}}, "http_429", False),
    "damianvtran/local-operator#223: beside half an answer": (
        {**body({"content": "The Ni"}, "error"), "error": {"code": 502, "message": "lost"}}, "http_502", True),
    "openrouter.ai/docs/api-reference/errors: in a choice": (
        body({"content": "The Ni"}, "error", error={"code": 502, "message": "lost"}), "http_502", True),
    "diegosouzapw/OmniRoute#8210: no choices": (
        {"choices": [], "error": {"code": 503, "message": "Worker limit"}}, "http_503", False),
    "aaif-goose/goose#8027: no code": ({"error": {"message": "Internal server error"}}, "http_500", True),
    "Blaizzy/nativ#195: a text": ({"error": "not supported while loading"}, "http_500", True),
    "googleapis: a list": ([{"error": {"code": 503, "status": "UNAVAILABLE", "message": "m"}}], "http_503", False),
    "vLLM before 0.10": ({"object": "error", "message": "m", "code": 503}, "http_503", False),
    "MiniMax: base_resp": ({"choices": None, "base_resp": {"status_code": 1002, "status_msg": "m"}}, "http_500", True),
}  # fmt: skip


@pytest.fixture
async def teacher():
    made = OpenAICompatible(TeacherSettings(kind="openai", model="m"), "http://127.0.0.1:9/v1", {}, Pace(4))
    yield made
    await made.close()


def a_request():
    return Request("propose", "openai", "m", "chat", "", "Name a river.", {})


@pytest.mark.parametrize("source", ERRORS)
@pytest.mark.parametrize("is_stream", [False, True])
async def test_an_error_with_status_200_is_what_its_code_says(teacher, source, is_stream):
    sent, reason, may_have_cost = ERRORS[source]
    raw = json.dumps(sent)
    if is_stream and isinstance(sent, dict) and "error" in sent:
        raw = stream(*HELLO[:2], sent, "[DONE]")
        may_have_cost = True  # part of an answer was sent
    with pytest.raises(TryAgain) as caught:
        teacher.read(a_request(), raw, 0.0)
    assert (caught.value.reason, caught.value.may_have_cost) == (reason, may_have_cost)
    assert caught.value.raw is None or may_have_cost


@pytest.mark.parametrize("code", ["insufficient_quota", 402, 401, 404])
async def test_an_error_with_status_200_that_no_request_would_be_spared_stops_the_run(teacher, code):
    with pytest.raises(TeacherError):
        teacher.read(a_request(), json.dumps({"error": {"code": code, "message": "no"}}), 0.0)


async def test_the_error_field_of_older_llama_cpp_is_an_error(teacher):
    """coddy-project/coddy-agent#106."""
    raw = 'error: {"code":400,"message":"the request exceeds the context length"}\n\ndata: [DONE]\n\n'
    with pytest.raises(RequestRefused, match="context_too_long"):
        teacher.read(a_request(), raw, 0.0)


@pytest.mark.parametrize(
    ("reset", "waits"),
    [(lambda: (time.time() + 3600) * 1000, True), (lambda: time.time() + 3600, True), (lambda: 3600, True),
     (lambda: 1743292800000, False), (lambda: -5, False), (lambda: "soon", False), (lambda: "9" * 400, False),
     (lambda: "nan", False)],
)  # fmt: skip
async def test_the_end_of_a_limit_in_an_error_is_waited_for(teacher, reset, waits):
    headers = {"X-RateLimit-Reset": str(reset())}
    with pytest.raises(TryAgain) as caught:
        teacher.read(a_request(), json.dumps({"error": {"code": 429, "metadata": {"headers": headers}}}), 0.0)
    assert (0 < (caught.value.retry_after_s or 0) <= 3600) is waits


# Anything at all.

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=20)
    | st.sampled_from(["stop", "length", "error", "text", "thinking", "data: {}", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["choices", "message", "content", "type", "text", "finish_reason", "usage", "error", "code",
                         "prompt_tokens", "tool_calls", "function", "arguments", "logprobs", "token_logprobs", "delta",
                         "reasoning", "refusal", "metadata", "headers", "index", "base_resp", "status_code"]),
        inner, max_size=5),
    max_leaves=25,
)  # fmt: skip


@hypothesis.given(ANYTHING, ANYTHING, st.sampled_from(["chat", "completion"]))
def test_any_json_is_an_answer_or_is_none_and_never_an_accident(message, value, endpoint):
    for sent in (value, {"choices": [value]}, {"choices": [{"message": message, "delta": message, "logprobs": value,
                 "finish_reason": value, "text": message}], "usage": value}):  # fmt: skip
        error_in(sent)
        try:
            answer = answer_in(sent, endpoint, offers_calls=endpoint == "chat")
        except (NoAnswer, RequestRefused):
            continue
        assert isinstance(answer.text, str)
        assert 0 <= answer.prompt_tokens <= 10**7
        events = stream(sent, sent, "[DONE]") if isinstance(sent, dict) else ""
        try:
            answer_in(body_of_events(events), endpoint)
        except (NoAnswer, RequestRefused):
            continue


async def test_a_call_is_the_answer_only_to_a_request_with_a_schema_or_tools(teacher):
    raw = json.dumps(body({"content": None, "tool_calls": [{"function": {"name": "f", "arguments": JSON}}]}))
    for name in ("response_format", "tools"):
        assert teacher.read(replace(a_request(), sampling={name: {}}), raw, 0.0).text == JSON
    with pytest.raises(TryAgain, match="not offered"):
        teacher.read(a_request(), raw, 0.0)


async def test_an_answer_that_is_not_json_is_quoted(teacher):
    page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in &amp; go on</body></html>"
    for raw, says in ((page, "Sign in Sign in & go on"), ("upstream says no", "upstream says no")):
        with pytest.raises(TryAgain, match=f"malformed_answer: the answer is not JSON: {says}"):
            teacher.read(a_request(), raw, 0.0)
