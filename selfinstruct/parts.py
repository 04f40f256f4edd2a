"""Parts that are found by the names of their files, without importing any: strategies, and kinds of teachers.

A new one is a new file; nothing else lists it. Files whose names begin with an underscore hold what parts share.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from selfinstruct.errors import UsageError


def names_in(folder: str, first: str) -> tuple[str, ...]:
    """The parts in a folder of this package, `first` before the others, as users write them: with hyphens."""
    files = iter_modules([str(Path(__file__).parent / folder)])
    found = (one.name.replace("_", "-") for one in files if not one.name.startswith("_"))
    return (first, *(name for name in found if name != first))


def part(package: str, name: str, declared: str) -> Any:
    """What the file of a part declares under that name; UsageError, naming the file, where it cannot be loaded."""
    module = f"{package}.{name.replace('-', '_')}"
    try:
        return getattr(import_module(module), declared)
    except Exception as error:  # whatever goes wrong in a file that somebody has put there
        file = "/".join(module.split(".")) + ".py"
        raise UsageError(
            f"{file}: cannot be loaded ({type(error).__name__}: {error}). Correct it, or take it away."
        ) from error


STRATEGIES = names_in("strategies", "self-instruct")
TEACHERS = names_in("teachers/kinds", "simulated")
