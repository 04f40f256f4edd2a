"""The formats of a row, and a row of any of them as conversations whose texts know where they stand.

| format            | a row is told by                                                    |
|-------------------|---------------------------------------------------------------------|
| preference        | chosen, rejected: two answers to one question                       |
| self-instruct     | instruction, instances: a task, each instance is a conversation     |
| records           | instruction, output, messages: a line of a run's records.jsonl      |
| messages          | messages: [{role, content}, ...]; also under conversations          |
| sharegpt          | conversations: [{from, value}, ...]                                 |
| alpaca            | instruction, output; input may be missing                           |
| prompt-completion | prompt, completion: texts, or lists of messages                     |

Fields have other spellings, too, and other fields may stand beside them, such as a system turn or earlier turns:
`fields.py` has all of them. What is no text of a turn is a text of its own kind: reasoning, calls of tools, tools, and
an answer that was rejected.
"""

from typing import Any, Literal, NamedTuple

from selfinstruct.rows import fields
from selfinstruct.rows.fields import Field, key_of, value_of
from selfinstruct.rows.media import media_mark
from selfinstruct.rows.turns import (
    Path,
    Problem,
    Text,
    answers,
    as_json,
    dotted,
    history,
    one_text,
    the_tools,
    turns,
    type_of,
)  # fmt: skip

__all__ = ["Conversation", "Exchange", "Format", "Problem", "Text", "conversations", "exchanges", "format_of"]

Format = Literal["preference", "self-instruct", "records", "messages", "sharegpt", "prompt-completion", "alpaca"]

# In this order: the first one of which a row has all fields is its format; by their first spelling, or else by any.
REQUIRED: dict[Format, tuple[str, ...]] = {
    "preference": ("chosen", "rejected"),
    "self-instruct": ("instruction", "instances"),
    "records": ("instruction", "output", "messages"),
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "output"),
    "prompt-completion": ("prompt", "completion"),
}
_ASKED = ("instruction", "input", "user")
_FIELDS = {field.name: field for field in fields.ROW}


class Conversation(NamedTuple):
    """Its texts in order. `has_turns`: it is a list of turns, not fields; `is_raw`: prompt and completion as texts.

    `is_unwanted`: the row marks its answer as one that is not to be learned.
    """

    texts: list[Text]
    has_turns: bool = False
    is_raw: bool = False
    is_unwanted: bool = False


class Exchange(NamedTuple):
    """An answer with what was asked: an instruction or a turn of the user's, and the input field beside it."""

    asked: Text
    given: Text | None
    answer: Text
    is_first: bool

    @property
    def question(self) -> str:
        """Instruction and input, or the user's turn."""
        return "\n".join(text.text for text in (self.asked, self.given) if text and text.text)


def format_of(row: Any) -> Format | None:
    """The format of which the row has all fields; None if there is none. A null counts as missing."""
    if not isinstance(row, dict):
        return None
    has = {name for name in _FIELDS if row.get(name) is not None}
    # An output of null is for the rules to complain about, where the row has nothing else to be known by.
    has |= {"output"} & row.keys() if "instruction" in has else set()
    found = next((name for name, required in REQUIRED.items() if has.issuperset(required)), None)
    if found is None:
        has = {name for name, field in _FIELDS.items() if key_of(row, field) is not None}
        found = next((name for name, required in REQUIRED.items() if has.issuperset(required)), None)
    if found == "sharegpt" and _is_openai(value_of(row, fields.CONVERSATIONS)):
        return "messages"
    return found


def conversations(row: dict[str, Any], format: Format) -> tuple[list[Conversation], list[Problem]]:
    """The conversations of a row of this format, as far as they can be read, and what is wrong with its form."""
    problems: list[Problem] = []
    before = _before(row, problems)
    has_history = bool(value_of(row, fields.HISTORY))
    if format == "preference":
        found = [_pair(row, problems)]
    elif format in ("messages", "sharegpt"):
        found = [Conversation(_said(row, problems), has_turns=True)]
    elif format == "prompt-completion":
        found = [_prompted(row, problems)]
    elif format == "self-instruct":
        task = _field(row, fields.INSTRUCTION, "instruction", problems)
        key, instances = str(key_of(row, fields.INSTANCES)), value_of(row, fields.INSTANCES)
        if not isinstance(instances, list) or not instances:
            problems.append(Problem("wrong_type", key, f"{type_of(instances)}, not a list of instances"))
            instances = []
        found = [
            Conversation(
                [*task, *_instance(instance, (key, i), problems)],
                is_unwanted=isinstance(instance, dict) and fields.is_unwanted(instance),
            )
            for i, instance in enumerate(instances)
        ] or [Conversation(task)]
    else:
        task = _field(row, fields.INSTRUCTION, "instruction", problems)
        found = [Conversation([*task, *_instance(row, (), problems)])]
    if format == "records":
        _more_in_turns(row, problems)
    is_unwanted = _beside(row, (), problems)
    if format != "preference" and not fields.is_empty(value_of(row, fields.REJECTED)):
        problems.append(Problem("preference_pair", str(key_of(row, fields.REJECTED)), "next to the answer"))
    found = [
        one._replace(
            texts=_with_system([*before, *one.texts], problems),
            has_turns=one.has_turns or has_history, is_raw=one.is_raw and not has_history,
            is_unwanted=is_unwanted or one.is_unwanted,
        )
        for one in found
    ]  # fmt: skip
    for one in found:
        for text in one.texts:
            if text.kind in _ASKED and (mark := media_mark(text.text)) is not None:
                problems.append(Problem("media_task", text.field, mark))
    return found, problems


