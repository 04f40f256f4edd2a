"""Shows what will be trained before any weights are loaded, and stops a training that cannot work.

    >>> print(preflight(tokenizer, encoded, vocabulary=32_000).render())
    1,022 rows, 96,411 tokens, 31 % of them trained on
    ...
    Trained tokens are in ‹ ›:
    data.jsonl, line 17
    <s>### Instruction:⏎
    Name three rivers.⏎
    ⏎
    ### Response:⏎
    ‹The Nile, the Amazon and the Danube.</s>›

It fails if no token would be trained, a row begins with two BOS tokens, an answer that was not cut lacks its stop
token, or an id is not in the model's vocabulary. Otherwise users notice such faults only after the training, when the
student never stops.

Not covered: whether the data is any good; that is `selfinstruct check`.
"""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from finetune.data.dialogues import count_tasks
from finetune.data.encoding import IGNORED, SHOWN, Encoded
from finetune.data.memory import Available, Memory
from finetune.data.templates import end_of_turn
from finetune.examples import Example
from selfinstruct.errors import UsageError
from selfinstruct.terminal import n_of
from selfinstruct.untrusted import visible

EXAMPLES = 3
LONGEST = 2000  # characters of an example that are shown
BAR = 40  # characters of the histogram's longest bar
COLOUR, PLAIN = "\x1b[32m", "\x1b[0m"


class Piece(NamedTuple):
    """Consecutive tokens of a row that are all trained, or all not."""

    text: str
    is_trained: bool


class Shown(NamedTuple):
    """A row as the model reads it."""

    source: str
    pieces: list[Piece]


class HeldOut(NamedTuple):
    """How many rows are held out, and how many of these are too long: dropped, or cut at the end."""

    rows: int
    dropped: int
    cut: int


