"""The settings of a run: one model, read from TOML, with the meaning and unit of every field.

    seed = 7
    [teacher]                  # all stages, unless a stage overrides it
    kind = "openai"
    model = "gpt-4.1-mini"
    [instances]                # one stage of the strategy: a stronger model
    model = "gpt-4.1"
    sampling = { temperature = 0.0, max_tokens = 2048 }

A stage may use several models, drawn by weight, and a model may have several servers, which share its calls:

    [[propose.mix]]
    model = "small"
    weight = 3
    base_url = ["http://gpu1:8000/v1", "http://gpu2:8000/v1"]
    [[propose.mix]]
    model = "gpt-4.1-mini"

Each subpackage declares its own section; this module assembles them. The strategies declare the tables of stages.
`changes` says what may change in an existing run.
"""

import difflib
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import ConfigDict, Field, model_validator

from selfinstruct.asking.stages import GrowthSettings, Stage
from selfinstruct.custom import Custom, PartName
from selfinstruct.filters.verdicts import PROFILES, FilterSettings
from selfinstruct.settings import MayChange, did_you_mean, merge, parse_as, unknown_key
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.strategies import DEFAULT, NAMES, Strategy, declared, load
from selfinstruct.teachers import kinds
from selfinstruct.teachers.settings import (
    SAMPLING,
    Price,
    RunningSettings,
    StageSettings,
    StageTeacher,
    TeacherSettings,
)
from selfinstruct.untrusted import visible

T = TypeVar("T")
OWN = "your own (FILE.py:NAME)"


