"""Runs coroutines from synchronous code."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


def blocking(work: Callable[[], Coroutine[Any, Any, T]], stop: Callable[[], None] | None = None) -> T:
    """Run `work` until it is done; in another thread if this one has a running event loop, as in a notebook.

    There, the first interrupt calls `stop` in the loop of `work`; without `stop`, or at the next one, it is cancelled.
    """
    if not _has_running_loop():
        with _handlers_restored():
            return asyncio.run(work())
    loop = asyncio.new_event_loop()

    def run() -> T:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(work())

    with ThreadPoolExecutor(1) as threads, _handlers_restored() as is_main:
        if is_main:  # the handler of asyncio.run would wait for the loop, which is blocked
            signal.signal(signal.SIGINT, signal.default_int_handler)
        done = threads.submit(run)
        on_interrupt = stop or cancel_all
        while True:
            try:
                return done.result()
            except KeyboardInterrupt:
                loop.call_soon_threadsafe(on_interrupt)
                on_interrupt = cancel_all


def _has_running_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def _handlers_restored() -> Iterator[bool]:
    """Restore the caller's signal handlers at the end; yields whether this is the main thread, which has them."""
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)} if is_main else {}
    try:
        yield is_main
    finally:
        for number, handler in before.items():
            if handler is not None:  # as where another language has set it: Python cannot put it back
                signal.signal(number, handler)


def cancel_all() -> None:
    """Cancel all tasks of the running event loop."""
    for task in asyncio.all_tasks():
        task.cancel()
