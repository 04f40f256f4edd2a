"""The progress of a run, for display."""

from collections import Counter
from dataclasses import dataclass, field

from selfinstruct.errors import TryAgain


@dataclass
class Progress:
    """What a run has done so far, for display. Counts include earlier sessions.

    `failing`: the latest failure, after `failing_times` of its reason in a row; None once a call was answered.
    """

    target: int = 0
    admitted: int = 0
    generated: int = 0
    calls: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    faults: int = 0
    failing: TryAgain | None = None
    failing_times: int = 0
    batches: str = ""  # how the latest of them is getting on
    rejected: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)  # lines about servers that are not shown yet

    @property
    def candidates(self) -> int:
        """Candidates filtered, and proposals from which nothing could be parsed."""
        return self.admitted + sum(self.rejected.values())

    def count_fault(self, fault: TryAgain) -> None:
        """Count an attempt that failed."""
        self.faults += 1
        again = self.failing is not None and self.failing.reason == fault.reason
        self.failing_times = self.failing_times + 1 if again else 1
        self.failing = fault

    def tell(self, line: str) -> None:
        """Show a line that stays."""
        self.told.append(line)

    def tell_batches(self, line: str) -> None:
        """Show the progress of the latest batch."""
        self.batches = line
