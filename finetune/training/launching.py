"""Training on several GPUs: the same command once on each, by `accelerate launch`, with configs from launch/.

    selfinstruct finetune outputs/first --model MODEL --out DIR --launch fsdp

| config        | what it is for                                                                       |
|---------------|--------------------------------------------------------------------------------------|
| ddp           | one machine; each GPU holds the whole model (adapters, or a model that fits)         |
| fsdp          | one machine; weights, gradients and optimiser are spread over the GPUs               |
| fsdp-machines | several machines: copy it, enter each machine's rank and the first one's address     |

Your own file, as `accelerate config` writes it, is used as it is.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from selfinstruct.errors import UsageError

CONFIGS = Path(__file__).parent / "launch"


def launch_by(name: str, arguments: Sequence[str]) -> int:
    """Run `selfinstruct ARGUMENTS` on every GPU, with the shipped config or the file `name`; return the exit code."""
    return waited_for(command(name, arguments))


def waited_for(command: Sequence[str]) -> int:
    """Run a command and return its exit code. Ctrl-C reaches it too: it stops gracefully, and this waits for it."""
    before = signal.signal(signal.SIGINT, lambda *_: None)  # unlike SIG_IGN, a handler is not inherited
    try:
        return subprocess.run(command, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)


def command(name: str, arguments: Sequence[str]) -> list[str]:
    """The command, without `--launch` in `arguments`. UsageError if there is no such config."""
    shipped = CONFIGS / f"{name}.yaml"
    config = shipped if shipped.exists() else Path(name)
    if not config.is_file() or not _is_config(config):
        known = ", ".join(sorted(path.stem for path in CONFIGS.glob("*.yaml")))
        raise UsageError(f"--launch {name}: not an accelerate config. Use {known}, or a config file.")
    rest = list(arguments)
    at = next(i for i, argument in enumerate(rest) if argument.partition("=")[0] == "--launch")
    del rest[at : at + (1 if "=" in rest[at] else 2)]
    count = ["--num_processes", str(_gpus())] if shipped.exists() and name != "fsdp-machines" else []
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config), *count]
    return [*launch, "-m", "selfinstruct", *rest]


def _is_config(file: Path) -> bool:
    try:
        return "distributed_type" in file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False


def _gpus() -> int:
    import torch

    if (n := torch.cuda.device_count()) < 2:
        raise UsageError(f"--launch needs several GPUs; this machine has {n}. Leave it out.")
    return n
