"""A folder that an attacker made is opened by every command: no process, no key sent, no file outside touched.

Watched by Python's audit hooks: whatever is started, opened, moved or connected to while a command works.
"""

import importlib.util
import io
import json
import os
import pickle
import shutil
import sqlite3
import sys
import threading
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from selfinstruct.cli import app
from selfinstruct.runs import trust
from selfinstruct.untrusted import INVISIBLE
from tests.conftest import run_cli

SECRETS = {"OPENAI_API_KEY": "sk-0a1b2c3d4e5f60718293", "AWS_SECRET_ACCESS_KEY": "aws-9f8e7d6c5b4a32100"}
PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.startfile",
             "pty.spawn", "webbrowser.open")  # fmt: skip
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
           "shutil.rmtree", "shutil.move", "shutil.copyfile")  # fmt: skip
ESCAPE = "\x1b]0;owned\x07\x9b2J\u202e<script>alert(1)</script>{{ 7 * 7 }}"


class Watch:
    """What a process does while it is watched, and is not in `allowed` folders."""

    def __init__(self):
        self.allowed: tuple[Path, ...] | None = None
        self.found: list[str] = []

    def hook(self, event: str, args: tuple) -> None:
        if self.allowed is None:
            return
        if event in PROCESSES:
            self.found.append(f"{event} {args}")
        elif event == "socket.connect":
            address = args[1]
            if not (isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1")):
                self.found.append(f"{event} {address}")
        elif event == "open" and isinstance(args[0], str | bytes) and self._writes(args):
            self._check(event, args[0])
        elif event in CHANGES:
            for path in args[: 2 if event in ("os.rename", "shutil.move", "os.link") else 1]:
                self._check(event, path)
        elif event == "sqlite3.connect":
            self._check(event, args[0])

    @staticmethod
    def _writes(args: tuple) -> bool:
        _, mode, flags = args
        by_mode = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        return by_mode or bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))

    def _check(self, event: str, path) -> None:
        if isinstance(path, int):
            return
        name = os.fsdecode(path)
        if name in ("/dev/null", ":memory:", "") or name.startswith("file:"):
            return
        # Where it ends, links and all; but a link itself is renamed or removed, not what it leads to.
        real = Path(os.path.realpath(name)) if event in ("open", "sqlite3.connect") else _beside(name)
        if not any(real.is_relative_to(folder) for folder in self.allowed or ()):
            self.found.append(f"{event} {name} -> {real}")


def _beside(name: str) -> Path:
    return Path(name).parent.resolve() / Path(name).name


WATCH = Watch()
sys.addaudithook(WATCH.hook)


@contextmanager
def watched(*allowed: Path):
    WATCH.found, WATCH.allowed = [], tuple(path.resolve() for path in allowed)
    try:
        yield WATCH.found
    finally:
        WATCH.allowed = None


@pytest.fixture
def evil():
    """A server of the attacker's, and what it was sent."""
    received: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            received.append(f"{self.path} {self.headers} {self.rfile.read(int(self.headers['Content-Length'] or 0))}")
            self.send_response(400)
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1", received
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("attack") / "run"
    assert run_cli("generate", folder, "--target", 6).returncode == 0
    assert run_cli("export", folder, "--format", "messages").returncode == 0
    return folder


@pytest.fixture(autouse=True)
def reader(tmp_path, monkeypatch):
    """Somebody with secrets, who has trusted nobody yet, and has a file of his own."""
    monkeypatch.setattr(trust, "_confirmed", set())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "victim").write_text("mine")


def settings(folder: Path, **changes) -> None:
    """Change what the run says that it was begun with."""
    with closing(sqlite3.connect(folder / "run.db")) as db:
        for key in ("config", "asked"):
            value = json.loads(db.execute("SELECT value FROM run WHERE key = ?", (key,)).fetchone()[0])
            for table, fields in changes.items():
                value[table] = {**value.get(table, {}), **fields} if isinstance(fields, dict) else fields
            db.execute("UPDATE run SET value = ? WHERE key = ?", (json.dumps(value), key))
        db.commit()


