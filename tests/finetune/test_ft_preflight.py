"""The report before the training, what makes it fail, and the memory it foretells."""

import copy
import json
from typing import Any

import pytest
import torch
from ft_tokenizers import assistant, tokenizer_of, trained, user
from peft import LoraConfig, get_peft_model
from torch.profiler import ProfilerActivity, profile
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, Qwen3Config
from trl.trainer.utils import add_fused_lm_head

from finetune.data.encoding import IGNORED, Encoded, encode_all
from finetune.data.memory import Available, available_memory, measure
from finetune.data.preflight import preflight
from finetune.data.templates import prepare_tokenizer
from finetune.examples import Dialogue, Example
from selfinstruct.errors import UsageError


def talk(*turns: str, source: str = "data.jsonl, line 1") -> Dialogue:
    return Dialogue([(assistant if n % 2 else user)(turn) for n, turn in enumerate(turns)], turns[0], source)


@pytest.fixture
def tokenizer():
    found = tokenizer_of("base")
    prepare_tokenizer(found, "alpaca")
    return found


def of(example: Example, cut: bool = False) -> Encoded:
    return Encoded(None, [example], [talk("Hi", "Hello")], [len(example.ids)], cut={0} if cut else set())


def report(tokenizer, encoded: Encoded, **more):
    return preflight(tokenizer, encoded, **{"vocabulary": len(tokenizer)} | more)


def test_the_report_says_what_is_trained_and_what_becomes_of_long_rows(tokenizer):
    rows = [
        talk("Say it.", "Yes\x1b[31m.", source="data.jsonl, line 1"),
        talk("Say it.", "Yes\x1b[31m.", source="data.jsonl, line 2"),
        talk("Go", "\n\nDone", source="data.jsonl, line 3"),
        talk("Hi", "Hello", "And?", "word " * 300, source="data.jsonl, line 4"),
        talk("Hi", "word " * 300, source="data.jsonl, line 5"),
        talk("word " * 300, "Hi", source="data.jsonl, line 6"),
    ]
    config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2)
    found = report(
        tokenizer, encode_all(tokenizer, rows, 200, "truncate"), added_tokens=["<|pad|>"],
        memory=measure(config, "full").memory(400), available=Available(2**30, "a small GPU"),
    )  # fmt: skip
    assert (found.rows, found.dropped, found.lost, found.shortened, found.cut) == (6, 1, 1, 1, 1)
    assert (found.duplicates, found.merged, found.too_long, found.most_tokens) == (1, 1, 3, 200)
    assert sum(found.histogram.values()) == 6
    text = found.render()
    for said in (
        "6 rows, ", "% of them trained", "1 row repeats an earlier one", "3 rows have more than 200 tokens",
        "1 of them are dropped because their prompt leaves no room", "1 of them lose their last turns",
        "1 of them lose the end of the answer", "Tokens added to the vocabulary: <|pad|>", "fits into 1.0 GiB free",
        "### Response:⏎\n‹Yes\\x1b[31m.</s>›", "data.jsonl, line 1", "‹⏎\n⏎\nDone</s>›",
    ):  # fmt: skip
        assert said in text, said
    assert "\x1b" not in text
    assert found.render(colour=True).count("\x1b[32m‹") == len(found.examples)
    as_json = json.loads(json.dumps(found.as_dict()))
    assert as_json["share"] == found.trained / found.tokens
    assert as_json["memory"]["total"] == found.memory.total
    assert as_json["examples"][0]["pieces"][-1] == {"text": "Yes\x1b[31m.</s>", "is_trained": True}


def test_a_small_clean_set_gives_a_short_report(tokenizer):
    text = report(tokenizer, encode_all(tokenizer, [talk("Hi", "Hello")], 512)).render()
    assert text.count("data.jsonl, line 1") == 1
    assert not any(word in text for word in ("more than", "repeat", "merge", "added", "Memory"))


def test_rows_that_are_held_out_are_counted_with_what_becomes_of_long_ones(tokenizer):
    train = encode_all(tokenizer, [talk("Hi", "Hello"), talk(" hi", "Hello"), talk("Bye", "Bye")], 200)
    rows = [talk("Say it.", "Yes."), talk("Hi", "Hello", "And?", "word " * 300), talk("Hi", "word " * 300)]
    dropped = report(tokenizer, train, held_out=encode_all(tokenizer, rows, 200))
    assert "3 more rows are held out for evaluation\n  2 of them are too long and dropped\n" in dropped.render()
    cut = report(tokenizer, train, held_out=encode_all(tokenizer, rows, 200, "truncate"))
    assert "3 more rows are held out for evaluation\n  2 of them are too long and lose their end" in cut.render()
    assert json.loads(json.dumps(cut.as_dict()))["held_out"] == {"rows": 3, "dropped": 0, "cut": 2}
    none = report(tokenizer, train, held_out=Encoded(200)).render()
    assert "No rows are held out for evaluation. Tasks are held out whole, and these rows belong to 2 (" in none
    assert "held out" not in report(tokenizer, train).render()


