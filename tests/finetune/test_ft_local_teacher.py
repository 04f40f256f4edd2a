"""A teacher in this process, on tiny models with random weights (tests/tiny_model.py).

Skipped where transformers and torch are not installed; they are imported by the tests that need them only.
"""

import asyncio
import importlib.util
import json
import random
import sys
from contextlib import asynccontextmanager

import pytest

from finetune.inference.sampling import read_sampling
from selfinstruct.errors import RequestRefused, TeacherError, UsageError
from selfinstruct.records import Request
from selfinstruct.teachers.scheduler import Scheduler
from tests.conftest import json_lines, until
from tests.tiny_model import CHAT_TEMPLATE, SHORT_ANSWERS

pytestmark = [
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("torch", "transformers"))),
        reason="needs pip install 'selfinstruct[finetune]'",
    ),
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("default:::torch", "default:::transformers"),
]

PROMPTS = ["Name three rivers.", "Say it again, and again, and at greater length, please.", "Why?", "Sort 3, 1, 2."]


@asynccontextmanager
async def opened(folder, batch_size=16):
    """The teacher, closed in the end."""
    from finetune.inference.teacher import TransformersTeacher

    teacher = TransformersTeacher(str(folder), batch_size)
    try:
        yield teacher
    finally:
        await teacher.close()


def ask(user="Name three rivers.", *, endpoint="chat", system="", sample=0, **sampling):
    return Request("propose", "transformers", "tiny", endpoint, system, user, {"max_tokens": 30, **sampling}, sample)


async def answers(folder, requests, batch_size=16):
    async with opened(folder, batch_size) as teacher:
        return await asyncio.gather(*map(teacher.complete, requests))


def loaded(folder):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)


def many_requests():
    """Requests of every length and setting."""
    rng = random.Random(11)
    for i in range(16):
        sampling = {
            "temperature": rng.choice([0.0, 0.5, 1.0, 1.5]),
            "top_p": rng.choice([0.3, 0.9, 1.0]),
            "presence_penalty": rng.choice([0.0, 1.5]),
            "frequency_penalty": rng.choice([0.0, 0.5]),
            "max_tokens": rng.randrange(1, 30),
            "seed": i,
        }
        if rng.random() < 0.5:
            sampling["stop"] = ["e", "\n1"]
        yield ask(rng.choice(PROMPTS) * rng.randrange(1, 12), endpoint=rng.choice(["chat", "completion"]), **sampling)


def write_other(folder, kind):
    """A model of another architecture, with the same tokenizer."""
    import transformers as hf

    size = len(hf.AutoTokenizer.from_pretrained(folder))
    made = {
        "learned positions": lambda: hf.GPT2LMHeadModel(hf.GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=2)),
        "sliding window": lambda: hf.MistralForCausalLM(
            hf.MistralConfig(
                vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
                num_key_value_heads=1, sliding_window=16,
            )
        ),
        "state": lambda: hf.MambaForCausalLM(hf.MambaConfig(vocab_size=size, hidden_size=16, num_hidden_layers=1)),
    }[kind]()  # fmt: skip
    made.generation_config.eos_token_id = None
    made.config.eos_token_id = None
    made.save_pretrained(folder)


# What is said.


@pytest.mark.parametrize("kind", ["", "learned positions", "sliding window"])
async def test_greedy_is_what_generate_says_for_each_row_alone(kind, lists_copy):
    import torch
    from transformers import GenerationConfig

    if kind:
        torch.manual_seed(3)
        write_other(lists_copy, kind)
    tokenizer, model = loaded(lists_copy)
    greedy = GenerationConfig(max_new_tokens=30, do_sample=False, pad_token_id=0, eos_token_id=tokenizer.eos_token_id)
    requests = [ask(prompt, endpoint="completion", temperature=0.0) for prompt in PROMPTS]
    for request, completion in zip(requests, await answers(lists_copy, requests), strict=True):
        prompt = tokenizer(request.user, return_tensors="pt")
        said = model.generate(**prompt, generation_config=greedy)[0, prompt["input_ids"].shape[1] :]
        assert completion.text == tokenizer.decode(said, skip_special_tokens=True)
        assert completion.text
        assert completion.prompt_tokens == prompt["input_ids"].shape[1]


