"""A model from nothing: its tokenizer, its weights, and that it can be trained."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from finetune.demo.tiny import Size, make_tiny, train_tokenizer
from finetune.examples import Dialogue, Message
from finetune.inference.student import Answer, Student

WORDS = ["kettle", "lantern", "heron", "basalt", "trout", "rowboat"]
DIALOGUES = [
    Dialogue(
        [
            Message(role="user", content=f"What comes last in the list?\n\n{one}, {other}"),
            Message(role="assistant", content=other),
        ],
        task=one,
        source="",
    )
    for one in WORDS
    for other in WORDS
    if one != other
]
SMALL = Size(vocabulary=400, width=32, layers=2, heads=2, context=64)
TOKENIZER = train_tokenizer((turn["content"] for one in DIALOGUES for turn in one.messages), 400)


@given(st.text())
def test_every_text_comes_back(text: str) -> None:
    ids = TOKENIZER(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert TOKENIZER.decode(ids) == text


def test_a_word_is_one_token_in_a_list_and_as_the_answer() -> None:
    tokens = TOKENIZER.tokenize("heron, kettle, basalt")
    assert tokens[0::2] == TOKENIZER.tokenize("heron") + TOKENIZER.tokenize("kettle") + TOKENIZER.tokenize("basalt")


def test_digits_stand_alone() -> None:
    assert TOKENIZER.tokenize("1987") == ["1", "9", "8", "7"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Student:
    folder = tmp_path_factory.mktemp("tiny")
    n = make_tiny(DIALOGUES, folder, SMALL, seed=3)
    student = Student(str(folder))
    assert n == sum(weight.numel() for weight in student.model.parameters())
    return student


def test_the_model_has_the_size_asked_for(tiny: Student) -> None:
    config = tiny.model.config
    assert (config.hidden_size, config.num_hidden_layers, config.num_attention_heads) == (32, 2, 2)
    assert config.vocab_size == len(tiny.tokenizer) <= 400
    assert tiny.context == 64
    assert tiny.tokenizer.pad_token_id != tiny.tokenizer.eos_token_id


def test_its_weights_are_drawn_for_its_width(tiny: Student) -> None:
    assert tiny.model.get_input_embeddings().weight.std().item() == pytest.approx(32**-0.5, rel=0.05)


def test_it_answers_through_its_chat_template(tiny: Student) -> None:
    ids = tiny.prompt([Message(role="user", content="Hello")])
    assert tiny.tokenizer.decode(ids) == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
    said = tiny.model.generate(torch.tensor([ids]), do_sample=False, max_new_tokens=30)[0, len(ids) :].tolist()
    text = tiny.tokenizer.decode(said, skip_special_tokens=True)
    assert text
    stopped = said[-1] == tiny.tokenizer.eos_token_id
    assert tiny.answer([[Message(role="user", content="Hello")]], max_tokens=30) == [Answer(text, len(said), stopped)]


def test_the_same_seed_makes_the_same_model(tiny: Student, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("again")
    make_tiny(DIALOGUES, folder, SMALL, seed=3)
    again = Student(str(folder)).model.state_dict()
    assert all(torch.equal(weight, again[name]) for name, weight in tiny.model.state_dict().items())
