"""Tasks that rewrite a sentence, a word or a small record.

For example 'replace the word "rusty" with "velvet" in the line below': "Ewan hid a rusty urn." becomes
"Ewan hid a velvet urn."
"""

import json
import re
from random import Random

from selfinstruct.simulated.world.grammar import Family, Parameters, expand
from selfinstruct.simulated.world.lexicon import NAMES, TOWNS, words
from selfinstruct.simulated.world.vocabulary import (
    ADJECTIVES,
    OBJECTS,
    PLACES,
    SENTENCE_WORDS,
    SENTENCES,
    SURNAMES,
    WEEKDAYS,
    capital,
    say,
    sentence,
)

_NEW_WORDS = words("velvet marble spotted quiet frosty costly square giant leather copper muddy sunny modest")
_TITLES = (
    "{adjective} {object} society of {town}", "{town} {object} and {plain} {object} club",
    "international {adjective} {object} union", "{adjective} {plain} {object} association",
    "friends of {town} {object} restoration", "national {object} research centre of {town}",
)  # fmt: skip
_FIELDS = ("name", "town", "age", "weekday", "pet", "instrument")


def any_sentence(_: Parameters, rng: Random, label: str) -> str:
    """Make an everyday sentence."""
    return sentence(rng)


def _plain_phrase(_: Parameters, rng: Random, label: str) -> str:
    return sentence(rng).rstrip(".").replace(",", "")


def _cased(parameters: Parameters, text: str) -> str | None:
    if not re.search("[A-Za-z]", text):
        return None
    style = parameters["style"]
    if style == "title":
        return " ".join(capital(word.lower()) for word in text.split())
    return text.upper() if style == "upper" else text.lower()


def _replaced(parameters: Parameters, text: str) -> str | None:
    output, times = re.subn(rf"\b{parameters['old']}\b", parameters["new"], text)
    return output if times else None


def _replaceable(parameters: Parameters, rng: Random, label: str) -> str:
    templates = [template for template in SENTENCES if "{adjective}" in template]
    return say(templates, {**SENTENCE_WORDS, "adjective": (parameters["old"],)}, rng)


