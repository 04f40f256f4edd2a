"""The tasks of the simulated world: composing instructions, recognising them, and computing their right answers.

Everything follows from the families declared in `families`. `compose` picks a family, fills in one of its core clauses
with random parameters, and wraps it in scenery that does not affect the answer; `recognise` finds the core clause and
parses the parameters. All of it is a pure function of the arguments and the generator.

    >>> rng = Random(7)
    >>> instruction = compose(rng)
    >>> task = recognise(instruction)
    >>> text, output = make_instance(task, rng)
    >>> grade(instruction, text, output)
    'right'
"""

import re
from collections.abc import Sequence
from functools import cache
from random import Random
from typing import Literal, NamedTuple

from selfinstruct.simulated.world.families.classify import CLASSIFY_FAMILIES
from selfinstruct.simulated.world.families.dates import DATE_FAMILIES
from selfinstruct.simulated.world.families.extract import EXTRACT_FAMILIES
from selfinstruct.simulated.world.families.judge import JUDGE_FAMILIES
from selfinstruct.simulated.world.families.judge_words import JUDGE_WORDS_FAMILIES
from selfinstruct.simulated.world.families.lists import LIST_FAMILIES
from selfinstruct.simulated.world.families.notation import NOTATION_FAMILIES
from selfinstruct.simulated.world.families.numbers import NUMBER_FAMILIES
from selfinstruct.simulated.world.families.pick import PICK_FAMILIES
from selfinstruct.simulated.world.families.text import TEXT_FAMILIES
from selfinstruct.simulated.world.grammar import Family, choose, expand, parts, pattern, pick, read
from selfinstruct.simulated.world.lexicon import INPUT_NAMES
from selfinstruct.simulated.world.scenery import FRAMES, LEXICON
from selfinstruct.simulated.world.vocabulary import WEEKDAYS, capital

Grade = Literal["right", "wrong", "unknown"]

FAMILIES: tuple[Family, ...] = (
    *LIST_FAMILIES,
    *PICK_FAMILIES,
    *TEXT_FAMILIES,
    *EXTRACT_FAMILIES,
    *NUMBER_FAMILIES,
    *NOTATION_FAMILIES,
    *DATE_FAMILIES,
    *CLASSIFY_FAMILIES,
    *JUDGE_FAMILIES,
    *JUDGE_WORDS_FAMILIES,
)
_BY_NAME = {family.name: family for family in FAMILIES}
_MOST_WORDS = 60
_TRIES = 200
_QUOTES = " \t\r\n\"'`“”‘’"


class SimulatedTask(NamedTuple):
    """What an instruction means: its family, its parameters as sorted (name, value) pairs, and its shape."""

    family: str
    parameters: tuple[tuple[str, str], ...]
    is_classification: bool
    labels: tuple[str, ...]
    needs_input: bool


def families() -> tuple[str, ...]:
    """Return the names of all families."""
    return tuple(_BY_NAME)


def compose(rng: Random, among: Sequence[str] = ()) -> str:
    """Compose one instruction: a single line of 5 to 60 words that begins with a capital letter.

    Its family is one of those named in `among`, or any.
    """
    return compose_task(pick_family(rng, among), rng)[0]


def pick_family(rng: Random, among: Sequence[str] = ()) -> str:
    """Draw one of the names in `among`, or of any family if it is empty, uniformly."""
    names = among or families()
    return names[int(rng.random() * len(names))]


def compose_task(family: str, rng: Random) -> tuple[str, SimulatedTask]:
    """Compose an instruction of the given family, and return it with its meaning; KeyError for an unknown family."""
    kind = _BY_NAME[family]
    chosen = {name: choose(slot, rng) for name, slot in kind.slots.items()}
    said = {name: (wording,) for name, (_, wording) in chosen.items()}
    cores = (*kind.orders, *kind.questions)
    place = int(rng.random() * len(cores))
    asks = place >= len(kind.orders)
    core = expand(cores[place], {**LEXICON, **_phrases(family), **said}, rng)
    rules = {**LEXICON, ("question" if asks else "order"): (core,)}
    text = ""
    while not 0 < len(text.split()) <= _MOST_WORDS:
        frame = _FRAMES[asks][int(rng.random() * len(_FRAMES[asks]))]
        text = " ".join(capital(expand(sentence, rules, rng)) for sentence in frame)
    return text, _task(kind, {name: value for name, (value, _) in chosen.items()})


def recognise(instruction: str) -> SimulatedTask | None:
    """Parse an instruction; None unless one of its clauses is the core clause of a family.

    White space, case and a trailing period do not matter.
    """
    text = " ".join(instruction.lower().split()).rstrip(".?! ")
    starts = [0, *(found.end() for found in _BOUNDARY.finditer(text))]
    for start in starts:
        task = _core_at(text, start)
        if task is not None:
            return task
    for start in starts:
        lead = _leads().match(text, start)
        task = _core_at(text, lead.end()) if lead else None
        if task is not None:
            return task
    return None


def make_instance(task: SimulatedTask, rng: Random, label: str | None = None) -> tuple[str, str]:
    """Make an (input, right output) pair for a task; the input is "" if the task needs none.

    A classification task gets an input whose right label is `label`, or a label drawn uniformly if that is None.
    Raises ValueError for a label the task does not have, and for a task of no known family.
    """
    family = _BY_NAME.get(task.family)
    if family is None or (label is not None and label not in family.labels):
        raise ValueError(f"no instance of {task.family!r} with label {label!r}")
    parameters = dict(task.parameters)
    wanted = label or (pick(family.labels, rng) if family.labels else "")
    for _ in range(_TRIES):
        text = family.make(parameters, rng, wanted) if family.make else ""
        output = family.solve(parameters, text)
        if output and output != text and wanted in ("", output):
            return text, output
    raise ValueError(f"{task} made no usable instance in {_TRIES} tries")


