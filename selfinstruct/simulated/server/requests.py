"""Reading the body of a request: what it asks for, and what is wrong with it, in OpenAI's wording.

>>> read_messages({"model": "simulated", "messages": [{"role": "user", "content": "Hello"}]})
[('user', 'Hello')]
>>> read_messages({"model": "simulated"})
Traceback (most recent call last):
Refused: 400 Missing required parameter: 'messages'.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from selfinstruct.simulated.mind.structured import JsonSchema
from selfinstruct.simulated.mind.tokens import count
from selfinstruct.simulated.server.wire import error_body
from selfinstruct.simulated.settings import SimulatedSettings

Body = Mapping[str, Any]


class Refused(Exception):
    """A request that is answered with an error at every attempt."""

    def __init__(self, status: int, message: str, param: str | None = None, code: str | None = None):
        super().__init__(f"{status} {message}")
        self.status = status
        self.body = error_body(message, "invalid_request_error", param, code)


class Limits(NamedTuple):
    """What a request says about the length of the answer."""

    n: int
    stop: list[str]
    max_tokens: int | None


def check_model(model: object) -> str:
    """Return the name of an existing model: any that starts with "simulated"."""
    if not isinstance(model, str) or not model:
        raise Refused(400, "you must provide a model parameter", "model")
    if not model.startswith("simulated"):
        raise Refused(404, f"The model '{model[:100]}' does not exist or you do not have access to it.",
                      "model", "model_not_found")  # fmt: skip
    return model


def read_model(body: Body) -> str:
    """Read the model's name; streaming is refused."""
    if body.get("stream"):
        raise Refused(400, "The simulated teacher does not stream; leave 'stream' out.", "stream", "unsupported_value")
    return check_model(body.get("model"))


def read_messages(body: Body) -> list[tuple[str, str]]:
    """Read the messages of a chat: the role and the text of each."""
    return [(_role(message), _content(message)) for message in _messages(body)]


def read_prompt(body: Body) -> str:
    """Read the prompt of a request to the completions endpoint."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise Refused(400, "'prompt' must be a string (lists of prompts are not simulated).", "prompt")
    return prompt


def read_limits(body: Body, max_tokens: Any, least: int) -> Limits:
    """Read the length of the answer; a limit under `least` tokens is refused."""
    stop = body.get("stop")
    stop = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(stop, list) or len(stop) > 4 or not all(isinstance(word, str) and word for word in stop):
        raise Refused(400, "'stop' must be a string or an array of at most four strings.", "stop", "invalid_type")
    if max_tokens is not None and (type(max_tokens) is not int or max_tokens < least):
        raise Refused(400, f"The token limit must be a whole number of at least {least}.", "max_tokens")
    return Limits(whole_number(body, "n", 1, 1, 128), stop, max_tokens)


def whole_number(body: Body, name: str, default: int, low: int, high: int) -> int:
    """Read a whole number from `low` to `high`, or return `default` if there is none."""
    value = body.get(name)
    if value is None:
        return default
    if type(value) is not int or not low <= value <= high:
        raise Refused(400, f"'{name}' must be a whole number from {low} to {high}.", name)
    return value


def read_response_format(body: Body, settings: SimulatedSettings) -> tuple[bool, JsonSchema | None]:
    """Return whether JSON is requested, and by which schema."""
    wanted = body.get("response_format") or {"type": "text"}
    if settings.json_schema == "ignored":
        return False, None
    if settings.json_schema == "refused" and wanted != {"type": "text"}:
        raise Refused(400, "This server has no 'response_format'.", "response_format", "unsupported_parameter")
    match wanted:
        case {"type": "text"}:
            return False, None
        case {"type": "json_object"}:
            return True, None
        case {"type": "json_schema", "json_schema": {"schema": dict() as schema}}:
            return True, schema
    message = "'response_format' must be text, json_object, or json_schema with a schema."
    raise Refused(400, message, "response_format", "invalid_value")


def prompt_tokens(body: Body) -> int:
    """Count the tokens of a request's prompt as in its usage; 0 if there is no valid prompt."""
    try:
        if "messages" in body:
            return count_messages([_content(message) for message in _messages(body)])
        return count(read_prompt(body))
    except Refused:
        return 0


def count_messages(contents: Iterable[str]) -> int:
    """Count the tokens of a chat; each message adds three."""
    return sum(3 + count(content) for content in contents)


def _messages(body: Body) -> list[Any]:
    messages = body.get("messages")
    if messages is None:
        raise Refused(400, "Missing required parameter: 'messages'.", "messages", "missing_required_parameter")
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "'messages' must be an array with at least one message.", "messages", "invalid_type")
    return messages


def _role(message: Any) -> str:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Refused(400, "Each of 'messages' must be an object with a 'role'.", "messages", "invalid_type")
    role: str = message["role"]
    return role


def _content(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    if not isinstance(content, str):
        raise Refused(400, "The 'content' of a message must be a string or an array of parts.", "messages",
                      "invalid_type")  # fmt: skip
    return content
