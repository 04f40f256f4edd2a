"""Tasks about several numbers: arithmetic, ordering, selecting, sequences.

For example "what is 15 percent of 240?" needs no input and is answered by "36".
"""

import re
from random import Random

from selfinstruct.simulated.world.grammar import Family, Parameters
from selfinstruct.simulated.world.lexicon import NAMES
from selfinstruct.simulated.world.vocabulary import COMMAS, SENTENCE_WORDS, say

_NUMBERS = re.compile("[0-9]{1,9}(?:, [0-9]{1,9})+")
_STORIES = (
    "{name} has {a} {object}s and buys {b} more.",
    "{name} owned {a} {object}s and then gave away {b} of them.",
    "in a shop there were {a} {object}s until {name} bought {b} of them.",
    "{name} found {a} {object}s {place} and received {b} more from {other}.",
    "a cart held {a} {object}s before {name} lost {b} on the road.",
    "{name} packed {a} {object}s, to which {other} added {b}.",
)
_LOSING = re.compile(r"\b(?:gave away|bought \d+ of them|lost)\b")


def numbers(text: str) -> list[int]:
    """Read "3, 14, 15"; empty unless it is a list of at least two whole numbers."""
    return [int(number) for number in text.split(", ")] if _NUMBERS.fullmatch(text) else []


def _distinct(_: Parameters, rng: Random, label: str) -> str:
    return ", ".join(map(str, rng.sample(range(2, 1000), rng.randint(4, 7))))


def _sorted(parameters: Parameters, text: str) -> str | None:
    return ", ".join(map(str, sorted(numbers(text), reverse=parameters["order"] == "descending")))


def _even_average(_: Parameters, rng: Random, label: str) -> str:
    values = rng.sample(range(2, 300), rng.choice((3, 4, 5)))
    values[-1] += -sum(values) % len(values)
    return ", ".join(map(str, values))