@dataclass
class Preflight:
    """The report: counts of rows and tokens, examples, and what happens to rows that are too long.

    `histogram` has, for lengths in tokens up to each key, the number of rows before anything is cut. `duplicates` are
    rows that repeat an earlier one (sources with a weight do). `tasks` are those of the rows that are trained, as
    `finetune.data.dialogues.split` tells them apart. `available` is what `memory` is held against.
    `notes` say how reasoning was used, and which parts of the data are not used.
    """

    rows: int
    tokens: int
    trained: int
    longest: int
    histogram: dict[int, int]
    most_tokens: int | None
    too_long: int
    dropped: int
    lost: int
    shortened: int
    cut: int
    merged: int
    untrained: int
    duplicates: int
    tasks: int
    held_out: HeldOut | None = None
    added_tokens: list[str] = field(default_factory=list)
    memory: Memory | None = None
    available: Available | None = None
    examples: list[Shown] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share of tokens that is trained."""
        return self.trained / self.tokens

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        found = {**vars(self), "share": self.share}
        found["examples"] = [
            {"source": shown.source, "pieces": [piece._asdict() for piece in shown.pieces]} for shown in self.examples
        ]
        found["held_out"] = self.held_out and self.held_out._asdict()
        found["memory"] = self.memory and self.memory.as_dict()
        found["available"] = self.available and self.available._asdict()
        return found

    def render(self, colour: bool = False) -> str:
        """The report for a terminal; with `colour`, trained text is green. Control characters are spelled out."""
        said = [
            f"{n_of(self.rows, 'row')}, {n_of(self.tokens, 'token')}, {self.share:.0%} of them trained on",
            *self._notes(),
        ]
        said += ["", "Tokens per row:", *self._bars()]
        if self.memory:
            said += ["", *self._memory_lines(self.memory)]
        said += ["", "Trained tokens are in ‹ ›:"]
        for shown in self.examples:
            said += ["", shown.source, _marked(shown.pieces, colour)]
        return "\n".join(said)

    def _notes(self) -> list[str]:
        notes = {
            f"{n_of(self.duplicates, 'row repeats', 'rows repeat')} an earlier one": self.duplicates,
            f"{n_of(self.too_long, 'row has', 'rows have')} more than {self.most_tokens or 0:,} tokens": self.too_long,
            f"  {self.dropped - self.lost:,} of them are dropped": self.dropped - self.lost,
            f"  {self.lost:,} of them are dropped because their prompt leaves no room for an answer": self.lost,
            f"  {self.shortened:,} of them lose their last turns": self.shortened,
            f"  {self.cut:,} of them lose the end of the answer and its stop token": self.cut,
            f"{n_of(self.merged, 'row begins', 'rows begin')} an answer with text that the tokenizer "
            "would merge with the prompt; the two are tokenized separately, as at inference": self.merged,
            f"{n_of(self.untrained, 'turn is', 'turns are')} not trained on, because the chat template "
            "renders them differently when they are not the last": self.untrained,
            **self._held_out_notes(),
            f"Tokens added to the vocabulary: {_visible(' '.join(self.added_tokens))}": len(self.added_tokens),
        }
        return [note for note, n in notes.items() if n] + self.notes

    def _held_out_notes(self) -> dict[str, int]:
        if not self.held_out:
            return {}
        rows, dropped, cut = self.held_out
        return {
            f"{rows:,} more rows are held out for evaluation": rows,
            f"  {dropped:,} of them are too long and dropped": dropped,
            f"  {cut:,} of them are too long and lose their end": cut,
            "No rows are held out for evaluation. Tasks are held out whole, and these rows belong to "
            f"{self.tasks:,} (rows with the same instruction are one task)": int(not rows),
        }

    def _bars(self) -> list[str]:
        most = max(self.histogram.values())
        width = len(f"{max(self.histogram):,}")
        return [f"  up to {top:>{width},} {n:>9,} {'█' * -(-n * BAR // most)}" for top, n in self.histogram.items()]

    def _memory_lines(self, memory: Memory) -> list[str]:
        parts = {
            "weights": memory.weights, "gradients": memory.gradients, "optimizer": memory.optimizer,
            "activations": memory.activations, "logits": memory.logits,
        }  # fmt: skip
        listed = ", ".join(f"{_size(n)} {name}" for name, n in parts.items())
        said = [f"Memory for {memory.tokens:,} tokens at a time ({memory.method}): {_size(memory.total)} = {listed}"]
        if self.available:
            free = f"{_size(self.available.bytes)} free, {self.available.where}"
            most = memory.most_tokens(self.available.bytes)
            verdict = "fits into" if memory.fits(self.available.bytes) else "does not fit into"
            said.append(
                f"That {verdict} {free}; " + (f"about {most:,} tokens would fit." if most else "no batch would fit.")
            )
        return said


def preflight(
    tokenizer: Any,
    encoded: Encoded,
    *,
    vocabulary: int,
    added_tokens: list[str] | None = None,
    memory: Memory | None = None,
    available: Available | None = None,
    held_out: Encoded | None = None,
    notes: list[str] | None = None,
) -> Preflight:
    """Check and report everything that will be trained, and how much of `held_out` is left.

    `vocabulary`: the number of rows of the model's embeddings, now or later. UsageError if the training cannot work.
    """
    _check(tokenizer, encoded, vocabulary)
    kept = encoded.examples
    n_over = sum(n > encoded.most_tokens for n in encoded.lengths) if encoded.most_tokens else 0
    again = Counter(tuple(example.ids) for example in kept)
    aside = None
    if held_out:
        aside = HeldOut(len(held_out.lengths), held_out.dropped, held_out.shortened + len(held_out.cut))
    places = sorted({round(n * (len(kept) - 1) / max(EXAMPLES - 1, 1)) for n in range(EXAMPLES)})
    return Preflight(
        rows=len(encoded.lengths), tokens=sum(len(example.ids) for example in kept),
        trained=sum(label != IGNORED for example in kept for label in example.labels),
        longest=max(encoded.lengths), histogram=_histogram(encoded.lengths),
        most_tokens=encoded.most_tokens, too_long=n_over, dropped=encoded.dropped, lost=encoded.lost,
        shortened=encoded.shortened, cut=len(encoded.cut), merged=encoded.merged, untrained=encoded.untrained,
        duplicates=len(kept) - len(again), tasks=count_tasks(encoded.dialogues),
        held_out=aside, added_tokens=added_tokens or [], notes=notes or [], memory=memory, available=available,
        examples=[Shown(encoded.dialogues[n].source, pieces(tokenizer, kept[n])) for n in places],
    )  # fmt: skip


def pieces(tokenizer: Any, example: Example) -> list[Piece]:
    """The example's text, split into trained and untrained parts."""
    runs: list[tuple[bool, list[int]]] = []
    for token, label in zip(example.ids, example.labels, strict=True):
        is_trained = label != IGNORED
        if not runs or runs[-1][0] != is_trained:
            runs.append((is_trained, []))
        runs[-1][1].append(token)
    return [Piece(tokenizer.decode(ids, clean_up_tokenization_spaces=False), is_trained) for is_trained, ids in runs]


