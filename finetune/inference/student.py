"""A student that answers: a model in a folder, prompted through its chat template, in batches or streaming.

    >>> student = Student("outputs/student")
    >>> student.answer([[{"role": "user", "content": "Reverse the list: 3, 1, 2"}]], max_tokens=32)
    [Answer(text='2, 1, 3', n_tokens=6, stopped=True)]

An answer ends with an end token of the model's generation config, its tokenizer or its chat template, after
`max_tokens`, or when the model's context is full. Prompts are never cut. An adapter (LoRA) is used next to its base as
it was trained, not merged into it, so nothing is rounded.

Not covered: several GPUs, quantised weights, adapters other than LoRA.
"""

import random
from collections.abc import Generator, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from jinja2 import TemplateError
from peft import PeftConfig, PeftModel
from peft.utils.constants import EMBEDDING_LAYER_NAMES
from safetensors import SafetensorError, safe_open
from transformers import AutoTokenizer, PreTrainedModel

from finetune.data.templates import fitting
from finetune.examples import Message, Tools
from finetune.inference.decoding import Batch, Row
from finetune.inference.sampling import Sampling, check_gguf, is_gguf
from finetune.inference.teacher import MORE_THAN_TENSORS, end_tokens, load
from finetune.training.weights import add_tokens
from selfinstruct.errors import UsageError

HALF = "\N{REPLACEMENT CHARACTER}"  # what an incomplete character decodes to


class Answer(NamedTuple):
    """An answer; `stopped` is False if it was cut off, after `max_tokens` or because the context was full."""

    text: str
    n_tokens: int
    stopped: bool


class Student:
    """A model that answers. `name`: the folder of a model or an adapter, a GGUF file, or a name on the hub.

    `tokenizer`: that of a student trained from this model; used if this model has no chat template of its own.
    `context`: maximum tokens of prompt and answer together; None if there is no limit. Raises UsageError if the model
    cannot be loaded, or if there is no chat template to prompt it with.
    """

    def __init__(self, name: str, tokenizer: Any = None):
        self.name = name
        self.tokenizer, model = open_model(name)
        if tokenizer and not self.tokenizer.chat_template:
            _check_tokens(name, self.tokenizer, tokenizer)
            add_tokens(model, len(self.tokenizer), len(tokenizer))
            self.tokenizer = tokenizer
        if not self.tokenizer.chat_template:
            raise UsageError(no_template(name))
        self.model: PreTrainedModel = model.eval()
        self.ends = end_tokens(self.tokenizer, self.model.generation_config)
        self.context: int | None = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    def chat(
        self, message: str | list[Message], *, max_tokens: int = 512, temperature: float = 0.0, seed: int = 0
    ) -> str:
        """Answer a user message, or a conversation: a list of {"role", "content"} that ends with a user message.

        `max_tokens`: maximum tokens of the answer. Raises UsageError if the conversation fills the model's context.
        """
        messages: list[Message] = [{"role": "user", "content": message}] if isinstance(message, str) else message
        return self.answer([messages], max_tokens, temperature, seed)[0].text

    @torch.inference_mode()
    def answer(
        self,
        prompts: Sequence[list[Message]],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        batch_size: int = 16,
        *,
        tools: Sequence[Tools | None] = (),
    ) -> list[Answer]:
        """The answers to `prompts`, in order; an answer depends on its prompt, the settings and its position.

        `tools`: those that each prompt shows, none for all where it is empty.

        A prompt that fills the context has the empty answer. UsageError if the chat template refuses one.
        """
        batch = Batch(self.model, batch_size)
        sampling = Sampling(temperature=temperature)
        rows = [
            self._row(prompt, max_tokens, sampling, f"{seed} {n}", tools[n] if tools else None)
            for n, prompt in enumerate(prompts)
        ]
        batch.waiting.extend(row for row in rows if row.most_tokens > 0)
        while not batch.is_idle:
            batch.step()
        return [_answer(row) for row in rows]

    @torch.inference_mode()
    def stream(
        self, messages: list[Message], max_tokens: int, temperature: float = 0.0, top_p: float = 1.0, seed: int = 0
    ) -> Generator[str, None, Answer]:
        """The answer in pieces of whole characters, and at the end the whole answer (the generator's return value).

        It equals what `answer` returns for the same messages alone.
        """
        batch = Batch(self.model, 1)
        row = self._row(messages, max_tokens, Sampling(temperature=temperature, top_p=top_p), f"{seed} 0")
        batch.waiting.extend([row] if row.most_tokens > 0 else [])
        shown = 0
        while not batch.is_idle:
            batch.step()
            text = row.answer()[0]
            whole = text if row.finish_reason else text.rstrip(HALF)
            if len(whole) > shown:
                yield whole[shown:]
                shown = len(whole)
        return _answer(row)

    def prompt(self, messages: Sequence[Message], tools: Tools | None = None) -> list[int]:
        """The tokens that the model reads before it answers. UsageError if the chat template refuses `messages`."""
        more = {"tools": tools} if tools else {}
        try:
            fit = fitting(self.tokenizer, messages)
            found = self.tokenizer.apply_chat_template(fit, add_generation_prompt=True, return_dict=True, **more)
        except TemplateError as error:
            raise UsageError(f"{self.name}: its chat template rejects this conversation: {error}") from None
        return list(found["input_ids"])

    def _row(
        self, messages: Sequence[Message], max_tokens: int, sampling: Sampling, seed: str, tools: Tools | None = None
    ) -> Row:
        ids = self.prompt(messages, tools)
        room = self.context - len(ids) if self.context else max_tokens
        return Row(ids, sampling, min(max_tokens, room), self.ends, self._text, random.Random(seed))

    def _text(self, tokens: list[int]) -> str:
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _answer(row: Row) -> Answer:
    return Answer(row.answer()[0], len(row.said), row.finish_reason == "stop")


