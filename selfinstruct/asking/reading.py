"""Answers in which there is nothing to read, and why."""

from selfinstruct.parsing.verdicts import is_refusal
from selfinstruct.records import Completion, Rejection

# Reasons of rejection that answers of any stage may have; those of a single stage are its strategy's.
REASONS = {
    "no_answer": "the request failed for good",
    "empty_answer": "the answer was empty",
    "refusal": "the teacher declined",
    "no_list": "no list could be read from the answer",
    "no_such_task": "recorded for an instruction that is no admitted task",
    "answered_again": "recorded again later for the same instruction",
}


def no_answer(completion: Completion) -> Rejection | None:
    """Why there is nothing to read in a completion; None where there may be something."""
    if completion.error:
        return Rejection("no_answer", {"error": completion.error})
    if completion.finish_reason == "refusal":  # the server says so itself
        return Rejection("refusal", {})
    if not completion.text.strip():
        return Rejection("empty_answer", {"finish_reason": completion.finish_reason})
    return None


def declined(completion: Completion) -> Rejection | None:
    """That the teacher declined, where the server says so, or an answer that gave nothing else begins like that."""
    return Rejection("refusal", {}) if completion.finish_reason == "refusal" or is_refusal(completion.text) else None
