"""Self-Instruct: new tasks from 6 seed and 2 generated ones, then their class, then their instances.

Classification tasks are made output-first, because a teacher that invents the input first tends to invent inputs of
one class only; all others input-first. Source: Wang et al., arXiv 2212.10560, sections 2.2 and 2.3.
"""

import random
from typing import Any

from selfinstruct.config import Config
from selfinstruct.parsing import input_first, is_refusal, numbered_items, output_first, yes_or_no
from selfinstruct.pool import Snapshot
from selfinstruct.prompts import Prompts
from selfinstruct.records import Candidate, Completion, Rejection, Request, Stage, Task
from selfinstruct.strategies import Ask, Made, Proposal


class SelfInstruct:
    """The published method, for chat models and for base models."""

    def __init__(self, config: Config, prompts: Prompts):
        self.config = config
        self.prompts = prompts

    async def propose(self, snapshot: Snapshot, rng: random.Random, ask: Ask) -> Proposal:
        """One request for `proposals_per_request` new instructions."""
        config = self.config
        shown = snapshot.demonstrations(rng, config.seed_demonstrations, config.generated_demonstrations)
        demonstrations = [" ".join(text.split()).rstrip(":") for text in shown]
        request = self._request(
            "propose", "propose", rng.getrandbits(63), demonstrations=demonstrations, n_new=config.proposals_per_request
        )
        completion = await ask(request)
        if no_answer := _no_answer(completion):
            return Proposal([], [(request.id, no_answer)])
        # A base model goes on behind the number that ends its prompt.
        begun = f"{len(demonstrations) + 1}. " if request.endpoint == "completion" else ""
        items = numbered_items(begun + completion.text, completion.was_cut)
        if not items:
            return Proposal([], [(request.id, Rejection("no_list", {}))])
        return Proposal([Candidate(request.id, i, item.text, item.cut) for i, item in enumerate(items)], [])

    async def make_instances(self, task: Task, ask: Ask) -> Made:
        """One request for the class, one for the instances."""
        unreadable: list[tuple[str, Rejection]] = []
        request = self._request("classify", "classify", self.config.seed, instruction=task.instruction)
        completion = await ask(request)
        is_classification = None if completion.error else yes_or_no(completion.text)
        if is_classification is None:
            # The task is not lost: input-first works for every task.
            unreadable.append((request.id, _no_answer(completion) or Rejection("no_yes_or_no", {})))

        order, begun, read = (
            ("output_first", "Class label:", output_first)
            if is_classification
            else ("input_first", "Example 1\n", input_first)
        )
        request = self._request(
            "instances", order, self.config.seed,
            instruction=task.instruction, n_instances=self.config.instances_per_task,
        )  # fmt: skip
        completion = await ask(request)
        instances = []
        if no_answer := _no_answer(completion):
            unreadable.append((request.id, no_answer))
        else:
            text = begun + completion.text if request.endpoint == "completion" else completion.text
            instances = read(text, completion.was_cut)
            if not instances:
                unreadable.append((request.id, Rejection("no_instance", {})))
        return Made(is_classification, request.id, instances, unreadable)

    def _request(self, stage: Stage, prompt: str, number: int, **variables: Any) -> Request:
        """The request of `stage`; `number` tells apart requests of equal text, and seeds the teacher."""
        teacher, sampling = self.config.stage(stage)
        system, user = self.prompts.render(f"{teacher.endpoint}/{prompt}", **variables)
        if teacher.send_seed:
            sampling = {**sampling, "seed": number & 0x7FFFFFFF}  # all that some servers take
        if teacher.logprobs:
            sampling = {**sampling, "logprobs": True if teacher.endpoint == "chat" else 0}
        return Request(stage, teacher.kind, teacher.model, teacher.endpoint, system, user, sampling, number)


def _no_answer(completion: Completion) -> Rejection | None:
    if completion.error:
        return Rejection("no_answer", {"error": completion.error})
    if not completion.text.strip():
        return Rejection("empty_answer", {"finish_reason": completion.finish_reason})
    if is_refusal(completion.text):
        return Rejection("refusal", {})
    return None
