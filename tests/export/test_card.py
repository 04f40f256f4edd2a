"""The dataset card, read by the hub's own parser, and the push, against a hub on loopback."""

import asyncio
import base64
import getpass
import json
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from selfinstruct.cli.data import export
from selfinstruct.export.card import LICENSE, MARK, size_category
from selfinstruct.export.formats import FORMATS
from selfinstruct.records import Completion, Request
from selfinstruct.runs.generate import generate
from selfinstruct.runs.run import open_run
from selfinstruct.store.store import Store
from tests.conftest import environment

TOKEN = "hf_thisIsASecretOfOurs"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of 12 tasks with rejections."""
    shares = {"repeat_share": 0.3, "forbidden_share": 0.3}
    run = open_run(tmp_path_factory.mktemp("runs") / "first", None, {"seed": 5, "simulated": shares}, None)
    with run.store:
        assert asyncio.run(generate(run, 12))
    return run.store.folder


def read_card(path: Path):
    hub = pytest.importorskip("huggingface_hub")
    return hub.DatasetCard(path.read_text(encoding="utf-8"))


SUFFIXES = {one.name: one.suffix for one in FORMATS}


@pytest.mark.parametrize("format", SUFFIXES)
def test_the_hub_reads_the_header(cli, folder, tmp_path, format):
    data = tmp_path / f"data {format}.{SUFFIXES[format]}"
    cli("export", folder, "--format", format, "--output", data, "--card")
    header = read_card(tmp_path / "README.md").data
    assert header.license == "other"
    assert header.language == ["en"]
    assert header.pretty_name == "first"
    assert header.size_categories == ["n<1K"]
    assert header.task_categories == ["text-generation"]
    assert "synthetic" in header.tags
    assert header.configs == [{"config_name": "default", "data_files": [{"split": "train", "path": data.name}]}]


def test_the_card_says_what_was_asked_and_thrown_away(cli, folder, tmp_path):
    cli("export", folder, "--format", "messages", "--output", tmp_path / "m.jsonl", "--card")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    n_rows = len((tmp_path / "m.jsonl").read_text(encoding="utf-8").splitlines())
    with Store.read(folder) as store:
        reasons = store.query("SELECT stage, reason, count(*) FROM rejections GROUP BY stage, reason")
        (n_requests,) = store.query("SELECT count(*) FROM requests WHERE stage = 'instances'")[0]
    assert reasons
    for stage, reason, n in reasons:
        assert any(
            line.startswith(f"| {stage} | {reason} |") and line.endswith(f"| {n} |") for line in text.split("\n")
        )
    assert f"{n_rows} rows with {n_rows} records of 12 tasks" in text
    assert f"| instances | `simulated` | chat | `max_tokens 1024`, `temperature 0.0` | {n_requests} |" in text
    assert "Seed tasks: 270, those shipped with selfinstruct" in text
    assert "| ROUGE-L F1 above which an instruction is too similar to a known one | `0.7` |" in text
    assert "do not train a real model" in text
    assert "Decontamination: none." in text
    assert "selfinstruct generate RUN --target 12 --config config.toml\n" in text
    assert "`chat/propose`" in text


def test_no_secret_and_no_path_stands_in_the_card(cli, tmp_path):
    """Names of people stand in paths, keys in whatever a user puts into a request."""
    home = tmp_path / "home" / "alice"
    home.mkdir(parents=True)
    (home / "exam.txt").write_text("Which river flows through the middle of the old town of Prague?\n")
    seeds = home / "seeds.jsonl"
    seed = {"instruction": "Name a river.", "instances": [{"input": "", "output": "Nile"}], "is_classification": False}
    seeds.write_text(json.dumps(seed) + "\n")
    sampling = {"temperature": 0.5, "api_key": "sk-secret", "stop": ["|", "`x`"]}
    settings = {
        "teacher": {"kind": "openai", "model": str(home / "models" / "tiny"), "base_url": "http://alice.example:9/v1"},
        "propose": {"sampling": sampling},
        "decontaminate": [str(home / "exam.txt")],
    }
    run = open_run(home / "run", None, settings, seeds)
    with run.store as store:
        request = Request("propose", "openai", str(home / "models" / "tiny"), "chat", "", "More.", sampling)
        store.add_completion(request, Completion(request.id, "none", "stop", 3, 4))
    cli("export", home / "run", "--format", "alpaca", "--output", home / "out" / "a.json", "--card")
    text = (home / "out" / "README.md").read_text(encoding="utf-8")
    for secret in ("alice", "sk-secret", "http://", str(tmp_path), f"/{getpass.getuser()}/"):
        assert secret not in text
    assert '| chat | `max_tokens 1024`, `stop ["\\|", "\'x\'"]`, `temperature 0.5`, `api_key (not shown)` | 1 |' in text
    assert "Decontamination against `exam.txt` (1 question)" in text
    assert "Seed tasks: 1, a file supplied by the user" in text
    assert "--seeds SEEDS.jsonl" in text


def test_a_dataset_that_was_brought_in_has_no_language_and_no_teacher(cli, tmp_path):
    rows = [
        {"instruction": text, "input": "", "output": "好的。"} for text in ("请写一首关于春天的诗。", "列出三种水果。")
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    cli("import", tmp_path / "run", "--alpaca", tmp_path / "rows.json")
    cli("export", tmp_path / "run", "--format", "messages", "--card")
    text = (tmp_path / "run" / "README.md").read_text(encoding="utf-8")
    assert read_card(tmp_path / "run" / "README.md").data.language is None
    assert "| propose | `imported` | unknown | unknown | 2 |" in text
    assert "another tool's answers" in text
    assert "A teacher was asked" not in text
    assert "selfinstruct import RUN" in text


def test_a_run_without_a_record_has_a_card(cli, tmp_path):
    open_run(tmp_path / "empty", None, {}, None).store.close()
    cli("export", tmp_path / "empty", "--format", "alpaca", "--card")
    assert read_card(tmp_path / "empty" / "README.md").data.size_categories == ["n<1K"]


def test_a_readme_of_the_users_own_is_left_alone(cli, folder, tmp_path):
    (tmp_path / "README.md").write_text("# My project\n")
    result = cli("export", folder, "--format", "alpaca", "--output", tmp_path / "a.json", "--card", code=2)
    assert "was not written by selfinstruct" in result.stderr
    assert (tmp_path / "README.md").read_text() == "# My project\n"
    assert not (tmp_path / "a.json").exists()
    data = tmp_path / "new" / "README.md"
    assert (
        "Choose another one for the data"
        in cli("export", folder, "--format", "alpaca", "--output", data, "--card", code=2).stderr
    )
    assert not data.exists()


def test_the_license_that_the_user_chose_stays(cli, folder, tmp_path):
    export = ("export", folder, "--format", "alpaca", "--output", tmp_path / "a.json", "--card")
    cli(*export)
    readme = tmp_path / "README.md"
    first = readme.read_text(encoding="utf-8")
    assert LICENSE in first
    assert MARK in first
    readme.write_text(first.replace("license: other", "license: other\nlicense_name: mine-1.0"), encoding="utf-8")
    cli(*export)
    assert read_card(readme).data.to_dict()["license_name"] == "mine-1.0"
    readme.write_text(first.replace(LICENSE, "license: cc-by-4.0"), encoding="utf-8")
    cli(*export)
    assert readme.read_text(encoding="utf-8") == first.replace(LICENSE, "license: cc-by-4.0")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (52_002, "10K<n<100K"),
        (10**6, "1M<n<10M"),
        (10**7, "10M<n<100M"),
    ],
)
def test_size_category(rows, expected):
    assert size_category(rows) == expected


# The push.


@contextmanager
def a_hub(status: int = 200):
    """As much of the hub as a push speaks to; gives its address, what it was sent, and with which token."""
    sent: dict[str, object] = {"files": {}, "tokens": set()}

    class Hub(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            sent["tokens"].add(self.headers.get("Authorization"))
            answer: dict[str, object] = {}
            if self.path == "/api/repos/create":
                sent["repo"] = json.loads(body)
                answer = {"url": f"{address}/datasets/me/small"}
            elif "/preupload/" in self.path:
                files = [f["path"] for f in json.loads(body)["files"]]
                answer = {"files": [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in files]}
            elif "/commit/" in self.path:
                for line in body.decode().splitlines():
                    row = json.loads(line)
                    if row["key"] == "file":
                        sent["files"][row["value"]["path"]] = base64.b64decode(row["value"]["content"])
                answer = {
                    "commitUrl": f"{address}/datasets/me/small/commit/1",
                    "commitOid": "1",
                    "pullRequestUrl": None,
                }
            elif self.path == "/api/validate-yaml":
                answer = {"errors": [], "warnings": []}
            payload = json.dumps(answer if status == 200 else {"error": "You are not allowed to."}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def do_GET(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield address, sent
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def hub_environment(home: Path, address: str, token: str) -> dict[str, str]:
    """An environment with this token, or none, and with no hub but `address`."""
    values = environment(HF_HOME=str(home), HF_ENDPOINT=address, HF_HUB_DISABLE_TELEMETRY="1", HF_TOKEN=token)
    return {name: value for name, value in values.items() if name != "HUGGING_FACE_HUB_TOKEN"}


@pytest.fixture
def hub_of(monkeypatch):
    """Such an environment for commands in this process, where huggingface_hub has read another one long ago."""

    def told(home: Path, address: str, token: str) -> dict[str, str]:
        constants = pytest.importorskip("huggingface_hub").constants
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
        return hub_environment(home, address, token)

    return told


def test_a_push_sends_the_data_and_its_card_and_nothing_else(cli, folder, tmp_path):
    pytest.importorskip("huggingface_hub")
    data = tmp_path / "out" / "m.jsonl"
    with a_hub() as (address, sent):
        result = cli(
            "export", folder, "--format", "messages", "--output", data, "--push", "me/small",
            prefix=["env"], env=hub_environment(tmp_path, address, TOKEN),
        )  # fmt: skip
    asked = sent["repo"]
    assert (asked["organization"], asked["name"], asked["type"]) == ("me", "small", "dataset")
    assert asked.get("visibility") == "private" or asked.get("private") is True
    assert sent["files"] == {
        "m.jsonl": data.read_bytes(), "README.md": (data.parent / "README.md").read_bytes(),
    }  # fmt: skip
    assert sent["tokens"] == {f"Bearer {TOKEN}"}
    assert f"Pushed to {address}/datasets/me/small" in result.stdout
    assert TOKEN not in result.stdout + result.stderr


def test_a_hub_that_refuses_is_explained(cli, folder, tmp_path, hub_of):
    arguments = ("export", folder, "--format", "alpaca", "--output", tmp_path / "a.json", "--push", "me/small")
    with a_hub(403) as (address, _):
        refused = cli(*arguments, code=2, env=hub_of(tmp_path, address, TOKEN))
    gone = cli(*arguments, code=2, env=hub_of(tmp_path, address, TOKEN))
    for result in (refused, gone):
        assert "The hub refused me/small" in result.stderr
        assert TOKEN not in result.stdout + result.stderr
    assert "403" in refused.stderr
    assert (tmp_path / "a.json").exists()


@pytest.mark.parametrize(
    ("repository", "token", "expected"),
    [
        ("me/small", "", "Set HF_TOKEN, or run hf auth login"),
        ("small", TOKEN, "such as your-name/small"),
        ("me/sm all", TOKEN, "--push: "),
    ],
)
def test_what_is_missing_for_a_push_is_said_before(cli, folder, hub_of, *, repository, token, expected):
    env = hub_of(folder / "nobody", "http://127.0.0.1:9", token)
    result = cli("export", folder, "--format", "sharegpt", "--push", repository, code=2, env=env)
    assert expected in result.stderr
    assert TOKEN not in result.stderr
    assert not (folder / "sharegpt.jsonl").exists()


def test_without_huggingface_hub_it_says_what_to_install(cli, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # as if there were none
    data = tmp_path / "a.json"
    result = cli("export", folder, "--format", "alpaca", "--output", data, "--push", "me/small", code=2)
    assert "pip install 'selfinstruct[finetune]'" in result.stderr
    assert not data.exists()


def test_a_closed_pipe_keeps_no_card_from_being_written(folder, tmp_path, monkeypatch):
    def closed(*_, **__):
        raise BrokenPipeError

    monkeypatch.setattr("selfinstruct.cli.data.say", closed)
    with pytest.raises(BrokenPipeError):
        export(folder, "alpaca", tmp_path / "out/data.json", card=True)
    assert MARK in (tmp_path / "out/README.md").read_text()
