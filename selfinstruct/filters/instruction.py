"""Filters of candidates: is this instruction usable, and new?"""

import functools
import re
import string
from typing import Annotated

from pydantic import Field

from selfinstruct.filters.instance import ENDLESS, LARGER, RAISE_LIMIT, is_no_output, repeated
from selfinstruct.filters.rule import Evidence, rule
from selfinstruct.pool.novelty import UNSPACED, tokens
from selfinstruct.pool.pool import Pool, SimilaritySettings
from selfinstruct.records import Candidate, Neighbor

# Whole words, any case: tasks that a text-only model cannot do (Self-Instruct; then Alpaca's additions).
PAPER_FORBIDDEN_WORDS = (
    "image", "images", "graph", "graphs", "picture", "pictures", "file", "files", "map", "maps", "draw", "plot",
    "go to",
)  # fmt: skip
FORBIDDEN_WORDS = (*PAPER_FORBIDDEN_WORDS, "video", "audio", "music", "flowchart", "diagram")

REFERENCE = "Self-Instruct, reference code"
FILTER = "filter"  # the stage of filters that look at the candidate alone
Word = Annotated[str, Field(min_length=1)]


class InstructionSettings(SimilaritySettings):
    """Thresholds of the instruction filters."""

    min_words: int = Field(4, ge=1, description="minimum words in an instruction")
    max_words: int = Field(150, ge=1, description="maximum words in an instruction")
    forbidden_words: tuple[Word, ...] = Field(
        FORBIDDEN_WORDS,
        description="words that an instruction may not contain; only whole words count, and case does not matter",
    )
    ascii_start: bool = Field(
        False, description="reject instructions that begin with a non-ASCII character, as the paper did"
    )


@rule(
    FILTER, "repeats itself without end", "seen in the answers of small models",
    required="only its beginning is of any use, and where that ends is not known", remedy=ENDLESS,
)  # fmt: skip
def repetition(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """The answer ended inside this item, which repeats itself by then."""
    texts = candidate.instruction, *(text for one in candidate.instances for text in (one.input, one.output))
    return next(filter(None, map(repeated, texts)), None) if candidate.cut else None


@rule(FILTER, "cut off by the token limit", "the server's finish reason", remedy=RAISE_LIMIT)
def cut_off(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """The token limit ended the answer inside this item."""
    return {} if candidate.cut else None


@rule(
    FILTER, "no letter or digit in it", "ROUGE-L has nothing to compare",
    required="an instruction without a word cannot be compared with others",
)  # fmt: skip
def no_words(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """No letter or digit of any script, so that ROUGE-L has nothing to compare."""
    return None if tokens(candidate.instruction) else {}


@rule(FILTER, "too few words", REFERENCE)
def too_short(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """Fewer than `min_words` words, separated by white space; scripts without spaces count by character."""
    words = _words(candidate.instruction, pool)
    return {"words": words} if words < pool.rules.min_words else None


@rule(FILTER, "too many words", REFERENCE)
def too_long(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """More words than `max_words`."""
    words = _words(candidate.instruction, pool)
    return {"words": words} if words > pool.rules.max_words else None


@rule(
    FILTER, "asks for what a text model cannot do", "Self-Instruct; Alpaca's additions",
    remedy="remove words from filters.forbidden_words if you want such tasks",
)  # fmt: skip
def forbidden_word(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """A word that asks for what a text-only model cannot do."""
    found = _any_word(pool.rules.forbidden_words).search(candidate.instruction)
    return {"word": found.group()} if found else None


@rule(FILTER, 'begins with "Write a program"', REFERENCE)
def asks_for_program(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """Begins with "Write a program" (any case), which the published filter drops as too vague."""
    return {} if candidate.instruction.lower().startswith("write a program") else None


@rule(FILTER, "begins with punctuation", REFERENCE)
def starts_with_punctuation(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """Begins with an ASCII punctuation mark; it is mostly a fragment of something else."""
    first = candidate.instruction[:1]
    return {"character": first} if first in string.punctuation else None


@rule(FILTER, "begins with a non-ASCII character", REFERENCE)
def starts_with_non_ascii(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """Begins with a non-ASCII character; only if `ascii_start` is set."""
    first = candidate.instruction[:1]
    return {"character": first} if pool.rules.ascii_start and first > "\x7f" else None


@rule(FILTER, "repeats what the prompt says", "seen in the answers of small models", remedy=LARGER)
def echoed_prompt(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """One of the prompt's rules, placeholders or examples, given back as a task."""
    prompt = pool.shown.saying(candidate.instruction)
    return {"prompt": prompt} if prompt else None


@rule(
    FILTER, "came without an output", "seen in the answers of small models",
    required="there is nothing to learn from a record without an output",
)  # fmt: skip
def empty_output(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """A whole task, as the Alpaca strategy asks for it, none of whose instances has an output."""
    outputs = [one.output for one in candidate.instances]
    return {} if outputs and all(map(is_no_output, outputs)) else None


@rule(FILTER, "overlaps a question of a test set", "GPT-3, appendix C; see pool/contamination.py")
def contaminated(candidate: Candidate, pool: Pool[InstructionSettings]) -> Evidence | None:
    """Overlaps a question of a test set that the run was told to keep clear of."""
    return overlap(pool, candidate.instruction)


# In this order, cheap ones first; the novelty rule, which needs the whole pool, comes after them.
INSTRUCTION_FILTERS = (
    repetition, cut_off, no_words, too_short, too_long, forbidden_word, asks_for_program, starts_with_punctuation,
    starts_with_non_ascii, echoed_prompt, empty_output, contaminated,
)  # fmt: skip


@rule(
    "novelty", "too similar to a known instruction", "Self-Instruct, section 2.2",
    remedy=(
        "try more seeds or more varied ones, another model, a higher temperature, or a higher filters.rouge_threshold"
    ),
)  # fmt: skip
def too_similar(nearest: Neighbor | None, pool: Pool[InstructionSettings]) -> Evidence | None:
    """ROUGE-L F1 above the threshold against a seed or an admitted instruction; exactly the threshold passes."""
    if nearest is None or nearest.score <= pool.rules.rouge_threshold:
        return None
    known = pool.known(nearest.index)
    return {"nearest": known.instruction, "nearest_id": known.id, "score": nearest.score}


def overlap(pool: Pool[SimilaritySettings], text: str, question: str | None = None) -> Evidence | None:
    """How a text overlaps a question of the pool's test sets; `question` is the part compared as a whole."""
    found = pool.tests.overlap(text, question) if pool.tests else None
    return found.as_dict() if found else None


def word_count(text: str) -> int:
    """Number of words separated by white space; in scripts without spaces, of characters."""
    words = len(text.split())
    return words if text.isascii() else max(words, len(tokens(text)))


def _words(text: str, pool: Pool[InstructionSettings]) -> int:
    return len(text.split()) if pool.rules.ascii_tokens else word_count(text)


@functools.lru_cache(maxsize=8)
def _any_word(words: tuple[str, ...]) -> re.Pattern[str]:
    """Matches any of the words: not inside a longer word, except in scripts without spaces."""
    inside = rf"[^\W{UNSPACED}]"
    pattern = rf"(?<!{inside})(?:{'|'.join(map(re.escape, words))})(?!{inside})" if words else r"(?!)"
    return re.compile(pattern, re.IGNORECASE)
