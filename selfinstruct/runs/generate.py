"""One `selfinstruct generate`: teachers up, engine on, progress shown, Ctrl-C understood, records written."""

import asyncio
import itertools
import signal
from contextlib import AsyncExitStack

from selfinstruct.config.config import Config, TeacherSettings
from selfinstruct.engine.display import show_progress
from selfinstruct.engine.engine import Engine
from selfinstruct.engine.gate import Gate, Progress
from selfinstruct.engine.structured import settle_answer_formats
from selfinstruct.errors import Stopped, StoreError, TryAgain
from selfinstruct.export.export import write_records
from selfinstruct.records import Request
from selfinstruct.report.status import progress_of
from selfinstruct.runs.run import Run, keep_config
from selfinstruct.store.batches import Batches
from selfinstruct.strategies.alpaca import Alpaca
from selfinstruct.strategies.self_instruct import SelfInstruct
from selfinstruct.teachers import Teacher, Teachers
from selfinstruct.teachers.batch import IN_FLIGHT, BatchTeacher
from selfinstruct.teachers.budget import Amount, Budget
from selfinstruct.teachers.openai_compatible import OpenAICompatible
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.scheduler import Scheduler
from selfinstruct.teachers.simulated import simulated_teacher


async def generate(run: Run, target: int, is_sample: bool = False) -> bool:
    """Grow the run to `target` tasks and write its records; False where it was stopped before.

    A sample for an estimate is not what the user asked for, so it is not remembered as the target, and not asked for by
    batches, which might take a day.
    The records are written as far as the run got, unless the store cannot be written any more. The first SIGINT or
    SIGTERM lets the calls in flight end, the second one cancels them.
    """
    if is_sample:
        Batches(run.store).refuse_under_way()
    else:
        with run.store.transaction():
            run.store.set_settings({"target": target})
    run.store.settle_interrupted()
    try:
        finished = await _grow(run, target, by_batches=run.config.running.batch and not is_sample)
    except StoreError:
        raise  # nothing more can be written
    except BaseException:
        write_records(run.store)
        raise
    write_records(run.store)
    return finished


async def _grow(run: Run, target: int, by_batches: bool) -> bool:
    async with AsyncExitStack() as stack:
        store = run.store
        progress = progress_of(store)
        running = run.config.running
        has_budget = running.max_cost or running.max_requests or running.max_tokens
        budget = Budget(run.config, store, by_batches) if has_budget else None

        def note_fault(request: Request, attempt: int, fault: TryAgain) -> int:
            progress.faults += 1
            most = budget.at_most(request) if budget and fault.may_have_cost else Amount()
            return store.add_fault(request, attempt, fault, int(most.tokens), most.cost_usd)

        in_flight = IN_FLIGHT if by_batches else running.concurrency
        scheduler = Scheduler(in_flight, running.attempts, note_fault, budget)
        teachers = await open_teachers(run.config, stack, by_batches)
        _on_signals(scheduler)
        showing = asyncio.create_task(show_progress(progress, scheduler))
        try:
            config = await settle_answer_formats(run.config, teachers, scheduler, store)
            keep_config(store, config)
            if by_batches:
                teachers = await _by_batches(teachers, Batches(store), scheduler, progress, stack)
            strategy = Alpaca(config, run.prompts) if config.strategy == "alpaca" else SelfInstruct(config, run.prompts)
            return await Engine(Gate(store, config, progress), strategy, teachers, scheduler).run(target)
        except Stopped:
            return False
        finally:
            showing.cancel()
            await asyncio.wait([showing])
            if budget:
                store.settle_interrupted()


async def open_teachers(config: Config, stack: AsyncExitStack, by_batches: bool = False) -> Teachers:
    """The teachers of each stage and model, one for each server; `stack` closes them.

    Stages that ask the same model of the same server share one, since servers count their limits by model.
    """
    opened: dict[tuple[str, ...], Teacher] = {}
    teachers: dict[tuple[str, str], list[Teacher]] = {}
    for stage in config.stages:
        for settings, *_ in config.choices(stage):
            servers = teachers[stage, settings.model] = []
            for base_url in settings.servers:
                same = (settings.kind, settings.model, base_url, settings.api_key_env)
                if same not in opened:
                    opened[same] = await _open_teacher(settings, base_url, config, stack, by_batches)
                servers.append(opened[same])
    return teachers


async def _by_batches(
    teachers: Teachers, batches: Batches, scheduler: Scheduler, progress: Progress, stack: AsyncExitStack
) -> Teachers:
    """Teachers that ask the same servers by the Batch API; what earlier sessions left there is read, if it is done."""

    def tell(line: str) -> None:
        progress.batches = line

    def note(request: Request, fault: TryAgain) -> int:
        return scheduler.on_fault(request, 1, fault)

    found: dict[int, Teacher] = {}
    for (_, model), (teacher,) in teachers.items():
        if id(teacher) not in found and isinstance(teacher, OpenAICompatible):
            batching = BatchTeacher(teacher, model, batches, scheduler.stopping, note=note, tell=tell)
            stack.push_async_callback(batching.close)
            await batching.pick_up()
            found[id(teacher)] = batching
    return {key: (found[id(teacher)],) for key, (teacher,) in teachers.items()}


async def _open_teacher(
    settings: TeacherSettings, base_url: str, config: Config, stack: AsyncExitStack, by_batches: bool
) -> Teacher:
    running, limits = config.running, (settings.requests_per_minute, settings.tokens_per_minute)
    pace = Pace(running.concurrency, running.deadline_s, *limits)
    if settings.kind == "simulated" and not base_url:
        simulated = simulated_teacher(settings, config.simulated, config.prices, pace, by_batches)
        return await stack.enter_async_context(simulated)
    if settings.kind == "transformers":
        from finetune.inference.teacher import TransformersTeacher

        local = TransformersTeacher(settings.model, running.concurrency)
        stack.push_async_callback(local.close)
        return local
    teacher = OpenAICompatible(settings, base_url, config.prices, pace, by_batches)
    stack.push_async_callback(teacher.close)
    return teacher


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
