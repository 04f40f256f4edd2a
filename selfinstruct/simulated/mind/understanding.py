"""What a prompt asks for, read from its end as a model would.

    >>> understand("Task: Is the review kind or harsh?\\nIs it a classification task? Answer Yes or No.")
    Ask(stage='classify', task='Is the review kind or harsh?', ...)
    >>> understand("1. Name a fruit.\\n2. Name a tree.\\n3.").opened
    '3.'

Nothing here depends on the exact wording of the project's prompts, which users edit: the last "Task:" and the question
after it decide, then a numbered list with a request for more; anything else is taken as a task to be done.
"""

import re
from dataclasses import dataclass
from typing import Literal

Stage = Literal["propose", "whole", "classify", "input_first", "output_first", "answer", "judge"]

_NUMBER = r"[ \t]*(?:Task[ \t]+)?(\d{1,4})[.):]"
_ITEM = re.compile(rf"^{_NUMBER}[ \t]+(\S.*)$", re.MULTILINE)
_OPEN_NUMBER = re.compile(rf"(?:^|\n){_NUMBER}[ \t]*(?:Instruction:[ \t]*)?\Z")
_RANGE = re.compile(r"\b(\d{1,4})\s*(?:to|through|[-–—])\s*(\d{1,4})\b")
_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_COUNT = re.compile(
    rf"\b(\d{{1,3}}|{'|'.join(_WORDS)})\s+(?:\w+\s+){{0,3}}?(?:more|new|tasks?|instructions?|examples?|instances?)\b",
    re.IGNORECASE,
)
_MORE = re.compile(r"\b(?:tasks?|instructions?|prompts?|numbered)\b", re.IGNORECASE)
_TASK = re.compile(r"^[ \t#>*_-]*Task[*_ \t]*:[*_ \t]*", re.MULTILINE | re.IGNORECASE)
_QUESTION = re.compile(
    r"\n\s*\n|\n[ \t*#]*(?=(?:Is (?:it|this|that)\b|Example\b|Class\b|Label\b|Write\b|Give\b|Generate\b|Come up\b"
    r"|Input:|Output:|Answer\b|[^\n]*\bclassification\b))",
    re.IGNORECASE,
)
_OPENING = re.compile(r"(?:^|\n)[ \t]*((?:Example[ \t]*\d*|(?:Class )?Label)[ \t]*:?)\Z", re.IGNORECASE)
_OUTPUT_OPENED = re.compile(r"\n[#* \t]*(?:Output|Answer|Response)\**:\**\Z", re.IGNORECASE)
_TWO_ANSWERS = re.compile(
    r"\A\[Question\]\n(.*)\n\n\[Answer 1\]\n(.*)\n\n\[Answer 2\]\n(.*)\n\n\[End of both answers\]", re.DOTALL
)


@dataclass(frozen=True)
class Ask:
    """What is asked for."""

    stage: Stage
    task: str = ""
    """The task in question; for stage "answer" the whole message."""
    shown: tuple[str, ...] = ()
    """The tasks listed in a prompt that wants more of them; for stage "judge" the two answers to the task."""
    first: int = 1
    """The number of the first task to write."""
    count: int = 3
    """How many tasks or examples are wanted."""
    opened: str = ""
    """What a completion prompt has already begun to say: "9.", "Example 1" or "Class label:"."""


def understand(prompt: str, background: str = "") -> Ask:
    """Read what `prompt` (the last message, or a completion prompt) asks for.

    `background` (the system message) is used only if the prompt itself does not say.
    """
    if two := _TWO_ANSWERS.match(prompt):
        return Ask("judge", task=two[1], shown=(two[2], two[3]))
    text = prompt.rstrip()
    if number := _OPEN_NUMBER.search(text):
        listed = list(_ITEM.finditer(text))
        return _proposal(text, listed, background, first=int(number[1]), opened=text[number.start() :].strip())
    tasks = list(_TASK.finditer(text))
    if tasks:
        return _about(text[tasks[-1].end() :], before=f"{background}\n{text[: tasks[-1].start()]}")
    listed = list(_ITEM.finditer(text))
    if len(listed) > 1 and _MORE.search(text[: listed[0].start()] + text[listed[-1].end() :]):
        return _proposal(text, listed, background, first=int(listed[-1][1]) + 1)
    return Ask("answer", task=_OUTPUT_OPENED.sub("", text).strip())


def _proposal(text: str, listed: list[re.Match[str]], background: str, first: int, opened: str = "") -> Ask:
    wish = text[listed[-1].end() :] if listed else text
    count = 8
    if opened:
        pass
    elif (numbers := _RANGE.search(wish)) and int(numbers[1]) == first:
        count = int(numbers[2]) - first + 1
    elif number := _COUNT.search(wish) or _COUNT.search(background):
        count = _number(number[1])
    shown = [item[2].strip() for item in listed]
    whole = bool(re.search(r"^[ \t]*\d+\.[ \t]*Output:", text, re.MULTILINE))
    if whole:
        shown = [found[1] for item in shown if (found := re.match(r"Instruction:\s*(\S.*)", item))]
    return Ask("whole" if whole else "propose", "", tuple(shown), first, max(1, min(count, 100)), opened)


def _about(tail: str, before: str) -> Ask:
    """Read a prompt that ends with a task and (usually) a question about it; earlier tasks have the same question."""
    parts = _QUESTION.split(tail, maxsplit=1)
    task, question = parts[0].strip(), tail[len(parts[0]) :].strip()
    opening = _OPENING.search(tail)
    wish = (question or before).lower()
    asks_for_label = re.search(r"\blabels?\b", wish)
    asks_for_examples = re.search(r"\bclass label|\bexamples?\b|\binstances?\b|\binputs?\b", wish)
    if "classif" in wish and not asks_for_examples:
        return Ask("classify", task)
    number = _COUNT.search(question)
    count = _number(number[1]) if number and not opening else 3
    stage: Stage = "output_first" if asks_for_label else "input_first"
    return Ask(stage, task, count=max(1, min(count, 20)), opened=opening[1].strip() if opening else "")


def _number(word: str) -> int:
    return int(word) if word.isdigit() else _WORDS[word.lower()]


_CLOSED = re.compile(
    r"\b(?:classif\w*|[ck]ategor\w*|whether|decide|verdicts?|sentiment|true or false|yes or no|label"
    r"|spam|urgent|genre|topic of|detect if"
    r"|which (?:class|kind|type|category)|(?:is|are|does|do|was|would|should) \w+ .{0,300}?\bor\b"
    r"|(?:with|as|say|answer|reply) \w+ or \w+|(?:reply|answer|say) \w+ if|answers are|choose from"
    r"|from this list"
    r"|[\w'-]{1,40}, [\w'-]{1,40},? or \w+)\b",
    re.IGNORECASE,
)


def looks_like_classification(task: str) -> bool:
    """Guess whether a task of unknown origin asks for a label from a small set."""
    return bool(_CLOSED.search(task))


def likely_labels(task: str) -> tuple[str, ...]:
    """Guess the labels that a classification task of unknown origin names: "A, B or C", else Yes and No."""
    if found := re.search(r"\b((?:[\w'-]{1,40}, ){0,20}[\w'-]{1,40}),? or (?:an? |the |as )?([\w'-]{1,40})", task):
        return (*found[1].split(", "), found[2])
    return ("Yes", "No")
