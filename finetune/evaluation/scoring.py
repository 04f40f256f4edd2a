"""Scores of an answer against its reference: pure functions of their texts.

    >>> score("2, 1, 3", "2, 1, 3.").exact_match
    True
    >>> score("the red, the blue", "the red and the blue").rouge_l
    0.888888888888889

| score       | what it is                                                                                          |
|-------------|-----------------------------------------------------------------------------------------------------|
| rouge_l     | F1 of the longest common subsequence (Lin 2004) of the tokens of `novelty.tokens`: rouge-score's    |
|             | without stemming for ASCII, else words of any script, and single characters where none are spaced   |
| exact_match | equal except for case, runs of white space, quotes around it, and a full stop at its end            |
| empty       | nothing but white space                                                                             |
| loops       | a passage is repeated three times in a row or more, over at least 12 tokens: the model is in a loop |
| grade       | right, wrong, or unknown: for tasks of the simulated world, whose right answers can be computed     |

A text without letters and digits has no tokens, so its ROUGE-L is 0 for any reference; exact match is not affected.
Not covered: paraphrases. A good answer in other words scores low; `selfinstruct compare` asks a judge.
"""

import re
import unicodedata
from typing import NamedTuple

from rapidfuzz.distance import LCSseq

from finetune.examples import Dialogue
from selfinstruct.pool.novelty import UNSPACED, tokens
from selfinstruct.simulated.world.tasks import Grade, grade, recognise

LOOP_TIMES = 3
LOOP_TOKENS = 12
LONGEST_PASSAGE = 100  # tokens
_QUOTES = " \t\r\n\"'`“”‘’«»"
_PIECE = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+|[^\w\s]")


class Scores(NamedTuple):
    """One answer compared with its reference; `rouge_l` from 0 to 1."""

    rouge_l: float
    exact_match: bool
    empty: bool
    loops: bool


class Known(NamedTuple):
    """A task of the simulated world: its family, instruction and input."""

    family: str
    instruction: str
    input: str

    def grade(self, answer: str) -> Grade:
        """Whether the answer is right; unknown if the right one cannot be computed."""
        return grade(self.instruction, self.input, answer)


def score(answer: str, reference: str) -> Scores:
    """All scores that need only the two texts."""
    return Scores(rouge_l(answer, reference), plain(answer) == plain(reference), not answer.strip(), loops(answer))


def rouge_l(one: str, other: str) -> float:
    """ROUGE-L F1 of two texts, 2·LCS/(m+n) of their m and n tokens; 0 if one has none."""
    a, b = tokens(one), tokens(other)
    return 2 * LCSseq.similarity(a, b) / (len(a) + len(b)) if a and b else 0.0


def plain(text: str) -> str:
    """The text in the form that an exact match compares."""
    text = unicodedata.normalize("NFC", text).strip(_QUOTES).rstrip(".。" + _QUOTES)
    return " ".join(text.split()).casefold()


def loops(text: str) -> bool:
    """Whether a passage of up to 100 tokens (words, punctuation) is repeated over and over; see above."""
    pieces = _PIECE.findall(text.lower())
    for size in range(1, min(LONGEST_PASSAGE, len(pieces) // LOOP_TIMES) + 1):
        same = 0
        for i in range(size, len(pieces)):
            same = same + 1 if pieces[i] == pieces[i - size] else 0
            if same + size >= max(LOOP_TIMES * size, LOOP_TOKENS):
                return True
    return False


def known(dialogue: Dialogue) -> Known | None:
    """The dialogue as a task of the simulated world; None if it is not one, or has several turns.

    If the file had no fields for them, instruction and input are the texts before and after a blank line.
    """
    turns = [message for message in dialogue.messages if message["role"] != "system"]
    if len(turns) != 2:
        return None
    if dialogue.instruction is not None:
        asked = (dialogue.instruction, dialogue.input or "")
    else:
        instruction, _, given = turns[0]["content"].partition("\n\n")
        asked = (instruction, given)
    task = recognise(asked[0])
    return Known(task.family, *asked) if task else None
