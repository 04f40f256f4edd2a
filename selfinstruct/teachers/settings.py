"""Settings of teachers, of single stages, of prices, and of how a run is carried out."""

import json
import math
import re
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field, field_validator

from selfinstruct.custom import PartName
from selfinstruct.records import AnswerFormat, Endpoint
from selfinstruct.settings import MayChange, Section

OPENAI_HOST = "https://api.openai.com/v1"
BaseUrl = str | tuple[str, ...]
AnyTime = MayChange.ANY_TIME
SAMPLING = frozenset(
    {
        "temperature", "top_p", "top_k", "min_p", "typical_p", "max_tokens", "max_completion_tokens",
        "presence_penalty", "frequency_penalty", "repetition_penalty", "length_penalty", "stop", "reasoning_effort",
    }
)  # fmt: skip
"""What servers call sampling settings; there are others."""
_RANGES: dict[str, tuple[type, float, float, str]] = {
    "max_tokens": (int, 1, math.inf, "a whole number of at least 1"),
    "max_completion_tokens": (int, 1, math.inf, "a whole number of at least 1"),
    "temperature": (float, 0, math.inf, "a number of at least 0"),
    "top_p": (float, 0, 1, "a number from 0 to 1"),
}
_API_VERSION = re.compile(r"api-version=[\w.-]{1,40}")


