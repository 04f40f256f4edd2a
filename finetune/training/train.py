"""Train a model: from settings and data to a student's folder.

    >>> settings = FinetuneSettings(model="Qwen/Qwen2.5-0.5B", data=[{"path": "outputs/first"}])
    >>> train(settings, Path("outputs/student")).stopped
    Stopped(answers=8, of=8)

The steps: settings, or those of the training to resume (checkpoints) -> dialogues, split by task, as ids and labels,
and the preflight report (preparing) -> model (weights) -> updates (trainer) -> the student, which answers a few
held-out questions to check that it stops. Called again, it resumes from the latest checkpoint: the order of rows, the
optimiser and the random numbers are as if it had never stopped.

Under `accelerate launch` each process does all this; the first one prints and writes. A batch is counted over all
processes, so their number does not change the result.

Not covered: training from scratch (a folder without weights), losses other than the likelihood of the answers.
"""

import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from datasets import Dataset, disable_progress_bars
from peft import PeftModel
from rapidfuzz.distance import Indel
from safetensors import SafetensorError
from transformers import PrinterCallback, set_seed

from finetune.data.dialogues import write_dialogues
from finetune.examples import Dialogue
from finetune.inference.student import Answer, Student
from finetune.inference.teacher import end_tokens
from finetune.quiet import quieten
from finetune.training import checkpoints
from finetune.training.defaults import Schedule, with_batches
from finetune.training.preparing import Prepared, is_sharded, prepare, processes, this_process
from finetune.training.progress import Progress, read_metrics
from finetune.training.settings import FinetuneSettings
from finetune.training.trainer import Judge, make_trainer, rows_of
from finetune.training.weights import load_to_train, lora_config, save
from selfinstruct.errors import UsageError
from selfinstruct.pool.novelty import tokens
from selfinstruct.rows.writing import whole_file
from selfinstruct.terminal import n_of
from selfinstruct.untrusted import say

STOP_PROMPTS = 8  # held-out questions that the student answers after the training
UNREADABLE = (SafetensorError, RuntimeError, ValueError, TypeError, KeyError, EOFError, OSError, UnpicklingError)


class Stopped(NamedTuple):
    """How many `answers`, out of `of`, ended on their own."""

    answers: int
    of: int


class Trained(NamedTuple):
    """A training that ended: its folder, updates, and latest losses (None if there are none)."""

    folder: Path
    steps: int
    loss: float | None
    eval_loss: float | None
    stopped: Stopped


def train(settings: FinetuneSettings, folder: Path, *, dry_run: bool = False) -> Trained | None:
    """Train as `settings` say, and leave the student in `folder`; None after Ctrl-C, and after a dry run.

    UsageError if settings, data or memory do not allow it.
    """
    settings = checkpoints.taken_up(settings, folder)
    if checkpoints.is_finished(folder) and not dry_run:
        say(f"{folder} is already trained. Choose another --out to train from the start.")
        return _result(folder)
    if torch.cuda.device_count() > 1 and processes() == 1:
        raise UsageError(
            f"There are {torch.cuda.device_count()} GPUs. To train on all of them, add --launch ddp (each holds the "
            "model) or --launch fsdp (they share it); to train on one, set CUDA_VISIBLE_DEVICES=0."
        )
    if is_sharded() and settings.keep == "generation":
        raise UsageError('keep = "generation" needs the whole model on each GPU: use --launch ddp, or "eval_loss".')
    quieten()
    disable_progress_bars()
    prepared = prepare(settings)
    rows = rows_of(prepared.train.examples, prepared.settings)
    lengths = [len(example.ids) for example in prepared.train.examples]
    settings, schedule = with_batches(
        prepared.settings, len(rows), lengths, len(prepared.held_out.examples), processes()
    )
    prepared = prepared._replace(settings=settings)
    is_first = this_process().is_main_process
    if is_first:
        _say_what_comes(prepared, schedule)
    if dry_run:
        return None
    with checkpoints.locked(folder) if is_first else nullcontext():
        if is_first:
            checkpoints.check_data(prepared.train.examples, folder)
            _say_where_it_resumes(checkpoints.drop_damaged(folder), checkpoints.latest(folder))
            checkpoints.write_settings(settings, folder)
            with whole_file(folder / "preflight.json", "--out") as part:
                part.write_text(json.dumps(prepared.report.as_dict(), ensure_ascii=False), encoding="utf-8")
            write_dialogues(prepared.held_out.dialogues, folder / "held_out.jsonl")
        this_process().wait_for_everyone()
        try:
            return _train(prepared, rows, schedule, folder)
        except (RuntimeError, OSError, SafetensorError) as error:
            if isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error):
                raise UsageError(_out_of_memory(prepared)) from None
            if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
                raise
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UsageError(
                f"{folder} cannot be written ({reason}). Free some space, then run the same command to resume."
            ) from None


