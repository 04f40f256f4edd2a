"""Custom filters, which run after the built-in ones.

    import selfinstruct as si

    @si.filter(stage="task", meaning="speaks of a number")
    def no_number(task, pool):
        return si.reject(word="number") if "number" in task.instruction else None

Stage "task" sees each candidate (records.Candidate) before it is compared with the pool; stage "record" sees each
record (records.Record) that passed the other filters, with the stages' fields in `extra`. Both see the pool as it is at
that moment, and cannot change it (pool.read_only.ReadOnlyPool). The verdict must depend on nothing else, so that a run
can be repeated.
"""

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import Field

from selfinstruct.custom import Custom, checked_json, explained, load, of_object, place_of
from selfinstruct.errors import StoreError, UsageError
from selfinstruct.filters.instance import INSTANCES
from selfinstruct.filters.instruction import FILTER
from selfinstruct.filters.rule import Evidence, Rule
from selfinstruct.pool.read_only import ReadOnlyPool
from selfinstruct.records import Candidate, Record
from selfinstruct.settings import Section, parse_as
from selfinstruct.untrusted import visible

Check = Callable[[Any, Any], Evidence | None]
Recorded = Callable[[str], Mapping[str, Evidence]]  # for a reason, the evidence by the id of what was rejected
STAGES = {"task": FILTER, "record": INSTANCES}  # with the stage that its rejections are listed under


class CustomRule(Rule[...]):
    """A custom filter."""


class DeclaredFilter(Section):
    """A custom filter as declared in a run's store."""

    name: str = Field(pattern=r"^\w{1,60}$")
    stage: Literal["task", "record"]
    meaning: str = Field(max_length=200)


def filter(stage: Literal["task", "record"], meaning: str = "") -> Callable[[Check], CustomRule]:
    """Turn the decorated function into a filter; its name is the reason stored with what it rejects.

    The function takes a candidate (`stage="task"`) or a record (`stage="record"`), and the pool. It returns None to let
    it pass, or `reject(...)`. `meaning`: what it rejects, in a few words.
    """
    if inspect.isfunction(stage):
        raise UsageError(
            f'{place_of(stage)}@si.filter needs arguments: @si.filter(stage="task", meaning="what it rejects").'
        )
    if not isinstance(stage, str) or stage not in STAGES:
        raise UsageError(f"A filter's stage is {stage!r}; it must be {' or '.join(map(repr, STAGES))}.")
    if not meaning:
        raise UsageError(
            "A filter needs a meaning, a few words for what it rejects: @si.filter(stage=..., meaning=...)."
        )

    def declare(check: Check) -> CustomRule:
        if not inspect.isfunction(check) or check.__name__ == "<lambda>":
            raise UsageError(f"@si.filter decorates a function with a name, not {_name(check)}.")
        parse_as(DeclaredFilter, {"name": check.__name__, "stage": stage, "meaning": meaning}, check.__name__)
        if inspect.iscoroutinefunction(check):
            raise UsageError(
                f"{place_of(check)}The filter {check.__name__} is an async function; it must be synchronous."
            )
        try:
            inspect.signature(check).bind("subject", "pool")
        except TypeError:
            raise UsageError(
                f"{place_of(check)}The filter {check.__name__} must take two arguments: "
                f"def {check.__name__}({stage}, pool)."
            ) from None
        return CustomRule(check.__name__, STAGES[stage], _line(meaning), "custom", "", _checked(check))

    return declare


def _line(meaning: str) -> str:
    return visible(" ".join(meaning.split()))


def reject(**evidence: Any) -> Evidence:
    """What a filter returns to reject. `evidence`: JSON values that show a person why."""
    return _Rejected(evidence)


class _Rejected(dict[str, Any]):
    """Evidence made by `reject`, so that a dict a filter returns for another reason does not pass for a rejection."""


def _checked(check: Check) -> Check:
    """The same function, with its errors and wrong results turned into one message."""

    @functools.wraps(check)
    def checked(subject: Any, pool: Any) -> Evidence | None:
        try:
            with explained(check):
                evidence = check(_copied(subject), ReadOnlyPool(pool))
        except UsageError as error:
            raise UsageError(f"{error}\nIt was filtering: {' '.join(subject.instruction.split()):.80}") from error
        try:
            if evidence is None or isinstance(evidence, _Rejected):
                return checked_json(evidence)  # type: ignore[no-any-return]
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"{place_of(check)}The evidence of the filter {check.__name__} is not JSON ({error}); pass only texts, "
                "numbers, lists and dicts to reject(...)."
            ) from None
        raise UsageError(
            f"{place_of(check)}The filter {check.__name__} returned {evidence!r:.80}; it must return "
            "si.reject(...) to reject, or None to let pass."
        )

    return checked


def _copied(subject: Candidate | Record) -> Candidate | Record:
    """What a filter may change without changing what is stored, or what the next filter sees."""
    changes = {name: getattr(subject, name) for name in ("extra", "messages") if getattr(subject, name, None)}
    return replace(subject, **copy.deepcopy(changes)) if changes else subject


def _name(value: object) -> str:
    return getattr(value, "__name__", None) or f"{value!r:.80}"


def custom_filter(given: Any) -> Custom:
    """A custom filter, given by name or as a decorated function."""
    named = load(given) if isinstance(given, str) and not isinstance(given, Custom) else given
    rule = named.code if isinstance(named, Custom) else named
    if not isinstance(rule, CustomRule):
        raise UsageError(
            f"{place_of(rule)}{given if isinstance(given, str) else _name(rule)} is not a filter; decorate the "
            "function with @si.filter(stage=..., meaning=...)."
        )
    return named if isinstance(named, Custom) else of_object(inspect.unwrap(rule.check), rule)


def declaration(rule: CustomRule) -> dict[str, Any]:
    """What the store records about a filter."""
    stage = next(name for name, stage in STAGES.items() if stage == rule.stage)
    return {"name": rule.name, "stage": stage, "meaning": rule.words}


def as_declared(name: str, declared: Mapping[str, Any], recorded: Recorded) -> Custom:
    """A filter known only by its declaration in a run's store; it repeats its recorded verdicts."""
    try:
        known = parse_as(DeclaredFilter, {key: declared[key] for key in DeclaredFilter.model_fields}, name)
    except (UsageError, KeyError, TypeError) as error:
        raise StoreError(f"The record of the filter {name!r} is damaged ({error}).") from None
    said = functools.cache(lambda: recorded(known.name))

    def check(subject: Any, pool: Any) -> Evidence | None:
        return said().get(subject.id)

    return Custom(name, CustomRule(known.name, STAGES[known.stage], _line(known.meaning), "custom", "", check))
