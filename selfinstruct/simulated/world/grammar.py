"""Templates with slots, and the declaration of one family of tasks.

A template is a plain string with named slots, for example

    sort {words} {into} {order}

and the same string is used twice: `expand` fills it in, `pattern` parses the result. A slot is one of three things:

* a parameter of the family (`order`): its wording determines the right answer, so it is parsed;
* a phrase of the family (`into`): a few synonyms that do not affect the answer;
* a symbol of the lexicon (`words`): free wording shared by all families ("the words Greta noted on a postcard"),
  parsed as its first words followed by any run of words.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random
from typing import NamedTuple

Parameters = Mapping[str, str]
Slot = Mapping[str, tuple[str, ...]] | tuple[str, ...] | range
"""What a parameter may be: value -> wordings, or single words that stand for themselves, or whole numbers."""
Rules = Mapping[str, Sequence[str]]
Maker = Callable[[Parameters, Random, str], str]
Solver = Callable[[Parameters, str], str | None]

_ANY_WORDS = r"[a-z][a-z' -]*?"


class Family(NamedTuple):
    """One kind of task: its wordings, how its inputs are made, and how it is solved.

    `orders` are imperatives ("sort {words} ..."), `questions` direct questions without their question mark; both start
    with a literal word in lower case and name every slot in `slots`. `make(parameters, rng, label)` returns an input
    (label is "" outside classification); a family without `make` needs no input. `solve(parameters, input)` returns
    the right output, or None or "" if the input is not of the kind that the family expects. `labels` is the closed
    label set of a classification family; the phrase {labels} then names them in any order.
    """

    name: str
    orders: tuple[str, ...]
    solve: Solver
    make: Maker | None = None
    questions: tuple[str, ...] = ()
    slots: Mapping[str, Slot] = {}
    phrases: Mapping[str, tuple[str, ...]] = {}
    labels: tuple[str, ...] = ()
    case_matters: bool = False


@cache
def parts(template: str) -> tuple[str, ...]:
    """Split a template: literal text at the even positions, slot names at the odd ones."""
    return tuple(re.split(r"[{}]", template))


def pick(options: Sequence[str], rng: Random) -> str:
    """Choose one of the options uniformly; the same as `rng.choice`, at half its cost."""
    return options[int(rng.random() * len(options))]


def expand(template: str, rules: Rules, rng: Random) -> str:
    """Expand a template: every slot is replaced by one of its rules, which may contain slots themselves.

    Raises KeyError for a slot without a rule.
    """
    if "{" not in template:
        return template
    pieces = list(parts(template))
    for place in range(1, len(pieces), 2):
        pieces[place] = expand(pick(rules[pieces[place]], rng), rules, rng)
    return "".join(pieces)


def choose(slot: Slot, rng: Random) -> tuple[str, str]:
    """Draw a parameter: its value and its wording."""
    if isinstance(slot, range):
        value = str(rng.choice(slot))
        return value, value
    value = pick(tuple(slot), rng)
    return value, pick(slot[value], rng) if isinstance(slot, Mapping) else value


def read(slot: Slot, wording: str) -> str | None:
    """Return the value of a wording (in lower case), or None if it has none."""
    if isinstance(slot, range):
        return wording if wording == str(int(wording)) and int(wording) in slot else None
    if isinstance(slot, Mapping):
        return next((value for value, ways in slot.items() if wording in map(str.lower, ways)), None)
    return _by_lower_case(slot).get(wording)


@cache
def _by_lower_case(values: tuple[str, ...]) -> dict[str, str]:
    return {value.lower(): value for value in values}


def pattern(template: str, slots: Mapping[str, Slot], phrases: Rules, names: Rules) -> str:
    """Return the regular expression, for text in lower case, that parses a template.

    Parameters become named groups; a symbol in `names` begins with one of its names, any other matches any words.
    """
    pieces = []
    for place, piece in enumerate(parts(template)):
        if place % 2 == 0:
            pieces.append(re.escape(piece.lower()))
        elif piece in slots:
            pieces.append(f"(?P<{piece}>{_slot_pattern(slots[piece])})")
        elif piece in phrases:
            pieces.append(f"(?:{_either(phrases[piece])})")
        else:
            pieces.append((f"(?:{_either(names[piece])}) " if piece in names else "") + _ANY_WORDS)
    return "".join(pieces)


def _slot_pattern(slot: Slot) -> str:
    if isinstance(slot, range):
        return "[0-9]{1,9}"
    return _either([said for ways in slot.values() for said in ways]) if isinstance(slot, Mapping) else "[a-z]+"


def _either(wordings: Sequence[str]) -> str:
    return "|".join(re.escape(said.lower()) for said in sorted(wordings, key=len, reverse=True))