class Config(GrowthSettings):
    """All settings of a run. Tables that are not among the fields are those of stages."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, StageSettings] = Field(init=False)

    strategy: PartName = Field(DEFAULT, description='how tasks are generated; "alpaca": whole tasks in one request')
    profile: Annotated[Literal["", "paper"], MayChange.UNTIL_FILTERED] = Field(
        "",
        description='"paper": the filters of the paper (ASCII, fewer forbidden words); the parsers are the same',
    )
    decontaminate: Annotated[tuple[str, ...], MayChange.UNTIL_FILTERED] = Field(
        (), description="test sets (.txt, .jsonl, .json): tasks and records that overlap their questions are rejected"
    )
    # The folder may move: the run stores the texts, and those are compared.
    prompts: Annotated[str, MayChange.ANY_TIME] = Field(
        "",
        description="a folder of prompts to use instead of the built-in ones; a stage with answers keeps its own",
    )
    teacher: TeacherSettings = TeacherSettings()
    filters: FilterSettings = FilterSettings()
    running: RunningSettings = RunningSettings()
    simulated: SimulatedSettings = SimulatedSettings()
    prices: Annotated[dict[str, Price], MayChange.ANY_TIME] = Field(
        {}, description="by model name; a model without a price is counted in tokens only"
    )

    @model_validator(mode="before")
    @classmethod
    def _known_keys_and_defaults(cls, values: Any) -> Any:
        """Reject unknown keys, and overlay the settings on those of the profile and the strategy."""
        if not isinstance(values, dict):
            return values
        profile, strategy = str(values.get("profile")), values.get("strategy", DEFAULT)
        if strategy not in NAMES and not isinstance(strategy, Custom):
            raise ValueError(
                f"strategy (--strategy): there is no strategy {_shown(strategy)}; "
                f"{did_you_mean(str(strategy), NAMES, (*NAMES, OWN))}"
            )
        asks = load(strategy)
        for stage in asks.stages:
            if stage.name in cls.model_fields:
                raise ValueError(f"strategy: a stage cannot be called {stage.name}, the name of a setting")
        known = [*cls.model_fields, *declared(asks).stages]
        if unknown := [_unknown(str(key), values[key], known, strategy) for key in values if key not in known]:
            raise ValueError("\n".join(unknown))
        if misplaced := list(_misplaced(values, [stage.name for stage in asks.stages])):
            raise ValueError("\n".join(misplaced))
        of_profile = {"filters": PROFILES[profile]} if profile in PROFILES else {}
        return merge(merge(of_profile, dict(asks.defaults)), values)

    @model_validator(mode="after")
    def _known_teachers_each_model_once(self) -> Self:
        _refuse_unknown_kind("teacher", self.teacher.kind)
        kinds_: dict[str, Custom] = {}
        for stage in self.known_stages:
            for choice in self.choices(stage):
                kind = choice.teacher.kind
                if isinstance(kind, Custom) and kinds_.setdefault(kind, kind).is_other_than(kind):
                    raise ValueError(f"{stage}.kind: there are two teachers called {kind}; rename one of them")
            teachers = [choice.teacher for choice in self.choices(stage)]
            if len({teacher.model for teacher in teachers}) < len(teachers):
                raise ValueError(f"{stage}.mix names a model twice; list its servers in base_url")
        return self

    @model_validator(mode="after")
    def _reasons_of_one_meaning(self) -> Self:
        for rule in self.filters.custom_rules:
            if rule.name in declared(self.asks).reasons:
                raise ValueError(
                    f"filters.custom: the name {rule.name} is already taken by a reason; rename your filter"
                )
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
                        f'"{teacher.model}" has different limits per minute in [{stage}] than in another stage with '
                        "the same server; set them in [teacher]"
                    )
        return self

    @property
    def asks(self) -> type[Strategy]:
        """The strategy of this run."""
        return load(self.strategy)

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the strategy's stages: first proposals, then those of each task."""
        return tuple(stage.name for stage in self.asks.stages)

    @property
    def known_stages(self) -> tuple[str, ...]:
        """The stages of all strategies, whose tables are allowed in the settings."""
        return declared(self.asks).stages

    def stage(self, stage: str) -> StageTeacher:
        """The first of `choices`, which is the only one unless the stage has a mix."""
        return self.choices(stage)[0]

    def choices(self, stage: str) -> tuple[StageTeacher, ...]:
        """The teachers of `stage`, at least one, with their sampling settings.

        [teacher] overlaid with the stage's section, and that with each model of its mix.
        """
        section = self.section(stage)
        common = section.model_dump(exclude_none=True, exclude={"mix"})
        if not section.mix:
            return (self._stage_teacher(stage, common, 1.0),)
        return tuple(
            self._stage_teacher(stage, common | one.model_dump(exclude_none=True, exclude={"weight"}), one.weight)
            for one in section.mix
        )

    def names(self, stage: str) -> bool:
        """Whether a stage's table says anything; what `resolved` and the run itself write out does not count."""
        section = self.section(stage)
        plain = self.model_copy(update={stage: StageSettings()}).stage(stage)
        keys = section.model_dump(exclude_none=True, exclude_defaults=True).keys() - {"answer_format"}
        return bool(keys - {"sampling"}) or section.sampling not in (None, plain.sampling)

    def section(self, stage: str) -> StageSettings:
        """What a stage overrides of [teacher]."""
        return (self.__pydantic_extra__ or {}).get(stage, StageSettings())

    def _stage_teacher(self, stage: str, overrides: dict[str, Any], weight: float) -> StageTeacher:
        sampling = overrides.pop("sampling", None)
        teacher = self.teacher.model_copy(update=overrides)
        _refuse_unknown_kind(stage, teacher.kind)
        kind = kinds.load(teacher.kind)
        if not teacher.model:
            teacher = teacher.model_copy(update={"model": kind.default_model})
        if sampling is None:
            sampling = self._default_sampling(stage, teacher)
        return StageTeacher(teacher, sampling, weight)

    def _default_sampling(self, stage: str, teacher: TeacherSettings) -> dict[str, Any]:
        """What requests of a stage to a teacher are sent with if the user sets nothing."""
        return kinds.load(teacher.kind).sampling(teacher, self._declared(stage).sampling(teacher.endpoint, self))

    def _declared(self, name: str) -> Stage:
        """The stage of that name, of this strategy or another, whose table is allowed as well."""
        strategies = (self.asks, *map(load, NAMES))
        return next(stage for strategy in strategies for stage in strategy.stages if stage.name == name)

    def resolved(self, before: "Config | None" = None) -> "Config":
        """The same settings with each stage's sampling written out, so that they mean the same in later versions.

        The limit of tokens is the default one where the user sets none, but for models that had none `before`.
        """

        def written_out(stage: str, choice: StageTeacher) -> dict[str, Any]:
            known = before.choices(stage) if before and stage in before.known_stages else ()
            was_without = any(one.teacher.model == choice.teacher.model and not _limits(one.sampling) for one in known)
            if was_without or _limits(choice.sampling):
                return {"sampling": choice.sampling}
            return {"sampling": choice.sampling | _limits(self._default_sampling(stage, choice.teacher))}

        return self.with_choices(
            {stage: [written_out(stage, one) for one in self.choices(stage)] for stage in self.known_stages}
        )

    def with_choices(self, values: dict[str, list[dict[str, Any]]]) -> "Config":
        """The same settings, with `values` set for each choice of some stages."""
        stages: dict[str, StageSettings] = {}
        for stage, updates in values.items():
            section = self.section(stage)
            mix = tuple(one.model_copy(update=new) for one, new in zip(section.mix, updates, strict=False))
            stages[stage] = section.model_copy(update={"mix": mix} if mix else updates[0])
        return self.model_copy(update=stages)


