"""How much memory a training step takes, from the model's config alone: no weights are loaded.

    >>> estimate = measure(config, "lora").memory(tokens=4096)
    >>> estimate.total, estimate.most_tokens(24 * 2**30)

The model is built from torch's meta and fake tensors, which have shapes but no content. These give the weights, and the
activations: forward passes of models with one and with two layers show what autograd keeps for the backward pass.
Adapters are put into it as in training. So no formula is needed for an architecture, or for settings of adapters.

What is counted, in bytes:

- weights; in QLoRA those of linear layers at 4 bits and their scales; under autocast their copies;
- gradients and Adam's two moments of the trained weights, in their type (adapters: float32, in QLoRA bfloat16), also of
  embeddings and heads that are trained with adapters;
- activations: of all layers, or with gradient checkpointing each layer's input and the activations inside one layer;
- logits. TRL's trainer computes them in tiles, one at a time. Its gradients of the head and of the head's input are in
  float32. Trainers without tiles need `whole_logits` instead: with a vocabulary of 128,000, 1.5 MB per token, often
  more than all layers together.

Not covered: the CUDA context (about 0.5 GB) and fragmentation, for which SPARE is reserved; kernels' workspace; several
GPUs; activations of attention without a fused kernel, which grow with the square of a row's length.
"""

import copy
import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import chain
from typing import Any, Literal, NamedTuple

import psutil
import torch
from peft import LoraConfig, get_peft_model
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


def all_linear(_: Any) -> LoraConfig:
    """Adapters of rank 16 on all linear layers but the head."""
    return LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM")


def measure(
    config: Any,
    method: Method,
    *,
    dtype: torch.dtype = torch.bfloat16,
    compute: torch.dtype | None = None,
    adapters: Callable[[Any], LoraConfig | None] = all_linear,
    vocabulary: int | None = None,
) -> Measured:
    """What a training step with Adam takes, independent of its number of tokens, for the model of `config`.

    Weights are in `dtype`, activations in `compute` if autocast uses another type. `adapters`: those of a model, unless
    all weights are trained. `vocabulary`: the number of rows of the embeddings, if not the config's. UsageError if the
    model cannot be built, or cannot have the adapters.
    """
    compute = compute or dtype
    config = copy.deepcopy(config)
    text_config = config.get_text_config()
    text_config.vocab_size = vocabulary or text_config.vocab_size
    with torch.device("meta"):
        model = _made(config, dtype)
        parameters = sum(weight.numel() for weight in model.parameters())
        in_linear = _in_linear_layers(model)
        lora = None if method == "full" else adapters(model)
        if lora:
            try:
                _inject(lora, model)
            except ValueError as error:
                raise UsageError(f"lora.targets = {_names(lora.target_modules)}: {error}") from None
    of_training = [weight for weight in model.parameters() if weight.requires_grad]
    trained = sum(weight.numel() for weight in of_training)
    # TRL converts the trained weights of a quantised model.
    in_trained = (
        trained * torch.bfloat16.itemsize if method == "qlora" else sum(weight.nbytes for weight in of_training)
    )
    weights = sum(weight.nbytes for weight in model.parameters() if not weight.requires_grad) + in_trained
    if method == "qlora":
        weights -= round(in_linear * (dtype.itemsize - NF4))
    vocab, hidden = text_config.vocab_size, text_config.hidden_size
    held = compute if method == "qlora" else dtype
    one, two = (_kept(_layers(config, n), held, compute, lora) for n in (1, 2))
    layer = Kept(two.a_token - one.a_token, two.fixed - one.fixed)
    outside = Kept(one.a_token - layer.a_token, one.fixed - layer.fixed)
    layers = text_config.num_hidden_layers
    in_float32 = hidden * torch.float32.itemsize
    folded = 0 if torch.cuda.is_available() else FOLDS * torch.float32.itemsize * min(vocab, TILE[1])
    trains_head = any(weight.requires_grad for weight in model.get_output_embeddings().parameters())
    return Measured(
        method, parameters, trained,
        weights=weights + round(max(layers * layer.fixed + outside.fixed, 0)),
        gradients=in_trained + (vocab * in_float32 if trains_head else 0),
        optimizer=2 * in_trained,
        layers=layers, stream=hidden * held.itemsize, layer=layer, outside=outside, in_float32=in_float32,
        vocabulary=vocab, a_tile=TILE[1] * compute.itemsize + folded,
    )  # fmt: skip


def _made(config: Any, dtype: torch.dtype) -> Any:
    auto: Any = AutoModelForCausalLM
    try:
        return auto.from_config(config, dtype=dtype)
    except (ValueError, ImportError) as error:
        raise UsageError(f"The model cannot be created from its config ({str(error).splitlines()[0]}).") from None


def _in_linear_layers(model: Any) -> int:
    """The weights of all linear layers but the head."""
    head = model.get_output_embeddings()
    return sum(
        module.weight.numel()
        for module in model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    )


def _inject(lora: LoraConfig, model: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of peft's own call
        get_peft_model(model, copy.deepcopy(lora))  # it writes into the config which layers it found


def _names(targets: Any) -> Any:
    return targets if isinstance(targets, str) else sorted(targets or ())


def _layers(config: Any, n: int) -> Any:
    fewer = copy.deepcopy(config)
    of_text = fewer.get_text_config()
    of_text.num_hidden_layers = n
    if getattr(of_text, "layer_types", None):
        of_text.layer_types = of_text.layer_types[:n]
    return fewer


def _kept(config: Any, dtype: torch.dtype, compute: torch.dtype, lora: LoraConfig | None) -> Kept:
    """What a model without a head keeps, without its weights."""
    few, many = (_kept_of(config, dtype, compute, lora, tokens) for tokens in PROBES)
    a_token = (many - few) / (PROBES[1] - PROBES[0])
    return Kept(a_token, few - a_token * PROBES[0])


def _kept_of(config: Any, dtype: torch.dtype, compute: torch.dtype, lora: LoraConfig | None, tokens: int) -> int:
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage
        return tensor

    with torch.device("meta"):
        whole = _made(config, dtype)
        if lora:
            with suppress(ValueError):  # the first layers may have none that is to get an adapter
                _inject(lora, whole)
    model = whole.base_model
    model.train()
    with FakeTensorMode():  # tensors of a device, as autocast converts none of those on meta
        values = {
            name: torch.empty(value.shape, dtype=value.dtype, requires_grad=value.requires_grad)
            for name, value in chain(model.named_parameters(), model.named_buffers())
        }
        with (
            torch.autocast("cpu", compute, enabled=compute != torch.float32),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        ):
            ids = torch.zeros(1, tokens, dtype=torch.long)
            torch.func.functional_call(model, values, kwargs={"input_ids": ids, "use_cache": False})
        weights = {value.untyped_storage()._cdata for value in values.values()}
    return sum(storage.nbytes() for at, storage in kept.items() if at not in weights)
