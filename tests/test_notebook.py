"""docs/notebook.ipynb does what it shows: run in a kernel of its own, it gives the outputs that it holds.

`python tests/test_notebook.py` runs it and writes its outputs again.
"""

import json
import os
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest

from tests.conftest import environment

NOTEBOOK = Path(__file__).parents[1] / "docs/notebook.ipynb"
PROGRESS = re.compile(r"\d+ of \d+ tasks admitted, .* tokens")  # how many calls there were depends on timing
Cell = dict[str, Any]


def run_in(folder: Path) -> list[Cell]:
    """The notebook's cells after a run in `folder`, with the outputs of this run only."""
    import nbformat
    from nbconvert.preprocessors import ExecutePreprocessor

    notebook = nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)
    settings = {name: str(folder / "jupyter") for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
    with patch.dict(os.environ, environment(PYTHONPATH=str(NOTEBOOK.parents[1]), **settings), clear=True):
        ExecutePreprocessor(timeout=None).preprocess(notebook, {"metadata": {"path": str(folder)}})
    cells: list[Cell] = json.loads(nbformat.writes(notebook))["cells"]
    for cell in cells:
        cell["metadata"].pop("execution", None)  # times
    return cells


def printed(cells: list[Cell]) -> list[list[str]]:
    """The text of each cell's outputs."""
    outputs = [[one.get("text") or one["data"]["text/plain"] for one in cell.get("outputs", ())] for cell in cells]
    return [[PROGRESS.sub("(progress)", "".join(lines)) for lines in texts] for texts in outputs]


def test_the_notebook_gives_the_outputs_that_it_shows(tmp_path):
    pytest.importorskip("nbclient", reason="needs pip install nbclient ipykernel")
    pytest.importorskip("pandas", reason="needs pip install 'selfinstruct[finetune]'")
    shown = json.loads(NOTEBOOK.read_text())["cells"]
    cells = run_in(tmp_path)
    assert printed(cells) == printed(shown), "run: python tests/test_notebook.py, and commit docs/notebook.ipynb"
    texts = [text for texts in printed(cells) for text in texts]
    assert texts.count("(progress)") == 2, "one line for each run, written over as it grows"
    assert not [text for text in texts if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text)]
    assert {one["output_type"] for cell in cells for one in cell.get("outputs", ())} <= {
        "stream", "display_data", "execute_result",
    }  # fmt: skip
    assert "stderr" not in {one.get("name") for cell in cells for one in cell.get("outputs", ())}
    assert (tmp_path / "data.jsonl").read_text()


if __name__ == "__main__":
    with TemporaryDirectory() as place:
        notebook = json.loads(NOTEBOOK.read_text())
        notebook["cells"] = run_in(Path(place))
    NOTEBOOK.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
