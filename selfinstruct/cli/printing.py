"""What several commands print."""

from typing import TYPE_CHECKING

from selfinstruct.untrusted import say

if TYPE_CHECKING:
    from selfinstruct.report.diversity import Diversity
    from selfinstruct.store.store import Store


def measure_diversity(store: "Store") -> "Diversity":
    """How varied a run's tasks are. Takes seconds for 50,000."""
    from selfinstruct.report.diversity import measure

    return measure([task.instruction for task in store.tasks()], [seed.instruction for seed in store.seeds()])


def print_diversity(varied: "Diversity") -> None:
    """Print it in words."""
    from selfinstruct.report.diversity import render

    say("\n".join(render(varied)))
