"""The code blocks of the pages that train models: run as tests/docs/ runs the others, on tiny models."""

import importlib.util

import pytest

from tests.conftest import environment, simulated_server
from tests.docs.blocks import NEED_TORCH, PLAIN, TINY_MODEL, comparable, run_page
from tests.tiny_model import write_model

pytestmark = [
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("torch", "transformers", "trl", "peft"))),
        reason="needs pip install 'selfinstruct[finetune]'",
    ),
    pytest.mark.filterwarnings("default:::torch", "default:::transformers"),
]


@pytest.mark.parametrize("page", sorted(NEED_TORCH))
def test_blocks_run_and_print_what_is_shown(page, tmp_path):
    write_model(tmp_path / TINY_MODEL, [], layers=1)
    with simulated_server() as server:
        for block, printed, shown in run_page(page, tmp_path, server, environment(**PLAIN, HF_HUB_OFFLINE="1")):
            if shown:
                assert comparable(printed) == comparable(shown.text), f"{shown.where}: {block.text}printed\n{printed}"
