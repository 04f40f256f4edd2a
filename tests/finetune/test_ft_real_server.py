"""A server of other people's making: `transformers serve`, with models that talk nonsense (tests/tiny_model.py).

Skipped where transformers and torch are not installed.
"""

import importlib.util
import json
import re
import shutil
import socket
import sqlite3
import sys
import time
from contextlib import closing, contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.conftest import environment, run_cli
from tests.ft_forked import command, forked
from tests.loopback import HANG_S
from tests.tiny_model import MARKS, SHORT_ANSWERS, write_model

NEEDED = ("torch", "transformers", "fastapi", "uvicorn")
pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, NEEDED)), reason="needs pip install 'selfinstruct[finetune]'"
)

# What `logprobs`, `presence_penalty` and the like ask for is sent, and ignored by the server.
SHORT_CONTINUATIONS = """
[propose]
sampling = { temperature = 0.7, top_p = 0.5, presence_penalty = 2.0, max_tokens = 40, stop = ["\\n\\n", "\\n17."] }
[instances]
sampling = { temperature = 0.0, presence_penalty = 1.5, max_tokens = 30, stop = ["\\nTask:"] }
[teacher]
endpoint = "completion"
logprobs = true
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with the two models, the second of them under another name too."""
    folder = tmp_path_factory.mktemp("models")
    write_model(folder / "babble", [], layers=1)
    write_model(folder / "lists", MARKS, seed=17, layers=1)  # which soon says tasks and instances
    shutil.copytree(folder / "lists", folder / "other")
    return folder


@contextmanager
def serving(folder, *arguments):
    """`transformers serve ARGUMENTS`, ready to answer: its URL, the process, its log."""
    from transformers.cli import transformers
    from transformers.cli.serving import chat_completion, completion, response, server  # noqa: F401 - a second each

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def serve():
        sys.argv = ["transformers", "serve", *map(str, arguments)]
        sys.argv += ["--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]
        transformers.app()

    log = folder / "server.log"
    with forked(serve, log) as process:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/health"), process, log)
        yield f"http://127.0.0.1:{port}/v1", process, log


def answers(url):
    try:
        with urlopen(url, timeout=HANG_S) as answer:
            return answer.status == 200
    except (URLError, TimeoutError, ConnectionError):
        return False


def wait_until(condition, process, log):
    """Wait until the condition holds, while the process lives."""
    end = time.monotonic() + HANG_S
    while not condition():
        assert process.exitcode is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def pinned(tmp_path_factory, models):
    """A server that knows the model `lists` only, its process and its log; the last test kills it."""
    with serving(tmp_path_factory.mktemp("pinned"), models / "lists") as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory, models):
    """A server that loads whatever model it is asked for: its address, its log."""
    with serving(tmp_path_factory.mktemp("server")) as (url, _, log):
        yield url, log


def generate(folder, *arguments, code):
    """Run `selfinstruct generate` without any key; what it says on stderr."""
    result = run_cli("generate", folder, *arguments, env=environment())
    assert result.returncode == code, f"{result.stdout}\n{result.stderr}"
    assert "Traceback" not in result.stdout + result.stderr
    assert_holds(folder)
    return result.stderr


def assert_holds(folder):
    verified = run_cli("verify", folder)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "no problems" in verified.stdout
    # The run is readable whatever bytes the model has said.
    for name in ("tasks", "rejected"):
        listed = run_cli(name, folder, "--json")
        assert listed.returncode == 0, listed.stderr


