"""Answers that are read while the model writes them: their tokens are counted, and one that loops is ended.

A small model often repeats itself to the token limit. Closing the connection ends that, and frees the slot.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import aiohttp

from selfinstruct.parsing.loops import looping_unit
from selfinstruct.teachers.envelope import first_choice
from selfinstruct.teachers.kinds._local import Client

LOOP = 400  # characters of repetition that end an answer: a rule of dashes or a refrain has fewer
LOOK_EVERY = 64  # tokens
LATEST_BYTES = 2**18  # of the stream, in which a loop is looked for: some 500 tokens
EVENT = b"\n\n"
STOPPED = "length: the answer only repeats itself"


class StreamingClient(Client):
    """A client of the llama.cpp that the run has started: its stream is well-formed."""

    added: ClassVar[Mapping[str, Any]] = {
        "stream": True, "stream_options": {"include_usage": True}, "timings_per_token": True
    }  # fmt: skip
    keeps_alive = False  # llama.cpp closes the connection after a stream, and the next request on it would fail

    async def body_of(self, response: aiohttp.ClientResponse) -> tuple[str, bool]:
        """The stream, and whether it is complete; one that loops is ended as if the server had done so."""
        body, n = bytearray(), 0
        try:
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > self.most_bytes:
                    return body[:LATEST_BYTES].decode("utf-8", "replace"), False
                new = piece.count(EVENT)
                n += new
                self.pace.arriving += new
                if n // LOOK_EVERY > (n - new) // LOOK_EVERY:
                    events = _events(body[-LATEST_BYTES:])
                    if looping_unit("".join(map(_text, events)), LOOP):
                        body += _ending(events[-1])
                        break
        finally:
            self.pace.arriving -= n
        return body.decode("utf-8", "replace"), True


def _events(stream: bytearray) -> list[dict[str, Any]]:
    """The events that the end of a stream holds as a whole, after the first, which may be a part of one."""
    lines = stream[: stream.rindex(EVENT)].decode("utf-8", "replace").split("\n\n")[1:]
    return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data: {")]


def _text(event: Mapping[str, Any]) -> str:
    choice = first_choice(event) or {}
    return choice.get("text") or choice.get("delta", {}).get("content") or ""


def _ending(last: Mapping[str, Any]) -> bytes:
    """The events with which the server would have ended its answer after this one."""
    timings = last["timings"]
    n_prompt, n_new = timings["cache_n"] + timings["prompt_n"], timings["predicted_n"]
    usage = {"prompt_tokens": n_prompt, "completion_tokens": n_new, "total_tokens": n_prompt + n_new}
    event = {"choices": [{"index": 0, "delta": {}, "finish_reason": STOPPED}], "usage": usage}
    return b"data: " + json.dumps(event).encode() + b"\n\ndata: [DONE]\n\n"
