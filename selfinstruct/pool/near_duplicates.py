"""Near-duplicates of whole records: MinHash LSH proposes, the exact Jaccard similarity of word shingles decides.

The novelty rule compares instructions only, by an LCS that is quadratic in their length. A record (instruction, input
and output) is longer, and its answer may be a copy where its instruction is new.

    >>> texts = NearDuplicates(threshold=0.5)
    >>> texts.add("Say how a lock lifts a boat. The gates close and water flows in until the levels are equal.")
    0
    >>> texts.nearest("Tell how a lock lifts a boat. The gates close and water flows in until the levels are equal.")
    Neighbor(index=0, score=0.8888888888888888)

Jaccard: shared shingles over all shingles of both texts. A shingle is three tokens in a row (`novelty.tokens`; a text
of fewer is the set of its tokens). Single words are too common: unrelated records reach 0.6 with them, and 0.3 with
three in a row. Of five in a row, one changed word takes five away, and a record has only about fifty. With three, k
changed words that lie apart in a text of m leave (m - 2 - 3k) / (m - 2 + 3k): of 50 words, two leave 0.78, three 0.68.

LSH (Indyk & Motwani 1998; Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, 3.4) cuts a MinHash (Broder 1997)
into bands of ROWS values; two texts of similarity s have none of b bands in common with probability (1 - s^ROWS)^b.
There are as many bands as keep that within MISSED at the threshold; it falls fast above it. At 0.7 that is 11 bands:
1 % are missed at exactly 0.7, 0.2 % at 0.75, 0.04 % at 0.8, none that are equal. There are no false positives.

Everything follows from the texts and fixed hash seeds. Looking a text of 45 tokens up and adding it takes about 0.2 ms
with 82,000 texts inside; these take 120 MB at 0.7, and two to three times that at 0.5 (benchmarks/near_duplicates.py).
The MinHash is computed here, in three lines of numpy: datasketch brings scipy, which takes 40 MB and most of a second
at each start. `verify` searches with datasketch, as an independent check.

Not covered: the same content in other words. Nor does it know which texts belong together: instances of one task share
its instruction, so that short ones are near-duplicates of each other by construction. Compare a task's instances with
those of other tasks only: look all of them up before any is added.
"""

import functools
import hashlib
import itertools

import numpy as np
from numpy.typing import NDArray

from selfinstruct.errors import UsageError
from selfinstruct.pool.novelty import tokens
from selfinstruct.records import Neighbor

SHINGLE = 3  # tokens
ROWS = 3  # of a band; more rows make fewer false candidates, but need more bands, which are what takes the memory
# Odd, so that no bit of a word's hash is lost; different, so that the order of the words counts.
FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
MISSED = 0.01  # of the pairs whose similarity is exactly the threshold


class NearDuplicates:
    """The known texts, in the order in which they were added."""

    def __init__(self, threshold: float):
        """Find texts whose Jaccard similarity is at least `threshold`, from 0.5 to 1; UsageError outside of it."""
        if not 0.5 <= threshold <= 1:
            raise UsageError(f"near_duplicate = {threshold}: choose a Jaccard threshold from 0.5 to 1.")
        self.threshold = threshold
        self._bands = next(b for b in itertools.count(2) if (1 - threshold**ROWS) ** b <= MISSED)
        self._shingles: list[NDArray[np.uint64]] = []
        # Who has a band: mostly one text. A set for each, as datasketch's tables keep it, takes four times the memory.
        self._having: dict[int, int | list[int]] = {}

    def __len__(self) -> int:
        return len(self._shingles)

    def add(self, text: str) -> int:
        """Add a text and give its position."""
        hashes, bands = _sketch(text, self._bands)
        position = len(self._shingles)
        for band in bands:
            known = self._having.setdefault(band, position)
            if isinstance(known, list):
                known.append(position)
            elif known != position:
                self._having[band] = [known, position]
        self._shingles.append(hashes)
        return position

    def nearest(self, text: str) -> Neighbor | None:
        """The most similar known text at or above the threshold, the first of equals; its score is the Jaccard's."""
        hashes, bands = _sketch(text, self._bands)
        found: set[int] = set()
        for band in bands:
            known = self._having.get(band, [])
            found.update(known if isinstance(known, list) else [known])
        best = None
        for position in sorted(found):
            score = _jaccard(hashes, self._shingles[position])
            if score >= self.threshold and (best is None or score > best.score):
                best = Neighbor(position, score)
        return best


def shingles(text: str) -> set[str]:
    """Every three tokens in a row, or the tokens themselves where there are fewer."""
    words = tokens(text)
    size = SHINGLE if len(words) >= SHINGLE else 1
    return {" ".join(words[i : i + size]) for i in range(len(words) - size + 1)}


@functools.lru_cache(maxsize=16)  # a text is looked up first, and added soon after
def _sketch(text: str, n_bands: int) -> tuple[NDArray[np.uint64], list[int]]:
    """The sorted hashes of a text's shingles, and the bands of their MinHash, each with its number as one integer.

    Hashes of 64 bits stand for the shingles: among ten million of them, two are equal by chance with probability 3e-6.
    A text without tokens has no bands, since all such texts have the same MinHash.
    """
    words = np.array([_word_hash(word) for word in tokens(text)], np.uint64)
    in_a_row = [words[i : len(words) - SHINGLE + 1 + i] for i in range(SHINGLE)]
    hashes = np.unique(sum(part * factor for part, factor in zip(in_a_row, FACTORS, strict=True)))
    if len(words) < SHINGLE:
        hashes = np.unique(words)
    if not len(hashes):
        return hashes, []
    factors, offsets = _permutations(n_bands * ROWS)
    minhash = (np.outer(hashes.astype(np.uint32), factors) + offsets).min(axis=0)
    bands = minhash.astype(np.uint64).reshape(n_bands, ROWS) @ FACTORS[:ROWS] + _offsets_of_bands(n_bands)
    return hashes, bands.tolist()


@functools.lru_cache(maxsize=100_000)
def _word_hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")


@functools.cache
def _permutations(number: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """For each permutation x -> factor * x + offset of the 32-bit integers its factor, which is odd, and its offset."""
    rng = np.random.Generator(np.random.PCG64(1))
    drawn = rng.integers(0, 2**32, (2, number), np.uint32)
    return drawn[0] | np.uint32(1), drawn[1]


@functools.cache
def _offsets_of_bands(n_bands: int) -> NDArray[np.uint64]:
    """What tells equal rows of different bands apart."""
    offsets: NDArray[np.uint64] = np.arange(n_bands, dtype=np.uint64) * FACTORS[0]
    return offsets


def _jaccard(one: NDArray[np.uint64], other: NDArray[np.uint64]) -> float:
    """Jaccard similarity of two sorted arrays without repetitions, not both empty."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)
