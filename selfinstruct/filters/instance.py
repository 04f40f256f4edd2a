"""Filters of the instances within a task: is this example usable beside the others?

Each sees the instances that passed the filters before it, by position.
"""

import re
from collections import Counter
from collections.abc import Mapping

from pydantic import Field

from selfinstruct.filters.rule import Evidence, rule
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.parsing.loops import looping_unit
from selfinstruct.parsing.names import ORDINAL, any_of
from selfinstruct.parsing.verdicts import says_no_input
from selfinstruct.patterns import pattern
from selfinstruct.settings import Section

ALPACA = "known defects of Alpaca's published data"
METHOD = "Self-Instruct, section 2.2"
INSTANCES = "instances"  # the stage under which rejected instances are listed
LEAST_REPEATED = 100  # characters at the end of a text that was cut off anyway
RAISE_LIMIT = "raise max_tokens in the stage's sampling"
LARGER = "try a larger model"
ENDLESS = f"{LARGER}, or set frequency_penalty = 0.3 in the stage's sampling"

_MARK_OF_NOTHING = pattern(r"\W*no\s*(?:input|output)\W*|\.{3,}|…|\W*(?:TODO|TBD)\W*", re.IGNORECASE)
# The place of an output that was never filled in.
_PLACE_HOLDER = pattern(
    r"[\[{<(]{1,2}\s?(?:(?:your|insert|enter|add|the)[ _]){0,2}"
    r"(?:answer|response|output|input|text|sentence|paragraph|article)(?:[ _](?:goes[ _])?here)?\s?[\]}>)]{1,2}"
    r"|[\[{<](?:(?:your|insert|enter|add|an?|some)[ _]){1,2}(?:answer|output|input|text|sentence|paragraph|article"
    r"|summary|list|word|story|poem|essay|description|translation|label)(?:[ _]here)?[\]}>]",
    re.IGNORECASE,
)
_DOTS = pattern(r"\s*(?:\.{3,}|…)\s*")
_TAG = pattern(r"<(?:input|output|article|text)>", re.IGNORECASE)  # of HTML; the parsers, who know the task, judge it
# "7. Instruction: ..." of Alpaca's prompt, "### Response:" of the usual training templates, "Task: ..." above a first
# example, as Self-Instruct's prompt has it.
_INSTRUCTION, _FIELD, _EXAMPLE = any_of("instruction"), any_of("input", "output", "label"), any_of("example")
_NEXT_TASK = pattern(
    r"^[ \t]{0,12}(?:(?P<number>\d{1,3})\.[ \t]{0,3}(?:(?P<task>instruction)|input|output)[ \t]{0,3}[:：][^\n]*"
    rf"|#{{2,6}}[ \t]{{0,8}}(?:response|human|assistant|{_INSTRUCTION}|{_FIELD})[ \t]{{0,3}}[:：][^\n]*"
    rf"|{_INSTRUCTION}[:：][^\n]{{1,400}}(?=\n{{1,3}}{_EXAMPLE}[ \t]{{0,2}}1[ \t:：]{{0,3}}\n))",
    re.IGNORECASE | re.MULTILINE,
)
_STEP = pattern(r"^[ \t]{0,12}(\d{1,3})\.", re.MULTILINE)
# "Example 2" with its fields below it; "Input: ..." and "Output: ..." as a paragraph below an answer, but not indented
# as in a docstring.
_NEXT_EXAMPLE = pattern(
    rf"^[ \t#*_【\[]{{0,8}}{_EXAMPLE}[ \t]{{0,3}}#?{ORDINAL}[^\n]{{0,60}}\n{{1,3}}"
    rf"[ \t*_-]{{0,6}}{_FIELD}[*_ \t]{{0,4}}[:：][^\n]*",
    re.IGNORECASE | re.MULTILINE,
)
_NEXT_PAIR = pattern(
    rf"\n[ \t]{{0,12}}\n(?![ ]{{4}}|\t)[ *_-]{{0,6}}{any_of('input')}[*_ \t]{{0,4}}[:：][^\n]{{0,400}}\n[ \t*_-]{{0,6}}"
    rf"{any_of('output')}[*_ \t]{{0,4}}[:：]",
    re.IGNORECASE,
)
_SPEAKS_OF_PAIRS = pattern(rf"```|[:：]\s*\Z|(?:in|out)puts?|examples?|samples?|tests?|{_EXAMPLE}", re.IGNORECASE)
Instances = Mapping[int, ParsedInstance]


class InstanceSettings(Section):
    """Thresholds of the instance filters."""

    max_instances: int = Field(5, ge=1, description="maximum instances kept per task")


@rule(
    INSTANCES, "repeats itself without end", "seen in the answers of small models",
    required="only its beginning is of any use, and where that ends is not known", remedy=ENDLESS,
)  # fmt: skip
def repetition(i: int, instances: Instances, rules: InstanceSettings) -> Evidence | None:
    """The answer ended inside this instance, which repeats itself by then."""
    found = instances[i]
    return repeated(found.output) or repeated(found.input) if found.cut else None


def repeated(text: str) -> Evidence | None:
    """The evidence that a text that was cut off only repeats itself at its end."""
    unit = looping_unit(text, LEAST_REPEATED)
    return {"repeats": unit} if unit else None


