"""One `selfinstruct generate`: teachers up, engine on, progress shown, Ctrl-C understood, records written."""

import asyncio
import itertools
import signal
from contextlib import AsyncExitStack

from selfinstruct.config import Config
from selfinstruct.display import show_progress
from selfinstruct.engine import Engine
from selfinstruct.errors import Stopped, StoreError, TryAgain
from selfinstruct.export import write_records
from selfinstruct.gate import Gate
from selfinstruct.records import Request
from selfinstruct.report import progress_of
from selfinstruct.run import Run, keep_config
from selfinstruct.scheduler import Scheduler
from selfinstruct.strategies.alpaca import Alpaca
from selfinstruct.strategies.self_instruct import SelfInstruct
from selfinstruct.structured import settle_answer_formats
from selfinstruct.teachers import Teacher
from selfinstruct.teachers.openai_compatible import OpenAICompatible
from selfinstruct.teachers.simulated import simulated_teacher


async def generate(run: Run, target: int) -> bool:
    """Grow the run to `target` tasks and write its records; False where it was stopped before.

    The records are written as far as the run got, unless the store cannot be written any more. The first SIGINT or
    SIGTERM lets the calls in flight end, the second one cancels them.
    """
    with run.store.transaction():
        run.store.set_settings({"target": target})
    try:
        finished = await _grow(run, target)
    except StoreError:
        raise  # nothing more can be written
    except BaseException:
        write_records(run.store)
        raise
    write_records(run.store)
    return finished


async def _grow(run: Run, target: int) -> bool:
    async with AsyncExitStack() as stack:
        store = run.store
        teachers = await open_teachers(run.config, stack)
        progress = progress_of(store)

        def note_fault(request: Request, attempt: int, fault: TryAgain) -> int:
            progress.faults += 1
            return store.add_fault(request, attempt, fault)

        running = run.config.running
        scheduler = Scheduler(running.concurrency, running.deadline_s, running.attempts, note_fault)
        _on_signals(scheduler)
        showing = asyncio.create_task(show_progress(progress, scheduler))
        try:
            config = await settle_answer_formats(run.config, teachers, scheduler, store)
            keep_config(store, config)
            strategy = Alpaca(config, run.prompts) if config.strategy == "alpaca" else SelfInstruct(config, run.prompts)
            return await Engine(Gate(store, config, progress), strategy, teachers, scheduler).run(target)
        except Stopped:
            return False
        finally:
            showing.cancel()
            await asyncio.wait([showing])


async def open_teachers(config: Config, stack: AsyncExitStack) -> dict[str, Teacher]:
    """The teacher of each stage; stages with the same address and key share one. `stack` closes them."""
    opened: dict[tuple[str, str, str], Teacher] = {}
    teachers: dict[str, Teacher] = {}
    for stage in config.stages:
        settings = config.stage(stage).teacher
        same = (settings.kind, settings.base_url, settings.api_key_env)
        if same not in opened:
            connections = config.running.concurrency
            if settings.kind == "simulated" and not settings.base_url:
                opened[same] = await stack.enter_async_context(
                    simulated_teacher(settings, config.simulated, connections)
                )
            else:
                teacher = OpenAICompatible(settings, config.prices, connections)
                stack.push_async_callback(teacher.close)
                opened[same] = teacher
        teachers[stage] = opened[same]
    return teachers


def _on_signals(scheduler: Scheduler) -> None:
    """The first signal stops gently, the second one at once."""
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()

    signals = itertools.count(1)

    def handle() -> None:
        if next(signals) > 1 and running:
            running.cancel()
        scheduler.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle)
