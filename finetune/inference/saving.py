"""Writes a model with its tokenizer as a folder that is there only when it is complete."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from selfinstruct.rows.writing import whole_folder


def save_model(model: Any, tokenizer: Any, folder: Path, option: str) -> None:
    """Write both into `folder`; UsageError if it cannot be written, which says by which `option` to choose another."""
    with whole_folder(folder, option) as part:
        try:
            model.save_pretrained(part)
        except SafetensorError as error:  # such as a full disk
            raise OSError(str(error)) from None
        tokenizer.save_pretrained(part)
