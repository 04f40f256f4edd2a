"""A folder that an attacker made is opened by every command: no process, no key sent, no file outside touched.

Watched by Python's audit hooks: whatever is started, opened, moved or connected to while a command works.
"""

import json
import os
import shutil
import sqlite3
import sys
import threading
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from selfinstruct.cli import app
from selfinstruct.untrusted import INVISIBLE
from tests.conftest import FEW_SEEDS, run_cli
from tests.watching import SECRETS, reader, watched  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("reader")

ESCAPE = "\x1b]0;owned\x07\x9b2J\u202e<script>alert(1)</script>{{ 7 * 7 }}"


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
    assert run_cli("generate", folder, "--target", 6, "--seeds", FEW_SEEDS).returncode == 0
    assert run_cli("export", folder, "--format", "messages").returncode == 0
    return folder


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
    ("select", "RUN/records.jsonl", "--keep", 2, "--output", "NEW/few.jsonl", "--by", "coverage"),
    ("seeds", "check", "RUN/records.jsonl"),
    ("annotate", "RUN"),
    ("annotate", "NEW", "--from", "RUN/records.jsonl", "--task", "RUN/config.toml"),
    ("combine", "RUN"),
    ("disagreement", "RUN"),
    ("combine", "RUN/records.jsonl", "--columns", "instruction,output"),
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
