"""Does a text overlap a test set? What a model was trained on cannot measure it any more.

    >>> tests = TestSet([Line("exam.txt", 7, "Why does the moon show us the same side all year round?")])
    >>> tests.overlap("Explain: why does the moon show us the same side all year round? Use two sentences.")
    Overlap(line=Line(file='exam.txt', number=7, text='Why does the moon show us the same side all year round?'),
            by='ngram', shared='why does the moon show us the same side all year round', score=1.0)

A text overlaps a line of the test set by either of two rules, on the tokens of `novelty.tokens`:

| rule    | a text overlaps a line where          | default | score                             |
|---------|---------------------------------------|---------|-----------------------------------|
| ngram   | they share a run of n tokens          | 13      | share of the line's n-grams found |
| rouge_l | their ROUGE-L F1 is above a threshold | 0.7     | the F1                            |

13 tokens are GPT-3's (Brown et al. 2020, appendix C) and those of lm-evaluation-harness and NeMo Curator; Cosmopedia
looks for 10, others for 8, as a first net with a second look at what it brings: runs of 8 linked two of 5,000 Alpaca
records to the 252 user-oriented tasks of Self-Instruct, by chance both, and runs of 10 and more none. A line of 8 to
n - 1 tokens counts where all of it stands in the text (GPT-3 and NeMo Curator have the same lower end); only ROUGE-L
finds a shorter one. It also finds what was reworded here and there, and its threshold is the novelty rule's: what would
be too similar to a known task is too similar to a test. It is blind where the text is much longer than the line: look
up a record's instruction and input by themselves, besides all of the record for n-grams in its answer.

An n-gram counts characters in scripts without spaces, where 13 are about 8 words. Not covered: paraphrases,
translations, answers without their questions. A phrase that many lines of the test set have in common, say one
instruction for all of them, counts as any other: take it out of the file. A look-up takes about 0.5 ms among 252 lines
and 15 ms among 15,000 of 60 tokens, nearly all of it for ROUGE-L.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from selfinstruct.pool.novelty import NoveltyIndex, tokens
from selfinstruct.records import Line
from selfinstruct.terminal import n_of

N = 13  # tokens of a run that is no coincidence
SHORTEST = 8  # tokens of a line that is looked for as a whole
ROUGE_THRESHOLD = 0.7


class Overlap(NamedTuple):
    """What a text has in common with a line: `shared` is the first shared n-gram ("" for rouge_l), score 0 to 1."""

    line: Line
    by: Literal["ngram", "rouge_l"]
    shared: str
    score: float

    def as_dict(self) -> dict[str, Any]:
        """The overlap as JSON values."""
        return {**self._asdict(), "line": self.line._asdict()}


class TestSet:
    """The lines of a test set, with an index of their n-grams. Memory: about 0.2 KB a token."""

    __test__ = False  # pytest would take it for a class of tests

    def __init__(self, lines: Sequence[Line], rouge_threshold: float = ROUGE_THRESHOLD, n: int = N):
        self.lines = lines
        self._rouge_threshold = rouge_threshold
        self._n = n
        self._index = NoveltyIndex()
        # Which lines have an n-gram with this hash; the sizes that occur (a short line is one n-gram).
        self._having: dict[int, list[int]] = {}
        self._sizes: set[int] = set()
        for i, line in enumerate(lines):
            self._index.add(line.text)
            for gram in self._ngrams_of_line(line):
                self._sizes.add(len(gram))
                self._having.setdefault(hash(gram), []).append(i)

    def overlap(self, text: str, question: str | None = None) -> Overlap | None:
        """What overlaps `text` most: by n-grams if any does, else by ROUGE-L; the first of equal lines.

        ROUGE-L looks at `question` only, where the text has an answer too, which would dilute it.
        """
        words = tokens(text)
        grams = dict.fromkeys(gram for size in sorted(self._sizes) for gram in _ngrams(words, size))
        best = None
        for i in sorted({i for gram in grams for i in self._having.get(hash(gram), ())}):
            of_line = self._ngrams_of_line(self.lines[i])
            score = len(of_line & grams.keys()) / len(of_line)
            if score > (best.score if best else 0):  # 0: another n-gram with the same hash
                shared = next(gram for gram in grams if gram in of_line)
                best = Overlap(self.lines[i], "ngram", " ".join(shared), score)
        if best:
            return best
        nearest = self._index.nearest(text if question is None else question, above=self._rouge_threshold)
        return Overlap(self.lines[nearest.index], "rouge_l", "", nearest.score) if nearest else None

    def _ngrams_of_line(self, line: Line) -> set[tuple[str, ...]]:
        words = tokens(line.text)
        size = min(self._n, max(len(words), SHORTEST))
        return set(_ngrams(words, size))


class Overlaps(NamedTuple):
    """The rows of a dataset that overlap a test set.

    - `rows`: number of rows compared.
    - `lines`: number of test questions.
    - `found`: each overlapping row, with the question that it overlaps.
    """

    rows: int
    lines: int
    found: list[tuple[Line, Overlap]]

    def __repr__(self) -> str:
        rows = f"{len(self.found):,} of {n_of(self.rows, 'row')}"
        return f"<Overlaps: {rows} overlap the test set of {n_of(self.lines, 'line')}>"

    def as_dict(self) -> dict[str, Any]:
        """The figures and all overlaps as JSON values."""
        found = [{"row": row._asdict(), **overlap.as_dict()} for row, overlap in self.found]
        return {"rows": self.rows, "lines": self.lines, **self.by_rule(), "found": found}

    def by_rule(self) -> dict[str, int]:
        """How many rows overlap, by rule."""
        return {rule: sum(o.by == rule for _, o in self.found) for rule in ("ngram", "rouge_l")}


def overlaps(
    rows: Sequence[tuple[Line, Line]], test_set: Sequence[Line], rouge_threshold: float = ROUGE_THRESHOLD, n: int = N
) -> Overlaps:
    """Compare a finished dataset with a test set: n-grams in a row's whole text, then ROUGE-L of its question.

    `rows` are questions, each alone and with its answer, as `rows.questions.read_pairs` gives them.
    """
    tests = TestSet(test_set, rouge_threshold, n)
    found = [(whole, overlap) for question, whole in rows if (overlap := tests.overlap(whole.text, question.text))]
    return Overlaps(len(rows), len(tests.lines), found)


def render(found: Overlaps, examples: int = 5) -> str:
    """The figures and the first overlaps as text, about 72 characters wide."""
    count = found.by_rule()
    lines = [
        f"{len(found.found):,} of {n_of(found.rows, 'row')} overlap the test set ({n_of(found.lines, 'line')})",
        f"  {count['ngram']:>7,}  share consecutive words with it",
        f"  {count['rouge_l']:>7,}  are similar to it as a whole (ROUGE-L)",
    ]
    for row, overlap in found.found[:examples]:
        evidence = f'"{overlap.shared}"' if overlap.by == "ngram" else f"ROUGE-L {overlap.score:.3f}"
        lines += [
            f"{row.file}:{row.number} and {overlap.line.file}:{overlap.line.number}: {evidence}",
            f"  | {_short(row.text)}",
            f"  | {_short(overlap.line.text)}",
        ]
    if len(found.found) > examples:
        lines.append(f"... and {len(found.found) - examples:,} more; --json lists all")
    return "\n".join(lines)


def _ngrams(words: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 68 else one_line[:65] + "..."
