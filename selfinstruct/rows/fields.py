"""The fields that rows, turns and parts are known to have: how each is spelled, and what becomes of it.

One table for every command that reads rows. The first spelling that holds something is read; all else in a row that
holds something is not used, and counted by name (`not_used.py`). docs/file-formats.md shows the table.

The spellings are those of Alpaca, ShareGPT, Dolly, OpenAI's fine-tuning, TRL, LLaMA-Factory, Axolotl, ms-swift, oumi,
verl and Fireworks. Case does not count.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, eq=False)  # each is itself: it is looked up for every row
class Field:
    """Its spellings, the one that we write first, and what becomes of it, in words."""

    spellings: tuple[str, ...]
    becomes: str

    @property
    def name(self) -> str:
        """The spelling that we write."""
        return self.spellings[0]


_REASONING = ("reasoning_content", "reasoning", "thinking", "thought", "thoughts")

INSTRUCTION = Field(("instruction", "question", "query", "problem"), "the question")
INPUT = Field(("input", "context", "passage"), "the text that the question is about")
OUTPUT = Field(("output", "response", "answer", "solution"), "the answer")
PROMPT = Field(("prompt",), "a question; with `completion` a text that goes on, or a list of turns")
COMPLETION = Field(("completion", "response", "answer", "output"), "the answer")
MESSAGES = Field(("messages",), "turns")
CONVERSATIONS = Field(("conversations", "conversation", "dialogue", "dialog"), "turns")
INSTANCES = Field(("instances",), "inputs and outputs of one instruction")
SYSTEM = Field(("system", "system_prompt", "meta_instruction"), "a system turn")
HISTORY = Field(("history",), "earlier turns: pairs of question and answer, or turns")
REASONING = Field(
    (*_REASONING, "complex_cot", "chain_of_thought", "cot", "rationale"),
    "reasoning before the answer; `finetune` trains, masks or drops it",
)
TOOLS = Field(("tools", "functions"), "tools that the chat template shows the model; a list, or one as JSON")
LABEL = Field(
    ("label", "kto_tag", "desirable"), "true or false: false marks an unwanted answer, which `finetune` leaves out"
)
WEIGHT = Field(
    ("weight", "loss_weight", "train", "trainable"),
    "0 or 1, true or false: 0 marks a row or an answer that `finetune` does not train",
)
LOSS_MASK = Field(("loss_mask",), "one 0 or 1 for each turn: 0 marks an answer that `finetune` does not train")
MEDIA = Field(
    ("images", "image", "image_path", "image_url", "videos", "video", "audios", "audio"),
    "refused: a picture, sound or video, found as `media_task`",
)
CHOSEN = Field(
    ("chosen", "chosen_response", "preferred_output", "preferred_completion"),
    "the wanted answer of a pair; the pair is refused for training, found as `preference_pair`",
)
REJECTED = Field(
    ("rejected", "rejected_response", "rejected_messages", "non_preferred_output", "non_preferred_completion"),
    "the unwanted answer of a pair; the pair is refused for training, found as `preference_pair`",
)
ROW = (
    INSTRUCTION, INPUT, OUTPUT, PROMPT, COMPLETION, MESSAGES, CONVERSATIONS, INSTANCES, SYSTEM, HISTORY, REASONING,
    TOOLS, LABEL, WEIGHT, LOSS_MASK, MEDIA, CHOSEN, REJECTED,
)  # fmt: skip

# Those, and what our own files have beside them: the columns of a table that are read.
KNOWN = {name for field in ROW for name in field.spellings} | {"id", "task", "name", "is_classification", "extra"}

ROLE = Field(("role", "from"), "who speaks")
CONTENT = Field(("content", "value", "text"), "what is said: a text, or a list of parts")
TURN_REASONING = Field(_REASONING, REASONING.becomes)
CALLS = Field(
    ("tool_calls", "function_call"), "calls of tools, trained like an answer if the chat template renders them"
)
TURN_WEIGHT = Field(
    ("weight", "loss_weight", "train", "trainable", "training", "loss", "loss_mask"),
    "0 or 1, true or false: 0 marks an answer that `finetune` does not train; other turns never are",
)
DETAIL = Field(("train_detail",), "refused: parts of a turn cannot be left out; found as `not_read`")
CALL_ID = Field(("tool_call_id",), "which call a tool's turn answers: their order says it")
TURN = (ROLE, CONTENT, TURN_REASONING, CALLS, TURN_WEIGHT, DETAIL, CALL_ID, MEDIA)

PART_TYPE = Field(("type",), "what the part is: `text`, or `thinking` or `reasoning`; others are refused")
PART_TEXT = Field(("text", "value", "content"), "its text")
PART_REASONING = Field(_REASONING, REASONING.becomes)
PART = (PART_TYPE, PART_TEXT, PART_REASONING)


def is_empty(value: Any) -> bool:
    """Whether a field holds nothing: null, "", or an empty list or object."""
    return value is None or (isinstance(value, str | list | dict) and not value)


@lru_cache(4096)
def spelled(keys: tuple[str, ...], field: Field) -> tuple[str, ...]:
    """The keys that are spellings of the field, the preferred one first."""
    found = [(field.spellings.index(key.lower()), key) for key in keys if key.lower() in field.spellings]
    return tuple(key for _, key in sorted(found))


def key_of(holder: dict[str, Any], field: Field) -> str | None:
    """The key under which `holder` has the field: the first spelling that holds something, else the first one there.

    None if there is none but with null.
    """
    keys = spelled(tuple(holder), field)
    there = [key for key in keys if holder[key] is not None] if keys else []
    return next((key for key in there if not is_empty(holder[key])), there[0]) if there else None


def value_of(holder: dict[str, Any], field: Field) -> Any:
    """What the holder has as this field; None if nothing."""
    key = key_of(holder, field)
    return None if key is None else holder[key]


def flag(value: Any) -> bool | None:
    """A mark of true or false as trainers write it: a boolean, 0 or 1, or their names; None if it is no such mark."""
    if isinstance(value, str):
        return {"true": True, "false": False, "1": True, "0": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int | float) and value in (0, 1) else None


def is_unwanted(row: dict[str, Any]) -> bool:
    """Whether the row marks its answer as one that is not to be learned.

    A label of 0 or 1 is a class as often as a mark, so it has to be true or false.
    """
    label, weight = value_of(row, LABEL), value_of(row, WEIGHT)
    is_mark = isinstance(label, bool | str) or key_of(row, LABEL) != "label"
    return (is_mark and flag(label) is False) or flag(weight) is False
