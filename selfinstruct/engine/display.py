"""Progress while a run works: one live panel in a terminal, one live line in a notebook, plain lines elsewhere."""

import asyncio
import math
import time
from collections import deque

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from selfinstruct.engine.progress import Progress
from selfinstruct.teachers.scheduler import Scheduler
from selfinstruct.terminal import CELL_EVERY_S, CellLine, time_left
from selfinstruct.untrusted import say, visible

LIVE_EVERY_S = 0.2
LINE_EVERY_S = 5.0
SPEED_OVER_S = 60.0
REASON_CHARACTERS = 100
STOPPING = "finishing the calls in flight; press Ctrl-C again to stop immediately"


async def show_progress(progress: Progress, scheduler: Scheduler) -> None:
    """Show how far the engine is until cancelled, and what it was told about servers."""
    console = Console()
    try:
        await _show(progress, scheduler, console)
    finally:
        _print_told(progress, console)


async def _show(progress: Progress, scheduler: Scheduler, console: Console) -> None:
    speed = Speed()
    if console.is_jupyter:
        cell = CellLine(line(progress, scheduler, None))
        try:
            while True:
                await asyncio.sleep(CELL_EVERY_S)
                cell.update(line(progress, scheduler, speed.seconds_left(progress)))
        finally:  # what stays in the notebook
            cell.update(_so_far(progress, scheduler))
    if not console.is_terminal:
        while True:
            await asyncio.sleep(LINE_EVERY_S)
            _print_told(progress, console)
            say(line(progress, scheduler, speed.seconds_left(progress)))
    with Live(console=console, refresh_per_second=10, transient=True) as live:
        while True:
            _print_told(progress, live.console)
            live.update(_panel(progress, scheduler, speed.seconds_left(progress)))
            await asyncio.sleep(LIVE_EVERY_S)


def _print_told(progress: Progress, console: Console) -> None:
    """Lines that stay; they may quote a server."""
    for text in progress.told:
        console.print(visible(text), markup=False, highlight=False, soft_wrap=True)
    progress.told.clear()


class Speed:
    """How fast the run gets on, over the last minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def seconds_left(self, progress: Progress) -> float | None:
        """Seconds to the target at the latest speed; None while that cannot be told."""
        now, done = time.monotonic(), progress.done
        self._seen.append((now, done))
        while now - self._seen[0][0] > SPEED_OVER_S:
            self._seen.popleft()
        since, before = self._seen[0]
        return (progress.target - done) * (now - since) / (done - before) if done > before else None


def line(progress: Progress, scheduler: Scheduler, seconds_left: float | None) -> str:
    """The progress in one line of text."""
    return f"{_so_far(progress, scheduler)}; {STOPPING if scheduler.stopping.is_set() else time_left(seconds_left)}"


def _so_far(progress: Progress, scheduler: Scheduler) -> str:
    batches = f"; {visible(progress.batches)}" if progress.batches else ""
    return f"{progress.line()}; calls {_calls(progress, scheduler)}{batches}; {_spent(progress, scheduler)}"


def _panel(progress: Progress, scheduler: Scheduler, seconds_left: float | None) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column()
    bar = Table.grid(padding=(0, 2))
    bar.add_row(
        ProgressBar(total=max(progress.target, 1), completed=min(progress.admitted, progress.target), width=32),
        progress.words(),
    )
    grid.add_row(progress.label, bar)
    for name, text in progress.rows():
        grid.add_row(name, Text(visible(text)))
    grid.add_row("calls", Text(_calls(progress, scheduler)))  # a reason may hold what rich reads as markup
    if progress.batches:
        grid.add_row("batches", Text(visible(progress.batches)))  # the server's words
    grid.add_row("spent", _spent(progress, scheduler))
    grid.add_row(
        "time",
        STOPPING
        if scheduler.stopping.is_set()
        else f"{time_left(seconds_left)}; Ctrl-C stops, the same command resumes",
    )
    return grid


def _calls(progress: Progress, scheduler: Scheduler) -> str:
    said = f"{progress.calls:,} done, {scheduler.in_flight} in flight"
    held_s = scheduler.held_until - asyncio.get_running_loop().time()
    if scheduler.in_flight == 0 and 1 < held_s < math.inf:
        said += f", held back by the server's limits for {held_s:,.0f} s"
    said += f", {progress.faults:,} attempts failed" if progress.faults else ""
    if progress.failing:
        reason = visible(" ".join(str(progress.failing).split()))[:REASON_CHARACTERS]
        said += f", the latest {progress.failing_times:,} of them: {reason}"
    return said


def _spent(progress: Progress, scheduler: Scheduler) -> str:
    cost = f", ${progress.cost_usd:,.4f}" if progress.cost_usd else ""
    tokens = f"{progress.tokens:,} tokens" if progress.tokens or not progress.calls else "tokens not reported"
    arriving = sum(pace.arriving for pace in scheduler.paces)
    return f"{tokens}{f' and {arriving:,} arriving' if arriving else ''}{cost}"
