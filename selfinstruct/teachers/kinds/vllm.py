"""vLLM, on this machine's GPUs. Requires selfinstruct[vllm]."""

import shutil
import sys
from pathlib import Path
from typing import Any

from selfinstruct.errors import UsageError
from selfinstruct.teachers.kinds._local import LocalServer
from selfinstruct.teachers.settings import TeacherSettings


class VLLM(LocalServer):
    """A model from a folder or the hub, served by `vllm serve` with its defaults."""

    label = "vLLM"

    def check(self, stage: str, teacher: TeacherSettings, sampling: dict[str, Any]) -> None:
        """Check that vLLM is installed."""
        super().check(stage, teacher, sampling)
        if not _vllm():
            raise UsageError("The vLLM teacher needs vLLM. Run: pip install 'selfinstruct[vllm]'.")

    def command(self, model: str, port: int, concurrency: int) -> list[str]:
        """`vllm serve`, with the model under the name by which the requests ask for it."""
        address = ["--host", "127.0.0.1", "--port", str(port)]
        return [_vllm() or "vllm", "serve", model, "--served-model-name", model, *address]


def _vllm() -> str | None:
    """The command, beside this Python or on the path."""
    beside = Path(sys.executable).with_name("vllm")
    return str(beside) if beside.exists() else shutil.which("vllm")


KIND = VLLM()
