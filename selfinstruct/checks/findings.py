"""What `check` can find: every rule with its level and its words.

error: the row cannot be trained on as it is, or teaches something broken. warning: most such rows are defects.
advice: worth a look.
"""

from typing import Any, Literal, NamedTuple

Level = Literal["error", "warning", "advice"]
LEVELS: tuple[Level, ...] = ("error", "warning", "advice")
EVIDENCE = 160  # characters of it that are kept


class Rule(NamedTuple):
    """How bad it is, and what is wrong, in a person's words."""

    level: Level
    says: str


RULES: dict[str, Rule] = {
    "unreadable": Rule("error", "the row cannot be read"),
    "wrong_type": Rule("error", "a field holds what it should not"),
    "missing_field": Rule("error", "a field of the file's format is missing"),
    "mixed_formats": Rule("error", "the row has another format than the file"),
    "unknown_role": Rule("error", "no role that trainers know"),
    "not_alternating": Rule("error", "user and assistant do not take turns"),
    "no_answer_at_end": Rule("error", "the conversation does not end with the assistant"),
    "empty_turn": Rule("error", "nothing is asked: an empty instruction, prompt or turn"),
    "empty_output": Rule("error", "nothing is answered"),
    "exact_copy": Rule("error", "all texts are those of an earlier row"),
    "special_tokens": Rule("error", "control tokens of a chat template inside a text"),
    "control_characters": Rule("error", "control characters, such as NUL"),
    "half_surrogate": Rule("error", "half a surrogate pair, which is no character"),
    "conflicting_outputs": Rule("warning", "an earlier row asks the same and is answered differently"),
    "near_duplicate": Rule("warning", "nearly the same as an earlier row"),
    "pseudo_empty_input": Rule("warning", "the input only says that there is none"),
    "output_equals_input": Rule("warning", "the output repeats the input"),
    "merged_tasks": Rule("warning", "another task begins inside the text"),
    "url_in_input": Rule("warning", "a page has to be opened to answer"),
    "media_task": Rule("warning", "a picture, a sound or a video is needed, asked for or pretended"),
    "cut_off": Rule("warning", "the answer breaks off"),
    "refusal": Rule("warning", "the model declines, or speaks of itself as one"),
    "mojibake": Rule("warning", "UTF-8 that was decoded as something else"),
    "replacement_character": Rule("warning", "U+FFFD: characters were lost in decoding"),
    "template_marks": Rule("warning", "parts of a prompt template that was not filled in, or not taken off"),
    "url_in_output": Rule("advice", "the answer has a link that the question does not: is it there?"),
    "surrounding_space": Rule("advice", "white space around the text"),
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
