"""A list of turns as texts with their positions in the row: contents, parts, reasoning, tool calls, weights."""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from selfinstruct.rows import fields
from selfinstruct.rows.fields import key_of, value_of
from selfinstruct.rows.reading import DECODER

Kind = Literal[
    "system", "instruction", "input", "user", "assistant", "tool", "unknown", "thought", "call", "tools", "rejected"
]
Path = tuple[str | int, ...]

OPENAI_ROLES: dict[str, Kind] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
    "function": "tool", "tool_call": "call", "tool_response": "tool",
}  # fmt: skip
SHAREGPT_ROLES: dict[str, Kind] = OPENAI_ROLES | {
    "human": "user", "prompter": "user", "gpt": "assistant", "chatgpt": "assistant", "model": "assistant",
    "bot": "assistant", "bing": "assistant", "bard": "assistant", "function_call": "call",
    "function_response": "tool", "observation": "tool", "ipython": "tool",
}  # fmt: skip
# Placeholders such as <image>, where multimodal trainers put them: at the beginning, at the end, or alone on a line.
_PLACE = re.compile(r"(?:\A\s*|\n[^\S\n]{0,40})<(image|video|audio)>|<(image|video|audio)>\s*\Z")
_TEXTS = {"text", "input_text", "output_text"}
_THOUGHTS = {"thinking", "reasoning", "thought"}
PARTS = _TEXTS | _THOUGHTS  # the types of the parts that are read
_THINKS = ("assistant", "call", "unknown")  # who thinks, and calls tools


class Text(NamedTuple):
    """A text of a row; `path` leads to it through the row's fields and lists, None if it was assembled.

    `trained`: false if the row excludes this answer from training.
    """

    kind: Kind
    text: str
    field: str
    path: Path | None
    trained: bool = True

    @property
    def is_answer(self) -> bool:
        """Whether it is an answer of the assistant."""
        return self.kind == "assistant"


class Problem(NamedTuple):
    """A problem with a row's structure: the rule's name, the field, and the evidence."""

    rule: str
    field: str
    evidence: str


def turns(value: Any, path: Path, problems: list[Problem], mask: Sequence[Any] | None = None) -> list[Text]:
    """The texts of a list of turns; `mask` says for each turn whether it is trained on."""
    if not isinstance(value, list):
        problems.append(Problem("wrong_type", dotted(path), f"{type_of(value)}, not a list of turns"))
        return []
    by_turn: list[list[Text]] = []
    for i, turn in enumerate(value):
        texts: list[Text] = []
        if isinstance(turn, dict):
            texts = _turn(turn, (*path, i), problems)
            if mask is not None and (mask[i] is not None or _is_learned(texts)):
                is_trained = _trained(mask[i], (fields.LOSS_MASK.name, i), problems) or not _is_learned(texts)
                texts = [text._replace(trained=text.trained and is_trained) for text in texts]
        else:
            problems.append(Problem("wrong_type", dotted((*path, i)), f"{type_of(turn)}, not an object"))
        by_turn.append(texts)
    found = [text for texts in by_turn for text in texts]
    if any(text.kind in ("call", "tool") for text in found):
        return _results_in_order(value, by_turn, path, problems)
    return found


def answers(value: Any, path: Path, kind: Kind, problems: list[Problem]) -> list[Text]:
    """The texts of a field that may hold a text, a turn, or a list of turns; a plain text is of `kind`."""
    if isinstance(value, str):
        return [Text(kind, value, dotted(path), path)]
    return _turn(value, path, problems) if isinstance(value, dict) else turns(value, path, problems)


