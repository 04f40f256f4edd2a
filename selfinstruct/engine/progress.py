"""The progress of a run, for display."""

from collections import Counter
from dataclasses import dataclass, field

from selfinstruct.errors import TryAgain
from selfinstruct.terminal import n_of


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
    label: str = "tasks"  # what is counted
    batches: str = ""  # how the latest of them is getting on
    rejected: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)  # lines about servers that are not shown yet

    @property
    def candidates(self) -> int:
        """Candidates filtered, and proposals from which nothing could be parsed."""
        return self.admitted + sum(self.rejected.values())

    @property
    def done(self) -> int:
        """How far the run is on the way to its target."""
        return self.generated

    def words(self) -> str:
        """How far the run is, beside a bar."""
        return f"{self.admitted:,} of {self.target:,} admitted, {self.generated:,} with instances"

    def line(self) -> str:
        """The same in one line without a bar."""
        tasks = n_of(self.target, "task")
        return (
            f"{self.admitted:,} of {tasks} admitted, {self.generated:,} with instances; "
            f"{self.accepted} of {n_of(self.candidates, 'candidate')}"
        )

    def rows(self) -> list[tuple[str, str]]:
        """What stands below the bar, each with its name."""
        return [
            ("candidates", f"{self.candidates:,} filtered, {self.accepted} admitted"),
            ("rejected", self.reasons or "none so far"),
        ]

    @property
    def accepted(self) -> str:
        """The share of the candidates that were admitted."""
        return f"{self.admitted / self.candidates:.0%}" if self.candidates else "0%"

    @property
    def reasons(self) -> str:
        """The commonest reasons for rejections."""
        return ", ".join(f"{reason} {n:,}" for reason, n in self.rejected.most_common(4))

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
