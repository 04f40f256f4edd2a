"""Servers started for a run: llama.cpp's command is checked here, its server in tests/finetune/test_ft_gguf.py.

vLLM needs a GPU, so a stand-in with its command line and its addresses takes its place here (`vllm serve --help`, and
/health and /v1/chat/completions of its OpenAI-compatible server).
"""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import selfinstruct as si
from selfinstruct.config.config import Config
from selfinstruct.errors import TeacherError, UsageError
from selfinstruct.teachers.kinds import llama_cpp, vllm
from tests.conftest import COMMAND, FEW_SEEDS, run_cli

SERVER = """#!{python}
import json, os, re, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
verb, model, *options = sys.argv[1:]
options = dict(zip(options[::2], options[1::2]))
print("no GPU\\x1b[31m", file=sys.stderr, flush=True)
if verb != "serve" or model == "broken":
    sys.exit("RuntimeError: Failed to infer device type")
open(os.environ["PIDS"], "a").write(f"{{os.getpid()}}\\n")

class Handler(BaseHTTPRequestHandler):
    def say(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.say(b"")

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert asked["model"] == options["--served-model-name"] and self.headers["Authorization"] == "Bearer none"
        if os.environ.get("HOLD"):
            return
        if os.environ.get("CRASH"):
            print("CUDA out of memory", file=sys.stderr, flush=True)
            os._exit(7)
        schema = asked["response_format"]["json_schema"]["schema"]
        text = {{"tasks": ["Name a lake in Italy."], "is_classification": False,
                "instances": [{{"input": "", "output": "Garda."}}]}}
        lists = [one["maxItems"] for one in schema["properties"].values() if one["type"] == "array"]
        assert lists in ([], [8], [3])
        text = {{key: text[key] for key in schema["properties"] if key in text}}
        choice = {{"message": {{"role": "assistant", "content": json.dumps(text)}}, "finish_reason": "stop"}}
        self.say(json.dumps({{"choices": [choice], "usage": {{"prompt_tokens": 5, "completion_tokens": 5}}}}).encode())

    def log_message(self, *arguments): ...

ThreadingHTTPServer((options["--host"], int(options["--port"])), Handler).serve_forever()
"""


@pytest.fixture
def pids(tmp_path, monkeypatch):
    """A stand-in for vLLM on the path; the file to which it writes the ids of its processes."""
    program = tmp_path / "bin/vllm"
    program.parent.mkdir()
    program.write_text(SERVER.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-local-servers-1234567890")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pids"


def assert_ended(pids, n):
    """All n processes end; the test hangs where one does not."""
    started = [int(line) for line in pids.read_text().split()]
    assert len(started) == n
    for pid in started:
        while Path(f"/proc/{pid}").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text():
            time.sleep(0.05)


def grow(**settings):
    return si.generate("run", 1, progress=False, seeds=FEW_SEEDS, **{"teacher": si.vllm("org/name"), **settings})


def test_a_server_is_started_asked_and_stopped(pids):
    run = grow()
    assert run.records()[0]["output"] == "Garda."
    assert_ended(pids, 1)
    status = run_cli("status", "run")
    assert "org/name" in status.stdout


def test_a_run_folder_starts_no_program(pids):
    grow()
    with pytest.raises(UsageError, match=r"teacher is vllm with org/name, .* name it again: --teacher vllm\."):
        si.generate("run", 2, progress=False)
    done = run_cli("generate", "run", "--target", 1, "--teacher", "vllm")
    assert done.returncode == 0, done.stderr
    assert_ended(pids, 2)


def test_a_server_that_does_not_start_is_quoted(pids):
    with pytest.raises(TeacherError) as caught:
        grow(teacher=si.vllm("broken"))
    assert str(caught.value).startswith("vLLM with broken could not be started:\n  no GPU\\x1b[31m\n  RuntimeError: ")


def test_a_server_that_ends_in_mid_run_is_quoted(pids, monkeypatch):
    monkeypatch.setenv("CRASH", "1")
    with pytest.raises(TeacherError, match=r"(?s)^vLLM with org/name ended with exit code 7:.*  CUDA out of memory$"):
        grow()


def test_no_server_outlives_a_killed_run(pids):
    command = [*COMMAND, "generate", "run", "--target", "1", "--teacher", "vllm", "--model", "m"]
    with subprocess.Popen(command, env={**os.environ, "HOLD": "1"}) as process:
        while not pids.exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert_ended(pids, 1)


@pytest.mark.parametrize(
    ("teacher", "says"),
    [
        (si.vllm("m", base_url="http://localhost:1/v1"), r"starts its own server, so base_url would have no effect"),
        (si.vllm("--trust-remote-code"), "'--trust-remote-code' is not a model"),
        (si.vllm(""), "No model for stage propose"),
        (si.llama_cpp("no.gguf"), r"no\.gguf: cannot be read \(No such file or directory\)"),
        (si.llama_cpp("."), r"cannot be read \(Is a directory\)"),
        (si.llama_cpp("plain.gguf"), r"plain\.gguf: not a GGUF file\. For a folder, use --teacher transformers"),
    ],
)
def test_what_cannot_be_served_is_refused_before_a_run_is_made(teacher, says, pids, monkeypatch):
    Path("plain.gguf").write_text("text")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "xllamacpp" or found(name))
    with pytest.raises(UsageError, match=says):
        grow(teacher=teacher)
    assert not Path("run").exists()


@pytest.mark.parametrize("kind", ["llama.cpp", "vllm"])
def test_a_missing_package_is_named(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(vllm, "_vllm", lambda: None)
    done = run_cli("generate", "run", "--target", 1, "--teacher", kind, "--model", "m")
    assert f"pip install 'selfinstruct[{kind.replace('.', '-')}]'" in done.stderr
    assert done.returncode == 2


@pytest.mark.parametrize(("busy", "threads"), [(2.5, 8), (33.0, 5), (100.0, 1)])
def test_llama_cpp_has_a_slot_for_each_call_and_a_thread_for_each_idle_core(busy, threads, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(psutil, "cpu_percent", lambda seconds: busy)
    command = llama_cpp.KIND.command("m.gguf", 8000, 6)
    assert command[2:] == [str(Path("m.gguf").resolve()), "8000", "6", "4096", str(threads)]


@pytest.mark.parametrize(
    ("endpoint", "stage", "sampled"),
    [
        ("chat", "propose", {"temperature": 0.7, "top_p": 0.9, "max_tokens": 1024}),
        ("chat", "instances", {"temperature": 0.7, "top_p": 0.9, "max_tokens": 1024}),
        ("chat", "classify", {"temperature": 0.0, "max_tokens": 32}),
        ("completion", "instances", {"temperature": 0.0, "presence_penalty": 1.5, "max_tokens": 350}),
    ],
)
def test_a_small_model_writes_long_texts_at_random(endpoint, stage, sampled):
    teacher = {"kind": "llama.cpp", "model": "m.gguf", "endpoint": endpoint}
    (found,) = Config(teacher=teacher).choices(stage)
    assert {name: value for name, value in found.sampling.items() if name != "stop"} == sampled
    (found,) = Config(teacher=teacher, **{stage: {"sampling": {"temperature": 0.1}}}).choices(stage)
    assert found.sampling["temperature"] == 0.1
