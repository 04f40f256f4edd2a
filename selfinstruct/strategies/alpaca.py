"""Alpaca: one request for a list of whole tasks, each with its instruction, input and output.

The prompt shows three seed tasks, each with an instance, and never generated ones. It is cheaper than Self-Instruct
(one request for about twenty tasks instead of two for each), but brings no class and one instance per task. Source:
Taori et al. 2023, https://github.com/tatsu-lab/stanford_alpaca.
"""

import random
from collections.abc import Mapping
from typing import Any, ClassVar

from selfinstruct.asking.reading import declined, no_answer
from selfinstruct.asking.stages import GrowthSettings, Prompt, Stage, Variables, rows_of, sample_tasks
from selfinstruct.parsing.begun import NO_NAMES, whole_answer
from selfinstruct.parsing.names import FieldNames
from selfinstruct.parsing.whole_tasks import whole_tasks
from selfinstruct.pool.pool import Snapshot
from selfinstruct.records import Candidate, Completion, Endpoint, Instance, Rejection, SeedTask, Task
from selfinstruct.strategies import Ask, GeneratedInstances, Proposal, came_with


def _sampling(endpoint: Endpoint, settings: GrowthSettings) -> dict[str, Any]:
    if endpoint == "chat":
        return {"temperature": 1.0, "max_tokens": 3072}
    shown = settings.seed_demonstrations + settings.generated_demonstrations
    stop = [f"\n{shown + settings.proposals_per_request + 1}."]
    return {"temperature": 1.0, "top_p": 1.0, "max_tokens": 3072, "stop": stop}


def _demonstrations(n: int) -> tuple[Variables, Variables]:
    seeds = [
        SeedTask(str(number), "", task, (Instance("", "The Nile."),), False)
        for number, task in enumerate(sample_tasks(n))
    ]
    return {"demonstrations": seeds, "n_new": 20}, {"demonstrations": seeds[:1] * 2, "n_new": 20}


PROPOSE = Stage(
    "propose",
    (
        Prompt(
            "alpaca",
            "demonstrations",
            {"tasks": rows_of("instruction", "input", "output")},
            _demonstrations,
            most="proposals_per_request",
        ),
    ),
    _sampling,
)


class Alpaca:
    """The Alpaca method: whole tasks, with input and output, from one request."""

    stages = (PROPOSE,)
    defaults: ClassVar[Mapping[str, Any]] = {
        "seed_demonstrations": 3,
        "generated_demonstrations": 0,
        "proposals_per_request": 20,
    }
    reasons: ClassVar[Mapping[str, str]] = {}
    summary = "asked for whole tasks, with input and output, like the ones it was shown (Alpaca)"

    def __init__(self, settings: GrowthSettings):
        self.settings = settings

    async def propose(self, snapshot: Snapshot, rng: random.Random, ask: Ask) -> Proposal:
        """Request `proposals_per_request` whole tasks at once."""
        seeds = snapshot.pool.seeds
        shown = rng.sample(seeds, min(self.settings.seed_demonstrations, len(seeds)))
        answer = await ask(
            PROPOSE, "alpaca", rng.getrandbits(63), f"{len(shown) + 1}. Instruction:",
            demonstrations=shown, n_new=self.settings.proposals_per_request,
        )  # fmt: skip
        return read_whole_tasks(answer.completion, answer.prefix, self.settings.field_names)

    async def generate_instances(self, task: Task, ask: Ask) -> GeneratedInstances:
        """Return the instance that was proposed with the task, without a request."""
        return came_with(task)


def read_whole_tasks(completion: Completion, prefix: str, names: FieldNames = NO_NAMES) -> Proposal:
    """Read candidates with their instances from an answer.

    `prefix`: as in `Answer`. `names`: further field names, as in the setting `field_names`.
    """
    if nothing := no_answer(completion):
        return Proposal([], [(completion.request_id, nothing)])
    found = whole_tasks(whole_answer(prefix, completion.text, names), completion.was_cut)
    if not found:
        reason = declined(completion) or Rejection("no_list", {})
        return Proposal([], [(completion.request_id, reason)])
    candidates = [
        Candidate(completion.request_id, i, instruction, cut, (Instance(given, output),))
        for i, (instruction, given, output, cut) in enumerate(found)
    ]
    return Proposal(candidates, [])


STRATEGY = Alpaca
