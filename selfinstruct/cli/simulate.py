"""The simulated teacher as a server."""

from pathlib import Path
from typing import Annotated

import typer

from selfinstruct.errors import UsageError
from selfinstruct.untrusted import say


def simulate(
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port on 127.0.0.1; 0 picks a free one.")],
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML file; its [simulated] table sets the behavior.")
    ] = None,
) -> None:
    """Run the simulated teacher as an OpenAI-compatible server.

    Examples:
    selfinstruct simulate --port 8000
    """
    import asyncio

    from selfinstruct.config.config import parse_config
    from selfinstruct.rows.toml import read_toml
    from selfinstruct.simulated.server.app import serving

    settings = parse_config(read_toml(config) if config else {}, str(config)).simulated

    async def serve() -> None:
        async with serving(settings, port=port) as server:
            say(f"The simulated teacher listens at {server.base_url}. Ctrl-C stops it. To use it:")
            say(f"selfinstruct generate RUN --target N --base-url {server.base_url} --model simulated")
            await asyncio.Event().wait()

    try:
        asyncio.run(serve())
    except OSError as error:
        raise UsageError(
            f"Port {port} cannot be used ({error.strerror}). Choose another port, or 0 for a free one."
        ) from None