def _unknown(key: str, value: Any, known: list[str], strategy: str) -> str:
    """The message for an unknown key outside of all tables."""
    if isinstance(value, dict) and not difflib.get_close_matches(key, known, n=1, cutoff=0.75):
        stages = ", ".join(stage.name for stage in load(strategy).stages)
        return (
            f"unknown table [{key}]; the strategy {strategy} has no such stage, only {stages}. For a stage of a custom "
            'strategy, name that too: strategy = "FILE.py:NAME"'
        )
    tables: dict[str, Any] = {
        table: Config.model_fields[table].annotation for table in ("running", "filters", "teacher")
    }
    places = {name: table for table, section in tables.items() for name in section.model_fields}
    if key in places:
        return f"unknown key {key}; it belongs in [{places[key]}]"
    near = next(iter(difflib.get_close_matches(key, [*known, *places, *SAMPLING], n=1, cutoff=0.6)), "")
    if near in SAMPLING:
        return f"unknown key {key}; {in_sampling(key, near, [stage.name for stage in load(strategy).stages])}"
    if near in places:
        return f"unknown key {key}; did you mean {near}? It belongs in [{places[near]}]"
    return unknown_key(key, known)


def _limits(sampling: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in sampling.items() if key in ("max_tokens", "max_completion_tokens")}


def _misplaced(values: dict[str, Any], stages: list[str]) -> Iterator[str]:
    """The messages for sampling settings outside of `sampling`."""
    for table, section in values.items():
        if isinstance(section, dict) and table in ("teacher", *stages):
            for key in sorted(section.keys() - TeacherSettings.model_fields.keys()):
                near = difflib.get_close_matches(key, [*StageSettings.model_fields, *SAMPLING], n=1, cutoff=0.75)
                if near and near[0] in SAMPLING:
                    stages_ = [table] if table in stages else stages
                    yield f"unknown key {table}.{key}; {in_sampling(key, near[0], stages_)}"


def in_sampling(key: str, meant: str, stages: Sequence[str]) -> str:
    """Where to set the sampling parameter that is `meant` by a key."""
    *first, last = (f"[{stage}]" for stage in stages)
    places = f"{', '.join(first)} or {last}" if first else last
    where = f"in sampling of {places}, such as sampling = {{ {meant} = ... }}"
    return f"set it {where}" if key == meant else f"did you mean {meant}? Set it {where}"


def _shown(name: object) -> str:
    """A name that is not known, and what the name of a file lacks to be one."""
    lacks = ", which does not say what to load from the file" if str(name).endswith(".py") else ""
    return f"{visible(str(name)[:60])!r}{lacks}"


def _refuse_unknown_kind(table: str, kind: str) -> None:
    if kind not in kinds.NAMES and not isinstance(kind, Custom):
        key = "teacher.kind (--teacher)" if table == "teacher" else f"{table}.kind"
        raise ValueError(  # the value is not repeated, it might be a secret
            f"{key}: there is no such kind of teacher; {did_you_mean(kind, kinds.NAMES, (*kinds.NAMES, OWN))} "
            "The name of a model belongs in model (--model)."
        )


def parse_config(values: dict[str, Any], source: str) -> Config:
    """Check `values`; UsageError names the source, the key, what is wrong and the nearest known key."""
    return parse_as(Config, values, source)
