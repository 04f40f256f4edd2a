"""Rows that say again what an earlier row said: exact copies, other answers to the same question, near-duplicates.

Near-duplicates are those of pool/near_duplicates.py, with its threshold for records. Lines that more than COMMON rows
have, such as the fixed instruction of a whole set, are left out at first: they would make all of its rows alike, and
each a candidate for each. What is alike without them must be alike with them, too, and without the lines with which
both begin: instances of one task share its instruction. System turns are left out for the same reason. Rows whose
likeness is a template inside one long line still look alike.

Instructions alone are not compared: sets with one instruction for many inputs are meant to be so.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

from selfinstruct.checks.findings import Finding
from selfinstruct.filters.verdicts import FilterSettings
from selfinstruct.pool.near_duplicates import NearDuplicates, shingles
from selfinstruct.rows.formats import Conversation

COMMON = 20  # rows


class Known(NamedTuple):
    """A row that asked a question, with the hash of its answer."""

    number: int
    answer: bytes


def row_key(found: Sequence[Conversation]) -> bytes | None:
    """The same for rows whose texts are the same but for the white space around them; None if there is no text.

    What is to be learned of them counts as well: a wanted answer is no copy of an unwanted one.
    """
    texts = [
        (text.kind, text.text.strip(), text.trained and not conversation.is_unwanted)
        for conversation in found
        for text in conversation.texts
    ]
    return _hash(texts) if any(text for _, text, _ in texts) else None


def repeats(rows: Iterable[tuple[int, list[Conversation]]], common: set[int]) -> Iterable[Finding]:
    """What each row repeats of earlier ones. `rows` are numbers with conversations, `common` of `common_lines`."""
    threshold = FilterSettings().near_duplicate
    near = NearDuplicates(threshold)
    added: list[tuple[int, Conversation]] = []
    copies: dict[bytes, int] = {}
    questions: dict[bytes, Known] = {}
    for number, found in rows:
        key = row_key(found)
        if key is None:
            continue
        if copies.setdefault(key, number) != number:
            yield Finding("exact_copy", number, "", f"of {copies[key]}")
            continue
        for conversation in found:
            finding = _asked_before(number, conversation, questions)
            if finding is None and (place := near.nearest(_rare_text(conversation, common))):
                other, known = added[place.index]
                score = _likeness(conversation, known)
                if score >= threshold:
                    finding = Finding(
                        "near_duplicate", number, _field(conversation), f"of {other}, Jaccard {score:.2f}"
                    )
            if finding:
                yield finding
        for conversation in found:
            near.add(_rare_text(conversation, common))
            added.append((number, conversation))


def common_lines(rows: Iterable[list[Conversation]]) -> set[int]:
    """The hashes of the lines that more than COMMON rows have."""
    count: Counter[int] = Counter()
    for found in rows:
        count.update({hash(line) for conversation in found for line in _lines(conversation)})
    return {line for line, n in count.items() if n > COMMON}


def _asked_before(number: int, conversation: Conversation, questions: dict[bytes, Known]) -> Finding | None:
    """Another answer to the same question, or the same instance again within a row; notes what is asked first."""
    texts = [text for text in conversation.texts if text.kind not in ("thought", "rejected")]
    if not texts or conversation.is_unwanted:  # it is there to be another answer
        return None
    *before, last = texts
    if not last.is_answer or not any(text.text.strip() for text in before):
        return None
    question = _hash([(text.kind, " ".join(text.text.split()).casefold()) for text in before if text.text.strip()])
    answer = _hash(" ".join(last.text.split()))
    known = questions.get(question)
    if known is None:
        questions[question] = Known(number, answer)
    elif known.answer != answer:
        return Finding("conflicting_outputs", number, last.field, f"asked in {known.number}")
    elif known.number == number:
        return Finding("near_duplicate", number, last.field, f"of {number}, Jaccard 1.00")
    return None


def _lines(conversation: Conversation) -> list[str]:
    texts = [text.text for text in conversation.texts if text.kind not in ("system", "tools")]
    return [line for text in texts for line in map(str.strip, text.split("\n")) if line]


def _rare_text(conversation: Conversation, common: set[int]) -> str:
    lines = _lines(conversation)
    return "\n".join([line for line in lines if hash(line) not in common] or lines)


def _likeness(one: Conversation, other: Conversation) -> float:
    """The Jaccard similarity of all that both say, or of the rest where they begin alike, as a task's instances do."""
    first, second = _lines(one), _lines(other)
    alike = next((n for n, (a, b) in enumerate(zip_longest(first, second)) if a != b), len(first))
    scores = [_jaccard(first, second)]
    if alike < min(len(first), len(second)):
        scores.append(_jaccard(first[alike:], second[alike:]))
    return min(scores)


def _jaccard(one: list[str], other: list[str]) -> float:
    first, second = shingles("\n".join(one)), shingles("\n".join(other))
    return len(first & second) / max(1, len(first | second))


def _field(conversation: Conversation) -> str:
    return conversation.texts[-1].field if len(conversation.texts) > 1 else ""


def _hash(value: object) -> bytes:
    return hashlib.blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).digest()
