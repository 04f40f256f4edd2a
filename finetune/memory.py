"""How much memory a training step takes, from the model's config alone: no weights are loaded.

    >>> estimate = estimate_memory(config, "lora", tokens=4096)
    >>> estimate.total, estimate.most_tokens(24 * 2**30)

The model is made on torch's meta device, where tensors have shapes and no content. Weights are counted there, and so
are activations: a forward pass of models of one and of two layers, in which autograd is asked what it keeps for the
backward pass. So it holds for every architecture that transformers knows, and without a formula for each.

What is counted, in bytes:

- weights; in QLoRA those of linear layers at 4 bits and their scales;
- gradients and Adam's two moments, of what is trained, in its own type (adapters: float32);
- activations: all layers', or with gradient checkpointing each layer's input and one layer's inside;
- logits: as the model gives them, as float32, and their gradient: tokens x vocabulary x (2 + 4 + 4) in bfloat16. With a
  vocabulary of 128,000 that is 1.3 MB a token, often more than all layers together.

Not covered: the CUDA context (about 0.5 GB) and fragmentation, for which SPARE is left; kernels' work space; several
GPUs; mixtures of experts, whose layers do not run on the meta device.
"""

import copy
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import psutil
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM

from selfinstruct.errors import UsageError

Method = Literal["full", "lora", "qlora"]
SPARE = 0.1  # share of the memory that is left for what is not counted
NF4 = (
    0.5 + 1 / 64 + 4 / 64 / 256
)  # bytes a weight: 4 bits, and for 64 of them a scale of 8 bits (bitsandbytes' default)
PROBE = 64  # tokens of the forward pass that is measured


class Memory(NamedTuple):
    """Bytes of a training step over `tokens` tokens, padding included. `trained` and `parameters` are counts."""

    method: Method
    tokens: int
    parameters: int
    trained: int
    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits

    def most_tokens(self, available: int) -> int:
        """How many tokens one step can have in `available` bytes, SPARE left out; 0 where the weights do not fit."""
        fixed = self.weights + self.gradients + self.optimizer
        a_token = (self.activations + self.logits) / self.tokens
        return max(0, int((available * (1 - SPARE) - fixed) / a_token))

    def fits(self, available: int) -> bool:
        """Whether it fits into `available` bytes, with SPARE to spare."""
        return self.total <= available * (1 - SPARE)

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {**self._asdict(), "total": self.total}


class Available(NamedTuple):
    """The memory that training has: how many bytes are free, and where."""

    bytes: int
    where: str


def available_memory() -> Available:
    """What is free on the first GPU, or in main memory where there is none."""
    if torch.cuda.is_available():
        return Available(torch.cuda.mem_get_info()[0], torch.cuda.get_device_name())
    return Available(psutil.virtual_memory().available, "main memory")


def estimate_memory(
    config: Any,
    method: Method,
    *,
    tokens: int,
    dtype: torch.dtype = torch.bfloat16,
    compute: torch.dtype | None = None,
    gradient_checkpointing: bool = True,
    lora_rank: int = 16,
    lora_targets: Sequence[str] | None = None,
    vocabulary: int | None = None,
) -> Memory:
    """What a step over `tokens` tokens takes with Adam; `config` is the model's.

    Weights are held in `dtype`, and activations in `compute`, where autocast makes that another one. An adapter has
    `lora_rank`, on the linear layers whose last name is in `lora_targets` (without: all but the head). `vocabulary` is
    how many rows the embeddings are to have, where that is not the config's. UsageError where the model cannot be made.
    """
    compute = compute or dtype
    config = copy.deepcopy(config)
    text_config = config.get_text_config()
    text_config.vocab_size = vocabulary or text_config.vocab_size
    model = _on_meta(config, dtype)
    parameters = sum(weight.numel() for weight in model.parameters())
    linear = _linear_layers(model)
    in_adapter = sum(
        lora_rank * (layer.in_features + layer.out_features)
        for name, layer in linear.items()
        if lora_targets is None or name.rpartition(".")[2] in lora_targets
    )
    in_linear = sum(layer.weight.numel() for layer in linear.values())
    trained = parameters if method == "full" else in_adapter
    size = dtype.itemsize if method == "full" else torch.float32.itemsize
    weights = parameters * dtype.itemsize + (0 if method == "full" else in_adapter * size)
    if method == "qlora":
        weights -= round(in_linear * (dtype.itemsize - NF4))
    one, two = (_kept(_layers(config, n), compute) for n in (1, 2))
    layer, outside = two - one, 2 * one - two
    layers = text_config.num_hidden_layers
    hidden = text_config.hidden_size * compute.itemsize
    activations = layers * hidden + layer if gradient_checkpointing else layers * layer
    return Memory(
        method, tokens, parameters, trained, weights,
        gradients=trained * size, optimizer=2 * trained * size,
        activations=round(tokens * (activations + max(outside, 0))),
        logits=tokens * text_config.vocab_size * (compute.itemsize + 2 * torch.float32.itemsize),
    )  # fmt: skip


def _on_meta(config: Any, dtype: torch.dtype) -> Any:
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config, dtype=dtype)
    except (ValueError, ImportError) as error:
        raise UsageError(f"The model cannot be made from its config ({str(error).splitlines()[0]}).") from None


def _linear_layers(model: Any) -> dict[str, torch.nn.Linear]:
    head = model.get_output_embeddings()
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    }


def _layers(config: Any, n: int) -> Any:
    fewer = copy.deepcopy(config)
    of_text = fewer.get_text_config()
    of_text.num_hidden_layers = n
    if getattr(of_text, "layer_types", None):
        of_text.layer_types = of_text.layer_types[:n]
    return fewer


def _kept(config: Any, compute: torch.dtype) -> float:
    """Bytes a token that a model without a head keeps for the backward pass, weights left out."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        alive.append(storage)  # so that no other one takes its place
        return tensor

    alive: list[torch.UntypedStorage] = []
    with FakeTensorMode():
        model = AutoModelForCausalLM.from_config(config, dtype=compute).base_model
        model.train()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model(input_ids=torch.zeros(1, PROBE, dtype=torch.long), use_cache=False)
        weights = {weight.untyped_storage()._cdata for weight in model.parameters()}
    return sum(size for storage, size in kept.items() if storage not in weights) / PROBE
