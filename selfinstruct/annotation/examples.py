"""Gold examples that are shown to the teachers: the first ones, or for each row the most similar ones, nearest last.

Similar are texts with the same rare words: cosine of TF-IDF. LLMaAA (Zhang et al. 2023) uses sentence embeddings; words
need no model.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from selfinstruct.annotation.rows import as_text, filled
from selfinstruct.errors import UsageError
from selfinstruct.rows.tables import read_objects

_WORD = re.compile(r"\w+")


class Example(NamedTuple):
    """What a row of the examples' file shows, and its right answer."""

    question: str
    answer: str


def read_examples(path: Path, template: str, column: str) -> tuple[Example, ...]:
    """The examples of a file that have an answer; UsageError if there are none."""
    found = []
    for row in read_objects(path):
        question, answer = filled(template, row), as_text(row.get(column))
        if question and answer:
            found.append(Example(question, answer))
    if not found:
        raise UsageError(f"{path}: no row has what the template shows and an answer in the column {column}.")
    return tuple(found)


class Nearest:
    """Finds the examples that share the rarest words with a text."""

    def __init__(self, examples: Sequence[Example]):
        self.examples = tuple(examples)
        bags = [_words(one.question) for one in examples]
        rows_with = Counter(word for bag in bags for word in bag)
        self._idf = {word: math.log((1 + len(bags)) / (1 + n)) + 1 for word, n in rows_with.items()}
        self._weights: dict[str, list[tuple[int, float]]] = {}
        for at, bag in enumerate(bags):
            norm = math.sqrt(sum((n * self._idf[word]) ** 2 for word, n in bag.items())) or 1.0
            for word, n in bag.items():
                self._weights.setdefault(word, []).append((at, n * self._idf[word] / norm))

    def to(self, text: str, n: int) -> tuple[Example, ...]:
        """The `n` nearest to a text, nearest last; examples that show the same text are left out."""
        scores = [0.0] * len(self.examples)
        for word, count in _words(text).items():
            for at, weight in self._weights.get(word, ()):
                scores[at] += count * self._idf[word] * weight
        others = [at for at in range(len(scores)) if self.examples[at].question != text]
        best = sorted(others, key=lambda at: (-scores[at], at))[:n]
        return tuple(self.examples[at] for at in reversed(best))


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.casefold()))
