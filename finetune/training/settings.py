"""The settings of a training: one model, read from TOML, with the meaning and unit of every field.

    model = "Qwen/Qwen2.5-1.5B"
    data = [{ path = "outputs/first" }, { path = "alpaca.json", weight = 0.5 }]
    method = "lora"
    [lora]
    rank = 32

Settings that are left out get defaults for the model and the data (finetune.training.defaults). DIR/finetune.toml has
all of them, so `selfinstruct finetune --config DIR/finetune.toml --out OTHER` trains the same student again. The file
overrides a preset, and command-line options override both.

The presets' figures are the published ones, and finetune/training/presets gives the source of each:
Alpaca: Taori et al. 2023. Koala: Geng et al. 2023.
"""

from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import Field, model_validator

from selfinstruct.errors import UsageError
from selfinstruct.rows.toml import read_toml
from selfinstruct.settings import Section, merge, parse_as

PRESETS = Path(__file__).parent / "presets"

Method = Literal["full", "lora", "qlora"]
Precision = Literal["float32", "mixed", "bfloat16"]
Template = Literal["model", "chatml", "alpaca", "paper"]
Overlong = Literal["drop", "truncate", "error"]
Reasoning = Literal["train", "mask", "drop"]
Keep = Literal["eval_loss", "generation", "last"]

# How a training is executed. These do not change the student (beyond rounding), and may differ when it is resumed,
# perhaps on another machine.
RUNNING = {"micro_batch", "activation_checkpointing", "attention", "compile", "save_every", "generation_rows"}


class Source(Section):
    """One source of training data."""

    path: str = Field(min_length=1, description="run folder, file, or name on the hub")
    weight: float = Field(1.0, gt=0, le=100, description="how often its rows are used in each epoch; 0.5: half of them")


class LoraSettings(Section):
    """Low-rank adapters (Hu et al. 2021), for the methods lora and qlora."""

    rank: int = Field(16, ge=1, le=1024, description="rank of the trained matrices")
    alpha: int = Field(32, gt=0, description="the update is scaled by alpha / rank")
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout probability of an adapter's inputs")
    targets: tuple[str, ...] = Field((), description="names of the layers with an adapter; empty: all linear layers")


