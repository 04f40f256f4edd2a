"""What the tests of training share: a tiny model, something to learn, and a training in this process."""

import functools
import importlib.metadata
import json
from pathlib import Path
from typing import Any

from tiny_model import write_model

from finetune.data import memory
from finetune.training.settings import FinetuneSettings, parse_settings
from finetune.training.train import Trained, train

# What a tiny model keeps for its backward pass takes longer to foretell than to train it. So it is worked out once for
# each config; that it is right is for test_ft_preflight.
_kept_of, _known = memory._kept_of, {}


def _kept_once(config: Any, *rest: Any) -> int:
    values = {name: value for name, value in config.to_dict().items() if name != "_name_or_path"}
    key = type(config), json.dumps(values, sort_keys=True, default=str), str(rest)
    if key not in _known:
        _known[key] = _kept_of(config, *rest)
    return _known[key]


memory._kept_of = _kept_once
# accelerate looks up in each step of a training what is installed.
importlib.metadata.metadata = functools.cache(importlib.metadata.metadata)


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
    """A training that ends, of few checkpoints: to save one takes longer than the updates before it."""
    few = {} if "max_steps" in more else {"eval_every": 4}
    result = train(settings_for(model, data, **few | more), folder)
    assert result
    return result


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl without the times."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
