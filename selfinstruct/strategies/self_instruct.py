"""Self-Instruct: propose tasks from 6 seeds and 2 generated ones, then classify them, then generate instances.

Classification tasks are generated output-first, because a teacher that invents the input first tends to invent inputs
of one class only; all others input-first. Source: Wang et al., arXiv 2212.10560, sections 2.2 and 2.3; the sampling
settings for base models are those of its appendix A. Chat models propose at temperature 1 and answer the other stages
greedily.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from selfinstruct.asking.reading import declined, no_answer
from selfinstruct.asking.stages import Counted, GrowthSettings, Prompt, Stage, Variables, rows_of, sample_tasks
from selfinstruct.parsing.begun import NO_NAMES, whole_answer
from selfinstruct.parsing.examples import input_first, output_first
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.lists import numbered_items
from selfinstruct.parsing.names import FieldNames
from selfinstruct.parsing.verdicts import yes_or_no
from selfinstruct.pool.pool import Snapshot
from selfinstruct.records import Candidate, Completion, Endpoint, Rejection, Task
from selfinstruct.strategies import Ask, GeneratedInstances, Proposal


def _proposing(endpoint: Endpoint, settings: GrowthSettings) -> dict[str, Any]:
    if endpoint == "chat":
        return {"temperature": 1.0, "max_tokens": 1024}
    shown = settings.seed_demonstrations + settings.generated_demonstrations
    stop = ["\n\n", f"\n{shown + settings.proposals_per_request + 1}."]  # a base model would go on and on
    return {"temperature": 0.7, "top_p": 0.5, "presence_penalty": 2.0, "max_tokens": 1024, "stop": stop}


def _classifying(endpoint: Endpoint, settings: GrowthSettings) -> dict[str, Any]:
    if endpoint == "chat":
        return {"temperature": 0.0, "max_tokens": 32}
    return {"temperature": 0.0, "max_tokens": 3, "stop": ["\n"]}


def _generating(endpoint: Endpoint, settings: GrowthSettings) -> dict[str, Any]:
    if endpoint == "chat":
        return {"temperature": 0.0, "max_tokens": 1024}
    return {"temperature": 0.0, "presence_penalty": 1.5, "max_tokens": 350, "stop": ["\nTask:"]}


def _demonstrations(n: int) -> tuple[Variables, Variables]:
    return {"demonstrations": sample_tasks(n), "n_new": 8}, {"demonstrations": ["Name a lake."], "n_new": 8}


def _of_one_task(**variables: Any) -> tuple[Variables, Variables]:
    return {"instruction": sample_tasks(1)[0], **variables}, {"instruction": "Name a lake.", **variables}


def _with_instances(n: int) -> tuple[Variables, Variables]:
    return _of_one_task(n_instances=3, again=False)


PROPOSE = Stage(
    "propose",
    (
        Prompt(
            "propose",
            "demonstrations",
            {"tasks": {"type": "array", "items": {"type": "string"}}},
            _demonstrations,
            most="proposals_per_request",
        ),
    ),
    _proposing,
)
CLASSIFY = Stage(
    "classify",
    (
        Prompt(
            "classify", "instruction", {"is_classification": {"type": "boolean"}}, lambda n: _of_one_task(again=False)
        ),
    ),
    _classifying,
    asks_for="the class",
    counts=Counted(
        "is_classification",
        "classification",
        "class",
        "classification tasks",
        ("a classification task", "not a classification task", "of unknown class"),
        'try another model, or strategy = "alpaca", which does not ask for the class',
    ),
)
INSTANCES = Stage(
    "instances",
    (
        Prompt(
            "input_first",
            "instruction",
            {"instances": rows_of("input", "output")},
            _with_instances,
            most="instances_per_task",
        ),
        Prompt(
            "output_first",
            "instruction",
            {"instances": rows_of("label", "input")},
            _with_instances,
            most="instances_per_task",
        ),
    ),
    _generating,
    asks_for="instances",
)


class SelfInstruct:
    """The Self-Instruct method as published, for chat and base models."""

    stages = (PROPOSE, CLASSIFY, INSTANCES)
    defaults: ClassVar[Mapping[str, Any]] = {}
    reasons: ClassVar[Mapping[str, str]] = {
        "unclear_class": "neither yes nor no",
        "no_instance": "no instance found in the answer",
    }
    summary = (
        "asked for new tasks like the ones it was shown; then, for each, whether it is a classification task, and for "
        "instances of it (Self-Instruct, arXiv 2212.10560)"
    )

    def __init__(self, settings: GrowthSettings):
        self.settings = settings

    async def propose(self, snapshot: Snapshot, rng: random.Random, ask: Ask) -> Proposal:
        """Request `proposals_per_request` new instructions at once."""
        shown = snapshot.demonstrations(rng, self.settings.seed_demonstrations, self.settings.generated_demonstrations)
        demonstrations = [" ".join(text.split()).rstrip(":") for text in shown]
        answer = await ask(
            PROPOSE, "propose", rng.getrandbits(63), f"{len(demonstrations) + 1}. ",
            demonstrations=demonstrations, n_new=self.settings.proposals_per_request,
        )  # fmt: skip
        return read_proposal(answer.completion, answer.prefix, self.settings.field_names)

    async def generate_instances(self, task: Task, ask: Ask) -> GeneratedInstances:
        """Request the class, then the instances; each a second time if its answer cannot be read."""
        classes: list[Completion] = []
        is_classification = None
        for again in (False, True):
            answer = await ask(
                CLASSIFY, "classify", self.settings.seed + again, instruction=task.instruction, again=again
            )
            classes.append(answer.completion)
            is_classification = read_class(classes[-1])
            if classes[-1].error or is_classification is not None:
                break
        prompt, prefix = ("output_first", "Class label:") if is_classification else ("input_first", "Example 1\n")
        examples: list[Completion] = []
        for again in (False, True):
            answer = await ask(
                INSTANCES, prompt, self.settings.seed + again, prefix,
                instruction=task.instruction, n_instances=self.settings.instances_per_task, again=again,
            )  # fmt: skip
            examples.append(answer.completion)
            generated = read_generated(task.instruction, classes, examples, answer.prefix, self.settings.field_names)
            is_last = examples[-1].error or examples[-1].was_cut or answer.endpoint == "completion"
            # A base model is asked in the same words, and a longer answer would be cut off again.
            if generated.instances or is_last:
                break
        return generated


def read_proposal(completion: Completion, prefix: str, names: FieldNames = NO_NAMES) -> Proposal:
    """Read the candidates from an answer to a proposal request.

    `prefix`: as in `Answer`. `names`: further field names, as in the setting `field_names`.
    """
    if nothing := no_answer(completion):
        return Proposal([], [(completion.request_id, nothing)])
    items = numbered_items(whole_answer(prefix, completion.text, names), completion.was_cut)
    # Text after a number is at least one item.
    if len(items) <= bool(prefix) and (refusal := declined(completion)):
        return Proposal([], [(completion.request_id, refusal)])
    if not items:
        return Proposal([], [(completion.request_id, Rejection("no_list", {}))])
    return Proposal([Candidate(completion.request_id, i, text, cut) for i, (text, cut) in enumerate(items)], [])


def read_class(completion: Completion) -> bool | None:
    """Read whether a task is a classification task from an answer; None if it does not say."""
    return None if no_answer(completion) else yes_or_no(completion.text)


def read_generated(
    task: str, classes: Sequence[Completion], examples: Sequence[Completion], prefix: str, names: FieldNames = NO_NAMES
) -> GeneratedInstances:
    """Read what was generated for a `task`: `classes` are the answers about its class, `examples` those with instances.

    The last answer of each decides. A task of unknown class is kept: it is read input-first, which works for every
    task, and the unclear answers are stored with the reason.
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
        nothing = no_answer(answer) or declined(answer, task)
        instances = [] if nothing else read(whole_answer(prefix, answer.text, names), answer.was_cut, task)
        if not instances:
            unreadable.append((answer.request_id, nothing or Rejection("no_instance", {})))
    extra = {} if is_classification is None else {"is_classification": is_classification}
    return GeneratedInstances(examples[-1].request_id, instances, unreadable, extra)


STRATEGY = SelfInstruct
