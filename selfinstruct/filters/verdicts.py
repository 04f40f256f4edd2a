"""All filters in order: the first rejection of a candidate or an instance, or the verdict of each filter.

The gate, the what-if of the audit, and refiltering share these, so there is only one way to a verdict.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from selfinstruct.custom import Custom, PartName
from selfinstruct.filters.custom import CustomRule, Recorded, as_declared
from selfinstruct.filters.instance import INSTANCE_FILTERS, INSTANCES, InstanceSettings
from selfinstruct.filters.instruction import (
    FILTER,
    INSTRUCTION_FILTERS,
    PAPER_FORBIDDEN_WORDS,
    InstructionSettings,
    too_similar,
)
from selfinstruct.filters.record import RECORD_FILTERS, RecordSettings
from selfinstruct.filters.rule import Rule
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.pool.pool import Pool
from selfinstruct.records import Candidate, Neighbor, Record, Rejection
from selfinstruct.settings import MayChange, did_you_mean

CANDIDATE_RULES: tuple[Rule[...], ...] = (*INSTRUCTION_FILTERS, too_similar)
INSTANCE_RULES: tuple[Rule[...], ...] = (*INSTANCE_FILTERS, *RECORD_FILTERS)
RULES: tuple[Rule[...], ...] = (*CANDIDATE_RULES, *INSTANCE_RULES)
CANDIDATE_STAGES = tuple(dict.fromkeys(one.stage for one in CANDIDATE_RULES))
INSTANCE_STAGES = tuple(dict.fromkeys(one.stage for one in INSTANCE_RULES))
WORDS: dict[str, str] = {one.name: one.words for one in RULES}
REMEDIES: dict[str, str] = {one.name: one.remedy for one in RULES if one.remedy}
OPTIONAL = tuple(dict.fromkeys(one.name for one in RULES if not one.required))
REQUIRED = {one.name: one.required for one in RULES if one.required}

# What a profile sets; the user's settings override it.
PROFILES: dict[str, dict[str, Any]] = {
    "paper": {"ascii_start": True, "ascii_tokens": True, "forbidden_words": PAPER_FORBIDDEN_WORDS},
}


class FilterSettings(InstanceSettings, RecordSettings, InstructionSettings):
    """The thresholds of the filters."""

    may_change = MayChange.UNTIL_FILTERED

    custom: tuple[PartName, ...] = Field(
        (), description='custom filters, such as "rules.py:no_number"; they run after the built-in ones'
    )
    without: tuple[str, ...] = Field((), description="filters to switch off, by name")

    @field_validator("custom")
    @classmethod
    def _loaded_and_of_different_names(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        names = set(WORDS)
        for one in given:
            if not isinstance(one, Custom):
                raise ValueError(f"{one!r} is not loaded")
            if one.code.name in names:
                raise ValueError(f"there are two filters called {one.code.name}; rename yours")
            names.add(one.code.name)
        return given

    @model_validator(mode="after")
    def _known_filters(self) -> Self:
        optional = (*OPTIONAL, *(rule.name for rule in self.custom_rules))
        for name in self.without:
            if name in REQUIRED:
                raise ValueError(f"without: {name} cannot be switched off: {REQUIRED[name]}")
            if name not in optional:
                hint = did_you_mean(name, (*optional, *REQUIRED), offered=optional)
                raise ValueError(f"without: there is no filter {name}; {hint}")
        object.__setattr__(self, "without", tuple(sorted(set(self.without))))
        return self

    @model_validator(mode="after")
    def _some_length_is_left(self) -> Self:
        if self.min_words > self.max_words:
            raise ValueError("min_words must not be greater than max_words")
        return self

    @property
    def custom_rules(self) -> tuple[CustomRule, ...]:
        """The custom filters."""
        return tuple(one.code for one in self.custom if isinstance(one, Custom))

    @property
    def custom_words(self) -> dict[str, str]:
        """The meanings of the custom filters, by name."""
        return {rule.name: rule.words for rule in self.custom_rules}

    def filters_of(self, stage: str) -> tuple[CustomRule, ...]:
        """The custom filters whose rejections are listed under this stage."""
        return tuple(rule for rule in self.custom_rules if rule.stage == stage) if self.custom else ()


FilteredPool = Pool[FilterSettings]


class Verdict(NamedTuple):
    """The first rejection of a candidate, or None, with the filter's stage; `nearest` if it was looked up."""

    rejection: Rejection | None
    stage: str = ""
    nearest: Neighbor | None = None


