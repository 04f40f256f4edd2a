"""How similar a new instruction is to all known ones: ROUGE-L F1, exactly, in every script.

    >>> index = NoveltyIndex()
    >>> index.add("Sort the list of numbers in ascending order.")
    0
    >>> index.nearest("Sort the list of words in ascending order.")
    Neighbor(index=0, score=0.875)

ROUGE-L (Lin 2004) is the F1 of the longest common subsequence of two token lists, 2·LCS/(m+n). Each token becomes
one character, so that rapidfuzz compares a candidate with all known instructions in one call. The score is then
computed from the LCS in rouge-score's own order of operations, so that a decision at the threshold is the same.

Tokens are rouge-score's (lower case, runs of a-z and 0-9) wherever the text is ASCII; elsewhere runs of letters and
digits of any script, and single characters in scripts that put no spaces between words (Chinese, Japanese, Thai,
Lao, Khmer, Burmese). Not covered: stemming, which the published rule does not use.
"""

import re
import unicodedata

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from selfinstruct.records import Neighbor

# Scripts written without spaces: Thai, Lao, Burmese, Khmer, kana, bopomofo, Han (with its extensions).
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
ASCII_TOKEN = re.compile(r"[a-z0-9]+")
# A word keeps its combining marks (U+0300 ff., Devanagari vowel signs ...), which are neither letters nor spaces.
UNICODE_TOKEN = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}](?:[^\W_{UNSPACED}]|[\u0300-\u036f\u0900-\u0dff])*")


def tokens(text: str) -> list[str]:
    """The tokens that ROUGE-L compares."""
    if text.isascii():
        return ASCII_TOKEN.findall(text.lower())
    return UNICODE_TOKEN.findall(unicodedata.normalize("NFKC", text).lower())


def rouge_l_f1(lcs: int, m: int, n: int) -> float:
    """F1 of an LCS of length `lcs` between token lists of lengths m and n, rounded as rouge-score rounds it."""
    if lcs == 0:
        return 0.0
    precision, recall = lcs / m, lcs / n
    return 2 * precision * recall / (precision + recall)


class NoveltyIndex:
    """The known instructions, in the order in which they were added. Memory: about 0.2 KB each."""

    def __init__(self) -> None:
        self._characters: dict[str, str] = {}
        self._texts: list[str] = []
        self._lengths = np.zeros(1024, dtype=np.int32)

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> int:
        """Add a text and give its position."""
        position = len(self._texts)
        self._texts.append(self._encode(text))
        if position == len(self._lengths):
            self._lengths = np.concatenate([self._lengths, np.zeros_like(self._lengths)])
        self._lengths[position] = len(self._texts[position])
        return position

    def nearest(self, text: str, above: float = -1.0) -> Neighbor | None:
        """The most similar text whose F1 is greater than `above`, the first of equals; None where there is none."""
        query = self._encode(text)
        if not self._texts or not query:
            return Neighbor(0, 0.0) if self._texts and above < 0 else None
        lcs = process.cdist([query], self._texts, scorer=LCSseq.similarity, dtype=np.int32)[0]
        f1 = 2.0 * lcs / (self._lengths[: len(self._texts)] + len(query))
        index = int(f1.argmax())
        score = rouge_l_f1(int(lcs[index]), len(query), int(self._lengths[index]))
        return Neighbor(index, score) if score > above else None

    def _encode(self, text: str) -> str:
        """One character per token; the code points of surrogates are left out, they are no characters."""
        known = self._characters
        return "".join(known.get(token) or known.setdefault(token, _character(len(known))) for token in tokens(text))


def _character(number: int) -> str:
    return chr(number + 1 if number < 0xD7FF else number + 0x801)
