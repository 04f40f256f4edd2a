"""What an answer chooses: a label of a list, or a number of a scale.

    >>> read_label("**Label:** Not spam.", ("spam", "not spam"))
    'not spam'
    >>> read_score("4/5\\nIt is clear, but long.", 1, 5)
    4.0

Nothing is guessed: an answer that names two labels, or none, chooses none.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from selfinstruct.parsing.json_answers import json_field, json_rows
from selfinstruct.parsing.text import NUMBERED
from selfinstruct.parsing.thoughts import spoken
from selfinstruct.patterns import pattern

LABEL = ("label", "class", "class label", "category", "answer", "choice", "output", "result", "verdict", "better")
SCORE = ("score", "rating", "grade", "answer", "output", "result", "value")
RATIONALE = ("rationale", "reasoning", "explanation", "reason", "reasons", "justification", "thoughts", "analysis")
_SIDE = 2_000  # characters on each side of an answer in which a choice can stand
_SHORT = 300  # characters of an answer that may name its label anywhere
_AT_ONCE = 3  # characters of a label up to which it counts only where the answer begins with it, or announces it
_ANNOUNCED = pattern(
    r"\b(?:(?:final |correct |best |class )?(?:label|answer|class|category|choice|verdict|classification|score"
    r"|rating|grade|sentiment|better)s?\b(?:\s?\([^()\n]{1,30}\))?[*_`\"']{0,4}"
    r"(?:\s{0,4}[:：=]|\s{1,4}(?:is|would be|should be)\b:?)"
    r"|(?:i|we) (?:choose|pick|rate (?:it|this)|give (?:it|this)|would (?:choose|pick|say|rate it)):?"
    r"|(?:classified|labell?ed|categori[sz]ed|rated|best described) as\b:?)[\s*_`\"'“‘(\[]{0,9}",
    re.IGNORECASE,
)
_WORDS = ("a", "i")  # labels that are words of English
_JOINED = pattern(r"\W{0,3}(?:or\b|and\b|[/&|+])")
_LEADS = pattern(r"[\s*_`\"'“‘(\[]{0,9}(?P<label>[^\n]{1,80}?)(?P<sign>[*_`\"'”’)\]]{0,4}(?:[,;!.)]| [-–—]) )")
_DENIES = pattern(r"\b(?:not|non|neither|nor|no|none|cannot|unclear|unsure|either|\w+n['’]t)\b", re.IGNORECASE)
_NUMBER = r"[-+]?(?:\d{1,9}(?:[.,]\d{1,20})?|\.\d{1,20})"
_OF = rf"(?:\s{{0,3}}(?:/|out of|von|sur|de|из)\s{{0,3}}(?P<most>{_NUMBER}))?"
_FIRST_NUMBER = pattern(rf"[\s*_`\"'“(\[]{{0,9}}(?P<number>{_NUMBER}){_OF}(?![\d.,]*\d|\s?[-–]\s?\d)", re.IGNORECASE)
_ONLY_NUMBERS = pattern(rf"(?<![\w.,])(?P<number>{_NUMBER}){_OF}(?!\w|[.,]\d)", re.IGNORECASE)
_IN_BRACKETS = pattern(rf"\[\[(?P<number>{_NUMBER})\]\]")


def plain(text: str) -> str:
    """A label as it is compared: case folded, without marks around it, space and hyphens in it the same."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = re.sub(r"[\s_]+|(?<=\w)-(?=\w)", " ", text)
    return text.strip(" \t\n*_`\"'“”‘’„«».,;:!?()[]{}<>-–—#。：！？（）【】「」")


def read_label(text: str, labels: Sequence[str], *, anywhere: bool = True) -> str | None:
    """The one of `labels` that an answer chooses; None if it chooses none, or several.

    `anywhere`: whether a label that a short answer merely names is its choice, which reasons may do as well.
    """
    text = spoken(text)
    known = {plain(label) or label: label for label in labels}
    if rows := json_rows(text):
        said = {plain(row) for row in map(_said, rows) if row is not None}
        return known.get(said.pop()) if len(said) == 1 else None
    text = text if len(text) <= 2 * _SIDE else f"{text[:_SIDE]}\n{text[-_SIDE:]}"
    if (whole := plain(NUMBERED.sub("", text, 1))) in known:
        return known[whole]
    if plain(text) in known:
        return known[plain(text)]
    announced = [_beginning(text[found.end() :], known) for found in _ANNOUNCED.finditer(text)]
    if chosen := [label for label in announced if label is not None]:
        return chosen[-1]
    lines = [line for line in text.splitlines() if line.strip()]
    alone = {known[plain(line)] for line in lines if plain(line) in known}
    if len(alone) > 1:  # a list of labels
        return None
    if alone and any(plain(line) in known for line in (lines[0], lines[-1])):
        return alone.pop()
    if len(lines) > 1 and (first := _beginning(lines[0], known, whole_line=True)) is not None:
        return first
    if len(text) > _SHORT:
        return None
    return _leading(text, known) or (_only_one(text, known) if anywhere else None)


