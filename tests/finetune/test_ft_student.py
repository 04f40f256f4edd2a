"""A student that answers, on tiny models with random weights (tests/tiny_model.py)."""

import importlib.util
import json
import shutil

import pytest

from selfinstruct.errors import UsageError
from tests.tiny_model import write_adapter

pytestmark = [
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("torch", "transformers", "peft"))),
        reason="needs pip install 'selfinstruct[finetune]'",
    ),
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("default:::torch", "default:::transformers"),
]

QUESTIONS = ["Name three rivers.", "Why?", "Sort 3, 1, 2, and say it at greater length, please, than before."]


@pytest.fixture(scope="module")
def adapter(lists, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "adapter"
    write_adapter(lists, folder)
    return folder


@pytest.fixture(scope="module")
def student(lists):
    return opened(lists)


def opened(folder):
    from finetune.inference.student import Student

    return Student(str(folder))


def asked(text):
    return [{"role": "user", "content": text}]


def streamed(student, messages, **settings):
    """The pieces, and the answer as a whole."""
    pieces = []
    stream = student.stream(messages, **settings)
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value


def change(path, **fields):
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


# What is said.


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_stream_is_the_answer_in_pieces(student, temperature):
    for question in QUESTIONS:
        pieces, whole = streamed(student, asked(question), max_tokens=40, temperature=temperature, seed=3)
        assert "".join(pieces) == whole.text
        assert len(pieces) > 5
        assert all(pieces)
        assert student.answer([asked(question)], 40, temperature, seed=3) == [whole]


def test_top_p_leaves_the_likeliest(student):
    messages = asked(QUESTIONS[0])
    narrow = streamed(student, messages, max_tokens=30, temperature=1.0, top_p=1e-6)
    assert narrow == streamed(student, messages, max_tokens=30)
    assert narrow != streamed(student, messages, max_tokens=30, temperature=1.0)


class Speaking:
    """A model in the place of one: says the given tokens whatever it is asked."""

    def __init__(self, student, tokens, monkeypatch):
        import torch

        self.tokens = iter(tokens)
        rows = len(student.tokenizer)

        def logits(model, tokens, mask, cache):
            return torch.nn.functional.one_hot(torch.tensor([next(self.tokens)]), rows).float()

        monkeypatch.setattr("finetune.inference.decoding._logits", logits)


def test_characters_come_whole(student, monkeypatch):
    text = "naïve 日本 🦙, and \N{REPLACEMENT CHARACTER} alone"
    ids = student.tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(ids) > len(text), "the characters are no longer several tokens each: this test shows nothing"
    Speaking(student, [*ids, *student.ends], monkeypatch)
    pieces, whole = streamed(student, asked("Say it."), max_tokens=100)
    assert "".join(pieces) == whole.text == text
    assert "🦙" in pieces
    # Cut off in the middle of a character: what is there is shown as what it is.
    Speaking(student, ids, monkeypatch)
    pieces, whole = streamed(student, asked("Say it."), max_tokens=len("na") + 1)
    assert "".join(pieces) == whole.text
    assert not whole.stopped


@pytest.mark.parametrize("said_by", ["generation_config", "tokenizer", "template"])
def test_an_answer_ends_where_any_of_the_three_says(said_by, lists_copy, monkeypatch):
    student = opened(lists_copy)
    token = 7
    if said_by == "generation_config":
        change(lists_copy / "generation_config.json", eos_token_id=[token])
    else:
        change(lists_copy / "generation_config.json", eos_token_id=None)
        change(lists_copy / "config.json", eos_token_id=None)
        student.tokenizer.add_special_tokens({"additional_special_tokens": ["<|stop|>"]})
        if said_by == "tokenizer":
            student.tokenizer.eos_token = student.tokenizer.convert_ids_to_tokens(token)
        else:
            student.tokenizer.eos_token = None
            last = student.tokenizer.convert_ids_to_tokens(1)  # of the template, <|end|>
            token = 1
            assert last in student.tokenizer.chat_template
        student.tokenizer.save_pretrained(lists_copy)
    student = opened(lists_copy)
    assert token in student.ends
    Speaking(student, [9, 9, token, 9], monkeypatch)
    (answer,) = student.answer([asked("Hm?")], 10)
    assert answer.stopped
    assert answer.n_tokens == 3
    assert answer.text == student.tokenizer.decode([9, 9])


def test_an_answer_ends_where_the_context_does(lists_copy):
    change(lists_copy / "config.json", max_position_embeddings=64)
    student = opened(lists_copy)
    student.ends = frozenset()
    free = 64 - len(student.prompt(asked("Why?")))
    assert 20 < free < 60
    long = asked("Why? " * 40)
    short, full = student.answer([asked("Why?"), long], 1000)
    assert (short.n_tokens, short.stopped) == (free, False)
    assert full == ("", 0, False)
    assert streamed(student, long, max_tokens=10) == ([], full)
    assert student.answer([asked("Why?")], 5)[0].n_tokens == 5


def test_a_system_message_goes_before_the_question_where_the_template_knows_none(lists_copy):
    template = (lists_copy / "chat_template.jinja").read_text()
    refusing = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
    (lists_copy / "chat_template.jinja").write_text(refusing + template)
    student = opened(lists_copy)
    found = student.prompt([{"role": "system", "content": "Be brief."}, *asked("Why?")])
    assert found == student.prompt(asked("Be brief.\n\nWhy?"))


# What can be opened.


def test_an_adapter_answers_as_it_was_trained(lists, adapter, student):
    from peft import AutoPeftModelForCausalLM
    from transformers import GenerationConfig

    adapted = opened(adapter)
    trained = AutoPeftModelForCausalLM.from_pretrained(adapter)
    greedy = GenerationConfig(max_new_tokens=30, do_sample=False, pad_token_id=0, eos_token_id=sorted(adapted.ends))
    answers = adapted.answer([asked(question) for question in QUESTIONS], 30)
    for question, answer in zip(QUESTIONS, answers, strict=True):
        prompt = adapted.tokenizer.apply_chat_template(
            asked(question), add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        said = trained.generate(**prompt, generation_config=greedy)[0, prompt["input_ids"].shape[1] :]
        assert answer.text == adapted.tokenizer.decode(said, skip_special_tokens=True)
    assert answers != student.answer([asked(question) for question in QUESTIONS], 30)


def test_an_adapter_that_brings_tokens_finds_its_base_too_small_and_grows_it(lists, tmp_path):
    write_adapter(lists, tmp_path / "adapter", added=("<|im_start|>", "<|im_end|>"))
    adapted = opened(tmp_path / "adapter")
    assert len(adapted.tokenizer) == adapted.model.get_input_embeddings().num_embeddings
    assert adapted.answer([asked("Why?")], 5)[0].n_tokens


def test_a_checkpoint_of_the_trainer_is_a_student(lists, tmp_path):
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

    tokenizer, trained = AutoTokenizer.from_pretrained(lists), AutoModelForCausalLM.from_pretrained(lists)
    rows = Dataset.from_list([{"input_ids": [3, 4, 5], "labels": [3, 4, 5]}])
    settings = TrainingArguments(
        str(tmp_path / "checkpoints"), use_cpu=True, report_to="none", max_steps=1, save_steps=1, learning_rate=0.1,
        disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    Trainer(trained, settings, train_dataset=rows, processing_class=tokenizer).train()
    with pytest.raises(UsageError, match=r"not finished.*checkpoints/checkpoint-1"):
        opened(tmp_path)
    found = opened(tmp_path / "checkpoints/checkpoint-1").answer([asked("Why?")], 5)
    assert found != opened(lists).answer([asked("Why?")], 5)


def test_what_is_no_student_says_what_is_missing(tmp_path, lists_copy, adapter):
    def told(folder=lists_copy):
        with pytest.raises(UsageError) as error:
            opened(folder)
        return str(error.value)

    assert "cannot load a model" in told(tmp_path / "nowhere")
    assert "no such folder" in told(lists_copy / "config.json")
    assert "neither config.json nor adapter_config.json" in told(tmp_path)
    (tmp_path / "run.db").touch()
    assert f"selfinstruct finetune {tmp_path}" in told(tmp_path)
    (lists_copy / "chat_template.jinja").rename(lists_copy / "kept")
    assert "chat_template.jinja" in told()
    (lists_copy / "kept").rename(lists_copy / "chat_template.jinja")
    for path in lists_copy.glob("tokenizer*"):
        path.unlink()
    assert "no tokenizer" in told()
    (lists_copy / "model.safetensors").unlink()
    assert "no weights" in told()


def test_an_adapter_whose_base_is_gone_or_another_one_is_one_clear_message(tmp_path, lists_copy, adapter):
    moved = shutil.copytree(adapter, tmp_path / "adapter")
    settings = moved / "adapter_config.json"

    def told():
        with pytest.raises(UsageError) as error:
            opened(moved)
        return str(error.value)

    change(settings, base_model_name_or_path=str(tmp_path / "gone"))
    assert f"is an adapter of {tmp_path / 'gone'}" in told()
    assert "base_model_name_or_path" in told()
    change(lists_copy / "config.json", hidden_size=32)  # weights of 64
    change(settings, base_model_name_or_path=str(lists_copy))
    assert str(lists_copy) in told()
    settings.write_text('{"peft_type": "IA3", "task_type": "CAUSAL_LM"}')
    assert "IA3" in told()
    settings.write_text("{")
    assert "cannot be read" in told()
