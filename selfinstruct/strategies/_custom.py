"""Custom strategies: checked when loaded; their errors are explained; old runs know them by their declarations."""

import asyncio
import difflib
import inspect
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

from pydantic import Field

from selfinstruct.asking.stages import PROBE, Counted, GrowthSettings, Prompt, Stage
from selfinstruct.custom import Custom, checked_json, explained, load, of_object, place_of, placed, refuse_init
from selfinstruct.errors import SelfInstructError, StoreError, UsageError
from selfinstruct.filters.verdicts import CANDIDATE_STAGES, WORDS
from selfinstruct.parsing.items import ParsedInstance
from selfinstruct.records import Candidate, Instance, Rejection, Task, storable
from selfinstruct.settings import Section, did_you_mean, parse_as
from selfinstruct.strategies import Answer, Ask, GeneratedInstances, Proposal, Strategy
from selfinstruct.strategies import declared as all_declared
from selfinstruct.untrusted import visible

if TYPE_CHECKING:
    from selfinstruct.pool.pool import Snapshot

RESERVED = {PROBE, *CANDIDATE_STAGES}  # stages that requests or rejections have without any strategy
DECLARES = ("stages", "defaults", "reasons", "summary", "propose", "generate_instances")
_OfTask = tuple[str, str, str]


