"""What a filter is: a function that rejects with evidence, with its declaration above it.

@rule("filter", "too few words", source="Self-Instruct, reference code")
def too_short(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    n = len(candidate.instruction.split())
    return {"words": n} if n < pool.rules.min_words else None
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec

from selfinstruct.records import Rejection

P = ParamSpec("P")
Evidence = dict[str, Any]  # JSON values


@dataclass(frozen=True)
class Rule(Generic[P]):
    """A filter. Its name is the reason stored with what it rejects.

    `stage`: the stage that its rejections are listed under. `words`: what it rejects, in a few words. `source`: where
    the rule comes from. `required`: why it cannot be switched off, "" if it can. `remedy`: what to try in a new run
    where it rejects much, "" if nothing is known to help.
    """

    name: str
    stage: str
    words: str
    source: str
    required: str
    check: Callable[P, Evidence | None]
    remedy: str = ""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Rejection | None:
        """The rejection, or None."""
        evidence = self.check(*args, **kwargs)
        return None if evidence is None else Rejection(self.name, evidence)

    def unless_in(self, without: Collection[str], *args: P.args, **kwargs: P.kwargs) -> Rejection | None:
        """The rejection, or None; also None if the filter is switched off."""
        return None if self.name in without else self(*args, **kwargs)


def rule(
    stage: str, words: str, source: str = "", required: str = "", remedy: str = ""
) -> Callable[[Callable[P, Evidence | None]], Rule[P]]:
    """Turn the decorated function into a filter of that stage, named like the function."""

    def declare(check: Callable[P, Evidence | None]) -> Rule[P]:
        return Rule(check.__name__, stage, words, source, required, check, remedy)

    return declare
