"""What a filter is: a function that objects with evidence, declared with its words beside it.

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
    """A filter. Its name is the reason that is stored with what it rejects.

    `stage` is where on the way it stands, `words` say in a few words what it rejects, `source` where it comes from;
    `required` says why it cannot be switched off, "" where it can.
    """

    name: str
    stage: str
    words: str
    source: str
    required: str
    check: Callable[P, Evidence | None]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Rejection | None:
        """The objection, or None."""
        evidence = self.check(*args, **kwargs)
        return None if evidence is None else Rejection(self.name, evidence)

    def unless_in(self, without: Collection[str], *args: P.args, **kwargs: P.kwargs) -> Rejection | None:
        """The objection, or None; None as well where the filter is switched off."""
        return None if self.name in without else self(*args, **kwargs)


def rule(
    stage: str, words: str, source: str = "", required: str = ""
) -> Callable[[Callable[P, Evidence | None]], Rule[P]]:
    """Declare the function below as a filter of that stage; its name is the function's."""

    def declare(check: Callable[P, Evidence | None]) -> Rule[P]:
        return Rule(check.__name__, stage, words, source, required, check)

    return declare
