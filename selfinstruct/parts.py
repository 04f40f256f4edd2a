"""Strategies and kinds of teachers, found by their file names without importing them.

A new one is a new file; nothing else lists it. Files whose names begin with an underscore hold shared code.
"""

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from selfinstruct.errors import UsageError


def names_in(folder: str, first: str) -> tuple[str, ...]:
    """The parts in a folder of this package, `first` first, as users write them: self-instruct, llama.cpp."""
    files = iter_modules([str(Path(__file__).parent / folder)])
    found = (one.name.replace("_cpp", ".cpp").replace("_", "-") for one in files if not one.name.startswith("_"))
    return (first, *(name for name in found if name != first))


def part(package: str, name: str, declared: str) -> Any:
    """What the file of a part declares under that name; UsageError, naming the file, if it cannot be loaded."""
    module = f"{package}.{re.sub('[-.]', '_', name)}"
    try:
        return getattr(import_module(module), declared)
    except Exception as error:  # whatever goes wrong in a file that somebody added
        file = "/".join(module.split(".")) + ".py"
        raise UsageError(f"{file}: cannot be loaded ({type(error).__name__}: {error}). Fix or remove it.") from error


STRATEGIES = names_in("strategies", "self-instruct")
TEACHERS = names_in("teachers/kinds", "simulated")
