"""Silences messages of libraries that do not concern the user; errors are raised anyway."""

import warnings

from transformers.utils import logging

SAID_BY_PEFT = (
    "`is_gradient_checkpointing` is deprecated",  # by its own call
    "Setting `save_embedding_layers` to `True`",  # which is what we want
    r"Could not find a config file in .*\.gguf",  # of a base; our added tokens are trained, and so saved anyway
)


def quieten() -> None:
    """No hints from transformers and PEFT, and no progress bars for single files."""
    for said in SAID_BY_PEFT:
        warnings.filterwarnings("ignore", said)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