def test_what_cannot_be_trained_fails(tokenizer):
    (good,) = encode_all(tokenizer, [talk("Hi", "Hello")]).examples
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    cases = [
        (of(Example(good.ids, [IGNORED] * len(good.ids))), "1 row: no token to train on.*: data.jsonl, line 1"),
        (of(Example([bos, *good.ids], [IGNORED, *good.labels])), "begins with <s> twice"),
        (of(Example(good.ids[:-1], good.labels[:-1])), "no trained stop token"),
        (of(Example(good.ids, [*good.labels[:-1], IGNORED])), "no trained stop token"),
        (of(Example([*good.ids[:-1], 10**6, eos], [*good.labels, eos])), "outside the model's vocabulary of 50"),
        (Encoded(8, [], [], [99], dropped=1), "No rows of at most 8 tokens to train on"),
        (Encoded(None), "No rows to train on"),
    ]
    for encoded, said in cases:
        with pytest.raises(UsageError, match=said):
            report(tokenizer, encoded)
    assert report(tokenizer, of(Example(good.ids[:-1], good.labels[:-1]), cut=True)).rows == 1


def test_an_answer_that_ends_with_another_token_than_the_templates_stop_fails():
    tokenizer = tokenizer_of("olmo")
    prepare_tokenizer(tokenizer, "alpaca")
    (good,) = encode_all(tokenizer, [talk("Say it.", "number 4  ")]).examples
    assert report(tokenizer, of(good)).trained
    assert tokenizer.decode(good.ids[-2]) == "  "  # an added token, but no stop
    with pytest.raises(UsageError, match="no trained stop token"):
        report(tokenizer, of(Example(good.ids[:-1], good.labels[:-1])))


def test_the_traps_of_other_tools(tokenizer):
    """Each is what a trainer does by itself with such data; here it does not come about, or the training is refused."""
    chat = talk("Name a river.", "The Elbe.", "And a town?", "Dresden.")
    for style in ("qwen", "mistral", "gemma", "phi-3", "llama-3"):  # their templates have no generation markers
        of_model = tokenizer_of(style)
        prepare_tokenizer(of_model)
        (example,) = encode_all(of_model, [chat]).examples
        said = "".join(trained(of_model, example))
        assert "river" not in said, "messages are trained whole"
        assert "Elbe" in said
        assert example.ids[:2] != [of_model.bos_token_id] * 2, "two BOS tokens"
        assert example.ids.count(of_model.bos_token_id) <= 1
        assert of_model.pad_token_id not in example.labels, "padding that is left out takes the end with it"
    long = [talk("Hi", "word " * 50)]
    assert encode_all(tokenizer, long, 60).dropped == 1, "cut in silence"
    with pytest.raises(UsageError, match="No rows of at most 60 tokens"):
        report(tokenizer, encode_all(tokenizer, long, 60))


# Vocabulary, layers, width, tokens; the types of weights and of activations; gradient checkpointing.
STEPS = [
    (512, 4, 64, 256, torch.float32, torch.float32, False),
    (512, 4, 64, 256, torch.float32, torch.bfloat16, True),
    (8_000, 2, 64, 128, torch.bfloat16, torch.bfloat16, False),
    (4_000, 2, 64, 256, torch.float32, torch.bfloat16, False),
    (4_000, 2, 64, 256, torch.bfloat16, torch.bfloat16, True),
]


