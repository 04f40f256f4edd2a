"""TRL's SFTTrainer with our settings, less padding, and two figures that it does not report.

Dialogues are passed as ids and labels, so TRL neither renders nor masks anything. Its pitfalls, and what we do instead:

- Its evaluation loss is the mean of the batches' means, so it changes with the batch size. Here every trained token
  counts the same, as in training.
- It chooses checkpoints by loss, which can rise while answers still get better (InstructGPT, section 3.5). Here they
  can also be chosen by their answers (greedy, ROUGE-L).
- It cuts the rows of an update into micro-batches as they come, whatever their lengths. Here the update's rows are
  sorted first, which changes neither its rows nor its loss, only the padding.
- It silently cuts or drops rows longer than `max_length`. Here they raise an error, as lengths were handled before.
- It reports what is trained to a server of its developers. Here it does not.

Not covered: models with pictures, a setting for the load-balancing loss of mixtures of experts.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import DataLoader, Sampler
from transformers import PreTrainedTokenizerBase, TrainerCallback
from transformers.trainer_utils import EvalLoopOutput
from trl.data_utils import pack_dataset
from trl.trainer import utils as trl_utils
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from finetune.examples import Example
from finetune.training.defaults import Schedule
from finetune.training.preparing import processes
from finetune.training.settings import FinetuneSettings

Judge = Callable[[Any], dict[str, float]]  # a model's answers to held-out prompts -> {"rouge_l": 0.4, ...}

# TRL (1.16) skips the probabilities of untrained tokens only with Triton, as some accelerators recompile for each
# shape. A CPU does not, and most tokens are prompts: skipping them saves a third (a tiny model) to nearly all (a large
# vocabulary) of the time of a step. A TRL without that switch is only slower.
_trl: dict[str, Any] = vars(trl_utils)
if on_triton := _trl.get("_use_triton"):
    _trl["_use_triton"] = lambda device: device.type == "cpu" or on_triton(device)


class SortedUpdates(Sampler[int]):
    """The rows in the order of `sampler`, except that each `n` of them, those of one update, come longest first."""

    def __init__(self, sampler: Any, lengths: Sequence[int], n: int):
        self._sampler, self._lengths, self._n = sampler, lengths, n
        self.set_epoch = sampler.set_epoch

    def __iter__(self) -> Iterator[int]:
        rows = iter(self._sampler)
        while update := list(islice(rows, self._n)):
            yield from sorted(update, key=self._lengths.__getitem__, reverse=True)

    def __len__(self) -> int:
        return len(self._sampler)


class Trainer(SFTTrainer):
    """`train` (on prepared rows) and `evaluate`, which calls `judge` with the model."""

    def __init__(self, *, judge: Judge | None, **named: Any):
        super().__init__(**named)
        self._judge = judge
        self._sums: list[
            tuple[float, int]
        ] = []  # of an evaluation's batches: the summed loss, and its number of tokens

    def get_train_dataloader(self) -> DataLoader[Any]:
        """The batches of an epoch; packed rows have no padding that sorting could save."""
        loader: Any = super().get_train_dataloader()
        args: Any = self.args
        rows: Any = self.train_dataset
        if not args.packing:
            # Only now, as accelerate replaces a random sampler by its own, whose epochs it counts.
            lengths = [len(ids) for ids in rows["input_ids"]]
            n = self.get_total_train_batch_size(args)
            loader.set_sampler(SortedUpdates(loader.get_sampler(), lengths, n))
        return loader  # type: ignore[no-any-return]

    def _run_epoch(self, *rest: Any, **named: Any) -> None:
        """An epoch, unless no update is left: resumed from the last checkpoint, transformers would make one more."""
        if self.state.global_step < self.state.max_steps:
            super()._run_epoch(*rest, **named)  # type: ignore[no-untyped-call]

    def prediction_step(self, model: Any, inputs: dict[str, Any], *rest: Any, **named: Any) -> Any:
        """The loss of a batch, which is also summed over tokens."""
        loss, logits, labels = super().prediction_step(model, inputs, *rest, **named)
        if n := int((inputs["labels"][..., 1:] != -100).sum()):
            self._sums.append((float(loss) * n, n))
        return loss, logits, labels

    def evaluation_loop(self, *rest: Any, **named: Any) -> EvalLoopOutput:
        """The figures of an evaluation: the loss over all trained tokens, and those of `judge`."""
        self._sums = []
        output = super().evaluation_loop(*rest, **named)
        assert output.metrics is not None
        metric_key_prefix = named.get("metric_key_prefix", "eval")
        loss, n = math.fsum(loss for loss, _ in self._sums), sum(n for _, n in self._sums)
        both = self.accelerator.reduce(torch.tensor([loss, n], device=self.accelerator.device))
        output.metrics[f"{metric_key_prefix}_loss"] = float(both[0] / both[1])
        if self._judge:
            with self.accelerator.autocast():
                found = self._judge(self.accelerator.unwrap_model(self.model))
            output.metrics.update({f"{metric_key_prefix}_{name}": value for name, value in found.items()})
        return output

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write no README with each checkpoint: it would be a draft for publishing one, and is a third of its time."""

    def _send_telemetry(self) -> None:
        """Send no telemetry."""