async def test_an_answer_does_not_depend_on_the_batch(lists):
    requests = list(many_requests())
    alone = [completion.text for completion in await answers(lists, requests, 1)]
    assert len(set(alone)) > 10
    for batch_size in (3, 16):
        assert [completion.text for completion in await answers(lists, requests, batch_size)] == alone
    backwards = await answers(lists, requests[::-1], 5)
    assert [completion.text for completion in backwards][::-1] == alone


async def test_the_seed_decides_and_without_one_the_request(lists):
    seeded = [ask(seed=seed) for seed in (1, 1, 2)]
    unseeded = [ask(sample=sample) for sample in (0, 0, 1)]
    texts = [completion.text for completion in await answers(lists, seeded + unseeded)]
    assert texts[0] == texts[1] != texts[2]
    assert texts[3] == texts[4] != texts[5]
    again = [completion.text for completion in await answers(lists, seeded + unseeded)]
    assert again == texts


async def test_the_settings_mean_what_the_protocol_says(lists):
    sampled, likeliest, narrow, varied = await answers(
        lists,
        [
            ask(seed=1),
            ask(temperature=0.0),
            ask(top_p=1e-6, seed=1),  # nothing but the likeliest token is left
            ask(temperature=0.0, presence_penalty=2.0, frequency_penalty=2.0, max_tokens=200, logprobs=True),
        ],
    )
    assert narrow.text == likeliest.text != sampled.text
    tokens = [token["token"] for token in json.loads(varied.raw)["choices"][0]["logprobs"]["content"]]
    assert max(map(tokens.count, tokens)) < 10, "random logits differ by less than what two dozen repetitions cost"


def test_frequencies_are_those_of_the_distribution():
    import torch

    from finetune.inference.decoding import _Settings, choose

    probabilities = torch.tensor([0.5, 0.0, 0.3, 0.2])
    one = torch.ones(1000, 1)
    drawn = torch.arange(1000) / 1000
    logits = probabilities.log().expand(1000, 4)
    for top_p, expected in ((2.0, [500, 0, 300, 200]), (0.6, [625, 0, 375, 0]), (0.5, [1000, 0, 0, 0])):
        settings = _Settings(one, top_p * one, 0 * one, 0 * one, True, False, False)
        tokens = choose(logits, torch.zeros(1000, 4), settings, drawn)
        assert torch.bincount(tokens, minlength=4).tolist() == pytest.approx(expected, abs=2)
    # The largest number that can be drawn does not lead to a token without probability.
    last = choose(logits[:1, [0, 2, 3, 1]], torch.zeros(1, 4), _Settings(*[one[:1]] * 2, *[0 * one[:1]] * 2, True,
                  False, False), torch.tensor([1.0]))  # fmt: skip
    assert last.tolist() == [2]


async def test_the_text_ends_before_the_first_stop_text(lists):
    whole = (await answers(lists, [ask(seed=5, max_tokens=60, logprobs=True)]))[0]
    rng = random.Random(4)
    stops = []
    for _ in range(20):
        begin = rng.randrange(len(whole.text) - 4)
        stops.append(whole.text[begin : begin + rng.randrange(1, 4)])
    stops = [stop for stop in stops if "\ufffd" not in stop]
    assert len(stops) > 8
    requests = [ask(seed=5, max_tokens=60, stop=["not said", stop], logprobs=True) for stop in stops]
    requests.append(ask(seed=5, max_tokens=60, stop=stops[0], logprobs=True))  # without a list
    for stop, completion in zip([*stops, stops[0]], await answers(lists, requests), strict=True):
        assert completion.text == whole.text[: whole.text.index(stop)]
        assert completion.finish_reason == "stop"
        assert completion.completion_tokens <= whole.completion_tokens
        # Log-probabilities of the tokens that the text is made of, the last of which may reach beyond it.
        assert completion.logprobs == pytest.approx(whole.logprobs[: len(completion.logprobs)], abs=1e-4)
    assert (await answers(lists, [ask(seed=5, max_tokens=60, stop="not said")]))[0].text == whole.text


