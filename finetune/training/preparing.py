"""From settings to the trainer's input: tokenizer and rows, with every default filled in; no weights are loaded."""

import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import PartialState
from peft import LoraConfig
from transformers import AutoConfig, AutoTokenizer

from finetune.data.dialogues import Split, read_dialogues, split
from finetune.data.encoding import Encoded, encode_all
from finetune.data.memory import Measured, Memory, available_memory, measure
from finetune.data.preflight import Preflight, preflight
from finetune.data.templates import prepare_tokenizer, without_reasoning, worded
from finetune.examples import Dialogue, Message, thought_of
from finetune.inference.gguf import folder_of
from finetune.inference.sampling import check_model
from finetune.training import defaults
from finetune.training.settings import FinetuneSettings, Method, Precision
from finetune.training.weights import check_qlora, lora_config
from selfinstruct.errors import UsageError
from selfinstruct.records import user_message
from selfinstruct.store.store import Store


class Prepared(NamedTuple):
    """Settings, complete except for the batches, the rows, and the report on them.

    `n_known`: the number of tokens that came with the tokenizer; it may have more now.
    """

    settings: FinetuneSettings
    tokenizer: Any
    n_known: int
    train: Encoded
    held_out: Encoded
    report: Preflight


def prepare(settings: FinetuneSettings) -> Prepared:
    """Read, split and encode the data, and fill in the defaults that depend on it, except the batches.

    UsageError if the model or the data cannot be used.
    """
    if not settings.model:
        raise UsageError("No model to train. Set model (--model) to a folder or a name on the hub.")
    if not settings.data:
        raise UsageError("No training data. Pass a run's folder, a file or a name on the hub.")
    if settings.method == "qlora":
        check_qlora()
    notes: list[str] = []
    parts = _dialogues(settings, notes)  # first: a file is read before a model is downloaded
    tokenizer, config = _load(settings.model)
    n_known = len(tokenizer)
    known = getattr(config.get_text_config(), "vocab_size", None)
    if known is None:
        raise UsageError(
            f"{settings.model} is not a language model, but {config.model_type}. Choose another model (--model)."
        )
    template, added = prepare_tokenizer(tokenizer, settings.template, known)
    vocabulary = max(len(tokenizer), known) if added else known
    settings = settings.model_copy(update={"template": template})
    n_thoughts = sum(bool(thought_of(one)) for part in parts for dialogue in part for one in dialogue.messages)
    change = without_reasoning if settings.reasoning == "drop" else lambda dialogue: dialogue
    train, held_out = ([change(worded(dialogue, template)) for dialogue in part] for part in parts)

    here = defaults.machine(getattr(config.get_text_config(), "hidden_size", None) or 0)
    available = available_memory()
    free = available.bytes * (processes() if is_sharded() else 1)

    def adapters(method: Method, model: Any) -> LoraConfig | None:
        return lora_config(settings.model_copy(update={"method": method}), model, tokenizer, n_known)

    estimate = _estimates(config, settings, vocabulary, here, adapters)
    full = settings.model_copy(update={"method": "full"})
    settings = defaults.with_method(settings, here, lambda: estimate(full, True).fits(free))
    found = [encode_all(tokenizer, part, reasoning=settings.reasoning) for part in (train, held_out)]
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    settings = defaults.with_length(settings, [n for part in found for n in part.lengths], context)
    limit = settings.max_length or 0  # with_length has set it
    if max(n for part in found for n in part.lengths) > limit:
        cut = (limit, settings.overlong, settings.reasoning)
        found = [encode_all(tokenizer, part, *cut) for part in (train, held_out)]
    settings = defaults.with_memory(settings, here, lambda checked: estimate(settings, checked).most_tokens(free))
    assert settings.micro_batch
    memory = estimate(settings, bool(settings.activation_checkpointing), settings.micro_batch)
    report = preflight(
        tokenizer, found[0], vocabulary=vocabulary, added_tokens=added, memory=memory,
        available=available._replace(bytes=free), held_out=found[1],
        notes=[*_about_reasoning(settings, n_thoughts, found[0].unshown), *dict.fromkeys(notes)],
    )  # fmt: skip
    return Prepared(settings, tokenizer, n_known, found[0], found[1], report)