def exchanges(conversation: Conversation) -> list[Exchange]:
    """Each answer with the nearest question before it; an answer without one is left out."""
    found: list[Exchange] = []
    asked = given = None
    for text in conversation.texts:
        if text.kind in ("instruction", "user"):
            asked, given = text, None
        elif text.kind == "input":
            given = text
        elif text.is_answer and asked:
            found.append(Exchange(asked, given, text, is_first=not found))
    return found


def _is_openai(said: Any) -> bool:
    return (
        isinstance(said, list) and bool(said) and isinstance(said[0], dict) and key_of(said[0], fields.ROLE) != "from"
    )


def _before(row: dict[str, Any], problems: list[Problem]) -> list[Text]:
    """What comes before the question in any format: the tools, a system turn, and earlier turns."""
    found: list[Text] = []
    if (key := key_of(row, fields.TOOLS)) and not fields.is_empty(row[key]):
        found += the_tools(row[key], (key,), problems)
    found += _field(row, fields.SYSTEM, "system", problems)
    if key := key_of(row, fields.HISTORY):
        found += history(row[key], (key,), problems)
    return found


def _with_system(texts: list[Text], problems: list[Problem]) -> list[Text]:
    """The texts without a system field that a turn repeats; where the turn says something else, a problem.

    Trainers differ in which of the two they take, so the row does not say which one is meant.
    """
    field = next((text for text in texts if text.kind == "system" and len(text.path or ()) == 1), None)
    in_turns = [text for text in texts if text.kind == "system" and text is not field and text.text.strip()]
    if field is None or not field.text.strip() or not in_turns:
        return texts
    if field.text.strip() in [text.text.strip() for text in in_turns]:
        return [text for text in texts if text is not field]
    problem = Problem("not_read", field.field, f"not the same text as in {in_turns[0].field}")
    if problem not in problems:  # the instances of a task have the same
        problems.append(problem)
    return texts


def _beside(holder: dict[str, Any], path: Path, problems: list[Problem]) -> bool:
    """Whether a row or an instance marks its answer as unwanted; media and unclear marks beside it are problems."""
    if (key := key_of(holder, fields.MEDIA)) and not fields.is_empty(holder[key]):
        problems.append(Problem("media_task", dotted((*path, key)), f"media ({type_of(holder[key])})"))
    marks = fields.marks(holder)
    for key, says in marks:
        if says is None:
            problems.append(Problem("not_read", dotted((*path, key)), f"{str(holder[key])[:40]}, neither 0 nor 1"))
    return any(says is False for _, says in marks)


def _more_in_turns(row: dict[str, Any], problems: list[Problem]) -> None:
    """What a record's turns say beside its fields, which are what is read of it."""
    name, messages = key_of(row, fields.MESSAGES), value_of(row, fields.MESSAGES)
    for i, turn in enumerate(messages if isinstance(messages, list) else []):
        if isinstance(turn, dict) and turn.keys() - {"role", "content"}:
            for field in fields.TURN[2:]:  # all but who speaks, and what
                if (key := key_of(turn, field)) and not fields.is_empty(turn[key]):
                    problems.append(Problem("not_read", f"{name}.{i}.{key}", "of a record, only the fields are read"))


def _said(row: dict[str, Any], problems: list[Problem]) -> list[Text]:
    """The turns of a row that has them."""
    key = key_of(row, fields.MESSAGES) or key_of(row, fields.CONVERSATIONS)
    if key is None:
        return []
    mask = value_of(row, fields.LOSS_MASK)
    if mask is not None and not (isinstance(mask, list) and isinstance(row[key], list) and len(mask) == len(row[key])):
        problems.append(Problem("wrong_type", "loss_mask", f"{type_of(mask)}, not one 0 or 1 for each turn"))
        mask = None
    return turns(row[key], (key,), problems, mask)


