"""What sorting the rows of an update by length saves: tokens with padding, and time, against rows as they come.

    OMP_NUM_THREADS=1 python benchmarks/finetune_padding.py                # about five minutes
    OMP_NUM_THREADS=1 python benchmarks/finetune_padding.py --rounds 9 --hidden 512

Rows have the lengths of finetune_speed.py's dialogues (log-normal, a long tail); half of a row is trained. Both ways
train the same LLaMA of random weights on the same rows, in turns. The time is that of the CPU, as the machine may be
busy: of each pair of trainings the ratio is taken, and of the ratios the median.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import disable_progress_bars
from finetune_speed import dialogues, tokenizer_of
from transformers import AutoModelForCausalLM, LlamaConfig, PrinterCallback
from transformers.utils import logging
from trl import SFTTrainer

from finetune.examples import Example
from finetune.training.defaults import Schedule
from finetune.training.settings import FinetuneSettings
from finetune.training.trainer import Trainer, make_trainer, rows_of

VOCABULARY, LENGTH = 4096, 1024  # lengths of 32 to 512 tokens, most around 165
UPDATES, MICRO = (16, 32), 8


def main() -> None:
    """Print a line for each number of rows per update."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--rows", type=int, default=64, help="rows trained in each round")
    asked = parser.parse_args()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    disable_progress_bars()
    config = LlamaConfig(
        hidden_size=asked.hidden, intermediate_size=3 * asked.hidden, num_hidden_layers=4, num_attention_heads=4,
        vocab_size=VOCABULARY, max_position_embeddings=LENGTH,
    )  # fmt: skip
    rows = [half_trained(row) for row in dialogues(VOCABULARY, LENGTH, 4000)]
    print(f"Micro-batches of {MICRO} rows, hidden size {asked.hidden}, medians of {asked.rounds} pairs\n")
    print(f"{'rows per update':>15} {'padding, as they come':>22} {'sorted':>8} {'tokens':>8} {'time':>8}  time, pairs")
    for n in UPDATES:
        plain, ours = (padded(config, rows, n, is_sorted) for is_sorted in (False, True))
        used = sum(len(row.ids) for row in rows)
        pairs = []
        for _ in range(asked.rounds):
            times = [seconds(config, rows, n, asked.rows // n, is_sorted) for is_sorted in (False, True)]
            pairs.append(times[0] / times[1])
        print(
            f"{n:>15} {plain / used - 1:>22.0%} {ours / used - 1:>8.0%} {plain / ours:>8.2f} "
            f"{statistics.median(pairs):>8.2f}  {' '.join(f'{ratio:.2f}' for ratio in sorted(pairs))}",
            flush=True,
        )


def half_trained(row: Example) -> Example:
    """The row, without a loss for its first half."""
    half = len(row.ids) // 2
    return Example(row.ids, [-100] * half + row.labels[half:])


def padded(config: LlamaConfig, rows: list[Example], n: int, is_sorted: bool) -> int:
    """Tokens of an epoch, padding included."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(config, rows, Schedule(1, n), Path(folder), is_sorted=is_sorted)
        return sum(batch["input_ids"].numel() for batch in trainer.get_train_dataloader())


def seconds(config: LlamaConfig, rows: list[Example], n: int, steps: int, is_sorted: bool) -> float:
    """CPU time of `steps` updates."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(config, rows, Schedule(steps, n), Path(folder), is_sorted=is_sorted)
        trainer.remove_callback(PrinterCallback)
        began = time.process_time()
        trainer.train()
        return time.process_time() - began


def trainer_of(
    config: LlamaConfig, rows: list[Example], schedule: Schedule, folder: Path, *, is_sorted: bool
) -> Trainer:
    """Our trainer, with or without sorting."""
    settings = FinetuneSettings.model_validate({
        "model": "m", "method": "full", "precision": "float32", "learning_rate": 1e-4, "max_length": LENGTH,
        "packing": False, "micro_batch": MICRO, "attention": "sdpa", "activation_checkpointing": False, "keep": "last",
        "eval_every": 10**6, "save_every": 10**6,
    })  # fmt: skip
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    tokenizer = tokenizer_of(VOCABULARY)
    trainer: Any = make_trainer(model, tokenizer, rows_of(rows, settings), [], settings, folder, schedule)
    trainer.args.save_strategy = "no"
    if not is_sorted:
        trainer.get_train_dataloader = lambda: SFTTrainer.get_train_dataloader(trainer)
    return trainer


if __name__ == "__main__":
    main()