def names_a_server(folder, address):
    teacher = {"kind": "openai", "model": "m", "base_url": address, "api_key_env": "AWS_SECRET_ACCESS_KEY"}
    settings(folder, teacher=teacher)
    (folder / "config.toml").write_text("[teacher]\n" + "".join(f'{k} = "{v}"\n' for k, v in teacher.items()))


def names_a_server_for_the_usual_key(folder, address):
    settings(folder, teacher={"base_url": address})


def names_code(folder, address):
    (folder / "evil.py").write_text(f"open({str(folder.parent / 'owned')!r}, 'w')\ndef f(*a): pass\nclass F: pass\n")
    code = f"{folder / 'evil.py'}:f"
    settings(folder, teacher={"kind": code}, filters={"custom": [code]})
    (folder / "config.toml").write_text(f'strategy = "{code}"\n[filters]\ncustom = ["{code}"]\n')


def names_a_strategy(folder, address):
    (folder / "evil.py").write_text(f"open({str(folder.parent / 'owned')!r}, 'w')\nclass F: pass\n")
    settings(folder, strategy=f"{folder / 'evil.py'}:F")


def has_bombs_for_prompts(folder, address):
    bomb = "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}"
    text = f"{{% block system %}}{bomb}{{% endblock %}}{{% block user %}}{{{{ ''.__class__.__mro__ }}}}{{% endblock %}}"
    with closing(sqlite3.connect(folder / "run.db")) as db:
        prompts = json.loads(db.execute("SELECT value FROM run WHERE key = 'prompts'").fetchone()[0])
        db.execute("UPDATE run SET value = ? WHERE key = 'prompts'", (json.dumps(dict.fromkeys(prompts, text)),))
        db.commit()


def has_hostile_texts(folder, address):
    with closing(sqlite3.connect(folder / "run.db")) as db:
        for table, column in (
            ("candidates", "instruction"), ("instances", "input"), ("instances", "output"), ("completions", "text"),
            ("completions", "raw"), ("completions", "finish_reason"), ("requests", "model"), ("rejections", "evidence"),
        ):  # fmt: skip
            db.execute(f"UPDATE {table} SET {column} = ? || rowid", (ESCAPE,)) if table != "rejections" else None
        db.execute("UPDATE rejections SET reason = ?, evidence = ?", (ESCAPE, json.dumps({ESCAPE: ESCAPE})))
        db.commit()


def has_a_trigger(folder, address):
    with closing(sqlite3.connect(folder / "run.db")) as db:
        db.execute("CREATE TRIGGER t AFTER INSERT ON requests BEGIN DELETE FROM completions; END")
        db.commit()


def has_an_endless_view(folder, address):
    with closing(sqlite3.connect(folder / "run.db")) as db:
        db.execute("DROP VIEW records")
        db.execute(
            "CREATE VIEW records AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT * FROM n"
        )
        db.commit()


def has_links(folder, address):
    """To a file of the reader's, under every name that a command writes but the database's own."""
    for name in ("records.jsonl", "config.toml", "report.html", "messages.jsonl", "alpaca.json", "README.md",
                 "run.lock", ".records.jsonl.part", ".config.toml.part", ".report.html.part", ".messages.jsonl.part",
                 "audit.db", "fixed.jsonl", "fixed.removed.jsonl", "evaluation.jsonl"):  # fmt: skip
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(folder.parent / "victim")


