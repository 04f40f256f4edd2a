"""Settings that a server refuses, recognized in its error text, and how to change the request.

    "Unsupported parameter: 'max_tokens' ... Use 'max_completion_tokens' instead."   renamed
    "`temperature` must be strictly positive"                                        0.01 instead of 0
    "Unknown name "seed": Cannot find field."                                        left out
    "This model only support stream mode"                                            stream = true

An `Edit` applies to every request to the same server and model, so each is detected only once. Only settings that the
server names are edited, and only if it says that it does not support them. Values out of range are left to the user.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from selfinstruct.patterns import pattern

NEARLY_0 = 0.01  # a temperature at which the likeliest token is almost always drawn
SHAPING = ("temperature", "top_p", "enable_thinking", "stop", "max_tokens", "max_completion_tokens")


class Edit(NamedTuple):
    """A change to the body of a request: leave `name` out, rename it to `value`, set it, or raise it from 0."""

    name: str
    action: Literal["omit", "rename", "set", "raise"]
    value: Any = None

    def of(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body with this change."""
        edited = dict(body)
        if self.action == "set":
            edited[self.name] = self.value
        elif self.name not in body:
            pass
        elif self.action == "omit":
            del edited[self.name]
        elif self.action == "rename":
            edited = {(self.value if key == self.name else key): one for key, one in body.items()}
        elif edited[self.name] == 0:
            edited[self.name] = self.value
        return edited

    @property
    def as_setting(self) -> str:
        """The change as the setting of `generate` that has the same effect."""
        ours = {
            "seed": "send_seed = false",
            "logprobs": "logprobs = false",
            "response_format": 'answer_format = "text"',
        }
        return f"with {ours[self.name]}" if self.action == "omit" and self.name in ours else str(self)

    @property
    def shapes_data(self) -> bool:
        """Whether it changes the answers."""
        return self.name in SHAPING and self.action != "rename"

    def __str__(self) -> str:
        value = str(self.value).lower() if isinstance(self.value, bool) else self.value
        if self.action == "omit":
            return f"without {self.name}"
        return f"with {value} instead of {self.name}" if self.action == "rename" else f"with {self.name} = {value}"


STREAMED = (Edit("stream", "set", True), Edit("stream_options", "set", {"include_usage": True}))

_REFUSED = pattern(
    r"unsupported|n[o']t support|not (?:been |currently )?(?:permitted|allowed|enabled|available|recogni[sz]ed"
    r"|implemented|accepted)|unknown|unrecogni[sz]ed|unexpected|extra (?:inputs|fields)|forbidden|invalid (?:param|arg"
    r"|field|key)|deprecated|only (?:the )?default|only supports? (?:temperature|top_?p)|only 1 is allowed"
    r"|unavailable|cannot find field|cannot be (?:used|set"
    r"|specified)|no longer|please remove|不支持|未知"
)
_POSITIVE = pattern(r"positive|greater than (?:0|zero)|(?:>|gt;?) ?0|\(0(?:\.0)?,|larger than 0|above 0|大于 ?0")
_STREAM_ONLY = pattern(
    r"only (?:be )?(?:support|work|available|accept|allow)\w*[^.]{0,40}\bstream|\bstream\w*(?: mode)? (?:is |be )?"
    r"(?:required|only)|(?:must|need to|please) (?:be )?(?:set |use |enable )[^.]{0,20}\bstream|\bstream`? must be"
    r"|stream ?= ?`?false|non-?stream\w*[^.]{0,40}(?:not |un)support"
)
_SCHEMA = pattern(
    r"response_?format|json_?schema|response_?schema|structured.?outputs?|additional_?properties|guided_|json mode"
    r"|\bgrammar\b|output_config"
)


