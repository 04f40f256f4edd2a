"""Tasks that rewrite one number or measurement: numerals, words, units, rounding.

For example "write the number below in Roman numerals": "1987" becomes "MCMLXXXVII".
"""

import re
from random import Random

from selfinstruct.simulated.world.grammar import Family, Maker, Parameters
from selfinstruct.simulated.world.vocabulary import in_words

_ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    )
)
_FACTORS = {
    "metres centimetres": 100, "kilometres metres": 1000, "kilograms grams": 1000, "litres millilitres": 1000,
    "hours minutes": 60, "minutes seconds": 60, "days hours": 24, "weeks days": 7, "dozens pieces": 12,
    "feet inches": 12, "yards feet": 3, "tonnes kilograms": 1000, "centimetres millimetres": 10,
}  # fmt: skip


def _measure(parameters: Parameters, rng: Random, label: str) -> str:
    return f"{rng.randint(2, 950)} {parameters['units'].split()[0]}"


def _converted(parameters: Parameters, text: str) -> str | None:
    source, target = parameters["units"].split()
    amount = re.fullmatch(f"([0-9]{{1,9}}) {source}", text)
    return f"{int(amount[1]) * _FACTORS[parameters['units']]} {target}" if amount else None


def _whole(text: str) -> int:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else -1


def roman(number: int) -> str:
    """Write a whole number from 1 to 3999 in Roman numerals."""
    text = ""
    for value, letters in _ROMAN:
        text += letters * (number // value)
        number %= value
    return text


def _from_roman(_: Parameters, text: str) -> str | None:
    rest, number = text.upper(), 0
    for value, letters in _ROMAN:
        while rest.startswith(letters):
            rest, number = rest[len(letters) :], number + value
    return str(number) if number and not rest and roman(number) == text.upper() else None


def _from_words(_: Parameters, text: str) -> str | None:
    """The inverse of `in_words`; accepts nothing else."""
    whole, part = 0, 0
    for word in text.lower().replace("-", " ").replace(" and ", " ").split():
        if word == "thousand":
            whole, part = part * 1000, 0
        elif word == "hundred":
            part *= 100
        elif word in _VALUES:
            part += _VALUES[word]
        else:
            return None
        if whole + part > 999999:
            return None
    return str(whole + part) if in_words(whole + part) == " ".join(text.lower().split()) else None


_VALUES = {in_words(number): number for number in (*range(20), *range(20, 100, 10))}


def _rounded(parameters: Parameters, text: str) -> str | None:
    unit = int(parameters["unit"])
    return str((number + unit // 2) // unit * unit) if (number := _whole(text)) >= 0 else None


def _number(least: int, most: int) -> Maker:
    return lambda _, rng, label: str(rng.randint(least, most))


NOTATION_FAMILIES: tuple[Family, ...] = (
    Family(
        name="convert_unit",
        orders=(
            "convert {measure} from {units} and name the new unit",
            "change {measure} from {units}, stating number and unit",
            "express {measure}, going from {units}, with the unit written out",
        ),
        questions=("what does {measure} come to when converted from {units}, with the unit written out",),
        slots={
            "units": {units: (" to ".join(units.split()), " into ".join(units.split())) for units in _FACTORS},
        },
        make=_measure,
        solve=_converted,
    ),
    Family(
        name="to_roman",
        orders=(
            "write {number} in Roman numerals",
            "convert {number} to Roman numerals",
            "express {number} the way it would be carved in Roman numerals",
        ),
        questions=("how is {number} written in Roman numerals", "what does {number} look like in Roman numerals"),
        make=_number(4, 3999),
        solve=lambda _, text: roman(number) if 0 < (number := _whole(text)) < 4000 else None,
    ),
    Family(
        name="from_roman",
        orders=(
            "convert {number} from Roman numerals to ordinary digits",
            "read {number}, a Roman numeral, and write it in Arabic digits",
            "translate {number} from Roman into Arabic numerals",
        ),
        questions=("which ordinary number does {number} stand for as a Roman numeral",),
        make=lambda _, rng, label: roman(rng.randint(4, 3999)),
        solve=_from_roman,
    ),
    Family(
        name="number_to_words",
        orders=(
            "write {number} in English words",
            "spell out {number} in full English words",
            "put {number} into words as on a British cheque",
        ),
        questions=("how is {number} spelled out in English words", "what is {number} in English words"),
        make=_number(13, 99999),
        solve=lambda _, text: in_words(number) if 0 <= (number := _whole(text)) < 1000000 else None,
    ),
    Family(
        name="words_to_number",
        orders=(
            "write {number} in digits instead of words",
            "convert {number} from English words to digits",
            "turn {number}, which is spelled out, into digits",
        ),
        questions=("what is {number} in digits instead of words",),
        make=lambda _, rng, label: in_words(rng.randint(13, 99999)),
        solve=_from_words,
    ),
    Family(
        name="round_number",
        orders=(
            "round {number} to the nearest {unit}, halves upwards",
            "give {number} rounded to the closest {unit}, with halves going up",
            "replace {number} by the nearest multiple of {unit}, rounding halves up",
        ),
        questions=("what is {number} rounded to the nearest {unit} if halves go up",),
        slots={"unit": {"10": ("ten", "10"), "100": ("hundred", "100"), "1000": ("thousand", "1000")}},
        make=_number(501, 99999),
        solve=_rounded,
    ),
    Family(
        name="digit_sum",
        orders=(
            "add the digits of {number} together",
            "find the digit sum of {number}",
            "calculate the total of all single digits of {number}",
        ),
        questions=("what is the digit sum of {number}", "what do the digits of {number} add up to"),
        make=_number(1234, 999999),
        solve=lambda _, text: str(sum(map(int, text))) if _whole(text) >= 0 else None,
    ),
)