def shape(vocabulary: int, layers: int, width: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=3 * width, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2,
    )  # fmt: skip


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # of torch's profiler
@pytest.mark.parametrize("case", STEPS)
def test_the_estimate_is_near_what_a_step_takes(case):
    """Bytes that torch allocates in a step, with the head that TRL puts on a model."""
    vocabulary, layers, width, tokens, dtype, compute, checkpointing = case
    torch.set_num_threads(1)
    model = AutoModelForCausalLM.from_config(shape(vocabulary, layers, width), dtype=dtype).train()
    add_fused_lm_head(model)
    if checkpointing:
        model.activation_checkpointing_enable()
    optimizer = torch.optim.AdamW(model.parameters())
    ids = torch.randint(0, vocabulary, (1, tokens))

    def step() -> None:
        with torch.autocast("cpu", compute, enabled=compute != dtype):
            loss = model(input_ids=ids, labels=ids, use_cache=False, fused_lm_head=True).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    step()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    events = [(e.start_ns(), e.nbytes()) for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
    now = peak = 0
    for _, n_bytes in sorted(events):
        now += n_bytes
        peak = max(peak, now)

    found = measure(model.config, "full", dtype=dtype, compute=compute).memory(tokens, checkpointing)
    weights = sum(weight.nbytes for weight in model.parameters())
    moments = sum(t.nbytes for state in optimizer.state.values() for t in state.values() if t.dim())
    head_in_float32 = vocabulary * width * 4
    assert found.gradients == weights + head_in_float32
    assert found.optimizer == moments
    assert found.parameters == found.trained == sum(weight.numel() for weight in model.parameters())
    assert (found.weights == weights) if dtype == compute else (found.weights > weights)
    assert 0.9 < (found.total - 2 * weights - moments) / peak < 1.1


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's own call
def test_adapters_are_counted_as_peft_makes_them():
    config = shape(4_000, 3, 64)
    for named in (
        {"target_modules": ["q_proj", "v_proj"], "modules_to_save": ["lm_head"]}, {"target_modules": "all-linear"},
    ):  # fmt: skip
        lora = LoraConfig(r=8, task_type="CAUSAL_LM", **named)
        model = get_peft_model(AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16), copy.deepcopy(lora))
        found = measure(config, "lora", adapters=lambda _, lora=lora: lora).memory(512)
        adapter = [weight for weight in model.parameters() if weight.requires_grad]
        assert found.trained == sum(weight.numel() for weight in adapter)
        assert found.weights >= sum(weight.nbytes for weight in model.parameters())
        assert found.optimizer == 2 * sum(weight.nbytes for weight in adapter)
        head_in_float32 = 4_000 * 64 * 4 if "modules_to_save" in named else 0
        assert found.gradients == sum(weight.nbytes for weight in adapter) + head_in_float32
    quantised = measure(config, "qlora", adapters=lambda _: lora).memory(512)
    assert quantised.optimizer == found.optimizer / 2  # TRL trains these in bfloat16
    in_linear = found.parameters - 2 * 4_000 * 64 - 7 * 64  # all but embeddings, head and norms
    in_adapter = found.trained * (4 - 2)
    assert found.weights - quantised.weights == pytest.approx(in_linear * (2 - 0.516) + in_adapter, rel=1e-3)


def test_what_adapters_keep_for_the_backward_pass_is_counted():
    config = shape(512, 2, 64)  # each layer has linear layers with 6 inputs of 64 and one of 192

    def kept(**named: Any) -> float:
        lora = LoraConfig(task_type="CAUSAL_LM", **{"r": 8, "target_modules": "all-linear"} | named)
        return measure(config, "lora", dtype=torch.float32, adapters=lambda _: lora).layer.a_token

    assert kept(r=24) - kept() == 7 * 16 * 4  # the input of the second of an adapter's matrices
    assert kept(lora_dropout=0.1) - kept() > 6 * 64 + 192  # its mask, of a byte each, and what it leaves
    with pytest.raises(UsageError, match=r"lora\.targets = \['nothing'\]"):
        kept(target_modules=["nothing"])


def test_an_estimate_of_a_large_model_needs_none_of_its_memory():
    config = LlamaConfig(
        vocab_size=128_256, hidden_size=4096, intermediate_size=14_336, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=8,
    )  # fmt: skip
    full = measure(config, "full").memory(2048)
    adapter = measure(config, "lora")
    lora = adapter.memory(2048)
    assert full.parameters == 8_030_261_248  # Llama 3.1 8B
    assert full.weights + full.optimizer == 3 * 2 * full.parameters
    most = lora.most_tokens(40 * 2**30)
    assert adapter.memory(most).fits(40 * 2**30)
    assert not adapter.memory(most + 5000).fits(40 * 2**30)
    assert full.most_tokens(24 * 2**30) == 0
    assert not full.fits(24 * 2**30)
    assert full.whole_logits == 2048 * 128_256 * 12
    without = adapter.memory(2048, gradient_checkpointing=False)
    assert without.activations > 5 * lora.activations


@pytest.mark.parametrize("config", [GPT2Config(n_layer=3), Qwen3Config(num_hidden_layers=3, hidden_size=64)])
def test_other_architectures(config):
    measured = measure(config, "full")
    two, one = (measured.memory(n, gradient_checkpointing=False) for n in (200, 100))
    assert two.activations == pytest.approx(2 * one.activations, rel=0.01)
    more = measure(config, "full", vocabulary=config.vocab_size + 8).memory(100)
    rows = 8 * config.hidden_size
    assert more.parameters - one.parameters in (rows, 2 * rows)  # the head may be the embeddings


def test_what_is_free():
    assert available_memory().bytes > 2**20
