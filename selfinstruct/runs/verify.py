"""`verify`: whether a run's store is consistent, and holds what its answers say.

The first half is `store.verify`, which computes every id, hash and score again. The second reads and filters the stored
answers again, as `refilter` would under the run's own rules, and compares the tables. It finds what is consistent in
itself, but comes from no answer: an instance that was added, deleted or edited with its id, a rejection made by hand.
"""

from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from selfinstruct import __version__
from selfinstruct.config.config import Config
from selfinstruct.config.custom import not_loaded
from selfinstruct.config.stored import config_of
from selfinstruct.runs.refilter import Refiltering
from selfinstruct.runs.votes import misread
from selfinstruct.store import annotations, replayed
from selfinstruct.store.store import Store
from selfinstruct.store.verify import DAMAGE, UNFINISHED, hashed_later, problems, why

_CANNOT_READ = "the answers cannot be parsed again"
_UNREADABLE = ("the table ", "the view ", UNFINISHED, _CANNOT_READ)


class Verified(NamedTuple):
    """The problems in a run, one line for each row; and what could not be verified."""

    problems: list[str]
    notes: list[str]

    @property
    def readable(self) -> bool:
        """Whether the stored answers can still be read, and so be filtered again."""
        return not any(line.startswith(_UNREADABLE) for line in self.problems)


def verify(run: Path, wait: Callable[[Callable[[], Coroutine[Any, Any, Verified]]], Verified]) -> Verified:
    """Verify the run in a folder. `wait` runs the half that needs an event loop; the other one can be interrupted."""
    with Store.read(run) as store:
        of_rows, of_others = problems(store)
        n_later = 0 if of_rows or of_others else hashed_later(store)
    found = Verified(_one_each(of_rows + of_others), [])
    if not found.readable:
        return found  # reading again would end at the same damage
    again = wait(lambda: _read_again(run))
    notes = again.notes
    if n_later:
        notes.append(
            f"{n_later:,} answers were stored before there were hashes. Their hashes were computed when the file was "
            "updated, so earlier changes are not detected."
        )
    first, then = (again.problems, of_others) if again.readable else (of_others, again.problems)
    return Verified(_one_each(of_rows + first + then), notes)


def _one_each(lines: list[str]) -> list[str]:
    """The first line about each row: one that was changed is wrong in itself, and differs from the answers, too.

    So what was changed or deleted comes first, and after it what no longer fits to it.
    """
    first: dict[str, str] = {}
    for line in lines:
        first.setdefault(line.partition(": ")[0], line)
    return list(first.values())


async def _read_again(run: Path) -> Verified:
    with Store.read(run) as store, store.snapshot():  # the run may be growing
        try:
            is_of_votes = annotations.is_of_votes(store)
            if why_not := _of_another_version(store) or ("" if is_of_votes else _needs_code(store)):
                return Verified([], [f"The answers were not parsed again: {why_not}."])
            if is_of_votes:
                return Verified(misread(store), [])
            return Verified(await _differences(store, config_of(store)), [])
        except DAMAGE as error:
            return Verified([f"{_CANNOT_READ}; settings or rows are damaged ({why(error)})"], [])


def _of_another_version(store: Store) -> str:
    """Why answers are not compared that another version has read; "" if none has."""
    settings = store.settings()
    if others := sorted({*settings.get("versions", [settings.get("version", "")])} - {__version__}):
        return f"they were parsed by version {', '.join(others)}, and this is version {__version__}"
    return ""


def _needs_code(store: Store) -> str:
    """Why answers cannot be read again without the user's own code; "" if they can."""
    if code := not_loaded(config_of(store), ("strategies", "filters")):
        return f"that needs code of your own, which verify never loads ({', '.join(part.split()[-1] for part in code)})"
    return ""


async def _differences(store: Store, config: Config) -> list[str]:
    with TemporaryDirectory(prefix="selfinstruct-verify-") as folder:
        store.copy_to(Path(folder) / "run")
        with Store.resume(Path(folder) / "run") as again:
            await Refiltering(store, again, config).run()
            return replayed.differences(store, again)
