"""Prompts with constraints that a program can check, and the checks.

    >>> prompt = compose(Random(11))
    >>> prompt.text
    'Write to a friend about a camera. The letter "b" should occur 4 times or more. USE CAPITAL LETTERS ONLY.'
    >>> [check.holds("DEAR BOB") for check in prompt.checks]
    [False, True]

The idea, and the two ways of counting, are those of IFEval (Zhou et al. 2023, 2311.07911, section 2): strict, the
answer as it is meets the constraint; loose, any of eight versions of it does: with or without its first line, its last
line, and its asterisks, so that "Sure, here it is:" and bold type do not count against it. An empty answer meets no
constraint. The kinds are similar to IFEval's, but wordings, topics and rules are ours, so figures cannot be compared
with IFEval's.

The constraints of a prompt are compatible: kinds that touch the same aspect of an answer are never in one prompt.
Not covered: whether the answer makes sense. Nonsense meets some constraints too ("no commas"), so look at the
difference that training made, and at the figures by kind.
"""

from random import Random
from typing import NamedTuple

from finetune.evaluation.constraint_kinds import KINDS, Parameters

_TOPICS = (
    "Write a short story about {thing}.", "Explain what {thing} is good for.", "Write a riddle about {thing}.",
    "Describe {thing} to someone who has never seen one.", "Write an advertisement for {thing}.",
    "Say how one could improve {thing}.", "What should one know before buying {thing}?",
    "Write to a friend about {thing}.", "Compare {thing} of today with one of a hundred years ago.",
    "Give advice on how to look after {thing}.",
)  # fmt: skip
_THINGS = (
    "a bicycle", "a lighthouse", "a kettle", "a violin", "a greenhouse", "a ferry", "a telescope", "a backpack",
    "a chess set", "a sewing machine", "a beehive", "a sailing boat", "a lamp", "a clock", "a tent", "a piano",
    "a bookcase", "a camera", "a bridge", "an umbrella",
)  # fmt: skip


class Check(NamedTuple):
    """One constraint of a prompt: a kind's name, and its parameters (JSON values)."""

    kind: str
    parameters: Parameters

    def holds(self, answer: str) -> bool:
        """Whether the answer, as it is, meets the constraint."""
        return bool(answer.strip()) and KINDS[self.kind].holds(answer.strip(), **self.parameters)

    def holds_loosely(self, answer: str) -> bool:
        """Whether any of the answer's eight versions does."""
        lines = answer.strip().split("\n")
        versions = ["\n".join(some) for some in (lines, lines[1:], lines[:-1], lines[1:-1])]
        return any(self.holds(text) for version in versions for text in (version, version.replace("*", "")))


class Prompt(NamedTuple):
    """A prompt, and the constraints that the answer must meet."""

    text: str
    checks: tuple[Check, ...]


def compose(rng: Random) -> Prompt:
    """A prompt on a simple topic with 1 to 3 compatible constraints."""
    sentences = [rng.choice(_TOPICS).format(thing=rng.choice(_THINGS))]
    checks: list[Check] = []
    touched: set[str] = set()
    wanted = rng.randint(1, 3)
    for kind in rng.sample(list(KINDS.values()), len(KINDS)):
        if len(checks) < wanted and not touched & kind.touches:
            parameters = kind.draw(rng)
            checks.append(Check(kind.name, parameters))
            sentences.append(rng.choice(kind.wordings).format(**parameters))
            touched |= kind.touches
    return Prompt(" ".join(sentences), tuple(checks))


def prompts(n: int, seed: int = 0) -> list[Prompt]:
    """The first `n` prompts of a seed; a larger `n` starts with the same ones."""
    return [compose(Random(f"constraints {seed} {number}")) for number in range(n)]
