"""Processes that are forked from this one, so that they need not import torch again, which takes each of them 10 s."""

import logging
import multiprocessing
import os
import runpy
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.loopback import HANG_S

_FORK = multiprocessing.get_context("fork")


@contextmanager
def forked(work: Callable[[], object], log: Path, errors: Path | None = None) -> Iterator[BaseProcess]:
    """A process that does this work. It prints to `log`, errors to a file of their own, and is killed in the end."""
    with log.open("ab") as out, (errors or log).open("ab") as err:
        process = _FORK.Process(target=_work, args=(work, out.fileno(), err.fileno()))
        with warnings.catch_warnings():
            # Python warns of threads that might hold a lock; those of torch and Arrow take care of that themselves.
            warnings.simplefilter("ignore", DeprecationWarning)
            process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join(HANG_S)


def command(*arguments: object) -> Callable[[], object]:
    """The work of `selfinstruct ARGUMENTS`."""

    def work() -> None:
        sys.argv = ["selfinstruct", *map(str, arguments)]
        runpy.run_module("selfinstruct", run_name="__main__")

    return work


def _work(work: Callable[[], object], *printed: int) -> None:
    for number, file in enumerate(printed, 1):
        os.dup2(file, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", 1, "utf-8", closefd=False) for number in (1, 2))
    for name in logging.root.manager.loggerDict:  # what they wrote to may be that of a test which is over
        for handler in logging.getLogger(name).handlers:
            if type(handler) is logging.StreamHandler:
                handler.flush = sys.stderr.flush  # transformers has bound it to the stream it began with
                handler.setStream(sys.stderr)
    work()
