"""A dialogue as token ids, with labels on the answers and their stop tokens and -100 on everything else.

    >>> encode(tokenizer, Dialogue([user("Hi"), assistant("Hello")], task="hi", source=""))
    Example(ids=[1, 87, 13, 402, 2], labels=[-100, -100, -100, 402, 2])

The rule: the tokens before an answer are those of the prompt at inference, and the trained tokens are those that the
model has to generate from there until it stops. So an answer begins where the chat template's generation prompt ends,
and ends with the token with which the template ends answers (<|im_end|>, </s>, ...). Anything that a template writes
after that, such as a line break, is left out. If the tokeniser would merge across the boundary (a prompt that ends with
a line break, an answer that begins with one), the two are tokenised separately, as at inference the model gets the
prompt alone. Such rows are counted.

Some templates render earlier turns differently from how they were prompted or generated: Qwen3 drops their thoughts,
later Mistral templates move the system turn to the last question. Such turns are not trained, as the model would learn
answers to prompts that it never gets; the last turn always is. They are counted too.

Reasoning before an answer is trained on, or with `reasoning="mask"` only part of the context, like answers of weight 0
and tool results. If the template leaves out tools, tool calls or their results, that is an error; if it leaves out
reasoning, that is counted.

Nothing is added to the template's output: if it begins with a BOS token, there is one, and never two.

Not covered: answers that contain control tokens of the model (an error, since they would teach it to stop too early);
vision models.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, NamedTuple

from finetune.data.templates import end_of_turn, fitting, pattern_of, render
from finetune.examples import Dialogue, Example, Message, thought_of
from selfinstruct.errors import UsageError
from selfinstruct.terminal import tracked

Overlong = Literal["drop", "truncate", "error"]
Reasoning = Literal["train", "mask", "drop"]
IGNORED = -100  # the label of a token that is not trained
SHOWN = 5  # rows that a message names


@dataclass
class Encoded:
    """What is trained, and what happened to rows that are too long.

    `examples` and `dialogues` are the rows that are left, in their order; `lengths` are tokens of all rows before
    anything was cut. `dropped` rows are too long, or (`lost`) have a prompt that leaves no room for an answer;
    `shortened` ones lost turns at their end; `cut` are the positions in `examples` of those whose only answer breaks
    off, without its stop token. `merged` rows had prompt and answer tokenised separately, `untrained` turns are
    rendered differently from how they were written. `thoughts` are answers with reasoning, `unshown` those of them
    whose reasoning the template leaves out.
    """

    most_tokens: int | None
    examples: list[Example] = field(default_factory=list)
    dialogues: list[Dialogue] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    dropped: int = 0
    lost: int = 0
    shortened: int = 0
    cut: set[int] = field(default_factory=set)
    merged: int = 0
    untrained: int = 0
    thoughts: int = 0
    unshown: int = 0


class _Span(NamedTuple):
    """An answer in the rendered text: where it begins, where its stop token begins, and where that ends."""

    start: int
    stop: int
    end: int


class _Rendered(NamedTuple):
    """The whole text, the answers in it that can be trained, and how many turns cannot.

    `thoughts`: of answers with reasoning that are trained, whether the template shows it.
    """

    text: str
    spans: list[_Span]
    untrained: int
    thoughts: list[bool]

    def texts(self) -> list[str]:
        """The texts to tokenise for each answer: the text before it, and both together.

        They begin at the previous stop token, as text after one is tokenised as if nothing came before it.
        """
        starts = [0, *(span.stop for span in self.spans)]
        return [self.text[at:to] for at, span in zip(starts, self.spans, strict=False) for to in (span.start, span.end)]


def encode(tokenizer: Any, dialogue: Dialogue, reasoning: Reasoning = "train") -> Example:
    """The dialogue's ids and labels, up to the stop token of its last answer.

    The tokenizer must be prepared (finetune.data.templates). UsageError if its template cannot prompt for the last
    answer, or an answer contains a control token.
    """
    speller = _Speller(tokenizer, reasoning)
    rendered = speller.render(dialogue)
    return speller.spell(rendered, speller.ids(rendered.texts()))[0]


def encode_all(
    tokenizer: Any,
    dialogues: Sequence[Dialogue],
    most_tokens: int | None = None,
    overlong: Overlong = "drop",
    reasoning: Reasoning = "train",
) -> Encoded:
    """All dialogues; those of more than `most_tokens` are dropped, truncated, or an error.

    Truncation removes turns at the end; if that leaves no whole answer, the first one is cut, without a stop token.
    UsageError if rows cannot be encoded, or are too long and `overlong` is "error".
    """
    speller = _Speller(tokenizer, reasoning)
    encoded = Encoded(most_tokens)
    faults: list[str] = []
    rows: list[tuple[Dialogue, _Rendered]] = []
    for dialogue in tracked(dialogues, "texts"):
        try:
            rows.append((dialogue, speller.render(dialogue)))
        except UsageError as error:
            faults.append(str(error))
    ids = iter(speller.ids([text for _, rendered in rows for text in rendered.texts()]))
    for dialogue, rendered in rows:
        example, is_merged = speller.spell(rendered, list(islice(ids, 2 * len(rendered.spans))))
        encoded.merged += is_merged
        encoded.untrained += rendered.untrained
        encoded.thoughts += len(rendered.thoughts)
        encoded.unshown += rendered.thoughts.count(False)
        n = len(example.ids)
        encoded.lengths.append(n)
        if most_tokens and n > most_tokens:
            if overlong == "error":
                faults.append(f"{dialogue.source}: {n:,} tokens, more than the maximum of {most_tokens:,}")
                continue
            n_kept, is_whole = _most(example.labels, most_tokens) if overlong == "truncate" else (0, False)
            if not n_kept:
                encoded.dropped += 1
                encoded.lost += overlong == "truncate"
                continue
            if is_whole:
                encoded.shortened += 1
            else:
                encoded.cut.add(len(encoded.examples))
            example = Example(example.ids[:n_kept], example.labels[:n_kept])
        encoded.examples.append(example)
        encoded.dialogues.append(dialogue)
    if faults:
        more = [f"and {len(faults) - SHOWN:,} more"] if len(faults) > SHOWN else []
        hint = ["Remove them, or use --overlong drop or truncate."] if overlong == "error" else []
        raise UsageError("\n".join(["Rows that cannot be trained on:", *faults[:SHOWN], *more, *hint]))
    return encoded


def _most(labels: list[int], most_tokens: int) -> tuple[int, bool]:
    """How many tokens are kept, and whether they end with an answer: the whole answers that fit, else a part of one."""
    ends = [n for n in range(1, most_tokens + 1) if labels[n - 1] != IGNORED == labels[n]]
    if ends:
        return ends[-1], True
    return (most_tokens if labels[most_tokens - 1] != IGNORED else 0), False


class _Speller:
    """A tokenizer with its special tokens."""

    def __init__(self, tokenizer: Any, reasoning: Reasoning):
        self._tokenizer = tokenizer
        self._is_masked = reasoning == "mask"
        self._stop = end_of_turn(tokenizer)
        special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        self._control_token = pattern_of({self._stop, *special})

    def ids(self, texts: list[str]) -> list[list[int]]:
        """The texts' tokens."""
        found: list[list[int]] = self._tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        return found

    def spell(self, rendered: _Rendered, tokens: Sequence[list[int]]) -> tuple[Example, bool]:
        """Ids and labels from the tokens of `texts`, and whether prompt and answer had to be tokenised separately."""
        ids: list[int] = []
        labels: list[int] = []
        is_merged = False
        for n, (start, stop, end) in enumerate(rendered.spans):
            prompt, both = tokens[2 * n : 2 * n + 2]
            answer = both[len(prompt) :]
            if both[: len(prompt)] != prompt:
                is_merged = True
                # After a token that is not text, so that no space is prepended, as it would be at the start of a text.
                answer = self.ids([rendered.text[stop:end] + rendered.text[start:end]])[0][1:]
            new = prompt[1:] if n else prompt
            ids += new + answer
            labels += [IGNORED] * len(new) + answer
        return Example(ids, labels), is_merged

    def render(self, dialogue: Dialogue) -> _Rendered:
        """The dialogue as text; UsageError if its last answer cannot be trained."""
        for message in dialogue.messages:
            found = self._control_token.search(message["content"]) if message["role"] == "assistant" else None
            if found:
                raise UsageError(
                    f"{dialogue.source}: the answer contains {found.group()}, a control token of this model. "
                    "Remove it, or the model would learn to write it there."
                )
        messages = fitting(self._tokenizer, dialogue.messages)
        text = self._text(messages, dialogue)
        self._check_shown(text, messages, dialogue)
        spans: list[_Span] = []
        thoughts: list[bool] = []
        answers = [n for n, one in enumerate(messages) if one["role"] == "assistant" and one.get("weight", 1)]
        for n in answers:
            is_last = n == len(messages) - 1
            prompt = self._text(messages[:n], dialogue, ask=True)
            said = text if is_last else self._text(messages[: n + 1], dialogue)
            if said.startswith(prompt):
                span = self._span(said, len(prompt), messages[n], dialogue)
                if text.startswith(said[: span.end]):
                    spans.append(self._masked(text, span, messages[n], thoughts))
            elif is_last:
                raise UsageError(
                    f"{dialogue.source}: the chat template prompts with {prompt[-60:]!r}, but renders the "
                    "finished dialogue differently, so training would not match inference. Choose another "
                    "--template."
                )
        return _Rendered(text, spans, len(answers) - len(spans), thoughts)

    def _text(self, messages: Sequence[Message], dialogue: Dialogue, ask: bool = False) -> str:
        return render(self._tokenizer, messages, ask, dialogue.tools)

    def _check_shown(self, text: str, messages: Sequence[Message], dialogue: Dialogue) -> None:
        """UsageError if the template leaves out tools, tool calls or tool results."""
        missing = "tools" if dialogue.tools and render(self._tokenizer, messages) == text else ""
        for n, message in enumerate(messages):
            is_tool = message["role"] == "tool"
            if is_tool or "tool_calls" in message:
                bare = Message(role=message["role"], content="" if is_tool else message["content"])
                if self._text([*messages[:n], bare, *messages[n + 1 :]], dialogue) == text:
                    missing = "tool results" if is_tool else "tool calls"
        if missing:
            raise UsageError(
                f"{dialogue.source}: the chat template leaves out {missing}. Train a model whose template has them, or "
                "remove those rows."
            )

    def _masked(self, text: str, span: _Span, message: Message, thoughts: list[bool]) -> _Span:
        """The span, without its reasoning if that is masked; records whether the template shows it."""
        thought = thought_of(message)
        if not thought:
            return span
        at = text.find(thought.strip(), span.start, span.stop)
        thoughts.append(at >= 0)
        if at < 0 or not self._is_masked:
            return span
        end = at + len(thought.strip())
        return span._replace(start=end + len(text[end : span.stop]) - len(text[end : span.stop].lstrip()))

    def _span(self, said: str, start: int, answer: Message, dialogue: Dialogue) -> _Span:
        bare = answer["content"].strip()
        at = said.find(bare, start)
        # If the template has rewritten the answer, its end is the last one.
        stop = said.find(self._stop, at + len(bare)) if at >= 0 else said.rfind(self._stop, start)
        if stop < 0:
            raise UsageError(
                f"{dialogue.source}: the chat template writes no {self._stop} after the answer, so the model "
                "could not learn to stop. Choose another --template."
            )
        return _Span(start, stop, stop + len(self._stop))
