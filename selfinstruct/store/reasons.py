"""Why something was rejected, in words: as filters and strategies declare it."""

from functools import cache

from selfinstruct.filters.verdicts import WORDS
from selfinstruct.strategies import declared


@cache
def all_reasons() -> dict[str, str]:
    """Every reason of rejection that the package declares, with its words; a run may have more: `Store.declared`."""
    return WORDS | declared().reasons
