"""Tokenizers and chat templates in the styles of well-known models, made here so that nothing is downloaded."""

import functools
import json
from pathlib import Path
from typing import Any

from finetune.data.encoding import IGNORED
from finetune.examples import Example, Message

SEEDS = Path(__file__).parents[1] / "seeds/seeds.jsonl"

LLAMA_3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + "
    "message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
    "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
QWEN = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for message in messages %}{% set role = 'model' if message['role'] == 'assistant' else "
    "message['role'] %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
PHI_3 = (  # ends the text where nothing is asked, so that no prefix of it stands as it is in the whole
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
QWEN_3 = (  # shows an empty thought in the last answer only
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if loop.last and message['role'] == 'assistant' %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
OLMO = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] }}"
    "{{ (eos_token if message['role'] == 'assistant' else '') + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
STYLES: dict[str, tuple[str, str, list[str]]] = {  # the template, BOS, other special tokens: the first one is EOS
    "llama-3": (LLAMA_3, "<|begin_of_text|>", ["<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]),
    "qwen": (QWEN, "", ["<|im_end|>", "<|im_start|>", "<|endoftext|>"]),
    "mistral": (MISTRAL, "<s>", ["</s>", "<unk>"]),
    "gemma": (GEMMA, "<bos>", ["<eos>", "<start_of_turn>", "<end_of_turn>", "<pad>"]),
    "phi-3": (PHI_3, "", ["<|endoftext|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]),
    "qwen-3": (QWEN_3, "", ["<|im_end|>", "<|im_start|>", "<|endoftext|>"]),
    "olmo": (OLMO, "", ["<|endoftext|>", "<|padding|>"]),
    "base": ("", "<s>", ["</s>"]),
}
TEXT_TOKENS = {"olmo": [" " * n for n in (2, 3, 4)] + ["\t\t", "|||EMAIL|||"]}  # added, and yet text: as in Pythia


@functools.cache
def _trained() -> str:
    """A byte-level BPE of 500 tokens, as JSON."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    texts = [json.loads(line)["instruction"] for line in SEEDS.read_text(encoding="utf-8").splitlines()]
    tokenizer.train_from_iterator([*texts, "one\n\n\ntwo\n\n\n\nthree\n\n" * 50], trainer)
    return tokenizer.to_str()


def tokenizer_of(style: str, adds_bos: bool = True) -> Any:
    """A tokenizer in the style of a model; it begins every text with BOS where the style has one, as theirs do."""
    from tokenizers import Tokenizer, processors
    from transformers import AddedToken, PreTrainedTokenizerFast

    template, bos, others = STYLES[style]
    backend = Tokenizer.from_str(_trained())
    backend.add_special_tokens([token for token in [bos, *others] if token])
    if bos and adds_bos:
        backend.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, backend.token_to_id(bos))]
        )
    named = {"bos_token": bos} if bos else {}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=others[0], **named)
    tokenizer.add_tokens([AddedToken(text, special=False) for text in TEXT_TOKENS.get(style, [])])
    tokenizer.chat_template = template or None
    return tokenizer


def user(content: str) -> Message:
    return Message(role="user", content=content)


def assistant(content: str) -> Message:
    return Message(role="assistant", content=content)


def system(content: str) -> Message:
    return Message(role="system", content=content)


def trained(tokenizer: Any, example: Example) -> list[str]:
    """The texts of the trained runs of tokens."""
    runs: list[list[int]] = [[]]
    for label in example.labels:
        if label != IGNORED:
            runs[-1].append(label)
        elif runs[-1]:
            runs.append([])
    return [tokenizer.decode(run, clean_up_tokenization_spaces=False) for run in runs if run]


def marked(tokenizer: Any, example: Example) -> str:
    """The whole text, what is trained in ‹ ›."""
    text, before = "", IGNORED
    pieces: list[tuple[bool, list[int]]] = []
    for token, label in zip(example.ids, example.labels, strict=True):
        if not pieces or (label == IGNORED) != (before == IGNORED):
            pieces.append((label != IGNORED, []))
        pieces[-1][1].append(token)
        before = label
    for is_trained, ids in pieces:
        piece = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        text += f"‹{piece}›" if is_trained else piece
    return text
