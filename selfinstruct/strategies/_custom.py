"""Custom strategies: checked when loaded; their errors are explained; old runs know them by their declarations."""

import inspect
import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

from pydantic import Field

from selfinstruct.asking.stages import Counted, GrowthSettings, Stage
from selfinstruct.custom import Custom, explained, load, of_object
from selfinstruct.errors import StoreError, UsageError
from selfinstruct.records import Candidate, Task, canonical_json
from selfinstruct.settings import Section, parse_as
from selfinstruct.strategies import Ask, GeneratedInstances, Proposal, Strategy
from selfinstruct.untrusted import visible

if TYPE_CHECKING:
    from selfinstruct.pool.pool import Snapshot

DECLARES = ("stages", "defaults", "reasons", "summary", "propose", "generate_instances")


class DeclaredStage(Section):
    """A stage as declared in a run's store."""

    name: str = Field(max_length=60)
    asks_for: str = Field("", max_length=200)
    counts: tuple[str, str, str, str, tuple[str, str, str]] | None = None


class DeclaredStrategy(Section):
    """A strategy as declared in a run's store."""

    stages: tuple[DeclaredStage, ...] = Field(min_length=1)
    reasons: dict[str, str]
    summary: str = Field(max_length=1000)


def custom_strategy(given: Any) -> Custom:
    """A custom strategy, given by name or as a class."""
    if isinstance(given, Custom):
        return given
    named = load(given) if isinstance(given, str) else of_object(given)
    if not inspect.isclass(named.code):
        raise UsageError(f"{named} is not a strategy: it must be a class.")
    strategy: type[Strategy] = cast("type[Strategy]", named.code)
    if missing := [name for name in DECLARES if not hasattr(strategy, name)]:
        raise UsageError(
            f"The strategy {named} lacks {', '.join(missing)}. Inherit from SelfInstruct or Alpaca, or define "
            "everything that Strategy has; all three are in selfinstruct.extending."
        )
    if not strategy.stages or not all(isinstance(stage, Stage) for stage in strategy.stages):
        raise UsageError(f"The strategy {named}: stages must be a tuple of at least one Stage.")
    return Custom(named, _guarded(strategy), named.sha256)


def _guarded(strategy: type[Strategy]) -> type[Strategy]:
    """The same strategy, with its errors and wrong results turned into one message."""

    class Guarded(strategy):  # type: ignore[misc, valid-type]  # any class that has what a strategy has
        def __init__(self, settings: GrowthSettings):
            with explained():
                super().__init__(settings)

        async def propose(self, snapshot: "Snapshot", rng: random.Random, ask: Ask) -> Proposal:
            with explained():
                proposal: Proposal = await super().propose(snapshot, rng, ask)
            _check(strategy, "propose", proposal, Proposal)
            for candidate in proposal.candidates:
                _check(strategy, "propose", candidate, Candidate)
                _check_json(strategy, candidate.extra)
            return proposal

        async def generate_instances(self, task: Task, ask: Ask) -> GeneratedInstances:
            with explained():
                generated: GeneratedInstances = await super().generate_instances(task, ask)
            _check(strategy, "generate_instances", generated, GeneratedInstances)
            for extra in (generated.extra, *(instance.extra for instance in generated.instances)):
                _check_json(strategy, extra)
            return generated

    return Guarded


def _check(strategy: type[Strategy], method: str, value: object, of: type) -> None:
    if not isinstance(value, of):
        raise UsageError(
            f"The strategy {strategy.__name__}: {method} returned {value!r:.80}; it must return a {of.__name__}."
        )


def _check_json(strategy: type[Strategy], extra: Mapping[str, Any]) -> None:
    try:
        canonical_json(dict(extra))
    except (TypeError, ValueError) as error:
        raise UsageError(f"The strategy {strategy.__name__}: extra must contain only JSON values ({error}).") from None


def declaration(strategy: type[Strategy]) -> dict[str, Any]:
    """What the store records about a strategy."""
    stages = [{"name": s.name, "asks_for": s.asks_for, "counts": s.counts} for s in strategy.stages]
    return {"stages": stages, "reasons": dict(strategy.reasons), "summary": strategy.summary}


def as_declared(name: str, declared: Mapping[str, Any]) -> Custom:
    """A strategy known only by its declaration in a run's store; it cannot make requests."""
    try:
        values = {key: declared[key] for key in ("stages", "reasons", "summary")}
        known = parse_as(DeclaredStrategy, values, name)
    except (UsageError, KeyError, TypeError) as error:
        raise StoreError(f"The store of this run is damaged: {error}") from None
    stages_ = tuple(
        Stage(
            visible(one.name), (), lambda endpoint, settings: {}, visible(one.asks_for),
            Counted(*map(_visible, one.counts)) if one.counts else None,
        )
        for one in known.stages
    )  # fmt: skip

    class AsDeclared:
        stages = stages_
        defaults: ClassVar[Mapping[str, Any]] = {}
        reasons: ClassVar[Mapping[str, str]] = {visible(name): visible(words) for name, words in known.reasons.items()}
        summary = visible(known.summary)

        def __init__(self, settings: GrowthSettings):
            _not_loaded(name)

        async def propose(self, snapshot: "Snapshot", rng: random.Random, ask: Ask) -> Proposal:
            _not_loaded(name)

        async def generate_instances(self, task: Task, ask: Ask) -> GeneratedInstances:
            _not_loaded(name)

    return Custom(name, AsDeclared)


def _visible(text: Any) -> Any:
    return tuple(map(visible, text)) if isinstance(text, tuple) else visible(text)


def _not_loaded(name: str) -> NoReturn:
    raise UsageError(f"The strategy {name} is not loaded.")
