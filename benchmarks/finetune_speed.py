"""How fast a LLaMA of random weights is trained on packed rows: ours, TRL's defaults, and one thing changed at a time.

    python benchmarks/finetune_speed.py --shape 1b      # and 8b: on a GPU
    python benchmarks/finetune_speed.py                 # without a GPU: tiny, under a minute, to see that it works

Dialogues are 64 to 1,024 tokens long, log-normal around 330, and all of their tokens are trained, so that the head's
work counts in full. Tokens per second count no padding, over the updates after the first ones. MFU is

    tokens/s x FLOPs a token / peak FLOP/s,   FLOPs a token = 6 (P - E) + 6 L H S

with P parameters, E of them input embeddings, L layers, hidden size H, and S the mean number of tokens in the dialogue
of a token (half of them before it, forwards 4 H of a token's attention scores and sums, backwards twice that). What
activations are computed twice for is not counted. The peak is the GPU's for dense bfloat16, see PEAKS, or
--peak-tflops. Memory is the most that torch held (max_memory_allocated).
"""

import argparse
import importlib.util
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import disable_progress_bars
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, PrinterCallback, TrainerCallback
from transformers.utils import logging
from trl import SFTConfig, SFTTrainer

from finetune.examples import Example
from finetune.training.defaults import Schedule, machine, with_method
from finetune.training.settings import FinetuneSettings
from finetune.training.trainer import make_trainer, rows_of

PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "4090": 165e12}  # dense bfloat16, data sheets
SHAPES = {
    "tiny": {"hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2, "num_attention_heads": 4},
    "1b": {  # Llama 3.2 1B, its head untied
        "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
    "8b": {  # Llama 3.1 8B
        "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
}  # fmt: skip
WARM_UP = 3  # updates that do not count: kernels are chosen and compiled


class Speed(NamedTuple):
    """Tokens per second, the share of the peak (0 where it is unknown), and GiB."""

    tokens_s: float
    mfu: float
    memory: float


class Clock(TrainerCallback):
    """When WARM_UP updates were done, when all were, and how many tokens each had seen by then."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, int]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look at the clock once the GPU has done it all."""
        if state.global_step in (WARM_UP, state.max_steps):
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.marks.append((time.perf_counter(), state.num_input_tokens_seen))

    def tokens_s(self) -> float:
        """Tokens per second between the marks."""
        (began, before), (ended, after) = self.marks
        return (after - before) / (ended - began)


def main() -> None:
    """Measure every configuration, and print a table."""
    has_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="1b" if has_gpu else "tiny")
    parser.add_argument("--steps", type=int, default=20 if has_gpu else 6, help="updates that count")
    parser.add_argument("--peak-tflops", type=float)
    asked = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    disable_progress_bars()
    vocabulary, length = (128_256, 2048) if asked.shape != "tiny" else (1024, 256)
    config = LlamaConfig(**SHAPES[asked.shape], vocab_size=vocabulary, max_position_embeddings=length)
    examples = list(dialogues(vocabulary, length, 4000 if has_gpu else 400))
    peak = peak_flops(asked.peak_tflops)
    name = torch.cuda.get_device_name() if has_gpu else "CPU (for figures, run this on a GPU: --shape 1b, then 8b)"
    print(f"LLaMA of shape {asked.shape}, rows of {length:,} tokens, {asked.steps} updates, {name}\n", flush=True)
    print(f"{'':48} {'tokens/s':>10} {'MFU':>6} {'GiB':>7}", flush=True)
    fastest = ("", 0.0)
    for title, start in configurations(length, asked.shape):
        speed = None
        with suppress(torch.OutOfMemoryError):
            speed = measure(start, config, examples, WARM_UP + asked.steps, peak)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if speed is None:
            print(f"{title:48} {'out of memory':>10}", flush=True)
            continue
        mfu = f"{speed.mfu:.1%}" if peak else "-"
        print(f"{title:48} {speed.tokens_s:>10,.0f} {mfu:>6} {speed.memory:>7.1f}", flush=True)
        fastest = max(fastest, (title.strip(), speed.tokens_s), key=lambda pair: pair[1])
    print(f"\nFastest: {fastest[0]}")


Start = Callable[[Any, Any, list[Example], int, Path], Any]  # model, tokenizer, data, updates, folder -> a trainer


def configurations(length: int, shape: str) -> Iterator[tuple[str, Start]]:
    """A title, and how to make the trainer."""
    here = machine(int(SHAPES[shape]["hidden_size"]))
    # Weights of 8B in float32, with Adam's moments, would fill a GPU of 139 GiB before the first activation.
    named = {
        "model": shape,
        "method": "full",
        "max_length": length,
        "micro_batch": 1,
        "activation_checkpointing": False,
    }
    named |= {"packing": True, "keep": "last"} | ({"precision": "bfloat16"} if shape == "8b" and here.has_gpu else {})
    ours = with_method(FinetuneSettings.model_validate(named), here, lambda: True)
    for batch in (8, 2):
        yield f"TRL's defaults, {batch} padded rows at once", trl(length, batch)
    yield f"ours: {ours.precision}, {ours.attention}, 1 packed row", by_settings(ours)
    changes: list[dict[str, Any]] = [{"micro_batch": 4}, {"activation_checkpointing": True}]
    changes += [{"activation_checkpointing": True, "micro_batch": 4}]
    if here.has_gpu:
        changes += [{"attention": "flex_attention"}, {"compile": True}, {"compile": True, "micro_batch": 4}]
        changes += [{"precision": "bfloat16"}, {"precision": "bfloat16", "compile": True, "micro_batch": 4}]
    for change in changes:
        said = ", ".join(f"{key} = {value}" for key, value in change.items())
        yield f"  {said}", by_settings(ours.model_copy(update=change))
    if here.has_gpu and importlib.util.find_spec("liger_kernel"):  # last, as it patches the model's classes
        yield "  Liger's kernels", by_settings(ours, liger=True)


def by_settings(settings: FinetuneSettings, liger: bool = False) -> Start:
    """Our trainer."""

    def start(model: Any, tokenizer: Any, examples: list[Example], steps: int, folder: Path) -> Any:
        if liger:
            from liger_kernel.transformers import apply_liger_kernel_to_llama

            apply_liger_kernel_to_llama(fused_linear_cross_entropy=False, cross_entropy=False, model=model)
        model.set_attn_implementation(settings.attention)
        if settings.precision != "bfloat16":
            model.float()
        micro = settings.micro_batch or 1
        filled = settings.model_copy(update={"save_every": 10**6, "eval_every": 10**6})
        schedule = Schedule(steps, max(8 // micro, 1) * micro)
        trainer = make_trainer(model, tokenizer, rows_of(examples, filled), [], filled, folder, schedule)
        trainer.args.save_strategy = "no"  # nobody wants it, and one of 8B takes minutes to write
        return trainer

    return start


def trl(length: int, batch: int) -> Start:
    """TRL's trainer as it comes; what differs says only what to measure, and how to do without a GPU."""

    def start(model: Any, tokenizer: Any, examples: list[Example], steps: int, folder: Path) -> Any:
        rows = rows_of(examples, FinetuneSettings(packing=False, max_length=length))
        has_gpu = torch.cuda.is_available()
        args = SFTConfig(
            output_dir=str(folder), max_length=length, per_device_train_batch_size=batch, max_steps=steps,
            include_num_input_tokens_seen="non_padding", save_strategy="no", report_to="none", disable_tqdm=True,
            use_cpu=not has_gpu, bf16=has_gpu, dataloader_pin_memory=has_gpu, activation_checkpointing=True,
        )  # fmt: skip
        return SFTTrainer(model=model.float(), args=args, train_dataset=rows, processing_class=tokenizer)

    return start


def measure(start: Start, config: LlamaConfig, examples: list[Example], steps: int, peak: float) -> Speed:
    """Train a model of random weights for so many updates."""
    has_gpu = torch.cuda.is_available()
    torch.manual_seed(0)
    with torch.device("cuda" if has_gpu else "cpu"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    n = sum(weight.numel() for weight in model.parameters()) - model.get_input_embeddings().weight.numel()
    lengths = [len(example.ids) for example in examples]
    seen = sum(length**2 for length in lengths) / sum(lengths)  # of the dialogue that a token is in
    flops = 6 * n + 6 * config.num_hidden_layers * config.hidden_size * seen
    if has_gpu:
        torch.cuda.reset_peak_memory_stats()
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = start(model, tokenizer_of(config.vocab_size), examples, steps, Path(folder))
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(clock)
        trainer.train()
    memory = torch.cuda.max_memory_allocated() / 2**30 if has_gpu else 0.0
    return Speed(clock.tokens_s(), clock.tokens_s() * flops / peak if peak else 0.0, memory)


def dialogues(vocabulary: int, longest: int, n: int) -> Iterator[Example]:
    """Dialogues of random tokens; their lengths have a long tail, as chats' do."""
    rng = random.Random(0)
    for _ in range(n):
        length = min(max(int(rng.lognormvariate(5.8, 0.7) * longest / 2048), longest // 32), longest // 2)
        ids = [rng.randrange(3, vocabulary) for _ in range(length)]
        yield Example(ids, ids)


def tokenizer_of(vocabulary: int) -> PreTrainedTokenizerFast:
    """The least that a trainer needs to know of one."""
    words = Tokenizer(models.WordLevel({"<pad>": 0, "<s>": 1, "</s>": 2}, unk_token="<pad>"))
    return PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", model_max_length=vocabulary
    )


def peak_flops(tflops: float | None) -> float:
    """The GPU's FLOP/s in dense bfloat16; 0 where they are not known."""
    if tflops:
        return tflops * 1e12
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    return next((flops for known, flops in PEAKS.items() if known in name), 0.0)


if __name__ == "__main__":
    main()
