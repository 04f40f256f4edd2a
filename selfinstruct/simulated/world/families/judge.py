"""Classification by computation: the label follows from arithmetic or the calendar.

For example "is the number below odd or even?": "4178" is "even".
"""

import re
from random import Random

from selfinstruct.simulated.world.families.dates import read_date, some_date, write_date
from selfinstruct.simulated.world.grammar import Family, Parameters

_SEASONS = ("winter", "spring", "summer", "autumn")
YES_NO = ("yes", "no")


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def say_yes(holds: bool) -> str:
    """Return "yes" if it is true and "no" if not."""
    return "yes" if holds else "no"


def _parity(_: Parameters, text: str) -> str | None:
    number = _whole(text)
    return None if number is None else ("even", "odd")[number % 2]


def is_prime(number: int) -> bool:
    """Return whether a whole number is prime."""
    return number > 1 and all(number % factor for factor in range(2, int(number**0.5) + 1))


def _prime(_: Parameters, text: str) -> str | None:
    number = _whole(text)
    return None if number is None or number < 2 else "prime" if is_prime(number) else "composite"


def _prime_or_not(_: Parameters, rng: Random, label: str) -> str:
    number = rng.randrange(101, 4000, 2)
    while is_prime(number) != (label == "prime"):
        number = rng.randrange(101, 4000, 2)
    return str(number)


def _leap(_: Parameters, text: str) -> str | None:
    year = _whole(text)
    return None if year is None else "leap year" if year % 4 == 0 and (year % 100 or year % 400 == 0) else "common year"


def _divides(parameters: Parameters, text: str) -> str | None:
    number = _whole(text)
    return None if number is None else say_yes(number % int(parameters["factor"]) == 0)


def _maybe_divisible(parameters: Parameters, rng: Random, label: str) -> str:
    factor = int(parameters["factor"])
    return str(factor * rng.randint(10, 5000) + (0 if label == "yes" else rng.randint(1, factor - 1)))


def _two_numbers(_: Parameters, rng: Random, label: str) -> str:
    high, low = sorted(rng.sample(range(10, 100000), 2), reverse=True)
    return f"{high} and {low}" if label == "first" else f"{low} and {high}"


def _larger(_: Parameters, text: str) -> str | None:
    found = re.fullmatch("([0-9]{1,9}) and ([0-9]{1,9})", text)
    return None if found is None or int(found[1]) == int(found[2]) else (
        "first" if int(found[1]) > int(found[2]) else "second"
    )  # fmt: skip


def _season_date(_: Parameters, rng: Random, label: str) -> str:
    day = some_date(rng)
    month = (_SEASONS.index(label) * 3 + rng.randrange(3) - 1) % 12 + 1
    return write_date(day.replace(day=min(day.day, 28), month=month))


def _season(_: Parameters, text: str) -> str | None:
    day = read_date(text)
    return _SEASONS[day.month % 12 // 3] if day else None


def _weekend(_: Parameters, text: str) -> str | None:
    day = read_date(text)
    return None if day is None else "weekday" if day.weekday() < 5 else "weekend"


JUDGE_FAMILIES: tuple[Family, ...] = (
    Family(
        name="parity",
        orders=(
            "decide whether {number} is {labels}",
            "classify {number} as {labels}",
            "say if {number} is {labels}",
            "label {number} with one of the words {labels}",
        ),
        questions=("is {number} {labels}", "would you call {number} {labels}"),
        labels=("odd", "even"),
        make=lambda _, rng, label: str(2 * rng.randint(1, 50000) + (label == "odd")),
        solve=_parity,
    ),
    Family(
        name="prime",
        orders=(
            "decide whether {number} is {labels}",
            "classify {number} as {labels}",
            "test {number} for divisors and call it {labels}",
        ),
        questions=("is {number} {labels}", "does {number} count as {labels}"),
        labels=("prime", "composite"),
        make=_prime_or_not,
        solve=_prime,
    ),
    Family(
        name="leap_year",
        orders=(
            "decide whether {year} is a {labels}",
            "classify {year} as {labels} by the Gregorian rules",
            "label {year} as either {labels}",
        ),
        questions=("is {year} a {labels}", "by the Gregorian rules, is {year} a {labels}"),
        labels=("leap year", "common year"),
        make=lambda _, rng, label: str(
            4 * rng.randint(400, 749) + (rng.randint(1, 3) if label == "common year" else 0)
        ),
        solve=_leap,
    ),
    Family(
        name="divisible",
        orders=(
            "check whether {number} can be divided by {factor} without remainder and answer {labels}",
            "say with {labels} whether {number} is a multiple of {factor}",
            "test if {factor} divides {number} evenly, answering {labels}",
        ),
        questions=("is {number} divisible by {factor}, {labels}", "does {factor} divide {number} evenly, {labels}"),
        slots={"factor": range(3, 14)},
        labels=YES_NO,
        make=_maybe_divisible,
        solve=_divides,
    ),
    Family(
        name="larger_number",
        orders=(
            "compare {couple} and say which one is larger, {labels}",
            "decide which of {couple} is greater, answering {labels}",
            "label {couple} by the position of the larger one: {labels}",
        ),
        questions=("which of {couple} is larger, the {labels}", "is the {labels} of {couple} the greater one"),
        labels=("first", "second"),
        make=_two_numbers,
        solve=_larger,
    ),
    Family(
        name="season",
        orders=(
            "classify {date} by its northern season: {labels}",
            "decide whether {date} belongs to {labels}, with {rule}",
            "assign {date} to {labels}, with {rule}",
        ),
        questions=("in which season, {labels}, does {date} lie, with {rule}",),
        phrases={
            "rule": (
                "spring meaning March to May",
                "December to February as winter",
                "spring starting on 1 March",
                "June to August as summer",
                "seasons of three whole months that start in March",
            )
        },
        labels=_SEASONS,
        make=_season_date,
        solve=_season,
    ),
    Family(
        name="weekend",
        orders=(
            "decide whether {date} fell on a {labels}",
            "classify {date} as {labels}",
            "work out from the calendar if {date} is a {labels}",
        ),
        questions=("is {date} a {labels}", "does {date} count as a {labels}"),
        labels=("weekday", "weekend"),
        make=lambda _, rng, label: write_date(some_date(rng)),
        solve=_weekend,
    ),
)
