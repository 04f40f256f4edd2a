"""Answers without content, and why."""

import re

from selfinstruct.finish_reasons import ending_of
from selfinstruct.parsing.verdicts import declines
from selfinstruct.patterns import pattern
from selfinstruct.records import Completion, Rejection

# A whole answer that nothing can have asked for, whatever the question.
_PLAIN = pattern(
    r"\W*(?:i['’]?m |i am )?(?:so |very )?sorry\W{1,4}(?:but )?i can(?:no|['’])?t (?:help|assist|do|provide|answer|say)"
    r"(?: (?:you )?(?:with )?(?:that|this|it))?\W*",
    re.IGNORECASE,
)
# Reasons that apply to answers of any stage; strategies declare those of single stages.
REASONS = {
    "no_answer": "no usable answer; see the error",
    "empty_answer": "the answer was empty",
    "refusal": "the teacher declined",
    "no_list": "no list found in the answer",
}
IMPORTED = {
    "no_such_task": "imported; matches no admitted task",
    "answered_again": "replaced by a later imported answer",
}


def no_answer(completion: Completion) -> Rejection | None:
    """The reason why a completion has no content: no_answer, refusal or empty_answer; None if it has some."""
    if completion.error:
        return Rejection("no_answer", {"error": completion.error})
    if ending_of(completion.finish_reason) == "refusal":  # the server says so itself
        return Rejection("refusal", {})
    if not completion.text.strip():
        return Rejection("empty_answer", {"finish_reason": completion.finish_reason})
    return None


def declined(completion: Completion, question: str = "") -> Rejection | None:
    """The rejection "refusal" if the server reports one, or if the text begins like one; else None.

    A text that `question` asks for, such as an apology, is not a refusal.
    """
    text = completion.text
    is_one = ending_of(completion.finish_reason) == "refusal" or declines(question, text) or _PLAIN.fullmatch(text)
    return Rejection("refusal", {}) if is_one else None
