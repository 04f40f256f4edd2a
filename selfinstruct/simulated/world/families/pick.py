"""Tasks that pick one thing out of a comma-separated list of words, or count in it.

For example "what is the odd one out in the words below?": "oak, fern, anvil, moss" is answered by "anvil".
"""

from collections import Counter
from random import Random

from selfinstruct.simulated.world.families.lists import any_words, items, words_of_unequal_length
from selfinstruct.simulated.world.grammar import Family, Parameters
from selfinstruct.simulated.world.vocabulary import ANIMALS, FRUIT, MINERALS, PLANTS, RHYMES, TOOLS, word_list

_POSITIONS = {"2": ("second",), "3": ("third",), "4": ("fourth",), "-1": ("last", "final"), "-2": ("second to last",)}
_SETS = (ANIMALS, PLANTS, MINERALS, TOOLS, FRUIT)


def _extreme_word(parameters: Parameters, text: str) -> str | None:
    words = sorted(items(text), key=len, reverse=parameters["extreme"] == "longest")
    return words[0] if words and len(words[0]) != len(words[1]) else None


def _nth(parameters: Parameters, text: str) -> str | None:
    words, position = items(text), int(parameters["position"])
    if len(words) < abs(position):
        return None
    return words[position - 1 if position > 0 else position]


def _one_rhyme(parameters: Parameters, rng: Random, label: str) -> str:
    groups = rng.sample([words for words in RHYMES if parameters["word"] not in words], rng.randint(3, 5))
    family = next(words for words in RHYMES if parameters["word"] in words)
    words = [rng.choice(group) for group in groups]
    words.insert(rng.randint(0, len(words)), rng.choice([word for word in family if word != parameters["word"]]))
    return ", ".join(words)


def _rhyming(parameters: Parameters, text: str) -> str | None:
    family = next(words for words in RHYMES if parameters["word"] in words)
    found = [word for word in items(text) if word.lower() in family]
    return found[0] if len(found) == 1 else None


def _one_stranger(_: Parameters, rng: Random, label: str) -> str:
    kin, strangers = rng.sample(_SETS, 2)
    words = rng.sample(kin, rng.randint(3, 5))
    words.insert(rng.randint(0, len(words)), rng.choice(strangers))
    return ", ".join(words)


def _odd_one(_: Parameters, text: str) -> str | None:
    words = items(text)
    kinds = [next((place for place, kind in enumerate(_SETS) if word.lower() in kind), -1) for word in words]
    alone = [word for word, kind in zip(words, kinds, strict=True) if kinds.count(kind) == 1]
    return alone[0] if len(alone) == 1 and len(words) > 2 and -1 not in kinds and len(set(kinds)) == 2 else None


def _alphabet_end(parameters: Parameters, text: str) -> str | None:
    words = sorted(items(text), key=str.lower)
    return words[0 if parameters["end"] == "first" else -1] if words else None


def _count_long(parameters: Parameters, text: str) -> str | None:
    words = items(text)
    return str(sum(len(word) > int(parameters["length"]) for word in words)) if words else None


def _twice(_: Parameters, text: str) -> str | None:
    often = [word for word, times in Counter(items(text)).items() if times > 1]
    return often[0] if len(often) == 1 else None


def _one_repeated(_: Parameters, rng: Random, label: str) -> str:
    words = word_list(rng, 5, 7)
    words.insert(rng.randint(2, len(words)), words[rng.randint(0, 1)])
    return ", ".join(words)


PICK_FAMILIES: tuple[Family, ...] = (
    Family(
        name="extreme_word",
        orders=(
            "pick out the {extreme} of {words}",
            "find the {extreme} among {words}",
            "name the {extreme} one of {words}",
            "return whichever of {words} is the {extreme}",
        ),
        questions=("which of {words} is the {extreme}", "what is the {extreme} of {words}"),
        slots={
            "extreme": {"longest": ("longest", "longest by letters"), "shortest": ("shortest", "shortest by letters")}
        },
        make=words_of_unequal_length,
        solve=_extreme_word,
    ),
    Family(
        name="find_repeated",
        orders=(
            "find the one entry that occurs twice in {words}",
            "spot the repeated entry among {words}",
            "name the only duplicate in {words}",
        ),
        questions=("which entry turns up twice in {words}", "what is the only repeated entry among {words}"),
        make=_one_repeated,
        solve=_twice,
    ),
    Family(
        name="nth_word",
        orders=(
            "give the {position} entry of {words}",
            "copy the {position} item from {words}",
            "return the {position} member of {words}",
            "quote only the {position} element of {words}",
        ),
        questions=("what is the {position} entry of {words}", "which item comes {position} in {words}"),
        slots={"position": _POSITIONS},
        make=any_words,
        solve=_nth,
    ),
    Family(
        name="find_rhyme",
        orders=(
            'find among {words} the one that rhymes with "{word}"',
            'choose the rhyme for "{word}" from {words}',
            'select whichever of {words} rhymes with "{word}"',
        ),
        questions=('which of {words} rhymes with "{word}"', 'what rhyme for "{word}" is there among {words}'),
        slots={"word": tuple(word for words in RHYMES for word in words)},
        make=_one_rhyme,
        solve=_rhyming,
    ),
    Family(
        name="odd_one_out",
        orders=(
            "find the odd one out in {words}",
            "name the entry that does not belong among {words}",
            "single out whichever of {words} is of another kind than the rest",
            "spot the intruder among {words}",
        ),
        questions=("which of {words} does not belong with the others", "what is the odd one out in {words}"),
        make=_one_stranger,
        solve=_odd_one,
    ),
    Family(
        name="alphabet_end",
        orders=(
            "name whichever of {words} comes {end} in the alphabet",
            "find the entry of {words} that a dictionary would list {end}",
            "tell me which of {words} stands {end} alphabetically",
        ),
        questions=(
            "which of {words} would a dictionary list {end}",
            "which of {words} comes {end} in alphabetical order",
        ),
        slots={"end": {"first": ("first", "earliest"), "last": ("last", "latest")}},
        make=any_words,
        solve=_alphabet_end,
    ),
    Family(
        name="count_long_words",
        orders=(
            "count how many of {words} have more than {length} letters",
            "say in digits how many of {words} are longer than {length} letters",
            "work out how many entries of {words} exceed {length} letters",
        ),
        questions=("how many of {words} have more than {length} letters",),
        slots={"length": range(4, 8)},
        make=any_words,
        solve=_count_long,
    ),
)
