"""Waits until a refusal can be judged: is the request to blame, or would the server refuse any?

A refusal comes at once, an answer takes seconds. In order of arrival, a server that refuses half of the requests seems
to refuse all of them at first. A refusal is therefore judged once the calls of its stage that were in flight with it
have ended, or one of them was answered.
"""

import asyncio
from collections import deque
from typing import NamedTuple


class _Refusal(NamedTuple):
    last: int  # number of the latest call that was sent by then
    is_answered: asyncio.Future[bool]


class StageCalls:
    """The calls of one stage that are in flight, in the order in which they were sent."""

    def __init__(self) -> None:
        self._n_sent = 0
        self._in_flight: dict[int, None] = {}
        self._refusals: deque[_Refusal] = deque()

    def sent(self) -> int:
        """Record a call; returns its number."""
        self._n_sent += 1
        self._in_flight[self._n_sent] = None
        return self._n_sent

    def ended(self, number: int, *, is_answered: bool) -> None:
        """Record that this call has ended."""
        del self._in_flight[number]
        first = next(iter(self._in_flight), self._n_sent + 1)
        while self._refusals and (is_answered or self._refusals[0].last < first):
            future = self._refusals.popleft().is_answered
            if not future.done():  # it was cancelled
                future.set_result(is_answered)

    async def one_is_answered(self) -> bool:
        """Whether any of the calls now in flight is answered: True as soon as one is, False when all have ended."""
        if not self._in_flight:
            return False
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._refusals.append(_Refusal(self._n_sent, future))
        return await future