async def test_logprobs_are_those_of_a_plain_forward_pass(lists):
    import torch

    tokenizer, plain = loaded(lists)
    odd = {"temperature": 0.7, "top_p": 0.5, "presence_penalty": 1.0, "seed": 3}
    request = ask("Once upon a time", endpoint="completion", logprobs=0, **odd)
    chat = ask("Once upon a time", logprobs=True, **odd)
    completion, in_chat, without = await answers(lists, [request, chat, ask(**odd)])
    assert without.logprobs is None
    choice = json.loads(completion.raw)["choices"][0]
    said = tokenizer.convert_tokens_to_ids(choice["logprobs"]["tokens"])
    prompt = tokenizer("Once upon a time")["input_ids"]
    with torch.inference_mode():
        logprobs = plain(torch.tensor([prompt + said])).logits.log_softmax(-1)[0]
    expected = [float(logprobs[len(prompt) + i - 1, token]) for i, token in enumerate(said)]
    assert list(completion.logprobs) == pytest.approx(expected, abs=1e-4)
    assert choice["logprobs"]["token_logprobs"] == list(completion.logprobs)
    content = json.loads(in_chat.raw)["choices"][0]["logprobs"]["content"]
    assert [token["logprob"] for token in content] == list(in_chat.logprobs)


async def test_the_answer_is_like_a_servers(lists):
    chat, continued = await answers(lists, [ask(seed=1, max_tokens=7), ask(seed=1, endpoint="completion")])
    body = json.loads(chat.raw)
    assert body["choices"][0]["message"] == {"role": "assistant", "content": chat.text}
    assert body["choices"][0]["finish_reason"] == chat.finish_reason == "length"
    assert body["usage"]["completion_tokens"] == chat.completion_tokens == 7
    assert body["usage"]["prompt_tokens"] == chat.prompt_tokens
    assert json.loads(continued.raw)["choices"][0]["text"] == continued.text


async def test_every_end_token_ends_the_answer_and_is_not_in_it(lists_copy):
    tokenizer, _ = loaded(lists_copy)
    request = ask(seed=2, max_tokens=60, logprobs=True)
    whole = (await answers(lists_copy, [request]))[0]
    tokens = [token["token"] for token in json.loads(whole.raw)["choices"][0]["logprobs"]["content"]]
    at = next(i for i in range(5, len(tokens)) if tokens[i] not in tokens[:i])
    config = json.loads((lists_copy / "generation_config.json").read_text())
    config["eos_token_id"] = [tokenizer.eos_token_id, *tokenizer.convert_tokens_to_ids([tokens[at]])]
    (lists_copy / "generation_config.json").write_text(json.dumps(config))
    ended = (await answers(lists_copy, [request]))[0]
    assert ended.finish_reason == "stop"
    assert ended.completion_tokens == at + 1
    assert ended.text == tokenizer.decode(tokenizer.convert_tokens_to_ids(tokens[:at]))
    assert len(ended.logprobs) == at


async def test_the_templates_end_of_turn_ends_the_answer(lists_copy):
    requests = [ask(seed=seed, max_tokens=60, endpoint="completion") for seed in range(16)]
    assert any("Yes" in completion.text for completion in await answers(lists_copy, requests))
    # A token that is not special, that no configuration names, and that only the template shows to be the end.
    (lists_copy / "chat_template.jinja").write_text(CHAT_TEMPLATE.replace("<|end|>", "Yes"))
    ended = await answers(lists_copy, requests)
    assert not any("Yes" in completion.text for completion in ended)
    assert any(completion.finish_reason == "stop" for completion in ended)


