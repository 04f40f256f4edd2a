"""How the simulated teacher behaves: slow, wrong, malformed, failing - or, by default, none of these.

A benchmark that needs a teacher as slow as a real one, with occasional stragglers and one call in twenty refused:

    SimulatedSettings(latency_s=0.5, latency_kind="lognormal", straggler_share=0.01, rate_limited_share=0.05)

Every share is between 0 and 1. Which request gets which fault depends on the request itself and on how often the server
has seen it, never on a clock, so a run with faults can be repeated. The exceptions are rate limits, capacity and the
quota, which depend on time or on the order of requests, as real ones do.
"""

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, SecretStr, field_validator, model_validator

from selfinstruct.settings import MayChange, Section, did_you_mean
from selfinstruct.simulated.world.tasks import families

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
Burst = Annotated[float, Field(ge=1, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]

MalformedKind = Literal[
    "preamble", "sign_off", "code_fence", "cut_off", "refusal", "empty", "skipped_numbers", "repeated_numbers",
    "restarted_numbers", "parenthesis_numbers", "bold_numbers", "bold_tasks", "quoted_tasks", "bullets",
    "starred_bullets", "headings", "labelled_tasks", "blank_lines", "one_line", "broken_lines", "no_separator",
    "bold_fields", "heading_fields", "numbered_once", "forbidden", "duplicates", "verbose", "undecided", "bold_labels",
    "heading_examples", "output_below", "no_heading", "spelled_labels", "no_input_words",
]  # fmt: skip
MALFORMED_KINDS: tuple[MalformedKind, ...] = get_args(MalformedKind)
"""What the malformed answers are called; `mind.malformed` says what each is."""

EXCLUSIVE_FAULTS = ("rate_limited", "error", "dropped", "stall", "slow_body", "garbage")


SHAPING = MayChange.UNTIL_ANSWERED  # of its answers; everything else is delays and passing faults


class SimulatedSettings(Section):
    """How the simulated teacher behaves; by default it is fast, well-formed, always right, and never fails."""

    may_change = MayChange.ANY_TIME

    # How long an answer takes.
    capacity: int = Field(
        0,
        ge=0,
        description="Requests processed at a time; the others wait, and only then take latency_s. 0: no limit.",
    )
    latency_s: Seconds = Field(
        0.0, description="Mean time before an answer, in seconds (0 to 86400); 0 answers immediately."
    )
    latency_kind: Literal["fixed", "lognormal"] = Field(
        "fixed", description="fixed: every answer takes latency_s; lognormal: a log-normal time with mean latency_s."
    )
    latency_sigma: float = Field(
        0.5, ge=0, le=5, description="Spread of the log-normal latency: standard deviation of its logarithm (0 to 5)."
    )
    straggler_share: Share = Field(
        0.0, description="Share of answers that take straggler_factor times as long (0 to 1)."
    )
    straggler_factor: float = Field(
        10.0, ge=1, le=10_000, description="How many times as long a straggler takes (>= 1)."
    )

    # What the answers are like.
    families: Annotated[tuple[str, ...], SHAPING] = Field(
        (),
        description="Task families to propose (see simulated/world), for a narrow dataset; empty: all.",
    )
    wrong_share: Annotated[float, SHAPING] = Field(
        0.0, ge=0, le=0.5, description="Share of wrong instance outputs and wrong yes/no answers (0 to 0.5)."
    )
    repeat_share: Annotated[Share, SHAPING] = Field(
        0.05, description="Share of proposed tasks that repeat or slightly reword a task of the prompt (0 to 1)."
    )
    forbidden_share: Annotated[Share, SHAPING] = Field(
        0.05,
        description="Share of proposed tasks that a filter should reject (pictures, programs, too short; 0 to 1).",
    )
    json_schema: Annotated[Literal["honoured", "ignored", "refused"], SHAPING] = Field(
        "honoured",
        description="Response to a response_format: honoured (in JSON), ignored (as text) or refused (status 400).",
    )
    refusal_share: Annotated[Share, SHAPING] = Field(
        0.0,
        description="Share of chat choices that refuse, as OpenAI does: null content, the text in refusal (0 to 1).",
    )
    malformed_share: Annotated[Share, SHAPING] = Field(
        0.0, description="Share of answers not in the requested form (0 to 1)."
    )
    malformed_kinds: Annotated[tuple[str, ...] | None, SHAPING] = Field(
        None,
        description="Kinds of malformed answers to give, by name (see simulated/mind/malformed.py); if not set: all.",
    )

    # How the service fails.
    rate_limit_per_s: Rate = Field(0.0, description="Requests accepted per second; the others get 429. 0: no limit.")
    rate_limit_per_minute: Rate = Field(
        0.0, description="Requests accepted per minute; the others get 429. 0: no limit."
    )
    rate_limit_tokens_per_minute: Rate = Field(
        0.0,
        description=(
            "Tokens accepted per minute, each request counting its prompt and its maximum answer; others get 429. "
            "0: no limit."
        ),
    )
    rate_limit_burst: Burst | None = Field(
        None,
        description=(
            "Requests accepted at once before the rate limit applies (>= 1; 1 spaces them evenly); if not set: those "
            "of a whole second or minute."
        ),
    )
    rate_limit_headers: bool = Field(
        True, description="Whether answers report what remains of the rate limits in x-ratelimit-* headers."
    )
    rate_limited_share: Share = Field(0.0, description="Share of requests that get 429 at any rate (0 to 1).")
    retry_after_s: Seconds = Field(
        0.0,
        description="Seconds that a 429 tells the client to wait in Retry-After (0 to 86400); 0 sends no such header.",
    )
    quota_requests: int = Field(
        0, ge=0, description="Number of answers after which every request gets 429 insufficient_quota; 0: no limit."
    )
    poison_share: Annotated[Share, SHAPING] = Field(
        0.0, description="Share of distinct requests that get 400 whenever they are sent (0 to 1)."
    )
    too_long_tokens: Annotated[int, SHAPING] = Field(
        0,
        ge=0,
        description="Tokens of a prompt above which a request gets 400 context_length_exceeded; 0: no limit.",
    )
    error_share: Share = Field(0.0, description="Share of requests answered with status 500 (0 to 1).")
    dropped_share: Share = Field(
        0.0, description="Share of requests whose connection is closed without an answer (0 to 1)."
    )
    stall_share: Share = Field(0.0, description="Share of requests that are never answered (0 to 1).")
    slow_body_share: Share = Field(
        0.0, description="Share of answers whose headers are sent immediately and whose body trickles in (0 to 1)."
    )
    slow_body_s: Seconds = Field(5.0, description="Time over which a slow body trickles in, in seconds (0 to 86400).")
    garbage_share: Share = Field(
        0.0,
        description="Share of answers with status 200 and HTML, broken JSON, no choices or null content (0 to 1).",
    )

    # Batches.
    batch_s: Seconds = Field(
        0.0, description="Time a batch takes, in seconds (0 to 86400); 0: done at the first status request."
    )
    batch_failed_share: Share = Field(
        0.0, description="Share of a batch's requests that end in its error file with 500 or 429 (0 to 1)."
    )
    batch_refused: int = Field(
        0, ge=0, description="Number of requests to create a batch that get status 500 before the first one succeeds."
    )
    batch_expired: int = Field(
        0, ge=0, description="Number of batches, from the first on, that expire with half of their requests executed."
    )
    batch_enqueued_tokens: int = Field(
        0,
        ge=0,
        description=(
            "Prompt tokens that unfinished batches may have together; a batch beyond that fails with "
            "token_limit_exceeded. 0: no limit."
        ),
    )

    # Who may ask.
    api_key: SecretStr | None = Field(
        None, description="Key that requests must send (Authorization: Bearer ...); if not set: no key needed."
    )

    @field_validator("malformed_kinds")
    @classmethod
    def _known_kinds(cls, kinds: tuple[str, ...] | None) -> tuple[str, ...] | None:
        unknown = sorted(set(kinds or ()) - set(MALFORMED_KINDS))
        if unknown:
            raise ValueError(f"unknown kinds {', '.join(unknown)}; choose from {', '.join(MALFORMED_KINDS)}")
        return kinds

    @field_validator("families")
    @classmethod
    def _known_families(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in families():
                raise ValueError(f"unknown family {name}; {did_you_mean(name, families())}")
        return names

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if sum(self.fault_shares().values()) > 1 + 1e-9:
            raise ValueError(f"{', '.join(f'{kind}_share' for kind in EXCLUSIVE_FAULTS)} may not sum to more than 1")
        if self.repeat_share + self.forbidden_share > 1 + 1e-9:
            raise ValueError("repeat_share and forbidden_share may not sum to more than 1")
        return self

    def fault_shares(self) -> dict[str, float]:
        """Return the shares of the mutually exclusive faults: a request gets at most one of them."""
        return {kind: getattr(self, f"{kind}_share") for kind in EXCLUSIVE_FAULTS}
