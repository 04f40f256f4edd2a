"""Alpaca: one request for a list of whole tasks, each with its instruction, input and output.

Three seed tasks are shown with an instance each; generated ones never are. It is cheaper than Self-Instruct (about one
request for twenty tasks instead of two for each), but asks for no class and gives one instance a task. Source: Taori et
al. 2023, https://github.com/tatsu-lab/stanford_alpaca.
"""

import random

from selfinstruct.config.config import Config
from selfinstruct.parsing.whole_tasks import whole_tasks
from selfinstruct.pool.pool import Snapshot
from selfinstruct.records import Candidate, Completion, Instance, Rejection, Task
from selfinstruct.strategies import Ask, Made, Proposal, came_with
from selfinstruct.strategies.asking import build_request, declined, no_answer
from selfinstruct.strategies.prompts import Prompts


class Alpaca:
    """Everything in one request."""

    def __init__(self, config: Config, prompts: Prompts):
        self.config = config
        self.prompts = prompts
        self.choices = {stage: config.choices(stage) for stage in config.stages}

    async def propose(self, snapshot: Snapshot, rng: random.Random, ask: Ask) -> Proposal:
        """One request for `proposals_per_request` whole tasks."""
        config = self.config
        seeds = snapshot.pool.seeds
        shown = rng.sample(seeds, min(config.seed_demonstrations, len(seeds)))
        request = build_request(
            self.choices["propose"], self.prompts, "propose", "alpaca", rng.getrandbits(63),
            demonstrations=shown, n_new=config.proposals_per_request,
        )  # fmt: skip
        begun = f"{len(shown) + 1}. Instruction:" if request.endpoint == "completion" else ""
        return read_whole_tasks(await ask(request), begun)

    async def make_instances(self, task: Task, ask: Ask) -> Made:
        """The instance that came with the task."""
        return came_with(task)


def read_whole_tasks(completion: Completion, begun: str) -> Proposal:
    """The candidates, with their instances, in an answer; `begun` is what the prompt had said of it already."""
    if nothing := no_answer(completion):
        return Proposal([], [(completion.request_id, nothing)])
    found = whole_tasks(begun + completion.text, completion.was_cut)
    if not found:
        reason = declined(completion) or Rejection("no_list", {})
        return Proposal([], [(completion.request_id, reason)])
    candidates = [
        Candidate(completion.request_id, i, instruction, cut, (Instance(given, output),))
        for i, (instruction, given, output, cut) in enumerate(found)
    ]
    return Proposal(candidates, [])