def _train(prepared: Prepared, rows: Dataset, schedule: Schedule, folder: Path) -> Trained | None:
    settings, tokenizer = prepared.settings, prepared.tokenizer
    set_seed(settings.seed)  # for the initial weights of adapters
    model = load_to_train(settings, tokenizer, prepared.n_known)
    progress = Progress(folder)
    judge = _judge(prepared) if settings.keep == "generation" else None
    try:
        trainer = make_trainer(
            model, tokenizer, rows, prepared.held_out.examples, settings, folder / "checkpoints", schedule,
            peft_config=lora_config(settings, model, tokenizer, prepared.n_known), judge=judge, callbacks=[progress],
        )  # fmt: skip
    except ValueError as error:
        if settings.method == "full" or not settings.lora.targets:
            raise
        raise UsageError(f"lora.targets = {list(settings.lora.targets)}: {error}") from None
    trainer.remove_callback(PrinterCallback)  # it would print a dictionary per update
    begun = checkpoints.latest(folder)
    try:
        trainer.train(resume_from_checkpoint=str(begun) if begun else None)
    except UNREADABLE as error:
        if not begun or progress.began:
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"{begun} cannot be read ({reason}). Delete it, then run the same command to resume."
        ) from None
    finally:
        progress.close()
    if progress.interrupted and trainer.state.global_step < schedule.steps:
        return None
    save(trainer, tokenizer, folder)
    # A model that is sharded over GPUs can answer only when it is loaded as a whole: selfinstruct evaluate.
    stopped = Stopped(0, 0) if is_sharded() else _stop_test(trainer.accelerator.unwrap_model(trainer.model), prepared)
    if trainer.is_world_process_zero():
        _say_whether_it_stops(stopped)
        progress.write(trainer.state, {"stopped": stopped.answers, "asked": stopped.of})
    trainer.accelerator.wait_for_everyone()
    return _result(folder)


def _answers(model: Any, prepared: Prepared, dialogues: Sequence[Dialogue]) -> list[Answer]:
    """The greedy answers to the last question of each dialogue, each at most 1.5 times the longest trained one."""
    base = model.get_base_model() if isinstance(model, PeftModel) else model  # its layers include the adapters
    longest = max(sum(label != -100 for label in example.labels) for example in prepared.train.examples)
    student = _InTraining(prepared.tokenizer, base)
    return student.answer(
        [dialogue.messages[:-1] for dialogue in dialogues], longest * 3 // 2, tools=[one.tools for one in dialogues]
    )


class _InTraining(Student):
    """The model that is trained, as a student that answers."""

    def __init__(self, tokenizer: Any, model: Any):
        self.name = "the student"
        self.tokenizer, self.model = tokenizer, model
        self.ends = end_tokens(tokenizer, model.generation_config)
        self.context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        model.eval()


