"""Code that comes with a model is never run, whatever command reads the model."""

import importlib.util
import io
import json

import pytest

from tests.conftest import run_cli
from tests.tiny_model import write_model

pytestmark = [
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("torch", "transformers", "peft", "trl"))),
        reason="needs pip install 'selfinstruct[finetune]'",
    ),
    pytest.mark.filterwarnings("default:::torch", "default:::transformers"),
]


@pytest.fixture(params=["llama", "something_new"])
def model(request, tmp_path):
    """A model with code of its own, of an architecture that is known, and of one that only its code knows."""
    folder = tmp_path / "model"
    write_model(folder, [])
    (folder / "foreign.py").write_text(f"open({str(tmp_path / 'was run')!r}, 'w')\nclass Foreign: pass\n")
    for name, classes in (
        ("config.json", {"AutoConfig": "foreign.Foreign", "AutoModelForCausalLM": "foreign.Foreign"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["foreign.Foreign", "foreign.Foreign"]}),
    ):
        values = json.loads((folder / name).read_text())
        values["auto_map"] = classes
        if name == "config.json" and request.param != "llama":
            values["model_type"] = request.param
        (folder / name).write_text(json.dumps(values))
    return folder


def test_code_that_comes_with_a_model_is_not_run(model, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data = tmp_path / "data.json"
    data.write_text(json.dumps([{"instruction": f"Say {n}.", "input": "", "output": str(n)} for n in range(30)]))
    (tmp_path / "short.toml").write_text("[propose]\nsampling = { max_tokens = 4 }\n[running]\ncollapse_after = 20\n")
    for command in (
        ("finetune", data, "--model", model, "--out", tmp_path / "student", "--dry-run"),
        ("chat", model, "--max-tokens", 2),
        ("evaluate", model, "--data", data, "--limit", 1, "--max-tokens", 2, "--output", tmp_path / "answers.jsonl"),
        ("generate", tmp_path / "run", "--target", 1, "--teacher", "transformers", "--model", model, "--config",
         tmp_path / "short.toml"),
    ):  # fmt: skip
        monkeypatch.setattr("sys.stdin", io.StringIO("Why?\n"))
        result = run_cli(*command)
        assert "Traceback" not in result.stderr
        assert not (tmp_path / "was run").exists(), command
        is_known = json.loads((model / "config.json").read_text())["model_type"] == "llama"
        if not is_known:
            assert result.returncode == 2
            assert "custom code" in result.stderr
        elif command[0] != "generate":  # for that it babbles too much
            assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "bomb",
    [
        "{{ 'a' * 10**9 }}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{{ messages[0].content.ljust(10**10) }}",
    ],
)
def test_a_chat_template_that_would_eat_memory_or_time_is_one_message(bomb, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    write_model(folder, [])
    (folder / "chat_template.jinja").write_text(bomb)
    for command in (("chat", folder), ("evaluate", folder, "--constraints", 1, "--output", tmp_path / "a.jsonl")):
        monkeypatch.setattr("sys.stdin", io.StringIO("Why?\n"))
        result = run_cli(*command)
        assert result.returncode == 2, command
        assert "chat template fails: it would produce too much text or take too many steps" in result.stderr
