"""A tiny LLaMA from scratch: a tokenizer trained on a corpus, and random weights of a size that a CPU can train.

`make demo-tiny` trains it, as it needs no weights to be downloaded. It knows nothing: anything it can do
afterwards it has learned from the corpus.

    >>> make_tiny(read_dialogues("outputs/first"), Path("outputs/untrained"))
    1103488
    >>> Student("outputs/untrained").answer([[{"role": "user", "content": "Is 7 odd or even?"}]], max_tokens=4)
    [Answer(text='lantern billing vi Bus ', n_tokens=4, stopped=False)]

The tokenizer is byte-level BPE with two differences that help a model with little data. A space belongs to the word
before it, so "kettle" is the same token in a list and as the answer (GPT-2's has a space before it in one place only).
Each digit is a separate token, so that the model can attend to the last one of a number.

The weights are drawn with a standard deviation of 1/√width. With the usual 0.02, which suits a width of a few thousand,
a model this narrow learns nothing for the first thousand updates (docs/finetune-demo.md).

Not covered: models large enough for anything but a demonstration.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from finetune.data.templates import prepare_tokenizer
from finetune.examples import Dialogue
from finetune.quiet import quieten

_PIECES = Regex(r"\p{N}|\p{L}+ ?|[^\p{L}\p{N}\s]+ ?|\s+")


class Size(NamedTuple):
    """The size of a model: maximum tokens of its vocabulary (256 are bytes), and of a dialogue (`context`)."""

    vocabulary: int = 4000
    width: int = 128
    layers: int = 3
    heads: int = 4
    context: int = 512


SMALL = Size()


def make_tiny(dialogues: Sequence[Dialogue], folder: Path, size: Size = SMALL, seed: int = 0) -> int:
    """Write a randomly initialized model, and a tokenizer trained on `dialogues`; return the parameter count.

    Its chat template is chatml.
    """
    quieten()
    tokenizer = train_tokenizer((turn["content"] for one in dialogues for turn in one.messages), size.vocabulary)
    prepare_tokenizer(tokenizer, "chatml")
    tokens = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=size.width, intermediate_size=8 * size.width // 3,
        num_hidden_layers=size.layers, num_attention_heads=size.heads, num_key_value_heads=size.heads,
        max_position_embeddings=size.context, initializer_range=size.width**-0.5, tie_word_embeddings=True, **tokens,
    )  # fmt: skip
    torch.manual_seed(seed)
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(**tokens)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return int(model.num_parameters())


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A lossless byte-level BPE tokenizer of at most `vocabulary` tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(_PIECES, "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ])  # fmt: skip
    tokenizer.decoder = decoders.ByteLevel()
    pad, end = "<|endoftext|>", "<|im_end|>"
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[pad, "<|im_start|>", end], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=end, pad_token=pad, clean_up_tokenization_spaces=False
    )
