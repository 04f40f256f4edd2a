"""All errors, as one tree.

    SelfInstructError            what the command line shows as one message, exit code 2
    ├── UsageError               wrong settings or input: says what to write instead
    ├── StoreError               run.db cannot be read or written: says how to recover
    ├── TeacherError             the teacher cannot answer any request: key, model, quota, unreachable
    ├── YieldCollapsed           hardly anything is admitted any more: resuming would waste money
    ├── BudgetReached            the next call might use more than the user allows
    ├── RequestRefused           this request never gets an answer (too long, content filter): stored, the run continues
    ├── TryAgain                 this call failed, the same call may succeed later: retried by the scheduler
    └── Stopped                  the run is stopping, this request was not sent

A bad answer is none of these: it is data, and becomes a rejection with a reason.
"""


class SelfInstructError(Exception):
    """The base of all errors that a user may see; its text is one message that says what to do."""


class UsageError(SelfInstructError):
    """A setting, a file or an argument is wrong; raised before any money is spent."""


class StoreError(SelfInstructError):
    """The run's store is damaged, busy, read-only or out of space."""


class TeacherError(SelfInstructError):
    """The teacher cannot be used as configured; the run stops and can be resumed."""


class YieldCollapsed(SelfInstructError):
    """So few of the latest candidates were admitted that the run stops on its own."""


class BudgetReached(SelfInstructError):
    """The next call might use more requests, tokens or dollars than the user allows; it can be resumed with more."""


class RequestRefused(SelfInstructError):
    """The teacher permanently refuses this one request; `reason` is stored with it.

    `raw`: what the server said instead of a completion, where it said something that may have been paid for.
    """

    def __init__(self, reason: str, detail: str, raw: str | None = None):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.raw = raw

    @property
    def may_have_cost(self) -> bool:
        """Whether the server answered and may charge for it."""
        return self.raw is not None


class TryAgain(SelfInstructError):
    """A transient failure. `retry_after_s` is the pause the server requested, None if it did not.

    `unreachable`: no connection came about. `raw`: the server did answer, with something that is no completion
    (it may have been paid for, so it is tried again only a few times). `tries`: how often the request has failed, where
    that is noted in the store already.
    """

    def __init__(
        self,
        reason: str,
        detail: str,
        *,
        retry_after_s: float | None = None,
        unreachable: bool = False,
        raw: str | None = None,
    ):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.unreachable = unreachable
        self.raw = raw
        self.tries = 0

    @property
    def may_have_cost(self) -> bool:
        """Whether the server may have answered and may charge for it: not if it reported a failure."""
        return not self.unreachable and not self.reason.startswith(("http_", "batch_"))


class Stopped(SelfInstructError):
    """The run is stopping, so this request was not sent."""
