"""Every question about every row, of every teacher: no gate, since no row depends on another.

Requests run in any order; votes are stored by row, teacher and sample, and files are written in the order of the rows.
So neither concurrency nor the order in which answers arrive affects the data. Votes are read from stored answers: a run
that was killed reads again what it had not read, and asks about nothing twice.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from selfinstruct.annotation import STAGE
from selfinstruct.annotation.question import Asker, Question
from selfinstruct.annotation.rows import Row
from selfinstruct.annotation.votes import read_vote
from selfinstruct.asking.stages import Stage
from selfinstruct.config.config import Config
from selfinstruct.engine.answers import Answers
from selfinstruct.engine.progress import Progress
from selfinstruct.engine.requests import Requests
from selfinstruct.errors import SelfInstructError, Stopped
from selfinstruct.records import Rejection, Request
from selfinstruct.store import annotations
from selfinstruct.store.annotations import Cast
from selfinstruct.store.store import Store
from selfinstruct.teachers.scheduler import Scheduler
from selfinstruct.teachers.settings import StageTeacher
from selfinstruct.terminal import n_of

TOGETHER = 50  # votes in one transaction: they can be read again from their answers
MORE = 8  # questions that wait to be sent, besides those in flight


@dataclass
class AnnotationProgress(Progress):
    """The progress of a run that asks about rows; `target` counts answers."""

    label: str = "answers"

    @property
    def done(self) -> int:
        """The answers that were read, votes or not."""
        return self.admitted

    def words(self) -> str:
        """How far the run is, beside a bar."""
        return f"{self.admitted:,} of {self.target:,}"

    def line(self) -> str:
        """The same in one line without a bar."""
        return f"{self.admitted:,} of {n_of(self.target, 'answer')}, {self.rejected.total():,} of them rejected"

    def rows(self) -> list[tuple[str, str]]:
        """What stands below the bar."""
        return [("rejected", self.reasons or "none so far")]


class _Asked(NamedTuple):
    row: Row
    choice: StageTeacher
    question: Question


class Annotator:
    """Asks what has no vote yet."""

    def __init__(
        self, store: Store, config: Config, asker: Asker, *, requests: Requests, answers: Answers,
        scheduler: Scheduler, progress: AnnotationProgress,
    ):  # fmt: skip
        self.store = store
        self._stage: Stage = config.asks.stages[0]
        self._choices = config.choices(STAGE)
        self._seed = config.seed
        self._asker = asker
        self._requests = requests
        self._answers = answers
        self._scheduler = scheduler
        self._progress = progress
        self._cast: list[Cast] = []
        self._failure: SelfInstructError | None = None

    async def run(self, samples: int, rows: Sequence[Row], in_flight: int) -> bool:
        """Ask about these rows; False if it was stopped before.

        Raises the first TeacherError, StoreError or BudgetReached, once what was in flight has been stored.
        """
        waiting = self._waiting(samples, rows)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(in_flight + MORE):
                    group.create_task(self._work(waiting))
        finally:
            self._keep()
        if self._failure:
            raise self._failure
        return not self._scheduler.stopping.is_set() or next(self._waiting(samples, rows), None) is None

    def _waiting(self, samples: int, rows: Sequence[Row]) -> Iterator[_Asked]:
        voted = annotations.voted(self.store)
        for row in rows:
            missing = [
                choice for choice in self._choices
                if any((row.id, choice.teacher.model, *key) not in voted for key in self._asker.keys(samples))
            ]  # fmt: skip
            for question in self._asker.questions(row, samples) if missing else ():
                for choice in missing:
                    if (row.id, choice.teacher.model, question.sample, question.swapped) not in voted:
                        yield _Asked(row, choice, question)

    async def _work(self, waiting: Iterator[_Asked]) -> None:
        """Ask one question after the other."""
        try:
            for asked in waiting:
                if self._scheduler.stopping.is_set():
                    return
                request = self._request(asked)
                completion = await self._answers.to(request)
                vote = read_vote(self._asker.task, completion, asked.question.swapped)
                self._progress.admitted += 1
                if isinstance(vote, Rejection):
                    self._progress.rejected[vote.reason] += 1
                sample, swapped, _ = asked.question
                model = asked.choice.teacher.model
                self._cast.append(Cast(asked.row.id, model, sample, swapped, request.id, vote))
                if len(self._cast) >= TOGETHER:
                    self._keep()
        except Stopped:
            return
        except SelfInstructError as error:  # the calls in flight may finish: they are paid for
            self._failure = self._failure or error
            self._scheduler.stop()

    def _request(self, asked: _Asked) -> Request:
        question = asked.question
        return self._requests.build(
            self._stage, self._asker.task.ask, self._seed + question.sample, asked.choice, **question.shown
        )

    def _keep(self) -> None:
        cast, self._cast = self._cast, []
        annotations.add_votes(self.store, cast)
