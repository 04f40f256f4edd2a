"""Continuous batching: many answers at a time, one token per step; rows join and leave between two tokens.

A row waits until there is room, reads its prompt together with others of similar length, and then joins the batch of
all running rows. When its answer ends, its slot, keys and values are freed immediately, so a long answer delays no
other. Rows are padded on the left; padding that no row needs any more is cut off.

Each row draws one random number per token, from its own generator, and takes the token at which the cumulative
distribution (in the order of the vocabulary) passes it. So an answer depends on its prompt, its settings and its seed,
and on other rows only through the model's arithmetic: the shape of the batch changes the last bits of a row's logits,
and so the token if the random number falls right at a boundary.

Out of memory: all rows go back to waiting, and half as many continue from where they were; their texts are the same.

Shapes: B rows, T columns (padding, prompt and answer), V tokens of the vocabulary.
"""

import inspect
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch.nn.functional import pad
from transformers import DynamicCache, PreTrainedModel

from finetune.inference.sampling import Sampling
from selfinstruct.errors import TeacherError

PREFILL_TOKENS = 8192  # maximum prompt tokens, padding included, of one prefill (a longer prompt is alone)


@dataclass(eq=False)
class Row:
    """An answer in progress: `said` are its tokens so far, including the one that ended it.

    `most_tokens` is at least 1; tokens in `ends` end the answer. `finish_reason` is "" until then, later "stop" or
    "length". `logprobs` has one natural logarithm per generated token, if the sampling settings request them.
    """

    prompt: list[int]
    sampling: Sampling
    most_tokens: int
    ends: frozenset[int]
    decode: Callable[[list[int]], str]
    rng: random.Random
    said: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: str = ""

    def __post_init__(self) -> None:
        # Drawn ahead, so that a token that has to be chosen again (out of memory) is the same.
        self.drawn = self.rng.random()
        # Number of last tokens that can contain a stop text: a token has at least one byte, but a few may have none.
        self._tail = max((len(stop.encode()) for stop in self.sampling.stop), default=0) + 4

    def say(self, token: int, logprob: float | None) -> None:
        """Append the next token, and check whether it ends the answer."""
        self.said.append(token)
        if logprob is not None:
            self.logprobs.append(logprob)
        self.drawn = self.rng.random()
        if token in self.ends or self._cut(self.decode(self.said[-self._tail :]) if self.sampling.stop else "")[1]:
            self.finish_reason = "stop"
        elif len(self.said) >= self.most_tokens:
            self.finish_reason = "length"

    def length(self) -> int:
        """The number of tokens to prefill."""
        return len(self.prompt) + len(self.said)

    def answer(self) -> tuple[str, list[int]]:
        """The text up to the first stop text, and its tokens."""
        tokens = self.said[:-1] if self.said and self.said[-1] in self.ends else self.said
        text, was_cut = self._cut(self.decode(tokens))
        while was_cut and tokens and len(self.decode(tokens[:-1])) >= len(text):
            tokens = tokens[:-1]
        return text, tokens

    def _cut(self, text: str) -> tuple[str, bool]:
        places = [place for stop in self.sampling.stop if (place := text.find(stop)) >= 0]
        return (text[: min(places)], True) if places else (text, False)


