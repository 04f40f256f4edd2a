r"""A teacher that gives the answers which a test has written down: for tests of strategies, filters and settings.

    teacher = ScriptedTeacher()
    teacher.enqueue("1. Name a lake in Italy.\n2. Name a river in Spain.", stage="propose")
    teacher.enqueue("Yes", stage="classify", containing="river")
    teacher.enqueue("No", stage="classify", repeat=True)
    teacher.enqueue(lambda request: f"Example 1\nOutput: {request.model}", stage="instances", repeat=True)

    si.generate("outputs/scripted", target=2, teacher=teacher, seed_demonstrations=2)

It is a `Teacher`, for the engine and for `requests.asking(teacher.complete)`, and a `Kind` that opens itself. It is
asked for text, unless the settings say `answer_format = "json"`.

Which answer a request gets: of those that fit it, the first one by this order.

1. Answers for requests that contain a text go before those for a stage, and those before answers for any request.
2. Answers that are given once go before those that are repeated.
3. What was enqueued earlier goes before what was enqueued later.

Requests take their answers in the order in which they are sent. The engine sends proposals in the order of steps, and
the first question about each task in the order of tasks, whatever the concurrency. A second question about a task (its
next stage, another try) may come before or after those about other tasks. So a test that holds at any concurrency
names a text that only that task has (`containing`), or gives answers that are a function of the request.

Proposals are sent ahead of the gate: a run may ask for more of them than it needs in the end, how many more depends on
timing. So end their list with one that is repeated, such as `teacher.enqueue("", stage="propose", repeat=True)`.

Not covered: batches, rate limits, logprobs (a function may return a Completion that has some).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from inspect import isawaitable

from selfinstruct.errors import TeacherError
from selfinstruct.records import Completion, Request
from selfinstruct.teachers import Teacher
from selfinstruct.teachers.kinds import Kind, Session
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.settings import TeacherSettings

Answer = str | Completion | Exception
AnswerTo = Callable[[Request], Answer | Awaitable[Answer]]

IN_FLIGHT = 4096  # most calls at a time: as many as the settings allow


@dataclass(frozen=True)
class _Enqueued:
    """One line of the script."""

    answer: Answer | AnswerTo
    stage: str | None
    containing: str
    repeat: bool
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int

    def fits(self, request: Request) -> bool:
        return self.stage in (None, request.stage) and self.containing in request.user

    def rank(self) -> tuple[bool, bool, bool]:
        return not self.containing, self.stage is None, self.repeat

    def __str__(self) -> str:
        of = f"stage {self.stage}" if self.stage else "any stage"
        return f"{of}, containing {self.containing!r}" if self.containing else of


class ScriptedTeacher(Kind):
    """Gives enqueued answers, and keeps the requests that it was sent in `requests`, in the order in which they came.

    A request for which no answer is left raises TeacherError, with the request and with what is left.
    """

    default_model = "ScriptedTeacher"
    holds_to_schemas = False

    def __init__(self) -> None:
        self.pace = Pace(IN_FLIGHT)
        self.requests: list[Request] = []
        self._script: list[_Enqueued] = []

    def enqueue(
        self,
        answer: Answer | AnswerTo,
        *,
        stage: str | None = None,
        containing: str = "",
        repeat: bool = False,
        finish_reason: str = "stop",
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
    ) -> None:
        """Add an answer for one request, or with `repeat` for any number of them.

        `answer`: a text; a Completion (its `request_id` is set); an exception, which is raised (RequestRefused,
        TryAgain or TeacherError, as teachers raise them); or a function of the request, async or not, that gives one of
        these; it is called when the request comes.
        `stage` and `containing`: only for requests of that stage, and for those that have that text in the part of the
        prompt that changes (`Request.user`).
        The rest goes with a text; a `finish_reason` "length" means that the token limit cut the answer off.
        """
        self._script.append(
            _Enqueued(answer, stage, containing, repeat, finish_reason, prompt_tokens, completion_tokens)
        )

    async def open(self, teacher: TeacherSettings, base_url: str, session: Session, stack: AsyncExitStack) -> Teacher:
        """Itself, at the pace that the settings allow."""
        self.pace = session.pace(teacher)
        return self

    async def complete(self, request: Request) -> Completion:
        """The next answer to `request`; raises TeacherError where none is left, and what the script says."""
        fitting = [one for one in self._script if one.fits(request)]
        self.requests.append(request)
        if not fitting:
            raise TeacherError(self._nothing_left(request))
        taken = min(fitting, key=_Enqueued.rank)
        if not taken.repeat:
            self._script.remove(taken)
        answer = taken.answer(request) if callable(taken.answer) else taken.answer
        if isawaitable(answer):
            answer = await answer
        await asyncio.sleep(0)  # as in any call, others go on meanwhile
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Completion):
            return replace(answer, request_id=request.id)
        tokens = taken.prompt_tokens, taken.completion_tokens
        return Completion(request.id, answer, taken.finish_reason, *tokens)

    def _nothing_left(self, request: Request) -> str:
        n_of_stage = sum(one.stage == request.stage for one in self.requests)
        left = Counter(map(str, self._script))
        return (
            f"The script has no answer left for {request.stage} request {n_of_stage}. Left are answers for: "
            + ("; ".join(f"{name} ({n})" for name, n in left.items()) or "none")
            + f".\n--- system\n{request.system}\n--- user\n{request.user}"
        )