def is_sharded() -> bool:
    """Whether accelerate spreads the model over all processes (FSDP), so that their memories add up."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false") == "true"


def this_process() -> PartialState:
    """This process among those that train together, each on its own GPU, or on CPUs if there is none."""
    return PartialState(cpu=not torch.accelerator.is_available())


def processes() -> int:
    """The number of processes that train together."""
    return int(this_process().num_processes)


def _load(name: str) -> tuple[Any, Any]:
    """Tokenizer and config of the model `name`; UsageError if there are none."""
    check_model(name)
    try:
        with this_process().local_main_process_first():  # or each would convert a GGUF file
            folder = folder_of(name)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        return tokenizer, AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"{name}: transformers finds no model there ({reason}). Set model (--model) to a folder with config, "
            "weights and tokenizer, or a name on the hub."
        ) from None


def _estimates(
    config: Any,
    settings: FinetuneSettings,
    vocabulary: int,
    here: defaults.Machine,
    adapters: Callable[[Method, Any], LoraConfig | None],
) -> Callable[..., Memory]:
    """The memory by settings, checkpointing and rows at a time; a model is measured once, as it takes a second."""

    @cache
    def measured(method: Method, precision: Precision) -> Measured:
        return measure(
            config, method, dtype=torch.bfloat16 if precision == "bfloat16" else torch.float32,
            compute=torch.float32 if precision == "float32" else torch.bfloat16,
            adapters=partial(adapters, method), vocabulary=vocabulary,
        )  # fmt: skip

    def estimate(settings: FinetuneSettings, checkpointing: bool, n_rows: int = 1) -> Memory:
        assert settings.method
        precision = settings.precision or defaults.usual_precision(settings.method, here)
        tokens = n_rows * (settings.max_length or defaults.PACKED_LENGTH)
        return measured(settings.method, precision).memory(tokens, checkpointing)

    return estimate


def _about_reasoning(settings: FinetuneSettings, n_thoughts: int, unshown: int) -> list[str]:
    """What becomes of the reasoning in the data."""
    if not n_thoughts:
        return []
    becomes = {
        "train": "it is trained on", "mask": "it is read, but not trained on", "drop": "it is dropped from the rows",
    }[settings.reasoning]  # fmt: skip
    said = [f'{n_thoughts:,} answers have reasoning; {becomes} (reasoning = "{settings.reasoning}")']
    if unshown:
        said.append(f"  in {unshown:,} of them the chat template leaves it out")
    return said


def _dialogues(settings: FinetuneSettings, notes: list[str]) -> Split:
    """All data, and what is held out of it; `notes` gets what is not used."""
    found: list[Dialogue] = []
    for source in settings.data:
        found += read_dialogues(source.path, source.weight, settings.seed, notes)
    if settings.seeds:
        runs = [Path(source.path) for source in settings.data if (Path(source.path) / "run.db").exists()]
        if not runs:
            raise UsageError(
                "seeds (--seeds) adds the seed tasks of runs, but no run is among the data. Add their file to "
                "the data instead."
            )
        found += [dialogue for run in runs for dialogue in _seeds(run)]
    return split(found, settings.eval_share, settings.seed)


def _seeds(run: Path) -> list[Dialogue]:
    """The seed tasks of a run."""
    with Store.read(run) as store:
        return [
            Dialogue(
                [
                    Message(role="user", content=user_message(seed.instruction, instance.input)),
                    Message(role="assistant", content=instance.output),
                ],
                f"{run}, seed {seed.id}", f"{run}, seed {seed.id}", seed.instruction, instance.input,
            )
            for seed in store.seeds() for instance in seed.instances
        ]  # fmt: skip