class Batch:
    """The running rows on `model`, at most `limit`, and those that wait for a slot.

    Call `step` until `is_idle`, under torch.inference_mode.
    """

    def __init__(self, model: PreTrainedModel, limit: int):
        self.limit = limit
        self.waiting: deque[Row] = deque()
        self._model = model
        self._group: _Group | None = None
        self._reading: list[Row] = []  # rows that have left `waiting` but are not in the group yet

    @property
    def is_idle(self) -> bool:
        """Whether no row is running or waiting."""
        return not self.waiting and not self._group

    def step(self) -> list[Row]:
        """Let waiting rows join, or generate one token for every row; return the rows whose answers ended.

        Raises TeacherError if there is not enough memory for a single row.
        """
        try:
            self._step()
            ended = [row for row in self._rows() if row.finish_reason]
            self.drop(ended)
            return ended
        except torch.OutOfMemoryError:
            pass  # what the failed step allocated is freed with its traceback, when this block is left
        rows = [*self._rows(), *self._reading]
        self._halve(rows)
        return [row for row in rows if row.finish_reason]

    def drop(self, rows: Sequence[Row]) -> None:
        """Drop rows that are no longer needed."""
        self.waiting = deque(row for row in self.waiting if row not in rows)
        if self._group:
            left = [i for i, row in enumerate(self._group.rows) if row not in rows]
            if len(left) < len(self._group.rows):
                self._group = self._group.kept(left) if left else None

    def _rows(self) -> list[Row]:
        return self._group.rows if self._group else []

    def _step(self) -> None:
        if self.waiting and len(self._rows()) < self.limit:
            self._reading = self._next_to_read()
            joined = _Group.read(self._model, self._reading)
            self._group = self._group.merged(joined) if self._group else joined
            self._reading = []
        elif self._group:
            self._group.go_on(self._model)

    def _next_to_read(self) -> list[Row]:
        """Of the rows that have waited longest, as many as there is room for, the shortest ones: little padding."""
        room = self.limit - len(self._rows())
        first = sorted([self.waiting.popleft() for _ in range(min(room, len(self.waiting)))], key=Row.length)
        n = 1
        while n < len(first) and (n + 1) * first[n].length() <= PREFILL_TOKENS:
            n += 1
        self.waiting.extendleft(reversed(first[n:]))
        return first[:n]

    def _halve(self, rows: list[Row]) -> None:
        """Restart with half as many running rows."""
        self._group, self._reading = None, []
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(rows) == 1:
            raise TeacherError(
                f"Not enough memory for a single answer: {len(rows[0].prompt)} prompt tokens and up to "
                f"{rows[0].most_tokens} answer tokens. Lower max_tokens in the stage's sampling, or use a smaller "
                "model."
            )
        self.limit = len(rows) // 2
        self.waiting.extendleft(reversed([row for row in rows if not row.finish_reason]))


class _Settings(NamedTuple):
    """The rows' sampling settings as columns (B, 1), and which of them any row uses."""

    temperature: torch.Tensor
    top_p: torch.Tensor
    presence: torch.Tensor
    frequency: torch.Tensor
    any_top_p: bool
    any_penalty: bool
    any_logprobs: bool

    @classmethod
    def of(cls, rows: Sequence[Row], device: torch.device) -> "_Settings":
        settings = [row.sampling for row in rows]

        def column(*values: float) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device)[:, None]

        return cls(
            column(*(s.temperature for s in settings)),
            column(*(s.top_p if s.top_p < 1 else 2.0 for s in settings)),  # beyond the reach of rounding errors
            column(*(s.presence_penalty for s in settings)),
            column(*(s.frequency_penalty for s in settings)),
            any(s.top_p < 1 for s in settings),
            any(s.presence_penalty or s.frequency_penalty for s in settings),
            any(s.logprobs for s in settings),
        )


