"""Every request once: its answer comes from the store, else from the teacher, and into the store before all else."""

import asyncio
from collections.abc import Callable

from selfinstruct.engine.progress import Progress
from selfinstruct.errors import SelfInstructError, Stopped
from selfinstruct.records import Completion, Request
from selfinstruct.store.store import Store
from selfinstruct.teachers import Teachers
from selfinstruct.teachers.scheduler import Scheduler


class Answers:
    """The answers of one run, those that are stored and those that come."""

    def __init__(self, store: Store, teachers: Teachers, scheduler: Scheduler, progress: Progress):
        self.teachers = teachers
        self._store = store
        self._scheduler = scheduler
        self._progress = progress
        self._coming: dict[str, asyncio.Future[Completion]] = {}

    async def to(self, request: Request, wanted: Callable[[], bool] = lambda: True) -> Completion:
        """The answer to `request`. Raises what `Scheduler.complete` raises."""
        if stored := self._store.completion(request.id):
            return stored
        if request.id in self._coming:
            return await asyncio.shield(self._coming[request.id])
        answer = self._coming[request.id] = asyncio.get_running_loop().create_future()
        try:
            completion = await self._scheduler.complete(self.teachers[request.stage, request.model], request, wanted)
            await self._store.keep_completion(request, completion)
        except BaseException as error:
            answer.set_exception(error if isinstance(error, SelfInstructError) else Stopped())
            answer.exception()  # nobody else may be waiting
            raise
        finally:
            del self._coming[request.id]
        answer.set_result(completion)
        self._progress.calls += 1
        if not completion.error:
            self._progress.failing = None
        self._progress.tokens += completion.prompt_tokens + completion.completion_tokens
        self._progress.cost_usd += completion.cost_usd or 0.0
        return completion