def history(value: Any, path: Path, problems: list[Problem]) -> list[Text]:
    """Earlier turns: pairs of question and answer, one of which may be empty; or turns."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return turns(value, path, problems)
    found: list[Text] = []
    for i, pair in enumerate(value if isinstance(value, list) else [value]):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str | None) for text in pair):
            place = (*path, i) if isinstance(value, list) else path
            problems.append(Problem("wrong_type", dotted(place), f"{type_of(pair)}, not a question and its answer"))
            continue
        kinds: tuple[Kind, Kind] = ("user", "assistant")
        found += [
            Text(kind, text, dotted((*path, i, n)), (*path, i, n))
            for n, (kind, text) in enumerate(zip(kinds, pair, strict=True))
            if text
        ]
    return found


def the_tools(value: Any, path: Path, problems: list[Problem]) -> list[Text]:
    """The tools that a model may call, as one text of JSON."""
    read = parsed(value)
    read = [parsed(tool) for tool in (read if isinstance(read, list) else [read])]
    if not all(isinstance(tool, dict) for tool in read):
        problems.append(Problem("not_read", dotted(path), f"{type_of(value)}, not a list of tools"))
        return []
    return [Text("tools", as_json(read), dotted(path), None)]


def one_text(holder: dict[str, Any], path: Path, kind: Kind, problems: list[Problem]) -> list[Text]:
    """The text in `holder` under the last key of the path."""
    value = holder[str(path[-1])]
    if not isinstance(value, str):
        problems.append(Problem("wrong_type", dotted(path), f"{type_of(value)}, not text"))
        return []
    return [Text(kind, value, dotted(path), path)]


def dotted(path: Path) -> str:
    """A path in dotted form, for messages."""
    return ".".join(map(str, path))


def as_json(value: Any) -> str:
    """A value as canonical JSON text: equal values give equal texts."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def type_of(value: Any) -> str:
    """A value's type in words."""
    names = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return "null" if value is None else names.get(type(value), type(value).__name__)


def type_of_part(part: dict[str, Any]) -> str:
    """The type of a part of a content."""
    return str(part.get("type") or "text")


def key_of_part(part: dict[str, Any]) -> str | None:
    """The key of what a part says; only a part of reasoning says its reasoning."""
    field = fields.PART_REASONING if type_of_part(part) in _THOUGHTS else fields.PART_TEXT
    return key_of(part, field) or key_of(part, fields.PART_TEXT)


def keys_of_calls(turn: dict[str, Any]) -> list[str]:
    """The keys under which a turn has tool calls: beside what it says, and what it says if it is a call itself."""
    keys = [key for key in fields.spelled(tuple(turn), fields.CALLS) if not fields.is_empty(turn[key])]
    role, said = value_of(turn, fields.ROLE), key_of(turn, fields.CONTENT)
    return [*keys, said] if said and isinstance(role, str) and SHAREGPT_ROLES.get(role) == "call" else keys


def ids_of_calls(turn: dict[str, Any]) -> list[str]:
    """The ids of a turn's calls."""
    calls = [call for key in keys_of_calls(turn) for call in calls_in(turn[key])]
    return [str(name) for call in calls if isinstance(call, dict) and (name := value_of(call, fields.ID))]


def calls_in(value: Any) -> list[Any]:
    """Tool calls, or one, also as JSON text."""
    read = parsed(value)
    return [parsed(one) for one in (read if isinstance(read, list) else [read])]


