"""Answers with a single meaning: yes or no, a refusal, no input."""

import re

from selfinstruct.parsing.json_answers import VERDICT, json_field, json_rows
from selfinstruct.parsing.thoughts import spoken

_REFUSAL = re.compile(
    r"^\W*(?:(?:i['’]?m |i am )?(?:so |very )?sorry\W{1,4}(?:but|i|no|as an ai)\b"
    r"|i (?:can(?:no|['’])t|can not|won['’]t|will not) (?:help|assist|fulfill?|comply|provide|create|generate|answer"
    r"|write|continue|engage|support|complete|do (?:this|that))\b|i['’]?m (?:unable|not able) to\b"
    r"|as an ai(?: language)?(?: model| assistant)?,? i\b|unfortunately, i\b"
    r"|(?:很)?抱歉|对不起|申し訳(?:あり|ござい)|죄송)",
    re.IGNORECASE,
)
_NO_INPUT = re.compile(
    r"^(?:\W*(?:none|n/?a|no\s*(?:(?:additional|further|specific)\s+)?inputs?(?:\s+(?:is\s+)?(?:needed|required|necessary"
    r"|provided|given)(?:\s+for\s+this\s+task)?)?|blank|null|not\s+(?:applicable|needed|required)|empty)\W*|\s*[-–—\"'“”]+\s*)$",
    re.IGNORECASE,
)
_YES_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)
# Phrases with a yes or a no that is not a verdict, and words that take a verdict back.
_NO_VERDICT = re.compile(
    r"\byes\b[\"'”’]?\s*(?:/|\||,|or|and|nor)\s*[\"'“‘]?no\b|\bno (?:doubt|problem|worries)\b|\bneither\b.*",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"\b(?:answer|verdict)\b(?:\s+(?:is|would be))?\s*:?\s*[*_\"']*(yes|no)\b", re.IGNORECASE)
_UNSURE = re.compile(
    r"\b(?:whether|unclear|not sure|unsure|can(?:not|['’]t) (?:say|tell|decide|answer))\b", re.IGNORECASE
)
_IS_CLASSIFICATION = re.compile(
    r"(?:\bis|(?<=it)['’]s|(?<=this)['’]s|^\W*(?=not\b))(?!\s+(?:it|this)\b)(n['’]t|\s*\bnot)?\b"
    r"(?:\s+(?!not\b)\w+){0,3}?\s+classification\b",
    re.IGNORECASE,
)


def is_refusal(text: str) -> bool:
    """Whether the answer starts like a refusal."""
    return bool(_REFUSAL.match(spoken(text)))


def says_no_input(text: str) -> bool:
    """Whether the text is one of the ways to say that there is no input: "None", "N/A", "<noinput>", "No input." """
    return bool(_NO_INPUT.match(text))


def yes_or_no(text: str) -> bool | None:
    """Read a verdict such as "Yes, it is." or "It is not a classification task" as a bool; None if there is none."""
    text = spoken(text)
    if rows := json_rows(text):
        text = json_field(rows[0], VERDICT) or ""
    text = {"true": "yes", "false": "no"}.get(text.strip(" .*`\n").lower(), text)
    text = _NO_VERDICT.sub(" ", text)
    if answers := _ANSWER.findall(text):
        return bool(answers[-1].lower() == "yes")
    sentence = _IS_CLASSIFICATION.search(text)
    word = _YES_NO.search(text)
    unsure = _UNSURE.search(text)
    first = min((m.start() for m in (sentence, word) if m), default=None)
    if first is None or (unsure and unsure.start() < first):
        return None
    if sentence and (not word or sentence.start() < word.start()):
        return not sentence.group(1)
    return word is not None and word.group(1).lower() == "yes"
