"""Who answers, and how fast: the settings of teachers, of single stages, of prices, and of how a run is carried out."""

import json
import re
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from selfinstruct.custom import PartName
from selfinstruct.records import AnswerFormat, Endpoint
from selfinstruct.settings import MayChange, Section

OPENAI_HOST = "https://api.openai.com/v1"
BaseUrl = str | tuple[str, ...]
AnyTime = MayChange.ANY_TIME


def _server_address(url: BaseUrl | None) -> BaseUrl | None:
    """The address, or each of several, without a slash at its end; ValueError where it is none, or carries a secret."""
    if not url:
        return "" if url == () else url
    if isinstance(url, tuple):
        return tuple(dict.fromkeys(str(_server_address(each)) for each in url))
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise ValueError("must not carry a key: put it into the variable that api_key_env names")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:  # port raises above 65535
        raise ValueError("must look like http://localhost:8000/v1")
    return url.rstrip("/")


def _variable_name(name: str | None) -> str | None:
    """The name as it is; ValueError where it looks like the key itself, which would end up in the store."""
    if name and not re.fullmatch(r"[A-Z_][A-Z0-9_]*", name):
        raise ValueError("must be the NAME of an environment variable, in capitals, never the key itself")
    return name


class TeacherSettings(Section):
    """Who answers. What only says how a server is reached changes nothing of what it says."""

    kind: PartName = Field("simulated", description="the built-in teacher, a server, or a model in this process")
    model: str = Field("", description="the model's name, as its server knows it; or the folder for transformers")
    base_url: Annotated[BaseUrl, AnyTime] = Field(
        "",
        description="the server's address with /v1, or a list of servers that share the calls; empty: OPENAI_BASE_URL, "
        "else OpenAI's own",
    )
    endpoint: Endpoint = Field("chat", description='"chat", or "completion" for base models')
    api_key_env: Annotated[str, AnyTime] = Field(
        "OPENAI_API_KEY", description="the environment variable that holds the key"
    )
    answer_format: AnswerFormat = Field(
        "auto",
        description='"json", held to a schema by the server; "text"; "auto": JSON where the server can (chat only)',
    )
    send_seed: bool = Field(True, description="send a seed with each request, for servers that can repeat themselves")
    logprobs: bool = Field(False, description="ask for the log-probabilities of the answer's tokens")
    requests_per_minute: Annotated[float | None, AnyTime] = Field(
        None, gt=0, description="most calls a minute to each server; without it, as many as the server bears"
    )
    tokens_per_minute: Annotated[float | None, AnyTime] = Field(
        None, gt=0, description="most tokens a minute to and from each server, likewise"
    )

    _check_url = field_validator("base_url")(_server_address)
    _check_name = field_validator("api_key_env")(_variable_name)

    @property
    def servers(self) -> tuple[str, ...]:
        """The addresses, at least one; "" where none is named."""
        return self.base_url if isinstance(self.base_url, tuple) else (self.base_url,)


class Overrides(Section):
    """What one stage, or one model of its mix, does differently; whatever is left out is taken from above."""

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
        None, description="goes into the request as it is, instead of the default for this stage and endpoint"
    )

    _check_url = field_validator("base_url")(_server_address)
    _check_name = field_validator("api_key_env")(_variable_name)

    @field_validator("sampling")
    @classmethod
    def _only_sampling(cls, sampling: dict[str, Any] | None) -> dict[str, Any] | None:
        ours = {"model", "messages", "prompt", "stream", "n", "seed", "logprobs", "response_format"} & set(
            sampling or ()
        )
        if ours:
            raise ValueError(f"must not hold {', '.join(sorted(ours))}: selfinstruct sets that itself")
        try:
            json.dumps(sampling, allow_nan=False)
        except (TypeError, ValueError):
            raise ValueError("must hold what JSON can carry: numbers, texts, true, false, lists and tables") from None
        return sampling


class Weighted(Overrides):
    """One model of a stage's mix."""

    weight: float = Field(1.0, gt=0, le=1e6, description="its share of the requests, relative to the others'")


class StageSettings(Overrides):
    """What one stage does differently from [teacher]; whatever is left out is taken from there."""

    mix: tuple[Weighted, ...] = Field(
        (), description="several models, of which each request's seed draws one by weight"
    )


class StageTeacher(NamedTuple):
    """A teacher of one stage, what goes into the body of its requests, and its share of them."""

    teacher: TeacherSettings
    sampling: dict[str, Any]
    weight: float = 1.0


class RunningSettings(Section):
    """How a run is carried out. Nothing here changes the data."""

    may_change = AnyTime

    concurrency: int = Field(16, ge=1, le=4096, description="most calls in flight")
    deadline_s: float = Field(120.0, gt=0, description="seconds after which one call is given up and tried again")
    attempts: int = Field(12, ge=1, description="most tries of one request")
    batch: bool = Field(False, description="ask by OpenAI's Batch API: half the price, answers within a day")
    max_cost: float | None = Field(None, gt=0, description="US dollars that the whole run may cost; needs prices")
    max_requests: int | None = Field(None, ge=1, description="calls that the whole run may make, tries included")
    max_tokens: int | None = Field(None, ge=1, description="tokens that the whole run may use, prompts included")
    collapse_after: int = Field(300, ge=20, description="candidates over which the acceptance rate is watched")
    collapse_below: float = Field(0.01, ge=0, le=1, description="acceptance rate below which the run stops by itself")


class Price(Section):
    """What a model costs."""

    may_change = AnyTime

    input: float = Field(ge=0, description="US dollars per million tokens of prompts")
    output: float = Field(ge=0, description="US dollars per million tokens of answers")
    batch: float = Field(0.5, ge=0, le=1, description="share of these prices that a batch costs")
