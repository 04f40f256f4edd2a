"""What the tests of training share: a tiny model, something to learn, and a training in this process."""

import json
from pathlib import Path
from typing import Any

from tiny_model import write_model

from finetune.training.settings import FinetuneSettings, parse_settings
from finetune.training.train import Trained, train


def write_student(folder: Path) -> Path:
    """A model with random weights, its tokenizer and its chat template."""
    write_model(folder, [])
    return folder


def write_data(path: Path, n: int = 60, words: int = 1) -> Path:
    """`n` tasks of different lengths in Alpaca's format."""
    rows = [
        {"instruction": f"Say the number {i} some times.", "input": "", "output": " ".join([str(i)] * (i % 4 + words))}
        for i in range(n)
    ]
    path.write_text(json.dumps(rows))
    return path


def settings_for(model: Path, data: Path, **more: Any) -> FinetuneSettings:
    values = {"model": str(model), "data": [{"path": str(data)}], "learning_rate": 2e-3, "epochs": 1, **more}
    return parse_settings(values)


def trained(model: Path, data: Path, folder: Path, **more: Any) -> Trained:
    result = train(settings_for(model, data, **more), folder)
    assert result
    return result


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without the times."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
