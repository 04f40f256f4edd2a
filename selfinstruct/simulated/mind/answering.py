"""The answers of the simulated teacher: right, or sometimes wrong, with calibrated confidence.

    >>> ask = understand("Task: Is the review kind or harsh?\\nIs it a classification task? Answer Yes or No.")
    >>> respond(ask, SimulatedSettings(), Random(1)).text
    'Yes'

Confidence. With `wrong_share` w, every yes/no answer and every instance output first gets an error probability
e = B / 2, B drawn from Beta(4w, 2 - 4w): between 0 and 1/2, w on average, mostly near 0 with a long tail. Then it is
wrong with probability e, and its first token gets the probability 1 - e either way. So nine in ten of the answers given
with probability 0.9 are right: the teacher is calibrated, and a filter on log-probabilities finds some of the wrong
answers, but not all. The few tasks without a known wrong answer are always answered correctly.
"""

import re
from collections.abc import Iterator
from itertools import islice
from random import Random

from selfinstruct.simulated.mind.answers import Answer, Item, plain
from selfinstruct.simulated.mind.malformed import FORBIDDEN
from selfinstruct.simulated.mind.understanding import Ask, likely_labels, looks_like_classification
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.simulated.world import tasks

_LEAST_DOUBT = 1e-6
_BLANKS = 8
"""How many blank lines of a message may be the one between a task and its input."""


def respond(ask: Ask, settings: SimulatedSettings, rng: Random, gap: str = "\n\n") -> Answer:
    """Answer a request; `gap` separates one example from the next."""
    match ask.stage:
        case "propose":
            proposals = [Item(instruction=_proposal(ask.shown, settings, rng)) for _ in range(ask.count)]
            return plain("tasks", proposals, ask.first)
        case "whole":
            return plain("whole", list(_whole_tasks(ask, settings, rng)), ask.first)
        case "classify":
            return plain("verdict", [_verdict(ask.task, settings, rng)])
        case "input_first":
            return plain("examples", list(_examples(ask, settings, rng)), gap=gap)
        case "output_first":
            return plain("labelled", list(_labelled(ask, settings, rng)), gap=gap)
        case "answer":
            return plain("text", [_direct(ask.task, settings, rng)])
        case "judge":
            return plain("text", [Item(output=_judged(ask.task, *ask.shown))])


def _proposal(shown: tuple[str, ...], settings: SimulatedSettings, rng: Random) -> str:
    draw = rng.random()
    if shown and draw < settings.repeat_share:
        return _reworded(rng.choice(shown), rng)
    if settings.repeat_share <= draw < settings.repeat_share + settings.forbidden_share:
        return rng.choice(FORBIDDEN)
    return tasks.compose(rng, settings.families)


def _reworded(task: str, rng: Random) -> str:
    ways = (
        task,
        f"Please {task[:1].lower()}{task[1:]}",
        f"{task.rstrip('.')}, please.",
        task.replace(" the ", " this ", 1),
        f"{task} Be brief.",
    )
    return rng.choice(ways)


def _whole_tasks(ask: Ask, settings: SimulatedSettings, rng: Random) -> Iterator[Item]:
    for _ in range(ask.count):
        instruction = _proposal(ask.shown, settings, rng)
        yield _instance(instruction, settings, rng)._replace(instruction=instruction)


def _verdict(task: str, settings: SimulatedSettings, rng: Random) -> Item:
    known = tasks.recognise(task)
    right = known.is_classification if known else looks_like_classification(task)
    words = ("Yes", "No") if right else ("No", "Yes")
    return _with_doubt(Item(output=words[0]), words[1], settings, rng)


def _examples(ask: Ask, settings: SimulatedSettings, rng: Random) -> Iterator[Item]:
    """Return up to `count` instances with different inputs; only one if the task needs no input."""
    seen: set[str] = set()
    for _ in range(2 * ask.count):
        item = _instance(ask.task, settings, rng)
        if item.input not in seen:
            seen.add(item.input)
            yield item
        if not item.input or len(seen) == ask.count:
            return


