"""How similar a new instruction is to all known ones: ROUGE-L F1, exactly, in every script.

    >>> index = NoveltyIndex()
    >>> index.add("Sort the list of numbers in ascending order.")
    0
    >>> index.nearest("Sort the list of words in ascending order.")
    Neighbor(index=0, score=0.875)

ROUGE-L (Lin 2004) is the F1 of the longest common subsequence of two token lists, 2·LCS/(m+n). It is computed here in
rouge-score's own order of operations, so that a decision at the threshold is the same. Not covered: stemming, which the
published rule does not use. So languages that join particles to words, such as Korean, are compared by whole words.

An LCS is at most the number of tokens that two texts share, repetitions counted, so an F1 above t takes t·(m+n)/2
shared tokens. A text that shares `least` of the query's m tokens has one at least of any m - least + 1 of them, and
1 + e of any m - least + 1 + e: the rarest ones are looked up (prefix filtering: Chaudhuri et al. 2006, Bayardo et al.
2007; with longer prefixes: Wang et al. 2012). Only for the few texts that this leaves the LCS is computed, by rapidfuzz
on one character per token.
"""

import sys
import unicodedata
from array import array
from collections.abc import Callable
from itertools import islice, repeat
from math import ceil, isqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from selfinstruct.patterns import pattern
from selfinstruct.records import Neighbor

# Scripts written without spaces: Thai, Lao, Burmese, Khmer, kana, bopomofo, Han (with its extensions).
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
LEVELS = (0.4, 0.2)  # the best scores are looked for above these, one after the other, as far as needed
LOOK_FIRST = 32  # texts of the highest bounds that are compared before the others
EPSILON = 1e-9  # bounds are rounded differently from scores, so they exclude only what is clearly below
ASCII_TOKEN = pattern(r"[a-z0-9]+")
# A word keeps its combining marks (U+0300 ff., Devanagari vowel signs ...), which are neither letters nor spaces.
UNICODE_TOKEN = pattern(rf"[{UNSPACED}]|[^\W_{UNSPACED}](?:[^\W_{UNSPACED}]|[\u0300-\u036f\u0900-\u0dff])*")
NOWHERE = array("i")

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]


def tokens(text: str) -> list[str]:
    """rouge-score's tokens where the text is ASCII; elsewhere runs of letters and digits of any script.

    Scripts that put no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) give single characters.
    """
    if text.isascii():
        return ASCII_TOKEN.findall(text.lower())
    return UNICODE_TOKEN.findall(unicodedata.normalize("NFKC", text).lower())


def ascii_tokens(text: str) -> list[str]:
    """rouge-score's tokens for every text, as published: lower case, runs of a-z and 0-9. Other scripts have none."""
    return ASCII_TOKEN.findall(text.lower())


def rouge_l_f1(lcs: Ints, m: int, n: Ints) -> Floats:
    """F1 of common subsequences of `lcs` tokens, at least 1, of m and n tokens, rounded as rouge-score rounds."""
    precision, recall = lcs / m, lcs / n
    return 2 * precision * recall / (precision + recall)


class Shelf(NamedTuple):
    """Texts whose squared number of tokens has the same number of bits: the longest has √2 times the shortest's."""

    positions: "array[int]"
    having: "dict[int, array[int]]"  # key of a token -> places in `positions`, ascending


