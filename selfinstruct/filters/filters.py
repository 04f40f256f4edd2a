"""What may stay: every filter, and the lists of them.

A filter answers with None, or with a Rejection whose evidence lets a person judge the verdict. Its name is the
reason that is stored, so a new filter is one function and one line; the setting `without` switches filters off:

    Filter         = (Candidate, Pool)                        -> Rejection | None
    InstanceFilter = (position, task's instances by position) -> Rejection | None
    RecordFilter   = (instruction, instance, Pool)            -> Rejection | None

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
| pseudo_empty_input     | "None", "<noinput>" ...  | known defects of Alpaca's published data  |
| merged_tasks           | "7. Instruction: ..."    | the same                                  |
| conflicting_outputs    | same input               | Self-Instruct, section 2.2                |
| too_many               | 5 a task                 | Self-Instruct, reference code             |
| near_duplicate         | Jaccard of triples 0.7   | docs/measurements.md                      |
| contaminated           | 13 words, or ROUGE-L 0.7 | GPT-3, appendix C; see contamination.py   |
"""

import functools
import re
import string
from collections.abc import Callable, Collection, Mapping, Sequence

from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.verdicts import says_no_input
from selfinstruct.pool.novelty import UNSPACED, tokens
from selfinstruct.pool.pool import Pool, record_text
from selfinstruct.records import Candidate, Neighbor, Rejection

_MARK_OF_NOTHING = re.compile(r"\W*no\s*(?:input|output)\W*", re.IGNORECASE)
# "7. Instruction: ..." of Alpaca's prompt, "### Response:" of the usual training templates.
_NEXT_TASK = re.compile(
    r"^[ \t]*(?:\d{1,3}\.[ \t]*(?:instruction|input|output)|#{2,}[ \t]*(?:instruction|input|response))[ \t]*:.*$",
    re.IGNORECASE | re.MULTILINE,
)

Filter = Callable[[Candidate, Pool], Rejection | None]
InstanceFilter = Callable[[int, Mapping[int, ParsedInstance]], Rejection | None]
RecordFilter = Callable[[str, ParsedInstance, Pool], Rejection | None]


def cut_off(candidate: Candidate, pool: Pool) -> Rejection | None:
    """The token limit ended the answer inside this item."""
    return Rejection("cut_off", {}) if candidate.cut else None


def no_words(candidate: Candidate, pool: Pool) -> Rejection | None:
    """Nothing that ROUGE-L could compare: no letter and no digit of any script."""
    return None if tokens(candidate.instruction) else Rejection("no_words", {})


def too_short(candidate: Candidate, pool: Pool) -> Rejection | None:
    """Fewer words than `min_words`. Words are what white space separates; unspaced scripts count by character."""
    words = _words(candidate.instruction, pool)
    return Rejection("too_short", {"words": words}) if words < pool.rules.min_words else None


def too_long(candidate: Candidate, pool: Pool) -> Rejection | None:
    """More words than `max_words`."""
    words = _words(candidate.instruction, pool)
    return Rejection("too_long", {"words": words}) if words > pool.rules.max_words else None


def forbidden_word(candidate: Candidate, pool: Pool) -> Rejection | None:
    """A word that asks for what a model that reads and writes text cannot do."""
    found = _any_word(pool.rules.forbidden_words).search(candidate.instruction)
    return Rejection("forbidden_word", {"word": found.group()}) if found else None


def asks_for_program(candidate: Candidate, pool: Pool) -> Rejection | None:
    """Begins with "Write a program" (any case), which the published filter drops as too vague."""
    return Rejection("asks_for_program", {}) if candidate.instruction.lower().startswith("write a program") else None


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


def contaminated(candidate: Candidate, pool: Pool) -> Rejection | None:
    """Overlaps a question of a test set that the run was told to keep clear of."""
    return _overlap(pool, candidate.instruction)


# In this order, cheap ones first; the novelty rule, which needs the whole pool, comes after them.
FILTERS: tuple[Filter, ...] = (
    cut_off, no_words, too_short, too_long, forbidden_word, asks_for_program, starts_with_punctuation,
    starts_with_non_ascii, contaminated,
)  # fmt: skip