def _judge(prepared: Prepared) -> Judge:
    """Scores of a model's answers to held-out rows: ROUGE-L (F1) with the references, share of exact matches."""
    dialogues = prepared.held_out.dialogues[: prepared.settings.generation_rows]
    wanted = [dialogue.messages[-1]["content"].strip() for dialogue in dialogues]

    def judge(model: Any) -> dict[str, float]:
        said = [answer.text.strip() for answer in _answers(model, prepared, dialogues)]
        pairs = list(zip(said, wanted, strict=True))
        similar = [Indel.normalized_similarity(tokens(a), tokens(b)) for a, b in pairs]
        return {"rouge_l": sum(similar) / len(pairs), "exact_match": sum(a == b for a, b in pairs) / len(pairs)}

    return judge


def _stop_test(model: Any, prepared: Prepared) -> Stopped:
    """Ask a few questions, held-out ones if there are any, and check whether the answers end."""
    dialogues = (prepared.held_out.dialogues or prepared.train.dialogues)[:STOP_PROMPTS]
    answers = _answers(model, prepared, dialogues)
    return Stopped(sum(answer.stopped for answer in answers), len(answers))


def _say_whether_it_stops(stopped: Stopped) -> None:
    say(f"Stop test: {stopped.answers} of {stopped.of} answers ended on their own.")
    if stopped.answers < stopped.of:
        say(
            "Warning: the others were cut off. That is normal after a short training run. After a long one, check "
            "with --dry-run that the stop token is trained."
        )


def _result(folder: Path) -> Trained:
    metrics = read_metrics(folder / "metrics.jsonl")
    losses = [row["loss"] for row in metrics if "loss" in row]
    held_out = [row["eval_loss"] for row in metrics if "eval_loss" in row]
    last = metrics[-1]
    loss, eval_loss = (found[-1] if found else None for found in (losses, held_out))
    return Trained(folder, last["step"], loss, eval_loss, Stopped(last["stopped"], last["asked"]))


def _say_what_comes(prepared: Prepared, schedule: Schedule) -> None:
    settings = prepared.settings
    print(prepared.report.render(colour=sys.stdout.isatty()), end="\n\n")
    if not torch.cuda.is_available():
        say(
            "No GPU found (torch.cuda): training on the CPU. That is fine for a few million parameters; with a "
            "billion it takes about a thousand times as long as on a GPU."
            + (" This processor computes bfloat16, which is used." if settings.precision != "float32" else "")
        )
    say(
        f"{n_of(schedule.steps, 'update')} of {n_of(schedule.rows, 'row')}, {settings.micro_batch} at a time; "
        f"{settings.method}, {settings.precision}, learning rate {settings.learning_rate:g}"
        + (f", in {processes()} processes." if processes() > 1 else ".")
    )


def _say_where_it_resumes(damaged: Sequence[str], begun: Path | None) -> None:
    """Name the damaged checkpoints, and what is used instead."""
    if damaged:
        for line in [*damaged, f"Training resumes from {begun}." if begun else "Training starts over."]:
            say(line)


def _out_of_memory(prepared: Prepared) -> str:
    settings, memory, available = prepared.settings, prepared.report.memory, prepared.report.available
    assert settings.max_length and settings.micro_batch and memory and available
    changes = []
    if settings.micro_batch > 1:
        changes.append(f"micro_batch = {settings.micro_batch // 2} (same result)")
    if not settings.activation_checkpointing:
        changes.append("activation_checkpointing = true (same result, a third slower)")
    changes.append(f"max_length = {settings.max_length // 2}")
    if settings.method == "full":
        changes.append('method = "lora"')
    elif settings.method == "lora":
        changes.append('method = "qlora"')
    return "\n".join([
        f"Out of memory: {available.bytes / 2**30:.1f} GiB were free ({available.where}), but "
        f"{settings.micro_batch} rows of {settings.max_length:,} tokens need about {memory.total / 2**30:.1f} "
        "GiB. In a file for --config, set one of:",
        *(f"  {change}" for change in changes),
        "Settings with the same result can be changed in this run, which then resumes from its latest "
        "checkpoint. The others need another --out.",
    ])  # fmt: skip
