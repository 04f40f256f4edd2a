"""Text, ids and labels: golden ones for every format and template, and the rules that hold for any conversation."""

import json
import random

import pytest
from ft_tokenizers import STYLES, assistant, marked, system, tokenizer_of, trained, user
from hypothesis import given, settings
from hypothesis import strategies as st
from test_ft_dialogues import ROWS, WITH_FIELDS, write
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from finetune.data.dialogues import read_dialogues
from finetune.data.encoding import IGNORED, encode, encode_all
from finetune.data.templates import WITH_INPUT, WITHOUT_INPUT, end_of_turn, fitting, prepare_tokenizer, worded
from finetune.examples import Dialogue, Example
from selfinstruct.errors import UsageError

TEMPLATES = ("model", "chatml", "alpaca", "paper")
ALPACA = "<|begin_of_text|>Below is an instruction for a task. Write a response that carries it out.\n\n"
# Of a Llama-3-like tokenizer, for rows with instruction and input, and for those with turns.
GOLDEN = {
    ("model", True): (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nAdd.\n\n1 2<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n‹3<|eot_id|>›"
    ),
    ("chatml", True): (
        "<|begin_of_text|><|im_start|>user\nAdd.\n\n1 2<|im_end|>\n<|im_start|>assistant\n‹3<|im_end|>›"
    ),
    ("alpaca", True): ALPACA + "### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:\n‹3<|eot_id|>›",
    ("alpaca", False): ALPACA + "### Instruction:\nAdd.\n\n1 2\n\n### Response:\n‹3<|eot_id|>›",
    ("paper", True): "<|begin_of_text|>Task: Add.\n\n1 2\n\nAnswer:\n‹3<|eot_id|>›",
    ("paper", False): "<|begin_of_text|>Add.\n\n1 2\n‹3<|eot_id|>›",
}
CHAT = [system("Be brief."), user("What is two plus two?"), assistant("Four."), user("And a list?"), assistant("- one")]
GOLDEN_CHAT = {
    ("llama-3", "model"): (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|><|start_header_id|>user"
        "<|end_header_id|>\n\nWhat is two plus two?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
        "‹Four.<|eot_id|>›<|start_header_id|>user<|end_header_id|>\n\nAnd a list?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n‹- one<|eot_id|>›"
    ),
    ("qwen", "model"): (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is two plus two?<|im_end|>\n"
        "<|im_start|>assistant\n‹Four.<|im_end|>›\n<|im_start|>user\nAnd a list?<|im_end|>\n"
        "<|im_start|>assistant\n‹- one<|im_end|>›"
    ),
    ("mistral", "model"): (
        "<s>[INST] Be brief.\n\nWhat is two plus two? [/INST]‹ Four.</s>›[INST] And a list? [/INST]‹ - one</s>›"
    ),
    ("gemma", "model"): (
        "<bos><start_of_turn>user\nBe brief.\n\nWhat is two plus two?<end_of_turn>\n<start_of_turn>model\n"
        "‹Four.<end_of_turn>›\n<start_of_turn>user\nAnd a list?<end_of_turn>\n<start_of_turn>model\n"
        "‹- one<end_of_turn>›"
    ),
    ("phi-3", "model"): (
        "<|system|>\nBe brief.<|end|>\n<|user|>\nWhat is two plus two?<|end|>\n<|assistant|>\n‹Four.<|end|>›\n"
        "<|user|>\nAnd a list?<|end|>\n<|assistant|>\n‹- one<|end|>›"
    ),
    ("qwen-3", "model"): (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is two plus two?<|im_end|>\n"
        "<|im_start|>assistant\nFour.<|im_end|>\n<|im_start|>user\nAnd a list?<|im_end|>\n"
        "<|im_start|>assistant\n‹<think>\n\n</think>\n\n- one<|im_end|>›"
    ),
    ("base", "chatml"): (
        "<s><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhat is two plus two?<|im_end|>\n"
        "<|im_start|>assistant\n‹Four.<|im_end|>›\n<|im_start|>user\nAnd a list?<|im_end|>\n"
        "<|im_start|>assistant\n‹- one<|im_end|>›"
    ),
    ("base", "alpaca"): (
        "<s>Be brief.\n\n### Instruction:\nWhat is two plus two?\n\n### Response:\n‹Four.</s>›\n\n"
        "### Instruction:\nAnd a list?\n\n### Response:\n‹- one</s>›"
    ),
    ("olmo", "model"): (
        "<|system|>\nBe brief.\n<|user|>\nWhat is two plus two?\n<|assistant|>\n‹Four.<|endoftext|>›\n"
        "<|user|>\nAnd a list?\n<|assistant|>\n‹- one<|endoftext|>›"
    ),
    ("olmo", "alpaca"): (
        "Be brief.\n\n### Instruction:\nWhat is two plus two?\n\n### Response:\n‹Four.<|endoftext|>›\n\n"
        "### Instruction:\nAnd a list?\n\n### Response:\n‹- one<|endoftext|>›"
    ),
    ("base", "paper"): "<s>Be brief.\nWhat is two plus two?\n‹Four.</s>›\n\nAnd a list?\n‹- one</s>›",
}


