"""LLaMA-shaped models with random weights, less than a megabyte each, made here so that nothing is downloaded.

`python tests/tiny_model.py FOLDER` writes two. FOLDER/babble says pieces of words and loose bytes. FOLDER/lists has
whole list numbers and headings among its tokens too, so that some of its nonsense reads like an answer.
"""

import json
import sys
from pathlib import Path

SEEDS = Path(__file__).parents[1] / "seeds/seeds.jsonl"
MARKS = [
    *(f"\n{n}. " for n in range(1, 31)),
    *(f"\n{word}: " for word in ("Input", "Output", "Class label")),
    "Yes",
    "No",
]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|begin|>{{ message['role'] }}\n{{ message['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|begin|>assistant\n{% endif %}"
)

# Settings of a run with such a teacher: the usual sampling, with fewer tokens.
SHORT_ANSWERS = """
[propose]
sampling = { temperature = 1.0, max_tokens = 40 }
[classify]
sampling = { temperature = 0.0, max_tokens = 4 }
[instances]
sampling = { temperature = 1.0, max_tokens = 30 }
"""


def write_model(folder: Path, marks: list[str], seed: int = 20261121, layers: int = 2) -> None:
    """Write a model whose tokens are bytes, pieces of the seeds' words, and `marks`; with one layer it is faster."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|begin|>", "<|end|>"],
        show_progress=False,
    )
    texts = [json.loads(line)["instruction"] for line in SEEDS.read_text(encoding="utf-8").splitlines()]
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|end|>"
    )
    fast.add_tokens(marks)
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)

    torch.manual_seed(seed)
    tokens = {"bos_token_id": fast.bos_token_id, "eos_token_id": fast.eos_token_id, "pad_token_id": fast.pad_token_id}
    config = LlamaConfig(
        vocab_size=len(fast), hidden_size=64, intermediate_size=128, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=4096, **tokens,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    # Without do_sample in here, `transformers serve` decodes greedily, whatever temperature it is asked for.
    model.generation_config = GenerationConfig(do_sample=True, **tokens)
    model.save_pretrained(folder)


def write_adapter(base: Path, folder: Path, added: tuple[str, ...] = ()) -> None:
    """Write a LoRA adapter of the model in `base` with random weights that matter, and with `added` tokens."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

    set_seed(7)
    tokenizer, model = AutoTokenizer.from_pretrained(base), AutoModelForCausalLM.from_pretrained(base)
    if added:
        tokenizer.add_special_tokens({"additional_special_tokens": list(added)})
        model.resize_token_embeddings(len(tokenizer))
    config = LoraConfig(
        r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM",
        modules_to_save=["embed_tokens", "lm_head"] if added else None,
    )  # fmt: skip
    get_peft_model(model, config).save_pretrained(folder, save_embedding_layers=bool(added))
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    write_model(Path(sys.argv[1]) / "babble", [])
    write_model(Path(sys.argv[1]) / "lists", MARKS)
