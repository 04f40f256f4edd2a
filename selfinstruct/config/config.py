"""The settings of a run: one model, read from TOML, with every field's meaning and unit beside it.

    seed = 7
    [teacher]                  # all stages, unless a stage says otherwise
    kind = "openai"
    model = "gpt-4.1-mini"
    [instances]                # a stronger model answers
    model = "gpt-4.1"
    sampling = { temperature = 0.0, max_tokens = 2048 }

A stage may ask several models, drawn by weight, and a model may have several servers, which share its calls:

    [[propose.mix]]
    model = "small"
    weight = 3
    base_url = ["http://gpu1:8000/v1", "http://gpu2:8000/v1"]
    [[propose.mix]]
    model = "gpt-4.1-mini"

Everything here shapes the data, and is fixed when the run begins, except [running], [prices], the servers' addresses,
limits and the name of the variable with the key, and the simulated server's delays and faults.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from selfinstruct.errors import UsageError
from selfinstruct.records import STAGES, AnswerFormat, Endpoint, Stage, StrategyName, TeacherKind
from selfinstruct.simulated.settings import SimulatedSettings

OPENAI_HOST = "https://api.openai.com/v1"

# The published sampling settings for base models (METHOD: arXiv 2212.10560, appendix A); chat models are asked
# with their own default distribution for proposals, and greedily for classes and instances.
DEFAULT_SAMPLING: dict[tuple[Stage, Endpoint], dict[str, Any]] = {
    ("propose", "chat"): {"temperature": 1.0, "max_tokens": 1024},
    ("classify", "chat"): {"temperature": 0.0, "max_tokens": 32},
    ("instances", "chat"): {"temperature": 0.0, "max_tokens": 1024},
    ("propose", "completion"): {
        "temperature": 0.7, "top_p": 0.5, "presence_penalty": 2.0, "max_tokens": 1024, "stop": ["\n\n"],
    },
    ("classify", "completion"): {"temperature": 0.0, "max_tokens": 3, "stop": ["\n"]},
    ("instances", "completion"): {
        "temperature": 0.0, "presence_penalty": 1.5, "max_tokens": 350, "stop": ["\nTask:"],
    },
}  # fmt: skip
# Alpaca's, for its one request that answers everything (METHOD: Taori et al. 2023).
ALPACA_SAMPLING: dict[Endpoint, dict[str, Any]] = {
    "chat": {"temperature": 1.0, "max_tokens": 3072},
    "completion": {"temperature": 1.0, "top_p": 1.0, "max_tokens": 3072, "stop": []},
}

# Whole words, any case: tasks that a model which only reads and writes text cannot do (Self-Instruct; then Alpaca's
# additions).
PAPER_FORBIDDEN_WORDS = (
    "image", "images", "graph", "graphs", "picture", "pictures", "file", "files", "map", "maps", "draw", "plot",
    "go to",
)  # fmt: skip
FORBIDDEN_WORDS = (*PAPER_FORBIDDEN_WORDS, "video", "audio", "music", "flowchart", "diagram")

# The reasons of filters.py, by which a filter is switched off; and those that cannot be, with what would come of it.
SWITCHABLE = (
    "cut_off", "too_short", "too_long", "forbidden_word", "asks_for_program", "starts_with_punctuation",
    "starts_with_non_ascii", "contaminated", "too_similar", "output_equals_input", "pseudo_empty_input",
    "ends_with_colon", "merged_tasks", "conflicting_outputs", "duplicate_instance", "too_many", "near_duplicate",
)  # fmt: skip
NECESSARY = {
    "no_words": "an instruction without a word could be compared with nothing",
    "empty_output": "a record without an output has nothing to learn from",
}

# What a profile and a strategy set; the user's own settings go before it.
PROFILES: dict[str, dict[str, Any]] = {
    "paper": {
        "filters": {"ascii_start": True, "ascii_tokens": True, "forbidden_words": PAPER_FORBIDDEN_WORDS},
    },
}
STRATEGIES: dict[str, dict[str, Any]] = {
    "alpaca": {"seed_demonstrations": 3, "generated_demonstrations": 0, "proposals_per_request": 20},
}

# Of a teacher's settings, those that change nothing of what it says.
HOW_TO_REACH = {"base_url", "api_key_env", "requests_per_minute", "tokens_per_minute"}
# Of the simulated teacher's settings, those that change what it says; the rest is delays and passing faults.
SHAPING_SIMULATED = (
    "families",
    "json_schema",
    "wrong_share",
    "repeat_share",
    "forbidden_share",
    "malformed_share",
    "malformed_kinds",
    "refusal_share",
    "poison_share",
    "too_long_tokens",
)


class Section(BaseModel):
    """A part of the settings; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Settings = TypeVar("Settings", bound=BaseModel)
