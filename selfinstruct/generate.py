"""One `selfinstruct generate`: teachers up, engine on, progress shown, Ctrl-C understood, records written."""

import asyncio
import itertools
import signal
from contextlib import AsyncExitStack

from selfinstruct.config import Config
from selfinstruct.display import show_progress
from selfinstruct.engine import Engine
from selfinstruct.errors import StoreError
from selfinstruct.export import write_records
from selfinstruct.records import STAGES, Stage
from selfinstruct.report import progress_of
from selfinstruct.run import Run
from selfinstruct.strategies.self_instruct import SelfInstruct
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
        teachers = await open_teachers(run.config, stack)
        strategy = SelfInstruct(run.config, run.prompts)
        engine = Engine(run.store, run.config, strategy, teachers, progress_of(run.store))
        _on_signals(engine)
        showing = asyncio.create_task(show_progress(engine.progress, engine.scheduler))
        try:
            return await engine.run(target)
        finally:
            showing.cancel()
            await asyncio.wait([showing])


async def open_teachers(config: Config, stack: AsyncExitStack) -> dict[Stage, Teacher]:
    """The teacher of each stage; stages with the same address and key share one. `stack` closes them."""
    opened: dict[tuple[str, str, str], Teacher] = {}
    teachers: dict[Stage, Teacher] = {}
    for stage in STAGES:
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


def _on_signals(engine: Engine) -> None:
    """The first signal stops gently, the second one at once."""
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()

    signals = itertools.count(1)

    def handle() -> None:
        if next(signals) > 1 and running:
            running.cancel()
        engine.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, handle)
