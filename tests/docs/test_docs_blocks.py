"""Every code block of the README and of the site does what it says: run where it can be, checked where it cannot."""

import ast
import json
import re
import tomllib

import pytest
import typer.main

import selfinstruct as si
from finetune.training.settings import parse_settings
from selfinstruct.annotation.task import AnnotationTask
from selfinstruct.cli import app
from selfinstruct.config.config import parse_config
from selfinstruct.errors import UsageError
from selfinstruct.settings import parse_as
from selfinstruct.teachers.settings import StageSettings
from tests.conftest import environment, simulated_server
from tests.docs.blocks import NEED_TORCH, PLAIN, ROOT, Block, blocks, commands, comparable, pages, run_page

ALL = [block for page in pages() for block in blocks(page)]
STOP = {"|", "<", ">", "&&", "2>&1"}
LANGUAGES = {"sh", "python", "sql", "toml", "json", "yaml", "text", "csv", "jinja"}


@pytest.fixture(scope="module")
def server():
    with simulated_server() as url:
        yield url


@pytest.mark.parametrize("page", [page for page in pages() if page not in NEED_TORCH])
def test_blocks_run_and_print_what_is_shown(page, server, tmp_path):
    for block, printed, shown in run_page(page, tmp_path, server, environment(**PLAIN)):
        if shown:
            message = f"{shown.where}: {block.text}printed\n{printed}\nTo write it there: python -m tests.docs.blocks"
            assert comparable(printed) == comparable(shown.text), message


@pytest.mark.parametrize("block", ALL, ids=lambda block: block.where)
def test_blocks_are_well_formed(block):
    assert block.language in LANGUAGES, f"{block.where}: a block needs a language, one of {LANGUAGES}"
    check = {"sh": check_shell, "python": check_python, "toml": check_toml, "json": check_json, "yaml": check_yaml}.get(
        block.language
    )
    if check and not block.not_valid:
        check(block)


def check_shell(block: Block) -> None:
    for words in commands(block.text):
        if words[0] == "selfinstruct":
            parse(words[1:], block)
        elif words[0] == "make":
            assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text(), f"{block.where}: make has no {words[1]}"
        elif words[0] in ("python", "pip"):
            assert block.not_run or words[0] == "python", f"{block.where}: say why this is not run"
            check_options(words, block)


def parse(words: list[str], block: Block) -> None:
    """Let the command line's own parser read a command, up to a pipe or a redirection; nothing is run."""
    end = next((at for at, word in enumerate(words) if word in STOP), len(words))
    command, context, rest = typer.main.get_command(app), None, words[:end]
    while True:
        context = command.make_context(command.name or "selfinstruct", list(rest), parent=context)
        if not hasattr(command, "resolve_command"):
            return
        rest = [*context._protected_args, *context.args]
        assert rest, f"{block.where}: no command"
        _, command, rest = command.resolve_command(context, rest)


def check_options(words: list[str], block: Block) -> None:
    """A script of the repository is there and knows the options; an extra that pip installs is declared."""
    for word in words[1:]:
        if word.endswith(".py"):
            script = (ROOT / word).read_text()
            options = {option for option in words if option.startswith("--")}
            assert all(f'"{option}"' in script for option in options), f"{block.where}: {options}"
        for extras in re.findall(r"\[([\w,]+)\]$", word):
            declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
            assert not word.startswith(("selfinstruct", ".")) or set(extras.split(",")) <= set(declared), block.where


def check_python(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "si":
            assert node.attr in si.__all__, f"{block.where}: there is no si.{node.attr}"


def check_toml(block: Block) -> None:
    values = tomllib.loads(block.text)
    if "custom" in values.get("filters", {}) or ":" in values.get("strategy", ""):
        return  # names code that is only there while the page is run
    if "ask" in values:
        parse_as(AnnotationTask, values, block.where)
        return
    if "annotate" in values:
        parse_as(StageSettings, values.pop("annotate"), block.where)
    try:
        parse_config(values, block.where)
    except UsageError as of_run:
        try:
            parse_settings({"model": "any", "data": [{"path": "any"}], **values})
        except UsageError as of_training:
            raise AssertionError(f"settings of neither a run nor a training:\n{of_run}\n{of_training}") from None


def check_json(block: Block) -> None:
    try:
        json.loads(block.text)
    except json.JSONDecodeError:
        assert [json.loads(line) for line in block.text.splitlines()]


def check_yaml(block: Block) -> None:
    assert isinstance(pytest.importorskip("yaml").safe_load(block.text), dict)


@pytest.mark.parametrize("page", [*pages(), "CONTRIBUTING.md", "tests/README.md"])
def test_no_command_stands_outside_a_block(page):
    """Code that is only indented says no language, and nothing runs it."""
    text = re.sub(r"^( *)```.*?^\1```$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    assert not re.search(r"^    +(selfinstruct|python|make|pip|git|\.venv|KILLS|OMP|with|import) ", text, re.MULTILINE)


def test_a_reason_is_given_for_what_is_not_run():
    assert all(len(block.not_run) > 8 for block in ALL if block.not_run)