@dataclass
class _Group:
    """Rows that are decoded together. The cache holds all of a row's tokens except the last one.

    `mask` (B, T) is 1 for a token in the cache and 0 for padding; `counts` (B, V) is how often a row has generated
    each token.
    """

    rows: list[Row]
    cache: DynamicCache
    mask: torch.Tensor
    counts: torch.Tensor
    settings: _Settings

    @classmethod
    def read(cls, model: PreTrainedModel, rows: list[Row]) -> "_Group":
        """Prefill the rows' prompts and the tokens generated so far, and generate one token for each."""
        texts = [row.prompt + row.said for row in rows]
        width = max(map(len, texts))
        tokens = torch.tensor([[0] * (width - len(text)) + text for text in texts], device=model.device)
        mask = torch.tensor([[0] * (width - len(text)) + [1] * len(text) for text in texts], device=model.device)
        cache = DynamicCache()  # without the config: sliding windows are kept in full, as rows join and leave
        logits = _logits(model, tokens, mask, cache)
        counts = torch.zeros_like(logits)
        for i, row in enumerate(rows):
            said = torch.tensor(row.said, dtype=torch.long, device=model.device)
            counts[i].index_add_(0, said, torch.ones_like(said, dtype=counts.dtype))
        group = cls(rows, cache, mask, counts, _Settings.of(rows, model.device))
        group._say(logits)
        return group

    def go_on(self, model: PreTrainedModel) -> None:
        """Generate one token for each row."""
        self.mask = pad(self.mask, (0, 1), value=1)
        tokens = torch.tensor([row.said[-1:] for row in self.rows], device=model.device)
        self._say(_logits(model, tokens, self.mask, self.cache))

    def kept(self, rows: list[int]) -> "_Group":
        """The group with only these rows, without the columns that are padding in all of them."""
        chosen = torch.tensor(rows, device=self.mask.device)
        mask = self.mask[chosen]
        first = int(mask.amax(0).argmax())
        layers: list[Any] = self.cache.layers
        for layer in layers:
            layer.keys, layer.values = layer.keys[chosen, :, first:], layer.values[chosen, :, first:]
        left = [self.rows[i] for i in rows]
        return _Group(left, self.cache, mask[:, first:], self.counts[chosen], _Settings.of(left, mask.device))

    def merged(self, other: "_Group") -> "_Group":
        """Both groups' rows in one; neither group may be used afterwards."""
        width = max(self.mask.shape[1], other.mask.shape[1])

        def wide(columns: torch.Tensor) -> torch.Tensor:
            return pad(columns, (0, 0, width - columns.shape[-2], 0))

        layers: list[tuple[Any, Any]] = list(zip(self.cache.layers, other.cache.layers, strict=True))
        for mine, theirs in layers:
            mine.keys = torch.cat([wide(mine.keys), wide(theirs.keys)])
            mine.values = torch.cat([wide(mine.values), wide(theirs.values)])
        mask = torch.cat([pad(m, (width - m.shape[1], 0)) for m in (self.mask, other.mask)])
        rows = [*self.rows, *other.rows]
        counts = torch.cat([self.counts, other.counts])
        return _Group(rows, self.cache, mask, counts, _Settings.of(rows, mask.device))

    def _say(self, logits: torch.Tensor) -> None:
        drawn = torch.tensor([row.drawn for row in self.rows], dtype=torch.float32, device=logits.device)
        tokens = choose(logits, self.counts, self.settings, drawn)
        logprobs: list[float | None] = [None] * len(self.rows)
        if self.settings.any_logprobs:
            found = logits.log_softmax(-1).gather(1, tokens[:, None])[:, 0].tolist()
            logprobs = [p if row.sampling.logprobs else None for row, p in zip(self.rows, found, strict=True)]
        self.counts.scatter_add_(1, tokens[:, None], torch.ones_like(self.counts[:, :1]))
        for row, token, logprob in zip(self.rows, tokens.tolist(), logprobs, strict=True):
            row.say(token, logprob)


def choose(logits: torch.Tensor, counts: torch.Tensor, settings: _Settings, drawn: torch.Tensor) -> torch.Tensor:
    """The next token of each row (B). `logits`, `counts` (B, V); `drawn` (B): random numbers in [0, 1)."""
    if settings.any_penalty:
        logits = logits - settings.presence * (counts > 0) - settings.frequency * counts
    likeliest = logits.argmax(-1)
    is_greedy = settings.temperature == 0
    if bool(is_greedy.all()):
        return likeliest
    probabilities = (logits / settings.temperature.masked_fill(is_greedy, 1.0)).softmax(-1)
    if settings.any_top_p:
        ordered = probabilities.sort(-1, descending=True).values
        likelier = ordered.cumsum(-1) - ordered
        least = ordered.masked_fill(likelier >= settings.top_p, torch.inf).amin(-1, keepdim=True)
        probabilities = probabilities.masked_fill(probabilities < least, 0.0)
    cumulated = probabilities.cumsum(-1)
    whole = cumulated[:, -1:].contiguous()
    # The first token that exceeds the number; rounding must not lead past the last one with any probability.
    chosen = torch.searchsorted(cumulated, drawn[:, None] * whole, right=True)
    chosen = torch.minimum(chosen, torch.searchsorted(cumulated, whole))
    return torch.where(is_greedy, likeliest[:, None], chosen)[:, 0]


def _logits(model: PreTrainedModel, tokens: torch.Tensor, mask: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
    """The logits (B, V, float32) of the next token; `tokens` (B, T_new) are added to the cache."""
    known = inspect.signature(model.forward).parameters
    more: dict[str, Any] = {}
    if "position_ids" in known:
        more["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
    if "logits_to_keep" in known:
        more["logits_to_keep"] = 1
    found = model(input_ids=tokens, attention_mask=mask, past_key_values=cache, use_cache=True, **more)
    logits: torch.Tensor = found.logits[:, -1].float()
    return logits
