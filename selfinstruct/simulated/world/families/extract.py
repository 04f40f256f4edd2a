"""Tasks about a sentence or a short text: extracting and counting.

For example "what clock time does the line below mention?": "Bus 7 leaves at 16:05." is answered by "16:05".
"""

import re
from random import Random

from selfinstruct.simulated.world.families.text import any_sentence
from selfinstruct.simulated.world.grammar import Family, Maker, Parameters
from selfinstruct.simulated.world.lexicon import NAMES
from selfinstruct.simulated.world.vocabulary import (
    OBJECTS,
    SENTENCE_WORDS,
    SURNAMES,
    say,
    sentence,
)

_WITH_NUMBERS = (
    "{name} {did} {number} {adjective} {object}s and {number} {object}s {place}.",
    "on {weekday} the {object} weighed {number} kilos and cost {number} crowns, as {name} noted.",
    "bus {number} left {town} with {number} passengers and {number} {adjective} {object}s.",
    "{name} {did} {number} {object}s, while {name} needed only {number}.",
)
_WITH_NAMES = (
    "{place}, {name} and {name} {did} the {adjective} {object}.",
    "after lunch {name} {did} the {object} that {name} had borrowed from {name}.",
    "the {adjective} {object} belongs to {name}, although {name} {did} it.",
    "yesterday {name} told {name} about a {plain} {object}.",
)
_WITH_TIME = (
    "the {adjective} {object} arrives in {town} at {clock} on {weekday}.",
    "{name} will meet {name} {place} at {clock}.",
    "doors open at {clock}, as {name} told everybody {place}.",
    "at {clock} {name} {did} the {adjective} {object} {place}.",
)
_WITH_EMAIL = (
    "please send the {adjective} {object} to {email} before {weekday}.",
    "{name} can be reached at {email} all {time}.",
    "for questions about the {object}, write to {email} or ask {name}.",
    "the {object} in {town} was booked by {email} last {weekday}.",
)
_WITH_DIGITS = (
    "{name} wrote the code {number}-{number} on the {adjective} {object}.",
    "call {number} {number} {number} and ask {name} about the {object}.",
    "parcel {number} for {name} is waiting {place}.",
)


def _detailed(rng: Random, *templates: str) -> str:
    return say(templates, SENTENCE_WORDS, rng)


def _address(rng: Random) -> tuple[str]:
    host = f"{rng.choice(OBJECTS)}.example.{rng.choice(('org', 'com', 'net'))}"
    return (f"{rng.choice(NAMES)}.{rng.choice(SURNAMES)}@{host}".lower(),)


def _found(expression: str, text: str) -> str | None:
    return ", ".join(re.findall(expression, text)) or None


def _names(_: Parameters, text: str) -> str | None:
    return ", ".join(word for word in re.findall(r"[A-Za-z]+", text) if word in NAMES) or None


def _sentences(least: int, most: int) -> Maker:
    return lambda _, rng, label: " ".join(sentence(rng) for _ in range(rng.randint(least, most)))


def _split(text: str) -> list[str]:
    sentences = re.split("(?<=[.!?]) +", text)
    return sentences if all(re.search("[A-Za-z]", said) and said[-1] in ".!?" for said in sentences) else []


def _end_sentence(parameters: Parameters, text: str) -> str | None:
    found = _split(text)
    return found[0 if parameters["end"] == "first" else -1] if len(found) > 1 else None


def _counted(expression: str, text: str) -> str | None:
    return str(len(re.findall(expression, text, re.IGNORECASE))) if re.search("[A-Za-z]", text) else None


