"""All errors, as one tree.

    SelfInstructError            what the command line shows as one message, exit code 2
    ├── UsageError               wrong settings or input: says what to write instead
    ├── StoreError               run.db cannot be read or written: says how to recover
    ├── TeacherError             the teacher cannot answer any request: key, model, quota, unreachable
    ├── YieldCollapsed           almost nothing is admitted any more: resuming would waste money
    ├── BudgetReached            the next call might use more than the user allows
    ├── RequestRefused           this request is never answered (too long, content filter): stored, run continues
    ├── TryAgain                 this call failed, the same call may succeed later: retried by the scheduler
    └── Stopped                  the run is stopping, this request was not sent

A bad answer is none of these: it is data, and becomes a rejection with a reason.
"""


class SelfInstructError(Exception):
    """Base class of all errors that a user may see; the message says what to do."""


class UsageError(SelfInstructError):
    """A setting, a file or an argument is wrong; raised before any money is spent."""


class StoreError(SelfInstructError):
    """The run's store is damaged, busy, read-only or out of space."""


class TeacherError(SelfInstructError):
    """The teacher cannot be used as configured; the run stops and can be resumed."""


class YieldCollapsed(SelfInstructError):
    """Almost none of the latest candidates were admitted, so the run stopped."""


class BudgetReached(SelfInstructError):
    """The next call might exceed a limit on requests, tokens or dollars; raise the limit to resume the run."""


class RequestRefused(SelfInstructError):
    """This request will never be answered; it is stored with `reason`, and the run continues.

    `raw`: what the server returned instead of a completion, if it may charge for it.
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
    """A transient failure: the same call may succeed later. `retry_after_s`: the pause the server asked for, if any.

    `unreachable`: no connection was made. `raw`: what the server returned instead of a completion; it may charge for
    it, so the call is retried only a few times. `may_be_billed`: the server reported a failure, but with
    status 200 or after a long wait, so it may charge for it. `tries`: how many failures of this request are already
    stored. `raised_in`: the place of the custom teacher that failed, "" if it has no source; None if a server failed.
    `notice`: what the user is told about it.
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
        self.may_be_billed = False
        self.tries = 0
        self.notice = ""
        self.raised_in: str | None = None

    @property
    def may_have_cost(self) -> bool:
        """Whether the server may have answered and may charge for it: not if it only reported a failure."""
        is_failure = self.reason.startswith(("http_", "batch_")) and self.raw is None
        return self.may_be_billed or not (self.unreachable or is_failure)


class Stopped(SelfInstructError):
    """The run is stopping, so this request was not sent."""