def _turn(turn: dict[str, Any], path: Path, problems: list[Problem]) -> list[Text]:
    said = key_of(turn, fields.CONTENT) or ("content" if "content" in turn else None)
    speaker = key_of(turn, fields.ROLE) or ("role" if said != "value" else "from")
    roles = OPENAI_ROLES if speaker == "role" and said != "value" else SHAREGPT_ROLES
    role = turn.get(speaker)
    kind = roles.get(role, "unknown") if isinstance(role, str) else "unknown"
    if kind == "unknown":
        problems.append(Problem("unknown_role", dotted((*path, speaker)), str(role)[:60]))
    found: list[Text] = []
    if (key := key_of(turn, fields.TURN_REASONING)) and turn[key]:
        found += one_text(turn, (*path, key), "thought", problems) if kind in _THINKS else []
        if kind not in _THINKS:
            why = f"reasoning in a turn with role {kind}, not assistant"
            problems.append(Problem("not_read", dotted((*path, key)), why))
    if kind != "tool" and (key := key_of(turn, fields.CALL_ID)) and not fields.is_empty(turn[key]):
        why = f"a call id in a turn with role {kind}, not tool"
        problems.append(Problem("not_read", dotted((*path, key)), why))
    calls = value_of(turn, fields.CALLS)
    content = None if said is None else turn[said]
    if kind == "call":
        found += _calls(content if content is not None else turn, (*path, said or "content"), problems)
    elif isinstance(content, list):
        found += _of_parts(content, kind, (*path, str(said)), problems)
    elif said is None and not calls:
        problems.append(Problem("missing_field", dotted((*path, "content" if speaker == "role" else "value")), ""))
    elif not (calls and fields.is_empty(content)):
        found += one_text(turn, (*path, str(said)), kind, problems)
    if calls:
        found += _calls_of(turn, kind, path, problems)
    if (key := key_of(turn, fields.MEDIA)) and not fields.is_empty(turn[key]):
        problems.append(Problem("media_task", dotted((*path, key)), f"media ({type_of(turn[key])})"))
    return _weighed(turn, found, path, problems)


def _results_in_order(value: list[Any], by_turn: list[list[Text]], path: Path, problems: list[Problem]) -> list[Text]:
    """The texts of the turns, with the results of tools in the order of the calls that their ids name.

    A problem is an id that no call before it has, and a call with an id that gets no result, though the talk goes on.
    """
    ordered = list(by_turn)
    called: dict[str, int] = {}  # the ids of the calls that wait, each with its turn
    has_others = True  # whether calls without an id wait, too: at the beginning, those of turns before this list
    results: list[int] = []
    for i, texts in enumerate([*by_turn, None]):
        kinds = {text.kind for text in texts or ()}
        if "tool" in kinds:
            results.append(i)
            continue
        if results or "call" not in kinds:
            if (called or not has_others) and (results or texts is not None):
                for place, result in zip(results, _matched(value, called, results, path, problems), strict=True):
                    ordered[place] = by_turn[result]
            called, results, has_others = {}, [], False
        if "call" in kinds:
            ids = ids_of_calls(value[i])
            called |= dict.fromkeys(ids, i)
            has_others |= not ids
    return [text for texts in ordered for text in texts]


def _matched(
    value: list[Any], called: dict[str, int], results: list[int], path: Path, problems: list[Problem]
) -> list[int]:
    """The turns with results, in the order of the calls if all of them have the id of one."""
    waiting = dict(called)
    keys = [key_of(value[n], fields.CALL_ID) for n in results]
    ids = [str(value[n][key]) if key and value[n][key] != "" else None for n, key in zip(results, keys, strict=True)]
    for n, key, name in zip(results, keys, ids, strict=True):
        if name is not None and waiting.pop(name, None) is None:
            problems.append(
                Problem("not_read", dotted((*path, n, str(key))), f"{name[:40]}: no earlier call has this id")
            )
    if len(waiting) > ids.count(None):
        name, n = next(iter(waiting.items()))
        problems.append(Problem("not_read", dotted((*path, n)), f"no result for the call {name[:40]}"))
    place = {name: n for n, name in enumerate(called)}
    if not place.keys() >= set(ids):
        return results
    return [n for _, n in sorted((place[str(name)], n) for name, n in zip(ids, results, strict=True))]


def _weighed(turn: dict[str, Any], found: list[Text], path: Path, problems: list[Problem]) -> list[Text]:
    """The texts, with the turn's weight applied."""
    if (key := key_of(turn, fields.DETAIL)) and not fields.is_empty(turn[key]):
        problems.append(Problem("not_read", dotted((*path, key)), "parts of a turn cannot be left out"))
    keys = fields.spelled(tuple(turn), fields.TURN_WEIGHT)
    if not keys or not _is_learned(found):
        return found
    said = [_trained(turn[key], (*path, key), problems) for key in keys if not fields.is_empty(turn[key])]
    return [text._replace(trained=all(said)) for text in found]


