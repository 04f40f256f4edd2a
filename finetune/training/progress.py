"""The progress of a training: a line, metrics.jsonl and loss.svg; and its end by Ctrl-C.

    step 120 of 400  epoch 0.9  loss 1.234  held-out 1.301  18,200 tokens/s  4:12 left

metrics.jsonl has a JSON object for each update and each evaluation: step, epoch, loss or eval_loss, learning_rate,
tokens (processed since the start) and seconds (of training since then, without pauses).
"""

import json
import math
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from rich.console import Console
from rich.live import Live
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from finetune.training.loss_picture import draw
from selfinstruct.errors import UsageError
from selfinstruct.rows.writing import refuse_link, whole_file
from selfinstruct.terminal import CELL_EVERY_S, CellLine, time_left
from selfinstruct.untrusted import say

LINE_EVERY_S = 5.0
PICTURE_EVERY_S = 30.0
STOPPING = "saving a checkpoint; press Ctrl-C again to stop immediately"
_KEPT = ("loss", "eval_loss", "eval_rouge_l", "eval_exact_match", "learning_rate", "grad_norm")
_SHOWN = {"loss": "loss", "eval_loss": "held-out", "eval_rouge_l": "ROUGE-L"}


class Progress(TrainerCallback):
    """Writes what a training logs into `folder`, and shows it; `interrupted` after a request to stop early."""

    def __init__(self, folder: Path):
        self.interrupted = False
        self.began = False  # a checkpoint to resume from has been loaded, if any
        self._path = folder / "metrics.jsonl"
        self._picture = folder / "loss.svg"
        self._before: dict[int, Any] | None = None
        self._began = self._shown = self._drawn = time.monotonic()
        self._seconds = 0.0  # of earlier sessions
        self._tokens = 0  # of earlier sessions
        self._first = 0, self._began  # step and time of the start of this session
        self._latest: dict[str, float] = {}
        console = Console(stderr=True)
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._in_notebook = console.is_jupyter
        self._cell: CellLine | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        """Continue the metrics from the checkpoint, and handle Ctrl-C."""
        if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
            self._before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        self.began = True
        if state.best_global_step:  # the state has a path, which is another one where the folder was moved
            state.best_model_checkpoint = f"{args.output_dir}/checkpoint-{state.best_global_step}"
        self._began = time.monotonic()
        self._first = state.global_step, self._began
        self._tokens = state.num_input_tokens_seen
        if not state.is_world_process_zero:
            return
        kept = read_metrics(self._path, state.global_step)
        self._seconds = kept[-1]["seconds"] if kept else 0.0
        with whole_file(self._path) as part:
            part.write_text("".join(json.dumps(row) + "\n" for row in kept))
        if self._live:
            self._live.start()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> TrainerControl:
        """After Ctrl-C, save a checkpoint and stop."""
        if torch.distributed.is_initialized():  # all processes have to stop after the same update
            told = torch.tensor(int(self.interrupted), device=args.device)
            torch.distributed.all_reduce(told)
            self.interrupted = bool(told)
        if self.interrupted:
            control.should_save = control.should_training_stop = True
        return control

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Record the figures of an update or an evaluation."""
        if not state.is_world_process_zero or not logs or not logs.keys() & {"loss", "eval_loss"}:
            return
        figures = {name: logs[name] for name in _KEPT if name in logs}
        if not math.isfinite(loss := figures["loss" if "loss" in figures else "eval_loss"]):
            raise UsageError(
                f"The loss is {loss} at update {state.global_step:,}: training has diverged. Train from the "
                f"start, in another --out, with a learning_rate (--learning-rate) below {args.learning_rate:g}."
            )
        self.write(state, figures)
        self._latest |= figures
        self._show(state, args)

    def write(self, state: TrainerState, figures: dict[str, Any]) -> None:
        """Add a line to metrics.jsonl."""
        row = {
            "step": state.global_step, "epoch": round(state.epoch or 0.0, 4), **figures,
            "tokens": state.num_input_tokens_seen,
            "seconds": round(self._seconds + time.monotonic() - self._began, 3),
        }  # fmt: skip
        refuse_link(self._path)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def on_train_end(self, args: TrainingArguments, state: TrainerState, *_: Any, **__: Any) -> None:
        """Draw the picture, and release the terminal."""
        self.close()
        if state.is_world_process_zero:
            self._draw()
            self._say(self._line(state, time.monotonic()))

    def close(self) -> None:
        """Restore the terminal and the handlers of Ctrl-C; also after an error."""
        if self._live:
            self._live.stop()
        for number, handler in (self._before or {}).items():
            signal.signal(number, handler)
        self._before = None

    def _stop(self, number: int, frame: FrameType | None) -> None:
        # A second Ctrl-C ends it immediately; a launcher also passes the first one on as SIGTERM.
        if self.interrupted and number == signal.SIGINT:
            self.close()
            raise KeyboardInterrupt
        self.interrupted = True

    def _show(self, state: TrainerState, args: TrainingArguments) -> None:
        now = time.monotonic()
        said = self._line(state, now)
        if self._live:
            self._live.update(said)
        elif now - self._shown >= (CELL_EVERY_S if self._in_notebook else LINE_EVERY_S):
            self._say(said)
            self._shown = now
        if now - self._drawn >= PICTURE_EVERY_S:
            self._draw()
            self._drawn = time.monotonic()

    def _say(self, said: str) -> None:
        """Print a line; in a notebook it replaces the previous one."""
        if not self._in_notebook:
            say(said)
        elif self._cell is None:
            self._cell = CellLine(said)
        else:
            self._cell.update(said)

    def _line(self, state: TrainerState, now: float) -> str:
        (first_step, first_s), first_tokens = self._first, self._tokens
        done = state.global_step - first_step
        speed = (state.num_input_tokens_seen - first_tokens) / max(now - first_s, 1e-9)
        left = (state.max_steps - state.global_step) * (now - first_s) / done if done else None
        parts = [f"step {state.global_step:,} of {state.max_steps:,}", f"epoch {state.epoch or 0:.1f}"]
        parts += [f"{label} {self._latest[name]:.3f}" for name, label in _SHOWN.items() if name in self._latest]
        parts += [f"{speed:,.0f} tokens/s", STOPPING if self.interrupted else time_left(left)]
        return "  ".join(parts)

    def _draw(self) -> None:
        with whole_file(self._picture) as part:
            part.write_text(draw(read_metrics(self._path)), encoding="utf-8")


def read_metrics(path: Path, upto: int | None = None) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl, up to the update `upto`; a line cut off by a kill, or damaged, is left out."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    rows = []
    for line in text.splitlines():
        with suppress(ValueError, RecursionError):
            rows.append(json.loads(line))
    whole = [row for row in rows if isinstance(row, dict) and {"step", "seconds"} <= row.keys()]
    return [row for row in whole if upto is None or row["step"] <= upto]
