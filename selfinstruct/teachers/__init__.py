"""Who answers: one file per kind of teacher, each with one promise.

`Teacher.complete(Request) -> Completion` sends the request once. It raises RequestRefused where this request will
never get an answer, TryAgain where a second try may help, TeacherError where no request would be answered.
Pacing and retries are the scheduler's.
"""

from typing import Protocol

from selfinstruct.records import Completion, Request


class Teacher(Protocol):
    """Anything that answers requests."""

    async def complete(self, request: Request) -> Completion:
        """Send `request` once and give its answer; raises RequestRefused, TryAgain or TeacherError."""
        ...
