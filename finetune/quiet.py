"""What libraries say to each other is kept from the user; what goes wrong is raised anyway."""

import warnings

from transformers.utils import logging

SAID_BY_PEFT = (
    "`is_gradient_checkpointing` is deprecated",  # a call of its own
    "Setting `save_embedding_layers` to `True`",  # which is what we want
)


def quieten() -> None:
    """No hints of transformers and PEFT, and no bars for single files."""
    for said in SAID_BY_PEFT:
        warnings.filterwarnings("ignore", said)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