def _server_address(url: BaseUrl | None) -> BaseUrl | None:
    """The addresses without a trailing slash; ValueError if one is invalid or contains a secret."""
    if not url:
        return "" if url == () else url
    if isinstance(url, tuple):
        return tuple(dict.fromkeys(str(_server_address(each)) for each in url))
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = 0
    if parts.username or parts.password or (parts.query and not _API_VERSION.fullmatch(parts.query)):
        raise ValueError(
            "must not contain a key; after a question mark, only api-version=... is allowed. The key is read from the "
            "environment: from OPENAI_API_KEY, or the variable that api_key_env names"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError("must look like http://localhost:8000/v1")
    path = parts.path.rstrip("/").removesuffix("/completions").removesuffix("/chat").rstrip("/")
    if is_azure(url) and not re.search(r"/v1$|/deployments/[^/]+$|/models$", path):
        raise ValueError(
            f"must end in /openai/v1 for Azure: {parts.scheme}://{parts.netloc}/openai/v1, which needs no api-version; "
            "model is the name of the deployment. .../openai/deployments/NAME?api-version=... works too"
        )
    if "/deployments/" in path and is_azure(url) and not parts.query:
        raise ValueError("needs ?api-version=... at its end, or write https://RESOURCE.openai.azure.com/openai/v1")
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def is_azure(url: str) -> bool:
    """Whether a server is one of Azure's, which wants the key in a header of its own."""
    return (urlsplit(url).hostname or "").endswith(
        (".openai.azure.com", ".cognitiveservices.azure.com", ".ai.azure.com")
    )


def _variable_name(name: str | None) -> str | None:
    """The name unchanged; ValueError if it looks like the key itself, which would end up in the store."""
    if name and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
        raise ValueError("must be the NAME of an environment variable, in capitals, never the key itself")
    return name


class TeacherSettings(Section):
    """The model that answers. How its server is reached does not affect the data, so that may change at any time."""

    kind: PartName = Field(
        "simulated",
        description=(
            '"simulated" (built in), "openai" (a server), "llama.cpp" or "vllm" (a server started for the run), '
            '"transformers" (in this process), or "FILE.py:NAME"'
        ),
    )
    model: str = Field(
        "",
        description=(
            "name of the model on its server; for llama.cpp, a GGUF file; for vllm and transformers, a folder or a hub "
            "name"
        ),
    )
    base_url: Annotated[BaseUrl, AnyTime] = Field(
        "",
        description=(
            "server address, with /v1, or a list of servers that share the calls; if empty, OPENAI_BASE_URL or OpenAI"
        ),
    )
    endpoint: Endpoint = Field("chat", description='"chat", or "completion" for base models')
    api_key_env: Annotated[str, AnyTime] = Field("OPENAI_API_KEY", description="environment variable with the API key")
    answer_format: AnswerFormat = Field(
        "auto",
        description=(
            '"json": constrained to a schema by the server; "text"; "auto": JSON if the server supports it (chat only)'
        ),
    )
    send_seed: bool = Field(True, description="send a seed with each request, for servers with reproducible sampling")
    logprobs: bool = Field(False, description="request the log-probabilities of the answer's tokens")
    requests_per_minute: Annotated[float | None, AnyTime] = Field(
        None, gt=0, description="maximum calls per minute to each server; by default, as many as the server allows"
    )
    tokens_per_minute: Annotated[float | None, AnyTime] = Field(
        None,
        gt=0,
        description="maximum tokens per minute to and from each server; by default, as many as the server allows",
    )

    _check_url = field_validator("base_url")(_server_address)
    _check_name = field_validator("api_key_env")(_variable_name)

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses, at least one; "" if none is set."""
        return self.base_url if isinstance(self.base_url, tuple) else (self.base_url,)


class Overrides(Section):
    """Settings of one stage, or of one model of its mix; keys that are left out are inherited."""

    kind: PartName | None = None
    model: str | None = None
    base_url: Annotated[BaseUrl | None, AnyTime] = None
    endpoint: Endpoint | None = None
    api_key_env: Annotated[str | None, AnyTime] = None
    answer_format: AnswerFormat | None = None
    send_seed: bool | None = None
    logprobs: bool | None = None
    requests_per_minute: Annotated[float | None, AnyTime] = Field(None, gt=0)
    tokens_per_minute: Annotated[float | None, AnyTime] = Field(None, gt=0)
    sampling: dict[str, Any] | None = Field(
        None,
        description=(
            "sampling parameters for each request; they replace all defaults of this stage and endpoint except the "
            "token limit, which stays unless you set one"
        ),
    )

    _check_url = field_validator("base_url")(_server_address)
    _check_name = field_validator("api_key_env")(_variable_name)

    @field_validator("sampling")
    @classmethod
    def _only_sampling(cls, sampling: dict[str, Any] | None) -> dict[str, Any] | None:
        ours = {"model", "messages", "prompt", "n", "best_of", "seed", "logprobs", "response_format"} & set(
            sampling or ()
        )
        if ours:
            raise ValueError(f"must not contain {', '.join(sorted(ours))}, which selfinstruct sets itself")
        try:
            json.dumps(sampling, allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError(
                "must contain only what JSON can express: numbers, text, true, false, lists and tables"
            ) from None
        for name, (kind, least, most, words) in _RANGES.items():
            value = (sampling or {}).get(name, least)
            is_number = isinstance(value, kind | int) and not isinstance(value, bool)
            if not is_number or not least <= value <= most:
                raise ValueError(f"{name} must be {words}")
        return sampling


class Weighted(Overrides):
    """One model of a stage's mix."""

    weight: float = Field(1.0, gt=0, le=1e6, description="share of the requests, relative to the other models")


class StageSettings(Overrides):
    """Settings of one stage; keys that are left out are inherited from [teacher]."""

    mix: tuple[Weighted, ...] = Field(
        (), description="several models; one is drawn by weight for each request, using its seed"
    )


class StageTeacher(NamedTuple):
    """A teacher of one stage, what goes into the body of its requests, and its share of them."""

    teacher: TeacherSettings
    sampling: dict[str, Any]
    weight: float = 1.0


class RunningSettings(Section):
    """How a run is carried out. Nothing here changes the data."""

    may_change = AnyTime

    concurrency: int = Field(16, ge=1, le=4096, description="maximum calls in flight")
    deadline_s: float = Field(120.0, gt=0, description="seconds after which a call is abandoned and retried")
    attempts: int = Field(12, ge=1, description="maximum attempts per request")
    max_answer_mb: float = Field(
        16.0, gt=0, le=1024, description="maximum size of one answer from a server, in megabytes, after decompression"
    )
    batch: bool = Field(False, description="use OpenAI's Batch API: half the price, answers within a day")
    max_cost: float | None = Field(None, gt=0, description="maximum cost of the whole run in US dollars; needs prices")
    max_requests: int | None = Field(None, ge=1, description="maximum calls of the whole run, retries included")
    max_tokens: int | None = Field(None, ge=1, description="maximum tokens of the whole run, prompts included")
    collapse_after: int = Field(
        300, ge=20, description="number of candidates over which the acceptance rate is measured"
    )
    collapse_below: float = Field(0.01, ge=0, le=1, description="acceptance rate below which the run stops on its own")

    @property
    def has_limits(self) -> bool:
        """Whether calls, tokens or cost are limited."""
        return bool(self.max_cost or self.max_requests or self.max_tokens)


class Price(Section):
    """What a model costs."""

    may_change = AnyTime

    input: float = Field(ge=0, description="US dollars per million prompt tokens")
    output: float = Field(ge=0, description="US dollars per million answer tokens")
    batch: float = Field(0.5, ge=0, le=1, description="price of a batch as a share of these prices")