EXTRACT_FAMILIES: tuple[Family, ...] = (
    Family(
        name="extract_numbers",
        orders=(
            "extract all numbers from {sentence}, in order and separated by commas",
            "list every number that occurs in {sentence}, in order of appearance with commas between",
            "copy only the figures in {sentence}, one after the other with commas between",
        ),
        questions=("which numbers occur in {sentence}, in order and separated by commas",),
        make=lambda _, rng, label: _detailed(rng, *_WITH_NUMBERS),
        solve=lambda _, text: _found(r"\d+", text),
    ),
    Family(
        name="extract_names",
        orders=(
            "extract the first names of all people from {sentence}, in order and separated by commas",
            "list everyone who is named in {sentence}, in order of appearance with commas between",
            "write out only the people mentioned in {sentence}, in order and separated by commas",
        ),
        questions=("who is mentioned by name in {sentence}, in order and separated by commas",),
        make=lambda _, rng, label: _detailed(rng, *_WITH_NAMES),
        solve=_names,
        case_matters=True,
    ),
    Family(
        name="extract_email",
        orders=(
            "extract the e-mail address from {sentence}",
            "copy nothing but the e-mail address in {sentence}",
            "find the electronic mail address hidden in {sentence}",
        ),
        questions=("which e-mail address appears in {sentence}", "what is the e-mail address in {sentence}"),
        make=lambda _, rng, label: say(_WITH_EMAIL, {**SENTENCE_WORDS, "email": _address(rng)}, rng),
        solve=lambda _, text: _found(r"\b[\w.]{1,60}@[\w.]{0,60}\w", text),
    ),
    Family(
        name="extract_time",
        orders=(
            "extract the time of day from {sentence}, written as it stands there",
            "copy the clock time that {sentence} mentions",
            "find the hour and minute named in {sentence}, as it is written there",
        ),
        questions=("what clock time does {sentence} mention", "which time of day is given in {sentence}"),
        make=lambda _, rng, label: _detailed(rng, *_WITH_TIME),
        solve=lambda _, text: _found(r"\b\d\d:\d\d\b", text),
    ),
    Family(
        name="mask_digits",
        orders=(
            "replace every digit in {sentence} with {mark}",
            "hide the digits of {sentence} by writing {mark} for each of them",
            "mask {sentence} by turning each digit into {mark}",
        ),
        questions=("how does {sentence} read with {mark} in place of each digit",),
        slots={
            "mark": {"x": ("the letter x", "a small x"), "#": ("a hash sign", "a number sign"), "*": ("an asterisk",)}
        },
        make=lambda _, rng, label: _detailed(rng, *_WITH_DIGITS),
        solve=lambda chosen, text: re.sub(r"\d", chosen["mark"], text) if re.search(r"\d", text) else None,
    ),
    Family(
        name="end_sentence",
        orders=(
            "copy only the {end} sentence of {text}",
            "quote the {end} sentence of {text} word for word",
            "repeat {text} reduced to its {end} sentence",
        ),
        questions=("what is the {end} sentence of {text}", "how does the {end} sentence of {text} go"),
        slots={"end": {"first": ("first", "opening"), "last": ("last", "final", "closing")}},
        make=_sentences(2, 4),
        solve=_end_sentence,
    ),
    Family(
        name="count_words",
        orders=(
            "count the words in {sentence}",
            "say in digits how many words {sentence} has",
            "work out the number of words in {sentence}",
            "determine how many words make up {sentence}",
        ),
        questions=("how many words are there in {sentence}", "what is the word count of {sentence}"),
        make=any_sentence,
        solve=lambda _, text: str(len(text.split())) if len(text.split()) > 1 else None,
    ),
    Family(
        name="count_letter",
        orders=(
            'count how often the letter "{letter}" occurs in {sentence}, in either case',
            'say in digits how many times "{letter}" appears in {sentence}, capital or not',
            'tally each "{letter}" in {sentence}, upper or lower case alike',
        ),
        questions=('how many times does the letter "{letter}" occur in {sentence}, in either case',),
        slots={"letter": tuple("abcdeghilmnoprstu")},
        make=any_sentence,
        solve=lambda chosen, text: _counted(chosen["letter"], text),
    ),
    Family(
        name="count_vowels",
        orders=(
            "count the vowels in {sentence}, meaning a, e, i, o and u",
            "say in digits how many letters of {sentence} are a, e, i, o or u",
            "work out how many vowels, y excluded, {sentence} contains",
        ),
        questions=("how many vowels, not counting y, does {sentence} have",),
        make=any_sentence,
        solve=lambda _, text: _counted("[aeiou]", text),
    ),
    Family(
        name="count_sentences",
        orders=(
            "count the sentences in {text}",
            "say in digits how many sentences {text} has",
            "determine the number of sentences in {text}",
        ),
        questions=("how many sentences are there in {text}", "what is the number of sentences in {text}"),
        make=_sentences(2, 6),
        solve=lambda _, text: str(len(_split(text))) if _split(text) else None,
    ),
)