def judge(candidate: Candidate, pool: Pool) -> tuple[Rejection | None, Neighbor | None]:
    """The first filter's objection, or None, with the nearest known instruction where it was looked for."""
    for rule in FILTERS:
        if counts(rejection := rule(candidate, pool), pool.rules.without):
            return rejection, None
    nearest = pool.index.nearest(candidate.instruction, above=-1)
    rejection = too_similar(nearest, pool)
    return rejection if counts(rejection, pool.rules.without) else None, nearest


def counts(rejection: Rejection | None, without: Collection[str]) -> bool:
    """Whether there is an objection, and its filter is not switched off."""
    return rejection is not None and rejection.reason not in without


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
    """There is no output, or nothing but the mark of an input that is not there."""
    output = instances[i].output.strip()
    return Rejection("empty_output", {}) if not output or _MARK_OF_NOTHING.fullmatch(output) else None


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


def pseudo_empty_input(i: int, instances: Mapping[int, ParsedInstance]) -> Rejection | None:
    """The input is words that say there is none; in answers the parsers see to that, in finished datasets nobody."""
    given = instances[i].input
    return Rejection("pseudo_empty_input", {"input": given}) if says_no_input(given) else None


def merged_tasks(i: int, instances: Mapping[int, ParsedInstance]) -> Rejection | None:
    """The output goes on with another task: its answer was not split where the next one began."""
    found = _NEXT_TASK.search(instances[i].output)
    return Rejection("merged_tasks", {"line": found.group().strip()}) if found else None


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
    cut_off_instance, empty_output, output_equals_input, pseudo_empty_input, ends_with_colon, merged_tasks,
    conflicting_outputs, duplicate_instance,
)  # fmt: skip


def judge_instances(
    instances: Sequence[ParsedInstance], max_instances: int, without: Collection[str] = ()
) -> list[Rejection | None]:
    """One verdict for each instance, in their order; more than `max_instances` good ones are too many.

    `without` names the filters that are switched off.
    """
    verdicts: list[Rejection | None] = [None] * len(instances)
    for rule in INSTANCE_FILTERS:
        left = {i: instance for i, instance in enumerate(instances) if verdicts[i] is None}
        for i in left:
            if counts(rejection := rule(i, left), without):
                verdicts[i] = rejection
    good = [i for i, verdict in enumerate(verdicts) if verdict is None]
    for i in good[max_instances:] if "too_many" not in without else ():
        verdicts[i] = Rejection("too_many", {"most": max_instances})
    return verdicts


def near_duplicate(instruction: str, instance: ParsedInstance, pool: Pool) -> Rejection | None:
    """The whole record is nearly the same as one of another task."""
    near = pool.nearest_record(record_text(instruction, instance.input, instance.output))
    return Rejection("near_duplicate", {"nearest_id": near[0], "jaccard": near[1]}) if near else None


def contaminated_record(instruction: str, instance: ParsedInstance, pool: Pool) -> Rejection | None:
    """The record overlaps a question of a test set: somewhere in it, or with its instruction and input as a whole."""
    question = record_text(instruction, instance.input)
    return _overlap(pool, record_text(question, instance.output), question)


# For what the rules above have left, against the records of other tasks and the test sets.
RECORD_FILTERS: tuple[RecordFilter, ...] = (near_duplicate, contaminated_record)


def judge_record(instruction: str, instance: ParsedInstance, pool: Pool) -> Rejection | None:
    """The first record filter's objection, or None."""
    found = (rule(instruction, instance, pool) for rule in RECORD_FILTERS)
    return next((rejection for rejection in found if counts(rejection, pool.rules.without)), None)


def _overlap(pool: Pool, text: str, question: str | None = None) -> Rejection | None:
    found = pool.tests.overlap(text, question) if pool.tests else None
    return Rejection("contaminated", found.as_dict()) if found else None


def word_count(text: str) -> int:
    """Words that white space separates; in scripts that put none between words, characters."""
    words = len(text.split())
    return words if text.isascii() else max(words, len(tokens(text)))


def _words(text: str, pool: Pool) -> int:
    return len(text.split()) if pool.rules.ascii_tokens else word_count(text)


@functools.lru_cache(maxsize=8)
def _any_word(words: tuple[str, ...]) -> re.Pattern[str]:
    """Matches any of the words: not inside a longer word, except in scripts that put no spaces between words."""
    inside = rf"[^\W{UNSPACED}]"
    pattern = rf"(?<!{inside})(?:{'|'.join(map(re.escape, words))})(?!{inside})" if words else r"(?!)"
    return re.compile(pattern, re.IGNORECASE)
