"""An event loop whose clock jumps ahead whenever everybody sleeps: minutes of pauses take no time."""

import asyncio
import selectors
from collections.abc import Coroutine


class JumpingSelector(selectors.DefaultSelector):
    """Instead of sleeping, note how long it would have slept."""

    skipped = 0.0

    def select(self, timeout=None):
        events = super().select(None if timeout is None else 0)
        if not events and timeout:
            self.skipped += timeout
        return events


class JumpingLoop(asyncio.SelectorEventLoop):
    """Its clock stands still while anybody has something to do."""

    def __init__(self):
        self.jumping = JumpingSelector()
        super().__init__(self.jumping)

    def time(self):
        return self.jumping.skipped


def play(scene: Coroutine):
    """Run a scene to its end; pauses cost no time."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(scene)


async def settle():
    """Let everybody do what they can do without time passing."""
    for _ in range(100):
        await asyncio.sleep(0)
