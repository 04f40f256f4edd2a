"""The progress of a run, for display."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Progress:
    """What a run has done so far, for display. Counts include earlier sessions."""

    target: int = 0
    admitted: int = 0
    generated: int = 0
    calls: int = 0
    tokens: int = 0
    cost_usd: float = 0.0
    faults: int = 0
    batches: str = ""  # how the latest of them is getting on
    rejected: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)  # lines about servers that are not shown yet

    @property
    def candidates(self) -> int:
        """Candidates filtered, and proposals from which nothing could be parsed."""
        return self.admitted + sum(self.rejected.values())

    def tell(self, line: str) -> None:
        """Show a line that stays."""
        self.told.append(line)

    def tell_batches(self, line: str) -> None:
        """Show the progress of the latest batch."""
        self.batches = line
