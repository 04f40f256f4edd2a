"""Coroutines run to their end from code that is none."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def blocking(work: Callable[[], Coroutine[Any, Any, T]], stop: Callable[[], None] | None = None) -> T:
    """Run it to its end; in a thread where this one has a running event loop, as a notebook's has.

    There, an interrupt calls `stop` in the loop of the work. Without it, and at the next one, the work is cancelled.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    loop = asyncio.new_event_loop()

    def run() -> T:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(work())

    with ThreadPoolExecutor(1) as threads, _interrupts_raise():
        done = threads.submit(run)
        on_interrupt = stop or cancel_all
        while True:
            try:
                return done.result()
            except KeyboardInterrupt:
                loop.call_soon_threadsafe(on_interrupt)
                on_interrupt = cancel_all


@contextmanager
def _interrupts_raise() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt here: the handler of `asyncio.run` waits for the loop, which is blocked."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def cancel_all() -> None:
    """Cancel what the running event loop has to do."""
    for task in asyncio.all_tasks():
        task.cancel()