def _labelled(ask: Ask, settings: SimulatedSettings, rng: Random) -> Iterator[Item]:
    """Return one instance for each of up to `count` labels."""
    known = tasks.recognise(ask.task)
    if known and not known.labels:
        yield from _examples(ask, settings, rng)
        return
    labels = known.labels if known else likely_labels(ask.task)
    for label in rng.sample(labels, min(ask.count, len(labels))):
        item = _instance(ask.task, settings, rng, label)
        yield item
        if not item.input:
            return


def _instance(task: str, settings: SimulatedSettings, rng: Random, label: str | None = None) -> Item:
    known = tasks.recognise(task)
    if known is None:
        given, output = _made_up(task, rng, label)
        return Item(input=given, output=output)
    given, output = tasks.make_instance(known, rng, label)
    wrong = tasks.wrong_answer(task, given, rng) if settings.wrong_share else None
    return _with_doubt(Item(input=given, output=output), wrong, settings, rng)


def _with_doubt(right: Item, wrong: str | None, settings: SimulatedSettings, rng: Random) -> Item:
    """Draw how likely the answer is to be wrong, and then whether it is."""
    share = 2 * settings.wrong_share
    doubt = share / 2 if share in (0, 1) else rng.betavariate(2 * share, 2 - 2 * share) / 2
    is_wrong = rng.random() < doubt
    sure = 1 - max(doubt, _LEAST_DOUBT)
    if wrong is None:
        return right._replace(sure=sure)
    output, instead = (wrong, right.output) if is_wrong else (right.output, wrong)
    return right._replace(output=output, sure=sure, instead=instead)


def _direct(message: str, settings: SimulatedSettings, rng: Random) -> Item:
    """Do the task of a message."""
    known = _known_task(message)
    if known is None:
        return Item(output=rng.choice(_SENTENCES))
    task, given, answer = known
    wrong = tasks.wrong_answer(task, given, rng) if settings.wrong_share else None
    return _with_doubt(Item(input=given, output=answer), wrong, settings, rng)


def _judged(message: str, first: str, second: str) -> str:
    """Say which of two answers to a message is right: a tie if both are, if neither is, or if that is unknown."""
    known = _known_task(message)
    grades = [tasks.grade(*known[:2], answer) if known else "unknown" for answer in (first, second)]
    verdict = "tie" if grades[0] == grades[1] else ("1" if grades[0] == "right" else "2")
    return f"The first answer is {grades[0]}, the second one is {grades[1]}.\nVerdict: {verdict}"


def _known_task(message: str) -> tuple[str, str, str] | None:
    """A message's task, its input after the first blank line at which the task is understood, and the right answer."""
    for blank in (*islice(re.finditer(r"\n[ \t]*\n", message), _BLANKS), None):
        task, given = (message[: blank.start()], message[blank.end() :]) if blank else (message, "")
        if answer := tasks.answer(task.strip(), given.strip()):
            return task.strip(), given.strip(), answer
    return None


_SENTENCES = (
    "The library on Mill Street opens at nine and closes at six.",
    "Our train was late, so we walked along the river and bought some bread.",
    "The new manager answered every question with patience.",
    "Rain is expected in the north, while the south stays dry and warm.",
    "She keeps her letters in a blue box under the stairs.",
    "The soup was cold, but the waiter apologised and brought another.",
    "Most of the volunteers come from the village school.",
    "A small team repaired the bridge in less than two weeks.",
    "The delivery arrived with a broken lid and two missing screws.",
    "He learned to bake after he had moved to the coast.",
    "The museum shows forty paintings by a forgotten artist.",
    "Prices rose slowly in spring and faster in early summer.",
)
_TIMES = ("on Monday", "last week", "in the morning", "after lunch", "in March", "at the weekend", "twice a year")


def _made_up(task: str, rng: Random, label: str | None) -> tuple[str, str]:
    """Make an instance of a task from outside the simulated world: shallow, but neither empty nor an echo."""
    first, second, third = rng.sample(_SENTENCES, 3)
    given = f"{first} It was noted {rng.choice(_TIMES)}: {second[0].lower()}{second[1:]}"
    if label is not None:
        return given, label
    if looks_like_classification(task):
        return given, rng.choice(likely_labels(task))
    words = [word for word in re.findall(r"[a-z]{4,}", task.lower()) if word not in ("that", "this", "with", "from")]
    subject = rng.choice(words) if words else "matter"
    return given, f"On the {subject}: {third[0].lower()}{third[1:]}"
