"""An answer as JSON that fits the requested schema.

    >>> answer = plain("tasks", [Item(instruction="Name a fruit."), Item(instruction="Name a tree.")])
    >>> wanted = {"type": "object", "properties": {"ideas": {"type": "array", "items": {"type": "string"}}}}
    >>> as_json(answer, wanted).text
    '{"ideas": ["Name a fruit.", "Name a tree."]}'

The schema is interpreted loosely: the first array gets the items; a property is filled according to its name
(instruction or task; input; output, answer or label); everything else gets the smallest value that fits. This is enough
for the schemas of self-instruct prompts; it is not a general generator.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from selfinstruct.simulated.mind.answers import Answer, Item, Shape

JsonSchema = Mapping[str, Any]

_MEANINGS = (
    ("output", ("output", "label", "answer", "response", "class", "completion", "result", "verdict")),
    ("input", ("input", "context", "text", "passage")),
    ("instruction", ("instruction", "task", "prompt", "question")),
)
_DEFAULT_KEYS = {
    "tasks": "tasks",
    "verdict": "is_classification",
    "examples": "instances",
    "labelled": "instances",
    "whole": "tasks",
}


def as_json(answer: Answer, schema: JsonSchema | None) -> Answer:
    """Write an answer in JSON: by `schema`, or without one as the simplest fitting object."""
    wanted = _default_schema(answer.shape) if schema is None else schema
    value = _fit(wanted, wanted, answer.items, "", 0)
    return Answer("json", answer.items, json.dumps(value, ensure_ascii=False))


def _default_schema(shape: Shape) -> JsonSchema:
    text = {"type": "string"}

    def rows(*names: str) -> JsonSchema:
        return {"type": "array", "items": {"type": "object", "properties": dict.fromkeys(names, text)}}

    kinds: dict[str, JsonSchema] = {
        "tasks": {"type": "array", "items": text},
        "verdict": {"type": "boolean"},
        "examples": rows("input", "output"),
        "labelled": rows("label", "input"),
        "whole": rows("instruction", "input", "output"),
    }
    return {"type": "object", "properties": {_DEFAULT_KEYS.get(shape, "answer"): kinds.get(shape, text)}}


def wants_whole_tasks(schema: JsonSchema | None) -> bool:
    """Return whether a schema asks for tasks with their inputs and outputs, not for tasks alone."""
    names = json.dumps(schema or {})
    return '"instruction":' in names and '"output":' in names


def _fit(schema: Any, root: JsonSchema, items: Sequence[Item], name: str, depth: int) -> Any:
    """Build the smallest value that fits `schema`, with the items in their places; `name`: the property it is for."""
    if not isinstance(schema, dict) or depth > 32:
        return None
    if isinstance(schema.get("$ref"), str):
        return _fit(_follow(schema["$ref"], root), root, items, name, depth + 1)
    if "const" in schema:
        return schema["const"]
    for choice in ("anyOf", "oneOf", "allOf"):
        if isinstance(schema.get(choice), list) and schema[choice]:
            options = [o for o in schema[choice] if not (isinstance(o, dict) and o.get("type") == "null")]
            return _fit((options or [None])[0], root, items, name, depth + 1)
    text = _meant(name, items[0]) if items else None
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        same = [option for option in schema["enum"] if str(option).lower() == (text or "").lower()]
        return same[0] if same else schema["enum"][0]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = next((k for k in kind if k != "null"), "null") if isinstance(kind, list) else kind
    match kind:
        case "object":
            fields = schema.get("properties")
            fields = fields if isinstance(fields, dict) else {}
            return {key: _fit(part, root, items, key, depth + 1) for key, part in fields.items()}
        case "array":
            rows = items or [Item()] * int(schema.get("minItems", 0))
            rows = list(rows)[: schema.get("maxItems", len(rows))]
            return [_fit(schema.get("items", {"type": "string"}), root, [row], "", depth + 1) for row in rows]
        case "boolean":
            return text == "Yes"
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "null":
            return None
        case _:
            return text if text is not None else ""


def _meant(name: str, item: Item) -> str:
    """Return what a property of this name holds for an item; for an item with one text, that text."""
    lower = name.lower()
    if item.output and item.instruction + item.input:
        for part, words in _MEANINGS:
            if any(word in lower for word in words):
                return str(getattr(item, part))
    for part, words in _MEANINGS:
        if lower in words and part == "input":
            return item.input
    return item.output or item.instruction


def _follow(reference: str, root: JsonSchema) -> Any:
    """Follow a reference such as "#/$defs/Task"."""
    target: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            target = target.get(step) if isinstance(target, dict) else None
    return target
