"""A stream of server-sent events, put together into the JSON that the server would have sent without streaming.

    data: {"choices": [{"index": 0, "delta": {"content": "The Ni"}}]}
    data: {"choices": [{"index": 0, "delta": {"content": "ger."}, "finish_reason": "stop"}]}
    data: {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 4}}
    data: [DONE]

Some servers stream whether asked or not, and some models only stream. What such a server does not keep to either is
borne: events without a blank line between them, comments (OpenRouter sends some before an answer that is no stream),
errors in a field of their own ("error:", older llama.cpp) or in an event of that name, no "[DONE]", the whole text so
far in each event. A stream that ends before its answer has is an incomplete answer.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html; OpenAI's chat.completion.chunk.
Not covered: choices beyond the first; the events of OpenAI's Responses API.
"""

import json
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from selfinstruct.finish_reasons import ending_of, reason_in
from selfinstruct.teachers.envelope import FILTERS, REASONING, REASONS, NoAnswer, error_in, first_choice, is_filtered

_FIELD = re.compile(r"(data|error|event|id|retry)?:")
_COMMENTS = re.compile(r"(?:[\ufeff\s]*+:[^\n]*+\n)*+[\ufeff\s]*+")
_SPLIT = ("content", "refusal", *REASONING)  # texts that come in pieces


def is_event_stream(text: str) -> bool:
    """Whether a body is a stream of events, whatever its content type says: no JSON begins like that."""
    return _FIELD.match(text[:1000].lstrip("\ufeff \t\r\n")) is not None


def without_comments(text: str) -> str:
    """The body without a byte order mark, and without the comments by which some servers keep the connection open."""
    return _COMMENTS.sub("", text, count=1)


def body_of_events(text: str) -> dict[str, Any]:
    """The body that the events make up, with an `error` where one of them is an error; NoAnswer if they break off."""
    body: dict[str, Any] = {}
    answer = _Pieces()
    for data in _events(text):
        if data == "[DONE]":
            answer.is_over = True
            break
        event = _value(data)
        if not isinstance(event, dict):
            if answer.is_over:
                break
            raise NoAnswer(f"an event of the stream is not a JSON object: {data[:100]}", "incomplete_answer")
        if not event.get("error") and not first_choice(event) and error_in(event):  # the event is the error (vLLM)
            event = {"error": event}
        body |= {name: value for name, value in event.items() if name != "choices" and value is not None}
        if body.get("error"):
            break
        if choice := first_choice(event):
            answer.add(choice)
    if answer.choice:
        body["choices"] = [answer.whole()]
        if not answer.is_over and not body.get("error"):
            raise NoAnswer("the stream ended before the answer did", "incomplete_answer")
    return body


def _events(text: str) -> Iterator[str]:
    """The data of each event; of servers that end an event with its line, each line of data."""
    data: list[str] = []
    kind = ""
    for line in re.split(r"\r\n|\n|\r", text.lstrip("\ufeff") + "\n\n"):
        name, _, value = line.partition(":")
        if name == "error":
            yield json.dumps({"error": _value(value) or value.strip()})
        elif name == "event":
            kind = value.strip()
        elif name == "data" and value.strip():
            data.append(value.strip())
        elif not line and data:
            whole = "\n".join(data)
            if kind == "error":
                found = _value(whole)
                yield json.dumps(found if isinstance(found, dict) and "error" in found else {"error": found or whole})
            else:
                yield from [whole] if len(data) == 1 or _value(whole) is not None else data
            data, kind = [], ""


def _value(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


class _Pieces:
    """The first choice of a stream. Pieces of text are joined at its end, which takes linear time."""

    def __init__(self) -> None:
        self.choice: dict[str, Any] = {}
        self.is_over = False
        self._texts: dict[str, list[Any]] = {}
        self._calls: dict[str, dict[str, Any]] = {}

    def add(self, choice: Mapping[str, Any]) -> None:
        """Add the choice of one event, unless it is of another answer than the first."""
        index = choice.get("index") or 0
        if self.choice.setdefault("index", index) != index:
            return
        delta = choice.get("delta", choice.get("message"))
        for name, value in delta.items() if isinstance(delta, dict) else ():
            if name in _SPLIT:
                self._texts.setdefault(name, []).append(value)
            elif name in ("tool_calls", "function_call"):
                self._add_calls(value if isinstance(value, list) else [{"function": value}])
        for name, value in choice.items():
            if name == "text":
                self._texts.setdefault(name, []).append(value)
            elif name == "logprobs":
                self._add_logprobs(value)
            elif name in REASONS:
                self._add_reason(name, value)
            elif (
                name not in ("delta", "message")
                and value is not None
                and not (
                    name == FILTERS and is_filtered(self.choice)  # later events may be about later texts
                )
            ):
                self.choice[name] = value

    def _add_reason(self, name: str, value: Any) -> None:
        """A later event may say nothing, or only that the stream is done: the first that says more than that holds."""
        if reason := reason_in(value):
            if name not in self.choice or ending_of(self.choice[name]) in ("done", None):
                self.choice[name] = reason
            self.is_over = self.is_over or name == "finish_reason"

    def _add_calls(self, calls: list[Any]) -> None:
        for call in calls:
            if isinstance(call, dict) and isinstance(function := call.get("function"), dict):
                known = self._calls.setdefault(str(call.get("index", 0))[:20], {"arguments": []})
                known["arguments"].append(function.get("arguments"))
                if function.get("name"):
                    known["name"] = function["name"]

    def _add_logprobs(self, logprobs: Any) -> None:
        for name, values in logprobs.items() if isinstance(logprobs, dict) else ():
            if isinstance(values, list):
                self.choice.setdefault("logprobs", {}).setdefault(name, []).extend(values)

    def whole(self) -> dict[str, Any]:
        """The choice as it would have been without streaming."""
        texts = {name: _joined(pieces) for name, pieces in self._texts.items()}
        if (
            "text" not in texts
            and texts.get("content") is None
            and ending_of(self.choice.get("finish_reason", "")) == "done"
        ):
            texts["content"] = ""  # the model ended at once: no event had a piece of text (llama.cpp)
        found = self.choice | ({"text": texts.pop("text")} if "text" in texts else {})
        calls = [{**call, "arguments": _joined(call["arguments"])} for call in self._calls.values()]
        message = {"role": "assistant", **texts} | (
            {"tool_calls": [{"type": "function", "function": call} for call in calls]} if calls else {}
        )
        return found | ({"message": message} if texts or calls or "text" not in found else {})


def _joined(pieces: list[Any]) -> Any:
    """The pieces as one text; as a list of parts where some are parts (Mistral); None if there are none."""
    there = [piece for piece in pieces if piece is not None]
    if any(isinstance(piece, list | dict) for piece in there):
        return [part for piece in there for part in (piece if isinstance(piece, list) else [piece])]
    return "".join(_new([piece for piece in there if isinstance(piece, str) and piece])) if there else None


def _new(pieces: list[str]) -> list[str]:
    """The pieces; of a server that sends the whole text so far in each event, the last.

    Among pieces that are new, three different ones do not each begin with the one before.
    """
    is_whole = len(set(pieces)) > 2 and all(after.startswith(before) for before, after in pairwise(pieces))
    return pieces[-1:] if is_whole else pieces
