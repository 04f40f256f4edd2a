"""Docs of what needs torch: the code blocks of the pages that train models, and the pages that show a student."""

import importlib.util
import pkgutil
import re

import pytest

from tests.conftest import environment, simulated_server
from tests.docs.blocks import NEED_TORCH, PLAIN, ROOT, TINY_MODEL, comparable, run_page
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


@pytest.mark.parametrize("name", ["api.md", "extending.md"])
def test_the_pages_of_code_show_the_fields_of_tuples_and_how_what_is_called_is_called(name):
    """mkdocstrings leaves out fields without a docstring, and `__call__`."""
    for path, options in re.findall(
        r"^::: (\S+)\n(?:    options: (.*)\n)?", (ROOT / "docs" / name).read_text(encoding="utf-8"), re.MULTILINE
    ):
        part = pkgutil.resolve_name(path)
        if hasattr(part, "_fields"):
            assert options == "{show_if_no_docstring: true}", path
        if isinstance(part, type) and "__call__" in vars(part):
            assert "__call__" in options, path