async def test_a_template_without_a_system_turn_gets_it_with_the_users(lists_copy):
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHAT_TEMPLATE
    (lists_copy / "chat_template.jinja").write_text(refusing)
    both, joined = await answers(
        lists_copy, [ask("Go on.", system="Be brief.", seed=1), ask("Be brief.\n\nGo on.", seed=1)]
    )
    assert both.text == joined.text
    assert both.prompt_tokens == joined.prompt_tokens


# What is refused.


async def test_a_request_longer_than_the_context_is_refused_and_others_are_answered(lists):
    async with opened(lists) as teacher:
        fits = teacher.complete(ask(max_tokens=4000))
        for request in (ask(max_tokens=4096), ask("again " * 5000)):
            with pytest.raises(RequestRefused) as refused:
                await teacher.complete(request)
            assert refused.value.reason == "context_too_long"
            assert "4096" in str(refused.value)
        assert (await teacher.complete(ask(max_tokens=3))).completion_tokens == 3
        fits.close()


async def test_a_base_model_is_asked_at_the_other_endpoint(lists_copy):
    (lists_copy / "chat_template.jinja").unlink()
    async with opened(lists_copy) as teacher:
        with pytest.raises(UsageError, match='endpoint = "completion"'):
            await teacher.complete(ask())
        assert (await teacher.complete(ask(endpoint="completion"))).text


async def test_a_schema_is_refused(lists):
    async with opened(lists) as teacher:
        with pytest.raises(RequestRefused, match="http_400"):
            await teacher.complete(ask(response_format={"type": "json_object"}))


@pytest.mark.parametrize(
    "wrong", [{"top_k": 5}, {"temperature": -1}, {"top_p": 0}, {"max_tokens": 0}, {"stop": [""]}, {"stop": 3}]
)
def test_a_wrong_setting_is_named(wrong):
    with pytest.raises(UsageError, match=f"here: {next(iter(wrong))}"):
        read_sampling(wrong, "here")


def test_what_is_wrong_is_said_before_a_run_is_made(cli, tmp_path, lists, monkeypatch):
    def told(folder, settings):
        config = tmp_path / "config.toml"
        config.write_text(settings)
        arguments = ("--teacher", "transformers", "--model", folder, "--config", config)
        return cli("generate", tmp_path / "run", "--target", 2, *arguments, code=2).stderr

    assert "top_k: not supported" in told(lists, "[classify]\nsampling = { top_k = 5 }")
    assert "answer_format" in told(lists, '[teacher]\nanswer_format = "json"')
    assert "no such folder, and not a valid name on the hub" in told("/no/model", "")
    monkeypatch.setitem(sys.modules, "torch", None)  # not installed
    assert "selfinstruct[finetune]" in told(lists, "")
    assert not (tmp_path / "run").exists()


def test_a_folder_without_a_model_is_one_clear_message(cli, tmp_path, lists_copy):
    def told(folder):
        run = tmp_path / "run"
        result = cli("generate", run, "--target", 2, "--teacher", "transformers", "--model", folder, code=2)
        assert result.stderr.count("Error:") == 1
        return result.stderr

    assert "no model in this folder (config.json not found)" in told(tmp_path)
    (lists_copy / "model.safetensors").write_bytes(b"nonsense")
    assert "cannot load a model" in told(lists_copy)
    (lists_copy / "config.json").write_text('{"model_type": "of the future"}')
    assert "cannot load a model" in told(lists_copy)


def test_a_model_with_another_state_is_refused(lists_copy):
    from finetune.inference.teacher import load

    write_other(lists_copy, "state")
    with pytest.raises(UsageError, match="keys and values"):
        load(str(lists_copy))


# What goes wrong.


