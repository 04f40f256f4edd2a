"""Models in GGUF files, as llama.cpp and Ollama use them: converted once, into a folder that everything here reads.

    >>> folder_of("SmolLM2-135M-Instruct.Q4_1.gguf")
    '/home/me/.cache/selfinstruct/gguf/SmolLM2-135M-Instruct.Q4_1-5c29b1f06a3d'

transformers unpacks the weights, which takes seconds to minutes, and cannot save or train them as they are. So they
become float16, or float32 where that would overflow, in the user's cache (XDG_CACHE_HOME), with the file's own
tokenizer and chat template. A file that changes is converted again; the folders can be deleted at any time.

Not covered: a model split over several files, adapters and vision parts in GGUF.
"""

import hashlib
import os
import struct
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

from finetune.inference.sampling import check_gguf, is_gguf
from finetune.inference.saving import save_model
from finetune.quiet import quieten
from selfinstruct.errors import UsageError
from selfinstruct.untrusted import say


def folder_of(name: str) -> str:
    """`name` as it is, or for a GGUF file the folder of the converted model.

    UsageError if the file cannot be read, with the reason of transformers.
    """
    if not is_gguf(name):
        return name
    check_gguf(name)
    path = Path(name).resolve()
    there = path.stat()
    made_from = f"{path} {there.st_size} {there.st_mtime_ns}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "selfinstruct" / "gguf"
    folder = cache / f"{path.stem}-{hashlib.sha256(made_from.encode(errors='surrogateescape')).hexdigest()[:12]}"
    if not folder.is_dir():
        _convert(path, folder)
    return str(folder)


def _convert(path: Path, folder: Path) -> None:
    quieten()
    say(f"Converting {path.name} into {folder} ...")
    where: dict[str, Any] = {"gguf_file": path.name, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(path.parent, **where)
        model: Any = AutoModelForCausalLM.from_pretrained(
            path.parent, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True), **where
        )
    except (
        OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, ImportError, RuntimeError, MemoryError,
        struct.error,
    ) as error:  # fmt: skip
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UsageError(
            f"{path}: transformers cannot read this GGUF file ({reason}). Choose another quantization of the model, "
            "such as Q8_0 or F16, or its folder with config, weights and tokenizer."
        ) from None
    model.hf_quantizer = None  # with it, transformers refuses to save the model
    largest = max(float(weight.detach().abs().max()) for weight in model.parameters())
    model = model.half() if largest < torch.finfo(torch.float16).max else model
    save_model(model, tokenizer, folder, "XDG_CACHE_HOME")
