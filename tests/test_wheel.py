"""The wheel, installed in an empty folder elsewhere, brings seeds and prompts along and works."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    pytest.importorskip("build")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CHECKOUT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_wheel_holds_what_it_needs_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith("seeds_shipped/seeds.jsonl") for name in names)
    assert "finetune/inference/teacher.py" in names
    assert sum(name.endswith(".jinja") for name in names if "prompts_shipped" in name) == 14
    assert {"selfinstruct/report/page.html", "selfinstruct/web/style.css"} <= set(names)
    assert {f"finetune/compare/{name}" for name in ("judge.jinja", "report.html", "static/rate.js")} <= set(names)
    assert {"finetune/training/launch/fsdp.yaml", "finetune/training/presets/alpaca-7b.toml"} <= set(names)
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "outputs", "docs"))]


def test_wheel_works_in_an_empty_folder(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    # -P and an explicit path: the checkout must not be what is imported.
    command = [sys.executable, "-P", "-m", "selfinstruct", "generate", "outputs/first", "--target", "10"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    result = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (elsewhere / "outputs/first/records.jsonl").read_text().count("\n") >= 10
    where = subprocess.run(
        [sys.executable, "-P", "-c", "import selfinstruct; print(selfinstruct.__file__)"],
        cwd=elsewhere, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert str(tmp_path) in where