def prepared(style: str, template: str | None = None):
    tokenizer = tokenizer_of(style)
    prepare_tokenizer(tokenizer, template)
    return tokenizer


def asked(tokenizer, messages) -> list[int]:
    """What the student is given to answer, as every room does it."""
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]


def talk(*turns: str, first: tuple = ()) -> Dialogue:
    messages = [(assistant if n % 2 else user)(turn) for n, turn in enumerate(turns)]
    return Dialogue([*first, *messages], "task", "data.jsonl, line 1")


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("format", ROWS)
def test_golden_text_ids_and_labels_of_every_format_and_template(tmp_path, format, template):
    tokenizer = prepared("llama-3", template)
    (dialogue,) = read_dialogues(write(tmp_path / "data.jsonl", [ROWS[format]]))
    dialogue = worded(dialogue, template)
    example = encode(tokenizer, dialogue)
    text = GOLDEN.get((template, format in WITH_FIELDS)) or GOLDEN[template, True]
    assert marked(tokenizer, example) == text
    before, _, said = text.rstrip("›").partition("‹")
    parts = tokenizer([before, said], add_special_tokens=False)["input_ids"]
    assert example.ids == parts[0] + parts[1]
    prompt = asked(tokenizer, dialogue.messages[:-1])
    assert example.ids[: len(prompt)] == prompt
    answer = example.ids[len(prompt) :]
    assert example.labels == [IGNORED] * len(prompt) + answer
    assert answer == [tokenizer("3", add_special_tokens=False)["input_ids"][0], tokenizer.eos_token_id]


@pytest.mark.parametrize(("style", "template"), GOLDEN_CHAT)
@pytest.mark.parametrize("format", ["messages", "sharegpt", "prompt-completion"])
def test_golden_chats(tmp_path, format, style, template):
    speakers = {"user": "human", "assistant": "gpt", "system": "system"}
    row = {
        "messages": {"messages": CHAT},
        "sharegpt": {"conversations": [{"from": speakers[m["role"]], "value": m["content"]} for m in CHAT]},
        "prompt-completion": {"prompt": CHAT[:-1], "completion": CHAT[-1:]},
    }[format]
    (dialogue,) = read_dialogues(write(tmp_path / "data.jsonl", [row]))
    tokenizer = prepared(style, template)
    assert marked(tokenizer, encode(tokenizer, dialogue)) == GOLDEN_CHAT[style, template]


CHATS = [*GOLDEN_CHAT, ("llama-3", "paper"), ("mistral", "alpaca"), ("olmo", "chatml"), ("olmo", "paper")]
TEXTS = st.text(st.sampled_from("ab Zé\n\t.#:-<>|漢😀{}%"), min_size=1, max_size=12).filter(str.strip)


