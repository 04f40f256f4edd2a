"""Runs grown from Python: in a script, in a thread, in a notebook, in a running event loop."""

import warnings
from asyncio import CancelledError
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from selfinstruct.api.blocking import blocking, cancel_all
from selfinstruct.api.runs import Run
from selfinstruct.api.settings import AnyTeacher, FilePath, Settings, file_path, optional_path, tables, whole_number

if TYPE_CHECKING:
    from selfinstruct.runs.run import Run as Opened
    from selfinstruct.teachers.scheduler import Scheduler


def generate(
    folder: FilePath,
    target: int,
    *,
    seeds: FilePath | None = None,
    teacher: AnyTeacher | None = None,
    config: FilePath | None = None,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """Grow the run in `folder` to `target` tasks, with their instances. A run that exists is resumed.

    `seeds`: a JSONL file of seed tasks; without it, the ones that come with the package. `config`: a TOML file.
    `settings` override it: the tables and keys of the configuration reference (`strategy="alpaca"`, `seed=7`,
    `instances=si.openai("gpt-4.1")`), and the keys of [running] and [filters] by themselves (`concurrency=64`,
    `max_cost=5`, `rouge_threshold=0.6`).

    Ctrl-C, or SIGTERM, lets the calls in flight end and then raises KeyboardInterrupt; a second one cancels them. The
    same call resumes the run. Raises
    UsageError before anything is paid for, and TeacherError, BudgetReached or YieldCollapsed where the run cannot go
    on: everything answered so far is kept.
    """
    from selfinstruct.runs.generate import stop_on_signals

    target = whole_number("target", target)
    opening = _opening(folder, seeds=seeds, teacher=teacher, config=config, settings=settings)
    schedulers: list[Scheduler] = []

    def on_start(scheduler: "Scheduler") -> None:
        schedulers.append(scheduler)
        stop_on_signals(scheduler)

    def stop() -> None:
        if schedulers:
            schedulers[0].stop()
        else:
            cancel_all()

    try:
        finished = blocking(lambda: _grow(opening, target, progress, on_start), stop)
    except CancelledError:  # by a second interrupt
        finished = False
    if not finished:
        raise KeyboardInterrupt(f"{folder} is stopped; the same call resumes it.")
    return Run(folder)


async def generate_async(
    folder: FilePath,
    target: int,
    *,
    seeds: FilePath | None = None,
    teacher: AnyTeacher | None = None,
    config: FilePath | None = None,
    progress: bool = True,
    **settings: Any,
) -> Run:
    """The same as `generate` in a running event loop. Cancelled, it leaves a run that can be resumed."""
    target = whole_number("target", target)
    opening = _opening(folder, seeds=seeds, teacher=teacher, config=config, settings=settings)
    await _grow(opening, target, progress, lambda scheduler: None)
    return Run(folder)


def _opening(
    folder: FilePath,
    *,
    seeds: FilePath | None,
    teacher: AnyTeacher | None,
    config: FilePath | None,
    settings: Settings,
) -> "Callable[[], Opened]":
    """What opens the run in the thread that is to grow it; UsageError where an argument is wrong."""
    from selfinstruct.runs.run import open_run

    place = file_path("folder", folder)
    config_file, seeds_file = optional_path("config", config), optional_path("seeds", seeds)
    flags = tables(teacher, settings)
    return lambda: open_run(place, config_file, flags, seeds_file)


async def _grow(
    opening: "Callable[[], Opened]", target: int, progress: bool, on_start: "Callable[[Scheduler], None]"
) -> bool:
    from selfinstruct.runs import generate as growing

    opened = opening()
    for name in opened.changed:
        warnings.warn(f"{name} has changed since the last session. What it decided before is kept.", stacklevel=4)
    with opened.store:
        return await growing.generate(opened, target, on_start=on_start, show=progress)
