"""What to try in a new run, by what is rejected most in this one."""

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from selfinstruct.filters.verdicts import CANDIDATE_STAGES, WORDS
from selfinstruct.store.reasons import remedy

if TYPE_CHECKING:
    from selfinstruct.report.status import Status

MANY = 0.2  # of the candidates, the instances or a stage's answers, rejected for one reason
ENOUGH = 10  # rejections; of fewer, the share says little
NEARLY_ALL, ENOUGH_TASKS = 0.95, 20  # tasks with a yes in a field
MOST = 3  # pieces of advice


def advice(found: "Status") -> list[str]:
    """The remedies for the most common reasons, each with its reasons and their shares; [] if all is well."""
    answers = Counter[str]()
    for usage in found.usage:
        answers[usage.stage] += usage.requests
    tips: defaultdict[str, list[tuple[float, str]]] = defaultdict(list)
    for stage, reason, n in found.rejected:
        noun, whole = f"the {stage} answers", answers[stage]
        if reason in WORDS and stage in CANDIDATE_STAGES:
            noun, whole = "the candidates", found.candidates - found.pending
        elif reason in WORDS:
            noun, whole = "the instances", found.instances
        if whole and n >= max(ENOUGH, MANY * whole) and (helps := remedy(reason)):
            tips[helps].append((n / whole, f"{reason}: {n / whole:.0%} of {noun}"))
    for one in found.declared.counted.values():
        n = found.counted[one.key]
        if found.generated >= ENOUGH_TASKS and n >= NEARLY_ALL * found.generated and one.nearly_all:
            tips[one.nearly_all].append((n / found.generated, f"{n / found.generated:.0%} {one.words}"))
    most = sorted(tips.items(), key=lambda tip: max(tip[1]), reverse=True)[:MOST]
    return [f"{helps} ({', '.join(said for _, said in shares)})" for helps, shares in most]
