"""Tasks that make a new list or string from a comma-separated list of words: sorting, joining, cleaning up.

For example "sort the words below in reverse alphabetical order": "fig, oak, elm" becomes "oak, fig, elm".
"""

import re
from random import Random

from selfinstruct.simulated.world.grammar import Family, Parameters
from selfinstruct.simulated.world.vocabulary import COMMAS, NOUNS, word_list

_LIST = re.compile(r"[A-Za-z'-]+(?:, [A-Za-z'-]+)+")
_INTO = ("in", "into")
_LETTERS = tuple("bcdfhlmopst")
_MARKS = {
    "-": ("hyphen", "hyphen sign"),
    "_": ("underscore", "underscore character"),
    "/": ("slash", "forward slash"),
    "+": ("plus sign", "plus symbol"),
    "|": ("vertical bar", "pipe character"),
}


def items(text: str) -> list[str]:
    """Split "a, b, c"; empty unless it is a list of at least two single words."""
    return text.split(", ") if _LIST.fullmatch(text) else []


def any_words(_: Parameters, rng: Random, label: str) -> str:
    """Make a list of 5 to 8 different nouns."""
    return ", ".join(word_list(rng))


def _sorted(parameters: Parameters, text: str) -> str | None:
    return ", ".join(sorted(items(text), key=str.lower, reverse=parameters["order"] == "descending"))


def words_of_unequal_length(_: Parameters, rng: Random, label: str) -> str:
    """Make a list of up to 7 nouns, no two of the same length."""
    by_length = {len(word): word for word in rng.sample(NOUNS, 14)}
    words = rng.sample(list(by_length.values()), min(len(by_length), rng.randint(4, 7)))
    return ", ".join(words)


def _by_length(parameters: Parameters, text: str) -> str | None:
    return ", ".join(sorted(items(text), key=len, reverse=parameters["order"] == "descending"))


def _repeating_words(_: Parameters, rng: Random, label: str) -> str:
    words = word_list(rng, 4, 6)
    words += rng.choices(words, k=rng.randint(1, 3))
    rng.shuffle(words)
    return ", ".join(words)


def _some_starting(parameters: Parameters, rng: Random, label: str) -> str:
    wanted = [word for word in NOUNS if word[0] == parameters["letter"]]
    words = rng.sample(wanted, rng.randint(1, 3)) + rng.sample(NOUNS, rng.randint(4, 6))
    words = list(dict.fromkeys(words))
    rng.shuffle(words)
    return ", ".join(words)


def _starting(parameters: Parameters, text: str) -> str | None:
    return ", ".join(word for word in items(text) if word[0].lower() == parameters["letter"]) or None


def _joined_letters(parameters: Parameters, text: str) -> str | None:
    place = 0 if parameters["which"] == "first" else -1
    return "".join(word[place] for word in items(text)) or None


LIST_FAMILIES: tuple[Family, ...] = (
    Family(
        name="sort_words",
        orders=(
            "sort {words} {into} {order}{commas}",
            "put {words} {into} {order}{commas}",
            "arrange {words} so that they stand in {order}{commas}",
            "rewrite {words} in {order}{commas}",
            "bring {words} into {order}{commas}",
        ),
        questions=(
            "how do {words} read once they stand in {order}",
            "what do {words} look like in {order}",
        ),
        slots={
            "order": {
                "ascending": ("alphabetical order", "order from A to Z", "dictionary order"),
                "descending": ("reverse alphabetical order", "order from Z to A", "reversed dictionary order"),
            }
        },
        phrases={"into": _INTO, "commas": COMMAS},
        make=any_words,
        solve=_sorted,
    ),
    Family(
        name="sort_by_length",
        orders=(
            "sort {words} by length, {order}{commas}",
            "order {words} by their number of letters, {order}{commas}",
            "line up {words} {order}{commas}",
            "rank {words} by how long they are, {order}{commas}",
        ),
        questions=("how would you line up {words} {order}", "what do {words} look like ordered {order}"),
        slots={
            "order": {
                "ascending": ("from shortest to longest", "starting with the shortest", "with the longest at the end"),
                "descending": ("from longest to shortest", "starting with the longest", "with the shortest at the end"),
            }
        },
        phrases={"commas": COMMAS},
        make=words_of_unequal_length,
        solve=_by_length,
    ),
    Family(
        name="remove_duplicates",
        orders=(
            "remove the duplicates from {words}, {keeping}",
            "strike every repetition from {words}, {keeping}",
            "clean up {words} by deleting repeated entries, {keeping}",
            "copy {words} without any repeats, {keeping}",
        ),
        questions=("what remains of {words} without the duplicates, {keeping}",),
        phrases={
            "keeping": (
                "keeping the first of each",
                "leaving each word at its first place",
                "and keep the remaining order",
                "without changing the order of the rest",
            )
        },
        make=_repeating_words,
        solve=lambda _, text: ", ".join(dict.fromkeys(items(text))),
    ),
    Family(
        name="starting_with",
        orders=(
            'pick from {words} those that start with the letter "{letter}", in their original order{commas}',
            'list every entry of {words} beginning with "{letter}", in order of appearance{commas}',
            'keep only those of {words} whose first letter is "{letter}"{commas}',
        ),
        questions=(
            'which of {words} begin with the letter "{letter}", in order of appearance',
            'what is left of {words} if only those starting with "{letter}" stay',
        ),
        slots={"letter": _LETTERS},
        phrases={"commas": COMMAS},
        make=_some_starting,
        solve=_starting,
    ),
    Family(
        name="join_letters",
        orders=(
            "join the {which} letters of {words} into one string",
            "build a single string from the {which} letter of each of {words}",
            "take the {which} letter of every entry in {words} and glue them together",
        ),
        questions=("what string do the {which} letters of {words} form",),
        slots={"which": {"first": ("first", "initial", "opening"), "last": ("last", "final", "closing")}},
        make=any_words,
        solve=_joined_letters,
    ),
    Family(
        name="reverse_list",
        orders=(
            "flip the sequence of {words}{commas}",
            "write {words} from back to front, beginning with the last{commas}",
            "list {words} again in the opposite order{commas}",
            "turn {words} around so that the last comes first{commas}",
        ),
        questions=("how do {words} read from the last to the first",),
        phrases={"commas": COMMAS},
        make=any_words,
        solve=lambda _, text: ", ".join(reversed(items(text))),
    ),
    Family(
        name="join_with",
        orders=(
            "join {words} with a {mark} and no spaces",
            "replace the commas between {words} with a {mark} each, leaving no spaces",
            "string {words} together, putting only a {mark} between neighbours",
        ),
        questions=("what do {words} become when only a {mark} separates them",),
        slots={"mark": _MARKS},
        make=any_words,
        solve=lambda chosen, text: chosen["mark"].join(items(text)),
    ),
)