def _prompted(row: dict[str, Any], problems: list[Problem]) -> Conversation:
    prompt, completion = key_of(row, fields.PROMPT) or "prompt", key_of(row, fields.COMPLETION) or "completion"
    if isinstance(row[prompt], list) or isinstance(row[completion], list):
        said = [*answers(row[prompt], (prompt,), "user", problems), *_thought(row, (), problems)]
        return Conversation([*said, *answers(row[completion], (completion,), "assistant", problems)], has_turns=True)
    texts = one_text(row, (prompt,), "user", problems) + _thought(row, (), problems)
    # Only under this name are the two parts of one text.
    return Conversation(
        [*texts, *one_text(row, (completion,), "assistant", problems)], is_raw=completion == "completion"
    )


def _pair(row: dict[str, Any], problems: list[Problem]) -> Conversation:
    """The question with the chosen answer; the rejected one is a text of its own, which no rule about answers sees."""
    chosen, rejected = key_of(row, fields.CHOSEN), key_of(row, fields.REJECTED)
    problems.append(Problem("preference_pair", str(rejected), ""))
    texts = answers(value_of(row, fields.CHOSEN), (str(chosen),), "assistant", problems)
    if not any(text.kind == "user" for text in texts):
        texts = [*_asked(row, problems), *texts]
    bad = value_of(row, fields.REJECTED)
    if bad is not None and not isinstance(bad, str | list | dict):
        problems.append(Problem("wrong_type", str(rejected), f"{type_of(bad)}, not a string or turns"))
    path = (str(rejected),) if isinstance(bad, str) else None
    return Conversation([*texts, Text("rejected", bad if path else as_json(bad), str(rejected), path)], has_turns=True)


def key_of_asked(row: dict[str, Any]) -> str | None:
    """The key of the input of a pair that has its turns inside, as OpenAI's do; None if it has none."""
    key = key_of(row, fields.INPUT)
    return key if key and key.lower() == fields.INPUT.name and isinstance(row[key], dict) else None


def keys_of_asked(row: dict[str, Any]) -> list[str]:
    """The keys of the question of a pair; none if its answers have the question inside."""
    if any(text.kind == "user" for text in answers(value_of(row, fields.CHOSEN), (), "assistant", [])):
        return []
    if inside := key_of_asked(row):
        return [inside]
    places = fields.MESSAGES, fields.CONVERSATIONS, fields.PROMPT, fields.INSTRUCTION
    keys = [key for field in places if (key := key_of(row, field))]
    keys = ([key for key in keys if not fields.is_empty(row[key])] or keys)[:1]
    given = key_of(row, fields.INPUT)
    return [*keys, given] if given and keys and isinstance(row[keys[0]], str) else keys


def _asked(row: dict[str, Any], problems: list[Problem]) -> list[Text]:
    """The question of a pair: turns, a prompt, or an instruction with its input."""
    keys = keys_of_asked(row)
    if not keys:
        return []
    if key_of_asked(row) == keys[0]:
        return turns(row[keys[0]].get("messages"), (keys[0], "messages"), problems)
    if keys[0].lower() in (*fields.MESSAGES.spellings, *fields.CONVERSATIONS.spellings):
        return turns(row[keys[0]], (keys[0],), problems)
    asked = answers(row[keys[0]], (keys[0],), "user", problems)
    return asked + [text for key in keys[1:] for text in one_text(row, (key,), "input", problems)]


def _instance(value: Any, path: Path, problems: list[Problem]) -> list[Text]:
    if not isinstance(value, dict):
        problems.append(Problem("wrong_type", dotted(path), f"{type_of(value)}, not an object"))
        return []
    if path:
        _beside(value, path, problems)
    found: list[Text] = []
    if key := key_of(value, fields.INPUT):
        found += one_text(value, (*path, key), "input", problems)
    key = key_of(value, fields.OUTPUT) or ("output" if "output" in value else None)
    if key is None:
        problems.append(Problem("missing_field", dotted((*path, "output")), ""))
        return found
    return [*found, *_thought(value, path, problems), *one_text(value, (*path, key), "assistant", problems)]


def _thought(holder: dict[str, Any], path: Path, problems: list[Problem]) -> list[Text]:
    key = key_of(holder, fields.REASONING)
    return one_text(holder, (*path, key), "thought", problems) if key and holder[key] else []


def _field(row: dict[str, Any], field: Field, kind: Any, problems: list[Problem]) -> list[Text]:
    key = key_of(row, field)
    return one_text(row, (key,), kind, problems) if key else []