class NoveltyIndex:
    """The known instructions, in the order in which they were added.

    They stand on shelves by length, because the number of tokens that must be shared depends on it. Memory: about
    0.2 KB each and 6 bytes a token. ValueError after 1,112,063 different tokens, which is as many as characters.
    """

    def __init__(self, tokenize: Callable[[str], list[str]] = tokens) -> None:
        self._tokenize = tokenize
        self._codes: dict[str, int] = {}
        self._texts: list[str] = []
        self._lengths = array("i")
        self._shelves: dict[int, Shelf] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> int:
        """Add a text and give its position."""
        words = self._tokenize(text)
        for word in words:
            self._codes.setdefault(word, _code(len(self._codes)))
        encoded, keys = self._encode(words)
        if keys:
            shelf = self._shelves.setdefault((len(keys) ** 2).bit_length(), Shelf(array("i"), {}))
            for key in keys:
                shelf.having.setdefault(key, array("i")).append(len(shelf.positions))
            shelf.positions.append(len(self._texts))
        self._texts.append(encoded)
        self._lengths.append(len(encoded))
        return len(self._texts) - 1

    def nearest(self, text: str, above: float = 0.7) -> Neighbor | None:
        """The most similar text whose F1 is greater than `above`, the first of equals; None if there is none."""
        if best := self._best(text, 1, above):
            return best[0]
        return Neighbor(0, 0.0) if above < 0 and self._texts else None

    def top(self, text: str, k: int) -> list[Neighbor]:
        """The k most similar texts, or all where there are fewer, best first, the first of equals first."""
        best = self._best(text, k, 0.0)
        found = {neighbor.index for neighbor in best}
        unlike = (Neighbor(i, 0.0) for i in range(len(self)) if i not in found)
        return best + list(islice(unlike, k - len(best)))

    def mean(self, text: str) -> float:
        """The mean F1 with all texts; ValueError if there are none."""
        if not self._texts:
            raise ValueError("there is nothing to compare with")
        query, _ = self._encode(self._tokenize(text))
        lcs = _lcs(query, self._texts)
        alike = lcs > 0
        scores = np.zeros(len(self))
        scores[alike] = rouge_l_f1(lcs[alike], len(query), np.frombuffer(self._lengths, np.int32)[alike])
        return float(scores.mean())

    def _best(self, text: str, k: int, above: float) -> list[Neighbor]:
        """The k best of those whose F1 is greater than `above` and 0, in order."""
        query, keys = self._encode(self._tokenize(text))
        best: list[Neighbor] = []
        for level in (*(level for level in LEVELS if level > above), max(above, 0.0)):
            best = self._best_above(level, query, keys, k)
            if len(best) == k:
                break
        return best

    def _best_above(self, above: float, query: str, keys: list[int], k: int) -> list[Neighbor]:
        found = [_sharing(keys, bits, shelf, above) for bits, shelf in self._shelves.items()]
        if not any(len(positions) for positions, _ in found):
            return []
        positions = np.concatenate([positions for positions, _ in found])
        n = np.frombuffer(self._lengths, np.int32)[positions]
        bounds = 2 * np.minimum(np.concatenate([shared for _, shared in found]), n) / (len(query) + n)
        likely = bounds > above - EPSILON
        positions, bounds = positions[likely], bounds[likely]
        look = max(k, LOOK_FIRST)
        if len(positions) > look:
            first = positions[np.argpartition(bounds, -look)[-look:]]
            good = np.partition(self._scores(query, first), -k)[-k]
            positions = positions[bounds >= good - EPSILON]
        positions.sort()
        scores = self._scores(query, positions)
        order = np.argsort(-scores, kind="stable")[:k]
        return [Neighbor(int(positions[i]), float(scores[i])) for i in order if scores[i] > above]

    def _scores(self, query: str, positions: Ints) -> Floats:
        """The scores of texts that share a token with the query."""
        lcs = _lcs(query, [self._texts[i] for i in positions.tolist()])
        return rouge_l_f1(lcs, len(query), np.frombuffer(self._lengths, np.int32)[positions])

    def _encode(self, words: list[str]) -> tuple[str, list[int]]:
        """One character per token, and a key for each token and how often it has come: so that repetitions count.

        A token that no known text has is NUL, which is no token's character: its key is found nowhere.
        """
        codes = [self._codes.get(word, 0) for word in words]
        latest: dict[int, int] = {}
        keys = []
        for code in codes:
            latest[code] = latest.get(code, code) + sys.maxunicode + 1
            keys.append(latest[code])
        return "".join(map(chr, codes)), keys


def _sharing(keys: list[int], bits: int, shelf: Shelf, above: float) -> tuple[Ints, Ints]:
    """The texts of a shelf that may share enough tokens for an F1 above `above`: positions, most tokens shared."""
    m, shortest, longest = len(keys), isqrt((1 << bits - 1) - 1) + 1, isqrt((1 << bits) - 1)
    closest = min(max(m, shortest), longest)
    if m == 0 or 2 * min(m, closest) / (m + closest) < above - EPSILON:
        return np.empty(0, np.int32), np.empty(0, np.int32)
    least = max(1, ceil(above * (m + shortest) / 2 - EPSILON))
    lists = sorted(map(shelf.having.get, keys, repeat(NOWHERE)), key=len)
    enough = m - least + 1
    read, size = enough, sum(map(len, lists[:enough]))
    # Up to a third more lists, so that as many more must be shared, which few texts do; but none that is far longer.
    while read < min(m, enough + enough / 3) and len(lists[read]) <= 3 * size:
        size += len(lists[read])
        read += 1
    left_out = m - read
    shared = np.bincount(np.frombuffer(b"".join(lists[:read]), np.int32), minlength=len(shelf.positions))
    places = np.flatnonzero(shared >= least - left_out)
    return np.frombuffer(shelf.positions, np.int32)[places], shared[places] + left_out


def _lcs(query: str, texts: list[str]) -> Ints:
    """The lengths of the longest common subsequences of the query and each text."""
    lengths: Ints = process.cdist([query], texts, scorer=LCSseq.similarity, dtype=np.int32)[0]
    return lengths


def _code(number: int) -> int:
    """The number-th code point after NUL, leaving out surrogates, which are no characters."""
    return number + 1 if number < 0xD7FF else number + 0x801
