"""What the prompts say themselves: weak teachers give back their rules, placeholders and examples as new tasks."""

import re
from collections.abc import Mapping, Sequence

from selfinstruct.patterns import pattern
from selfinstruct.pool.novelty import tokens
from selfinstruct.records import SeedTask

FEWEST_TOKENS = 5  # shorter texts are found in a prompt by chance
_TEMPLATE = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_FIELD = pattern(
    r"[ \t]{0,8}(?:\d{1,3}\.[ \t]{0,3})?"
    r"(?:example[ \t]{1,3}\d{1,3}|(?:task|instruction|input|output|class label)[:：])",
    re.IGNORECASE,
)


class Shown:
    """The texts that a run's prompts show to every teacher: those of the prompts, and the instances of the seeds."""

    def __init__(self, prompts: Mapping[str, str], seeds: Sequence[SeedTask] = ()):
        lines = {name: _lines(_TEMPLATE.sub("\n", text)) for name, text in prompts.items()}
        self._texts = {name: text.replace("\n", "") for name, text in lines.items()}
        instances = "\n".join(f"{one.input}\n{one.output}" for seed in seeds for one in seed.instances)
        self._demonstrations = {**lines, "seeds": _lines(instances)}

    def saying(self, text: str) -> str | None:
        """The name of the prompt that says this somewhere; None if none does, or the text is too short to tell."""
        words = tokens(text)
        if len(words) < FEWEST_TOKENS:
            return None
        said = f" {' '.join(words)} "
        return next((name for name, text in self._texts.items() if said in text), None)

    def demonstrating(self, input: str, output: str) -> str | None:
        """The name of the prompt, or "seeds", with this example; None if there is none, or it is too short to tell."""
        if len(tokens(f"{input} {output}")) < FEWEST_TOKENS:
            return None
        orders = {_lines(f"{input}\n{output}"), _lines(f"{output}\n{input}")}
        return next((name for name, shown in self._demonstrations.items() if any(one in shown for one in orders)), None)


def _lines(text: str) -> str:
    """The words of each line between spaces, without the name of a field at its beginning; empty lines are left out."""
    words = (tokens(_FIELD.sub("", line, count=1) if _FIELD.match(line) else line) for line in text.splitlines())
    return "\n" + "".join(f" {' '.join(line)} \n" for line in words if line)
