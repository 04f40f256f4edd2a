"""How much memory a training step takes, from the model's config alone: no weights are loaded.

    >>> estimate = measure(config, "lora").memory(tokens=4096)
    >>> estimate.total, estimate.most_tokens(24 * 2**30)

The model is built from torch's meta and fake tensors, which have shapes but no content. These give the weights, and the
activations: forward passes of models with one and with two layers show what autograd keeps for the backward pass. So no
formula is needed for each architecture.

What is counted, in bytes:

- weights; in QLoRA those of linear layers at 4 bits and their scales; under autocast their copies;
- gradients and Adam's two moments of the trained weights, in their type (adapters: float32);
- activations: of all layers, or with gradient checkpointing each layer's input and the activations inside one layer;
- logits. TRL's trainer computes them in tiles, one at a time. Its gradients of the head and of the head's input are in
  float32. Trainers without tiles need `whole_logits` instead: with a vocabulary of 128,000, 1.5 MB per token, often
  more than all layers together.

Not covered: the CUDA context (about 0.5 GB) and fragmentation, for which SPARE is reserved; kernels' workspace; several
GPUs; activations of attention without a fused kernel, which grow with the square of a row's length.
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
SPARE = 0.1  # share of the memory reserved for what is not counted
NF4 = 0.5 + 1 / 64 + 4 / 64 / 256  # bytes per weight: 4 bits, and a scale of 8 bits for each 64 (bitsandbytes' default)
PROBES = (32, 64)  # tokens of the forward passes that are measured
TILE = (4096, 32768)  # tokens and vocabulary entries in one tile of TRL 1.16
FOLDS = 7  # float32 copies of a tile that it makes without Triton: on CPU
WHOLE_LOGITS = 12  # bytes per entry at the peak: the logits, their log_softmax and its gradient


class Memory(NamedTuple):
    """Bytes of a training step over `tokens` tokens, padding included.

    `parameters` and `trained` are counts of weights. `whole_logits` is not part of the total.
    """

    method: Method
    tokens: int
    parameters: int
    trained: int
    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    whole_logits: int

    @property
    def total(self) -> int:
        """The sum."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits

    def most_tokens(self, available: int) -> int:
        """How many tokens a step can have in `available` bytes, keeping SPARE free; 0 if the weights do not fit."""
        free = available * (1 - SPARE) - self.weights - self.gradients - self.optimizer
        a_token = self.activations / self.tokens
        of_tile = self.logits / min(self.tokens, TILE[0])  # which does not grow beyond that
        most = free / (a_token + of_tile)
        return max(0, int(most if most <= TILE[0] else (free - TILE[0] * of_tile) / a_token))

    def fits(self, available: int) -> bool:
        """Whether it fits into `available` bytes, keeping SPARE free."""
        return self.total <= available * (1 - SPARE)

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON values."""
        return {**self._asdict(), "total": self.total}


class Available(NamedTuple):
    """The memory for training: how many bytes are free, and where."""

    bytes: int
    where: str


def available_memory() -> Available:
    """The free memory of the first GPU, or main memory if there is none."""
    if torch.cuda.is_available():
        return Available(torch.cuda.mem_get_info()[0], torch.cuda.get_device_name())
    return Available(psutil.virtual_memory().available, "main memory")


class Kept(NamedTuple):
    """Bytes kept for the backward pass: per token, and independent of the number of tokens."""

    a_token: float
    fixed: float


class Measured(NamedTuple):
    """What `measure` finds in a model: the bytes of a step that do not depend on its tokens, and those per token."""

    method: Method
    parameters: int
    trained: int
    weights: int
    gradients: int
    optimizer: int
    layers: int
    stream: int  # bytes of a layer's input
    layer: Kept
    outside: Kept
    in_float32: int
    vocabulary: int
    a_tile: int  # bytes per token of the logits

    def memory(self, tokens: int, gradient_checkpointing: bool = True) -> Memory:
        """The memory for a step over `tokens` tokens."""
        in_layers = self.layers * self.layer.a_token
        if gradient_checkpointing:
            in_layers = self.layers * self.stream + self.layer.a_token
        return Memory(
            self.method, tokens, self.parameters, self.trained, self.weights, self.gradients, self.optimizer,
            activations=round(tokens * (in_layers + max(self.outside.a_token, 0) + self.in_float32)),
            logits=min(tokens, TILE[0]) * self.a_tile,
            whole_logits=tokens * self.vocabulary * WHOLE_LOGITS,
        )  # fmt: skip


def measure(
    config: Any,
    method: Method,
    *,
    dtype: torch.dtype = torch.bfloat16,
    compute: torch.dtype | None = None,
    lora_rank: int = 16,
    lora_targets: Sequence[str] | None = None,
    vocabulary: int | None = None,
) -> Measured:
    """What a training step with Adam takes, independent of its number of tokens, for the model of `config`.

    Weights are in `dtype`, activations in `compute` if autocast uses another type. An adapter has `lora_rank`, on the
    linear layers whose last name is in `lora_targets` (default: all but the head). `vocabulary`: the number of rows of
    the embeddings, if not the config's. UsageError if the model cannot be built.
    """
    compute = compute or dtype
    config = copy.deepcopy(config)
    text_config = config.get_text_config()
    text_config.vocab_size = vocabulary or text_config.vocab_size
    with torch.device("meta"):
        model = _made(config, dtype)
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
    vocab, hidden = text_config.vocab_size, text_config.hidden_size
    held = dtype if method == "full" else compute
    one, two = (_kept(_layers(config, n), held, compute) for n in (1, 2))
    layer = Kept(two.a_token - one.a_token, two.fixed - one.fixed)
    outside = Kept(one.a_token - layer.a_token, one.fixed - layer.fixed)
    layers = text_config.num_hidden_layers
    in_float32 = hidden * torch.float32.itemsize
    folded = 0 if torch.cuda.is_available() else FOLDS * torch.float32.itemsize * min(vocab, TILE[1])
    return Measured(
        method, parameters, trained,
        weights=weights + round(max(layers * layer.fixed + outside.fixed, 0)),
        gradients=trained * size + (vocab * in_float32 if method == "full" else 0),
        optimizer=2 * trained * size,
        layers=layers, stream=hidden * held.itemsize, layer=layer, outside=outside, in_float32=in_float32,
        vocabulary=vocab, a_tile=TILE[1] * compute.itemsize + folded,
    )  # fmt: skip


def _made(config: Any, dtype: torch.dtype) -> Any:
    auto: Any = AutoModelForCausalLM
    try:
        return auto.from_config(config, dtype=dtype)
    except (ValueError, ImportError) as error:
        raise UsageError(f"The model cannot be created from its config ({str(error).splitlines()[0]}).") from None


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


def _kept(config: Any, dtype: torch.dtype, compute: torch.dtype) -> Kept:
    """What a model without a head keeps, without its weights."""
    few, many = (_kept_of(config, dtype, compute, tokens) for tokens in PROBES)
    a_token = (many - few) / (PROBES[1] - PROBES[0])
    return Kept(a_token, few - a_token * PROBES[0])


def _kept_of(config: Any, dtype: torch.dtype, compute: torch.dtype, tokens: int) -> int:
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage
        return tensor

    with FakeTensorMode():
        model = _made(config, dtype).base_model
        model.train()
        with (
            torch.autocast("cpu", compute, enabled=compute != dtype),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        ):
            model(input_ids=torch.zeros(1, tokens, dtype=torch.long), use_cache=False)
        weights = {weight.untyped_storage()._cdata for weight in model.parameters()}
    return sum(storage.nbytes() for at, storage in kept.items() if at not in weights)