def _average(_: Parameters, text: str) -> str | None:
    values = numbers(text)
    return str(sum(values) // len(values)) if values and sum(values) % len(values) == 0 else None


def _extreme(parameters: Parameters, text: str) -> str | None:
    values = numbers(text)
    return str((max if parameters["extreme"] == "largest" else min)(values)) if values else None


def _calculated(parameters: Parameters, _: str) -> str:
    first, second = int(parameters["first"]), int(parameters["second"])
    return str({"plus": first + second, "minus": first - second, "times": first * second}[parameters["operation"]])


def _story(_: Parameters, rng: Random, label: str) -> str:
    name, other = rng.sample(NAMES, 2)
    few = str(rng.randint(3, 60))
    rules = {**SENTENCE_WORDS, "name": (name,), "other": (other,), "a": (str(rng.randint(61, 200)),), "b": (few,)}
    return say(_STORIES, rules, rng)


def _story_end(_: Parameters, text: str) -> str | None:
    values = [int(number) for number in re.findall("[0-9]{1,9}", text)]
    if len(values) != 2:
        return None
    return str(values[0] - values[1] if _LOSING.search(text) else values[0] + values[1])


def _gapped(_: Parameters, rng: Random, label: str) -> str:
    start, step, length = rng.randint(1, 90), rng.randint(2, 25), rng.randint(5, 7)
    terms = [str(start + step * place) for place in range(length)]
    terms[rng.randint(1, length - 2)] = "?"
    return ", ".join(terms)


def _missing(_: Parameters, text: str) -> str | None:
    terms = text.split(", ")
    if (
        terms.count("?") != 1
        or not all(re.fullmatch("[?]|[0-9]{1,9}", term) for term in terms)
        or "?" in (terms[0], terms[-1])
    ):
        return None
    step, rest = divmod(int(terms[-1]) - int(terms[0]), len(terms) - 1)
    row = [str(int(terms[0]) + step * place) for place in range(len(terms))]
    gap = terms.index("?")
    return row[gap] if not rest and [*row[:gap], "?", *row[gap + 1 :]] == terms else None


def _with_multiples(parameters: Parameters, rng: Random, label: str) -> str:
    factor = int(parameters["factor"])
    values = [factor * number for number in rng.sample(range(2, 60), rng.randint(2, 3))]
    values += [factor * number + rng.randint(1, factor - 1) for number in rng.sample(range(2, 60), 3)]
    rng.shuffle(values)
    return ", ".join(map(str, values))


def _multiples(parameters: Parameters, text: str) -> str | None:
    values = numbers(text)
    return ", ".join(str(value) for value in values if value % int(parameters["factor"]) == 0) or None


NUMBER_FAMILIES: tuple[Family, ...] = (
    Family(
        name="sort_numbers",
        orders=(
            "sort {numbers} in {order} order{commas}",
            "put {numbers} into {order} order{commas}",
            "arrange {numbers} by size in {order} order{commas}",
            "write {numbers} again in {order} order{commas}",
        ),
        questions=("how do {numbers} read in {order} order", "what do {numbers} look like in {order} order"),
        slots={
            "order": {
                "ascending": ("ascending", "increasing", "smallest-first"),
                "descending": ("descending", "decreasing", "largest-first"),
            }
        },
        phrases={"commas": COMMAS},
        make=_distinct,
        solve=_sorted,
    ),
    Family(
        name="add_numbers",
        orders=(
            "add up {numbers}",
            "find the sum of {numbers}",
            "calculate the total of {numbers}",
            "work out what {numbers} come to altogether",
        ),
        questions=("what is the sum of {numbers}", "what do {numbers} add up to"),
        make=_distinct,
        solve=lambda _, text: str(sum(values)) if (values := numbers(text)) else None,
    ),
    Family(
        name="average",
        orders=(
            "calculate the average of {numbers}",
            "find the arithmetic mean of {numbers}",
            "work out the mean of {numbers}",
        ),
        questions=("what is the average of {numbers}", "what mean value do {numbers} have"),
        make=_even_average,
        solve=_average,
    ),
    Family(
        name="extreme_number",
        orders=(
            "pick the {extreme} of {numbers}",
            "find the {extreme} value among {numbers}",
            "name whichever of {numbers} is {extreme}",
            "report the {extreme} entry of {numbers}",
        ),
        questions=("which of {numbers} is the {extreme}", "what is the {extreme} of {numbers}"),
        slots={"extreme": {"largest": ("largest", "biggest", "greatest"), "smallest": ("smallest", "least", "lowest")}},
        make=_distinct,
        solve=_extreme,
    ),
    Family(
        name="spread",
        orders=(
            "subtract the smallest of {numbers} from the largest",
            "calculate the difference between the largest and the smallest of {numbers}",
            "find how far the highest and the lowest of {numbers} lie apart",
        ),
        questions=("what is the difference between the highest and the lowest of {numbers}",),
        make=_distinct,
        solve=lambda _, text: str(max(values) - min(values)) if (values := numbers(text)) else None,
    ),
    Family(
        name="arithmetic",
        orders=(
            "calculate {first} {operation} {second}",
            "work out {first} {operation} {second}",
            "find the value of {first} {operation} {second}",
            "give the result of {first} {operation} {second} in digits",
        ),
        questions=("what is {first} {operation} {second}", "how much is {first} {operation} {second}"),
        slots={
            "first": range(61, 1000),
            "operation": {"plus": ("plus",), "minus": ("minus", "less"), "times": ("times", "multiplied by")},
            "second": range(2, 61),
        },
        solve=_calculated,
    ),
    Family(
        name="percentage",
        orders=(
            "calculate {percent} percent of {base}",
            "work out {percent} percent of {base}",
            "find the number that is {percent} percent of {base}",
        ),
        questions=("what is {percent} percent of {base}", "how much is {percent} percent of {base}"),
        slots={"percent": range(5, 100, 5), "base": range(20, 4000, 20)},
        solve=lambda chosen, _: str(int(chosen["percent"]) * int(chosen["base"]) // 100),
    ),
    Family(
        name="story_problem",
        orders=(
            "read {story} and say how many things are there at the end",
            "solve {story} and give the final count in digits",
            "work out how many objects are left in the end according to {story}",
        ),
        questions=("how many objects are there at the end of {story}", "what final count does {story} lead to"),
        make=_story,
        solve=_story_end,
    ),
    Family(
        name="missing_number",
        orders=(
            "fill the gap marked by a question mark in {numbers}, which grow by equal steps",
            "find the missing member of {numbers}, an arithmetic sequence with one question mark",
            "complete {numbers}, a sequence with a constant step, by naming only the number behind the question mark",
        ),
        questions=("which number belongs in place of the question mark in {numbers} if all steps are equal",),
        make=_gapped,
        solve=_missing,
    ),
    Family(
        name="multiples",
        orders=(
            "keep only the multiples of {factor} from {numbers}, in their original order{commas}",
            "select those of {numbers} that are divisible by {factor}, in order of appearance{commas}",
            "list every multiple of {factor} among {numbers} in the given order{commas}",
        ),
        questions=("which of {numbers} can be divided by {factor} without remainder, in order of appearance",),
        slots={"factor": range(3, 14)},
        phrases={"commas": COMMAS},
        make=_with_multiples,
        solve=_multiples,
    ),
)
