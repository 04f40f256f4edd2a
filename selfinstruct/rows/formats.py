"""The formats of a row, and a row of any of them as conversations whose texts know where they stand.

| format            | a row is told by                                                    |
|-------------------|---------------------------------------------------------------------|
| self-instruct     | instruction, instances: a task, each instance is a conversation     |
| records           | instruction, output, messages: a line of a run's records.jsonl      |
| messages          | messages: [{role, content}, ...]; also under conversations          |
| sharegpt          | conversations: [{from, value}, ...]                                 |
| prompt-completion | prompt, completion: texts, or lists of messages                     |
| alpaca            | instruction, output; input may be missing                           |

A text "system" beside them is a system turn. A message's content may be a list of parts; those that are no text are
said to be media.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

Format = Literal["self-instruct", "records", "messages", "sharegpt", "prompt-completion", "alpaca"]
Kind = Literal["system", "instruction", "input", "user", "assistant", "tool", "unknown"]
Path = tuple[str | int, ...]

# In this order: the first one of which a row has all fields is its format.
REQUIRED: dict[Format, tuple[str, ...]] = {
    "self-instruct": ("instruction", "instances"),
    "records": ("instruction", "output", "messages"),
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "prompt-completion": ("prompt", "completion"),
    "alpaca": ("instruction", "output"),
}
FIELDS = ("system", "instruction", "input", "output", "instances", "messages", "conversations", "prompt", "completion")
OPENAI_ROLES: dict[str, Kind] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
    "function": "tool",
}  # fmt: skip
SHAREGPT_ROLES: dict[str, Kind] = OPENAI_ROLES | {
    "human": "user", "prompter": "user", "gpt": "assistant", "chatgpt": "assistant", "model": "assistant",
    "bot": "assistant", "bing": "assistant", "bard": "assistant", "function_call": "assistant",
    "function_response": "tool", "observation": "tool",
}  # fmt: skip


class Text(NamedTuple):
    """A text of a row; `path` leads to it through the row's fields and lists, None if it is put together."""

    kind: Kind
    text: str
    field: str
    path: Path | None

    @property
    def is_answer(self) -> bool:
        """Whether a model is trained to say it."""
        return self.kind == "assistant"


class Conversation(NamedTuple):
    """Its texts in order. `has_turns`: it is a list of turns, not fields; `is_raw`: prompt and completion as texts."""

    texts: list[Text]
    has_turns: bool = False
    is_raw: bool = False


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


class Problem(NamedTuple):
    """Something wrong with a row's form: the rule's name, the field, what was seen."""

    rule: str
    field: str
    evidence: str


def format_of(row: Any) -> Format | None:
    """The format of which the row has all fields; None if there is none. A null counts as missing."""
    if not isinstance(row, dict):
        return None
    has = {name for name in FIELDS if row.get(name) is not None}
    # An output of null is for the rules to complain about, where the row has nothing else to be known by.
    has |= {"output"} & row.keys() if "instruction" in has else set()
    found = next((name for name, fields in REQUIRED.items() if has.issuperset(fields)), None)
    if found == "sharegpt" and _is_openai(row["conversations"]):
        return "messages"
    return found


def conversations(row: dict[str, Any], format: Format) -> tuple[list[Conversation], list[Problem]]:
    """The conversations of a row of this format, as far as they can be read, and what is wrong with its form."""
    problems: list[Problem] = []
    system = _text(row, ("system",), "system", problems) if row.get("system") is not None else []
    if format in ("messages", "sharegpt"):
        name = "messages" if row.get("messages") is not None else "conversations"
        found = [Conversation([*system, *_turns(row[name], (name,), problems)], has_turns=True)]
    elif format == "prompt-completion":
        if isinstance(row["prompt"], list) or isinstance(row["completion"], list):
            turns = [turn for name in REQUIRED[format] for turn in _turns(row[name], (name,), problems)]
            found = [Conversation([*system, *turns], has_turns=True)]
        else:
            prompt = _text(row, ("prompt",), "user", problems)
            found = [Conversation([*system, *prompt, *_text(row, ("completion",), "assistant", problems)], is_raw=True)]
    elif format == "self-instruct":
        task = _text(row, ("instruction",), "instruction", problems)
        instances = row["instances"]
        if not isinstance(instances, list) or not instances:
            problems.append(Problem("wrong_type", "instances", f"{_type(instances)}, not a list of instances"))
            instances = []
        found = [
            Conversation([*system, *task, *_instance(instance, ("instances", i), problems)])
            for i, instance in enumerate(instances)
        ] or [Conversation([*system, *task])]
    else:
        task = _text(row, ("instruction",), "instruction", problems)
        found = [Conversation([*system, *task, *_instance(row, (), problems)])]
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


