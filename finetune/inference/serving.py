"""A student as an OpenAI-compatible server: vLLM if it is installed, else `transformers serve`.

    $ selfinstruct serve outputs/student
    outputs/student will be served at http://127.0.0.1:8000/v1. Ctrl-C stops it. To use it as a teacher:
    selfinstruct generate RUN --target N --base-url http://127.0.0.1:8000/v1 --model outputs/student

The server replaces this process, so that signals reach it. Before that, the tokens that end an answer and do_sample are
added to the folder's generation config; without them servers never stop, or ignore the temperature. An adapter is first
merged with its base, into DIR/merged.

`transformers serve` generates one answer at a time and ignores `n`, `logprobs` and `response_format`; vLLM does not.

Not covered: several GPUs, API keys, other options of the servers: start vLLM yourself for these.
"""

import errno
import importlib.util
import os
import shlex
import socket
import sys
from pathlib import Path
from typing import NoReturn

from huggingface_hub.constants import HF_HUB_CACHE

from finetune.inference.converting import asked_well, how_to_ask, installed, whole
from selfinstruct.errors import UsageError
from selfinstruct.rows.writing import whole_file
from selfinstruct.untrusted import say


def serve(folder: Path, host: str, port: int) -> NoReturn:
    """Become a server for the student at this address; port 0: any free port. UsageError if that is not possible."""
    model = whole(folder)
    port = _free_port(host, port)
    name, command = _server(str(model), host, port)
    prepare(model)
    url = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}/v1"
    say(f"{name} will be served at {url}. Ctrl-C stops it. To use it as a teacher:")
    say(f"selfinstruct generate RUN --target N --base-url {url} --model {shlex.quote(str(model))}")
    os.execv(command[0], command)


def prepare(model: Path) -> None:
    """Complete the model's generation config. UsageError if it has no chat template, or cannot be written."""
    tokenizer, before = how_to_ask(model)
    path = model / "generation_config.json"
    after = asked_well(before, tokenizer)
    if before is None or after.to_dict() != before.to_dict():
        with whole_file(path) as part:
            after.to_json_file(part)
        say(f"Added end tokens and do_sample to {path}.")
    Path(HF_HUB_CACHE).mkdir(parents=True, exist_ok=True)  # `transformers serve` lists its contents


def _server(model: str, host: str, port: int) -> tuple[str, list[str]]:
    """The server's name and its command."""
    address = ["--host", host, "--port", str(port)]
    if vllm := installed("vllm"):
        return "vLLM", [vllm, "serve", model, "--served-model-name", model, *address]
    if not all(map(importlib.util.find_spec, ("fastapi", "uvicorn"))):
        raise UsageError(
            "Neither vLLM nor transformers' server is installed. Run: pip install 'selfinstruct[finetune]'."
        )
    if "@" in model:
        raise UsageError(f"{model}: `transformers serve` reads what follows the @ as a revision. Rename the folder.")
    return "transformers serve", [sys.executable, "-m", "transformers.cli.transformers", "serve", model, *address]


def _free_port(host: str, port: int) -> int:
    try:
        socket.getaddrinfo(host, port, socket.AF_INET)
    except (socket.gaierror, UnicodeError):
        raise UsageError(f"{host} is neither an IPv4 address nor a known host name. Choose another --host.") from None
    try:
        with socket.create_server((host, port)) as listening:
            return int(listening.getsockname()[1])
    except OSError as error:
        option = "--host" if error.errno == errno.EADDRNOTAVAIL else "--port"
        raise UsageError(f"Port {port} of {host} cannot be used ({error.strerror}). Choose another {option}.") from None
