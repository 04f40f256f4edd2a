"""Why something was rejected, in words: as filters and strategies declare it."""

from functools import cache

from selfinstruct.filters.verdicts import WORDS
from selfinstruct.strategies import reasons


@cache
def all_reasons() -> dict[str, str]:
    """Every reason of rejection that is declared, with its words."""
    return WORDS | reasons()


def words_of(reason: str) -> str:
    """What a reason means; "" where nothing declares it, as in a run of another version."""
    return all_reasons().get(reason, "")