@rule(INSTANCES, "cut off by the token limit", "the server's finish reason", remedy=RAISE_LIMIT)
def cut_off(i: int, instances: Instances, rules: InstanceSettings) -> Evidence | None:
    """The token limit ended the answer inside this instance."""
    return {} if instances[i].cut else None


@rule(INSTANCES, "no output", METHOD, required="there is nothing to learn from a record without an output")
def empty_output(i: int, instances: Instances, rules: InstanceSettings) -> Evidence | None:
    """There is no output, or it only says that there is none, or it is a placeholder: "[Your answer]"."""
    return {} if is_no_output(instances[i].output) else None


def is_no_output(output: str) -> bool:
    """Whether there is nothing in an output, or only words for nothing, or a placeholder."""
    output = output.strip()
    return not output or bool(_MARK_OF_NOTHING.fullmatch(output)) or _is_placeholder(output)


def _is_placeholder(text: str) -> bool:
    return bool(_PLACE_HOLDER.fullmatch(text)) and not _TAG.fullmatch(text)


@rule(INSTANCES, "the output repeats the input", METHOD, remedy=LARGER)
def output_equals_input(i: int, instances: Instances, rules: InstanceSettings) -> Evidence | None:
    """The output repeats the input."""
    return {} if instances[i].output.strip() == instances[i].input.strip() else None


@rule(INSTANCES, "the input only says there is none", ALPACA)
def pseudo_empty_input(i: int, instances: Instances, rules: InstanceSettings) -> Evidence | None:
    """The input says that there is none, which parsers remove and finished datasets have, or is a placeholder."""
    given = instances[i].input
    is_nothing = _DOTS.fullmatch(given) or _is_placeholder(given.strip())
    return {"input": given} if says_no_input(given) or is_nothing else None


@rule(INSTANCES, "input or output ends with a colon", "Self-Instruct, reference code")
def ends_with_colon(i: int, instances: Instances, rules: InstanceSettings) -> Evidence | None:
    """The input or the output ends with a colon: what it announces is missing."""
    for name in ("input", "output"):
        if getattr(instances[i], name).rstrip().endswith(":"):
            return {"field": name}
    return None


@rule(INSTANCES, "the output contains another task", ALPACA)
def merged_tasks(i: int, instances: Instances, rules: InstanceSettings) -> Evidence | None:
    """The output continues with another task: the answer was not split where the next one began."""
    output = instances[i].output
    line = _next_task(output) or next_example(output) or _next_pair(output)
    return {"line": line} if line else None


def _next_task(text: str) -> str | None:
    """The heading of another task; "2. Output: ..." below a "1." is a step, unless there are two of its number."""
    steps: Counter[int] | None = None
    for found in _NEXT_TASK.finditer(text):
        if not found["number"] or found["task"]:
            return found.group().strip()
        steps = steps or Counter(map(int, _STEP.findall(text)))
        number = int(found["number"])
        if steps[number] > 1 or not steps[number - 1 or 2]:
            return found.group().strip()
    return None


def next_example(text: str) -> str | None:
    """The heading of an example with the field below it, on one line; None if there is none."""
    found = _NEXT_EXAMPLE.search(text)
    return " ".join(found.group().split()) if found else None


def _next_pair(text: str) -> str | None:
    """An input and an output below an answer that does not speak of such."""
    found = _NEXT_PAIR.search(text)
    if found is None or not text[: found.start()].strip() or _SPEAKS_OF_PAIRS.search(text, 0, found.start()):
        return None
    return " ".join(found.group().split())


@rule(INSTANCES, "the task has conflicting outputs", METHOD)
def conflicting_outputs(i: int, instances: Instances, rules: InstanceSettings) -> Evidence | None:
    """Two instances of the task have the same input and different outputs, so none of them can be trusted."""
    outputs: dict[str, str] = {}
    for instance in instances.values():
        if instance.input and outputs.setdefault(instance.input, instance.output) != instance.output:
            return {"input": instance.input, "outputs": [outputs[instance.input], instance.output]}
    return None


@rule(
    INSTANCES, "repeats another instance of the task", "Self-Instruct, reference code",
    remedy=f"lower instances_per_task, or {LARGER}",
)  # fmt: skip
def duplicate_instance(i: int, instances: Instances, rules: InstanceSettings) -> Evidence | None:
    """An earlier instance of the task is the same."""
    same = next((j for j, earlier in instances.items() if j < i and earlier[:2] == instances[i][:2]), None)
    return None if same is None else {"same_as": same}


@rule(INSTANCES, "more than max_instances of one task", "Self-Instruct, reference code")
def too_many(i: int, instances: Instances, rules: InstanceSettings) -> Evidence | None:
    """`max_instances` instances of the task come before this one."""
    return {"most": rules.max_instances} if list(instances).index(i) >= rules.max_instances else None


# In this order; `too_many` counts those that passed all others.
INSTANCE_FILTERS = (
    repetition, cut_off, empty_output, output_equals_input, pseudo_empty_input, ends_with_colon, merged_tasks,
    conflicting_outputs, duplicate_instance, too_many,
)  # fmt: skip
