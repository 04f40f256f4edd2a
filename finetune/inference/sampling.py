"""The sampling settings that a teacher in this process supports, as in OpenAI's protocol; without torch.

So a run can report a wrong setting, or a missing package, before seconds are spent on loading a model.
Not covered: `top_k`, `min_p` and other settings that only some servers know; alternatives to the chosen token.
"""

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from selfinstruct.errors import UsageError
from selfinstruct.teachers.settings import TeacherSettings

NEEDED = ("torch", "transformers")
PART_OF_GGUF = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)
HUB_NAME = re.compile(r"([\w.-]+/)?[\w-][\w.-]*")


class Sampling(BaseModel):
    """How one answer's tokens are chosen, and where it ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float = Field(1.0, ge=0, le=2, description="0 always takes the most likely token")
    top_p: float = Field(
        1.0, gt=0, le=1, description="sample from the most likely tokens that together have this probability"
    )
    presence_penalty: float = Field(
        0.0, ge=-2, le=2, description="subtracted from the logit of each token already in the answer"
    )
    frequency_penalty: float = Field(
        0.0, ge=-2, le=2, description="subtracted once for each time the token is in the answer"
    )
    max_tokens: int | None = Field(
        None, ge=1, description="maximum tokens of the answer; None: as many as the context allows"
    )
    max_completion_tokens: int | None = Field(None, ge=1, description="the newer name of max_tokens")
    stop: tuple[str, ...] = Field((), description="the answer ends before the first of these strings")
    seed: int | None = Field(None, description="random seed of this answer")
    logprobs: bool = Field(False, description="whether to return the log-probabilities of the tokens")

    @field_validator("stop", mode="before")
    @classmethod
    def _one_or_more(cls, stop: Any) -> Any:
        found = (stop,) if isinstance(stop, str) else stop
        if isinstance(found, list | tuple) and "" in found:
            raise ValueError("must not contain an empty string")
        return found

    @field_validator("logprobs", mode="before")
    @classmethod
    def _asked_for(cls, logprobs: Any) -> Any:
        return True if logprobs == 0 and logprobs is not False else logprobs  # 0: how /v1/completions asks for it

    @property
    def most_tokens(self) -> int | None:
        """The limit under either of its names."""
        return self.max_completion_tokens or self.max_tokens


def read_sampling(body: Mapping[str, Any], where: str) -> Sampling:
    """Check `body`; UsageError, with `where` and each setting, if one is unknown or out of range."""
    try:
        return Sampling.model_validate(dict(body))
    except ValidationError as error:
        known = ", ".join(Sampling.model_fields)
        lines = []
        for problem in error.errors():
            key = ".".join(str(part) for part in problem["loc"])
            unknown = problem["type"] == "extra_forbidden"
            said = f"not supported by the transformers teacher, which supports {known}" if unknown else problem["msg"]
            lines.append(f"{where}: {key}: {said.removeprefix('Value error, ')}.")
        raise UsageError("\n".join(lines)) from None


def is_gguf(name: str) -> bool:
    """Whether a model's name is that of a GGUF file."""
    return name.lower().endswith(".gguf")


def check_model(name: str) -> None:
    """UsageError if a model's name is no folder with a model, no GGUF file and no possible name on the hub."""
    folder = Path(name)
    if is_gguf(name):
        check_gguf(name)
    elif folder.is_dir():
        if not any((folder / file).exists() for file in ("config.json", "adapter_config.json")):
            raise UsageError(f"{name!r}: no model in this folder (config.json not found).")
    elif not HUB_NAME.fullmatch(name):
        raise UsageError(f"{name!r}: no such folder, and not a valid name on the hub.")


def check_gguf(name: str) -> None:
    """UsageError if there is no such GGUF file, it is only a part, or the package that reads it is missing."""
    if PART_OF_GGUF.search(name):  # transformers would draw the missing weights at random
        raise UsageError(
            f"{name!r}: this is one part of a model that is split across several files. Join them with "
            "llama.cpp's llama-gguf-split --merge."
        )
    try:
        with Path(name).open("rb") as file:
            begins = file.read(4)
    except OSError as error:
        raise UsageError(f"{name!r}: {error.strerror}.") from None
    if begins != b"GGUF":
        raise UsageError(f"{name!r}: not a GGUF file; it begins with {begins!r}.")
    if not importlib.util.find_spec("gguf"):
        raise UsageError("Reading GGUF files needs the package gguf. Run: pip install gguf")


def check_teacher(stage: str, settings: TeacherSettings, sampling: Mapping[str, Any]) -> None:
    """UsageError if no model could be used with the settings of `stage`; nothing is loaded."""
    missing = [name for name in NEEDED if not importlib.util.find_spec(name)]
    if missing:
        raise UsageError(
            f"The transformers teacher needs {' and '.join(missing)}. Run: pip install 'selfinstruct[finetune]'. "
            'Or use a server with kind = "openai" (--teacher openai).'
        )
    if settings.answer_format == "json":
        raise UsageError(
            f'[{stage}] answer_format: the transformers teacher cannot constrain answers to a schema. Use "text" or '
            '"auto" there.'
        )
    check_model(settings.model)
    read_sampling(sampling, f"[{stage}] sampling")
