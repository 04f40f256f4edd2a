"""Texts as a model writes them: token by token, up to a stop text or a limit, with a probability for each token.

A token is one word piece: up to eight letters or digits with the space before them, or one other character.

    >>> tokens("Yes, it is.")
    ['Yes', ',', ' it', ' is', '.']
    >>> cut("one two three", stop=[" three"], max_tokens=16)
    ('one two', 'stop')
"""

import json
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

from selfinstruct.simulated.mind.answers import FinishReason, Item

_IN_JSON = {"Yes": "true", "No": "false"}
_TOKEN = re.compile(r" ?\w{1,8}| ?[^\w\s]|\s")
_FILLERS = (" the", " a", " and", " of", " to", " in", ",", ".", " is", " that", " for", " it", "\n", " on", " with",
            " as", " was", " at", " by", " be", " or")  # fmt: skip


def tokens(text: str) -> list[str]:
    """Split a text into tokens, which join to the same text."""
    return _TOKEN.findall(text)


@lru_cache(maxsize=4096)
def count(text: str) -> int:
    """Count the tokens of a text; cached, since every request of a run has the same system message."""
    return len(tokens(text))


def cut(text: str, stop: Sequence[str], max_tokens: int | None) -> tuple[str, FinishReason]:
    """Cut a text where the first stop text begins, or after `max_tokens` tokens."""
    ends = [at for word in stop if (at := text.find(word)) >= 0]
    text = text[: min(ends)] if ends else text
    if max_tokens is not None and len(text) > max_tokens and count(text) > max_tokens:
        return "".join(tokens(text)[:max_tokens]), "length"
    return text, "stop"


class Scored(NamedTuple):
    """A token, its log-probability, and the likeliest tokens in its place (including itself), best first."""

    token: str
    logprob: float
    top: list[tuple[str, float]]


def scored(text: str, items: Sequence[Item], top: int, rng: Random) -> list[Scored]:
    """Score the tokens of a text; the first token of each item's output carries the teacher's confidence."""
    starts = _answer_starts(text, items)
    result, at = [], 0
    for token in tokens(text):
        if item := starts.get(at):
            sure = min(item.sure, 1 - 1e-6)
            other = (" " if token.startswith(" ") else "") + (tokens(item.instead) or [_FILLERS[0]])[0].lstrip()
        else:
            sure, other = 1 - 0.5 * rng.random() ** 4, rng.choice(_FILLERS)
        result.append(Scored(token, math.log(sure), _alternatives(token, sure, other, top, rng)))
        at += len(token)
    return result


def _answer_starts(text: str, items: Sequence[Item]) -> dict[int, Item]:
    """Find where the first token of each output begins, after its heading or at the start of the text."""
    found: dict[int, Item] = {}
    at = 0
    for item in items:
        said = {item.output, json.dumps(item.output, ensure_ascii=False)[1:-1], _IN_JSON.get(item.output, item.output)}
        output = f"(?:{'|'.join(map(re.escape, sorted(said, key=len, reverse=True)))})" if item.output else "(?!)"
        heading = r"(?:(?:Output|label|Answer|Response)\W*?:\W*?|\A\W*?|\"\w+\": \"|\"\w+\":)"
        if place := re.compile(rf"{heading}([ ]?){output}(?!\w)", re.IGNORECASE).search(text, at):
            found[place.start(1)] = item
            at = place.end()
    return found


def _alternatives(token: str, sure: float, other: str, top: int, rng: Random) -> list[tuple[str, float]]:
    names = [token]
    for name in (other, *rng.sample(_FILLERS, min(top, len(_FILLERS)))):
        if name not in names:
            names.append(name)
    rest = 1 - sure
    shares = [sure] + [rest * 0.9 * 0.1**place for place in range(len(names) - 1)]
    ranked = sorted(zip(names, shares, strict=True), key=lambda pair: -pair[1])
    return [(name, max(math.log(share), -100.0) if share > 0 else -100.0) for name, share in ranked[:top]]
