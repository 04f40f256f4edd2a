"""Exact counts of what a simulated server has received and what it would charge for."""

from collections import Counter
from typing import TypedDict

from selfinstruct.simulated.server.entries import Entry


class Calls(TypedDict):
    """What the server has received so far, as /simulated/calls reports it."""

    received: int
    """Requests to the two completion endpoints; those of batches are not among them, but count in what follows."""
    answered: int
    """Requests that got their answer (status 200, no garbage)."""
    distinct: int
    """Different requests among the answered ones."""
    repeated: dict[str, int]
    """How often each request was answered that was answered more than once, by the SHA-256 of its canonical body."""
    refused: int
    """Requests that were wrong in themselves: 400, 401, 404."""
    faults: dict[str, int]
    """Faults by kind, batches' too; a slow body is a fault and, once it is through, an answer too."""
    malformed: int
    """Malformed choices among those answered."""
    prompt_tokens: int
    """Tokens read for answers sent off (status 200, no garbage), which is what a provider charges for: also those whose
    body trickled and was abandoned."""
    completion_tokens: int
    """Tokens written in the same answers."""
    batches: int
    """Batches made."""
    in_flight: int
    """Requests being answered now, or waiting for their turn."""
    peak_in_flight: int
    """The most requests in flight at a time."""


class Accounts:
    """The counters of one server."""

    def __init__(self) -> None:
        self.answered: Counter[bytes] = Counter()
        self.faults: Counter[str] = Counter()
        self.received = self.answers = self.refused = self.malformed = self.in_flight = self.peak_in_flight = 0
        self.prompt_tokens = self.completion_tokens = self.batches = 0

    def arrive(self) -> None:
        """Count a request that has arrived."""
        self.received += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)

    def charge(self, entry: Entry) -> None:
        """Count the tokens of an answer that is being sent."""
        self.prompt_tokens += entry.prompt_tokens
        self.completion_tokens += entry.completion_tokens

    def answer(self, entry: Entry) -> None:
        """Count an answer that is sent as a whole."""
        self.answers += 1
        self.answered[entry.digest] += 1
        self.malformed += entry.malformed

    def calls(self) -> Calls:
        """Return the current state of all counters."""
        return {
            "received": self.received,
            "answered": self.answers,
            "distinct": len(self.answered),
            "repeated": {digest.hex(): times for digest, times in self.answered.items() if times > 1},
            "refused": self.refused,
            "faults": dict(self.faults),
            "malformed": self.malformed,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "batches": self.batches,
            "in_flight": self.in_flight,
            "peak_in_flight": self.peak_in_flight,
        }