@pytest.mark.parametrize(("style", "template"), CHATS)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3), st.none() | TEXTS)
@settings(max_examples=15, deadline=None)
def test_any_chat_trains_the_answers_with_their_stop_token_and_asks_as_at_inference(style, template, turns, first):
    tokenizer = prepared(style, template)
    dialogue = talk(*(text for pair in turns for text in pair), first=(system(first),) if first else ())
    encoded = encode_all(tokenizer, [dialogue])
    (example,) = encoded.examples
    stop = end_of_turn(tokenizer)
    answers = [turn[1] + stop for turn in turns]
    if style == "qwen-3":  # its earlier answers are shown otherwise than they were said
        assert encoded.untrained == len(turns) - 1
        answers = ["<think>\n\n</think>\n\n" + answers[-1]]
    if style in ("llama-3", "gemma") and template == "model":  # they trim
        answers = [turn[1].strip() + stop for turn in turns]
    if style == "mistral" and template == "model":
        answers = [f" {answer}" for answer in answers]
    assert trained(tokenizer, example) == answers
    assert all(label in (IGNORED, token) for token, label in zip(example.ids, example.labels, strict=True))
    messages = fitting(tokenizer, dialogue.messages)
    starts = [n for n, label in enumerate(example.labels) if label != IGNORED and example.labels[n - 1] == IGNORED]
    prompts = [asked(tokenizer, messages[:n]) for n, m in enumerate(messages) if m["role"] == "assistant"]
    prompts = prompts[-1:] if style == "qwen-3" else prompts
    assert example.ids[: starts[0]] == prompts[0]
    if not encoded.merged:
        assert all(example.ids[: len(prompt)] == prompt for prompt in prompts)


def test_where_the_tokenizer_would_merge_prompt_and_answer_they_are_tokenised_apart():
    tokenizer = prepared("base", "alpaca")
    dialogue = talk("Go", "\n\nDone")
    encoded = encode_all(tokenizer, [dialogue, talk("Go", "Done")])
    prompt = asked(tokenizer, dialogue.messages[:1])
    whole = tokenizer.apply_chat_template(dialogue.messages, return_dict=True)["input_ids"]
    assert whole[: len(prompt)] != prompt  # one run over all of it would teach what is never asked
    assert encoded.examples[0].ids[: len(prompt)] == prompt
    assert trained(tokenizer, encoded.examples[0]) == ["\n\nDone</s>"]
    assert encoded.merged == 1


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("answer", ["number 4  ", "  4   \t\t", "4\n    ", "|||EMAIL|||", "4 |||EMAIL|||  "])
def test_added_tokens_of_text_are_text_and_not_the_stop_token(answer, template):
    """Pythia, OLMo and Phi-2 have runs of spaces among the added tokens."""
    tokenizer = prepared("olmo", template)
    stop = "<|im_end|>" if template == "chatml" else "<|endoftext|>"
    assert end_of_turn(tokenizer) == stop
    example = encode(tokenizer, talk("Say  it.", answer, "Again  ", answer))
    assert trained(tokenizer, example) == [answer + stop] * 2
    assert example.labels[-1] == example.ids[-1] == tokenizer.convert_tokens_to_ids(stop)
    tokenizer.chat_template = tokenizer.chat_template.replace("message['content']", "message['content'] | upper")
    assert trained(tokenizer, encode(tokenizer, talk("Say it.", f"a {answer}"))) == [f"A {answer}".upper() + stop]


def test_a_thought_that_the_answer_has_a_word_of_does_not_end_it():
    tokenizer = prepared("qwen-3")
    tokenizer.add_tokens(["<think>", "</think>"])
    example = encode(tokenizer, talk("What do you do?", "think"))
    assert trained(tokenizer, example) == ["<think>\n\n</think>\n\nthink<|im_end|>"]


