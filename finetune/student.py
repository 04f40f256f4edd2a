"""A student that answers: the model of a folder, asked through its chat template, many prompts at once.

    >>> student = Student("outputs/student")
    >>> student.answer([[{"role": "user", "content": "Reverse the list: 3, 1, 2"}]], max_tokens=32)
    [Answer(text='2, 1, 3', n_tokens=6, stopped=True)]

Not covered: several GPUs, quantised weights.
"""

import random
from collections.abc import Sequence
from typing import NamedTuple

import torch

from finetune.decoding import Batch, Row
from finetune.examples import Message
from finetune.sampling import Sampling
from finetune.teacher import end_tokens, load


class Answer(NamedTuple):
    """What was said; `stopped` is False where it was cut off after `max_tokens`."""

    text: str
    n_tokens: int
    stopped: bool


class Student:
    """The model `name`: a folder, of an adapter too, or a name on the hub. UsageError where it cannot be loaded."""

    def __init__(self, name: str):
        self.tokenizer, self.model = load(name)
        self.model.eval()
        self.ends = end_tokens(self.tokenizer, self.model)

    @torch.inference_mode()
    def answer(
        self,
        prompts: Sequence[list[Message]],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        batch_size: int = 16,
    ) -> list[Answer]:
        """The answers to `prompts`, in their order; an answer depends on its prompt, the settings and its place."""
        batch = Batch(self.model, batch_size)
        rows = [self._row(prompt, max_tokens, temperature, f"{seed} {n}") for n, prompt in enumerate(prompts)]
        batch.waiting.extend(rows)
        while not batch.is_idle:
            batch.step()
        return [Answer(row.answer()[0], len(row.said), row.finish_reason == "stop") for row in rows]

    def _row(self, prompt: list[Message], max_tokens: int, temperature: float, seed: str) -> Row:
        ids = self.tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=True)["input_ids"]
        sampling = Sampling(temperature=temperature)
        return Row(list(ids), sampling, max_tokens, self.ends, self._text, random.Random(seed))

    def _text(self, tokens: list[int]) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))
