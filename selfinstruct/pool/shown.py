"""What the prompts say themselves: weak teachers give back their rules, placeholders and examples as new tasks."""

import re
from collections.abc import Collection, Mapping, Sequence

from selfinstruct.patterns import pattern
from selfinstruct.pool.novelty import tokens
from selfinstruct.records import SeedTask

FEWEST_TOKENS = 5  # shorter texts are found in a prompt by chance
FEWEST_ALONE = 10  # the same for outputs without an input
_TEMPLATE = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_SENTENCE = pattern(r"[.!?。！？](?=\s|$)|[:：]\s|\n")
_FIELD = pattern(
    r"[ \t]{0,8}(?:\d{1,3}\.[ \t]{0,3})?"
    r"(?:example[ \t]{1,3}\d{1,3}|(?:task|instruction|input|output|class label)[:：])",
    re.IGNORECASE,
)


class Shown:
    """The texts that a run's prompts show to every teacher.

    `prompts`: the templates, by name; `proposing`: the names of those that ask for new tasks. Instances of seeds count
    as examples of the prompts.
    """

    def __init__(self, prompts: Mapping[str, str], proposing: Collection[str] = (), seeds: Sequence[SeedTask] = ()):
        texts = {name: _TEMPLATE.sub("\n", text) for name, text in prompts.items()}
        self._sentences = {
            name: {sentence for one in _SENTENCE.split(texts[name]) if (sentence := " ".join(tokens(one)))}
            for name in proposing
            if name in texts
        }
        self._examples = {name: _lines(text) for name, text in texts.items()}
        self._seeds = {_lines(f"{one.input}\n{one.output}") for seed in seeds for one in seed.instances}

    def saying(self, text: str) -> str | None:
        """The name of the prompt with this as a sentence; None if there is none, or the text is too short to tell."""
        words = tokens(text)
        said = " ".join(words)
        if len(words) < FEWEST_TOKENS:
            return None
        return next((name for name, sentences in self._sentences.items() if said in sentences), None)

    def demonstrating(self, input: str, output: str) -> str | None:
        """The name of the prompt, or "seeds", with this example; None if there is none, or it is too short to tell."""
        if len(tokens(f"{input} {output}")) < (FEWEST_TOKENS if input.strip() else FEWEST_ALONE):
            return None
        orders = {_lines(f"{input}\n{output}"), _lines(f"{output}\n{input}")}
        if orders & self._seeds:
            return "seeds"
        return next((name for name, shown in self._examples.items() if any(one in shown for one in orders)), None)


def _lines(text: str) -> str:
    """The words of each line between spaces, without the name of a field at its beginning; empty lines are left out."""
    words = (tokens(_FIELD.sub("", line, count=1) if _FIELD.match(line) else line) for line in text.splitlines())
    return "\n" + "".join(f" {' '.join(line)} \n" for line in words if line)