def edits_for(body: Mapping[str, Any], problem: str) -> tuple[Edit, ...]:
    """The edits that would make the server accept `body`, which it refused with this text; none if it does not say."""
    text = problem.lower().partition("did you mean")[0]
    if "thinking" in text and (edits := _about_thinking(body, text)):
        return edits
    if _STREAM_ONLY.search(text) and not body.get("stream"):
        return STREAMED
    if "both" in text and {"temperature", "top_p"} <= body.keys() and "temperature" in text and "top_p" in text:
        return (Edit("top_p", "omit"),)
    if "temperature" in text and body.get("temperature") == 0 and _POSITIVE.search(text):
        return (Edit("temperature", "raise", NEARLY_0),)
    if not _REFUSED.search(text) and "cannot both" not in text:
        return ()
    if "response_format" in body and _SCHEMA.search(text):
        return (Edit("response_format", "omit"),)
    name = _first_named(body, text)
    other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}.get(name)
    if other and (other in text or name == "max_completion_tokens"):
        return (Edit(name, "rename", other),)
    if name == "logprobs" and "top_logprobs" in body:
        return (Edit("logprobs", "omit"), Edit("top_logprobs", "omit"))
    if not name and "penalty" in text:  # Gemini does not say which
        return tuple(Edit(key, "omit") for key in body if key.endswith("_penalty"))
    return (Edit(name, "omit"),) if name else ()


def edits_that_keep_data(body: Mapping[str, Any], problem: str) -> tuple[Edit, ...]:
    """The edits that even a run with answers may make: they say the same otherwise, or leave out the seed."""
    edits = [edit for edit in edits_for(body, problem) if edit.of(body) != body]
    harmless = (*STREAMED, Edit("stream_options", "omit"), Edit("seed", "omit"))
    return tuple(edits) if all(edit.action == "rename" or edit in harmless for edit in edits) else ()


def _about_thinking(body: Mapping[str, Any], text: str) -> tuple[Edit, ...]:
    """Some Qwen models think only if the answer is streamed, and some cannot turn thinking off."""
    thinks = body.get("enable_thinking")
    if thinks is not False and "false" in text and re.search(r"must|should|必须", text):
        return (Edit("enable_thinking", "set", False),)
    if thinks is False and "true" in text:
        return (Edit("enable_thinking", "set", True), *STREAMED)
    return ()


def edited(body: Mapping[str, Any], edits: Iterable[Edit]) -> dict[str, Any]:
    """The body with all these changes, in order."""
    for edit in edits:
        body = edit.of(body)
    return dict(body)


def is_about_settings(problem: str, status: int) -> bool:
    """Whether a 403 or 404 is about a setting: some servers use these statuses for it."""
    text = problem.lower()
    return status in (403, 404) and bool(re.search(r"request(?:ed)? (?:top_)?(?:logprobs|parameters)", text))


def advice(problem: str, stage: str, body: Mapping[str, Any]) -> str:
    """Which setting to change after the server's refusal."""
    text = problem.lower()
    if "seed" in body and re.search(r"\bseed\b", text):
        return f"Set send_seed = false in [{stage}] or [teacher]."
    if "response_format" in body and _SCHEMA.search(text):
        return f'Set answer_format = "text" in [{stage}] or [teacher].'
    if "logprobs" in body and "logprobs" in text:
        return f"Set logprobs = false in [{stage}] or [teacher]."
    if name := _first_named(body, text):
        return f"Change or leave out {name} in sampling of [{stage}]."
    more = ' (or set answer_format = "text" there)' if "response_format" in body else ""
    return f"Check the model and the sampling settings of [{stage}]{more}."


def _first_named(body: Mapping[str, Any], text: str) -> str:
    """The setting in `body` that the text names first, in any spelling; "" if it names none."""
    places = {name: re.search(_spellings(name), text) for name in body}
    found = {name: place.start() for name, place in places.items() if place}
    return min(found, key=found.__getitem__, default="")


def _spellings(name: str) -> str:
    """top_p, topP, top-p and "top p", but not top_pp: a pattern for text in lower case."""
    return r"(?<![a-z0-9_])" + "[_ -]?".join(map(re.escape, name.lower().split("_"))) + r"(?![a-z0-9_])"
