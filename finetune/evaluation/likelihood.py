"""How likely a model finds given answers: the held-out loss, without training.

    >>> losses(model, [encode(tokenizer, dialogue)])
    [12.3]

A row's loss is the sum over its trained tokens, so the caller can divide by anything. It does not depend on the other
rows of its batch, except for the last bits of the model's arithmetic. Out of memory: half as many rows at a time.
"""

from collections.abc import Iterator, Sequence

import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from finetune.examples import Example
from selfinstruct.errors import TeacherError

AT_ONCE = 4096  # tokens, padding included; a longer row is alone
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


def _sums(model: PreTrainedModel, examples: Sequence[Example]) -> list[float]:
    """B examples, padded on the right to T tokens; V: size of the vocabulary."""
    width = max(len(example.ids) for example in examples)

    def padded(rows: Sequence[Sequence[int]], value: int) -> torch.Tensor:
        return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows], device=model.device)

    mask = padded([[1] * len(example.ids) for example in examples], 0)
    logits = model(input_ids=padded([example.ids for example in examples], 0), attention_mask=mask).logits
    labels = padded([example.labels for example in examples], IGNORED)[
        :, 1:
    ]  # each is predicted at the position before
    is_trained = labels != IGNORED
    each = cross_entropy(logits[:, :-1][is_trained].float(), labels[is_trained], reduction="none")
    sums = torch.zeros(len(examples), device=each.device).index_add_(0, is_trained.nonzero()[:, 0], each)
    return [float(loss) for loss in sums.tolist()]
