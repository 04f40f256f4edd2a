"""How a student is prompted: the chat template in its tokenizer, and the wording of an instruction in a turn.

| template | format of a question                                               | an answer ends with   |
|----------|--------------------------------------------------------------------|-----------------------|
| model    | as the model's own chat template has it                            | its end of turn       |
| chatml   | <|im_start|>user ... <|im_end|>                                    | <|im_end|>            |
| alpaca   | ### Instruction: ... ### Input: ... ### Response:                  | the end of text (eos) |
| paper    | plain text in one of 7 wordings with an input, 6 without           | the end of text (eos) |

After `prepare_tokenizer`, every template is used the same way:

    >>> prepare_tokenizer(tokenizer, "alpaca")
    Prepared(template='alpaca', added=[])
    >>> tokenizer.apply_chat_template(messages, add_generation_prompt=True)

An instruction with an input is one turn. `worded` words it as the template requires, in training and evaluation; with
the model's own template and chatml, and elsewhere, they are two paragraphs.

Sources: Alpaca's prompt (Taori et al. 2023) and Self-Instruct's varied ones (Wang et al. 2023, appendix A.3) for the
form; the wording is ours. chatml and the two others mark trained text with {% generation %}, for tools that need it.

A chat template comes with a model, and so from anybody: it is rendered in a sandbox with limits of size and steps.

Not covered: thinking switched on or off; the limits where a server of its own renders (`selfinstruct serve`).
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, Literal, NamedTuple, get_args

from jinja2 import TemplateError
from transformers.utils import chat_template_utils

from finetune.examples import Dialogue, Message, thought_of
from selfinstruct.asking.sandbox import Bounded
from selfinstruct.errors import UsageError
from selfinstruct.records import user_message

# transformers has a sandbox without limits, and no other way to give it one with them.
chat_template_utils.ImmutableSandboxedEnvironment = Bounded  # type: ignore[attr-defined]

Template = Literal["model", "chatml", "alpaca", "paper"]

CHATML = """\
{% for message in messages %}
{{ '<|im_start|>' + message['role'] + '\\n' }}
{%- if message['role'] == 'assistant' %}
{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}
{% else %}
{{ message['content'] + '<|im_end|>' }}
{%- endif %}
{{ '\\n' }}
{%- endfor %}
{% if add_generation_prompt %}
{{ '<|im_start|>assistant\\n' }}
{%- endif %}
"""
ALPACA = """\
{% if messages[0]['role'] == 'system' %}
{{ messages[0]['content'] + '\\n\\n' }}
{%- else %}
{{ 'Below is an instruction for a task. Write a response that carries it out.\\n\\n' }}
{%- endif %}
{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '### Instruction:\\n' + message['content'] + '\\n\\n' }}
{%- elif message['role'] == 'assistant' %}
{{ '### Response:\\n' }}
{%- generation %}{{ message['content'] + eos_token }}{% endgeneration %}
{{ '\\n\\n' }}
{%- endif %}
{% endfor %}
{% if add_generation_prompt %}
{{ '### Response:\\n' }}
{%- endif %}
"""
PAPER = """\
{% for message in messages %}
{% if message['role'] == 'assistant' %}
{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}
{{ '\\n\\n' }}
{%- else %}
{{ message['content'] + '\\n' }}
{%- endif %}
{% endfor %}
"""
OURS: dict[Template, str] = {"chatml": CHATML, "alpaca": ALPACA, "paper": PAPER}

ALPACA_WITH_INPUT = "{instruction}\n\n### Input:\n{input}"
WITH_INPUT = (
    "{instruction}\n\n{input}",
    "{instruction}\nInput: {input}\nOutput:",
    "{instruction}\n\nInput:\n{input}\n\nOutput:",
    "{instruction}\n{input}\n\nAnswer:",
    "Task: {instruction}\n\n{input}\n\nAnswer:",
    "Task: {instruction}\nInput: {input}\n\nSolution:",
    "What to do: {instruction}\n\nGiven: {input}",
)
WITHOUT_INPUT = (
    "{instruction}",
    "{instruction}\nOutput:",
    "{instruction}\n\nAnswer:",
    "Task: {instruction}",
    "Task: {instruction}\n\nAnswer:",
    "What to do: {instruction}\n\nSolution:",
)

# Tokens that models use for padding, or never generate, in order of preference; then those that they have to spare.
PADS = ("<pad>", "<|pad|>", "[PAD]", "<|finetune_right_pad_id|>", "<|endoftext|>", "<unk>", "[UNK]")
SPARE = re.compile(
    r"[<\[>|｜]+▁?((fim_)?pad(ding)?(_token)?|(reserved|unused|place.?holder)[\w▁]*|(dummy|control|special|extra_id)_?\d+)▁?"
    r"[>\]<|｜]+",
    re.IGNORECASE,
)


class Prepared(NamedTuple):
    """The chosen template, and the tokens that were added to the vocabulary.

    If there are any, the model needs rows for them (`len(tokenizer)` in all), which are not trained yet: an adapter
    must train the embeddings too, or the student never learns to stop.
    """

    template: Template
    added: list[str]


def prepare_tokenizer(tokenizer: Any, template: Template | None = None, rows: int = 0) -> Prepared:
    """Give the tokenizer the chat template, and any missing tokens for the end of a turn and for padding.

    Without `template`: the model's own, or chatml if it has none. `rows`: the number of embeddings that the model has;
    0: unknown. UsageError if "model" was chosen and the model has none, or one that does not end answers.
    """
    if template is not None and template not in get_args(Template):
        raise UsageError(f"Unknown template {template}. Choose one of: {', '.join(get_args(Template))}.")
    if template == "model" and not tokenizer.chat_template:
        raise UsageError(
            f"{tokenizer.name_or_path} has no chat template: it is a base model. Use --template chatml, alpaca or "
            "paper; it is saved with the student."
        )
    template = template or ("model" if tokenizer.chat_template else "chatml")
    before = set(tokenizer.get_vocab())
    if template == "chatml":
        tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>"], "eos_token": "<|im_end|>"})
    elif template != "model" and tokenizer.eos_token is None:
        tokenizer.add_special_tokens({"eos_token": "<|endoftext|>"})
    if template != "model":
        tokenizer.chat_template = ("{{ bos_token }}" if _begins_with_bos(tokenizer) else "") + OURS[template]
    end = end_of_turn(tokenizer)
    # A trainer that leaves padding out of the loss would also leave out the end of every answer if they were the same.
    if tokenizer.pad_token in (None, end) or 0 < rows <= tokenizer.pad_token_id:
        tokenizer.pad_token = _padding(tokenizer, end, rows)
    return Prepared(template, sorted(set(tokenizer.get_vocab()) - before))


def _padding(tokenizer: Any, end: str, rows: int) -> str:
    """A token for padding that needs no new row of the embeddings, which an adapter would have to come with.

    The end of an answer is the last resort. It does no harm in our training, where the length of a row is what counts.
    """
    taken = tokenizer.chat_template + end + (tokenizer.bos_token or "")
    free = [
        token for token, number in sorted(tokenizer.get_vocab().items(), key=itemgetter(1))
        if (token in PADS or SPARE.fullmatch(token)) and token not in taken and not 0 < rows <= number
    ]  # fmt: skip
    if free:
        return min(map(str, free), key=lambda token: PADS.index(token) if token in PADS else len(PADS))
    if len(tokenizer) < rows:  # embeddings often have more rows than there are tokens
        tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
        return "<|pad|>"
    if tokenizer.bos_token not in (None, end):
        return str(tokenizer.bos_token)
    others = (token.content for token in tokenizer.added_tokens_decoder.values() if token.special)
    return next((str(token) for token in others if token not in taken), end)


def _begins_with_bos(tokenizer: Any) -> bool:
    """Whether the model expects a text to begin with its BOS token."""
    ids = tokenizer("a")["input_ids"]
    return tokenizer.bos_token_id is not None and ids[:1] == [tokenizer.bos_token_id]


def end_of_turn(tokenizer: Any) -> str:
    """The token that the chat template writes after an answer; UsageError if it writes none."""
    said = "an answer to look for"
    text = render(tokenizer, [Message(role="user", content="a question"), Message(role="assistant", content=said)])
    # In some models, added tokens are text: runs of spaces (Pythia, OLMo, Phi-2).
    names = [token.content for token in tokenizer.added_tokens_decoder.values() if token.content.strip()]
    at = text.rfind(said)
    found = [one.group() for one in pattern_of(names).finditer(text, at + len(said) if at >= 0 else 0)]
    if not found:
        raise UsageError(
            f"{tokenizer.name_or_path}: its chat template writes no token after an answer, so a student could not "
            "learn to stop. Use --template chatml, alpaca or paper."
        )
    return found[0 if at >= 0 else -1]  # if the template has rewritten the answer, its end is the last one


def pattern_of(tokens: Iterable[str]) -> re.Pattern[str]:
    """Matches any of the tokens in a text; the longest if several begin at one place."""
    return re.compile("|".join(map(re.escape, sorted(tokens, key=len, reverse=True))) or r"(?!)")


def render(tokenizer: Any, messages: Sequence[Message], ask: bool = False, tools: Any = None) -> str:
    """The conversation as the text that the model reads; with `ask`, up to where its answer begins."""
    more = {"tools": tools} if tools else {}
    said = [{name: value for name, value in message.items() if name != "weight"} for message in messages]
    try:
        return str(tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=ask, **more))
    except (TemplateError, TypeError) as error:
        raise UsageError(f"{tokenizer.name_or_path}: its chat template fails: {error}") from None


def fitting(tokenizer: Any, messages: Sequence[Message]) -> list[Message]:
    """The messages as the chat template accepts them: a system turn that it refuses or skips joins the first user turn.

    UsageError if it fails with other turns too.
    """
    system, *rest = messages
    if system["role"] != "system" or not rest:
        return list(messages)
    try:
        text = tokenizer.apply_chat_template([system, rest[0]], tokenize=False, add_generation_prompt=True)
    except TemplateError:
        text = ""
    if system["content"].strip() in text:
        return list(messages)
    first = Message(role=rest[0]["role"], content=f"{system['content']}\n\n{rest[0]['content']}")
    return [first, *rest[1:]]


def worded(dialogue: Dialogue, template: Template) -> Dialogue:
    """The dialogue with its instruction and input worded as the template requires; "paper" chooses by their text."""
    if dialogue.instruction is None:
        return dialogue
    given = dialogue.input or ""
    if template == "paper":
        wordings = WITH_INPUT if given else WITHOUT_INPUT
        key = hashlib.sha256(user_message(dialogue.instruction, given).encode("utf-8", "surrogatepass")).digest()
        wording = wordings[int.from_bytes(key[:8], "big") % len(wordings)]
    elif template == "alpaca" and given:
        wording = ALPACA_WITH_INPUT
    else:
        return dialogue
    content = wording.format(instruction=dialogue.instruction, input=given)
    place = max(n for n, message in enumerate(dialogue.messages) if message["role"] == "user")
    messages = list(dialogue.messages)
    messages[place] = Message(role="user", content=content)
    return dialogue._replace(messages=messages)


def without_reasoning(dialogue: Dialogue) -> Dialogue:
    """The dialogue with its answers alone; UsageError if one of them is nothing but reasoning."""
    messages: list[Message] = []
    for message in dialogue.messages:
        content = message["content"][len(thought_of(message)) :]
        if not content.strip() and message["content"].strip() and "tool_calls" not in message:
            raise UsageError(
                f"{dialogue.source}: an answer is nothing but reasoning. Remove the row, or keep the reasoning."
            )
        messages.append({**message, "content": content})
    return dialogue._replace(messages=messages)
