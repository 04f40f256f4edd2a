"""The steps of a comparison: start or resume it, get the answers, have them judged, and report."""

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Any

from finetune.compare.answers import Asking, answer, check_source, served
from finetune.compare.asking import Served
from finetune.compare.judge import judge
from finetune.compare.prompts import read_prompts, without_overlap
from finetune.compare.store import SIDES, Store
from selfinstruct.errors import UsageError
from selfinstruct.records import content_id
from selfinstruct.untrusted import say

NAMES = {"prompts": "the prompts", "train": "--train", "max_tokens": "--max-tokens", "temperature": "--temperature",
         "seed": "--seed"}  # fmt: skip


def answered(store: Store, sources: tuple[str, str], prompts: Path, train: Path | None, asking: Asking) -> None:
    """Start or resume the comparison, and get the missing answers.

    UsageError if the folder holds another comparison, or a model cannot be used.
    """
    begin(store, sources, prompts, train, asking)
    for side, source in zip(SIDES, sources, strict=True):
        _tell(answer(store, side, source, asking), f"prompts have no answer from {side.upper()}")
    if not store.items():
        raise UsageError("No prompt has answers from both. The two files must answer the same prompts.")


def begin(store: Store, sources: tuple[str, str], prompts: Path, train: Path | None, asking: Asking) -> None:
    """Store the questions and settings, or check that they are those of this comparison; UsageError if they differ."""
    a, b = sources
    if a == b:
        raise UsageError(f"A and B are both {a}: there is nothing to compare.")
    found = read_prompts(prompts)
    has_answered = store.answered()
    for side, source in zip(SIDES, sources, strict=True):
        if side not in has_answered or store.unanswered(side):
            check_source(source, [prompt.messages for prompt in found])
    settings: dict[str, Any] = {
        "a": a, "b": b, "prompts": content_id("prompts", [prompt.id for prompt in found]),
        "train": str(train) if train else None, **asking._asdict(),
    }  # fmt: skip
    before = store.settings()
    if not has_answered:
        kept, dropped = without_overlap(found, train) if train else (found, [])
        settings["dropped"] = [one._asdict() for one in dropped]
        settings["salt"] = secrets.token_hex(16)  # otherwise a rater could work out which side is which
        store.begin(settings, [(prompt.id, prompt.messages) for prompt in kept])
        return
    # A side without any answers may still be replaced, and a server may have moved.
    free = {side for side in SIDES if side not in has_answered or _model(settings[side]) == _model(before[side])}
    different = [key for key, value in settings.items() if before[key] != value and key not in free]
    if different:
        names = ", ".join(NAMES.get(key, key.upper()) for key in different)
        raise UsageError(
            f"{store.path.parent} was started with different settings: {names}. Restore them to resume, or choose "
            "another folder with --out."
        )
    store.set_settings({side: settings[side] for side in free})


def _model(source: str) -> str:
    asked = served(source)
    return asked.model if asked else source


def judged(store: Store, by: Served) -> None:
    """Get the missing verdicts of a judge model."""
    _tell(judge(store, by), "questions to the judge got no answer; run the same command again to retry them")


def judged_by_people(store: Store, port: int) -> None:
    """Serve the page for people until Ctrl-C; UsageError if the port cannot be used."""
    from finetune.compare.people import serve

    if all(item.is_same for item in store.items()):
        tell("A and B give the same answer to every prompt. There is nothing to judge.")
        return
    try:
        asyncio.run(serve(store, port, tell))
    except KeyboardInterrupt:
        tell("")


def tell(line: str) -> None:
    """Print a message that is not a result."""
    say(line, file=sys.stderr)


def _tell(reasons: list[str], what: str) -> None:
    if reasons:
        tell(f"{len(reasons):,} {what}: {reasons[0]}")
