"""One `selfinstruct generate`: open teachers, run the engine, show progress, handle Ctrl-C, write records."""

import asyncio
import itertools
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import NamedTuple

from selfinstruct.config.config import Config
from selfinstruct.engine.answer_formats import settle_settings
from selfinstruct.engine.display import show_progress
from selfinstruct.engine.engine import Engine
from selfinstruct.engine.gate import Gate
from selfinstruct.engine.progress import Progress
from selfinstruct.errors import Stopped, StoreError, TryAgain
from selfinstruct.export.export import write_records
from selfinstruct.records import Request
from selfinstruct.report.status import progress_of
from selfinstruct.runs.run import Run, keep_config
from selfinstruct.runs.teachers import by_the_batch_api, check_budget, open_teachers
from selfinstruct.store.answers import stages_with_answers
from selfinstruct.store.batches import Batches
from selfinstruct.teachers import Teachers
from selfinstruct.teachers.batch import IN_FLIGHT
from selfinstruct.teachers.budget import Amount, Budget
from selfinstruct.teachers.scheduler import Scheduler


def stop_on_signals(scheduler: Scheduler) -> None:
    """The first SIGINT or SIGTERM lets the calls in flight finish, the second one cancels them.

    In the main thread only: Python lets no other handle signals.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()

    signals = itertools.count(1)

    def handle() -> None:
        if next(signals) > 1 and running:
            running.cancel()
        scheduler.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle)


async def generate(
    run: Run,
    target: int,
    is_sample: bool = False,
    on_start: Callable[[Scheduler], None] = stop_on_signals,
    show: bool = True,
) -> bool:
    """Grow the run to `target` tasks and write its records; False if it was stopped before.

    A sample for an estimate is not what the user asked for, so it is not remembered as the target, and not asked for by
    batches, which might take a day.
    The records are written as far as the run got, unless the store cannot be written any more. `on_start` is called
    with the scheduler, which may be told to stop; `show`: whether progress is shown.
    """
    if is_sample:
        Batches(run.store).refuse_under_way()
    else:
        with run.store.transaction():
            run.store.set_settings({"target": target})
    run.store.settle_interrupted()
    try:
        finished = await _grow(run, target, run.config.running.batch and not is_sample, on_start, show)
    except StoreError:
        raise  # nothing more can be written
    except BaseException:
        write_records(run.store)
        raise
    write_records(run.store)
    return finished


async def _grow(run: Run, target: int, by_batches: bool, on_start: Callable[[Scheduler], None], show: bool) -> bool:
    progress = progress_of(run.store)
    progress.target = target
    try:
        async with session(run, progress, by_batches, on_start, show) as (config, teachers, scheduler):
            return await Engine(Gate(run.store, config, progress), run.prompts, teachers, scheduler).run(target)
    except Stopped:
        return False


class Session(NamedTuple):
    """What a run is carried on with: the settings as its servers take them, its teachers, and who calls them."""

    config: Config
    teachers: Teachers
    scheduler: Scheduler


@asynccontextmanager
async def session(
    run: Run, progress: Progress, by_batches: bool, on_start: Callable[[Scheduler], None], show: bool
) -> AsyncIterator[Session]:
    """Open the teachers of a run, and show its progress until the end; raises Stopped if it is stopped meanwhile."""
    async with AsyncExitStack() as stack:
        store, running = run.store, run.config.running
        account = Budget(running, run.config.prices, run.config.stages, store, by_batches)
        budget = account if running.has_limits else None

        def note_fault(request: Request, attempt: int, fault: TryAgain) -> int:
            progress.count_fault(fault)
            most = account.at_most(request) if fault.may_have_cost else Amount()
            return store.add_fault(request, attempt, fault, int(most.tokens), most.cost_usd)

        in_flight = IN_FLIGHT if by_batches else running.concurrency
        tell = progress.tell if show else partial(print, file=sys.stderr, flush=True)
        answered = stages_with_answers(store)
        scheduler = Scheduler(in_flight, running.attempts, note_fault, budget, answered=answered, tell=tell)
        teachers = await open_teachers(run.config, stack, by_batches)
        on_start(scheduler)
        showing = asyncio.create_task(show_progress(progress, scheduler) if show else asyncio.sleep(0))
        try:
            config = await settle_settings(run.config, teachers, scheduler, store, tell)
            keep_config(store, config)
            check_budget(config)
            if by_batches:
                teachers = await by_the_batch_api(teachers, Batches(store), scheduler, stack, progress.tell_batches)
            yield Session(config, teachers, scheduler)
        finally:
            showing.cancel()
            await asyncio.wait([showing])
            if budget:
                store.settle_interrupted()
