"""The simulated teacher as a server."""

from pathlib import Path
from typing import Annotated

import typer

from selfinstruct.errors import UsageError


def simulate(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen on loopback; 0 takes any free port.")],
    config: Annotated[Path | None, typer.Option(help="TOML whose [simulated] table says how it behaves.")] = None,
) -> None:
    """Serve the simulated teacher as an OpenAI-compatible server, until Ctrl-C."""
    import asyncio

    from selfinstruct.config.config import parse_config
    from selfinstruct.settings import read_toml
    from selfinstruct.simulated.server.app import serving

    settings = parse_config(read_toml(config) if config else {}, str(config)).simulated

    async def serve() -> None:
        async with serving(settings, port=port) as server:
            print(f"The simulated teacher listens at {server.base_url}; Ctrl-C ends it. Ask it with:", flush=True)
            print(f"selfinstruct generate RUN --target N --base-url {server.base_url} --model simulated", flush=True)
            await asyncio.Event().wait()

    try:
        asyncio.run(serve())
    except OSError as error:
        raise UsageError(f"Port {port} cannot be used ({error.strerror}). Choose another one, or 0.") from None