def answer(instruction: str, input: str) -> str | None:
    """Compute the right output from the text alone; None if the instruction or the input is not understood."""
    task = recognise(instruction)
    return None if task is None else _solve(task, input)


def wrong_answer(instruction: str, input: str, rng: Random) -> str | None:
    """Make up a plausible output that `grade` calls wrong; None if the right one is unknown."""
    task = recognise(instruction)
    right = None if task is None else _solve(task, input)
    if task is None or right is None:
        return None
    if task.is_classification:
        return pick([label for label in task.labels if label != right], rng)
    for _ in range(_TRIES):
        output = _spoiled(right, input, rng)
        if _plain(task, output) != _plain(task, right):
            return output
    return f"{right} {right}"


def grade(instruction: str, input: str, output: str) -> Grade:
    """Compare an output with the right one, up to surrounding white space, quotes and a trailing period.

    Case matters only if the task is about case. The grade is "unknown" if no right answer is known.
    """
    task = recognise(instruction)
    right = None if task is None else _solve(task, input)
    if task is None or right is None:
        return "unknown"
    return "right" if _plain(task, output) == _plain(task, right) else "wrong"


def _task(family: Family, parameters: dict[str, str]) -> SimulatedTask:
    return SimulatedTask(
        family=family.name,
        parameters=tuple(sorted(parameters.items())),
        is_classification=bool(family.labels),
        labels=family.labels,
        needs_input=family.make is not None,
    )


def _solve(task: SimulatedTask, text: str) -> str | None:
    right = _BY_NAME[task.family].solve(dict(task.parameters), text.strip())
    return right if right and _plain(task, right) else None


def _plain(task: SimulatedTask, output: str) -> str:
    text = " ".join(output.strip(_QUOTES).rstrip("." + _QUOTES).split())
    return text if _BY_NAME[task.family].case_matters else text.casefold()


def _spoiled(right: str, text: str, rng: Random) -> str:
    """Take another part of the input or another weekday, change a number, swap two words, or garble the only word."""
    for choices in (re.split(r"[,.]? ", text), WEEKDAYS):
        if right in choices:
            return pick(choices, rng)
    pieces = list(re.finditer(r"\d+", right))
    if pieces:
        found = rng.choice(pieces)
        changed = max(0, int(found.group()) + rng.choice((-10, -2, -1, 1, 2, 10)))
        return f"{right[: found.start()]}{changed}{right[found.end() :]}"
    pieces = list(re.finditer(r"[^\W\d_]+", right))
    if len(pieces) < 2:
        pieces = list(re.finditer(r"\w", right))
    if len(pieces) < 2:
        return right * 2
    one, other = sorted(rng.sample(pieces, 2), key=lambda found: found.start())
    return right[: one.start()] + other[0] + right[one.end() : other.start()] + one[0] + right[other.end() :]


@cache
def _phrases(family: str) -> dict[str, tuple[str, ...]]:
    """Return the synonyms of a family; {labels} names its labels in every rotation, forwards and backwards."""
    kind = _BY_NAME[family]
    orders = [kind.labels[turn:] + kind.labels[:turn] for turn in range(len(kind.labels))]
    orders += [order[::-1] for order in orders]
    named = {"labels": tuple(dict.fromkeys(f"{', '.join(order[:-1])} or {order[-1]}" for order in orders))}
    return {**(named if kind.labels else {}), **kind.phrases}


# Parsing: a core clause begins a clause of the instruction, perhaps after a lead such as "could you", and ends one.

_BOUNDARY = re.compile(r"[.,;:?!] ")
_FRAMES = (
    tuple(frame for frame in FRAMES if any("{order}" in sentence for sentence in frame)),
    tuple(frame for frame in FRAMES if any("{question}" in sentence for sentence in frame)),
)


class _Core(NamedTuple):
    family: str
    template: str
    anchor: str  # the longest literal part: a cheap test before the pattern is tried


def _cores_by_first_word() -> dict[str, list[_Core]]:
    index: dict[str, list[_Core]] = {}
    for family in FAMILIES:
        for template in (*family.orders, *family.questions):
            core = _Core(family.name, template, max(parts(template)[::2], key=len).lower())
            index.setdefault(template.split()[0].lower(), []).append(core)
    return index


_CORES = _cores_by_first_word()


@cache
def _pattern(core: _Core) -> re.Pattern[str]:
    read_back = pattern(core.template, _BY_NAME[core.family].slots, _phrases(core.family), INPUT_NAMES)
    return re.compile(read_back + r"(?=[.,;:?!] |$)")


@cache
def _leads() -> re.Pattern[str]:
    """Return what may come between the start of a clause and an order, such as "your task is to "."""
    befores = {
        re.split(r"[.,;:?!] ", sentence.partition("{order}")[0])[-1]
        for frame in _FRAMES[0]
        for sentence in frame
        if "{order}" in sentence
    }
    return re.compile("|".join(pattern(before, {}, {}, {}) for before in sorted(befores - {""})))


def _core_at(text: str, start: int) -> SimulatedTask | None:
    for core in _CORES.get(text[start:].partition(" ")[0], ()):
        found = _pattern(core).match(text, start) if core.anchor in text else None
        if found is not None:
            slots = _BY_NAME[core.family].slots
            values = {name: read(slots[name], wording) for name, wording in found.groupdict().items()}
            known = {name: value for name, value in values.items() if value is not None}
            if len(known) == len(slots):
                return _task(_BY_NAME[core.family], known)
    return None
