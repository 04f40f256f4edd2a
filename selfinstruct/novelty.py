"""How similar a new instruction is to all known ones: ROUGE-L F1, exactly, in every script.

    >>> index = NoveltyIndex()
    >>> index.add("Sort the list of numbers in ascending order.")
    0
    >>> index.nearest("Sort the list of words in ascending order.")
    Neighbor(index=0, score=0.875)

ROUGE-L (Lin 2004) is the F1 of the longest common subsequence of two token lists, 2·LCS/(m+n). Each token becomes
one character, so that rapidfuzz compares a candidate with many known instructions in one call. The score is then
computed from the LCS in rouge-score's own order of operations, so that a decision at the threshold is the same.

Tokens are rouge-score's (lower case, runs of a-z and 0-9) wherever the text is ASCII; elsewhere runs of letters and
digits of any script, and single characters in scripts that put no spaces between words (Chinese, Japanese, Thai,
Lao, Khmer, Burmese). Not covered: stemming, which the published rule does not use.
"""

import re
import unicodedata
from array import array
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from selfinstruct.records import Neighbor

# Scripts written without spaces: Thai, Lao, Burmese, Khmer, kana, bopomofo, Han (with its extensions).
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
LOOK_FIRST = 32  # texts of the highest bounds that are compared before the others
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
    """The known instructions, in the order in which they were added. Memory: about 0.5 KB each.

    An LCS is at most the number of tokens that two texts share, repetitions counted. Lists of who has which token give
    that bound for all texts at once; the LCS itself is computed for those only whose bound reaches the best score.
    """

    def __init__(self) -> None:
        self._characters: dict[str, str] = {}
        self._texts: list[str] = []
        self._lengths = array("q")
        # Who has a token for the k-th time, by (character, k): so that repetitions count.
        self._having: dict[tuple[str, int], array[int]] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> int:
        """Add a text and give its position."""
        words = tokens(text)
        for token in words:
            self._characters.setdefault(token, _character(len(self._characters)))
        encoded = self._encode(words)
        position = len(self._texts)
        for key in _occurrences(encoded):
            self._having.setdefault(key, array("q")).append(position)
        self._texts.append(encoded)
        self._lengths.append(len(encoded))
        return position

    def nearest(self, text: str, above: float = -1.0) -> Neighbor | None:
        """The most similar text whose F1 is greater than `above`, the first of equals; None where there is none."""
        if not self._texts:
            return None
        query = self._encode(tokens(text))
        found = [np.frombuffer(self._having[key], np.int64) for key in _occurrences(query) if key in self._having]
        if not found:
            return Neighbor(0, 0.0) if above < 0 else None
        shared = np.bincount(np.concatenate(found), minlength=len(self._texts))
        bound = 2.0 * shared / (np.frombuffer(self._lengths, np.int64) + len(query))
        likely = np.argpartition(-bound, min(LOOK_FIRST, len(bound)) - 1)[:LOOK_FIRST]
        best = max(self._scores(query, likely).values())
        # A bound that is equal here may belong to a score that differs in the last digit, which decides at a threshold.
        scores = self._scores(query, np.flatnonzero(bound >= best - 1e-9))
        best = max(scores.values())
        index = next(index for index, score in scores.items() if score == best)
        return Neighbor(index, best) if best > above else None

    def _scores(self, query: str, positions: NDArray[np.int64]) -> dict[int, float]:
        """The exact scores of the texts at `positions`, in that order."""
        texts = [self._texts[i] for i in positions]
        lcs = process.cdist([query], texts, scorer=LCSseq.similarity, dtype=np.int32)[0]
        return {
            int(i): rouge_l_f1(int(length), len(query), len(known))
            for i, length, known in zip(positions, lcs, texts, strict=True)
        }

    def _encode(self, words: list[str]) -> str:
        """One character per token; NUL for a token that no known text has, so that it matches nothing."""
        return "".join(self._characters.get(token, "\0") for token in words)


def _occurrences(encoded: str) -> Iterator[tuple[str, int]]:
    """Each character with how often it has come before."""
    seen: dict[str, int] = {}
    for character in encoded:
        seen[character] = seen.get(character, 0) + 1
        yield character, seen[character]


def _character(number: int) -> str:
    """The number-th character after NUL, leaving out the code points of surrogates, which are no characters."""
    return chr(number + 1 if number < 0xD7FF else number + 0x801)
