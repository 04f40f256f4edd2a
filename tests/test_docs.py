"""What the docs say is what the program does: commands of the README run, every setting is documented."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from finetune.training.settings import FinetuneSettings, LoraSettings, Source
from selfinstruct.cli import app
from selfinstruct.config.config import Config
from selfinstruct.report import status as report
from tests.conftest import COMMAND, run_cli

ROOT = Path(__file__).parent.parent
COMMANDS = (
    "generate", "import", "refilter", "status", "report", "verify", "export", "overlap", "check", "tasks", "rejected",
    "audit", "seeds check", "simulate", "finetune", "chat", "serve", "merge", "gguf", "evaluate", "compare",
)  # fmt: skip


def readme_commands() -> list[str]:
    text = (ROOT / "README.md").read_text()
    block = re.search(r"<!-- commands:.*?```sh\n(.*?)```", text, re.DOTALL).group(1)
    return block.strip().splitlines()


def test_commands_of_the_readme_work(tmp_path):
    assert len(readme_commands()) >= 6
    for command in readme_commands():
        arguments = command.split()
        assert arguments[0] == "selfinstruct"
        result = subprocess.run([*COMMAND, *arguments[1:]], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{command}\n{result.stderr}"
        assert result.stdout


def help_page() -> str:
    """docs/cli.md as it ought to be."""
    pages = [
        f"## {command}\n\n```\n{run_cli(*command.split(), '--help', env=WIDE).stdout.strip()}\n```\n"
        for command in COMMANDS
    ]
    return "# The command line\n\nWhat `--help` says.\n\n" + "\n".join(pages)


WIDE = {"PATH": "/usr/bin:/bin", "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def settings_page() -> str:
    """docs/config.md as it ought to be."""
    lines = [
        "# Settings",
        "",
        "A TOML file for `--config`. What is left out has its default; a key that is not here is an error. Everything",
        "shapes the data and is fixed when a run begins, except `[running]`, `[prices]`, `base_url`, `api_key_env`",
        "and the delays and faults of `[simulated]`, the built-in teacher, which has a page of its own:",
        "[simulated.md](simulated.md).",
        "",
        *_table(Config),
    ]
    titles = {
        "teacher": "who answers, in every stage that does not say otherwise",
        "propose": "and `[classify]` and `[instances]` alike: what a stage does differently",
        "filters": "thresholds of the filters",
        "running": "how a run is carried out; may differ when it goes on",
    }
    for section, title in titles.items():
        lines += [
            "",
            f"## [{section}]",
            "",
            f"{title[0].upper()}{title[1:]}.",
            "",
            *_table(_model(Config.model_fields[section])),
        ]
    lines += [
        "",
        '## [prices."MODEL"]',
        "",
        "US dollars per million tokens.",
        "",
        "| key | default | meaning |",
        "|---|---|---|",
    ]
    lines += ["| `input`, `output` | | price of the prompt's and of the answer's tokens |", ""]
    return "\n".join(lines)


def simulated_page() -> str:
    """docs/simulated.md as it ought to be."""
    lines = [
        "# The simulated teacher",
        "",
        "The built-in teacher, for demos, tests and benchmarks: it composes tasks of which it knows the right answers,",
        "costs nothing, and is as slow, wrong, malformed or failing as it is told to be. No other teacher needs this.",
        "",
        "The keys of `[simulated]`, in the file for `--config` of `selfinstruct generate` and `selfinstruct simulate`:",
        "",
        *_table(_model(Config.model_fields["simulated"])),
    ]
    return "\n".join(lines) + "\n"


def _model(field: FieldInfo) -> type[BaseModel]:
    assert isinstance(field.annotation, type)
    assert issubclass(field.annotation, BaseModel)
    return field.annotation


def _table(model: type[BaseModel]) -> list[str]:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            continue
        if name == "prices":
            continue
        meaning = field.description or "as under [teacher]"
        rows.append(f"| `{name}` | {'' if field.is_required() else _default(field.default)} | {meaning} |")
    return rows


def _default(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def training_page() -> str:
    """docs/finetune-settings.md as it ought to be."""
    lines = [
        "# Settings of a training",
        "",
        "A TOML file for `selfinstruct finetune --config`; a key that is not here is an error. What is left out is",
        "filled in for the model, the data and the machine, and `DIR/finetune.toml` has all of it but `eval_share`.",
        "",
        *_table(FinetuneSettings),
        "",
        "## `[[data]]`: something to learn from",
        "",
        *_table(Source),
        "",
        "## `[lora]`: adapters, for the methods lora and qlora",
        "",
        *_table(LoraSettings),
    ]
    return "\n".join(lines).rstrip() + "\n"


PAGES = [
    ("config.md", settings_page),
    ("simulated.md", simulated_page),
    ("finetune-settings.md", training_page),
    ("cli.md", help_page),
]


@pytest.mark.parametrize(("name", "page"), PAGES)
def test_pages_are_up_to_date(name, page):
    assert (ROOT / "docs" / name).read_text() == page(), f"run: python tests/test_docs.py, and commit docs/{name}"


def test_the_page_has_every_command():
    names = {command.name or command.callback.__name__ for command in app.registered_commands}
    for group in app.registered_groups:
        names |= {f"{group.name} {command.name}" for command in group.typer_instance.registered_commands}
    assert names == set(COMMANDS)


def test_every_reason_is_explained():
    """Whatever filters, strategies and the import reject with has its words in the report, and nothing else has."""
    sources = [*(ROOT / "selfinstruct" / "strategies").glob("*.py"), ROOT / "selfinstruct/filters/filters.py"]
    reasons = {reason for source in sources for reason in re.findall(r'Rejection\(\s*"(\w+)"', source.read_text())}
    chosen = re.findall(r'reason = "(\w+)" if .* else "(\w+)"', (ROOT / "selfinstruct/runs/importing.py").read_text())
    assert reasons.union(*chosen) == set(report.REASONS)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for name, page in PAGES:
        (ROOT / "docs" / name).write_text(page())
