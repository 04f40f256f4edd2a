"""The trained model: loaded as the method needs it, with rows for the tokens that its template added; saved.

A token that a template adds (an end of turn) starts as the mean of all tokens, so that it is neither likely nor
unlikely at first (Hewitt 2021, "Initializing new word embeddings for pretrained language models"). Adapters do not
change embeddings, so the added tokens' rows are trained next to the adapters: a stop token that cannot be learned is
never generated.

Not covered: code that comes with a model (trust_remote_code), 8-bit weights.
"""

import importlib.util
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from accelerate import PartialState
from peft import LoraConfig
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, GenerationConfig, PreTrainedModel

from finetune.inference.gguf import folder_of
from finetune.inference.teacher import MORE_THAN_TENSORS, end_tokens
from finetune.training.settings import FinetuneSettings
from selfinstruct.errors import UsageError


def load_to_train(settings: FinetuneSettings, tokenizer: Any, n_known: int) -> PreTrainedModel:
    """The model for complete settings; `tokenizer` may have more than the `n_known` tokens it came with.

    UsageError if it cannot be loaded.
    """
    # An adapter stores the name of its base: as an absolute path, as it may be used from another folder.
    place = str(Path(settings.model).resolve()) if Path(settings.model).exists() else settings.model
    more: dict[str, Any] = {"dtype": torch.bfloat16 if settings.precision == "bfloat16" else torch.float32}
    if settings.method == "qlora":
        more |= {"quantization_config": _four_bits(), "device_map": {"": PartialState().device}}
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder_of(place), attn_implementation=settings.attention, trust_remote_code=False, **more
        )
    except UnpicklingError:
        raise UsageError(f"{settings.model}: {MORE_THAN_TENSORS}") from None
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"{settings.model}: transformers cannot load a model from it ({reason}). Set model (--model) to a "
            "folder with config, weights and tokenizer, or a name on the hub."
        ) from None
    model.name_or_path = place  # of a GGUF file too, rather than its folder in the cache
    add_tokens(model, n_known, len(tokenizer))
    return model  # type: ignore[no-any-return]


@torch.no_grad()
def add_tokens(model: Any, n_known: int, n_tokens: int) -> None:
    """Give tokens n_known ... n_tokens - 1 the mean embedding of those before, in input and output; resizes."""
    if n_tokens > n_known and n_tokens > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(n_tokens, mean_resizing=False)
    if n_tokens > n_known:
        for weight in {model.get_input_embeddings().weight, model.get_output_embeddings().weight}:  # one if tied
            weight[n_known:n_tokens] = weight[:n_known].mean(0)


def lora_config(settings: FinetuneSettings, model: Any, tokenizer: Any, n_known: int) -> LoraConfig | None:
    """The adapters to train, None for all weights. Tokens from `n_known` on are trained too, except padding."""
    if settings.method == "full":
        return None
    lora = settings.lora
    added: dict[str, Any] = {}
    if new := [token for token in range(n_known, len(tokenizer)) if token != tokenizer.pad_token_id]:
        names = {module: name for name, module in model.named_modules()}
        into, out = (names[module].rpartition(".")[2] for module in _embeddings(model))
        # TRL multiplies with the head's weight directly, bypassing adapters, so the whole head is trained; and the
        # embedding with it, if they are tied.
        if model.config.get_text_config().tie_word_embeddings:
            added = {"modules_to_save": [into], "ensure_weight_tying": True}
        else:
            added = {"modules_to_save": [out], "trainable_token_indices": {into: new}}
    return LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, task_type="CAUSAL_LM",
        target_modules=list(lora.targets) or "all-linear", **added,
    )  # fmt: skip


def generation_config(tokenizer: Any, model: Any) -> GenerationConfig:
    """The student's default decoding: greedy, up to a stop token, and no sampling."""
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=sorted(end_tokens(tokenizer, model.generation_config)), do_sample=False,
    )  # fmt: skip


def save(trainer: Any, tokenizer: Any, folder: Path) -> None:
    """Write the student (called by all processes; one of them writes)."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    model.generation_config = generation_config(tokenizer, model)
    model.config.use_cache = True
    trainer.save_model(str(folder))
    if trainer.is_world_process_zero():
        (folder / "training_args.bin").unlink()  # finetune.toml has the same, and is not a pickle
        tokenizer.save_pretrained(folder)
        model.generation_config.save_pretrained(folder)  # also for adapters


def check_qlora() -> None:
    """UsageError if 4-bit weights are not available."""
    if not importlib.util.find_spec("bitsandbytes"):
        raise UsageError(
            'method = "qlora" (--method qlora) needs bitsandbytes. Run: pip install bitsandbytes. Or use '
            "--method lora, without 4-bit weights."
        )


def _four_bits() -> BitsAndBytesConfig:
    """As in the QLoRA paper (Dettmers et al. 2023): 4-bit NormalFloat with double quantisation."""
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )  # fmt: skip


def _embeddings(model: Any) -> tuple[Any, Any]:
    return model.get_input_embeddings(), model.get_output_embeddings()