def open_model(name: str) -> tuple[Any, Any]:
    """Tokenizer and model of a student, an adapter on its base. UsageError, with what is missing, if there is none."""
    folder = Path(name)
    if folder.exists() and not is_gguf(name):
        check_folder(folder)
        if is_adapter(folder):
            tokenizer, adapted = with_adapter(folder)
            return tokenizer, adapted.get_base_model()  # its layers are the adapted ones
    return load(name)


def check_folder(folder: Path) -> None:
    """UsageError, with what is missing, if `folder` has no student, and is no GGUF file."""
    if is_gguf(str(folder)):
        return check_gguf(str(folder))
    checkpoints = sorted(folder.glob("checkpoints/checkpoint-*"), key=lambda path: path.stat().st_mtime)
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder.")
    if (folder / "run.db").is_file():
        raise UsageError(
            f"{folder} is a run, not a student. To train a student on it: selfinstruct finetune {folder} --out DIR"
        )
    if not any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        other = f" Training has not finished; the latest checkpoint is {checkpoints[-1]}." if checkpoints else ""
        raise UsageError(f"{folder}: no student here (neither config.json nor adapter_config.json found).{other}")
    needed = {
        "weights": ("*.safetensors", "*.bin"),
        "tokenizer": ("tokenizer.json", "tokenizer_config.json", "tokenizer.model"),
    }
    for what, names in needed.items():
        if not any(any(folder.glob(name)) for name in names):
            raise UsageError(f"{folder}: no {what} ({', '.join(names)}). Copy the complete folder that was saved.")


def is_adapter(folder: Path) -> bool:
    """Whether the folder has an adapter, which needs its base model."""
    return (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file()


def with_adapter(folder: Path, as_stored: bool = False) -> tuple[Any, PeftModel]:
    """The adapter's tokenizer, and its base with the adapter attached (`as_stored` as in `load`).

    UsageError if the base is missing, or adapter and base do not match.
    """
    try:
        config = PeftConfig.from_pretrained(str(folder))
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder}: its adapter cannot be read ({error}).") from None
    if config.peft_type != "LORA":
        raise UsageError(f"{folder} is a {config.peft_type} adapter. Only LORA is supported.")
    try:
        _, base = load(str(config.base_model_name_or_path), as_stored)
    except UsageError as error:
        raise UsageError(
            f"{folder} is an adapter of {config.base_model_name_or_path}, which cannot be loaded. Restore it, or "
            f"set base_model_name_or_path in {folder / 'adapter_config.json'}.\n{error}"
        ) from None
    try:
        if size := _vocabulary(folder):
            base.resize_token_embeddings(size, mean_resizing=False)
        return tokenizer, PeftModel.from_pretrained(base, str(folder), config=config)
    except UnpicklingError:
        raise UsageError(f"{folder}: {MORE_THAN_TENSORS}") from None
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"{folder}: does not fit {config.base_model_name_or_path} ({reason}).") from None


def _vocabulary(folder: Path) -> int | None:
    """The vocabulary size of the trained model, if the adapter includes embeddings."""
    path = folder / "adapter_model.safetensors"
    if not path.is_file():
        return None
    with safe_open(path, "pt") as weights:
        for key in weights.keys():  # noqa: SIM118 - it is not a dict
            if key.endswith("weight") and ".lora_" not in key and any(f".{n}." in key for n in EMBEDDING_LAYER_NAMES):
                return int(weights.get_slice(key).get_shape()[0])
    return None


def _check_tokens(name: str, own: Any, tokenizer: Any) -> None:
    """UsageError if a model's tokens differ from those of `tokenizer`, which may have more."""
    if not own.get_vocab().items() <= tokenizer.get_vocab().items():
        raise UsageError(
            f"{name} has no chat template and a different vocabulary from the student's, so it cannot be prompted "
            "in the same way. Pass the model that the student was trained from, or one with a chat template."
        )


def no_template(name: str) -> str:
    """What to do about a student without a chat template."""
    return (
        f"{name} has no chat template, so it is unclear how to prompt it. selfinstruct finetune saves one with "
        f"each student. For a model trained elsewhere, put its template into {Path(name) / 'chat_template.jinja'}."
    )
