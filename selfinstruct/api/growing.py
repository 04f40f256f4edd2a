"""Growing runs from Python: in scripts, threads, notebooks and running event loops."""

import warnings
from asyncio import CancelledError
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from selfinstruct.api.blocking import blocking, cancel_all
from selfinstruct.api.runs import Run
from selfinstruct.api.settings import AnyTeacher, FilePath, Settings, file_path, optional_path, tables, whole_number
from selfinstruct.untrusted import say

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
    """Grow the run in `folder` to `target` tasks and generate their instances. An existing run is resumed.

    - `seeds`: JSONL file of seed tasks; default: those shipped with the package.
    - `teacher`: from `openai` or `transformers`, or a custom one; default: the simulated teacher.
    - `config`: TOML file of settings.
    - `progress`: whether to show the progress.
    - `settings`: any table or key of `config`, which it overrides (`strategy="alpaca"`, `seed=7`,
      `instances=si.openai("gpt-4.1")`); keys of [running] and [filters] are passed directly (`concurrency=64`,
      `max_cost=5`, `rouge_threshold=0.6`).

    Ctrl-C or SIGTERM lets the calls in flight finish, then raises KeyboardInterrupt; a second one cancels them. The
    same call resumes the run.

    Raises UsageError before any money is spent, and TeacherError, BudgetReached or YieldCollapsed if the run cannot
    continue; all answers so far are kept.
    """
    target = whole_number("target", target)
    opening = _opening(folder, seeds=seeds, teacher=teacher, config=config, settings=settings)
    until_done(folder, lambda on_start: _grow(opening, target, progress, on_start))
    return Run(folder)


def until_done(folder: FilePath, start: "Callable[[Callable[[Scheduler], None]], Coroutine[Any, Any, bool]]") -> None:
    """Wait until a run is done; KeyboardInterrupt if it was stopped. `start` gets what to call with the scheduler."""
    from selfinstruct.runs.generate import stop_on_signals

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
        finished = blocking(lambda: start(on_start), stop)
    except CancelledError:  # by a second interrupt
        finished = False
    if not finished:
        raise KeyboardInterrupt(f"{folder}: stopped. The same call resumes the run.")


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
    """`generate` for programs with a running event loop. If it is cancelled, the run can be resumed."""
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
    """A function that opens the run, called in the thread that grows it; UsageError if an argument is wrong."""
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
    with opened.store:
        for name in opened.changed:
            warnings.warn(f"{name} has changed since the last session. Its earlier decisions are kept.", stacklevel=1)
        if progress and opened.kept:
            say(opened.kept)
        return await growing.generate(opened, target, on_start=on_start, show=progress)
