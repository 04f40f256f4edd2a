"""What `check` can find: every rule with its level and its words.

error: the row cannot be trained on as it is, or teaches something broken. warning: most such rows are defects.
advice: worth a look.
"""

from typing import Any, Literal, NamedTuple

Level = Literal["error", "warning", "advice"]
LEVELS: tuple[Level, ...] = ("error", "warning", "advice")
EVIDENCE = 160  # characters of it that are kept


class Rule(NamedTuple):
    """How bad it is, and what is wrong, in words."""

    level: Level
    says: str


RULES: dict[str, Rule] = {
    "unreadable": Rule("error", "the row cannot be read"),
    "wrong_type": Rule("error", "a field has the wrong type"),
    "missing_field": Rule("error", "a field of the file's format is missing"),
    "mixed_formats": Rule("error", "the row's format differs from the rest of the file"),
    "unknown_role": Rule("error", "a role that trainers do not know"),
    "not_alternating": Rule("error", "user and assistant do not alternate"),
    "no_answer_at_end": Rule("error", "the conversation does not end with the assistant"),
    "empty_turn": Rule("error", "empty instruction, prompt or turn"),
    "empty_output": Rule("error", "empty answer"),
    "exact_copy": Rule("error", "an exact copy of an earlier row"),
    "special_tokens": Rule("error", "control tokens of a chat template inside a text"),
    "control_characters": Rule("error", "control characters, such as NUL, or a formula whose backslash became one"),
    "half_surrogate": Rule("error", "half a surrogate pair, which is not a character"),
    "preference_pair": Rule("warning", "a pair of a chosen and a rejected answer: only the chosen one is checked"),
    "unwanted_answer": Rule("warning", "the row marks its answer as unwanted (label, kto_tag, weight)"),
    "not_read": Rule("warning", "a part of the row that check cannot read"),
    "conflicting_outputs": Rule("warning", "an earlier row has the same question and a different answer"),
    "near_duplicate": Rule("warning", "nearly the same as an earlier row"),
    "pseudo_empty_input": Rule("warning", "the input only says there is no input"),
    "output_equals_input": Rule("warning", "the output repeats the input"),
    "merged_tasks": Rule("warning", "another task or example begins inside the text"),
    "url_in_input": Rule("warning", "answering requires opening a web page"),
    "media_task": Rule("warning", "a picture, sound or video is shown, referred to or requested"),
    "cut_off": Rule("warning", "the answer is cut off"),
    "refusal": Rule("warning", "the model refuses, or talks about itself as a model"),
    "mojibake": Rule("warning", "UTF-8 decoded with the wrong encoding"),
    "replacement_character": Rule("warning", "U+FFFD: characters were lost in decoding"),
    "template_marks": Rule("warning", "parts of a prompt template that were not filled in or not removed"),
    "page_markup": Rule("warning", "markup of the page that the text was copied from"),
    "scaffolding": Rule("warning", "an unrequested remark on the answer"),
    "url_in_output": Rule("advice", "the answer has a link that is not in the question: does it exist?"),
    "surrounding_space": Rule("advice", "whitespace around the text"),
}


class Finding(NamedTuple):
    """One thing found in a row: `number` is its line or place, from 1, `field` leads to the text, dots between."""

    rule: str
    number: int
    field: str
    evidence: str

    @property
    def level(self) -> Level:
        """How bad it is."""
        return RULES[self.rule].level

    def as_dict(self, unit: str) -> dict[str, Any]:
        """The finding as JSON values; `unit` is "line" or "row", what the number counts."""
        return {
            "level": self.level, "rule": self.rule, unit: self.number, "field": self.field,
            "message": RULES[self.rule].says, "evidence": self.evidence,
        }  # fmt: skip


def at_least(level: Level) -> set[Level]:
    """The level and those that are worse."""
    return set(LEVELS[: LEVELS.index(level) + 1])
