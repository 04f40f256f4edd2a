"""The teachers of a run: checked before any money is spent, opened for a session, used through batches if set."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from selfinstruct.config.config import Config
from selfinstruct.errors import TryAgain, UsageError
from selfinstruct.records import Request, new_tokens_at_most
from selfinstruct.store.batches import Batches
from selfinstruct.teachers import Teacher, Teachers, kinds
from selfinstruct.teachers.batch import BatchTeacher
from selfinstruct.teachers.openai_compatible import OpenAICompatible
from selfinstruct.teachers.scheduler import Scheduler


def check_teachers(config: Config) -> None:
    """UsageError if a stage's teacher cannot be used, or a limit could not be kept."""
    check_budget(config)
    batch = config.running.batch
    places: dict[str, tuple[str, str]] = {}
    for stage in config.stages:
        for teacher, sampling, _ in config.choices(stage):
            kind = kinds.load(teacher.kind)
            if not teacher.model:
                raise UsageError(f"No model for stage {stage}. Set model (--model).")
            if batch and (not kind.has_batches or len(teacher.servers) > 1):
                raise UsageError(
                    f"batch (--batch) needs one server with a Batch API. [{stage}] has several, or another kind "
                    "of teacher."
                )
            # Batches are known by their model, so each model's are in one place.
            place = (teacher.servers[0], teacher.api_key_env)
            if batch and places.setdefault(teacher.model, place) != place:
                raise UsageError(
                    f'batch (--batch) needs the same server and key for a model in every stage. "{teacher.model}" '
                    f"has a different one in [{stage}]."
                )
            kind.check(stage, teacher, sampling)


def check_budget(config: Config) -> None:
    """UsageError if a limit could not be kept: a model without a price, or answers of any length."""
    running = config.running
    for stage in config.stages:
        for teacher, sampling, _ in config.choices(stage):
            if running.max_cost and teacher.model not in config.prices:
                raise UsageError(
                    f'max_cost (--max-cost) needs the price of "{teacher.model}", in dollars per million tokens. '
                    f'Add to the config file, for example:\n[prices."{teacher.model}"]\ninput = 0.40\noutput = 1.60\n'
                    f'In Python, pass for example prices={{"{teacher.model}": {{"input": 0.40, "output": 1.60}}}}.'
                )
            if (running.max_cost or running.max_tokens) and new_tokens_at_most(sampling) is None:
                raise UsageError(
                    f"A budget needs a maximum answer length. Set max_tokens, a whole number, in sampling of [{stage}]."
                )


async def open_teachers(config: Config, stack: AsyncExitStack, by_batches: bool = False) -> Teachers:
    """The teachers of each stage and model, one for each server; `stack` closes them.

    Stages that ask the same model of the same server share one, since servers count their limits by model.
    """
    session = kinds.Session(config.running, config.prices, config.simulated, by_batches)
    opened: dict[tuple[str, ...], Teacher] = {}
    teachers: dict[tuple[str, str], list[Teacher]] = {}
    for stage in config.stages:
        for settings, *_ in config.choices(stage):
            servers = teachers[stage, settings.model] = []
            for base_url in settings.servers:
                same = (settings.kind, settings.model, base_url, settings.api_key_env)
                if same not in opened:
                    opened[same] = await kinds.load(settings.kind).open(settings, base_url, session, stack)
                servers.append(opened[same])
    return teachers


async def by_the_batch_api(
    teachers: Teachers, batches: Batches, scheduler: Scheduler, stack: AsyncExitStack, tell: Callable[[str], None]
) -> Teachers:
    """Teachers that ask the same servers by the Batch API; what earlier sessions left there is read, if it is done."""

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
