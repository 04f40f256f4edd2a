"""Messages that name settings: `generate` and `compare` have different names for them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from selfinstruct.errors import TryAgain
from selfinstruct.teachers.refused import advice


class Words(NamedTuple):
    """The names used in messages; the defaults are those of `generate`.

    `has_sampling`: whether the user can set sampling parameters.
    """

    teacher: str = "The teacher"
    model: str = "model (--model)"
    base_url: str = "base_url (--base-url)"
    simulated: str = "The simulated teacher (--teacher simulated)"
    resume: str = "You can resume the run later."
    has_sampling: bool = True

    def refused(self, what: str, stage: str, sampling: Mapping[str, Any], *, is_known: bool = False) -> str:
        """The message that `what` was refused, in the server's words, and which setting may help.

        `is_known`: earlier requests of the stage were answered, so that its settings are fixed.
        """
        lines = [what.rstrip(". ") + "."]
        if is_known:
            lines.append(
                "Earlier ones were accepted. When the server accepts them again, run the same command to resume."
            )
        if self.has_sampling:
            ours = advice(what, stage, sampling)
            lines.append(f"In a new run: {ours}" if is_known else f"{ours} The run is unchanged.")
        return " ".join(lines)

    def remedy(self, fault: TryAgain) -> str:
        """What helps where every attempt ends with this failure."""
        if fault.raised_in is not None:
            return f"Check what the teacher calls{fault.raised_in and f' ({fault.raised_in})'}"
        if fault.reason == "http_429":
            return "Wait until the server accepts more calls, or lower concurrency"
        if fault.reason == "deadline":
            return "If the server is only slow, set a longer deadline_s under [running], or lower concurrency"
        return f"Check that the server is up and {self.base_url} is right"

    def window_too_small(self, stage: str, n: int, is_known: bool, detail: str) -> str:
        """The message that the server's context window was too small for `n` requests of a stage, and what helps."""
        settings = (
            ", choose another model, show fewer demonstrations (seed_demonstrations, generated_demonstrations), or "
            f"lower max_tokens in sampling of [{stage}]"
            if self.has_sampling
            else ", or choose another model"
        )
        requests = f"{n} {stage} requests were all" if n > 1 else f"{stage} request was"
        return (
            f"The {'latest' if is_known else 'first'} {requests} too long for the server's context window: "
            f"{detail.rstrip('. ')}. Start the server with a larger window{settings}. "
            "Then run the same command again to resume."
        )


GENERATE = Words()
