"""llama.cpp with a GGUF file, on this machine. Requires selfinstruct[llama-cpp] (xllamacpp)."""

import importlib.util
import math
import os
import sys
from pathlib import Path
from typing import Any

from selfinstruct.errors import UsageError
from selfinstruct.teachers.kinds._local import LocalServer
from selfinstruct.teachers.kinds._streaming import StreamingClient
from selfinstruct.teachers.settings import TeacherSettings

SERVER = Path(__file__).with_name("_llama_server.py")
CONTEXT = 4096  # tokens of each slot: a prompt of the built-in strategies and its answer take up to 3,000
LOOK_S = 0.5
SHORT_TOKENS = 100  # a class, but not instances
LONG = {"temperature": 0.7, "top_p": 0.9}


class LlamaCpp(LocalServer):
    """A GGUF file, served by llama.cpp with as many slots as calls in flight."""

    label = "llama.cpp"
    client = StreamingClient

    def sampling(self, teacher: TeacherSettings, sampling: dict[str, Any]) -> dict[str, Any]:
        """Small chat models repeat themselves in longer texts if they decode greedily: see Measurements in the docs."""
        is_long = sampling.get("max_tokens", math.inf) > SHORT_TOKENS
        return {**sampling, **LONG} if is_long and teacher.endpoint == "chat" else sampling

    def check(self, stage: str, teacher: TeacherSettings, sampling: dict[str, Any]) -> None:
        """Check that xllamacpp is installed and that the model is a GGUF file."""
        super().check(stage, teacher, sampling)
        if importlib.util.find_spec("xllamacpp") is None:
            raise UsageError("The llama.cpp teacher needs xllamacpp. Run: pip install 'selfinstruct[llama-cpp]'.")
        path = Path(teacher.model).expanduser()
        try:
            with path.open("rb") as file:
                is_gguf = path.is_file() and file.read(4) == b"GGUF"
        except OSError as error:
            raise UsageError(f"[{stage}]: {path}: cannot be read ({error.strerror}).") from None
        if not is_gguf:
            raise UsageError(f"[{stage}]: {path}: not a GGUF file. For a folder, use --teacher transformers.")

    def command(self, model: str, port: int, concurrency: int) -> list[str]:
        """llama.cpp's own server, in a Python process."""
        path = Path(model).expanduser().resolve()
        slots = map(str, (port, concurrency, CONTEXT, idle_cores()))
        return [sys.executable, str(SERVER), str(path), *slots]


def idle_cores() -> int:
    """The cores that have nothing to do now, at least one.

    Threads that share a core with other work hold up all others: on two busy cores, two answer far slower than one.
    """
    import psutil

    busy: float = psutil.cpu_percent(LOOK_S) / 100  # of all cores
    return max(1, round((os.cpu_count() or 1) * (1 - busy)))


KIND = LlamaCpp()