def _check(tokenizer: Any, encoded: Encoded, vocabulary: int) -> None:
    if not encoded.examples:
        most = f" of at most {encoded.most_tokens:,} tokens" if encoded.most_tokens else ""
        raise UsageError(f"No rows{most} to train on. Allow longer rows, or add data.")
    stop = tokenizer.convert_tokens_to_ids(end_of_turn(tokenizer))
    faults: dict[str, list[str]] = {}
    for n, (example, dialogue) in enumerate(zip(encoded.examples, encoded.dialogues, strict=True)):
        ids, labels = example
        if all(label == IGNORED for label in labels):
            faults.setdefault("no token to train on, because there is no answer", []).append(dialogue.source)
            continue
        if ids[0] == tokenizer.bos_token_id and ids[1:2] == ids[:1]:
            faults.setdefault(
                f"it begins with {tokenizer.bos_token} twice. Remove one from the text or from the chat template", []
            ).append(dialogue.source)  # fmt: skip
        if not 0 <= min(ids) <= max(ids) < vocabulary:
            faults.setdefault(
                f"it has token ids outside the model's vocabulary of {vocabulary:,}. Does the tokenizer belong to "
                "another model?", []
            ).append(dialogue.source)  # fmt: skip
        ends = [label for label, then in zip(labels, [*labels[1:], IGNORED], strict=True) if label != IGNORED == then]
        if not {stop}.issuperset(ends[:-1] if n in encoded.cut else ends):
            faults.setdefault(
                "an answer has no trained stop token, so the student would not learn to stop", []
            ).append(dialogue.source)  # fmt: skip
    if faults:
        said = [f"{n_of(len(rows), 'row')}: {fault}: {'; '.join(rows[:SHOWN])}" for fault, rows in faults.items()]
        raise UsageError("\n".join(["Training on this data is not possible:", *said]))


def _histogram(lengths: list[int]) -> dict[int, int]:
    """Rows by length, up to 16 tokens, 32, 64 and so on, from the shortest row to the longest."""
    tops = [16]
    while tops[-1] < max(lengths):
        tops.append(2 * tops[-1])
    count = Counter(bisect_left(tops, length) for length in lengths)
    return {top: count[n] for n, top in enumerate(tops) if n >= min(count)}


def _marked(found: list[Piece], colour: bool) -> str:
    """The pieces as one text; if it is long, only the beginning and the end of each piece."""
    room = max(200, LONGEST // len(found))
    said = ""
    for text, is_trained in found:
        if len(text) > room:
            text = f"{text[: room // 2]} […] {text[-room // 2 :]}"  # noqa: PLW2901
        shown = _visible(text).replace("\n", "⏎\n")
        marked = f"{COLOUR}‹{shown}›{PLAIN}" if colour else f"‹{shown}›"
        said += marked if is_trained else shown
    return said


def _visible(text: str) -> str:
    """The text in a form that is safe for a terminal, with tabs spelled out as well."""
    return visible(text).replace("\t", r"\t")


def _size(n: int) -> str:
    return f"{n / 2**30:,.1f} GiB" if n >= 2**30 / 10 else f"{n / 2**20:,.1f} MiB"