def config(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def rows(folder, sql):
    with closing(sqlite3.connect(folder / "run.db")) as db:
        return db.execute(sql).fetchall()


def rejected(folder):
    """Every rejection, as `selfinstruct rejected --json` tells it."""
    return [json.loads(line) for line in run_cli("rejected", folder, "--json").stdout.split("\n") if line]


def status(folder):
    return json.loads(run_cli("status", folder, "--json").stdout)


def served(log):
    """How many completions the server has sent, by its own log."""
    return len(re.findall(r'"POST /v1/(?:chat/)?completions HTTP/1.1" 200', log.read_text()))


def test_a_model_that_only_babbles_ends_the_run_with_the_reason(tmp_path, models, server):
    url, log = server
    before = served(log)
    settings = config(tmp_path, SHORT_ANSWERS.replace("40", "20") + "[running]\ncollapse_after = 40\n")
    told = generate(
        tmp_path / "run", "--target", 5, "--teacher", "openai", "--model", models / "babble", "--base-url", url,
        "--config", settings, code=2,
    )  # fmt: skip
    assert "of the last 40 candidates" in told
    assert "no_list" in told
    counted = served(log) - before
    assert counted >= 5
    assert rows(tmp_path / "run", "SELECT count(*) FROM completions WHERE error IS NULL") == [(counted,)]
    # The prompt and the answer were counted, and what the server said is kept as it was.
    for stage, text, prompt_tokens, completion_tokens, answer in rows(
        tmp_path / "run",
        "SELECT stage, text, prompt_tokens, completion_tokens, raw "
        "FROM completions JOIN requests ON requests.id = request_id",
    ):
        assert json.loads(answer)["choices"][0]["message"]["content"] == text
        assert prompt_tokens > (100 if stage == "propose" else 5)  # the other one is the probe
        assert 1 <= completion_tokens <= 20
    reasons = rejected(tmp_path / "run")
    assert len(reasons) >= 5
    assert all(row["reason"] and row["explanation"] for row in reasons)


@pytest.mark.parametrize("settings", [SHORT_ANSWERS, SHORT_CONTINUATIONS], ids=["chat", "completion"])
def test_a_model_that_babbles_in_lists_reaches_the_target(settings, tmp_path, models, server):
    url, log = server
    before = served(log)
    arguments = (
        "--target", 2, "--teacher", "openai", "--model", models / "lists", "--base-url", url,
        "--config", config(tmp_path, settings), "--concurrency", 1,
    )  # fmt: skip
    generate(tmp_path / "run", *arguments, code=0)
    found = status(tmp_path / "run")
    assert found["tasks"] == found["generated"] == 2
    assert found["faults"] == 0
    stages = {usage["stage"]: usage["requests"] for usage in found["usage"]}
    assert set(stages) - {"probe"} == {"propose", "classify", "instances"}
    # The server does not know response_format, and says so or ignores it: the run goes on in text.
    # Settings are tried first: those of a chat's stages in one request, as they differ only in limits and temperature.
    assert stages["probe"] == (1 if settings is SHORT_ANSWERS else 3)
    assert not rows(tmp_path / "run", "SELECT 1 FROM requests WHERE stage != 'probe' AND sampling LIKE '%response_%'")
    assert rows(tmp_path / "run", "SELECT count(*) FROM completions WHERE error IS NULL") == [(served(log) - before,)]
    reasons = rejected(tmp_path / "run")
    assert reasons
    assert all(row["reason"] and row["explanation"] for row in reasons)
    records = (tmp_path / "run/records.jsonl").read_text(encoding="utf-8").split("\n")
    assert len([json.loads(line) for line in records if line]) == found["records"] > 0

    # One call at a time, the server honours the seeds that it is sent: the same run again gives the same data.
    generate(tmp_path / "again", *arguments, code=0)
    what_was_said = "SELECT request_id, text FROM completions ORDER BY request_id"
    assert rows(tmp_path / "again", what_was_said) == rows(tmp_path / "run", what_was_said)
    assert (tmp_path / "again/records.jsonl").read_bytes() == (tmp_path / "run/records.jsonl").read_bytes()


def test_a_server_without_the_model_is_one_clear_message_and_the_run_can_go_on_elsewhere(
    tmp_path, models, server, pinned
):
    settings = config(tmp_path, SHORT_ANSWERS)
    arguments = ("--target", 2, "--teacher", "openai", "--model", models / "other", "--config", settings)
    url, _, log = pinned
    told = generate(tmp_path / "run", *arguments, "--base-url", url, code=2)
    assert "The server rejects the settings of [propose]: http_400" in told
    assert "Check the model" in told
    assert "pinned" in told, "the server's own words are lost"
    assert told.count("Error:") == 1
    assert served(log) == 0
    generate(tmp_path / "run", *arguments, "--base-url", server[0], code=0)
    assert status(tmp_path / "run")["generated"] == 2


def test_a_server_that_dies_in_mid_run_leaves_a_run_that_goes_on_later(tmp_path, models, server, pinned):
    folder = tmp_path / "run"
    settings = config(tmp_path, SHORT_ANSWERS + "[running]\nattempts = 2\nconcurrency = 4\n")
    arguments = ["--teacher", "openai", "--model", models / "lists", "--config", settings]
    url, process, log = pinned
    run = command("generate", folder, "--target", 300, *arguments, "--base-url", url)
    with forked(run, tmp_path / "said", tmp_path / "told") as started:
        wait_until(lambda: served(log) >= 6, process, log)
        process.kill()
        started.join(HANG_S)
    told = (tmp_path / "told").read_text()
    assert started.exitcode == 2, told
    assert told.startswith("Error: ")
    assert "Traceback" not in told
    assert "cannot be reached" in told or "has stopped answering" in told
    assert_holds(folder)
    assert rows(folder, "SELECT count(*) FROM rejections WHERE reason = 'no_answer'") == [(0,)]
    # Every answer that the server had sent is stored. It may have logged one that the kill kept on its way.
    stored = rows(folder, "SELECT count(*) FROM completions WHERE error IS NULL")[0][0]
    assert served(log) - 4 <= stored <= served(log)
    target = status(folder)["tasks"] + 1
    generate(folder, "--target", target, *arguments, "--base-url", server[0], code=0)
    assert status(folder)["generated"] == target