def test_a_tokenizer_that_puts_a_space_before_every_text():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=340, special_tokens=special, show_progress=False)
    backend.train_from_iterator(["Name a river. The Elbe. ### Instruction: Response:\n"] * 9, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    prepare_tokenizer(tokenizer, "alpaca")
    dialogue = talk("Name a river.", "The Elbe.", "Name a river.", "\nThe Elbe.")
    example = encode(tokenizer, dialogue)
    assert trained(tokenizer, example) == ["The Elbe.</s>", "\nThe Elbe.</s>"]
    for n in (1, 3):
        prompt = asked(tokenizer, dialogue.messages[:n])
        assert example.ids[: len(prompt)] == prompt


def test_our_templates_mark_for_other_tools_what_we_train():
    for template in ("chatml", "alpaca", "paper"):
        tokenizer = prepared("base", template)
        example = encode(tokenizer, talk("Hi", "Hello", "Bye", "See you"))
        found = tokenizer.apply_chat_template(
            talk("Hi", "Hello", "Bye", "See you").messages, return_dict=True, return_assistant_tokens_mask=True
        )
        n = len(example.ids)
        assert found["input_ids"][:n] == example.ids
        assert found["assistant_masks"][:n] == [int(label != IGNORED) for label in example.labels]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("template", [None, "chatml", "alpaca", "paper"])
def test_a_prepared_tokenizer_ends_answers_and_pads_with_different_tokens(tmp_path, style, template):
    tokenizer = tokenizer_of(style)
    before = len(tokenizer)
    found = prepare_tokenizer(tokenizer, template)
    assert len(tokenizer) - before == len(found.added)
    assert tokenizer.pad_token is not None
    assert tokenizer.pad_token != end_of_turn(tokenizer)
    assert found.template == (template or ("chatml" if style == "base" else "model"))
    assert prepare_tokenizer(tokenizer, found.template).added == []
    tokenizer.save_pretrained(tmp_path)
    from transformers import AutoTokenizer

    again = AutoTokenizer.from_pretrained(tmp_path)
    messages = [user("Hi")]
    assert asked(again, messages) == asked(tokenizer, messages)
    assert again.pad_token == tokenizer.pad_token


@pytest.mark.parametrize(
    ("style", "special", "more_rows", "padding"),
    [
        ("llama-3", ["<|reserved_special_token_0|>", "<|reserved_special_token_1|>"], 0,
         "<|reserved_special_token_0|>"),  # unslothai/unsloth#416
        ("llama-3", ["<|reserved_special_token_0|>", "<|finetune_right_pad_id|>"], 0,
         "<|finetune_right_pad_id|>"),  # opendatahub-io/distributed-workloads#380
        ("mistral", [], 0, "<unk>"),  # bobazooba/xllm#15
        ("mistral", ["[control_8]"], 0, "<unk>"),
        ("qwen", [], 0, "<|endoftext|>"),  # its chats end with another token
        ("base", ["<|dummy_3|>"], 0, "<|dummy_3|>"),  # meta-pytorch/torchtune#2197
        ("base", [">>UNUSED_221<<"], 0, ">>UNUSED_221<<"),
        ("base", ["<fim_pad>", "<|image_pad|>"], 0, "<fim_pad>"),  # ibm-granite/granite-3.1-language-models#2
        ("base", [], 2, "<|pad|>"),  # huggingface/transformers#28415
        ("base", [], 0, "<s>"),
    ],
)  # fmt: skip
def test_padding_needs_no_new_embedding(style, special, more_rows, padding):
    """Else an adapter comes with both whole matrices, which servers refuse (vllm-project/vllm#9280)."""
    tokenizer = tokenizer_of(style)
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    rows = len(tokenizer) + more_rows
    found = prepare_tokenizer(tokenizer, None if tokenizer.chat_template else "alpaca", rows)
    assert tokenizer.pad_token == padding
    assert len(tokenizer) <= rows
    assert found.added == (["<|pad|>"] if more_rows else [])


def test_padding_that_the_model_has_no_row_for_is_replaced():
    """As where somebody added it to the tokenizer alone (georgesung/llm_qlora#7)."""
    tokenizer = tokenizer_of("base")
    rows = len(tokenizer)
    tokenizer.add_special_tokens({"pad_token": "[PAD]"})
    assert tokenizer.pad_token_id == rows
    prepare_tokenizer(tokenizer, "alpaca", rows)
    assert tokenizer.pad_token == "<s>"


def test_the_only_special_token_ends_answers_and_pads(monkeypatch):
    """As in GPT-2 (mlabonne/llm-course#33); the end of an answer is trained all the same."""
    monkeypatch.setitem(STYLES, "gpt-2", ("", "", ["<|endoftext|>"]))
    tokenizer = tokenizer_of("gpt-2")
    prepare_tokenizer(tokenizer, "alpaca", len(tokenizer))
    assert tokenizer.pad_token == tokenizer.eos_token
    rows = [Example(*encode(tokenizer, talk("Hi", answer))) for answer in ("Hello", "Hello, and a good day to you")]
    collate = DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id)
    batch = collate([{"input_ids": row.ids, "labels": row.labels} for row in rows])
    assert batch["labels"].eq(tokenizer.eos_token_id).sum() == 2
    assert batch["attention_mask"].sum(1).tolist() == [len(row.ids) for row in rows]


