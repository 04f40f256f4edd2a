"""Rows that say again what an earlier row said: exact copies, other answers to the same question, near-duplicates.

Near-duplicates are those of pool/near_duplicates.py, with its threshold for records. Lines that more than COMMON rows
have, such as the fixed instruction of a whole set, are left out at first: they would make all of its rows alike, and
each a candidate for each. What is alike without them must be alike with them, too, and without the lines with which
both begin: instances of one task share its instruction. System turns are left out for the same reason. Rows whose
likeness is a template inside one long line still look alike.

Instructions alone are not compared: sets with one instruction for many inputs are meant to be so.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from selfinstruct.checks.findings import Finding
from selfinstruct.filters.verdicts import FilterSettings
from selfinstruct.pool.near_duplicates import NearDuplicates, shingles
from selfinstruct.rows import files
from selfinstruct.rows.fields import is_empty
from selfinstruct.rows.files import File
from selfinstruct.rows.formats import Conversation, conversations, format_of
from selfinstruct.rows.turns import Path, as_json

COMMON = 20  # rows
DEEPEST = 30  # levels of a row that are compared one by one
# These name a row, a turn or a call, or say what is known of its text already.
_NAME = re.compile(r"(?:.*_)?id|uuid|idx|index|task|name|role|from", re.IGNORECASE)


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


class Copies:
    """Which rows of a file are copies of earlier ones: the same in their texts, and in all else but what names them.

    Few rows have the texts of an earlier one, so only these are compared in what stands beside the texts.
    """

    def __init__(self, file: File) -> None:
        self._file = file
        self.unit = file.unit
        self._first: dict[bytes, int] = {}
        self._beside: dict[bytes, dict[str, int]] = {}

    def original(self, position: int, found: Sequence[Conversation]) -> int | None:
        """The number of the row of which the row at this position, which says `found`, is a copy; None if of none."""
        key = row_key(found)
        if key is None or (first := self._first.setdefault(key, position)) == position:
            return None
        known = self._beside.setdefault(key, {})
        if not known:
            known[self._rest(first)] = first
        original = known.setdefault(self._rest(position), position)
        return None if original == position else self._file.rows[original].number

    def _rest(self, position: int) -> str:
        value = self._file.rows[position].value
        format = format_of(value)
        found = conversations(value, format)[0] if format else []
        read = {text.path for conversation in found for text in conversation.texts if text.path}
        return as_json(_without(files.whole_row(self._file, position), (), read))


def _without(value: Any, path: Path, read: set[Path]) -> Any:
    """What a row holds beside its texts and the names of rows, turns and calls; None if there is nothing."""
    if path in read:
        return None
    if len(path) > DEEPEST:
        return as_json(value)
    if isinstance(value, dict):
        inner = {key.lower(): _without(of, (*path, key), read) for key, of in value.items() if not _NAME.fullmatch(key)}
        return {key: left for key, left in inner.items() if not is_empty(left)}
    if isinstance(value, list):
        return [left for i, of in enumerate(value) if not is_empty(left := _without(of, (*path, i), read))]
    return value.strip() if isinstance(value, str) else value


def repeats(rows: Iterable[tuple[int, list[Conversation]]], common: set[int], copies: Copies) -> Iterable[Finding]:
    """What each row repeats of earlier ones.

    `rows` are numbers with conversations, one for each row of the file of `copies`; `common` of `common_lines`.
    """
    threshold = FilterSettings().near_duplicate
    near = NearDuplicates(threshold)
    added: list[tuple[int, Conversation]] = []
    questions: dict[bytes, Known] = {}
    for position, (number, found) in enumerate(rows):
        if original := copies.original(position, found):
            yield Finding("exact_copy", number, "", f"of {copies.unit} {original}")
            continue
        for conversation in found:
            finding = _asked_before(number, conversation, questions, copies.unit)
            if finding is None and (place := near.nearest(_rare_text(conversation, common))):
                other, known = added[place.index]
                score = _likeness(conversation, known)
                if score >= threshold:
                    finding = Finding(
                        "near_duplicate", number, _field(conversation), f"of {copies.unit} {other}, Jaccard {score:.2f}"
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


def _asked_before(number: int, conversation: Conversation, questions: dict[bytes, Known], unit: str) -> Finding | None:
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
        return Finding("conflicting_outputs", number, last.field, f"asked in {unit} {known.number}")
    elif known.number == number:
        return Finding("near_duplicate", number, last.field, f"of {unit} {number}, Jaccard 1.00")
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
