"""How likely a model finds given answers: the held-out loss, without training.

    >>> losses(model, [encode(tokenizer, dialogue)])
    [12.3]

A row's loss is the sum over its trained tokens, so the caller can divide by anything. It does not depend on the other
rows of its batch, except for the last bits of the model's arithmetic. Out of memory: half as many rows at a time.
"""

import inspect
from collections.abc import Iterator, Sequence
from itertools import takewhile

import torch
from torch.nn.functional import cross_entropy, pad
from transformers import DynamicCache, PreTrainedModel

from finetune.examples import Example
from selfinstruct.errors import TeacherError

AT_ONCE = 4096  # tokens, padding included; a longer row is alone
SHARED = 4 * AT_ONCE  # tokens of a prompt that is kept for several answers, once for each: keys and values only
IGNORED = -100


@torch.inference_mode()
def losses(model: PreTrainedModel, examples: Sequence[Example]) -> list[float]:
    """For each example, the summed negative log-likelihood of its trained tokens, in nats.

    TeacherError if there is not enough memory for a single example.
    """
    found = [0.0] * len(examples)
    for places in _batches(examples):
        for place, loss in zip(places, _halving(model, [examples[place] for place in places]), strict=True):
            found[place] = loss
    return found


@torch.inference_mode()
def losses_of_answers(model: PreTrainedModel, examples: Sequence[Example]) -> list[float]:
    """The `losses` of several answers to one prompt, which is read once.

    TeacherError as there.
    """
    shared = _shared(examples)
    if len(examples) > 1 and shared > 0 and shared * len(examples) <= SHARED:
        try:
            cache = DynamicCache()  # without the config, as in decoding: sliding windows are kept in full
            prompt = torch.tensor([examples[0].ids[:shared]], device=model.device)
            model(input_ids=prompt, past_key_values=cache, use_cache=True, **_last(model, 1))
            cache.batch_repeat_interleave(len(examples))
            return _sums(model, [Example(one.ids[shared:], one.labels[shared:]) for one in examples], cache)
        except torch.OutOfMemoryError:
            pass  # what the failed step allocated is freed with its traceback, when this block is left
    return losses(model, examples)


def _shared(examples: Sequence[Example]) -> int:
    """How many tokens all have in common, without the one at which the first trained token is predicted."""
    same = sum(1 for _ in takewhile(lambda ids: len(set(ids)) == 1, zip(*(one.ids for one in examples), strict=False)))
    return min([same, *(_first(one.labels) for one in examples)]) - 1


def _first(labels: Sequence[int]) -> int:
    """The position of the first trained token."""
    return next((place for place, label in enumerate(labels) if label != IGNORED), len(labels))


def _batches(examples: Sequence[Example]) -> Iterator[list[int]]:
    """Positions in `examples`, grouped by similar length."""
    batch: list[int] = []
    for place in sorted(range(len(examples)), key=lambda place: len(examples[place].ids)):
        if batch and (len(batch) + 1) * len(examples[place].ids) > AT_ONCE:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _halving(model: PreTrainedModel, examples: Sequence[Example]) -> list[float]:
    try:
        return _sums(model, examples)
    except torch.OutOfMemoryError:
        pass  # what the failed step allocated is freed with its traceback, when this block is left
    torch.cuda.empty_cache()
    if len(examples) == 1:
        raise TeacherError(
            f"Not enough memory for the loss of one row of {len(examples[0].ids)} tokens. Remove the longest "
            "rows, or use a machine with more memory."
        )
    middle = len(examples) // 2
    return _halving(model, examples[:middle]) + _halving(model, examples[middle:])


def _sums(model: PreTrainedModel, examples: Sequence[Example], cache: DynamicCache | None = None) -> list[float]:
    """B examples, padded on the right to T tokens, which follow those in `cache`; V: size of the vocabulary."""
    width = max(len(example.ids) for example in examples)

    def padded(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
        return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows], device=model.device)

    known = cache.get_seq_length() if cache else 0
    mask = padded([[1] * len(example.ids) for example in examples], 0)
    mask = pad(mask, (known, 0), value=1)
    given = {"past_key_values": cache, "use_cache": True} if cache else {}
    # Logits only from where they count: V may be larger than all else.
    kept = width - max(0, min(_first(example.labels) for example in examples) - 1)
    ids = padded([example.ids for example in examples], 0)
    logits = model(input_ids=ids, attention_mask=mask, **given, **_last(model, kept)).logits
    labels = padded([example.labels for example in examples], IGNORED)[:, 1:]  # each is predicted at the one before
    labels = labels[:, labels.shape[1] - (logits.shape[1] - 1) :]
    is_trained = labels != IGNORED
    each = cross_entropy(logits[:, :-1][is_trained].float(), labels[is_trained], reduction="none")
    sums = torch.zeros(len(examples), device=each.device).index_add_(0, is_trained.nonzero()[:, 0], each)
    return [float(loss) for loss in sums.tolist()]


def _last(model: PreTrainedModel, n: int) -> dict[str, int]:
    """The argument with which a model gives logits for the last `n` positions only, if it has one."""
    return {"logits_to_keep": n} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}