def test_templates_that_cannot_be_used():
    with pytest.raises(UsageError, match="has no chat template: it is a base model"):
        prepare_tokenizer(tokenizer_of("base"), "model")
    with pytest.raises(UsageError, match="Unknown template llama"):
        prepare_tokenizer(tokenizer_of("base"), "llama")
    endless = tokenizer_of("base")
    endless.chat_template = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"
    with pytest.raises(UsageError, match="writes no token after an answer"):
        prepare_tokenizer(endless)
    broken = tokenizer_of("base")
    broken.chat_template = "{{ raise_exception('not today') }}"
    with pytest.raises(UsageError, match="its chat template fails: not today"):
        prepare_tokenizer(broken)


def test_a_template_that_asks_for_something_else_than_it_shows():
    tokenizer = tokenizer_of("qwen")
    tokenizer.chat_template = STYLES["qwen"][0].replace("assistant\n' }}", "assistant\n<think>\n' }}")
    prepare_tokenizer(tokenizer)
    with pytest.raises(UsageError, match=r"line 1: the chat template prompts with .*<think>.*, but renders"):
        encode(tokenizer, talk("Hi", "Hello"))


def test_a_template_that_rewrites_answers_is_trained_as_it_writes_them():
    tokenizer = tokenizer_of("qwen")
    tokenizer.chat_template = STYLES["qwen"][0].replace("message['content']", "message['content'] | upper")
    prepare_tokenizer(tokenizer)
    assert trained(tokenizer, encode(tokenizer, talk("Hi", "Hello"))) == ["HELLO<|im_end|>"]


