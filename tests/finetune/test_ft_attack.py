"""A student that an attacker made is opened by every command: nothing is loaded, started or written outside."""

import io
import json
import pickle
import shutil
from pathlib import Path

import pytest

from tests.conftest import run_cli
from tests.tiny_model import write_adapter, write_model
from tests.watching import reader, watched  # noqa: F401 - a fixture

pytestmark = [pytest.mark.usefixtures("reader", "one_thread")]


class Payload:
    """A pickle that writes a file as soon as it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def bad_weights(student: Path, owned: Path) -> None:
    (student / "model.safetensors").unlink()
    (student / "pytorch_model.bin").write_bytes(pickle.dumps(Payload(owned)))


def bad_extras(student: Path, owned: Path) -> None:
    """Beside good weights: what is only loaded by mistake."""
    for name in (
        "training_args.bin",
        "optimizer.pt",
        "scheduler.pt",
        "rng_state.pth",
        "pytorch_model.bin",
        "scaler.pt",
    ):
        (student / name).write_bytes(pickle.dumps(Payload(owned)))


def bad_code(student: Path, owned: Path) -> None:
    (student / "foreign.py").write_text(f"open({str(owned)!r}, 'w')\nclass Foreign: pass\n")
    for name, classes in (
        ("config.json", {"AutoConfig": "foreign.Foreign", "AutoModelForCausalLM": "foreign.Foreign"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["foreign.Foreign", "foreign.Foreign"]}),
    ):
        values = json.loads((student / name).read_text())
        (student / name).write_text(json.dumps({**values, "auto_map": classes}))


def bad_links(student: Path, owned: Path) -> None:
    for name in ("evaluation.jsonl", ".generation_config.json.part", "generation_config.json", "metrics.jsonl"):
        (student / name).unlink(missing_ok=True)
        (student / name).symlink_to(owned)
    (student / "merged").symlink_to(owned.parent / "elsewhere")
    (student / "checkpoints").symlink_to(owned.parent / "elsewhere")


def bad_adapter(student: Path, owned: Path) -> None:
    base = shutil.copytree(student, student.parent / "base")
    shutil.rmtree(student)
    write_adapter(base, student)
    (student / "adapter_model.safetensors").unlink()
    (student / "adapter_model.bin").write_bytes(pickle.dumps(Payload(owned)))
    config = json.loads((student / "adapter_config.json").read_text())
    config |= {"megatron_config": {"a": 1}, "megatron_core": "antigravity"}
    (student / "adapter_config.json").write_text(json.dumps(config))


STUDENT_COMMANDS = [
    ("chat", "STUDENT", "--max-tokens", 2),
    ("evaluate", "STUDENT", "--constraints", 1, "--max-tokens", 2),
    ("merge", "STUDENT", "NEW"),
    ("gguf", "STUDENT", "NEW/s.gguf", "--converter", "STUDENT/config.json/nothing"),
    ("compare", "STUDENT", "STUDENT", "--prompts", "Q", "--out", "NEW", "--no-people", "--max-tokens", 2),
    ("finetune", "Q", "--model", "STUDENT", "--out", "NEW", "--dry-run"),
    ("finetune", "Q", "--out", "STUDENT"),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "student"
    write_model(folder, [])
    return folder


@pytest.mark.filterwarnings("default:::torch", "default:::transformers", "default:::peft")
@pytest.mark.parametrize(
    "attack", [bad_weights, bad_extras, bad_code, bad_links, bad_adapter], ids=lambda a: a.__name__
)
def test_a_student_of_an_attacker(attack, model, tmp_path, monkeypatch):
    owned = tmp_path / "owned"
    (tmp_path / "elsewhere").mkdir()
    data = tmp_path / "q.json"
    data.write_text(json.dumps([{"instruction": f"Say {n}.", "input": "", "output": str(n)} for n in range(30)]))
    for number, command in enumerate(STUDENT_COMMANDS):
        student = shutil.copytree(model, tmp_path / "student")
        attack(student, owned)
        monkeypatch.chdir(student)
        monkeypatch.setattr("sys.stdin", io.StringIO("Why?\n"))
        new = tmp_path / f"out{number}" / "new"
        new.parent.mkdir()
        places = {"STUDENT": student, "NEW": new, "Q": data}
        arguments = [
            places.get(a) or (str(a).replace("STUDENT/", f"{student}/").replace("NEW/", f"{new}/")) for a in command
        ]
        with watched(student, new.parent) as found:
            result = run_cli(*arguments)
        assert [one for one in found if "/.cache/" not in one and "/tmp/torch" not in one] == [], command
        assert not owned.exists(), command
        assert list((tmp_path / "elsewhere").iterdir()) == [], command
        assert "Traceback" not in result.stderr, (command, result.stderr)
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(student)
        shutil.rmtree(tmp_path / "base", ignore_errors=True)
