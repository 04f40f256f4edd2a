r"""A teacher that returns scripted answers, for tests of strategies, filters and settings.

    teacher = ScriptedTeacher()
    teacher.enqueue("1. Name a lake in Italy.\n2. Name a river in Spain.", stage="propose")
    teacher.enqueue("Yes", stage="classify", containing="river")
    teacher.enqueue("No", stage="classify", repeat=True)
    teacher.enqueue(lambda request: f"Example 1\nOutput: {request.model}", stage="instances", repeat=True)

    si.generate("outputs/scripted", target=2, teacher=teacher, seed_demonstrations=2)

It is both a `Teacher` and a `Kind` that opens itself, so it can be passed as `teacher=`. Its answers are text, unless
the settings say `answer_format = "json"`.

A request gets the first of the answers that match it, in this order:

1. answers for requests that contain a given text, then those for a stage, then those for any request;
2. single answers, then repeated ones;
3. in the order in which they were enqueued.

Requests take their answers in the order in which they are sent. The engine sends proposals in step order, and the first
request about each task in task order, at any concurrency. Later requests about a task (its next stage, a retry) may
come before or after those about other tasks. A test that holds at any concurrency therefore names a text that only that
task contains (`containing`), or computes the answer from the request.

Proposals are requested ahead of the filters, so a run may request more than it needs, depending on timing. Their last
answer should therefore be a repeated one, such as `teacher.enqueue("", stage="propose", repeat=True)`.

Not covered: batches, rate limits, logprobs (but a function may return a Completion with some).
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

IN_FLIGHT = 4096  # maximum concurrent calls: as many as the settings allow
SHOWN = 200  # last characters of a prompt, in an error


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
    """A teacher that returns enqueued answers. `requests`: the requests it received, in order of arrival.

    Raises TeacherError if no answer is left for a request; the message names the request, shows the end of
    its prompt, and lists the remaining answers.
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
        """Add an answer for one request or, with `repeat`, for any number of requests.

        - `answer`: a text; a Completion, whose `request_id` is filled in; an exception to raise (RequestRefused,
          TryAgain or TeacherError); or a function of the request, sync or async, that returns one of these.
        - `stage`: only for requests of this stage.
        - `containing`: only for requests whose `user` contains this text.
        - The other arguments apply to texts; the `finish_reason` "length" marks an answer cut off at the token limit.
        """
        self._script.append(
            _Enqueued(answer, stage, containing, repeat, finish_reason, prompt_tokens, completion_tokens)
        )

    async def open(self, teacher: TeacherSettings, base_url: str, session: Session, stack: AsyncExitStack) -> Teacher:
        """Return itself, with the call limits of the settings."""
        self.pace = session.pace(teacher)
        return self

    async def complete(self, request: Request) -> Completion:
        """Return the next answer to `request`. Raises TeacherError if none is left, or the enqueued exception."""
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
        prompt = request.user if len(request.user) <= SHOWN else f"...{request.user[-SHOWN:]}"
        return (
            f"The script has no answer left for {request.stage} request {n_of_stage}. Remaining answers: "
            + ("; ".join(f"{name} ({n})" for name, n in left.items()) or "none")
            + f". Its prompt ends with:\n{prompt}"
        )
