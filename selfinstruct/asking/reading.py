"""Answers without content, and why."""

from selfinstruct.finish_reasons import ending_of
from selfinstruct.parsing.verdicts import is_refusal
from selfinstruct.records import Completion, Rejection

# Reasons that apply to answers of any stage; strategies declare those of single stages.
REASONS = {
    "no_answer": "the request failed permanently",
    "empty_answer": "the answer was empty",
    "refusal": "the teacher declined",
    "no_list": "no list could be read from the answer",
    "no_such_task": "recorded for an instruction that is not an admitted task",
    "answered_again": "recorded again later for the same instruction",
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


def declined(completion: Completion) -> Rejection | None:
    """The reason "refusal" if the server reports one, or the text begins like one; else None."""
    is_one = ending_of(completion.finish_reason) == "refusal" or is_refusal(completion.text)
    return Rejection("refusal", {}) if is_one else None
