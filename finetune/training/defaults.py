"""Defaults that depend on the model, the data and the machine; settings of the user stay as they are.

If a figure is from a paper, the setting's description in finetune.training.settings names it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from transformers.utils.import_utils import is_flash_attn_2_available, is_flash_attn_3_available

from finetune.training.settings import FinetuneSettings, Method, Precision, parse_settings
from selfinstruct.errors import UsageError

MOST_LENGTH = 4096  # tokens per row, unless the user sets more: few answers are longer, and memory grows with it
PACKED_LENGTH = 2048  # tokens of a packed row
UPDATES = 300  # that a training should have at least, before its batches grow
EVALUATIONS = 10
WIDE = 512  # SmolLM2-135M (576) trains 1.3 times as fast in bfloat16 on a CPU; converting narrow layers takes longer
MOST_ROWS, MOST_ROWS_CPU = 16, 8  # processed at a time, even if the memory would allow more


class Machine(NamedTuple):
    """The hardware to train on."""

    has_gpu: bool
    has_bf16: bool


class Schedule(NamedTuple):
    """The number of updates, and the rows per update (a packed row counts as one)."""

    steps: int
    rows: int


def machine(width: int) -> Machine:
    """This machine; bfloat16 counts only if it is computed faster for a model of this hidden size, not if emulated."""
    if torch.cuda.is_available():
        return Machine(True, torch.cuda.is_bf16_supported(including_emulation=False))
    return Machine(
        False, width >= WIDE and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    )


def with_method(settings: FinetuneSettings, here: Machine, fits_full: Callable[[], bool]) -> FinetuneSettings:
    """The settings with method, precision, learning rate, attention and packing."""
    _check_attention(settings.attention, here)
    method: Method = settings.method or ("full" if fits_full() else "lora")
    precision = usual_precision(method, here)
    flash = "flash_attention_2" if is_flash_attn_2_available() else None
    flash = "flash_attention_3" if is_flash_attn_3_available() else flash
    return _filled(
        settings,
        method=method,
        precision=precision,
        learning_rate=2e-5 if method == "full" else 2e-4,
        attention=flash if flash and precision != "float32" else "sdpa",
        packing=here.has_gpu,
    )


def usual_precision(method: Method, here: Machine) -> Precision:
    """The default precision."""
    if not here.has_bf16:
        return "float32"
    return "mixed" if method == "full" else "bfloat16"


def with_length(settings: FinetuneSettings, lengths: Sequence[int], context: int | None) -> FinetuneSettings:
    """The settings with max_length, for rows of `lengths` tokens and a model with a context of `context` tokens.

    UsageError if the user's setting exceeds the context.
    """
    if context and settings.max_length and settings.max_length > context:
        raise UsageError(
            f"max_length = {settings.max_length:,}, but the context of {settings.model} is {context:,} tokens. "
            f"Set max_length (--max-length) to {context} or less."
        )
    longest = 8 * math.ceil(max(lengths) / 8)
    wanted = max(longest, PACKED_LENGTH) if settings.packing else longest
    return _filled(settings, max_length=max(8, min(wanted, MOST_LENGTH, context or wanted)))


def with_memory(settings: FinetuneSettings, here: Machine, most_tokens: Callable[[bool], int]) -> FinetuneSettings:
    """The settings with micro_batch and activation_checkpointing.

    `most_tokens`: how many fit in memory at a time, without and with checkpointing. Packed rows are processed one at a
    time, as the mask that separates their dialogues grows with the square of their total length, unless FlashAttention
    is used, which needs no mask.
    """
    assert settings.max_length
    checkpointing = settings.activation_checkpointing
    if checkpointing is None:  # a GPU needs some tokens to be busy
        checkpointing = most_tokens(False) < max(settings.max_length, PACKED_LENGTH if here.has_gpu else 0)
    most = MOST_ROWS if here.has_gpu else MOST_ROWS_CPU
    if settings.packing and not (settings.attention or "").startswith("flash"):
        most = 1
    micro_batch = settings.micro_batch or max(1, min(most, most_tokens(checkpointing) // settings.max_length))
    return _filled(settings, micro_batch=micro_batch, activation_checkpointing=checkpointing)


def with_batches(
    settings: FinetuneSettings, n_rows: int, lengths: Sequence[int], n_held_out: int, world: int
) -> tuple[FinetuneSettings, Schedule]:
    """The settings with batches and evaluations, and the schedule; `lengths` are the dialogues', in `n_rows` rows.

    A batch is counted in dialogues or tokens, over all `world` processes; if rows are packed, in the number of rows
    that hold that many on average.
    """
    n = len(lengths)
    if not settings.batch_size and not settings.batch_tokens:
        wanted = n * settings.epochs / UPDATES
        settings = _filled(settings, batch_size=min(128, max(8, 2 ** math.floor(math.log2(max(wanted, 1))))))
    if settings.batch_tokens:
        rows = round(settings.batch_tokens * n_rows / sum(lengths))
    else:
        assert settings.batch_size
        rows = round(settings.batch_size * n_rows / n)
    rows = world * math.ceil(min(max(rows, 1), n_rows) / world)
    steps = settings.max_steps or math.ceil(settings.epochs * math.ceil(n_rows / rows))
    if settings.keep in ("eval_loss", "generation") and not n_held_out:
        raise UsageError(
            f'keep = "{settings.keep}" needs held-out rows, but there are too few rows to hold any out. Set '
            'eval_share, such as 0.2, or keep = "last".'
        )
    keep = "eval_loss" if n_held_out else "last"
    eval_every = settings.eval_every or max(1, math.ceil(steps / EVALUATIONS))
    filled = _filled(settings, keep=keep, eval_every=eval_every, save_every=eval_every)
    return parse_settings(filled.model_dump(mode="json")), Schedule(steps, rows)


def _check_attention(attention: str | None, here: Machine) -> None:
    """UsageError if this machine has no such `attention`."""
    is_there = {
        "flash_attention_2": is_flash_attn_2_available(),
        "flash_attention_3": is_flash_attn_3_available(),
        "flex_attention": here.has_gpu,
    }
    if not is_there.get(attention or "", True):
        needed = "a GPU" if attention == "flex_attention" else "a GPU and the package of that name installed"
        raise UsageError(f'attention = "{attention}" needs {needed}. Leave it out, or write "sdpa".')


def _filled(settings: FinetuneSettings, **defaults: Any) -> FinetuneSettings:
    left_out = {name: value for name, value in defaults.items() if getattr(settings, name) is None}
    return settings.model_copy(update=left_out)
