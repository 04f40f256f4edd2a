"""What the benchmarks of calls share: the simulated server in a process of its own, on a core of its own."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def server(folder: Path, settings: Mapping[str, Any]) -> Iterator[str]:
    """`selfinstruct simulate` on the last core; RuntimeError where it does not start."""
    config = folder / "server.toml"
    config.write_text("[simulated]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))
    command = [sys.executable, "-m", "selfinstruct", "simulate", "--port", "0", "--config", str(config)]
    said = folder / "server.txt"
    with (
        said.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        assert process.stdout
        pin(-1, process.pid)
        try:
            line = process.stdout.readline()
            if " at " not in line:
                raise RuntimeError(f"the server: {' '.join(said.read_text().split())}")
            yield line.split(" at ")[1].split(". ")[0]
        finally:
            process.terminate()


def calls(url: str) -> dict[str, Any]:
    """What the server has seen so far."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/simulated/calls") as answer:
        return dict(json.load(answer))


def pin(core: int, process: int = 0) -> None:
    """Keep a process, this one by default, on one of the cores that are there, counted from either end."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process, {sorted(os.sched_getaffinity(process))[core]})