class DeclaredStage(Section):
    """A stage as declared in a run's store."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,59}$")
    asks_for: str = Field("", max_length=200)
    # Without `nearly_all`, as runs of earlier versions have it, or with it.
    counts: tuple[str, str, str, str, _OfTask] | tuple[str, str, str, str, _OfTask, str] | None = None


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
        raise UsageError(f"{place_of(named.code)}{named} is not a strategy: it must be a class.")
    strategy: type[Strategy] = cast("type[Strategy]", named.code)
    if missing := [name for name in DECLARES if not hasattr(strategy, name)]:
        raise UsageError(
            f"{place_of(strategy)}The strategy {named} lacks {', '.join(missing)}. Inherit from SelfInstruct or "
            "Alpaca, or define everything that Strategy has; all three are in selfinstruct.extending."
        )
    refuse_init(strategy, "settings")
    _check_declared(named, strategy)
    return named.standing_for(_guarded(strategy))


def _check_declared(named: Custom, strategy: type[Strategy]) -> None:
    """UsageError if what a strategy declares could not be used, or not be stored."""

    def wrong(what: str) -> UsageError:
        return UsageError(f"{place_of(strategy)}The strategy {named}: {what}")

    kinds = {"stages": tuple, "defaults": Mapping, "reasons": Mapping, "summary": str}
    for attribute, kind in kinds.items():
        if not isinstance(getattr(strategy, attribute), kind):
            raise wrong(f"{attribute} must be a {kind.__name__.lower()}.")
    if not strategy.stages or not all(isinstance(stage, Stage) for stage in strategy.stages):
        raise wrong("stages must be a tuple of at least one Stage.")
    for stage in strategy.stages:
        prompts = stage.prompts
        if not isinstance(prompts, tuple) or not prompts or not all(isinstance(one, Prompt) for one in prompts):
            raise wrong(f"stage {stage.name}: prompts must be a tuple of at least one Prompt.")
        for prompt in prompts:
            if not callable(prompt.samples):
                raise wrong(
                    f"prompt {prompt.name}: samples must be a function of n that returns two dicts of variables."
                )
            with explained(prompt.samples):
                shown = [prompt.shows in sample for sample in prompt.samples(1)]
            if shown != [True, True]:
                raise wrong(f"prompt {prompt.name}: shows is {prompt.shows!r}, which is not a variable in its samples.")
    if clash := strategy.reasons.keys() & WORDS.keys():
        raise wrong(f"reasons: {min(clash)} is the reason of a filter; rename yours.")
    for method in ("propose", "generate_instances"):
        own = [name for name, value in vars(strategy).items() if inspect.iscoroutinefunction(value)]
        if method not in own and (near := difflib.get_close_matches(method, own, n=1, cutoff=0.85)):
            raise wrong(f"nothing calls {near[0]}; if it is meant to replace {method}, rename it.")
    names = [stage.name for stage in strategy.stages]
    if taken := [name for name in names if name in RESERVED or names.count(name) > 1]:
        raise wrong(f"a stage cannot be called {taken[0]}: the name is taken.")
    declared = checked_json(declaration(strategy))
    try:
        parse_as(DeclaredStrategy, declared, named)
    except UsageError:  # only then: to find a class, Python reads all of its file
        parse_as(DeclaredStrategy, declared, f"{place_of(strategy)}{named}")


def _guarded(strategy: type[Strategy]) -> type[Strategy]:
    """The same strategy, with its errors and wrong results turned into one message."""

    class Guarded(strategy):  # type: ignore[misc, valid-type]  # any class that has what a strategy has
        def __init__(self, settings: GrowthSettings):
            with explained(strategy):
                super().__init__(settings)

        async def propose(self, snapshot: "Snapshot", rng: random.Random, ask: Ask) -> Proposal:
            asked = _Asked(ask)
            with asked.explained():
                proposal: Proposal = await super().propose(snapshot, rng, asked)
            check = _Checked(strategy, "propose", asked.ids)
            check.is_a(Proposal, proposal)
            check.unreadable(proposal.unreadable)
            return proposal._replace(candidates=[check.candidate(one) for one in check.list(proposal.candidates)])

        async def generate_instances(self, task: Task, ask: Ask) -> GeneratedInstances:
            asked = _Asked(ask)
            with asked.explained():
                generated: GeneratedInstances = await super().generate_instances(task, asked)
            check = _Checked(strategy, "generate_instances", {*asked.ids, task.request_id})
            check.is_a(GeneratedInstances, generated)
            check.unreadable(generated.unreadable)
            check.request(generated.request_id)
            instances = [check.instance(one) for one in check.list(generated.instances)]
            return replace(generated, instances=instances, extra=check.json(generated.extra))

    return Guarded


class _Asked:
    """`ask`, which remembers what was asked, and the error that ended it: a strategy cannot go on in spite of that."""

    def __init__(self, ask: Ask):
        self.ids: set[str] = set()
        self._ask = ask
        self._failed: BaseException | None = None

    async def __call__(self, stage: Stage, prompt: str, number: int, prefix: str = "", **variables: Any) -> Answer:
        try:
            answer = await self._ask(stage, prompt, number, prefix, **variables)
        except (SelfInstructError, asyncio.CancelledError) as error:
            self._failed = self._failed or error
            raise
        self.ids.add(answer.completion.request_id)
        return answer

    @contextmanager
    def explained(self) -> Iterator[None]:
        """As `custom.explained`; an error of `ask` goes on whatever the strategy makes of it."""
        try:
            with explained():
                yield
        except UsageError as error:
            if not self._failed:
                raise placed(error) from error.__cause__
        finally:
            if self._failed:
                raise placed(self._failed)


class _Checked:
    """What a strategy returns, checked before anything is stored of it."""

    def __init__(self, strategy: type[Strategy], method: str, ids: Collection[str]):
        self._strategy = strategy
        self._method = method
        self._ids = ids

    @property
    def _where(self) -> str:
        part = vars(self._strategy).get(self._method, self._strategy)
        return f"{place_of(part)}The strategy {self._strategy.__name__}: {self._method}"

    def is_a(self, kind: type, value: object) -> None:
        """UsageError if it is of another kind."""
        if not isinstance(value, kind):
            raise UsageError(f"{self._where} returned {value!r:.80}; it must return a {kind.__name__}.")

    def list(self, values: Any) -> Sequence[Any]:
        """The values, if they are a list."""
        if not isinstance(values, list | tuple):
            raise UsageError(f"{self._where} returned {values!r:.80} instead of a list.")
        return values

    def request(self, identity: object) -> str:
        """The id of a request, if it was asked here."""
        if not isinstance(identity, str) or identity not in self._ids:
            raise UsageError(f"{self._where} names the request {identity!r:.40}, which it did not make.")
        return identity

    def text(self, value: object) -> str:
        """The text as it can be stored, if it is one."""
        if not isinstance(value, str):
            raise UsageError(f"{self._where} returned {value!r:.80} instead of text.")
        return storable(value)

    def json(self, extra: Any) -> dict[str, Any]:
        """The fields as JSON has them, if they can be."""
        try:
            return dict(checked_json(dict(extra)))
        except (TypeError, ValueError) as error:
            raise UsageError(f"{self._where}: extra must contain only JSON values ({error}).") from None

    def candidate(self, one: Any) -> Candidate:
        """A candidate, with its texts and fields checked."""
        self.is_a(Candidate, one)
        instances = tuple(Instance(self.text(i.input), self.text(i.output)) for i in self._instances(one.instances))
        return Candidate(
            self.request(one.request_id), int(one.position), self.text(one.instruction), bool(one.cut), instances,
            self.json(one.extra),
        )  # fmt: skip

    def _instances(self, instances: Any) -> Iterator[Instance]:
        for one in self.list(instances):
            self.is_a(Instance, one)
            yield one

    def instance(self, one: Any) -> ParsedInstance:
        """An instance, with its texts and fields checked."""
        self.is_a(ParsedInstance, one)
        return ParsedInstance(self.text(one.input), self.text(one.output), bool(one.cut), self.json(one.extra))

    def unreadable(self, unreadable: Any) -> None:
        """UsageError if they are no pairs of a request's id and a Rejection."""
        for one in self.list(unreadable):
            if not isinstance(one, tuple) or len(one) != 2:
                raise UsageError(
                    f"{self._where} returned {one!r:.80} in unreadable; it must be (request_id, Rejection)."
                )
            self.request(one[0])
            self.is_a(Rejection, one[1])
            if one[1].reason not in (known := all_declared(self._strategy).reasons):
                raise UsageError(
                    f"{self._where} rejects an answer for {one[1].reason!r:.60}, which `reasons` of the strategy does "
                    f"not declare; {did_you_mean(str(one[1].reason), known)}"
                )


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
        raise StoreError(f"The record of the strategy {name!r} is damaged ({error}).") from None
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