async def test_out_of_memory_halves_the_batch_and_changes_no_answer(lists):
    import torch

    requests = list(many_requests())
    expected = [completion.text for completion in await answers(lists, requests)]
    widths = []

    def little_memory(module, args, kwargs):
        widths.append(len(kwargs["input_ids"]))
        # Anything goes at first, so that rows are under way when it happens.
        if widths[-1] > 3 and len(widths) > 10:
            raise torch.OutOfMemoryError("too much")

    async with opened(lists) as teacher:
        teacher._model.register_forward_pre_hook(little_memory, with_kwargs=True)
        found = await asyncio.gather(*map(teacher.complete, requests))
    assert [completion.text for completion in found] == expected
    assert max(widths[:10]) > 3
    assert max(widths[-10:]) <= 3


async def test_memory_for_less_than_one_answer_ends_the_run_with_what_to_change(lists):
    import torch

    def no_memory(module, args, kwargs):
        raise torch.OutOfMemoryError("too much")

    async with opened(lists) as teacher:
        teacher._model.register_forward_pre_hook(no_memory, with_kwargs=True)
        found = await asyncio.gather(*(teacher.complete(ask(seed=i)) for i in range(5)), return_exceptions=True)
        assert all(isinstance(error, TeacherError) and "max_tokens" in str(error) for error in found)
        with pytest.raises(TeacherError, match="max_tokens"):
            await teacher.complete(ask())


async def test_closing_ends_answers_under_way(lists):
    async with opened(lists) as teacher:
        calls = [asyncio.ensure_future(teacher.complete(ask(seed=i, max_tokens=4000))) for i in range(4)]
        await teacher.complete(ask(max_tokens=2))
        await teacher.close()
        for error in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(error, TeacherError)


async def test_a_call_that_nobody_waits_for_gives_up_its_place(lists):
    async with opened(lists, 2) as teacher:
        calls = [asyncio.ensure_future(teacher.complete(ask(seed=i, max_tokens=4000))) for i in range(6)]
        await until(lambda: teacher._under_way)
        for call in calls:
            call.cancel()
        # Four of them were waiting before it.
        assert (await teacher.complete(ask(max_tokens=2))).completion_tokens == 2
        assert not teacher._under_way
        await asyncio.gather(*calls, return_exceptions=True)


async def test_no_answer_is_given_up_as_late(lists):
    async with opened(lists, 2) as teacher:
        assert teacher.pace.deadline_s is None
        scheduler = Scheduler(2, 1, lambda *fault: 1)
        assert (await scheduler.complete((teacher,), ask(max_tokens=2), lambda: True)).completion_tokens == 2


# A whole run.


def test_a_run_reaches_its_target_and_is_the_same_again(cli, tmp_path, lists):
    config = tmp_path / "config.toml"
    config.write_text(SHORT_ANSWERS)
    # With this seed, two tasks and an instance are said soon.
    arguments = ("--target", 2, "--seed", 5, "--teacher", "transformers", "--model", lists, "--config", config)
    for run, concurrency in (("one", 1), ("eight", 8)):
        cli("generate", tmp_path / run, *arguments, "--concurrency", concurrency)
        cli("verify", tmp_path / run)
    records = (tmp_path / "one/records.jsonl").read_bytes()
    assert records
    assert (tmp_path / "eight/records.jsonl").read_bytes() == records
    found = json_lines(cli("status", tmp_path / "one", "--json").stdout)[0]
    assert found["generated"] == 2
    assert found["faults"] == 0
    stages = {usage["stage"]: usage["requests"] for usage in found["usage"]}
    assert stages["probe"] == 1  # refused, and kept: the run goes on in text
    assert set(stages) == {"probe", "propose", "classify", "instances"}
    # It goes on where it was: nothing is asked twice.
    cli("generate", tmp_path / "one", "--target", 2)
    after = json_lines(cli("status", tmp_path / "one", "--json").stdout)[0]
    assert {usage["stage"]: usage["requests"] for usage in after["usage"]} == stages
