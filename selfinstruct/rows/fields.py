"""The known fields of rows, turns and parts: their spellings, and how each is used.

One table for every command that reads rows. The first spelling with a non-empty value is read. All other non-empty
fields are not used, and counted by name (`not_used.py`). docs/file-formats.md shows the table.

The spellings are those of Alpaca, ShareGPT, Dolly, OpenAI's fine-tuning, TRL, LLaMA-Factory, Axolotl, ms-swift, oumi,
verl and Fireworks. Case does not count.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, eq=False)  # compared by identity, for speed: fields are looked up for every row
class Field:
    """Its spellings, starting with the one that we write, and how it is used, in words."""

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
PROMPT = Field(("prompt",), "a question; with `completion`, a text to be continued, or a list of turns")
COMPLETION = Field(("completion", "response", "answer", "output"), "the answer")
MESSAGES = Field(("messages",), "turns")
CONVERSATIONS = Field(("conversations", "conversation", "dialogue", "dialog"), "turns")
INSTANCES = Field(("instances",), "inputs and outputs for one instruction")
SYSTEM = Field(("system", "system_prompt", "meta_instruction"), "a system turn")
HISTORY = Field(("history",), "earlier turns: pairs of question and answer, or turns")
REASONING = Field(
    (*_REASONING, "complex_cot", "chain_of_thought", "cot", "rationale"),
    "reasoning before the answer; `finetune` trains, masks or drops it",
)
TOOLS = Field(("tools", "functions"), "tools that the chat template shows to the model; a list, or a list as JSON text")
LABEL = Field(
    ("label", "kto_tag", "desirable"), "true or false: false marks an unwanted answer, which `finetune` leaves out"
)
WEIGHT = Field(
    ("weight", "loss_weight", "train", "trainable"),
    "0 or 1, true or false: 0 marks a row or an answer that `finetune` does not train on",
)
LOSS_MASK = Field(("loss_mask",), "one 0 or 1 per turn: 0 marks an answer that `finetune` does not train on")
MEDIA = Field(
    (
        "images", "image", "image_path", "image_url", "image_file", "image_name", "image_paths", "image_urls",
        "image_files", "img", "imgs", "img_path", "picture", "pictures", "pixel_values", "videos", "video",
        "video_path", "video_url", "video_file", "audios", "audio", "audio_path", "audio_url", "audio_file",
        "audio_filepath", "media", "decoded_image", "image_base64_str", "image_base64", "image_bytes", "image_1",
        "image_2", "jpg", "jpeg", "png", "webp", "mp4", "wav", "mp3", "flac",
    ),
    "refused: an image, audio or video, reported as `media_task`",
)  # fmt: skip
CHOSEN = Field(
    ("chosen", "chosen_response", "preferred_output", "preferred_completion"),
    "the preferred answer of a pair; pairs are refused for training, reported as `preference_pair`",
)
REJECTED = Field(
    ("rejected", "rejected_response", "rejected_messages", "non_preferred_output", "non_preferred_completion"),
    "the rejected answer of a pair; pairs are refused for training, reported as `preference_pair`",
)
ROW = (
    INSTRUCTION, INPUT, OUTPUT, PROMPT, COMPLETION, MESSAGES, CONVERSATIONS, INSTANCES, SYSTEM, HISTORY, REASONING,
    TOOLS, LABEL, WEIGHT, LOSS_MASK, MEDIA, CHOSEN, REJECTED,
)  # fmt: skip

# These, and the other fields of our own files: the columns of a table that are read.
KNOWN = {name for field in ROW for name in field.spellings} | {"id", "task", "name", "is_classification", "extra"}

ROLE = Field(("role", "from"), "who speaks")
CONTENT = Field(("content", "value", "text"), "the turn's text, or a list of parts")
TURN_REASONING = Field(_REASONING, REASONING.becomes)
CALLS = Field(
    ("tool_calls", "function_call"), "tool calls, trained on like an answer if the chat template renders them"
)
TURN_WEIGHT = Field(
    ("weight", "loss_weight", "train", "trainable", "training", "loss", "loss_mask"),
    "0 or 1, true or false: 0 marks an answer that `finetune` does not train on; it never trains on other turns",
)
DETAIL = Field(
    ("train_detail",), "refused, because parts of a turn cannot be left out of the training; reported as `not_read`"
)
CALL_ID = Field(
    ("tool_call_id",),
    "the id of the call that a tool's turn answers: results are sorted into the order of the calls; without ids, they "
    "keep their own order; refused on other turns",
)
TURN = (ROLE, CONTENT, TURN_REASONING, CALLS, TURN_WEIGHT, DETAIL, CALL_ID, MEDIA)

PART_TYPE = Field(("type",), "the type of the part: `text`, `thinking` or `reasoning`; others are refused")
PART_TEXT = Field(("text", "value", "content"), "its text")
PART_REASONING = Field(_REASONING, REASONING.becomes)
PART = (PART_TYPE, PART_TEXT, PART_REASONING)

ID = Field(("id",), "the id that the `tool_call_id` of its result names")
CALL_TYPE = Field(("type",), "`function`")
FUNCTION = Field(("function",), "an object with `name` and `arguments`, which are then not read beside it")
CALL_NAME = Field(("name",), "the name of the tool")
ARGUMENTS = Field(("arguments", "parameters"), "the arguments: an object, or an object as JSON text")
CALL = (ID, CALL_TYPE, FUNCTION, CALL_NAME, ARGUMENTS)


_FLAGS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False, "yes": True, "no": False}


def is_empty(value: Any) -> bool:
    """Whether a field holds nothing: null, "", or an empty list or object."""
    return value is None or (isinstance(value, str | list | dict) and not value)


@lru_cache(4096)
def spelled(keys: tuple[str, ...], field: Field) -> tuple[str, ...]:
    """The keys that are spellings of the field, the preferred one first."""
    found = [(field.spellings.index(key.lower()), key) for key in keys if key.lower() in field.spellings]
    return tuple(key for _, key in sorted(found))


def key_of(holder: dict[str, Any], field: Field) -> str | None:
    """The key of the field in `holder`: the first spelling with a non-empty value, else the first one present.

    None if the field is missing, or null under every spelling.
    """
    keys = spelled(tuple(holder), field)
    if len(keys) < 2:  # as nearly always
        return keys[0] if keys and holder[keys[0]] is not None else None
    there = [key for key in keys if holder[key] is not None]
    return next((key for key in there if not is_empty(holder[key])), there[0]) if there else None


def value_of(holder: dict[str, Any], field: Field) -> Any:
    """The value of the field in `holder`; None if it has none."""
    key = key_of(holder, field)
    return None if key is None else holder[key]


def flag(value: Any) -> bool | None:
    """A flag as trainers write it: a boolean, 0 or 1, yes or no, or one of these as text; None for any other value."""
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int | float | Decimal) and value in (0, 1) else None


def marks(holder: dict[str, Any]) -> list[tuple[str, bool | None]]:
    """The fields of a row, or of an instance, that mark its answer, each with what it says; None if that is unclear.

    A `label` of 0 or 1, yes or no, may just as well be a class, so only true or false is a mark.
    """
    names = tuple(holder)
    if not (keys := spelled(names, LABEL) + spelled(names, WEIGHT)):
        return []
    return [
        (key, flag(value))
        for key in keys
        if not is_empty(value := holder[key])
        and (key.lower() != "label" or str(value).strip().lower() in ("true", "false"))
    ]


def is_unwanted(holder: dict[str, Any]) -> bool:
    """Whether a mark says that the answer is unwanted; one is enough."""
    return any(says is False for _, says in marks(holder))
