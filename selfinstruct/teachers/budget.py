"""The hard limits of a run: calls, tokens and dollars, summed over all its sessions.

A call is sent only if usage so far, plus the maximum of the calls in flight, plus the maximum of this call stays within
the limits. The maximum of a call is known in advance: no tokenizer makes more tokens than a text has bytes, and the
request limits the answer's length. This bound is far too high, so a run waits for the answers in flight before it
stops; it stops within one call of the limit. A candidate becomes a task only if there is room for its instances: for
each task that waits the average usage over all sessions, and for the last one the maximum of a call. Proposals leave
budget for these, for the tasks expected from earlier proposals, and for one of their own.

A call that never got an answer (deadline, dropped connection, `kill -9`, a gateway that gave up waiting) may have been
billed, and counts as the maximum it may have used. So does a token count, of the prompt or of the answer, that is
missing, invalid or too small for its text; in later sessions, at the highest price that its model has had in the run.
Answers stored before their model had a price count at today's price. To account for calls in flight at `kill -9`, a
session with a limit records each call before sending it. Requests in batches are recorded with the batch, and count as
in flight until its results have been read.

Not covered: anything that a provider bills besides tokens; a server that makes an answer or a prompt longer than the
request allows, which is visible only in the answer; calls that were in flight when a session without limits was killed.
Failed calls with any other HTTP error status are taken to be free.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from selfinstruct.asking.stages import PROBE
from selfinstruct.errors import BudgetReached, RequestRefused, Stopped, StoreError, TeacherError, TryAgain
from selfinstruct.records import Completion, Request, canonical_json
from selfinstruct.store.answers import longest_requests, uncounted, unpriced, used
from selfinstruct.store.batches import Batches
from selfinstruct.store.store import Store
from selfinstruct.teachers.settings import Price, RunningSettings

IDLE_S = 0.2  # seconds with nothing in flight and nothing to do, after which the budget counts as reached
TEMPLATE_TOKENS = 100  # the most that a server's chat template adds around the messages


class Amount(NamedTuple):
    """Calls, tokens and US dollars."""

    requests: float = 0.0
    tokens: float = 0.0
    cost_usd: float = 0.0

    def plus(self, other: "Amount", times: float = 1.0) -> "Amount":
        """This and `times` the other."""
        return Amount(*(a + times * b for a, b in zip(self, other, strict=True)))

    def or_more(self, other: "Amount") -> "Amount":
        """The larger of each quantity."""
        return Amount(*map(max, self, other))


class Budget:
    """The limits of a run, what it has used, and what is in flight.

    The first of `stages` asks for new tasks, the others are run for each task. `waiting()` is the number of tasks that
    wait for instances, `coming(n)` the number of tasks expected from the first n proposals of this session.
    """

    def __init__(
        self,
        running: RunningSettings,
        prices: Mapping[str, Price],
        stages: Sequence[str],
        store: Store,
        is_batch: bool = False,
    ):
        self._proposing, *self._of_each_task = stages
        self.limits = Amount(
            running.max_requests or math.inf, running.max_tokens or math.inf, running.max_cost or math.inf
        )
        self.waiting: Callable[[], int] = lambda: 0
        self.coming: Callable[[int], float] = lambda n_proposals: 0.0
        self._prices = prices
        self._is_batch = is_batch
        self._store = store
        self._used = Amount()
        self._used_by: defaultdict[str, Amount] = defaultdict(Amount)  # by stage, in all sessions
        self._n_answers: Counter[str] = Counter()
        self._most: dict[str, Amount] = {}  # by stage: the maximum of any call seen so far
        for stage, (n_answers, *amount) in used(store).items():
            self._count(stage, Amount(*amount), n_answers)
        for one in unpriced(store):  # at full price: whether batches answered it is not known
            cost = cost_usd(prices.get(one.model), one.prompt_tokens, one.completion_tokens)
            self._count(one.stage, Amount(cost_usd=cost or 0.0))
        self._prices, self._is_batch = _highest(store, prices), False
        for request, n_prompt, n_new in uncounted(store):
            self._count(request.stage, self._uncounted(request, n_prompt, n_new))
        self._prices, self._is_batch = prices, is_batch
        for request in longest_requests(store):
            self._most[request.stage] = self.at_most(request)
        # What an earlier session has submitted in batches, until this session requests it again.
        self._under_way = {identity: self.at_most(one) for identity, one in Batches(store).requests().items()}
        for most in self._under_way.values():
            self._used = self._used.plus(most)
        self._in_flight = 0
        self._reserved = Amount()
        self._proposals: set[str] = set()  # sent in this session
        self._idle_since = math.inf

    def is_proposal(self, request: Request) -> bool:
        """Whether a request asks for new tasks."""
        return request.stage == self._proposing

    def is_new_proposal(self, request: Request) -> bool:
        """Whether a request asks for new tasks and has not been sent yet: budget is reserved for earlier ones first."""
        return self.is_proposal(request) and request.id not in self._proposals

    def fits(self, request: Request, n_between_tries: int, now: float) -> bool:
        """Whether `request` may be sent now; BudgetReached if it may not, and no work in progress can change that.

        `now`: seconds on the event loop's clock.
        """
        if request.id in self._under_way:
            return True
        most = self.at_most(request)
        self._most[request.stage] = most.or_more(self._most.get(request.stage, most))
        waiting, kept_free = 0, Amount()
        if self.is_proposal(request):
            waiting = self.waiting()
            kept_free = self._for_instances(waiting + self.coming(len(self._proposals | {request.id}) - 1) + 1)
        if self._over(most.plus(kept_free)) is None:
            return True
        # Finished tasks correct the averages, and a proposal that succeeds after retries lets the gate proceed.
        if self._in_flight or waiting or (n_between_tries and self.is_new_proposal(request)):
            return False
        # The latest answers may not have passed through the gate yet.
        self._idle_since = min(self._idle_since, now)
        if now - self._idle_since >= IDLE_S:
            raise self._reached(most, kept_free)
        return False

    def room(self, most: int) -> int:
        """How many more tasks, up to `most`, can get their instances, besides those that wait for them."""
        waiting = self.waiting()
        return next((n for n in range(most) if self._over(self._for_instances(waiting + n + 1))), most)

    def no_room(self) -> BudgetReached:
        """What to raise if there is no room for another task, and no work in progress can change that."""
        return self._reached(self._for_instances(1), Amount(), "The instances of one more task")

    def reserve(self, request: Request) -> None:
        """The request is about to be sent."""
        self._used = self._used.plus(self._under_way.pop(request.id, Amount()), -1)
        most = self.at_most(request)
        if not self._goes_by_batch(request):
            self._store.add_sent(request, int(most.tokens), most.cost_usd)
        self._in_flight += 1
        self._idle_since = math.inf
        if self.is_proposal(request):
            self._proposals.add(request.id)
        self._reserved = self._reserved.plus(most)

    def settle(self, request: Request, completion: Completion | None, error: Exception | None) -> None:
        """The call has ended: with a completion, an error (Stopped: before it was sent), or neither if cancelled."""
        most = self.at_most(request)
        self._in_flight -= 1
        self._reserved = self._reserved.plus(most, -1) if self._in_flight else Amount()
        spent = most
        if completion:
            n_prompt, n_new = completion.prompt_tokens, completion.completion_tokens
            spent = Amount(1, n_prompt + n_new, completion.cost_usd or 0.0)
            if completion.raw:
                spent = spent.plus(self._uncounted(request, n_prompt, n_new))
        elif isinstance(error, Stopped):
            spent = Amount()
        elif isinstance(error, TeacherError) or (
            isinstance(error, RequestRefused | TryAgain) and not error.may_have_cost
        ):
            spent = Amount(requests=1)
        if isinstance(error, TeacherError) and not self._goes_by_batch(request):
            self._store.add_fault(request, 1, TryAgain("run_stopped", str(error)))  # later sessions count it, too
        elif isinstance(error, TeacherError | Stopped):
            self._store.forget_sent(request)  # nothing will be stored for it
        self._count(request.stage, spent, n_answers=completion is not None)

    def at_most(self, request: Request) -> Amount:
        """The most that one call of `request` may use."""
        return self._uncounted(request, 0, 0)._replace(requests=1)

    def _uncounted(self, request: Request, n_prompt: int, n_new: int) -> Amount:
        """The maximum of what the server did not count; such counts are given as 0."""
        # Schemas, tools and whatever else is not a number may become part of the prompt.
        others = (canonical_json(value) for value in request.sampling.values() if isinstance(value, str | list | dict))
        text = "".join((request.system, request.user, *others))
        most_prompt = 0 if n_prompt else len(text.encode("utf-8", "replace")) + TEMPLATE_TOKENS
        most_new = 0 if n_new else request.max_new_tokens or 0
        cost = cost_usd(self._prices.get(request.model), most_prompt, most_new, self._goes_by_batch(request))
        return Amount(0, most_prompt + most_new, cost or 0.0)

    def _count(self, stage: str, used: Amount, n_answers: int = 0) -> None:
        self._used = self._used.plus(used)
        self._used_by[stage] = self._used_by[stage].plus(used)
        self._n_answers[stage] += n_answers

    def _for_instances(self, n_tasks: float) -> Amount:
        """The budget reserved for the instances of `n_tasks` tasks."""
        kept_free = last = Amount()
        for stage in self._of_each_task if n_tasks else ():
            # For a stage without calls so far, assume calls like a proposal.
            most = self._most.get(stage) or self._most.get(self._proposing) or Amount(requests=1)
            n_answers = self._n_answers[stage]
            mean = Amount().plus(self._used_by[stage], 1 / n_answers) if n_answers else most
            kept_free = kept_free.plus(mean, n_tasks)
            last = last.or_more(most.plus(mean, -1))
        return kept_free.plus(last)

    def _over(self, more: Amount) -> str | None:
        """The first limit that would be exceeded if `more` was used, besides the calls in flight."""
        needed = self._used.plus(self._reserved).plus(more)
        amounts = zip(Amount._fields, self.limits, needed, strict=True)
        return next((name for name, limit, amount in amounts if amount > limit), None)

    def _goes_by_batch(self, request: Request) -> bool:
        return self._is_batch and request.stage != PROBE

    def _reached(self, most: Amount, kept_free: Amount, of: str = "The next call") -> BudgetReached:
        what = self._over(most.plus(kept_free)) or Amount._fields[0]
        option = {"requests": "max_requests", "tokens": "max_tokens", "cost_usd": "max_cost"}[what]
        form = "${:,.4f}" if what == "cost_usd" else "{:,.0f}"
        used, needed, free = (form.format(_rounded_up(getattr(one, what))) for one in (self._used, most, kept_free))
        and_free = f", with another {free} reserved for the instances of tasks" if getattr(kept_free, what) else ""
        return BudgetReached(
            f"Stopped at the budget: {used} used of {option} = {getattr(self.limits, what):g}. {of} may use up to "
            f"{needed}{and_free}. All answers are kept. To resume, raise {option} (--{option.replace('_', '-')})."
        )


def _rounded_up(amount: float) -> float:
    """To four places; a stored amount may be as large as a float can be."""
    return math.ceil(amount * 1e4) / 1e4 if amount < 1e12 else amount


def _highest(store: Store, prices: Mapping[str, Price]) -> dict[str, Price]:
    """The highest price that each model has had in any session; what is new is stored."""
    try:
        highest = {model: Price(**price) for model, price in store.settings().get("highest_prices", {}).items()}
    except (AttributeError, TypeError, ValueError):
        raise StoreError(f"{store.path}: its settings are damaged. Restore a copy.") from None
    for model, price in prices.items():
        before = highest.get(model, price)
        highest[model] = Price(input=max(price.input, before.input), output=max(price.output, before.output))
    with store.transaction():
        store.set_settings({"highest_prices": {model: price.model_dump() for model, price in highest.items()}})
    return highest


def cost_usd(price: Price | None, n_prompt: int, n_new: int, is_batch: bool = False) -> float | None:
    """The price in US dollars of these numbers of prompt and answer tokens; None if it is unknown."""
    if price is None:
        return None
    return (n_prompt * price.input + n_new * price.output) / 1e6 * (price.batch if is_batch else 1.0)
