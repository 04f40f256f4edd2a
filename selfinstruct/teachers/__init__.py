"""The models that answer, and how fast they may be called.

    kinds              one file for each kind of teacher: its check, and its opening
    settings           which model answers in which stage, at what price
    openai_compatible  a server that speaks OpenAI's protocol; rate_limits: what its headers say of limits
    envelope           the answer in the server's JSON
    failures           what an error means; error_bodies: what it says; words: how messages name our settings
    refused            settings that a server refuses; probing: a first request that finds them
    secrets            the key, blotted out wherever a server echoes it
    scheduler          which call goes out when, when to try again, when to give up
    pacing             how fast one server may be called: bucket (limits that are known), throttle (found from refusals)
    budget             what a run may use
    batch              the same by OpenAI's Batch API: batch_lines (what is sent and read), batch_server (its calls)

`Teacher.complete(Request) -> Completion` sends the request once. It raises RequestRefused where this request will
never get an answer, TryAgain where a second try may help, TeacherError if no request would be answered.
Its `pace` says how often it may be called; retries and the waiting are the scheduler's.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from selfinstruct.records import Completion, Request
from selfinstruct.teachers.pacing import Pace


class Teacher(Protocol):
    """Answers requests: a client of a server, a local model, or a function."""

    @property
    def pace(self) -> Pace:
        """The limits on its calls."""
        ...

    async def complete(self, request: Request) -> Completion:
        """Send `request` once and return the answer. Raises RequestRefused, TryAgain or TeacherError."""
        ...


Teachers = Mapping[tuple[str, str], Sequence[Teacher]]
"""The teachers by stage and model: the servers of that model, at least one."""
