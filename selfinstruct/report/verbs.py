"""What instructions ask for, roughly: their root verb and its object, as in figure 3 of Self-Instruct.

    >>> verb_and_object("Please write a short story about a lighthouse.")
    ('write', 'story')
    >>> verb_and_object("Given a list of words, sort them by length.")
    ('sort', None)

The paper parses each instruction; here there is no parser. The verb is the first word of the first clause that begins
with one of VERBS, once "please", "could you" and the like are taken off. The object is the last word before a
preposition or a mark ends the phrase after it. This is right for most plain English orders, and finds nothing in
questions, in verbs that are not listed, and in other languages.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

VERBS = frozenset(
    re.findall(
        r"\w+",
        """
        add adjust advise analyze analyse answer apply argue arrange ask assess assign assume brainstorm break bring
        build calculate capitalize categorize change check choose cite clarify classify clean collect combine come
        comment compare compile complete compose compress compute condense conjugate construct convert correct count
        craft create critique debug decide decode deduce define delete derive describe design detect determine develop
        devise diagnose differentiate discuss distinguish divide double draft draw edit elaborate eliminate encode
        enumerate estimate evaluate examine exclude expand explain express extend extract fill filter find fix flatten
        flip fold form format formulate generate get give greet group guess help hide highlight identify illustrate
        imagine implement improve include indicate infer insert interpret introduce invent join judge keep label list
        make map mark match measure mention merge modify move multiply name normalize normalise number offer optimize
        order organize organise outline paraphrase parse perform persuade pick plan point polish predict prepare
        present prioritize produce proofread propose prove provide punctuate put rank rate rearrange recall recast
        recite recommend recount redact reduce refactor reformat rephrase replace replicate reply report reorder
        research respond restate restructure return reverse review revise rewrite rework role round say schedule score
        select separate shorten show simplify sketch solve sort specify spell split state structure substitute
        subtract suggest sum summarize summarise swap tag take tally tell test think trace transcribe transform
        translate trim turn unscramble update use validate verify weigh work write
        """,
    )
)
# They mark English, and hardly any other language that is written with the same letters.
ENGLISH = frozenset(
    re.findall(
        r"\w+",
        """
        the of and to is are for with from that this these what which how why who it its be by or as at your you their
        they them his her our we if whether can could would should does did has have had been not than then into about
        between following given below each using when where will there
        """,
    )
)
_LEAD = re.compile(
    r"^(?:(?:and|then|so|next|now|first|finally|also|afterwards|please|kindly|just|carefully|briefly|help me(?: to)?"
    r"|(?:can|could|would|will) you(?: please| kindly)?|let us|let's|try to|make sure to"
    r"|(?:i (?:want|need|would like|ask)|i'd like|we want|we need) you to|i want to|you (?:must|should|have to|are to)"
    r"|(?:your (?:task|job|goal) |the task )?is to)\s+)+",
)
_CLAUSE = re.compile(r"[.?!:;,\n(]+\s*")
_WORD = re.compile(r"[a-z]+(?:['’-][a-z]+)*|\S")
_FIRST = frozenset(
    re.findall(
        r"\w+",
        """
        a an the this these those that my your his her its our their me us it them him some any each every all both
        only exactly one two three four five six seven eight nine ten
        """,
    )
)
# Words that end the phrase of an object, besides everything that is no word.
_END = frozenset(
    re.findall(
        r"\w+",
        """
        of for to in on at by with from into about as that which who whose where when what why how if whether and or
        but so because than between among using based without within against through over under after before during
        until while is are was were be has have had can could will would should do does not given containing
        describing explaining including given written called named so then there here out up down off away below above
        regarding found taken left made sent told underneath together else nothing anything everything something
        whichever whatever same first
        """,
    )
)


class Root(NamedTuple):
    """A root verb, how many tasks have it, and their objects with their numbers, most frequent first."""

    verb: str
    tasks: int
    objects: list[tuple[str, int]]


def verb_and_object(instruction: str) -> tuple[str, str | None] | None:
    """The root verb and its object (None if there is none); None if no verb is found."""
    for clause in _CLAUSE.split(instruction.lower()[:600]):
        words = _WORD.findall(_LEAD.sub("", clause.strip(), count=1))
        if words and words[0] in VERBS:
            return words[0], _object(words[1:])
    return None


def _object(words: list[str]) -> str | None:
    phrase: list[str] = []
    for word in words:
        if word in _END or not word[0].isalpha() or (phrase and word.endswith(("ed", "ly"))):
            break
        if word not in _FIRST:
            phrase.append(word)
    return _singular(phrase[-1]) if phrase else None


def _singular(noun: str) -> str:
    if len(noun) < 4 or noun.endswith(("ss", "us", "is", "'s", "’s")):
        return noun
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    return noun[:-2] if noun.endswith(("sses", "shes", "ches", "xes")) else noun.removesuffix("s")


def roots(instructions: Iterable[str]) -> list[Root]:
    """The root verbs of the instructions, the most frequent first."""
    found: defaultdict[str, Counter[str | None]] = defaultdict(Counter)
    for instruction in instructions:
        if pair := verb_and_object(instruction):
            found[pair[0]][pair[1]] += 1
    result = []
    for verb, nouns in sorted(found.items(), key=lambda item: (-item[1].total(), item[0])):
        named = [(noun, n) for noun, n in nouns.items() if noun]
        result.append(Root(verb, nouns.total(), sorted(named, key=lambda pair: (-pair[1], pair[0]))))
    return result


def is_english(text: str) -> bool:
    """Whether it looks English: a letter in ten at most is not ASCII, and a word in eight is one of ENGLISH.

    A short order without such a word counts where it begins with one of VERBS.
    """
    if not text.isascii():
        letters = [c for c in text if c.isalpha()]
        if sum(c.isascii() for c in letters) < 0.9 * len(letters):
            return False
    words = re.findall(r"[a-z]+", text.lower())
    return bool(words) and (len(words) <= 8 * sum(map(ENGLISH.__contains__, words)) or words[0] in VERBS)
