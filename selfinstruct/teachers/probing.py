"""A teacher whose refusals are answers: what a server says to a first request shows which settings it takes."""

from selfinstruct.errors import RequestRefused, TryAgain
from selfinstruct.records import Completion, Request
from selfinstruct.teachers import Teacher

SERVER_ERRORS = 5  # so many in a row to a request with a schema: the server cannot do it (llama.cpp answers 500)
MALFORMED = 2  # so many answers without content: the same
EDITS_MOST = 20  # of one server


class Probed:
    """A teacher to which a refusal is an answer, too; with a schema, so is one server error after the other."""

    def __init__(self, teacher: Teacher, attempts: int, is_schema: bool = False):
        self._teacher = teacher
        self.pace = teacher.pace
        self._enough = min(SERVER_ERRORS, attempts)
        self._is_schema = is_schema
        self._in_a_row = self._malformed = 0

    async def complete(self, request: Request) -> Completion:
        """Send `request` once; see `teachers.Teacher`. The completion has an `error` where it was refused."""
        try:
            return await self._teacher.complete(request)
        except RequestRefused as error:
            return Completion(request.id, "", "error", error=str(error), raw=error.raw or "")
        except TryAgain as error:
            # 502 to 504 are a server that is away or still loading. A malformed answer may have been paid for, and the
            # scheduler has patience for a few of them only.
            self._malformed += error.raw is not None
            self._in_a_row = self._in_a_row + 1 if error.reason in ("http_500", "http_501") else 0
            if not self._is_schema or (self._in_a_row < self._enough and self._malformed < MALFORMED):
                raise
            return Completion(request.id, "", "error", error=str(error), raw=error.raw or "")