def plural(noun: str) -> str:
    """Return the regular plural: "box" gives "boxes", "berry" gives "berries", "day" gives "days"."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def _title(_: Parameters, rng: Random, label: str) -> str:
    return " ".join(capital(word) for word in expand(_TITLES[rng.randrange(len(_TITLES))], SENTENCE_WORDS, rng).split())


def _acronym(_: Parameters, text: str) -> str | None:
    initials = "".join(word[0] for word in text.split())
    return initials.upper() if len(initials) > 1 and text.replace(" ", "").isalpha() else None


def _record(rng: Random) -> dict[str, str]:
    values = {
        "name": rng.choice(NAMES), "town": rng.choice(TOWNS), "age": str(rng.randint(18, 90)),
        "weekday": rng.choice(WEEKDAYS), "pet": rng.choice(("parrot", "rabbit", "gecko", "donkey", "goose")),
        "instrument": rng.choice(("violin", "trumpet", "harp", "drum", "flute")),
    }  # fmt: skip
    return {field: values[field] for field in rng.sample(_FIELDS, rng.randint(3, 4))}


def _to_json(_: Parameters, text: str) -> str | None:
    pairs = [pair.split("=") for pair in text.split("; ")]
    return json.dumps(dict(pairs)) if all(len(pair) == 2 and all(pair) for pair in pairs) else None


def _to_csv(_: Parameters, text: str) -> str | None:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return ",".join(str(value) for value in record.values()) if isinstance(record, dict) and record else None


def _surname_first(_: Parameters, text: str) -> str | None:
    names = [name.split() for name in text.split(", ")]
    return "; ".join(f"{last}, {first}" for first, last in names) if all(len(name) == 2 for name in names) else None


TEXT_FAMILIES: tuple[Family, ...] = (
    Family(
        name="reverse_words",
        orders=(
            "reverse the order of the words in {sentence}",
            "write {sentence} backwards word by word",
            "turn {sentence} around so that its last word comes first",
            "copy the words of {sentence} from the last to the first",
        ),
        questions=("how does {sentence} read with its words in reverse order",),
        make=_plain_phrase,
        solve=lambda _, text: " ".join(text.split()[::-1]) if re.fullmatch("[A-Za-z' -]+ [A-Za-z' -]+", text) else None,
    ),
    Family(
        name="change_case",
        orders=(
            "rewrite {sentence} in {style}",
            "convert {sentence} to {style}",
            "type {sentence} again in {style}",
            "change {sentence} so that it is entirely in {style}",
        ),
        questions=("what does {sentence} look like in {style}",),
        slots={
            "style": {
                "upper": ("capital letters", "upper case", "capitals"),
                "lower": ("lower case", "small letters", "lower-case letters"),
                "title": ("title case with every word capitalised", "a style where each word begins with a capital"),
            }
        },
        make=any_sentence,
        solve=_cased,
        case_matters=True,
    ),
    Family(
        name="replace_word",
        orders=(
            'replace the word "{old}" with "{new}" in {sentence}',
            'swap "{old}" for "{new}" wherever it occurs in {sentence}',
            'rewrite {sentence} using "{new}" instead of "{old}"',
            'exchange every "{old}" in {sentence} for "{new}"',
        ),
        questions=('how does {sentence} read with "{new}" in place of "{old}"',),
        slots={"old": ADJECTIVES, "new": _NEW_WORDS},
        make=_replaceable,
        solve=_replaced,
    ),
    Family(
        name="remove_vowels",
        orders=(
            "remove all vowels, that is a, e, i, o and u, from {sentence}",
            "delete every a, e, i, o and u from {sentence}",
            "write {sentence} without the letters a, e, i, o and u",
        ),
        questions=("what is left of {sentence} without the vowels a, e, i, o and u",),
        make=any_sentence,
        solve=lambda _, text: re.sub("[aeiou]", "", text, flags=re.IGNORECASE),
    ),
    Family(
        name="acronym",
        orders=(
            "form an acronym from the first letters of all words in {phrase}",
            "abbreviate {phrase} to the initials of its words",
            "shorten {phrase} to an acronym that uses each word once",
            "build the acronym of {phrase} out of every initial",
        ),
        questions=("what acronym do the initials of all words in {phrase} form",),
        make=_title,
        solve=_acronym,
    ),
    Family(
        name="plural",
        orders=(
            'give the plural of the noun "{noun}"',
            'write down the plural form of "{noun}"',
            'turn the singular "{noun}" into its plural',
            'spell the noun "{noun}" as one would for several of them',
        ),
        questions=('what is the plural of "{noun}"', 'how does one spell the plural of "{noun}"'),
        slots={"noun": OBJECTS + PLACES},
        solve=lambda chosen, _: plural(chosen["noun"]),
    ),
    Family(
        name="spell_backwards",
        orders=(
            'spell the word "{noun}" backwards',
            'write "{noun}" with its letters in reverse',
            'give the letters of "{noun}" from the last to the first as one word',
        ),
        questions=('how is "{noun}" spelled backwards', 'what does "{noun}" read like from right to left'),
        slots={"noun": OBJECTS + PLACES},
        solve=lambda chosen, _: chosen["noun"][::-1],
    ),
    Family(
        name="pairs_to_json",
        orders=(
            "convert {record} from key=value pairs to a JSON object whose values are strings",
            "write {record} as one JSON object, keeping the order and quoting every value",
            "turn the pairs of {record} into a single JSON object of strings",
        ),
        questions=("how does {record} look as a JSON object whose values are all strings",),
        make=lambda _, rng, label: "; ".join(f"{field}={value}" for field, value in _record(rng).items()),
        solve=_to_json,
        case_matters=True,
    ),
    Family(
        name="json_to_csv",
        orders=(
            "convert {record} from JSON to a line of CSV that holds only the values",
            "write the values of {record} as one CSV line without spaces or a header",
            "flatten {record} into a single comma-separated line of its values, with no spaces after the commas",
        ),
        questions=("what is the CSV line, values only and without spaces, for {record}",),
        make=lambda _, rng, label: json.dumps(_record(rng)),
        solve=_to_csv,
        case_matters=True,
    ),
    Family(
        name="surname_first",
        orders=(
            "write each of the people in {record} with the surname first and a comma after it, parted by semicolons",
            "reorder the names in {record} as surname, comma, first name, with semicolons between people",
        ),
        questions=("how are the people in {record} listed surname first, with a semicolon between people",),
        make=lambda _, rng, label: ", ".join(
            f"{name} {rng.choice(SURNAMES)}" for name in rng.sample(NAMES, rng.randint(2, 4))
        ),
        solve=_surname_first,
    ),
)