def _is_learned(texts: list[Text]) -> bool:
    return any(text.kind in ("assistant", "call") for text in texts)


def _trained(value: Any, path: Path, problems: list[Problem]) -> bool:
    """What one weight says; a problem if that is neither yes nor no."""
    says = fields.flag(value)
    if says is None:
        problems.append(Problem("not_read", dotted(path), f"{str(value)[:40]}, neither 0 nor 1"))
    return says is not False


def _of_parts(parts: Sequence[Any], kind: Kind, path: Path, problems: list[Problem]) -> list[Text]:
    """A turn whose content is a list of parts: the reasoning, then the texts joined into one."""
    texts: list[tuple[str, Path]] = []
    thoughts: list[Text] = []
    for i, part in enumerate(parts):
        holder = part if isinstance(part, dict) else {}
        named, key = type_of_part(holder), key_of_part(holder)
        if key and isinstance(holder[key], str) and named in _THOUGHTS and kind in _THINKS:
            thoughts.append(Text("thought", holder[key], dotted((*path, i, key)), (*path, i, key)))
        elif key and isinstance(holder[key], str) and named in _TEXTS:
            texts.append((holder[key], (*path, i, key)))
        elif named.startswith(("image", "video", "audio", "input_image", "input_audio", "file", "input_file")):
            problems.append(Problem("media_task", dotted((*path, i)), f"a part of type {named[:40]}"))
        elif named not in _TEXTS:
            problems.append(Problem("not_read", dotted((*path, i)), f"a part of type {named[:40]}"))
        else:
            problems.append(Problem("wrong_type", dotted((*path, i)), f"{type_of(part)}, not a part with text"))
    joined = "\n".join(text for text, _ in texts)
    return [*thoughts, Text(kind, joined, dotted(path), texts[0][1] if len(texts) == 1 else None)]


def _calls_of(turn: dict[str, Any], kind: Kind, path: Path, problems: list[Problem]) -> list[Text]:
    """The tool calls beside what a turn says; under both names, they must be the same."""
    keys = [key for key in fields.spelled(tuple(turn), fields.CALLS) if not fields.is_empty(turn[key])]
    if kind not in _THINKS:
        why = f"tool calls in a turn with role {kind}, not assistant"
        problems.append(Problem("not_read", dotted((*path, keys[0])), why))
        return []
    found, *others = [_calls(turn[key], (*path, key), problems) for key in keys]
    for other in others:
        if other[0].text != found[0].text:
            problems.append(Problem("not_read", other[0].field, f"not the same calls as in {keys[0]}"))
    return found


def _calls(value: Any, path: Path, problems: list[Problem]) -> list[Text]:
    """Tool calls as one text: a JSON list of names with arguments."""
    found = []
    for one in calls_in(value):
        call = (value_of(one, fields.FUNCTION) or one) if isinstance(one, dict) else None
        name = value_of(call, fields.CALL_NAME) if isinstance(call, dict) else None
        if not isinstance(call, dict) or not isinstance(name, str):
            problems.append(Problem("not_read", dotted(path), f"{type_of(one)}, not a call with a name"))
            return [Text("call", as_json(parsed(value)), dotted(path), None)]
        arguments = value_of(call, fields.ARGUMENTS)
        arguments = {} if fields.is_empty(arguments) else parsed(arguments)
        if not isinstance(arguments, dict):
            problems.append(Problem("not_read", dotted(path), f"{type_of(arguments)} as arguments, not an object"))
        found.append({"name": name, "arguments": arguments})
    return [Text("call", as_json(found), dotted(path), None)]


def parsed(value: Any) -> Any:
    """A JSON text parsed; anything else unchanged, also JSON with two values for one field."""
    if not isinstance(value, str):
        return value
    try:
        return DECODER.decode(value)
    except (RecursionError, ValueError):
        return value
