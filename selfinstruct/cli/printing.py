"""What several commands print."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfinstruct.report.diversity import Diversity
    from selfinstruct.store.store import Store


def to_json(value: Any) -> str:
    """A value as one line of JSON, for other programs."""
    import json

    return json.dumps(value, ensure_ascii=False)


def measure_diversity(store: "Store") -> "Diversity":
    """How varied a run's tasks are. Takes seconds for 50,000."""
    from selfinstruct.report.diversity import measure

    return measure([task.instruction for task in store.tasks()], [seed.instruction for seed in store.seeds()])


def print_diversity(varied: "Diversity") -> None:
    """Print it in words."""
    from selfinstruct.report.diversity import render

    print("\n".join(render(varied)))
