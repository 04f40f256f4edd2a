"""Self-Instruct: new tasks from 6 seed and 2 generated ones, then their class, then their instances.

Classification tasks are made output-first, because a teacher that invents the input first tends to invent inputs of
one class only; all others input-first. Source: Wang et al., arXiv 2212.10560, sections 2.2 and 2.3.
"""

import random
from collections.abc import Sequence

from selfinstruct.config.config import Config
from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.lists import numbered_items
from selfinstruct.parsing.verdicts import yes_or_no
from selfinstruct.pool.pool import Snapshot
from selfinstruct.records import Candidate, Completion, Rejection, Task
from selfinstruct.strategies import Ask, Made, Proposal
from selfinstruct.strategies.asking import build_request, declined, no_answer
from selfinstruct.strategies.prompts import Prompts


class SelfInstruct:
    """The published method, for chat models and for base models."""

    def __init__(self, config: Config, prompts: Prompts):
        self.config = config
        self.prompts = prompts
        self.choices = {stage: config.choices(stage) for stage in config.stages}

    async def propose(self, snapshot: Snapshot, rng: random.Random, ask: Ask) -> Proposal:
        """One request for `proposals_per_request` new instructions."""
        config = self.config
        shown = snapshot.demonstrations(rng, config.seed_demonstrations, config.generated_demonstrations)
        demonstrations = [" ".join(text.split()).rstrip(":") for text in shown]
        request = build_request(
            self.choices["propose"], self.prompts, "propose", "propose", rng.getrandbits(63),
            demonstrations=demonstrations, n_new=config.proposals_per_request,
        )  # fmt: skip
        # A base model goes on behind the number that ends its prompt.
        begun = f"{len(demonstrations) + 1}. " if request.endpoint == "completion" else ""
        return read_proposal(await ask(request), begun)

    async def make_instances(self, task: Task, ask: Ask) -> Made:
        """A request for the class and one for the instances, each once more where its answer cannot be read."""
        config = self.config
        answers: list[Completion] = []
        is_classification = None
        for again in (False, True):
            request = build_request(
                self.choices["classify"], self.prompts, "classify", "classify", config.seed + again,
                instruction=task.instruction, again=again,
            )  # fmt: skip
            answers.append(await ask(request))
            is_classification = read_class(answers[-1])
            if answers[-1].error or is_classification is not None:
                break
        order, begun = ("output_first", "Class label:") if is_classification else ("input_first", "Example 1\n")
        examples: list[Completion] = []
        for again in (False, True):
            request = build_request(
                self.choices["instances"], self.prompts, "instances", order, config.seed + again,
                instruction=task.instruction, n_instances=config.instances_per_task, again=again,
            )  # fmt: skip
            examples.append(await ask(request))
            made = read_made(answers, examples, begun if request.endpoint == "completion" else "")
            # A base model is asked in the same words, and a longer answer would be cut off again.
            if made.instances or examples[-1].error or examples[-1].was_cut or request.endpoint == "completion":
                break
        return made


def read_proposal(completion: Completion, begun: str) -> Proposal:
    """The candidates in an answer to a proposal request; `begun` is what the prompt had said of it already."""
    if nothing := no_answer(completion):
        return Proposal([], [(completion.request_id, nothing)])
    items = numbered_items(begun + completion.text, completion.was_cut)
    # What goes on behind a number is one item at least.
    if len(items) <= bool(begun) and (refusal := declined(completion)):
        return Proposal([], [(completion.request_id, refusal)])
    if not items:
        return Proposal([], [(completion.request_id, Rejection("no_list", {}))])
    return Proposal([Candidate(completion.request_id, i, text, cut) for i, (text, cut) in enumerate(items)], [])


def read_class(completion: Completion) -> bool | None:
    """The verdict in an answer to the question for the class; None where there is none."""
    return None if no_answer(completion) else yes_or_no(completion.text)


def read_made(classes: Sequence[Completion], examples: Sequence[Completion], begun: str) -> Made:
    """What was made of a task: `classes` answer the question for its class, `examples` are the answers with instances.

    Of both the last one decides. Without a verdict the task is not lost: it is read input-first, which works for every
    task, and the unclear answers are kept with the reason.
    """
    verdicts = [read_class(answer) for answer in classes]
    is_classification = verdicts[-1] if verdicts else None
    unreadable = [
        (answer.request_id, no_answer(answer) or declined(answer) or Rejection("unclear_class", {}))
        for answer, verdict in zip(classes, verdicts, strict=True)
        if verdict is None
    ]
    read = output_first if is_classification else input_first
    instances: list[ParsedInstance] = []
    for answer in examples:
        nothing = no_answer(answer) or declined(answer)
        instances = [] if nothing else read(begun + answer.text, answer.was_cut)
        if not instances:
            unreadable.append((answer.request_id, nothing or Rejection("no_instance", {})))
    return Made(is_classification, examples[-1].request_id, instances, unreadable)
