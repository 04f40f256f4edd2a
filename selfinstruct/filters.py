"""What may stay: every filter, and the lists of them.

A filter answers with None, or with a Rejection whose evidence lets a person judge the verdict. Its name is the
reason that is stored, so a new filter is one function and one line:

    Filter         = (Candidate, Pool)      -> Rejection | None
    InstanceFilter = (position, task's instances by position) -> Rejection | None

| filter                 | threshold                | source                                    |
|------------------------|--------------------------|-------------------------------------------|
| cut_off                |                          | the token limit ended the answer there    |
| no_words               | letters or digits        | ROUGE-L could compare nothing             |
| too_short, too_long    | 4 to 150 words           | Self-Instruct, reference code             |
| forbidden_word         | FORBIDDEN_WORDS          | Self-Instruct; Alpaca's additions         |
| asks_for_program       | "Write a program"        | Self-Instruct, reference code             |
| starts_with_*          |                          | Self-Instruct, reference code             |
| too_similar            | ROUGE-L F1 > 0.7         | Self-Instruct, section 2.2                |
| empty_output ...       |                          | Self-Instruct, section 2.2                |
| conflicting_outputs    | same input               | Self-Instruct, section 2.2                |
| too_many               | 5 a task                 | Self-Instruct, reference code             |
"""

import functools
import re
import string
from collections.abc import Callable, Mapping, Sequence

from selfinstruct.novelty import UNSPACED, tokens
from selfinstruct.parsing import ParsedInstance
from selfinstruct.pool import Pool
from selfinstruct.records import Candidate, Neighbor, Rejection

Filter = Callable[[Candidate, Pool], Rejection | None]
InstanceFilter = Callable[[int, Mapping[int, ParsedInstance]], Rejection | None]


def cut_off(candidate: Candidate, pool: Pool) -> Rejection | None:
    """The token limit ended the answer inside this item."""
    return Rejection("cut_off", {}) if candidate.cut else None


def no_words(candidate: Candidate, pool: Pool) -> Rejection | None:
    """Nothing that ROUGE-L could compare: no letter and no digit of any script."""
    return None if tokens(candidate.instruction) else Rejection("no_words", {})


def too_short(candidate: Candidate, pool: Pool) -> Rejection | None:
    """Fewer words than `min_words`. Words are what white space separates; unspaced scripts count by character."""
    words = _word_count(candidate.instruction)
    return Rejection("too_short", {"words": words}) if words < pool.rules.min_words else None


def too_long(candidate: Candidate, pool: Pool) -> Rejection | None:
    """More words than `max_words`."""
    words = _word_count(candidate.instruction)
    return Rejection("too_long", {"words": words}) if words > pool.rules.max_words else None


def forbidden_word(candidate: Candidate, pool: Pool) -> Rejection | None:
    """A word that asks for what a model that reads and writes text cannot do."""
    found = _any_word(pool.rules.forbidden_words).search(candidate.instruction)
    return Rejection("forbidden_word", {"word": found.group()}) if found else None


def asks_for_program(candidate: Candidate, pool: Pool) -> Rejection | None:
    """Begins with "Write a program", which the published filter drops as too vague."""
    return Rejection("asks_for_program", {}) if candidate.instruction.startswith("Write a program") else None


def starts_with_punctuation(candidate: Candidate, pool: Pool) -> Rejection | None:
    """Begins with an ASCII punctuation mark, which is mostly the rest of something else."""
    first = candidate.instruction[:1]
    return Rejection("starts_with_punctuation", {"character": first}) if first in string.punctuation else None


def starts_with_non_ascii(candidate: Candidate, pool: Pool) -> Rejection | None:
    """Begins with a non-ASCII character; only where the setting `ascii_start` asks for it."""
    first = candidate.instruction[:1]
    return (
        Rejection("starts_with_non_ascii", {"character": first}) if pool.rules.ascii_start and first > "\x7f" else None
    )


# In this order, cheap ones first; the novelty rule, which needs the whole pool, comes after them.
FILTERS: tuple[Filter, ...] = (
    cut_off, no_words, too_short, too_long, forbidden_word, asks_for_program, starts_with_punctuation,
    starts_with_non_ascii,
)  # fmt: skip


