"""What servers say in errors, and what each means: a table of what was reported, each with where.

The texts are those of the reports, shortened; numbers and names in them are ours.
"""

import json
import time

import pytest

from selfinstruct.errors import RequestRefused, TeacherError, TryAgain
from selfinstruct.teachers.error_bodies import said
from selfinstruct.teachers.failures import failure

URL, ENV = "http://server/v1", "SERVER_KEY"


def openai(message, code=None, type_="invalid_request_error", param=None):
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


def google(message, status, *details, code=400):
    return [{"error": {"code": code, "message": message, "status": status, "details": list(details)}}]


def meaning(status, body, headers=None):
    """What the error means: the exception's kind and reason, and the exception."""
    error = failure(URL, ENV, status, headers or {}, body if isinstance(body, str) else json.dumps(body))
    return (type(error), getattr(error, "reason", None)), error


# The message in a body of any shape.


@pytest.mark.parametrize(
    ("source", "body", "message"),
    [
        ("OpenAI's reference", openai("No such thing."), "No such thing."),
        ("confident-ai/deepeval#2184: only param says which", openai("not supported", param="logprobs"),
         "logprobs: not supported"),
        ("google-gemini/gemini-cli#12098", google("The count (9) exceeds it.", "INVALID_ARGUMENT",
         {"@type": "t", "fieldViolations": [{"description": "The count (9) exceeds it."}]}),
         "The count (9) exceeds it."),
        ("langchain-ai/langchain-azure#82: Mistral", {"object": "error", "message": {"detail": [
            {"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]}},
         "body.seed: Extra inputs are not permitted"),
        ("opea-project/GenAIInfra#487: TGI", {"error": "Input validation error", "error_type": "validation"},
         "Input validation error"),
        ("BerriAI/litellm#12635: xAI", {"code": "Client specified an invalid argument", "error": "Not here: stop"},
         "Not here: stop"),
        ("NVIDIA/garak#748: problem+json", {"type": "urn:x", "title": "Unprocessable Entity", "status": 422,
         "detail": "body -> n\n  Extra inputs are not permitted"}, "body -> n\n  Extra inputs are not permitted"),
        ("continuedev/continue#10748", openai(json.dumps(google("Wrong key.", "X")[0])), "Wrong key."),
        ("openrouter.ai/docs/api-reference/errors", {"error": {"code": 400, "message": "Provider returned error",
         "metadata": {"raw": json.dumps(openai("seed is unknown")), "provider_name": "P"}}},
         "Provider returned error; seed is unknown"),
        ("FastAPI", {"detail": "Not Found"}, "Not Found"),
        ("vllm-project/vllm#19861", {"object": "error", "message": "Too big.", "type": "BadRequestError", "code": 400},
         "Too big."),
        ("plain text", "upstream connect error", "upstream connect error"),
        ("nginx", "<html><head><title>502 Bad Gateway</title></head>\n<body><h1>Sorry &amp; so</h1></body></html>",
         "502 Bad Gateway Sorry & so"),
        ("nothing", "", "no reason given"),
        ("no text", "[]", "[]"),
    ],
)  # fmt: skip
def test_the_message_is_found_in_a_body_of_any_shape(source, body, message):
    assert said(body if isinstance(body, str) else json.dumps(body)).message == message, source


@pytest.mark.parametrize("piece", ["<", "<script ", "try again in 1", '{"a":', "[", " ", "prompt ", "model ", "input "])
def test_a_body_of_any_length_is_read_in_no_time(piece):
    """Half a million characters; a pattern that looks back from each of them would take minutes."""
    text = piece * (500_000 // len(piece))
    for body in (text, f"<html>{text}", json.dumps(openai(text))):
        assert len(said(body).message) <= 500
        failure(URL, ENV, 400, {}, body)


# What it means.

REFUSED_TOO_LONG = (RequestRefused, "context_too_long")


@pytest.mark.parametrize(
    ("source", "status", "body"),
    [
        ("OpenAI", 400, openai("This model's maximum context length is 4097 tokens.", "context_length_exceeded")),
        ("ggml-org/llama.cpp#15780", 400, openai("request (700 tokens) exceeds the available context size (512 tokens)",
                                                 400, "exceed_context_size_error")),
        ("llama.cpp, older", 500, openai("the request exceeds the available context size", 500, "server_error")),
        ("vLLM, old", 400, {"object": "error", "message": "max_tokens must be at least 1, got -50.", "code": 400}),
        ("ogx-ai/ogx#4534: vLLM", 400, {"object": "error", "message": "This model's maximum context length is 6048 "
                                        "tokens. However, you requested 6616 tokens"}),
        ("vLLM, new", 400, openai("'max_tokens' or 'max_completion_tokens' is too large: 1024. This model's maximum "
                                  "context length is 512 tokens and your request has 300 input tokens")),
        ("vLLM, V1", 400, openai("The decoder prompt (length 5000) is longer than the maximum model length of 4096.")),
        ("docs.anthropic.com/en/api/errors", 400, openai("prompt is too long: 208310 tokens > 200000 maximum")),
        ("Anthropic", 400, openai("input length and `max_tokens` exceed context limit: 190000 + 8192 > 200000")),
        ("google-gemini/gemini-cli#6678", 400, google("The input token count (1200293) exceeds the maximum number of "
                                                      "tokens allowed (1048576).", "INVALID_ARGUMENT")),
        ("Mistral", 400, {"object": "error", "message": "Prompt contains 40000 tokens and 0 draft tokens, too large "
                          "for model with 32768 maximum context length"}),
        ("HunorLaczko/ha-groq-cloud-api#27", 413, openai("Request too large for model x on tokens per minute (TPM): "
         "Limit 6000, Requested 12328, please reduce your message size and try again. Upgrade at "
         "https://x/settings/billing", "rate_limit_exceeded", "tokens")),
        ("vanna-ai/vanna-flask#11", 429, openai("Request too large for gpt-4o on tokens per min (TPM): Limit 30000, "
         "Requested 342389. The input or output tokens must be reduced in order to run successfully.",
         "rate_limit_exceeded", "tokens")),
        ("Groq", 400, openai("Please reduce the length of the messages or completion.", "context_length_exceeded")),
        ("huggingface/llm-vscode#94: TGI", 422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` "
         "must be <= 2048. Given: 3474 `inputs` tokens and 60 `max_new_tokens`", "error_type": "validation"}),
        ("TGI", 422, {"error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000"}),
        ("lmstudio-ai/lmstudio-bug-tracker#237", 400, {"error": "Trying to keep the first 15857 tokens when context "
         "the overflows."}),
        ("abetlen/llama-cpp-python#416", 400, openai("Requested tokens (757) exceed context window of 512")),
        ("Ollama", 400, openai("the input length exceeds the context length")),
        ("Moonshot", 400, openai("Invalid request: Your request exceeded model token limit: 8192")),
        ("Amazon Bedrock", 400, {"message": "Input is too long for requested model."}),
        ("DashScope", 400, openai("Range of input length should be [1, 30720]", "invalid_parameter_error")),
        ("xAI", 400, {"error": "This model's maximum prompt length is 131072 but the request contains 537812 tokens."}),
        ("GitHub Models", 413, openai("Request body too large for gpt-4o model. Max size: 8000 tokens.")),
        ("anthropics/anthropic-sdk-python#938", 413, {"error": {"type": "request_too_large",
         "message": "Request exceeds the maximum size"}}),
    ],
)  # fmt: skip
def test_too_long_is_said_in_many_words(source, status, body):
    assert meaning(status, body)[0] == REFUSED_TOO_LONG, source


@pytest.mark.parametrize(
    ("source", "status", "body"),
    [
        ("OpenAI: of the answer, not of the window", 400, openai("max_tokens is too large: 100000. This model supports "
         "at most 16384 completion tokens, whereas you provided 100000.", "invalid_value", param="max_tokens")),
        ("RooCodeInc/Roo-Code#5729: Groq", 400, openai("max_tokens must be less than or equal to 16384, the maximum "
         "value for max_tokens is less than the context_window for this model", param="max_tokens")),
        ("DeepSeek", 400, openai("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]")),
        ("vLLM", 400, {"object": "error", "message": "top_p must be in (0, 1], got 0.0."}),
        ("vibrantlabsai/ragas#264: TGI", 422,
         {"error": "Input validation error: `temperature` must be strictly positive"}),
        ("confident-ai/deepeval#2184", 403, openai("You are not allowed to request logprobs from this model")),
        ("OpenRouter", 404, openai("No endpoints found that can handle the requested parameters.", 404)),
        ("groq/groq-python#25", 400, openai("`logprobs` is not supported with this model")),
    ],
)  # fmt: skip
def test_a_setting_that_is_refused_is_about_the_request_and_nothing_else(source, status, body):
    assert meaning(status, body)[0] == (RequestRefused, f"http_{status}"), source


@pytest.mark.parametrize(
    ("source", "status", "body"),
    [
        ("cequence-io/openai-scala-client#109", 400, google("API key not valid. Please pass a valid API key.",
         "INVALID_ARGUMENT", {"@type": "t", "reason": "API_KEY_INVALID"})),
        ("continuedev/continue#10778: xAI", 400, '"Incorrect API key provided: na***ys. You can obtain one from x."'),
        ("Anthropic", 401, {"type": "error", "error": {"type": "authentication_error",
         "message": "invalid x-api-key"}}),
        ("SciSharp/BotSharp#386: Azure", 401, openai("Access denied due to invalid subscription key or wrong API "
         "endpoint.", "401")),
        ("OpenRouter", 401, openai("No auth credentials found", 401)),
        ("Google", 403, google("Permission denied on the resource.", "PERMISSION_DENIED", code=403)),
        ("OpenRouter, with status 200", 200, openai("User not found.", 401)),
        ("huggingface/huggingface_hub#2507", 400,
         {"error": "Authorization header is correct, but the token seems invalid"}),
        ("NVIDIA/NemoClaw#2093: Gemini", 400, google("Missing or invalid Authorization header.", "INVALID_ARGUMENT")),
        ("NousResearch/hermes-agent#7893: Gemini", 400, google(
            "Multiple authentication credentials received. Please pass only one.", "INVALID_ARGUMENT")),
        ("monarch-initiative/ontogpt#516: LiteLLM, by a gateway", 400, openai(
            "Authentication Error, Invalid proxy server token passed. key=0, not found in db.",
            "400", "token_not_found_in_db", "key")),
    ],
)  # fmt: skip
def test_a_wrong_key_is_one_with_any_status(monkeypatch, source, status, body):
    monkeypatch.setenv(ENV, "sk-1")
    (kind, _), error = meaning(status, body)
    assert kind is TeacherError, source
    assert str(error).startswith(f"{URL} rejected the key (")
    assert ENV in str(error)


@pytest.mark.parametrize(
    ("source", "status", "body"),
    [
        ("OpenAI", 429, openai("You exceeded your current quota, please check your plan and billing details.",
                               "insufficient_quota", "insufficient_quota")),
        ("cocacola-lab/GPT4IE#3", 429, openai("You exceeded your current quota, please check your plan and billing "
                                              "details.", None, "insufficient_quota")),
        ("anthropics/claude-code#66314", 400, openai("Your credit balance is too low to access the Anthropic API.")),
        ("RooCodeInc/Roo-Code#515: OpenRouter", 403, openai("Key limit exceeded. Manage it using "
                                                            "https://openrouter.ai/keys")),
        ("huggingface/agents-course#386", 429, {"error": "You have exceeded your monthly included credits for "
                                                "Inference Providers. Subscribe to PRO."}),
        ("MoonshotAI/Kimi-K2#5", 403, openai("Your account is not active, organization exceeded current quota",
                                             None, "exceeded_current_quota_error")),
        ("DeepSeek", 402, openai("Insufficient Balance", "invalid_request_error", "unknown_error")),
        ("SiliconFlow", 403, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}),
        ("DashScope", 400, openai("Access denied, please make sure your account is in good standing.", "Arrearage")),
        ("UKGovernmentBEIS/inspect_ai#1534: OpenRouter", 200, openai("Insufficient credits. Add more using x", 402)),
        ("google-gemini/gemini-cli#8437: the day's", 429, google("You exceeded your current quota",
         "RESOURCE_EXHAUSTED",
         {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}, {"retryDelay": "17s"},
         code=429)),
        ("open-webui/open-webui#5469: LiteLLM", 400, openai("Budget has been exceeded! Current cost: 0.4, Max budget: "
         "0.3", "400", "budget_exceeded")),
        ("BerriAI/litellm#37000", 429, openai("No more for you this month.", "429", "budget_exceeded")),
        ("BerriAI/litellm#14144", 429, {"error": "No deployments available - crossed budget: Exceeded budget for x"}),
        ("OWASP/OpenCRE#1102: LiteLLM", 400, openai("ExceededBudget: End User=a over budget.", "400",
         "auth_error")),
        ("NousResearch/hermes-agent#68832: Ollama", 429, {"error": "you (a) have reached your weekly usage limit, "
         "upgrade for higher limits: https://x"}),
        ("popjane/free_chatgpt_api#26: One API", 403, openai("user quota is not enough", "insufficient_user_quota")),
        ("QuantumNous/new-api#7448", 403, openai("用户额度不足", None, "new_api_error")),
        ("songquanpeng/one-api#1274", 403, openai("该令牌额度已用尽", None, "one_api_error")),
        ("anthropics/claude-code#2127", 400, openai("You have reached your specified API usage limits. You will regain "
         "access on 2025-07-01 at 00:00 UTC.")),
    ],
)  # fmt: skip
def test_a_quota_that_is_used_up_stops_the_run(source, status, body):
    (kind, _), error = meaning(status, body)
    assert kind is TeacherError, source
    assert "the account's quota is used up" in str(error)


@pytest.mark.parametrize(
    ("source", "status", "body", "headers", "seconds"),
    [
        ("felixbinder/introspection_self_prediction#66: Gemini, this minute's", 429, google(
            "You exceeded your current quota, please check your plan and billing details.", "RESOURCE_EXHAUSTED",
            {"@type": "QuotaFailure"}, {"@type": "RetryInfo", "retryDelay": "17s"}, code=429), {}, 17.0),
        ("n4ze3m/page-assist#406: Gemini", 429, google("Resource has been exhausted (e.g. check quota).",
                                                       "RESOURCE_EXHAUSTED", code=429), {}, None),
        ("continuedev/continue#9570: Gemini", 429, openai("You exceeded your current quota, please check your plan and "
         "billing details. Please retry in 45.5s.", 429), {}, 45.5),
        ("elizaOS/eliza#4040: Groq", 429, openai("Rate limit reached for model x on tokens per minute (TPM): Limit "
         "6000, Used 5034, Requested 1443. Please try again in 4.77s. Upgrade at https://x/settings/billing",
         "rate_limit_exceeded", "tokens"), {}, 4.77),
        ("Groq, tokens per day", 429, openai("Rate limit reached on tokens per day (TPD): Limit 100000, Used 99815. "
         "Please try again in 50m12s.", "rate_limit_exceeded", "tokens"), {"retry-after": "3012"}, 3012.0),
        ("Azure", 429, openai("Requests have exceeded the token rate limit. Please retry after 26 seconds.", "429"),
         {}, 26.0),
        ("aws-samples/aws-genai-llm-chatbot#220: Bedrock", 400, {"__type": "ThrottlingException", "message": "Too many "
         "tokens, please wait before trying again."}, {}, None),
        ("UKGovernmentBEIS/inspect_ai#1534: OpenRouter", 200, openai("Rate limit exceeded: free-models-per-min.", 429),
         {}, None),
        ("a gateway that has no code", 200, openai("Rate limit reached for requests", "rate_limit_exceeded"), {}, None),
        ("Moonshot", 429, openai("The engine is currently overloaded, please try again later",
                                 None, "engine_overloaded_error"), {}, None),
        ("Trae-AI/TRAE#625: Anthropic", 429, openai("This request would exceed the rate limit for your organization of "
         "20,000 input tokens per minute. Please reduce the prompt length or the maximum tokens requested, or try "
         "again later.", None, "rate_limit_error"), {}, None),
        ("togethercomputer/MoA#27", 429, openai("You have been rate limited. Your rate limit is 60 queries per minute. "
         "Please navigate to https://x/settings/billing to upgrade.", None, "credit_limit"), {}, None),
    ],
)  # fmt: skip
def test_pace_is_no_quota(source, status, body, headers, seconds):
    (kind, reason), error = meaning(status, body, headers)
    assert (kind, reason) == (TryAgain, "http_429"), source
    assert error.retry_after_s == seconds


def test_a_reset_in_the_body_is_a_pause():
    reset = str(int((time.time() + 30) * 1000))
    body = {
        "error": {"code": 429, "message": "Rate limit exceeded", "metadata": {"headers": {"X-RateLimit-Reset": reset}}}
    }
    assert 25 < meaning(429, body)[1].retry_after_s <= 30


@pytest.mark.parametrize(
    ("source", "status", "body", "reason"),
    [
        ("continuedev/continue#10150: LM Studio", 400,
         {"error": 'Failed to load model "x". Error: Error loading model.'},
         "http_400"),
        ("lmstudio-ai/lmstudio-bug-tracker#1347", 400,
         {"error": "The model has crashed without additional information."},
         "http_400"),
        ("openai/openai-python#414", 400, openai("That model is currently overloaded with other requests."),
         "http_400"),
        ("UKGovernmentBEIS/inspect_ai#1534: OpenRouter", 200, openai("Upstream error from Provider", 502), "http_502"),
        ("Groq, flex", 498, openai("Flex tier capacity exceeded"), "http_498"),
        ("Bedrock", 424, {"message": "The request failed due to an error while processing the model."}, "http_424"),
        ("a 200 with nothing else", 200, openai("overloaded"), "http_500"),
        ("Anthropic", 529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
         "http_529"),
    ],
)  # fmt: skip
def test_a_passing_fault_may_come_with_any_status(source, status, body, reason):
    assert meaning(status, body)[0] == (TryAgain, reason), source


@pytest.mark.parametrize(
    ("status", "may_have_cost"), [(408, True), (504, True), (524, True), (500, False), (502, False), (503, False)]
)
def test_what_a_gateway_gave_up_waiting_for_may_have_been_billed(status, may_have_cost):
    assert meaning(status, "<html>Gateway time-out</html>")[1].may_have_cost is may_have_cost


def test_an_answer_in_no_form_was_an_answer():
    """thepersonalaicompany/amurex-backend#38: Groq, whose model did not keep to the schema."""
    body = openai("Failed to generate JSON. Please adjust your prompt.", "json_validate_failed")
    found, error = meaning(400, body)
    assert found == (TryAgain, "malformed_answer")
    assert error.may_have_cost


@pytest.mark.parametrize(
    ("source", "status", "body"),
    [
        ("Ollama", 404, openai('model "x" not found, try pulling it first', None, "api_error")),
        ("DeepSeek", 400, openai("Model Not Exist", "invalid_request_error")),
        ("OpenRouter", 400, openai("x is not a valid model ID", 400)),
        ("continuedev/continue#10166: Groq", 404,
         openai("The model `x` does not exist or you do not have access to it.")),
        ("Azure", 404, openai("The API deployment for this resource does not exist.", "DeploymentNotFound")),
        ("Mistral", 400, {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"}),
        ("FastAPI", 405, {"detail": "Method Not Allowed"}),
        ("RightNow-AI/openfang#60: Groq", 400, openai("The model `a-1.5b` has been decommissioned and is no longer "
         "supported.", "model_decommissioned")),
        ("HeyPuter/puter#3168: Together", 400, openai("Unable to access non-serverless model a-3.1. Please visit "
         "https://x to create and start a new dedicated endpoint for the model.", "model_not_available")),
        ("a name with a dot", 400, openai("The model `qwen2.5:7b` was not found.")),
    ],
)  # fmt: skip
def test_an_unknown_model_or_address_is_one_with_any_status(source, status, body):
    (kind, _), error = meaning(status, body)
    assert kind is TeacherError, source
    assert "does not know this model or address" in str(error)


def test_a_key_that_is_not_set_is_asked_for():
    (kind, _), error = meaning(401, openai("You didn't provide an API key."))
    assert kind is TeacherError
    assert str(error).startswith(f"{URL} asks for a key (401: You didn't provide an API key.). Set the environment")


@pytest.mark.parametrize(
    ("source", "status", "body", "says"),
    [
        ("lmstudio-ai/lms#107", 404, openai("No models loaded. Please load a model in the developer page or use the "
         "`lms load` command."), "has no model loaded"),
        ("LM Studio", 400, openai("No models loaded. Please load a model in the developer page.", None, None, "model"),
         "has no model loaded"),
        ("winfunc/opcode#358: LiteLLM", 401, openai("key not allowed to access model. This key can only access "
         "models=['a']. Tried to access b", "401", "key_model_access_denied", "model"),
         "does not let this key use the model"),
        ("OpenAI", 403, openai("Project `p` does not have access to model `m`", "model_not_found"),
         "does not let this key use the model"),
    ],
)  # fmt: skip
def test_a_model_that_may_not_be_used_is_neither_unknown_nor_a_wrong_key(source, status, body, says):
    (kind, _), error = meaning(status, body)
    assert kind is TeacherError, source
    assert str(error).startswith(f"{URL} {says} (")
    assert "model (--model)" in str(error)


@pytest.mark.parametrize(
    ("source", "status", "body"),
    [
        ("Azure", 400,
         openai("The response was filtered due to the prompt triggering Azure OpenAI's content management "
                              "policy.", "content_filter")),
        ("DashScope", 400, openai("Input data may contain inappropriate content.", "data_inspection_failed")),
        ("anthropics/claude-code#6195", 400, {"type": "error", "error": {"type": "invalid_request_error",
         "message": "Output blocked by content filtering policy"}}),
        ("OpenRouter", 403, openai("x requires moderation. Your input was flagged", 403)),
    ],
)  # fmt: skip
def test_a_filter_is_about_the_request(source, status, body):
    assert meaning(status, body)[0] == (RequestRefused, "content_filter"), source


@pytest.mark.parametrize(
    ("source", "status", "body"),
    [
        ("OpenAI", 403, openai("Country, region, or territory not supported", "unsupported_country_region_territory")),
        ("Gemini", 400, google("User location is not supported for the API use.", "FAILED_PRECONDITION")),
        ("Cloudflare", 403, "<!DOCTYPE html><title>Attention Required!</title>"),
    ],
)  # fmt: skip
def test_a_place_from_where_nobody_is_let_in_is_no_wrong_key(source, status, body):
    (kind, _), error = meaning(status, body)
    assert kind is TeacherError, source
    assert str(error).startswith(f"{URL} refused access (")


def test_a_flagged_prompt_is_the_requests_own_fault_though_it_says_try_again():
    """openai/codex#7250: the same prompt is flagged each time, and each time counts against the account."""
    body = {"error": {
        "message": "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try "
        "again with a different prompt", "type": "invalid_request_error", "code": "invalid_prompt",
    }}  # fmt: skip
    error = failure("http://s", "KEY", 400, {}, json.dumps(body))
    assert isinstance(error, RequestRefused)
    assert error.reason == "content_filter"


def test_an_address_without_v1_is_named_as_such_by_lm_studio():
    """lmstudio-bug-tracker#618: status 200, and a text in the place of an error."""
    body = json.dumps({"error": "Unexpected endpoint or method. (POST /chat/completions)"})
    error = failure("http://s", "KEY", 200, {}, body)
    assert isinstance(error, TeacherError)
    assert "which usually ends in /v1" in str(error)