def _is_openai(turns: Any) -> bool:
    return isinstance(turns, list) and bool(turns) and isinstance(turns[0], dict) and "role" in turns[0]


def _instance(value: Any, path: Path, problems: list[Problem]) -> list[Text]:
    if not isinstance(value, dict):
        problems.append(Problem("wrong_type", _field(path), f"{_type(value)}, not an object"))
        return []
    given = _text(value, (*path, "input"), "input", problems) if value.get("input") is not None else []
    if "output" not in value:
        problems.append(Problem("missing_field", _field((*path, "output")), ""))
        return given
    return [*given, *_text(value, (*path, "output"), "assistant", problems)]


def _turns(value: Any, path: Path, problems: list[Problem]) -> list[Text]:
    if isinstance(value, str) and path in (("prompt",), ("completion",)):
        return [Text("user" if path == ("prompt",) else "assistant", value, _field(path), path)]
    if not isinstance(value, list):
        problems.append(Problem("wrong_type", _field(path), f"{_type(value)}, not a list of turns"))
        return []
    found: list[Text] = []
    for i, turn in enumerate(value):
        at = (*path, i)
        if not isinstance(turn, dict):
            problems.append(Problem("wrong_type", _field(at), f"{_type(turn)}, not an object"))
            continue
        openai = "role" in turn or "content" in turn
        speaker, said = ("role", "content") if openai else ("from", "value")
        role = turn.get(speaker)
        roles = OPENAI_ROLES if openai else SHAREGPT_ROLES
        kind = roles.get(role, "unknown") if isinstance(role, str) else "unknown"
        if kind == "unknown":
            problems.append(Problem("unknown_role", _field((*at, speaker)), str(role)[:60]))
        if kind == "assistant" and turn.get(said) is None and (turn.get("tool_calls") or turn.get("function_call")):
            found.append(Text("assistant", "(calls a tool)", _field((*at, said)), None))
        elif isinstance(turn.get(said), list):
            found.append(_of_parts(turn[said], kind, (*at, said), problems))
        elif said not in turn:
            problems.append(Problem("missing_field", _field((*at, said)), ""))
        else:
            found += _text(turn, (*at, said), kind, problems)
    return found


def _of_parts(parts: Sequence[Any], kind: Kind, path: Path, problems: list[Problem]) -> Text:
    """A turn whose content is a list of parts: their texts joined."""
    texts: list[tuple[str, Path]] = []
    for i, part in enumerate(parts):
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            texts.append((part["text"], (*path, i, "text")))
        elif isinstance(part, dict) and isinstance(part.get("type"), str) and part["type"] != "text":
            problems.append(Problem("media_task", _field((*path, i)), f"a part of type {part['type'][:40]}"))
        else:
            problems.append(Problem("wrong_type", _field((*path, i)), f"{_type(part)}, not a part with text"))
    return Text(kind, "\n".join(text for text, _ in texts), _field(path), texts[0][1] if len(texts) == 1 else None)


def _text(holder: dict[str, Any], path: Path, kind: Kind, problems: list[Problem]) -> list[Text]:
    value = holder[str(path[-1])]
    if isinstance(value, str):
        return [Text(kind, value, _field(path), path)]
    problems.append(Problem("wrong_type", _field(path), f"{_type(value)}, not text"))
    return []


def _field(path: Path) -> str:
    return ".".join(map(str, path))


def _type(value: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)