class FinetuneSettings(Section):
    """All settings of a training."""

    model: str = Field("", description="model to start from: a folder, a GGUF file, or a name on the hub")
    data: tuple[Source, ...] = Field((), description="training data, mixed by weight")
    seeds: bool = Field(False, description="also train on the seed tasks of the runs among the data")
    template: Template | None = Field(
        None,
        description="dialogue format: model, chatml, alpaca, paper; default: the model's own, or chatml if it has none",
    )
    eval_share: float | None = Field(
        None,
        ge=0,
        description=(
            "share of rows to hold out, in whole tasks; if 1 or more, about that number of rows; default: 0.05, at "
            "most 500 rows, and none if there are fewer than 20 rows or the tasks are too few or too large"
        ),
    )
    max_length: int | None = Field(None, ge=8, description="maximum tokens per row; default: as long as the data needs")
    overlong: Overlong = Field("drop", description="what to do with longer rows: drop, truncate or error")
    reasoning: Reasoning = Field(
        "train",
        description="reasoning before an answer: train on it, mask it (in the context, but not trained on) or drop it",
    )
    packing: bool | None = Field(
        None, description="pack several dialogues into a row, without attention between them; default: on a GPU"
    )
    method: Method | None = Field(
        None,
        description='"full": all weights; "lora", "qlora": adapters; default: full if it fits in memory, else lora',
    )
    lora: LoraSettings = LoraSettings()
    precision: Precision | None = Field(
        None,
        description=(
            '"mixed": float32 weights, bfloat16 computation; default: on a GPU with bfloat16, or a processor with it '
            "and a model of hidden size 512 or more, mixed for full and bfloat16 for adapters; float32 elsewhere"
        ),
    )
    epochs: float = Field(3.0, gt=0, description="number of passes over the data")
    max_steps: int | None = Field(None, ge=1, description="number of updates to train for, instead of epochs")
    batch_size: int | None = Field(
        None,
        ge=1,
        description="dialogues per update, over all GPUs; default: chosen to give about 300 updates, from 8 to 128",
    )
    batch_tokens: int | None = Field(None, ge=1, description="tokens per update (on average), instead of batch_size")
    micro_batch: int | None = Field(
        None, ge=1, description="maximum rows processed at a time per GPU; default: as many as fit in memory"
    )
    learning_rate: float | None = Field(
        None,
        gt=0,
        description="peak learning rate; default: 2e-5 for full (like Alpaca), 2e-4 for adapters (like QLoRA)",
    )
    schedule: Literal["cosine", "linear", "constant"] = Field("cosine", description="learning rate schedule")
    warmup: float = Field(0.03, ge=0, lt=1, description="share of updates over which the learning rate rises")
    weight_decay: float = Field(0.0, ge=0, description="weight decay of AdamW")
    clip: float = Field(1.0, gt=0, description="maximum gradient norm")
    seed: int = Field(0, ge=0, lt=2**32, description="random seed")
    eval_every: int | None = Field(
        None, ge=1, description="updates between evaluations; default: a tenth of all updates"
    )
    save_every: int | None = Field(None, ge=1, description="updates between checkpoints; default: one per evaluation")
    keep: Keep | None = Field(
        None,
        description=(
            'checkpoint to keep: lowest "eval_loss" (default if rows are held out), best "generation" (ROUGE-L '
            'of greedy answers), or "last"'
        ),
    )
    generation_rows: int = Field(32, ge=1, description='number of held-out rows answered for keep = "generation"')
    activation_checkpointing: bool | None = Field(
        None, description="recompute activations to save memory; default: if memory is short"
    )
    attention: Literal["sdpa", "eager", "flash_attention_2", "flash_attention_3", "flex_attention"] | None = Field(
        None, description="attention implementation; default: FlashAttention if it is installed, else sdpa"
    )
    compile: bool = Field(
        False, description="compile the model first; takes minutes, which pays off in long training runs on a GPU"
    )

    @model_validator(mode="after")
    def _one_batch(self) -> Self:
        if self.batch_size and self.batch_tokens:
            raise ValueError("batch_size and batch_tokens are mutually exclusive: set only one")
        return self

    @model_validator(mode="after")
    def _kept_is_saved(self) -> Self:
        if self.keep in ("eval_loss", "generation"):
            if self.eval_share == 0:
                raise ValueError(f'keep = "{self.keep}" needs held-out rows: set eval_share above 0')
            if self.eval_every and self.save_every and self.eval_every != self.save_every:
                raise ValueError(
                    f'keep = "{self.keep}" chooses among saved checkpoints, so eval_every and save_every must be '
                    'equal; or set keep = "last"'
                )
        return self


def presets() -> list[str]:
    """The names of the built-in presets."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def named_settings(config: Path | None, preset: str | None, flags: dict[str, Any]) -> dict[str, Any]:
    """The user's settings: the preset, overridden by the file, and that by `flags`. UsageError for an unknown key."""
    named: dict[str, Any] = {}
    if preset is not None:
        if preset not in presets():
            raise UsageError(f"--preset {preset}: unknown. Choose one of: {', '.join(presets())}.")
        named = read_toml(PRESETS / f"{preset}.toml")
    if config:
        named = merge(named, read_toml(config))
    named = merge(named, flags)
    parse_as(FinetuneSettings, named, _source(config))
    return named


def parse_settings(values: dict[str, Any], config: Path | None = None) -> FinetuneSettings:
    """Check `values`; UsageError names the key, what is wrong, and the nearest known one."""
    return parse_as(FinetuneSettings, values, _source(config))


def to_toml(settings: FinetuneSettings) -> str:
    """The settings as TOML, without those that are None, which TOML cannot express."""
    return tomli_w.dumps(settings.model_dump(mode="json", exclude_none=True))


def _source(config: Path | None) -> str:
    return str(config) if config else ""
