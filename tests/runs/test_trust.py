"""A key goes to a server only where the user has named both, or said so: never because a folder or a file does."""

import io
import json
import os
import pty
import subprocess
import sys

import pytest
import tomli_w

from selfinstruct.cli.consent import _confirmed
from selfinstruct.errors import UsageError
from selfinstruct.runs import trust
from selfinstruct.runs.run import open_run
from selfinstruct.runs.trust import Untrusted, state_file
from tests.conftest import COMMAND, environment, run_cli
from tests.loopback import HANG_S, loopback

EVIL = "http://127.0.0.1:9/v1"
OPENAI = "https://api.openai.com/v1"
KEY = "sk-0a1b2c3d4e5f60718293a4b5"


@pytest.fixture(autouse=True)
def nothing_trusted_yet(monkeypatch, tmp_path):
    monkeypatch.setattr(trust, "_confirmed", set())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("OPENAI_BASE_URL", "OPENAI_ORG_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, KEY)


def teacher(**settings):
    return {"teacher": {"kind": "openai", "model": "m", **settings}}


def opened(folder, flags=None, config=None):
    open_run(folder, config, flags or {}, None).store.close()


def config_file(tmp_path, settings):
    (tmp_path / "config.toml").write_text(tomli_w.dumps(settings))
    return tmp_path / "config.toml"


# What a file or a folder names, as it was reported of other programs.
FOREIGN = [
    (teacher(base_url=EVIL), "the default key: frankbria/codeframe#903"),
    (teacher(base_url=EVIL, api_key_env="AWS_SECRET_ACCESS_KEY"), "both: bacnh85/pi-extensions#18"),
    (teacher() | {"instances": {"base_url": EVIL}}, "in one stage: chunkhound/chunkhound#388"),
    (
        teacher() | {"propose": {"mix": [{"model": "a"}, {"model": "b", "base_url": [OPENAI, EVIL]}]}},
        "in a mix, among others: ceilf6/FrontAgent#421",
    ),
    ({"teacher": {"base_url": EVIL}}, "as a simulated teacher: cyanheads/repo-map#17"),
    (teacher(api_key_env="AWS_SECRET_ACCESS_KEY"), "another secret, to OpenAI"),
]


@pytest.mark.parametrize(("settings", "source"), FOREIGN)
def test_a_config_file_alone_sends_no_key(tmp_path, settings, source):
    with pytest.raises(Untrusted, match=r"both its variable and the server(.|\n)*--send-keys") as caught:
        opened(tmp_path / "run", config=config_file(tmp_path, settings))
    assert not (tmp_path / "run").exists()
    assert KEY not in str(caught.value)
    assert not state_file().exists()


@pytest.mark.parametrize(("settings", "source"), FOREIGN)
def test_a_run_of_somebody_else_sends_no_key(tmp_path, monkeypatch, settings, source):
    with monkeypatch.context() as elsewhere:  # where it was made, both were named
        elsewhere.setenv("XDG_STATE_HOME", str(tmp_path / "theirs"))
        opened(tmp_path / "run", settings)
    trust._confirmed.clear()
    with pytest.raises(Untrusted):
        opened(tmp_path / "run")
    opened(tmp_path / "run", settings)  # both are named now
    opened(tmp_path / "run")


@pytest.mark.parametrize("settings", [settings for settings, _ in FOREIGN])
def test_what_the_user_names_is_sent_and_remembered(tmp_path, settings):
    opened(tmp_path / "run", settings)
    trust._confirmed.clear()  # as in a new process
    opened(tmp_path / "run")
    opened(tmp_path / "other", config=config_file(tmp_path, settings))


def test_an_address_counts_however_it_is_spelled(tmp_path):
    opened(tmp_path / "run", {"teacher": {"base_url": [EVIL + "/"], "kind": "openai", "model": "m"}})


def test_a_variable_that_is_not_set_needs_no_trust(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    opened(tmp_path / "run", config=config_file(tmp_path, teacher(base_url=EVIL)))


def test_openai_and_the_environments_server_get_the_key_for_them(tmp_path, monkeypatch):
    opened(tmp_path / "one", config=config_file(tmp_path, teacher()))
    opened(tmp_path / "two", config=config_file(tmp_path, teacher(base_url=OPENAI)))
    monkeypatch.setenv("OPENAI_BASE_URL", EVIL)
    opened(tmp_path / "three", config=config_file(tmp_path, teacher()))
    assert not state_file().exists()


def test_a_named_server_is_not_sent_a_variable_that_only_the_file_names(tmp_path):
    config = config_file(tmp_path, teacher(api_key_env="AWS_SECRET_ACCESS_KEY"))
    with pytest.raises(Untrusted, match="AWS_SECRET_ACCESS_KEY to http"):
        opened(tmp_path / "run", {"teacher": {"base_url": EVIL}}, config)


def test_without_a_place_to_remember_it_it_holds_for_this_process(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    trust.remember([(EVIL, "OPENAI_API_KEY")])
    opened(tmp_path / "run", config=config_file(tmp_path, teacher(base_url=EVIL)))


def test_a_damaged_memory_is_named(tmp_path):
    state_file().parent.mkdir(parents=True)
    for text in ("{", "[1]", "null"):
        state_file().write_text(text)
        with pytest.raises(UsageError, match=r"servers\.json: cannot be read"):
            opened(tmp_path / "run", config=config_file(tmp_path, teacher(base_url=EVIL)))


def test_the_flag_sends_it_once_and_for_later(tmp_path):
    with loopback() as server:
        config = config_file(tmp_path, teacher(base_url=server.url, model="simulated"))
        command = ("generate", tmp_path / "run", "--target", 2, "--config", config)
        refused = run_cli(*command)
        assert refused.returncode == 2
        assert f"OPENAI_API_KEY to {server.url}" in refused.stderr
        assert run_cli(*command, "--send-keys").returncode == 0
        trust._confirmed.clear()
        assert run_cli("generate", tmp_path / "run", "--target", 3).returncode == 0
    assert json.loads(state_file().read_text()) == [[server.url, "OPENAI_API_KEY"]]


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 2), (b"y\n", 0)])
def test_at_a_terminal_there_is_a_question(tmp_path, answer, code):
    with loopback() as server:
        config = config_file(tmp_path, teacher(base_url=server.url, model="simulated"))
        ours, theirs = pty.openpty()
        command = [*COMMAND, "generate", str(tmp_path / "run"), "--target", "1", "--config", str(config)]
        with subprocess.Popen(
            command, stdin=theirs, stderr=theirs, stdout=subprocess.DEVNULL,
            env=environment(OPENAI_API_KEY=KEY, XDG_STATE_HOME=str(tmp_path / "state")),
        ) as process:  # fmt: skip
            os.write(ours, answer)
            assert process.wait(HANG_S) == code
            shown = os.read(ours, 10_000).decode()
        os.close(theirs)
        os.close(ours)
    assert f"Send the key in OPENAI_API_KEY to {server.url}" in shown
    assert KEY not in shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_no_at_the_question_gets_one_line(monkeypatch, answer):
    monkeypatch.setattr(sys, "stdin", Terminal(f"{answer}\n"))
    monkeypatch.setattr(sys, "stderr", Terminal())
    error = Untrusted([(EVIL, "OPENAI_API_KEY")])
    if answer == "y":
        assert _confirmed(error)
    else:
        with pytest.raises(UsageError, match=r"^Nothing was sent\. Choose another server"):
            _confirmed(error)
