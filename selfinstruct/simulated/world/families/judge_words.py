"""Classification by spelling: the label follows from the letters of a word, a pair or a sentence.

For example "do the two words below rhyme, yes or no?": "lamp, stamp" is answered by "yes".
"""

import re
from random import Random

from selfinstruct.simulated.world.families.judge import YES_NO, say_yes
from selfinstruct.simulated.world.families.lists import items
from selfinstruct.simulated.world.grammar import Family, Parameters, pick
from selfinstruct.simulated.world.vocabulary import NOUNS, RHYMES, sentence, word_list

_VARIED = tuple(noun for noun in NOUNS if len(set(noun)) > 3)


def _maybe_number(_: Parameters, rng: Random, label: str) -> str:
    text = sentence(rng)
    if label == "no":
        return text
    words = text.split()
    words.insert(rng.randint(1, len(words) - 1), f"({rng.randint(2, 4000)})")
    return " ".join(words)


def _pair(text: str) -> list[str]:
    words = items(text.lower())
    return words if len(words) == 2 and words[0] != words[1] else []


def _maybe_anagram(_: Parameters, rng: Random, label: str) -> str:
    word = pick(_VARIED, rng)
    letters = rng.sample(word, len(word))
    if label == "no":
        place = rng.randrange(len(letters))
        letters[place] = rng.choice([letter for letter in "aeionrst" if letter != letters[place]])
    return f"{word}, {''.join(letters)}"


def _maybe_palindrome(_: Parameters, rng: Random, label: str) -> str:
    half = rng.choice(NOUNS)[: rng.randint(3, 5)] + rng.choice("aeiou")
    other = half[::-1][rng.randint(0, 1) :]
    if label == "no":
        place = rng.randint(1, len(other) - 1)
        letter = rng.choice([letter for letter in "bdlmnrst" if letter != other[place]])
        other = other[:place] + letter + other[place + 1 :]
    return half + other


def _palindrome(_: Parameters, text: str) -> str | None:
    word = text.lower()
    return say_yes(word == word[::-1]) if re.fullmatch("[a-z]{2,}", word) else None


def _maybe_rhyme(_: Parameters, rng: Random, label: str) -> str:
    one, other = rng.sample(RHYMES, 2)
    return ", ".join(rng.sample(one, 2) if label == "yes" else (rng.choice(one), rng.choice(other)))


def _rhyme(_: Parameters, text: str) -> str | None:
    kinds = [next((place for place, kin in enumerate(RHYMES) if word in kin), -1) for word in _pair(text)]
    return say_yes(kinds[0] == kinds[1]) if kinds and -1 not in kinds else None


def _maybe_sorted(_: Parameters, rng: Random, label: str) -> str:
    words = sorted(word_list(rng, 4, 6))
    while label == "unsorted" and words == sorted(words):
        rng.shuffle(words)
    return ", ".join(words)


def _is_sorted(_: Parameters, text: str) -> str | None:
    words = items(text.lower())
    return ("sorted" if words == sorted(words) else "unsorted") if words else None


def _maybe_holding(parameters: Parameters, rng: Random, label: str) -> str:
    return " ".join(rng.sample([noun for noun in NOUNS if (parameters["letter"] in noun) == (label == "yes")], 2))


JUDGE_WORDS_FAMILIES: tuple[Family, ...] = (
    Family(
        name="contains_number",
        orders=(
            "check {sentence} for digits and answer {labels}",
            "say with {labels} whether {sentence} contains a number in digits",
            "decide if any digit occurs in {sentence}, answering {labels}",
        ),
        questions=("does {sentence} contain any digit, {labels}", "are there digits in {sentence}, {labels}"),
        labels=YES_NO,
        make=_maybe_number,
        solve=lambda _, text: say_yes(re.search(r"\d", text) is not None) if text else None,
    ),
    Family(
        name="contains_letter",
        orders=(
            'check whether the letter "{letter}" occurs in {phrase} and answer {labels}',
            'say with {labels} whether {phrase} is spelled with the letter "{letter}"',
            'search {phrase} for the letter "{letter}" and report {labels}',
        ),
        questions=('does {phrase} contain the letter "{letter}", {labels}',),
        slots={"letter": tuple("abcdeghilmnoprstu")},
        labels=YES_NO,
        make=_maybe_holding,
        solve=lambda chosen, text: say_yes(chosen["letter"] in text.lower()) if re.search("[A-Za-z]", text) else None,
    ),
    Family(
        name="anagram",
        orders=(
            "check whether {pair} use exactly the same letters and answer {labels}",
            "say with {labels} whether {pair} are rearrangements of each other",
            "compare {pair} letter by letter and tell if one is an anagram of the other, {labels}",
        ),
        questions=("are {pair} anagrams of each other, {labels}", "do {pair} consist of the same letters, {labels}"),
        labels=YES_NO,
        make=_maybe_anagram,
        solve=lambda _, text: say_yes(sorted(words[0]) == sorted(words[1])) if (words := _pair(text)) else None,
    ),
    Family(
        name="palindrome",
        orders=(
            "check whether {word} reads the same in both directions and answer {labels}",
            "say with {labels} whether {word} is a palindrome",
            "test {word} for being a palindrome and report {labels}",
        ),
        questions=("is {word} a palindrome, {labels}", "does {word} read the same backwards, {labels}"),
        labels=YES_NO,
        make=_maybe_palindrome,
        solve=_palindrome,
    ),
    Family(
        name="rhyme",
        orders=(
            "check whether {pair} rhyme and answer {labels}",
            "say with {labels} whether {pair} would rhyme in a poem",
            "listen to the endings of {pair} and decide if they rhyme, {labels}",
        ),
        questions=("do {pair} rhyme with each other, {labels}", "would {pair} make a rhyme, {labels}"),
        labels=YES_NO,
        make=_maybe_rhyme,
        solve=_rhyme,
    ),
    Family(
        name="alphabetical",
        orders=(
            "decide whether {words} are alphabetically {labels}",
            "classify {words} as {labels}, going by the alphabet",
            "inspect the alphabetical order of {words} and call it {labels}",
        ),
        questions=("in terms of the alphabet, are {words} {labels}", "going by the alphabet, are {words} {labels}"),
        labels=("sorted", "unsorted"),
        make=_maybe_sorted,
        solve=_is_sorted,
    ),
)