BaseUrl = str | tuple[str, ...]


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
    """Who answers."""

    kind: TeacherKind = Field("simulated", description="the built-in teacher, a server, or a model in this process")
    model: str = Field("", description="the model's name, as its server knows it; or the folder for transformers")
    base_url: BaseUrl = Field(
        "",
        description="the server's address with /v1, or a list of servers that share the calls; empty: OPENAI_BASE_URL, "
        "else OpenAI's own",
    )
    endpoint: Endpoint = Field("chat", description='"chat", or "completion" for base models')
    api_key_env: str = Field("OPENAI_API_KEY", description="the environment variable that holds the key")
    answer_format: AnswerFormat = Field(
        "auto",
        description='"json", held to a schema by the server; "text"; "auto": JSON where the server can (chat only)',
    )
    send_seed: bool = Field(True, description="send a seed with each request, for servers that can repeat themselves")
    logprobs: bool = Field(False, description="ask for the log-probabilities of the answer's tokens")
    requests_per_minute: float | None = Field(
        None, gt=0, description="most calls a minute to each server; without it, as many as the server bears"
    )
    tokens_per_minute: float | None = Field(
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

    kind: TeacherKind | None = None
    model: str | None = None
    base_url: BaseUrl | None = None
    endpoint: Endpoint | None = None
    api_key_env: str | None = None
    answer_format: AnswerFormat | None = None
    send_seed: bool | None = None
    logprobs: bool | None = None
    requests_per_minute: float | None = Field(None, gt=0)
    tokens_per_minute: float | None = Field(None, gt=0)
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


Word = Annotated[str, Field(min_length=1)]


class FilterSettings(Section):
    """The thresholds of the filters."""

    rouge_threshold: float = Field(0.7, ge=0, le=1, description="ROUGE-L F1 above which an instruction is not new")
    min_words: int = Field(4, ge=1, description="fewest words of an instruction")
    max_words: int = Field(150, ge=1, description="most words of an instruction")
    forbidden_words: tuple[Word, ...] = Field(FORBIDDEN_WORDS, description="whole words, any case")
    ascii_start: bool = Field(False, description="reject what begins with a non-ASCII character, as the paper did")
    ascii_tokens: bool = Field(False, description="compare runs of a-z and 0-9 only, as the paper did")
    near_duplicate: float = Field(
        0.7, ge=0.5, le=1, description="Jaccard of word triples from which a record is a copy of another task's"
    )
    max_instances: int = Field(5, ge=1, description="most instances kept of one task")
    without: tuple[str, ...] = Field((), description="filters that are switched off, by their reasons of rejection")

    @field_validator("without")
    @classmethod
    def _known_filters(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name in NECESSARY:
                raise ValueError(f"{name} cannot be switched off: {NECESSARY[name]}")
            if name not in SWITCHABLE:
                near = difflib.get_close_matches(name, (*SWITCHABLE, *NECESSARY), n=1, cutoff=0.5)
                hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(SWITCHABLE)}."
                raise ValueError(f"there is no filter {name}; {hint}")
        return tuple(sorted(set(names)))

    @model_validator(mode="after")
    def _some_length_is_left(self) -> Self:
        if self.min_words > self.max_words:
            raise ValueError("min_words must not be greater than max_words")
        return self


class RunningSettings(Section):
    """How a run is carried out. Nothing here changes the data, all of it may differ when a run goes on."""

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

    input: float = Field(ge=0, description="US dollars per million tokens of prompts")
    output: float = Field(ge=0, description="US dollars per million tokens of answers")
    batch: float = Field(0.5, ge=0, le=1, description="share of these prices that a batch costs")


class Config(Section):
    """All settings of a run."""

    seed: int = Field(0, ge=0, lt=2**63, description="of every random choice")
    strategy: StrategyName = Field("self-instruct", description='how to ask; "alpaca": whole tasks in one request')
    profile: Literal["", "paper"] = Field(
        "", description='"paper": the published filters (ASCII, fewer forbidden words); the parsers stay'
    )
    window: int = Field(
        64, ge=1, description="steps of look-ahead: step k sees the pool as it was after step k - window"
    )
    seed_demonstrations: int = Field(6, ge=0, description="seed tasks shown in each proposal request")
    generated_demonstrations: int = Field(2, ge=0, description="generated tasks shown in each proposal request")
    proposals_per_request: int = Field(8, ge=1, le=50, description="new tasks asked for in one request")
    instances_per_task: int = Field(3, ge=1, le=20, description="instances asked for each task")
    decontaminate: tuple[str, ...] = Field(
        (), description="test sets (.txt, .jsonl, .json) of which no task may hold a question"
    )
    prompts: str = Field("", description="a folder of prompts to use instead of the ones that come with the package")
    teacher: TeacherSettings = TeacherSettings()
    propose: StageSettings = StageSettings()
    classify: StageSettings = StageSettings()
    instances: StageSettings = StageSettings()
    filters: FilterSettings = FilterSettings()
    running: RunningSettings = RunningSettings()
    simulated: SimulatedSettings = SimulatedSettings()
    prices: dict[str, Price] = Field({}, description="by model name; a model without a price is counted in tokens only")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_profile_and_strategy(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        profile, strategy = (values.get(key) for key in ("profile", "strategy"))
        defaults = merge(PROFILES.get(str(profile), {}), STRATEGIES.get(str(strategy), {}))
        return merge(defaults, values)

    @model_validator(mode="after")
    def _each_model_once(self) -> Self:
        for stage in STAGES:
            models = [choice.teacher.model for choice in self.choices(stage)]
            if len(set(models)) < len(models):
                raise ValueError(f"{stage}.mix names a model twice; list its servers in base_url")
        return self

    @model_validator(mode="after")
    def _one_pace_for_each_model_and_server(self) -> Self:
        limits: dict[tuple[str, ...], tuple[float | None, float | None]] = {}
        asked = [(stage, choice.teacher) for stage in self.stages for choice in self.choices(stage)]
        for stage, teacher in asked:
            ours = teacher.requests_per_minute, teacher.tokens_per_minute
            for server in teacher.servers:
                if limits.setdefault((teacher.kind, teacher.model, server, teacher.api_key_env), ours) != ours:
                    raise ValueError(
                        f'"{teacher.model}" has other limits a minute in [{stage}] than in another stage, which shares '
                        "its server's pace: set them in [teacher]"
                    )
        return self

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages in which a teacher is asked."""
        return ("propose",) if self.strategy == "alpaca" else STAGES

    def stage(self, stage: Stage) -> "StageTeacher":
        """The first of `choices`; there is one only unless the stage has a mix."""
        return self.choices(stage)[0]

    def choices(self, stage: Stage) -> "tuple[StageTeacher, ...]":
        """Who may answer in `stage`, at least one, and with which sampling settings.

        [teacher] overlaid with the stage's section, and that with each model of its mix.
        """
        section: StageSettings = getattr(self, stage)
        common = section.model_dump(exclude_none=True, exclude={"mix"})
        if not section.mix:
            return (self._stage_teacher(stage, common, 1.0),)
        return tuple(
            self._stage_teacher(stage, common | one.model_dump(exclude_none=True, exclude={"weight"}), one.weight)
            for one in section.mix
        )

    def _stage_teacher(self, stage: Stage, overrides: dict[str, Any], weight: float) -> "StageTeacher":
        sampling = overrides.pop("sampling", None)
        teacher = self.teacher.model_copy(update=overrides)
        if teacher.kind == "simulated" and not teacher.model:
            teacher = teacher.model_copy(update={"model": "simulated"})
        if sampling is None:
            alpaca = self.strategy == "alpaca" and stage == "propose"
            sampling = dict(ALPACA_SAMPLING[teacher.endpoint] if alpaca else DEFAULT_SAMPLING[stage, teacher.endpoint])
            if stage == "propose" and teacher.endpoint == "completion":  # a base model would go on and on
                shown = self.seed_demonstrations + self.generated_demonstrations
                sampling["stop"] = [*sampling["stop"], f"\n{shown + self.proposals_per_request + 1}."]
            # OpenAI's own newer models refuse max_tokens; most other servers know nothing else.
            at_openai = teacher.kind == "openai" and set(teacher.servers) <= {"", OPENAI_HOST}
            if at_openai and teacher.endpoint == "chat":
                sampling["max_completion_tokens"] = sampling.pop("max_tokens")
        return StageTeacher(teacher, sampling, weight)

    def resolved(self) -> "Config":
        """The same settings with each stage's sampling written out, so that they mean the same in later versions."""
        return self.with_choices(
            {stage: [{"sampling": choice.sampling} for choice in self.choices(stage)] for stage in STAGES}
        )

    def with_choices(self, values: dict[Stage, list[dict[str, Any]]]) -> "Config":
        """The same settings, with some of those of each choice of some stages set to `values`."""
        stages: dict[str, StageSettings] = {}
        for stage, updates in values.items():
            section: StageSettings = getattr(self, stage)
            mix = tuple(one.model_copy(update=new) for one, new in zip(section.mix, updates, strict=False))
            stages[stage] = section.model_copy(update={"mix": mix} if mix else updates[0])
        return self.model_copy(update=stages)


class StageTeacher(NamedTuple):
    """A teacher of one stage, what goes into the body of its requests, and its share of them."""

    teacher: TeacherSettings
    sampling: dict[str, Any]
    weight: float = 1.0


def parse_config(values: dict[str, Any], source: str) -> Config:
    """Check `values`; UsageError names the source, the key, what is wrong and the nearest known key."""
    return parse_as(Config, values, source)


def parse_as(model: type[Settings], values: dict[str, Any], source: str) -> Settings:
    """The same for any section that stands alone."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        lines = [_explain(problem, model) for problem in error.errors()]
        raise UsageError("\n".join(f"{source}: {line}" for line in lines)) from None


def read_toml(path: Path) -> dict[str, Any]:
    """The TOML file's values; UsageError where it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from None


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`below` with the values of `above` laid over it, tables key by key, but `sampling` as a whole."""
    merged = dict(below)
    for key, value in above.items():
        both_tables = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both_tables and key != "sampling" else value
    return merged


def shaping_settings(config: Config) -> dict[str, Any]:
    """The settings that the data depends on, flat: {"filters.rouge_threshold": 0.7, ...}."""
    values = config.model_dump(mode="json", exclude={"running", "prices", "prompts"})  # prompts: their texts count
    values["simulated"] = {key: values["simulated"][key] for key in SHAPING_SIMULATED}
    for stage in STAGES:
        choices = [
            {**teacher.model_dump(exclude=HOW_TO_REACH), "sampling": sampling, "weight": weight}
            for teacher, sampling, weight in config.choices(stage)
        ]
        if len(choices) == 1:
            del choices[0]["weight"]
        values[stage] = choices[0] if len(choices) == 1 else {"mix": choices}
    del values["teacher"]  # it is in the three stages
    return dict(_flat(values))


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and key != "sampling":
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _explain(problem: Any, model: type[BaseModel]) -> str:
    """One pydantic problem in the user's words; the value is not repeated, it might be a secret."""
    path = [str(part) for part in problem["loc"]]
    key = ".".join(path)
    if problem["type"] != "extra_forbidden":
        return f"{key or 'the settings'}: {problem['msg'].removeprefix('Value error, ')}"
    for part in path[:-1]:
        if part in model.model_fields:  # else it is a place in a list, or the name of a table
            annotation = model.model_fields[part].annotation
            kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
            model = next((kind for kind in kinds if issubclass(kind, BaseModel)), model)
    known = list(model.model_fields)
    near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
    return f"unknown key {key}; " + (f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}.")
