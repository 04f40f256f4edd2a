"""What Tab offers where typer does not know the choices. Files need nothing: the shell completes them."""

from pathlib import Path
from typing import Literal

import typer

from selfinstruct import labels, parts


def rejected_stages(ctx: typer.Context, incomplete: str) -> list[str]:
    """The stages in which RUN rejected something; none where there is no run."""
    return _rejected_by(ctx, "stage", incomplete)


def rejected_reasons(ctx: typer.Context, incomplete: str) -> list[str]:
    """The reasons for which RUN rejected something; none where there is no run."""
    return _rejected_by(ctx, "reason", incomplete)


def strategies(incomplete: str) -> list[str]:
    """The built-in strategies."""
    return [name for name in parts.STRATEGIES if name.startswith(incomplete)]


def teachers(incomplete: str) -> list[str]:
    """The built-in kinds of teachers."""
    return [name for name in parts.TEACHERS if name.startswith(incomplete)]


def label_models(incomplete: str) -> list[str]:
    """The built-in label models."""
    return [name for name in labels.NAMES if name.startswith(incomplete)]


def filters(incomplete: str) -> list[str]:
    """The filters that can be switched off."""
    from selfinstruct.filters.verdicts import OPTIONAL

    return [name for name in OPTIONAL if name.startswith(incomplete)]


def _rejected_by(ctx: typer.Context, column: Literal["stage", "reason"], incomplete: str) -> list[str]:
    from selfinstruct.store.rejected_by import rejected_by

    # An option without its value, such as the one that is completed, ends the parsing and leaves RUN among the args.
    run = next(filter(None, [ctx.params.get("run"), *ctx.args]), None)
    return [name for name in rejected_by(Path(run), column) if name.startswith(incomplete)] if run else []
