"""How much there is and how long work takes, as a terminal or a notebook shows it: counts, bars, the time left."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

CELL_EVERY_S = 0.5  # a line in a notebook: each update is a message to the browser, kept until the cell is done
T = TypeVar("T")


def n_of(number: int, one: str, several: str = "") -> str:
    """A count with its noun: "1 row", "2,000 rows"; `several`: a plural other than the noun with an s."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def time_left(seconds: float | None) -> str:
    """The time that is left, for people."""
    if seconds is None:
        return "time left not known yet"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} left" if hours else f"{minutes}:{rest:02} left"


class CellLine:
    """A line in a notebook's output cell that is written over, where printed ones would fill the cell.

    It is bound to the cell in which it is made, also where another thread goes on with it.
    """

    def __init__(self, text: str):
        from IPython.display import display

        self._handle: Any = display({"text/plain": text}, raw=True, display_id=True)

    def update(self, text: str) -> None:
        """Show this text instead."""
        self._handle.update({"text/plain": text}, raw=True)


def tracked(rows: Sequence[T], what: str) -> Iterable[T]:
    """The rows, with a bar on a terminal that shows how far the loop over them has come."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(rows, what, console=console, transient=True, disable=not console.is_terminal)
