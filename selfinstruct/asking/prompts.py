"""Prompts: Jinja files that a user can edit, or replace with a folder of their own.

A prompt file has two blocks. `system` stays the same during a run (the instructions and examples), `user`
changes with each request:

    prompts/chat/propose.jinja        prompts/completion/propose.jinja
    prompts/chat/classify.jinja       ...
    prompts/chat/input_first.jinja
    prompts/chat/output_first.jinja
    prompts/chat/alpaca.jinja         (for the strategy of that name)

A chat model gets them as its system and user message, a base model as one text. The run stores the texts, so it is
resumed with the prompts it started with.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from selfinstruct.asking.sandbox import Bounded
from selfinstruct.asking.stages import Prompt
from selfinstruct.errors import UsageError
from selfinstruct.rows.reading import read_text

PACKAGE = Path(__file__).parent.parent


def shipped(name: str) -> Path:
    """The folder `name` (seeds or prompts) that comes with the package, in a wheel or in a checkout."""
    inside = PACKAGE / f"{name}_shipped"
    return inside if inside.is_dir() else PACKAGE.parent / name


def read_prompts(folder: Path, prompts: Iterable[tuple[str, Prompt]], n_demonstrations: int = 8) -> dict[str, str]:
    """The texts of these prompts' files by name, such as "chat/propose".

    UsageError if a file is missing, is not a valid template, lacks one of the two blocks, or does not show its variable
    (checked with up to `n_demonstrations` demonstrations).
    """
    texts = {}
    of_name = dict(sorted(prompts, key=lambda one: one[0]))
    for name, prompt in of_name.items():
        path = folder / f"{name}.jinja"
        if prompt.template and not path.exists():
            texts[name] = prompt.template
            continue
        try:
            texts[name] = read_text(path)
        except UsageError as error:
            raise UsageError(f"{error} Copy the shipped one from {shipped('prompts')}.") from None
    filled = Prompts(texts, of_name.values())
    for name in texts:
        try:
            filled.check(name, of_name[name], n_demonstrations)
        except UsageError as error:
            raise UsageError(f"{'' if of_name[name].template else f'{folder}/'}{error}") from None
    return texts


@lru_cache(maxsize=32)
def _environment(texts: tuple[tuple[str, str], ...]) -> Bounded:
    """Compiles these texts on first use; cached for the next run with the same prompts."""
    return Bounded(  # a run's folder contains prompts, and may come from somebody else
        loader=jinja2.DictLoader(dict(texts)), undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        autoescape=False,
    )  # fmt: skip


class Prompts:
    """The prompts of one run, ready to be rendered."""

    def __init__(self, texts: dict[str, str], prompts: Iterable[Prompt] = ()):
        self.texts = texts
        self._shared = {prompt.name: dict(prompt.shared) for prompt in prompts}
        self._environment = _environment(tuple(sorted(texts.items())))
        self._systems: dict[tuple[str, bool], str] = {}

    def render(self, name: str, json: bool = False, **variables: Any) -> tuple[str, str]:
        """The (system, user) texts of prompt `name`, such as "chat/classify"; both stripped at their outer ends.

        `json`: whether the answer is to be JSON. UsageError, which names the prompt, if it cannot be rendered.
        """
        try:
            if (name, json) not in self._systems:
                self._systems[name, json] = self._block(name, "system", {"json": json})
            return self._systems[name, json], self._block(name, "user", {"json": json, **variables})
        except jinja2.TemplateSyntaxError as error:
            raise UsageError(f"{name}.jinja, line {error.lineno}: {error.message}") from None
        except KeyError as error:
            raise UsageError(f"{name}.jinja: has no block {error}. It must have a system and a user block.") from None
        except jinja2.UndefinedError as error:
            raise UsageError(
                f"{name}.jinja: {error.message}; it may use {', '.join(variables)} in its user block."
            ) from None
        except jinja2.TemplateError as error:
            raise UsageError(f"{name}.jinja: cannot be rendered ({error}).") from None

    def _block(self, name: str, block: str, variables: dict[str, Any]) -> str:
        template: Any = self._environment.get_template(name)
        return str(template.block(block, {**self._shared.get(name.partition("/")[2], {}), **variables})).strip()

    def check(self, name: str, prompt: Prompt, n_demonstrations: int) -> None:
        """Render a prompt with samples: it must work, and depend on its variables and on nothing else."""
        samples = prompt.samples(n_demonstrations)
        first, second = (self.render(name, **sample) for sample in samples)
        if first == second:
            raise UsageError(f"{name}.jinja: its user block does not show the {prompt.shows}.")
        if first != Prompts({name: self.texts[name]}, [prompt]).render(name, **samples[0]):
            raise UsageError(f"{name}.jinja: renders differently each time, so a run could not be resumed.")