def _said(row: Any) -> str | None:
    """The label that a row of an answer in JSON names: the text itself, the field for it, or the only field."""
    if not isinstance(row, dict):
        return row if isinstance(row, str) else json.dumps(row)
    (value,) = row.values() if len(row) == 1 else (None,)
    return json_field(row, LABEL) or (value if isinstance(value, str) else None)


def _beginning(text: str, known: dict[str, str], *, whole_line: bool = False) -> str | None:
    """The longest label that the first line of `text` begins with."""
    line = plain(text.lstrip(" \t\n*_`\"'“‘([").partition("\n")[0])
    found = [name for name in known if line == name or (line.startswith(name) and not line[len(name)].isalnum())]
    if not found or (whole_line and plain(line) not in known and len(line.split()) > len(found[0].split()) + 1):
        return None
    name = max(found, key=len)
    rest = line[len(name) :]
    if name in _WORDS and re.match(r"\s\w", rest):  # "Answer: A resident ..."
        return None
    others = _named(rest, known) - {n for n in known if n in name}
    joined = _JOINED.match(rest) or any(re.match(rf"[^\w.]{{1,9}}{re.escape(n)}(?!\w)", rest) for n in others)
    return None if joined and others else known[name]


def _named(text: str, known: dict[str, str]) -> set[str]:
    return {name for name in known if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)}


def _leading(text: str, known: dict[str, str]) -> str | None:
    """The label that a short answer begins with, set off by a mark, where it names no other: "Yes, it does."."""
    found = _LEADS.match(text)
    name = plain(found["label"]) if found else ""
    if not found or name not in known or (name.isdigit() and found["sign"].strip() in (".", ")")):  # of a list
        return None
    return None if _named(plain(text[found.end() :]), known) - {n for n in known if n in name} else known[name]


def _only_one(text: str, known: dict[str, str]) -> str | None:
    """The only label that a short answer names and does not deny."""
    line = plain(text)
    named: set[str] = set()
    for name in sorted(known, key=len, reverse=True):  # "not spam" before "spam"
        where = rf"(?<!\w){re.escape(name)}(?!\w)"
        if not re.search(where, line):
            continue
        if len(name) > _AT_ONCE:
            named.add(name)
            line = re.sub(where, " ", line)
        elif len(name) > 1 or not name.isalpha():  # but "a" is a word of any sentence
            return None
    return known[named.pop()] if len(named) == 1 and not _DENIES.search(line) else None


def read_score(text: str, least: float, most: float, *, anywhere: bool = True) -> float | None:
    """The number of the scale from `least` to `most` that an answer gives; None if none, several, or outside of it.

    `anywhere`: as for labels.
    """
    text = spoken(text).replace("−", "-")
    if rows := json_rows(text):
        said = json_field(rows[0], SCORE) if isinstance(rows[0], dict) else str(rows[0])
        found = _FIRST_NUMBER.match(said or "")
        return _on_scale(found, least, most) if found else None
    text = text if len(text) <= 2 * _SIDE else f"{text[:_SIDE]}\n{text[-_SIDE:]}"
    if found := _IN_BRACKETS.search(text):
        return _on_scale(found, least, most)
    ends = [
        line.strip(" \t*_`\"')]").rstrip(".") for line in (text.partition("\n")[0], text.strip().rpartition("\n")[2])
    ]
    alone = {found["number"]: found for line in ends if (found := _FIRST_NUMBER.fullmatch(line))}
    if len(alone) == 1:
        return _on_scale(alone.popitem()[1], least, most)
    announced = [_FIRST_NUMBER.match(text, one.end()) for one in _ANNOUNCED.finditer(text)]
    if numbers := [one for one in announced if one]:
        return _on_scale(numbers[-1], least, most)
    there = list(_ONLY_NUMBERS.finditer(text)) if anywhere and len(text) <= _SHORT else []
    return _on_scale(there[0], least, most) if len(there) == 1 else None


def _on_scale(found: re.Match[str], least: float, most: float) -> float | None:
    is_grouped = most >= 1000 and re.fullmatch(r"\D?\d{1,3},\d{3}", found["number"])
    number = float(found["number"].replace(",", "" if is_grouped else "."))
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
    above = re.sub(
        r"\A[*_#\s]*(?:rationale|reasoning|explanation|reasons?)[*_]{0,2}[:：][*_]{0,2}\s*", "", above, flags=re.I
    )
    return above.rstrip("*_# \n")