def test_a_system_turn_that_a_template_skips_is_put_into_the_question():
    tokenizer = tokenizer_of("qwen")
    tokenizer.chat_template = (
        "{% for m in messages if m['role'] != 'system' %}<|im_start|>{{ m['role'] + '\n' + m['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    example = encode(tokenizer, talk("Hi", "Hello", first=(system("Be brief."),)))
    assert marked(tokenizer, example).startswith("<|im_start|>user\nBe brief.\n\nHi<|im_end|>")


def test_the_wordings_of_the_paper_are_varied_and_fixed():
    assert (len(set(WITH_INPUT)), len(set(WITHOUT_INPUT))) == (7, 6)
    rows = [Dialogue([user("x"), assistant("y")], "", "", f"Do {n}", given) for n in range(200) for given in ("", "a")]
    seen = {worded(row, "paper").messages[0]["content"].replace(row.instruction, "") for row in rows}
    assert len(seen) == 13
    assert [worded(row, "paper") for row in rows] == [worded(row, "paper") for row in rows]
    odd = Dialogue([user("x"), assistant("y")], "", "", "Fill {input} in", "{0}")
    said = worded(odd, "paper").messages[0]["content"]
    assert "Fill {input} in" in said
    assert "{0}" in said


def test_an_answer_that_holds_a_control_token_is_refused_and_a_question_is_not():
    tokenizer = prepared("base", "alpaca")
    with pytest.raises(UsageError, match="line 1: the answer contains </s>, a control token"):
        encode(tokenizer, talk("Hi", "a</s>b"))
    assert trained(tokenizer, encode(tokenizer, talk("What is </s>?", "A tag."))) == ["A tag.</s>"]
    tokenizer.chat_template = tokenizer.chat_template.replace("eos_token", "'<end>'")
    tokenizer.add_tokens(["<end>"])  # as some models have it: it ends turns and is not special
    with pytest.raises(UsageError, match="line 1: the answer contains <end>, a control token"):
        encode(tokenizer, talk("Hi", "a<end>b"))
    with pytest.raises(UsageError, match=r"(?s)Rows that cannot be trained on:.*line 1.*and 3 more"):
        encode_all(tokenizer, [talk("Hi", "</s>")] * 8)


def test_rows_that_are_too_long():
    tokenizer = prepared("base", "chatml")
    short, chat = talk("Hi", "Hello"), talk("Hi", "Hello", "Tell me more about it, please", "No " * 50)
    lengthy, hopeless = talk("Hi", "word " * 200), talk("word " * 200, "Hi")
    rows = [short, chat, lengthy, hopeless]
    n = len(encode(tokenizer, short).ids) + 20

    kept = encode_all(tokenizer, rows, n)
    assert (len(kept.examples), kept.dropped, kept.lost, kept.cut) == (1, 3, 0, set())
    assert kept.lengths == [len(encode(tokenizer, row).ids) for row in rows]

    cut = encode_all(tokenizer, rows, n, "truncate")
    assert (cut.dropped, cut.lost, cut.shortened, cut.cut) == (1, 1, 1, {2})
    assert cut.dialogues == rows[:3]
    assert trained(tokenizer, cut.examples[1]) == ["Hello<|im_end|>"]  # the turns that fit, whole
    assert cut.examples[1] == cut.examples[0]
    assert len(cut.examples[2].ids) == n
    (answer,) = trained(tokenizer, cut.examples[2])
    assert ("word " * 200).startswith(answer)  # and it does not learn to stop there

    with pytest.raises(UsageError, match=rf"(?s)tokens, more than the maximum of {n}.*--overlong drop or truncate"):
        encode_all(tokenizer, rows, n, "error")


def test_every_length_keeps_whole_answers_or_a_part_of_the_first():
    tokenizer = prepared("llama-3")
    dialogue = talk("Hi", "Hello there", "Bye", "Until tomorrow", "Yes", "Good")
    whole = encode(tokenizer, dialogue)
    answers = trained(tokenizer, whole)
    for most in range(1, len(whole.ids)):
        found = encode_all(tokenizer, [dialogue], most, "truncate")
        if not found.examples:
            assert most <= len(asked(tokenizer, dialogue.messages[:1]))
            continue
        (example,) = found.examples
        said = trained(tokenizer, example)
        assert len(example.ids) <= most
        assert example.ids == whole.ids[: len(example.ids)]
        assert said == answers[: len(said)] if found.shortened else answers[0].startswith(said[0])
        assert bool(found.shortened) != bool(found.cut)


def test_many_rows_at_once_are_encoded_as_one_by_one():
    rng = random.Random(0)
    rows = [talk(*(" ".join(rng.choices(["a", "list", "of", "é"], k=4)) for _ in range(2 * n))) for n in (1, 2, 3, 1)]
    tokenizer = prepared("qwen")
    assert encode_all(tokenizer, rows).examples == [encode(tokenizer, row) for row in rows]
    assert json.dumps(encode_all(tokenizer, rows).examples)