class RuleVerdict(NamedTuple):
    """The verdict of one filter on one candidate or instance."""

    rule: Rule[...]
    rejection: Rejection | None


def verdict_on(candidate: Candidate, pool: FilteredPool) -> Verdict:
    """The first rejection of a candidate, or None, with the nearest known instruction."""
    if rejection := first_objection(candidate, pool):
        return Verdict(rejection, FILTER)
    nearest = pool.index.nearest(candidate.instruction, above=-1)
    rejection = too_similar.unless_in(pool.rules.without, nearest, pool)
    return Verdict(rejection, too_similar.stage, nearest)


def first_objection(candidate: Candidate, pool: FilteredPool) -> Rejection | None:
    """The first rejection by the filters that look at the candidate alone, or None."""
    found = (rule.unless_in(pool.rules.without, candidate, pool) for rule in candidate_filters(pool.rules))
    return next((rejection for rejection in found if rejection), None)


def candidate_filters(rules: FilterSettings) -> tuple[Rule[...], ...]:
    """The filters that look at a candidate alone, in order."""
    return (*INSTRUCTION_FILTERS, *rules.filters_of(FILTER))


def record_filters(rules: FilterSettings) -> tuple[Rule[...], ...]:
    """The filters of whole records, in order."""
    return (*RECORD_FILTERS, *rules.filters_of(INSTANCES))


def each_of_candidate(candidate: Candidate, pool: FilteredPool) -> list[RuleVerdict]:
    """The verdict of every filter except the novelty rule on a candidate."""
    return [RuleVerdict(rule, rule(candidate, pool)) for rule in candidate_filters(pool.rules)]


def verdicts_on_instances(instances: Sequence[ParsedInstance], rules: FilterSettings) -> list[Rejection | None]:
    """The verdict on each of a task's instances, in order."""
    verdicts: list[Rejection | None] = [None] * len(instances)
    for rule in INSTANCE_FILTERS:
        if rule.name in rules.without:
            continue
        left = {i: instance for i, instance in enumerate(instances) if verdicts[i] is None}
        for i in left:
            verdicts[i] = rule(i, left, rules)
    return verdicts


def each_of_instances(instances: Sequence[ParsedInstance], rules: FilterSettings) -> list[list[RuleVerdict]]:
    """The verdict of every filter on each instance; a filter sees the instances that passed those before it."""
    said: list[list[RuleVerdict]] = [[] for _ in instances]
    left: Mapping[int, ParsedInstance] = dict(enumerate(instances))
    for rule in INSTANCE_FILTERS:
        found = {i: rule(i, dict(sorted({**left, i: instances[i]}.items())), rules) for i in range(len(instances))}
        for i, rejection in found.items():
            said[i].append(RuleVerdict(rule, rejection))
        left = {i: instance for i, instance in left.items() if found[i] is None}
    return said


def verdict_on_record(record: Record, pool: FilteredPool) -> Rejection | None:
    """The first rejection by a filter of whole records, or None."""
    found = (rule.unless_in(pool.rules.without, record, pool) for rule in record_filters(pool.rules))
    return next((rejection for rejection in found if rejection), None)


def stored_rules(table: Mapping[str, Any], declared: Mapping[str, Any], recorded: Recorded) -> dict[str, Any]:
    """The table [filters] of a stored run, with the declarations of custom filters in place of their names."""
    custom = [as_declared(name, declared.get(name, {}), recorded) for name in table.get("custom", ())]
    return {**table, "custom": custom} if custom else dict(table)
