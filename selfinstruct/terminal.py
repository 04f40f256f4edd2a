"""How long work takes, as a terminal shows it: a bar over rows, and the time that is left."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def time_left(seconds: float | None) -> str:
    """The time that is left, for people."""
    if seconds is None:
        return "time left not known yet"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} left" if hours else f"{minutes}:{rest:02} left"


def tracked(rows: Sequence[T], what: str) -> Iterable[T]:
    """The rows, with a bar on a terminal that shows how far the loop over them has come."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(rows, what, console=console, transient=True, disable=not console.is_terminal)