def judge(candidate: Candidate, pool: Pool) -> tuple[Rejection | None, Neighbor | None]:
    """The first filter's objection, or None, with the nearest known instruction where it was looked for."""
    for rule in FILTERS:
        if rejection := rule(candidate, pool):
            return rejection, None
    nearest = pool.index.nearest(candidate.instruction, above=-1)
    return too_similar(nearest, pool), nearest


def too_similar(nearest: Neighbor | None, pool: Pool) -> Rejection | None:
    """ROUGE-L F1 above the threshold against a seed or an admitted instruction; exactly the threshold passes."""
    if nearest is None or nearest.score <= pool.rules.rouge_threshold:
        return None
    known = pool.known(nearest.index)
    return Rejection("too_similar", {"nearest": known.instruction, "nearest_id": known.id, "score": nearest.score})


def cut_off_instance(i: int, instances: Mapping[int, ParsedInstance]) -> Rejection | None:
    """The token limit ended the answer inside this instance."""
    return Rejection("cut_off", {}) if instances[i].cut else None


def empty_output(i: int, instances: Mapping[int, ParsedInstance]) -> Rejection | None:
    """There is no output."""
    return None if instances[i].output.strip() else Rejection("empty_output", {})


def output_equals_input(i: int, instances: Mapping[int, ParsedInstance]) -> Rejection | None:
    """The output repeats the input."""
    same = instances[i].output.strip() == instances[i].input.strip()
    return Rejection("output_equals_input", {}) if same else None


def ends_with_colon(i: int, instances: Mapping[int, ParsedInstance]) -> Rejection | None:
    """The input or the output ends with a colon: what it announces is missing."""
    for name in ("input", "output"):
        if getattr(instances[i], name).rstrip().endswith(":"):
            return Rejection("ends_with_colon", {"field": name})
    return None


def conflicting_outputs(i: int, instances: Mapping[int, ParsedInstance]) -> Rejection | None:
    """Two instances of the task have the same input and different outputs: then none of the task's can be trusted."""
    outputs: dict[str, str] = {}
    for instance in instances.values():
        if instance.input and outputs.setdefault(instance.input, instance.output) != instance.output:
            both = [outputs[instance.input], instance.output]
            return Rejection("conflicting_outputs", {"input": instance.input, "outputs": both})
    return None


def duplicate_instance(i: int, instances: Mapping[int, ParsedInstance]) -> Rejection | None:
    """An earlier instance of the task is the same."""
    same = next((j for j, earlier in instances.items() if j < i and earlier[:2] == instances[i][:2]), None)
    return None if same is None else Rejection("duplicate_instance", {"same_as": same})


# Each rule sees the instances that the rules before it have left.
INSTANCE_FILTERS: tuple[InstanceFilter, ...] = (
    cut_off_instance, empty_output, output_equals_input, ends_with_colon, conflicting_outputs, duplicate_instance,
)  # fmt: skip


def judge_instances(instances: Sequence[ParsedInstance], max_instances: int) -> list[Rejection | None]:
    """One verdict for each instance, in their order; more than `max_instances` good ones are too many."""
    verdicts: list[Rejection | None] = [None] * len(instances)
    for rule in INSTANCE_FILTERS:
        left = {i: instance for i, instance in enumerate(instances) if verdicts[i] is None}
        for i in left:
            verdicts[i] = rule(i, left)
    good = [i for i, verdict in enumerate(verdicts) if verdict is None]
    for i in good[max_instances:]:
        verdicts[i] = Rejection("too_many", {"most": max_instances})
    return verdicts


def _word_count(text: str) -> int:
    return len(text.split()) if text.isascii() else max(len(text.split()), len(tokens(text)))


@functools.lru_cache(maxsize=8)
def _any_word(words: tuple[str, ...]) -> re.Pattern[str]:
    """Matches any of the words: not inside a longer word, except in scripts that put no spaces between words."""
    inside = rf"[^\W{UNSPACED}]"
    pattern = rf"(?<!{inside})(?:{'|'.join(map(re.escape, words))})(?!{inside})" if words else r"(?!)"
    return re.compile(pattern, re.IGNORECASE)
