"""What a server's refusal says about a request's settings: a table of what was reported, each with where."""

import pytest

from selfinstruct.teachers.refused import STREAMED, Edit, advice, edited, edits_for

BODY = {
    "temperature": 0.0, "max_tokens": 32, "top_p": 0.5, "stop": ["\n"], "seed": 7, "logprobs": True,
    "presence_penalty": 0.1, "response_format": {"type": "json_schema"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "problem", "edits"),
    [
        ("Vali-98/ChatterUI#227: Gemini", 'Invalid JSON payload received. Unknown name "seed": Cannot find field.',
         [Edit("seed", "omit")]),
        ("langchain-ai/langchain-azure#82: Mistral", "body.seed: Extra inputs are not permitted", [Edit("seed",
         "omit")]),
        ("kaiko-ai/eva#895: LiteLLM", "anthropic does not support parameters: ['seed'], for model=x. To drop these, "
         "set "
         "`litellm.drop_params=True`", [Edit("seed", "omit")]),
        ("screenpipe/screenpipe#2009", "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
         "'max_completion_tokens' instead.", [Edit("max_tokens", "rename", "max_completion_tokens")]),
        ("appatalks/eva-agent#83", "Unsupported parameter: 'temperature' is not supported with this model.",
         [Edit("temperature", "omit")]),
        ("ServiceNow/AgentLab#251", "Unsupported value: 'temperature' does not support 0.0 with this model. Only the "
         "default (1) value is supported.", [Edit("temperature", "omit")]),
        ("szczyglis-dev/py-gpt#184", "`temperature` is deprecated for this model", [Edit("temperature", "omit")]),
        ("Moonshot", "invalid temperature: only 1 is allowed for this model", [Edit("temperature", "omit")]),
        ("vibrantlabsai/ragas#264: TGI", "Input validation error: `temperature` must be strictly positive",
         [Edit("temperature", "raise", 0.01)]),
        ("Baidu", "temperature range is (0, 1.0]", [Edit("temperature", "raise", 0.01)]),
        ("cloud-apim/otoroshi-llm-extension#140", "`temperature` and `top_p` cannot both be specified for this model. "
         "Please use only one.", [Edit("top_p", "omit")]),
        ("devoxx/DevoxxGenieIDEAPlugin#1240", "Unsupported parameter: 'top_p' is not supported with this model.",
         [Edit("top_p", "omit")]),
        ("BerriAI/litellm#12635: xAI", "Argument not supported on this model: stop", [Edit("stop", "omit")]),
        ("n4ze3m/page-assist#581: xAI", "Argument not supported on this model: presencePenalty",
         [Edit("presence_penalty", "omit")]),
        ("groq/groq-python#25", "`logprobs` is not supported with this model", [Edit("logprobs", "omit")]),
        ("mscraftsman/generative-ai#135", "Logprobs is not enabled for models/gemini-2.5-pro", [Edit("logprobs",
         "omit")]),
        ("vllm-project/vllm-gaudi#1098", "Gaudi doesn't support logprobs. Please remove 'logprobs'/'top_logprobs' from "
         "your request", [Edit("logprobs", "omit")]),
        ("confident-ai/deepeval#2184", "You are not allowed to request logprobs from this model",
         [Edit("logprobs", "omit")]),
        ("ItzCrazyKns/Vane#969: DeepSeek", "This response_format type is unavailable now",
         [Edit("response_format", "omit")]),
        ("browser-use/browser-use#215", "Failed to deserialize the JSON body: response_format.type `json_schema` is "
         "unavailable now", [Edit("response_format", "omit")]),
        ("googleapis/python-genai#1815", 'Invalid JSON payload received. Unknown name "additionalProperties" at '
         "'generation_config.response_schema': Cannot find field.", [Edit("response_format", "omit")]),
        ("langchain4j/langchain4j#3974", "parameter.enable_thinking must be set to false for non-streaming calls",
         [Edit("enable_thinking", "set", False)]),
        ("alibaba/spring-ai-alibaba#867", "parameter.enable_thinking必须设置为false才能进行非流式调用",
         [Edit("enable_thinking", "set", False)]),
        ("musistudio/claude-code-router#948", "enable thinking can not be support when `stream=False`.", [*STREAMED]),
        ("IndieKKY/bilibili-subtitle#69", "This model only support stream mode, please enable the stream parameter to "
         "access the model. ", [*STREAMED]),
        ("PublicAffairs/openai-gemini#63: it does not say which", "Penalty is not enabled for "
         "models/gemini-2.5-flash-preview-05-20", [Edit("presence_penalty", "omit")]),
        ("only defaults", "This model only supports temperature=1.0 and top_p=0.95", [Edit("temperature", "omit")]),
        ("only defaults", "only default temperature is supported", [Edit("temperature", "omit")]),
        # Values out of range, and settings that we do not send, are nothing to leave out.
        ("RooCodeInc/Roo-Code#5729", "max_tokens must be less than or equal to 16384", []),
        ("vLLM", "top_p must be in (0, 1], got 0.0.", []),
        ("fanenr/chatbot#21: Groq", "property 'store' is unsupported, did you mean 'stop'?", []),
        ("sourcegit-scm/sourcegit#2318", "This is not a chat model and thus not supported in this endpoint.", []),
    ],
)  # fmt: skip
def test_what_a_refusal_says_about_the_settings(source, problem, edits):
    assert list(edits_for(BODY, f"http_400: {problem}")) == edits, source


def test_a_model_that_only_thinks_is_streamed():
    problem = "The value of the enable_thinking parameter is restricted to True."
    assert edits_for({"enable_thinking": False}, problem) == (Edit("enable_thinking", "set", True), *STREAMED)


def test_edits_hold_for_every_body():
    edits = [Edit("max_tokens", "rename", "max_completion_tokens"), Edit("temperature", "raise", 0.01),
             Edit("seed", "omit"), *STREAMED, Edit("stream_options", "omit")]  # fmt: skip
    assert edited({"temperature": 0, "max_tokens": 9, "seed": 1}, edits) == {
        "temperature": 0.01, "max_completion_tokens": 9, "stream": True
    }  # fmt: skip
    assert edited({"temperature": 0.7}, edits) == {"temperature": 0.7, "stream": True}
    once = edited(BODY, edits)
    assert edited(once, edits) == once


@pytest.mark.parametrize(
    ("problem", "setting"),
    [
        ("seed must be below 2**31", "Set send_seed = false in [classify] or [teacher]."),
        ("json_schema is too deep", 'Set answer_format = "text" in [classify] or [teacher].'),
        ("logprobs above 5", "Set logprobs = false in [classify] or [teacher]."),
        ("top_p must be in (0, 1]", "Change or leave out top_p in sampling of [classify]."),
        ("no", "Check the model and the sampling settings of [classify]"),
    ],
)
def test_the_setting_that_mends_it_is_named(problem, setting):
    assert setting in advice(problem, "classify", BODY)
