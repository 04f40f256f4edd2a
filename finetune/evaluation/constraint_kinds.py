"""The kinds of constraints that a program can check: how each is worded, drawn, and checked.

    >>> KINDS["sentences_at_most"].holds("One. Two. And three", n=2)
    False

Counting rules: a word is a string between white space with a letter or a digit; a sentence ends with its punctuation
mark before white space, or with its paragraph; paragraphs are separated by a blank line. Case matters only if the
constraint is about case. A language is recognized by its script alone.
"""

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, NamedTuple

Parameters = dict[str, Any]

LANGUAGES = {
    "Arabic": ("ARABIC",), "Armenian": ("ARMENIAN",), "Bengali": ("BENGALI",), "Chinese": ("CJK",),
    "Georgian": ("GEORGIAN",), "Greek": ("GREEK",), "Hebrew": ("HEBREW",), "Hindi": ("DEVANAGARI",),
    "Japanese": ("HIRAGANA", "KATAKANA", "CJK"), "Korean": ("HANGUL",), "Russian": ("CYRILLIC",), "Tamil": ("TAMIL",),
    "Thai": ("THAI",),
}  # fmt: skip
SCRIPT_SHARE = 0.9  # of the letters: names and units may be Latin
DIVIDER = "******"
KEYWORDS = (
    "river", "window", "morning", "bread", "winter", "engine", "garden", "letter", "island", "silver", "market",
    "candle",
)  # fmt: skip
UNWANTED = ("very", "because", "important", "good", "people", "always", "also", "many")
OPENINGS = ("Here is my answer:", "To begin with", "In short", "Let me put it this way:")
CLOSINGS = ("That is all I have to say.", "I hope this is of use.", "Thank you for reading.", "What do you think?")
_ABBREVIATION = re.compile(r"\b(?:mr|mrs|ms|dr|prof|vs|e\.g|i\.e)\.", re.IGNORECASE)
_LIST_NUMBER = re.compile(r"^[ \t]*\d+[.)](?=\s)", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’)\]*_]*(?=\s|$)|[。！？।]+")
_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)\n?\s*```", re.DOTALL | re.IGNORECASE)


class Kind(NamedTuple):
    """A kind of constraint: its wording in a prompt, how its parameters are drawn, and the check of an answer.

    `touches`: the aspects of an answer that it constrains.
    """

    name: str
    wordings: tuple[str, ...]
    draw: Callable[[Random], Parameters]
    holds: Callable[..., bool]
    touches: frozenset[str]


# Splitting an answer.


def _words(answer: str) -> list[str]:
    return [word for word in answer.split() if any(c.isalnum() for c in word)]


def _paragraphs(answer: str) -> list[str]:
    return [part for part in re.split(r"\n[ \t]*\n", answer) if part.strip()]


def _sentences(answer: str) -> int:
    plain = _LIST_NUMBER.sub("", _ABBREVIATION.sub(lambda found: found[0].replace(".", ""), answer))
    rests = [_SENTENCE_END.split(paragraph) for paragraph in _paragraphs(plain)]
    return sum(bool(_words(piece)) for pieces in rests for piece in pieces)


def _times(answer: str, word: str) -> int:
    return len(re.findall(rf"(?<!\w){re.escape(word)}(?!\w)", answer, re.IGNORECASE))


def _lines(answer: str, mark: str) -> int:
    return len(re.findall(rf"^[ \t]*{mark}[ \t]+\S", answer, re.MULTILINE))


# The checks; `answer` is never empty.


def _words_at_least(answer: str, n: int) -> bool:
    return len(_words(answer)) >= n


def _words_at_most(answer: str, n: int) -> bool:
    return len(_words(answer)) <= n


def _sentences_at_least(answer: str, n: int) -> bool:
    return _sentences(answer) >= n


def _sentences_at_most(answer: str, n: int) -> bool:
    return _sentences(answer) <= n


def _n_paragraphs(answer: str, n: int) -> bool:
    return len(_paragraphs(answer)) == n


def _paragraph_start(answer: str, n: int, k: int, word: str) -> bool:
    parts = _paragraphs(answer)
    return len(parts) == n and re.match(rf"\W*{re.escape(word)}(?!\w)", parts[k - 1], re.IGNORECASE) is not None


def _bullets(answer: str, n: int) -> bool:
    return _lines(answer, "[-*•]") == n


def _numbered(answer: str, n: int) -> bool:
    found = re.findall(r"^[ \t]*(\d+)[.)][ \t]+\S", answer, re.MULTILINE)
    return found == [str(number) for number in range(1, n + 1)]


def _sections(answer: str, n: int) -> bool:
    found = re.findall(r"^\W*section[ \t]+(\d+)\b", answer, re.MULTILINE | re.IGNORECASE)
    return found == [str(number) for number in range(1, n + 1)]


def _alternatives(answer: str) -> bool:
    parts = [part.strip() for part in re.split(r"^[ \t]*\*{6}[ \t]*$", answer, flags=re.MULTILINE)]
    return len(parts) == 2 and all(parts) and parts[0] != parts[1]


def _json(answer: str) -> bool:
    fenced = _FENCED.fullmatch(answer)
    try:
        return isinstance(json.loads(fenced[1] if fenced else answer), dict | list)
    except (ValueError, RecursionError):
        return False


def _includes(answer: str, word: str, other: str) -> bool:
    return _times(answer, word) > 0 and _times(answer, other) > 0


def _excludes(answer: str, word: str) -> bool:
    return _times(answer, word) == 0


def _keyword_at_least(answer: str, word: str, n: int) -> bool:
    return _times(answer, word) >= n


def _letter_at_least(answer: str, letter: str, n: int) -> bool:
    return answer.lower().count(letter) >= n


def _lower(answer: str) -> bool:
    return answer == answer.lower() and answer != answer.upper()


def _upper(answer: str) -> bool:
    return answer == answer.upper() and answer != answer.lower()


def _capitals_at_least(answer: str, n: int) -> bool:
    return sum(word.isupper() and sum(map(str.isalpha, word)) > 1 for word in _words(answer)) >= n


def _starts(answer: str, phrase: str) -> bool:
    return answer.casefold().startswith(phrase.casefold())


def _ends(answer: str, phrase: str) -> bool:
    return answer.casefold().endswith(phrase.casefold())


def _quoted(answer: str) -> bool:
    return len(answer) > 2 and (answer[0], answer[-1]) in (('"', '"'), ("“", "”"))


def _no_commas(answer: str) -> bool:
    return not re.search("[,，、،]", answer)


def _title(answer: str) -> bool:
    return re.search(r"<<[^<>\n]*\w[^<>\n]*>>", answer) is not None


def _postscript(answer: str, mark: str) -> bool:
    return re.search(rf"^\W*{re.escape(mark)}.*\w", answer, re.MULTILINE | re.IGNORECASE) is not None


def _placeholders(answer: str, n: int) -> bool:
    return len(re.findall(r"\[[^\[\]\n]*\w[^\[\]\n]*\]", answer)) >= n


def _highlights(answer: str, n: int) -> bool:
    return len(re.findall(r"(?<!\*)(\*{1,2})(?=[^\s*])[^*\n]*(?<!\s)\1(?!\*)", answer)) >= n


def _language(answer: str, language: str) -> bool:
    names = [unicodedata.name(c, "") for c in answer if c.isalpha()]
    inside = [name for name in names if name.startswith(LANGUAGES[language])]
    has_kana = language != "Japanese" or any(name.startswith(("HIRAGANA", "KATAKANA")) for name in inside)
    return bool(names) and len(inside) >= SCRIPT_SHARE * len(names) and has_kana


# Drawing the parameters.


def _nothing(rng: Random) -> Parameters:
    return {}


def _number(rng: Random, low: int, high: int, step: int = 1) -> Parameters:
    return {"n": rng.randrange(low, high + 1, step)}


def _one_of(rng: Random, name: str, choices: Sequence[str]) -> Parameters:
    return {name: rng.choice(choices)}


def _place(rng: Random) -> Parameters:
    n = rng.randint(2, 5)
    return {"n": n, "k": rng.randint(2, n), "word": rng.choice(KEYWORDS)}


def _two_words(rng: Random) -> Parameters:
    word, other = rng.sample(KEYWORDS, 2)
    return {"word": word, "other": other}


def _word_and_number(rng: Random) -> Parameters:
    return {"word": rng.choice(KEYWORDS), "n": rng.randint(2, 4)}


def _letter_and_number(rng: Random) -> Parameters:
    return {"letter": rng.choice("bcdfghklmpuwy"), "n": rng.randint(4, 12)}


def _kind(
    name: str, touches: str, draw: Callable[[Random], Parameters], holds: Callable[..., bool], *wordings: str
) -> Kind:
    return Kind(name, wordings, draw, holds, frozenset(touches.split()))


# A kind also touches "paragraphs" if it makes their number unclear.
_ALL = (
    _kind("words_at_least", "length", partial(_number, low=60, high=200, step=20), _words_at_least,
          "Use at least {n} words.", "Your answer should have {n} words or more."),
    _kind("words_at_most", "length", partial(_number, low=40, high=120, step=10), _words_at_most,
          "Use no more than {n} words.", "Stay within {n} words."),
    _kind("sentences_at_least", "length layout", partial(_number, low=3, high=10), _sentences_at_least,
          "Write at least {n} sentences.", "It should be {n} sentences long or longer."),
    _kind("sentences_at_most", "length layout paragraphs marks", partial(_number, low=2, high=6), _sentences_at_most,
          "Write at most {n} sentences.", "Use {n} sentences or fewer."),
    _kind("paragraphs", "layout paragraphs", partial(_number, low=2, high=5), _n_paragraphs,
          "Write exactly {n} paragraphs, with a blank line between them.",
          "Divide your answer into {n} paragraphs by blank lines."),
    _kind("paragraph_start", "layout paragraphs keywords", _place, _paragraph_start,
          'Write {n} paragraphs with blank lines between them; the first word of paragraph {k} has to be "{word}".'),
    _kind("bullets", "layout", partial(_number, low=2, high=6), _bullets,
          'Include exactly {n} bullet points, each on a line that begins with "- ".',
          'There must be {n} bullet points, no more and no fewer, written as lines like "* a point".'),
    _kind("numbered", "layout", partial(_number, low=2, high=6), _numbered,
          'Include a list of {n} items, numbered "1.", "2." and so on, each on a line of its own.'),
    _kind("sections", "layout paragraphs", partial(_number, low=2, high=4), _sections,
          'Divide the text into {n} parts, each headed by a line such as "Section 1".'),
    _kind("alternatives", "layout start end paragraphs", _nothing, _alternatives,
          f"Give two different answers, with a line of six asterisks ({DIVIDER}) between them.",
          f"Answer twice, in different ways, and separate the two answers with a line that is just {DIVIDER}."),
    _kind("json", "layout start end paragraphs case length punctuation", _nothing, _json,
          "Answer with one JSON object or list and nothing else; a Markdown code fence around it is allowed."),
    _kind("includes", "keywords", _two_words, _includes,
          'Use the words "{word}" and "{other}".', 'The words "{word}" and "{other}" both have to occur.'),
    _kind("excludes", "keywords", partial(_one_of, name="word", choices=UNWANTED), _excludes,
          'Do not use the word "{word}".', 'The word "{word}" must not occur.'),
    _kind("keyword_at_least", "keywords", _word_and_number, _keyword_at_least,
          'Use the word "{word}" at least {n} times.'),
    _kind("letter_at_least", "length", _letter_and_number, _letter_at_least,
          'The letter "{letter}" should occur {n} times or more.'),
    _kind("lower", "case", _nothing, _lower,
          "Use small letters only, no capitals.", "Write everything in lower case."),
    _kind("upper", "case", _nothing, _upper,
          "USE CAPITAL LETTERS ONLY.", "Write everything in upper case."),
    _kind("capitals_at_least", "case", partial(_number, low=2, high=6), _capitals_at_least,
          "Write at least {n} words all in capitals, for emphasis."),
    _kind("starts", "start", partial(_one_of, name="phrase", choices=OPENINGS), _starts,
          'Begin with the words "{phrase}".', 'The first words must be "{phrase}".'),
    _kind("ends", "end", partial(_one_of, name="phrase", choices=CLOSINGS), _ends,
          'End with exactly these words: "{phrase}", and nothing after them.',
          'Your last sentence must be "{phrase}".'),
    _kind("quoted", "start end", _nothing, _quoted,
          "Put your whole answer in double quotation marks.", "Enclose the whole answer in double quotes."),
    _kind("no_commas", "punctuation", _nothing, _no_commas,
          "Do without commas.", "Do not use a single comma."),
    _kind("title", "start paragraphs", _nothing, _title,
          "Give it a title in double angle brackets, such as <<a title>>."),
    _kind("postscript", "end paragraphs", partial(_one_of, name="mark", choices=("P.S.", "P.P.S.")), _postscript,
          'Add a postscript at the end that begins with "{mark}".'),
    _kind("placeholders", "marks", partial(_number, low=2, high=5), _placeholders,
          "Leave at least {n} placeholders in square brackets to fill in, such as [name]."),
    _kind("highlights", "marks", partial(_number, low=2, high=5), _highlights,
          "Highlight at least {n} phrases with asterisks, *like this*."),
    _kind("language", "keywords case length start end paragraphs",
          partial(_one_of, name="language", choices=tuple(LANGUAGES)), _language,
          "Answer in {language} only.", "Write the whole answer in {language}."),
)  # fmt: skip
KINDS = {kind.name: kind for kind in _ALL}
