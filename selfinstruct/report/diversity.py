"""How varied a pool of instructions is, in figures that other work reports too.

    >>> found = measure(["Sort the list.", "Sort the words.", "Name a river."], seeds=["Name a lake."])
    >>> found.to_pool.mean
    0.4444444444444444

| figure     | what it is                                                           | source                        |
|------------|----------------------------------------------------------------------|-------------------------------|
| to_seeds   | ROUGE-L F1 with the most similar seed                                | Self-Instruct, figure 4       |
| to_pool    | ROUGE-L F1 with the most similar of all other instructions           | the same, within the pool     |
| distinct-n | distinct n-grams among all n-grams, n = 1, 2, 3                      | Li et al. 2016, 1510.03055    |
| words      | mean and median number of tokens                                     | Self-Instruct, table 1        |
| vendi      | exp of the entropy of the eigenvalues of K/n: how many different     | Friedman & Dieng, 2210.02410  |
|            | texts the sample amounts to, from 1 (all equal) to n (nothing shared)|                               |

All are taken on a sample, the same for the same number of instructions. distinct-n falls and vendi rises with the size
of what they are taken on, and distinct-n with the length of the texts: compare them between samples of one size. Li et
al. divide by the number of tokens; here, as is usual since, it is the number of n-grams, so that 1 means that none
repeats. K is the cosine of the counts of words and word pairs: a Gram matrix, and so positive semidefinite, as the
score needs (ROUGE-L need not be). All tokens are those of `novelty.tokens`.

Not covered: meaning. Two texts that say the same in other words are two; so are their topics and verbs.
"""

import random
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import LCSseq

from selfinstruct.pool.novelty import NoveltyIndex, tokens

VENDI_SAMPLE = 500  # the cost of its eigenvalues grows with the cube
ROWS = 64  # instructions that are compared with the pool at once: 13 MB at 52,000


class Nearest(NamedTuple):
    """ROUGE-L F1 with the nearest: how many of the sample lie in each tenth (the last one with 1), mean and median."""

    tenths: list[int]
    mean: float
    median: float


class Diversity(NamedTuple):
    """The figures; `sampled` of `instructions` were looked at. None if there is nothing to compare with."""

    instructions: int
    sampled: int
    to_seeds: Nearest | None
    to_pool: Nearest | None
    distinct: tuple[float, float, float]
    mean_words: float
    median_words: float
    vendi: float
    vendi_sampled: int

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        near = {"to_seeds": self.to_seeds, "to_pool": self.to_pool}
        return {**self._asdict(), **{name: value and value._asdict() for name, value in near.items()}}


def measure(instructions: Sequence[str], seeds: Sequence[str], sample: int = 1000) -> Diversity:
    """Take the figures on `sample` of the instructions, or on all where there are fewer: 2 to 5 s for 52,000."""
    chosen = random.Random(0).sample(range(len(instructions)), min(sample, len(instructions)))
    texts = [instructions[i] for i in chosen]
    words = [tokens(text) for text in texts]
    lengths = [len(some) for some in words] or [0]
    return Diversity(
        instructions=len(instructions),
        sampled=len(texts),
        to_seeds=_nearest(_to_seeds(texts, seeds)) if texts and seeds else None,
        to_pool=_nearest(_to_others(instructions, chosen)) if len(instructions) > 1 and texts else None,
        distinct=(distinct(words, 1), distinct(words, 2), distinct(words, 3)),
        mean_words=statistics.fmean(lengths),
        median_words=statistics.median(lengths),
        vendi=vendi_score(words[:VENDI_SAMPLE]),
        vendi_sampled=len(words[:VENDI_SAMPLE]),
    )


def distinct(texts: Sequence[Sequence[str]], n: int) -> float:
    """The share of distinct n-grams among all n-grams of the texts' tokens, 0 to 1; 0 if there are none."""
    grams = [gram for words in texts for gram in _ngrams(words, n)]
    return len(set(grams)) / len(grams) if grams else 0.0


def vendi_score(texts: Sequence[Sequence[str]]) -> float:
    """The Vendi score of the texts' tokens under the cosine of word and word pair counts: 1 to their number.

    A text without tokens has no cosine and is left out; 0 if nothing is left.
    """
    counts = [Counter(_ngrams(words, 1) + _ngrams(words, 2)) for words in texts if words]
    if not counts:
        return 0.0
    column = {gram: i for i, gram in enumerate(dict.fromkeys(gram for count in counts for gram in count))}
    vectors = np.zeros((len(counts), len(column)))
    for row, count in zip(vectors, counts, strict=True):
        row[[column[gram] for gram in count]] = list(count.values())
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    eigenvalues = np.linalg.eigvalsh(vectors @ vectors.T / len(vectors))
    positive = eigenvalues[eigenvalues > 0]  # rounding puts some that are 0 below it
    return float(np.exp(-np.sum(positive * np.log(positive))))


def tenths(scores: Sequence[float]) -> list[int]:
    """How many of the scores, 0 to 1, lie in each tenth, the last one with 1."""
    counts = Counter(min(int(score * 10 + 1e-9), 9) for score in scores)
    return [counts[k] for k in range(10)]


def render(found: Diversity) -> list[str]:
    """The figures as lines of text, about 72 characters wide."""
    lines = [f"  diversity  of {found.sampled:,} of {found.instructions:,} instructions"]
    if found.to_seeds or found.to_pool:
        lines.append("    nearest by ROUGE-L, %  0  .1  .2  .3  .4  .5  .6  .7  .8  .9   mean")
    for name, nearest in (("among the seeds", found.to_seeds), ("in the pool", found.to_pool)):
        if nearest:
            shares = "".join(f"{100 * n / found.sampled:4.0f}" for n in nearest.tenths)
            lines.append(f"    {name:<20}{shares}   {nearest.mean:.2f}")
    one, two, three = found.distinct
    return [
        *lines,
        f"    distinct       {one:.2f} of words, {two:.2f} of bigrams, {three:.2f} of trigrams",
        f"    words          {found.mean_words:.1f} on average, median {found.median_words:g}",
        f"    Vendi score    {found.vendi:.0f} of {found.vendi_sampled}: as varied as {found.vendi:.0f} texts "
        "with no word in common",
    ]


def _to_seeds(texts: Sequence[str], seeds: Sequence[str]) -> list[float]:
    index = NoveltyIndex()
    for seed in seeds:
        index.add(seed)
    return [nearest.score if (nearest := index.nearest(text, -1.0)) else 0.0 for text in texts]


def _to_others(instructions: Sequence[str], chosen: Sequence[int]) -> list[float]:
    """For each chosen one the highest F1 with any but itself: all are compared, with a character for each token."""
    characters: dict[str, str] = {}
    encoded = [
        "".join(characters.setdefault(token, chr(len(characters))) for token in tokens(text)) for text in instructions
    ]
    lengths = np.array([len(text) for text in encoded])
    best: list[float] = []
    for begin in range(0, len(chosen), ROWS):
        some = np.array(chosen[begin : begin + ROWS])
        lcs = process.cdist([encoded[i] for i in some], encoded, scorer=LCSseq.similarity, dtype=np.int32)
        f1 = 2 * lcs / np.maximum(lengths[some, None] + lengths, 1)
        f1[np.arange(len(some)), some] = 0
        best += f1.max(axis=1).tolist()
    return best


def _nearest(scores: list[float]) -> Nearest:
    return Nearest(tenths(scores), statistics.fmean(scores), statistics.median(scores))


def _ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