def has_a_link_for_a_log(folder, address):
    for name in ("run.db-wal", "run.db-journal", "run.db-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "run.db-wal").symlink_to(folder.parent / "victim")


ATTACKS = [
    names_a_server, names_a_server_for_the_usual_key, names_code, names_a_strategy, has_bombs_for_prompts,
    has_hostile_texts, has_a_trigger, has_an_endless_view, has_links, has_a_link_for_a_log,
]  # fmt: skip

# Every command that opens a run or a file; RUN, NEW and OUT stand for folders. `audit` is asked below.
COMMANDS = [
    ("generate", "RUN", "--target", 8),
    ("generate", "RUN", "--target", 8, "--dry-run"),
    ("generate", "NEW", "--target", 2, "--config", "RUN/config.toml"),
    ("generate", "NEW", "--target", 2, "--seeds", "RUN/records.jsonl"),
    ("import", "RUN", "--alpaca", "RUN/records.jsonl"),
    ("refilter", "RUN", "NEW", "--rouge-threshold", 0.6),
    ("status", "RUN"),
    ("status", "RUN", "--json", "--diversity"),
    ("report", "RUN"),
    ("report", "RUN", "--json"),
    ("verify", "RUN"),
    ("tasks", "RUN"),
    ("tasks", "RUN", "--json", "--similar"),
    ("rejected", "RUN"),
    ("rejected", "RUN", "--json"),
    ("export", "RUN", "--format", "messages", "--card"),
    ("export", "RUN", "--format", "alpaca"),
    ("export", "RUN", "--format", "parquet", "--output", "NEW/out.parquet"),
    ("overlap", "RUN/records.jsonl", "RUN/records.jsonl"),
    ("check", "RUN/records.jsonl", "--json"),
    ("check", "RUN/records.jsonl", "--fix", "RUN/fixed.jsonl"),
    ("seeds", "check", "RUN/records.jsonl"),
]
OF_STUDENTS = {"finetune", "chat", "serve", "merge", "gguf", "evaluate", "compare"}
OTHERS = {"audit", "simulate"}  # pages: tests/audit; a server that opens nobody's folder


def test_the_watch_sees_what_it_should(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path / "victim")
    with watched(inside) as found:
        (inside / "mine").write_text("fine")
        (tmp_path / "victim").read_text()
        assert found == []
        for act in (
            lambda: (tmp_path / "victim").open("a").close(),
            lambda: (inside / "link").open("r+").close(),
            lambda: sqlite3.connect(inside / "link").close(),
            lambda: (inside / "mine").rename(tmp_path / "out"),
            (tmp_path / "out").unlink,
            lambda: os.system("true"),
            lambda: sys.audit("socket.connect", None, ("203.0.113.1", 9)),
        ):
            found.clear()
            with suppress(OSError):
                act()
            assert found
    with watched(inside) as found:
        (inside / "link").unlink()
    assert found == []


def test_every_command_is_tried():
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert names == {command[0] for command in COMMANDS} - {"seeds"} | OF_STUDENTS | OTHERS


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_run_of_an_attacker(attack, finished, tmp_path, monkeypatch, evil):
    address, received = evil
    source = shutil.copytree(finished, tmp_path / "source")
    for number, command in enumerate(COMMANDS):
        folder = shutil.copytree(source, tmp_path / "run", symlinks=True)
        attack(folder, address)
        monkeypatch.chdir(folder)  # as somebody does who looks around in it
        places = {"RUN": str(folder), "NEW": str(tmp_path / f"out{number}" / "new")}
        Path(places["NEW"]).parent.mkdir()
        arguments = [places.get(str(a), str(a).replace("RUN/", f"{folder}/").replace("NEW/", f"{places['NEW']}/"))
                     for a in command]  # fmt: skip
        with watched(folder, Path(places["NEW"]).parent) as found:
            result = run_cli(*arguments)
        assert found == [], command
        assert "Traceback" not in result.stderr, (command, result.stderr)
        assert not INVISIBLE.search(result.stdout.replace("\r", "")), command
        assert not INVISIBLE.search(result.stderr.replace("\r", "")), command
        assert not (tmp_path / "owned").exists(), command
        assert not (tmp_path / "state").exists(), command
        assert (tmp_path / "victim").read_text() == "mine", command
        assert all(secret not in result.stdout + result.stderr for secret in SECRETS.values())
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(folder)
    assert received == []


# Students.

needs_torch = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("torch", "transformers", "peft", "trl"))),
    reason="needs pip install 'selfinstruct[finetune]'",
)


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
    from tests.tiny_model import write_adapter

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
    from tests.tiny_model import write_model

    folder = tmp_path_factory.mktemp("model") / "student"
    write_model(folder, [])
    return folder


@needs_torch
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
