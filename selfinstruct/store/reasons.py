"""Why something was rejected, in words: as filters and strategies declare it."""

from functools import cache

from selfinstruct.asking import reading
from selfinstruct.filters import verdicts
from selfinstruct.strategies import declared


@cache
def all_reasons() -> dict[str, str]:
    """Every reason of rejection that the package declares, with its words; a run may have more: `Store.declared`."""
    return verdicts.WORDS | declared().reasons


def remedy(reason: str) -> str:
    """What to try in a new run where much is rejected for this reason; "" if nothing is known to help."""
    if reason in verdicts.WORDS or reason in reading.IMPORTED:
        return verdicts.REMEDIES.get(reason, "")
    is_of_answers = reason in all_reasons()
    return "look at the answers, and try another answer_format or another model" if is_of_answers else ""
