"""What an answer chooses: a label of a list, or a number of a scale.

    >>> read_label("**Label:** Not spam.", ("spam", "not spam"))
    'not spam'
    >>> read_score("4/5\\nIt is clear, but long.", 1, 5)
    4.0

Nothing is guessed: an answer that names two labels, or none, chooses none.
"""

import re
import unicodedata
from collections.abc import Sequence

from selfinstruct.parsing.json_answers import json_field, json_rows
from selfinstruct.parsing.text import NUMBERED
from selfinstruct.parsing.thoughts import spoken
from selfinstruct.patterns import pattern

LABEL = ("label", "class", "class label", "category", "answer", "choice", "output", "result", "verdict", "better")
SCORE = ("score", "rating", "grade", "answer", "output", "result", "value")
RATIONALE = ("rationale", "reasoning", "explanation", "reason", "reasons", "justification", "thoughts", "analysis")
_SIDE = 2_000  # characters on each side of an answer in which a choice can stand
_SHORT = 300  # characters of an answer that may name its label anywhere
_AT_ONCE = 3  # characters of a label below which it counts only where a choice is announced
_ANNOUNCED = pattern(
    r"\b(?:(?:final |correct |best |class )?(?:label|answer|class|category|choice|verdict|classification|score"
    r"|rating|grade|sentiment)s?\b[*_`\"']{0,4}(?:\s{0,4}[:：=]|\s{1,4}(?:is|would be|should be)\b:?)"
    r"|(?:i|we) (?:choose|pick|rate (?:it|this)|give (?:it|this)|would (?:choose|pick|say|rate it)):?"
    r"|(?:classified|labell?ed|categori[sz]ed|rated|best described) as\b:?)[\s*_`\"'“‘(\[]{0,9}",
    re.IGNORECASE,
)
_DENIES = pattern(r"\b(?:not|neither|nor|no|none|cannot|unclear|unsure|either|\w+n['’]t)\b", re.IGNORECASE)
_NUMBER = r"[-+]?\d{1,6}(?:[.,]\d{1,6})?"
_OF = rf"(?:\s{{0,3}}(?:/|out of|von|sur|de|из)\s{{0,3}}(?P<most>{_NUMBER}))?"
_FIRST_NUMBER = pattern(rf"[\s*_`\"'“(\[]{{0,9}}(?P<number>{_NUMBER}){_OF}(?![\d.,]*\d)", re.IGNORECASE)
_ONLY_NUMBERS = pattern(rf"(?<![\w.,])(?P<number>{_NUMBER}){_OF}(?![\w])", re.IGNORECASE)
_IN_BRACKETS = pattern(rf"\[\[(?P<number>{_NUMBER})\]\]")


def plain(text: str) -> str:
    """A label as it is compared: case folded, without marks around it, white space collapsed."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = re.sub(r"[\s_]+", " ", text)
    return text.strip(" \t\n*_`\"'“”‘’„«».,;:!?()[]{}<>-–—#。：！？（）【】「」")


def read_label(text: str, labels: Sequence[str]) -> str | None:
    """The one of `labels` that an answer chooses; None if it chooses none, or several."""
    text = spoken(text)
    known = {plain(label) or label: label for label in labels}
    if rows := json_rows(text):
        said = rows[0] if isinstance(rows[0], str) else json_field(rows[0], LABEL)
        return known.get(plain(said)) if said is not None else None
    text = text if len(text) <= 2 * _SIDE else f"{text[:_SIDE]}\n{text[-_SIDE:]}"
    if (whole := plain(NUMBERED.sub("", text, 1))) in known:
        return known[whole]
    if plain(text) in known:
        return known[plain(text)]
    announced = [_beginning(text[found.end() :], known) for found in _ANNOUNCED.finditer(text)]
    if chosen := [label for label in announced if label is not None]:
        return chosen[-1]
    lines = [line for line in text.splitlines() if line.strip()]
    ends = {known[plain(line)] for line in (*lines[:1], *lines[-1:]) if plain(line) in known}
    if len(ends) == 1:
        return ends.pop()
    if len(lines) > 1 and (first := _beginning(lines[0], known, whole_line=True)) is not None:
        return first
    return _only_one(text, known) if len(text) <= _SHORT else None


def _beginning(text: str, known: dict[str, str], *, whole_line: bool = False) -> str | None:
    """The longest label that the first line of `text` begins with."""
    line = plain(text.lstrip(" \t\n*_`\"'“‘([").partition("\n")[0])
    found = [name for name in known if line == name or (line.startswith(name) and not line[len(name)].isalnum())]
    if not found or (whole_line and plain(line) not in known and len(line.split()) > len(found[0].split()) + 1):
        return None
    name = max(found, key=len)
    rest = line[len(name) :]
    others = {n for n in known if n not in name and re.search(rf"(?<!\w){re.escape(n)}(?!\w)", rest)}
    return None if re.match(r"\W{0,3}(?:or\b|and\b|/)", rest) and others else known[name]


def _only_one(text: str, known: dict[str, str]) -> str | None:
    """The only label that a short answer names and does not deny."""
    line = plain(text)
    named: set[str] = set()
    for name in sorted(known, key=len, reverse=True):  # "not spam" before "spam"
        where = rf"(?<!\w){re.escape(name)}(?!\w)"
        if len(name) > _AT_ONCE and re.search(where, line):
            named.add(name)
            line = re.sub(where, " ", line)
    return known[named.pop()] if len(named) == 1 and not _DENIES.search(line) else None


def read_score(text: str, least: float, most: float) -> float | None:
    """The number of the scale from `least` to `most` that an answer gives; None if none, several, or outside of it."""
    text = spoken(text)
    if rows := json_rows(text):
        said = json_field(rows[0], SCORE) if isinstance(rows[0], dict) else str(rows[0])
        found = _FIRST_NUMBER.match(said or "")
        return _on_scale(found, least, most) if found else None
    text = text if len(text) <= 2 * _SIDE else f"{text[:_SIDE]}\n{text[-_SIDE:]}"
    if found := _IN_BRACKETS.search(text) or _FIRST_NUMBER.fullmatch(text.partition("\n")[0].strip(" \t*_.`\"')]")):
        return _on_scale(found, least, most)
    announced = [_FIRST_NUMBER.match(text, one.end()) for one in _ANNOUNCED.finditer(text)]
    if numbers := [one for one in announced if one]:
        return _on_scale(numbers[-1], least, most)
    there = list(_ONLY_NUMBERS.finditer(text[:_SHORT])) if len(text) <= _SHORT else []
    return _on_scale(there[0], least, most) if len(there) == 1 else None


def _on_scale(found: re.Match[str], least: float, most: float) -> float | None:
    number = float(found["number"].replace(",", "."))
    of = found.groupdict().get("most")
    is_other = of is not None and float(of.replace(",", ".")) != most
    return number if least <= number <= most and not is_other else None


def read_rationale(text: str, labels: Sequence[str] = ()) -> str:
    """What an answer says before it chooses: the field for it, or the text above its last line; "" for nothing."""
    text = spoken(text)
    if rows := json_rows(text):
        return (json_field(rows[0], RATIONALE) or "").strip() if isinstance(rows[0], dict) else ""
    above, _, last = text.strip().rpartition("\n")
    inline = list(_ANNOUNCED.finditer(last))
    if inline and inline[-1].start() > 0:  # "..., so the answer is (b)."
        above = f"{above}\n{last[: inline[-1].start()]}"
    above = above.strip()
    return re.sub(r"\A[*_#\s]*(?:rationale|reasoning|explanation)[*_]{0,2}[:：]\s*", "", above, flags=re.IGNORECASE)
