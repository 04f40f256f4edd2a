"""Answers read as votes: a label, a number, one of two texts, or free text, with the reasons and the confidence."""

import json
import math
from typing import NamedTuple

from selfinstruct.annotation.task import FIRST, SECOND, AnnotationTask
from selfinstruct.asking.reading import declined, no_answer
from selfinstruct.parsing.json_answers import field_or_text, json_rows
from selfinstruct.parsing.labels import read_label, read_rationale, read_score
from selfinstruct.parsing.thoughts import spoken
from selfinstruct.records import Completion, Rejection

REASONS = {
    "no_label": "the answer names none of the labels, or several",
    "no_score": "the answer gives no number on the scale",
    "no_preference": "the answer does not say which text is better",
    "answer_cut": "cut off before it was complete",
}
_UNREAD = {"label": "no_label", "score": "no_score", "prefer": "no_preference"}
_AS_SHOWN = {"Text 1": FIRST, "Text 2": SECOND}  # as the prompt heads them
_SHOWN = 200  # characters of an unreadable answer, as evidence


class Vote(NamedTuple):
    """What one answer says. `value`: a label, a number as text, "1", "2" or "tie", or the text of an answer.

    `confidence`: the probability of the label's tokens, from 0 to 1, where the server reports it.
    """

    value: str
    rationale: str = ""
    confidence: float | None = None


def read_vote(task: AnnotationTask, completion: Completion, swapped: bool = False) -> Vote | Rejection:
    """The vote in an answer, or the reason why there is none. `swapped`: the second option was shown first."""
    if nothing := no_answer(completion):
        return nothing
    text = completion.text
    if task.ask == "answer":
        if refusal := declined(completion, task.instruction):
            return refusal
        if completion.was_cut:
            return Rejection("answer_cut", {"finish_reason": completion.finish_reason})
        answer = _answer(spoken(text).strip())
        return Vote(answer) if answer else Rejection("empty_answer", {"finish_reason": completion.finish_reason})
    rationale = read_rationale(text) if task.rationale else ""
    is_choice = not (task.rationale or completion.was_cut)  # and nothing but the choice is there
    if task.ask == "score":
        number = read_score(text, *task.scale, anywhere=is_choice)
        if number is not None:
            return Vote(f"{number:.12g}", rationale)
    else:
        names = (*task.choices, *(_AS_SHOWN if task.ask == "prefer" else ()))
        choice = read_label(text, names, anywhere=is_choice)
        if choice is not None:
            choice = _AS_SHOWN.get(choice, choice)
            confidence = _confidence(completion, choice)
            if swapped:
                choice = {FIRST: SECOND, SECOND: FIRST}.get(choice, choice)
            return Vote(choice, rationale, confidence)
    if completion.was_cut:
        return Rejection("answer_cut", {"finish_reason": completion.finish_reason})
    return declined(completion) or Rejection(_UNREAD[task.ask], {"answer": text[:_SHOWN]})


def _answer(text: str) -> str:
    """The answer in the only field that we ask for; the text itself, which may be the JSON that the task asks for."""
    rows = json_rows(text) if text.startswith(("{", "```")) else None
    if not rows or len(rows) > 1 or not isinstance(rows[0], dict) or [*rows[0]] != ["answer"]:
        return text
    return field_or_text(text, "answer").strip()


def _confidence(completion: Completion, label: str) -> float | None:
    """The probability of the tokens of the label, where it stands last in the answer; None if it is not reported."""
    if completion.logprobs is None:
        return None
    try:
        content = json.loads(completion.raw)["choices"][0]["logprobs"]["content"]
        tokens = [(str(one["token"]), float(one["logprob"])) for one in content]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    begin = "".join(token for token, _ in tokens).lower().rfind(label.lower())
    if begin < 0:
        return None
    total, at = 0.0, 0
    for token, logprob in tokens:
        if at + len(token) > begin and at < begin + len(label):
            total += logprob
        at += len(token)
    return math.exp(total) if math.isfinite(total) and total <= 0 else None
