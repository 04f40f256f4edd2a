"""The JSONL formats of OpenAI's Batch API: reading an input file, and writing the lines of output and error files.

    >>> read_lines(b'{"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": {"model": "simulated"}}',
    ...            "/v1/completions")
    ([Line(custom_id='a', body={'model': 'simulated'})], [])

Source: https://platform.openai.com/docs/guides/batch. The error codes for a bad file are those documented there
or, if there are none, those observed from the real service.
"""

import json
from typing import Any, NamedTuple, TypedDict

from selfinstruct.simulated.server.requests import Refused, check_model

MOST_REQUESTS = 50_000
"""More requests than this are too many for one batch."""

_NOT_EXECUTED = {
    "batch_expired": "This request could not be executed before the completion window expired.",
    "batch_cancelled": "This request was not executed because the batch was cancelled.",
}


class Line(NamedTuple):
    """One request of a batch."""

    custom_id: str
    body: dict[str, Any]


class BatchError(TypedDict):
    """What is wrong with an input file, and in which line (from 1) if it is about one line."""

    code: str
    message: str
    line: int | None
    param: str | None


def batch_error(code: str, message: str, line: int | None = None, param: str | None = None) -> BatchError:
    """Write an error for the `errors` of a batch."""
    return {"code": code, "message": message, "line": line, "param": param}


def read_lines(content: bytes, endpoint: str) -> tuple[list[Line], list[BatchError]]:
    """Read an input file; any error makes the whole batch fail."""
    texts = [(number, text) for number, text in enumerate(content.split(b"\n"), 1) if text.strip()]
    if not texts:
        return [], [batch_error("empty_file", "The input file is empty. Please ensure that the batch has requests.")]
    if len(texts) > MOST_REQUESTS:
        message = f"The input file has {len(texts)} requests; a batch may have {MOST_REQUESTS} at most."
        return [], [batch_error("too_many_tasks", message)]
    lines: list[Line] = []
    errors: list[BatchError] = []
    seen: set[str] = set()
    model = None
    for number, text in texts:
        line, wrong = _read_line(text, endpoint)
        if line:
            model = model or line.body["model"]
            if line.custom_id in seen:
                message = "The custom_id of this request is that of another one; it must be unique within a batch."
                wrong = batch_error("duplicate_custom_id", message, None, "custom_id")
            elif line.body["model"] != model:
                message = f"The model of this request is not that of the first one, '{model}'."
                wrong = batch_error("model_mismatch", message, None, "body.model")
            seen.add(line.custom_id)
            lines.append(line)
        if wrong:
            errors.append({**wrong, "line": number})
    return lines, errors


def _read_line(text: bytes, endpoint: str) -> tuple[Line | None, BatchError | None]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        return None, batch_error("invalid_json_line", "This line is not parseable as valid JSON.")
    for name, kind in (("custom_id", str), ("method", str), ("url", str), ("body", dict)):
        if not isinstance(value.get(name), kind) or not value[name]:
            return None, batch_error("missing_required_parameter", f"Missing required parameter: '{name}'.", None, name)
    if value["method"] != "POST":
        return None, batch_error("invalid_method", "The method of a request must be POST.", None, "method")
    if value["url"] != endpoint:
        message = "The URL provided for this request does not match the batch endpoint."
        return None, batch_error("invalid_url", message, None, "url")
    try:
        check_model(value["body"].get("model"))
    except Refused as refusal:
        return None, batch_error("model_not_found", refusal.body["error"]["message"], None, "body.model")
    return Line(value["custom_id"], value["body"]), None


def executed_line(line_id: str, line: Line, status: int, request_id: str, body: bytes) -> bytes:
    """Write the line of a request that was executed; `body`: the bytes of the answer, a completion or an error."""
    head = f'{{"id":"{line_id}","custom_id":{json.dumps(line.custom_id)},"response":'
    return b'%b{"status_code":%d,"request_id":"%b","body":%b},"error":null}\n' % (
        head.encode(),
        status,
        request_id.encode(),
        body,
    )


def unexecuted_line(line_id: str, line: Line, code: str) -> bytes:
    """Write the line of a request that its batch did not get to: `code` is "batch_expired" or "batch_cancelled"."""
    error = {"code": code, "message": _NOT_EXECUTED[code]}
    return json.dumps({"id": line_id, "custom_id": line.custom_id, "response": None, "error": error}).encode() + b"\n"
