"""Who is asked, and whether the user lets them have the keys."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from selfinstruct.errors import UsageError
from selfinstruct.untrusted import visible

if TYPE_CHECKING:
    from selfinstruct.runs.trust import Untrusted

T = TypeVar("T")


def with_consent(open_: Callable[[], T], send_keys: bool) -> T:
    """What `open_` opens; where it would send a key unasked, the user is asked, or has said --send-keys."""
    from selfinstruct.runs.trust import Untrusted, remember

    try:
        return open_()
    except Untrusted as error:
        if not (send_keys or _confirmed(error)):
            raise
        remember(error.pairs)
        return open_()


def _confirmed(error: "Untrusted") -> bool:
    """Whether the user, asked at a terminal, lets the servers have the keys."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    for server, variable in error.pairs:
        question = f"Send the key in {variable} to {server or 'OpenAI'}, which the run or the config file names?"
        if not typer.confirm(visible(question), err=True):
            raise UsageError("Nothing was sent. Choose another server with --base-url, or unset the variable.")
    return True


def teachers_in_words(config: Any, between: str = ", or ") -> str:
    """The teacher or teachers in words, and whether one is simulated."""
    simulated = "SIMULATED (for experiments, not for training)"
    stages_of: dict[str, list[str]] = {}
    for stage in config.stages:
        teachers = [choice.teacher for choice in config.choices(stage)]
        where = {teacher.model: " and ".join(filter(None, teacher.servers)) for teacher in teachers}
        each = [f"{model} at {servers}" if servers else model for model, servers in where.items()]
        name = simulated if any(t.kind == "simulated" for t in teachers) else between.join(each)
        stages_of.setdefault(name, []).append(stage)
    if len(stages_of) == 1:
        return next(iter(stages_of))
    return "; ".join(f"{', '.join(stages)}: {name}" for name, stages in stages_of.items())