def make_trainer(  # noqa: PLR0917 - each is named at its only call
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    train: Dataset,
    held_out: Sequence[Example],
    settings: FinetuneSettings,
    folder: Path,
    schedule: Schedule,
    *,
    peft_config: Any = None,
    judge: Judge | None = None,
    callbacks: Sequence[TrainerCallback] = (),
) -> Trainer:
    """A trainer over `train` (see `rows_of`), which saves in `folder`; `settings` must be complete."""
    args = sft_config(settings, folder, schedule, evaluate=bool(held_out))
    return Trainer(
        model=model, args=args, processing_class=tokenizer, train_dataset=train, peft_config=peft_config,
        eval_dataset=_dataset(_even(held_out, args)) if held_out else None, callbacks=list(callbacks), judge=judge,
    )  # fmt: skip


def sft_config(settings: FinetuneSettings, folder: Path, schedule: Schedule, *, evaluate: bool) -> SFTConfig:
    """TRL's settings. The micro batch is the largest that divides a process's share of an update."""
    steps = schedule.steps
    has_gpu = torch.cuda.is_available()
    keeps_best = settings.keep in ("eval_loss", "generation")
    eval_every = settings.eval_every or steps
    share = schedule.rows // processes()
    micro = max(n for n in range(1, share + 1) if share % n == 0 and n <= (settings.micro_batch or 1))
    return SFTConfig(
        output_dir=str(folder),
        # By default SFTConfig requires bfloat16 and a GPU, and raises if there is none.
        use_cpu=not has_gpu and not torch.backends.mps.is_available(),
        bf16=settings.precision != "float32",
        max_steps=steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=share // micro,
        per_device_eval_batch_size=micro,
        prediction_loss_only=True,  # the logits of a whole evaluation fit into no memory
        # Rows are final, and already packed if they are to be (see rows_of). Packing tells TRL that a batch is one row
        # without padding, in which position ids separate the dialogues.
        dataset_kwargs={"skip_prepare_dataset": True},
        packing=bool(settings.packing),
        packing_strategy="bfd",
        activation_checkpointing=bool(settings.activation_checkpointing),
        learning_rate=settings.learning_rate or 0.0,
        lr_scheduler_type=settings.schedule,
        warmup_steps=math.floor(settings.warmup * steps),  # the first update of a warm-up has the rate 0
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip,
        seed=settings.seed,
        data_seed=settings.seed,
        torch_compile=settings.compile,
        eval_strategy="steps" if evaluate else "no",
        eval_steps=eval_every,
        save_strategy="steps",
        save_steps=settings.save_every or eval_every,
        save_total_limit=2,  # the best and the latest
        load_best_model_at_end=keeps_best,
        metric_for_best_model={"eval_loss": "eval_loss", "generation": "eval_rouge_l"}.get(settings.keep or ""),
        greater_is_better=settings.keep == "generation" if keeps_best else None,
        logging_steps=1,
        logging_nan_inf_filter=False,  # it would replace them by the mean of the others
        include_num_input_tokens_seen="all" if settings.packing else "non_padding",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=has_gpu,
        ddp_find_unused_parameters=False,
    )


def rows_of(examples: Sequence[Example], settings: FinetuneSettings) -> Dataset:
    """The trainer's rows: one example each or, packed, several in a row of at most `max_length` tokens.

    Columns `input_ids`, `labels` and, if packed, `seq_lengths`: the lengths of a row's dialogues. No token is lost:
    ValueError if an example is longer than `max_length`.
    """
    assert settings.max_length
    if (longest := max(len(example.ids) for example in examples)) > settings.max_length:
        raise ValueError(f"a row of {longest} tokens is longer than max_length = {settings.max_length}")
    if not settings.packing:
        return _dataset(examples)
    # Best-fit decreasing, a thousand dialogues at a time; shuffled before, so that no row has neighbours from the file.
    return pack_dataset(_dataset(examples).shuffle(seed=settings.seed), settings.max_length, "bfd")


def _even(examples: Sequence[Example], args: SFTConfig) -> list[Example]:
    """`examples`, padded with untrained ones so that each process has the same number, and no row counts twice."""
    missing = -len(examples) % (processes() * args.per_device_eval_batch_size) if processes() > 1 else 0
    return [*examples, *[Example(examples[0].ids[:2], [-100, -100])] * missing]


def _dataset(examples: Sequence[Example]) -> Dataset:
    return Dataset.from_dict({
        "input_ids": [example.ids for example in examples],
        "labels": [example.labels for example in examples],
    })  # fmt: skip
