"""--help and Tab: commands in sections, examples that parse, completion in the protocol that the shells speak."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from selfinstruct import __version__
from selfinstruct.cli import app
from tests.conftest import environment, run_cli

PLAIN = {"PATH": "/usr/bin:/bin", "COLUMNS": "80", "TERM": "dumb"}
ROOT = typer.main.get_command(app)
COMMANDS = {
    **{name: command for name, command in ROOT.commands.items() if not isinstance(command, TyperGroup)},
    **{
        f"{group} {name}": command
        for group, commands in ROOT.commands.items()
        if isinstance(commands, TyperGroup)
        for name, command in commands.commands.items()
    },
}


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_commands_that_parse(name):
    examples = COMMANDS[name].epilog.splitlines()
    assert 1 <= len(examples) <= 2
    for example in examples:
        program, *words = shlex.split(example.partition(" > ")[0])
        assert program == "selfinstruct"
        assert words[: len(name.split())] == name.split()
        parent = ROOT.make_context(program, words[:1])
        COMMANDS[name].make_context(name, words[len(name.split()) :], parent=parent)


@pytest.mark.parametrize("name", ["", "seeds", *COMMANDS])
def test_help_is_plain_text_of_80_columns_and_ends_with_examples(name):
    shown = run_cli(*name.split(), "--help", env=PLAIN).stdout
    assert all(len(line) <= 80 and line.isprintable() for line in shown.splitlines())
    if name in COMMANDS:
        command = COMMANDS[name]
        assert shown.endswith("\nExamples:\n" + "".join(f"  {line}\n" for line in command.epilog.splitlines()))


def test_every_command_is_in_a_section_with_its_whole_sentence():
    shown = run_cli("--help", env=PLAIN).stdout
    lines = shown.splitlines()
    for section in ("Grow a run:", "Look at a run:", "Datasets:", "Labels:", "Students:", "Simulated teacher:"):
        assert section in lines
    listed = [line.split()[0] for line in lines[lines.index("Grow a run:") :] if line.startswith("  ")]
    assert sorted(listed) == sorted(ROOT.commands)
    assert "..." not in shown.partition("Grow a run:")[2]


def test_a_sampling_setting_is_no_option_and_its_place_is_named(cli, tmp_path):
    refused = cli("generate", tmp_path / "run", "--target", 3, "--temperature", 1, code=2).stderr
    place = "set it in sampling of [propose], [classify] or [instances], such as sampling = { temperature = ... }."
    assert refused == f"Error: No such option: --temperature. In a file for --config, {place}\n"
    assert "No such option: --temprature" in cli("generate", tmp_path, "--target", 3, "--temprature", 1, code=2).stderr


def test_the_version_is_that_of_the_package(cli):
    assert cli("--version").stdout == f"selfinstruct {__version__}\n"


def at_tab(typed: str) -> dict[str, str]:
    """The environment in which bash asks what to offer after what was typed."""
    words = typed.split(" ")
    return environment(
        _SELFINSTRUCT_COMPLETE="complete_bash", COMP_WORDS="\n".join(words), COMP_CWORD=str(len(words) - 1)
    )


def complete(typed: str) -> list[str]:
    """What bash is told to offer."""
    result = run_cli(env=at_tab(typed))
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout.split()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("selfinstruct gen", ["generate"]),
        ("selfinstruct seeds ", ["check"]),
        ("selfinstruct generate r --strat", ["--strategy"]),
        ("selfinstruct generate r --strategy ", ["self-instruct", "alpaca"]),
        ("selfinstruct generate r --target none --teacher ope", ["openai"]),
        ("selfinstruct export r --format m", ["messages"]),
        ("selfinstruct check --level ", ["error", "warning", "advice"]),
        ("selfinstruct refilter r new --without too_s", ["too_short", "too_similar"]),
        ("selfinstruct finetune --preset ", ["alpaca-7b", "koala-13b"]),
        ("selfinstruct finetune --launch ", ["ddp", "fsdp"]),
        ("selfinstruct rejected no_such_run --reason ", []),
        # Nothing is offered: the shell completes names of files.
        ("selfinstruct status out", []),
        ("selfinstruct generate r --seeds my", []),
    ],
)
def test_completion(typed, offered, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert complete(typed) == offered


def test_completion_knows_why_a_run_rejected(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("run.toml").write_text("[simulated]\nforbidden_share = 0.5\n")
    cli("generate", "run", "--target", 10, "--config", "run.toml")
    assert "forbidden_word" in complete("selfinstruct rejected run --reason ")
    assert complete("selfinstruct rejected --stage fil run") == []
    assert complete("selfinstruct rejected run --stage fil") == ["filter"]
    Path("run/run.db").write_bytes(b"no database")
    assert complete("selfinstruct rejected run --reason ") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_for_shells(shell):
    script = run_cli(env=environment(_SELFINSTRUCT_COMPLETE=f"source_{shell}")).stdout
    assert f"_SELFINSTRUCT_COMPLETE=complete_{shell}" in script


@pytest.mark.parametrize(
    ("arguments", "env"),
    [
        (("--help",), environment()),
        (("export", "--help"), environment()),
        ((), at_tab("selfinstruct ex")),
        ((), at_tab("selfinstruct export r --format ")),
        ((), at_tab("selfinstruct rejected r --reason ")),
    ],
)
def test_help_and_completion_import_nothing_heavy(arguments, env):
    """Such imports take longer than all else that they do."""
    command = [sys.executable, "-X", "importtime", "-m", "selfinstruct", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()}
    assert "typer" in imported
    assert imported.isdisjoint({"pydantic", "rich", "numpy", "jinja2", "openai", "aiohttp", "pyarrow", "torch"})


def test_a_wrong_value_is_explained_in_our_words():
    for arguments, message in [
        (("--target", "0"), "Invalid value for '--target': must be greater than or equal to 1"),
        (("--target", "5", "--profile", "no"), "'--profile': 'no' is not one of 'paper'"),
        (
            ("--target", "5", "--strategy", "no"),
            "(--strategy): there is no strategy 'no'; choose one of: self-instruct,",
        ),
        (
            ("--target", "5", "--strategy", "e.py"),
            "there is no strategy 'e.py', which does not say what to load from the file;",
        ),
        (("--target", "5", "--teacher", "gpt-4"), "(--teacher): there is no such kind of teacher; choose one of: "),
        (("--target", "5", "--base-url", "nowhere"), "teacher.base_url (--base-url): must look like http"),
    ]:
        result = run_cli("generate", "no_run", *arguments)
        assert result.returncode == 2
        assert message in result.stderr
