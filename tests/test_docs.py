"""The generated pages are what the program says: every command and setting is there. Code blocks: tests/docs/."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from finetune.training.settings import FinetuneSettings, LoraSettings, Source
from selfinstruct.annotation import STAGE
from selfinstruct.cli import app
from selfinstruct.config.config import Config
from selfinstruct.filters.rule import Rule
from selfinstruct.filters.verdicts import CANDIDATE_RULES, INSTANCE_RULES, RULES, FilterSettings
from selfinstruct.settings import fields_that_may_change
from selfinstruct.simulated.settings import SimulatedSettings
from selfinstruct.store.reasons import all_reasons
from selfinstruct.strategies import declared
from selfinstruct.teachers.settings import Price, RunningSettings, StageSettings, TeacherSettings
from tests.conftest import run_cli

ROOT = Path(__file__).parent.parent
COMMANDS = (
    "generate", "import", "refilter", "status", "report", "verify", "tasks", "rejected", "audit", "export", "overlap",
    "check", "select", "seeds check", "annotate", "combine", "disagreement", "finetune", "chat", "serve", "merge",
    "gguf", "evaluate", "compare", "simulate",
)  # fmt: skip


def help_page() -> str:
    """docs/cli.md as it ought to be."""
    pages = [
        f"## {command or 'selfinstruct'}\n\n```\n{run_cli(*command.split(), '--help', env=WIDE).stdout.strip()}\n```\n"
        for command in ("", *COMMANDS)
    ]
    completion = "`selfinstruct --install-completion` makes the Tab key complete commands, options and their values."
    return f"# The command line\n\nThe output of `--help`. {completion}\n\n" + "\n".join(pages)


WIDE = {"PATH": "/usr/bin:/bin", "COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def settings_page() -> str:
    """docs/config.md as it ought to be."""
    lines = [
        "# Settings of a run",
        "",
        "A TOML file for `--config`. A setting that it leaves out has its default or, in an existing run, the run's",
        "value; a key that is not listed here is an error. The last column says up to what point a setting of an",
        "existing run may change: settings that affect the data are fixed once something depends on them.",
        "`[simulated]`, for the built-in teacher, has [its own page](simulated.md). Relative paths are those of the",
        "working directory, not of the file's folder.",
        "",
        *_table(Config),
    ]
    of_stages = ", ".join(f"[{stage}]" for stage in (*declared().stages, STAGE))
    sections: list[tuple[str, str, type[BaseModel]]] = [
        ("[teacher]", "The model that answers in every stage without settings of its own.", TeacherSettings),
        (
            of_stages,
            "Settings of single stages, which override those of `[teacher]`. `[annotate]` is the only stage of "
            "`selfinstruct annotate`, which asks every model of its mix about every row.",
            StageSettings,
        ),
        ("[filters]", "Settings of the filters.", FilterSettings),
        ("[running]", "How a run is carried out.", RunningSettings),
        (
            '[prices."MODEL"]',
            "What a model costs. Without a price, only its tokens are counted. Answers that have a cost keep it.",
            Price,
        ),
    ]
    for name, title, model in sections:
        lines += ["", f"## {name}", "", title, "", *_table(model)]
    return "\n".join(lines) + "\n"


def simulated_page() -> str:
    """docs/simulated.md as it ought to be."""
    lines = [
        "# The simulated teacher",
        "",
        "The built-in teacher is meant for demos, tests and benchmarks. It composes tasks whose correct answers it",
        "knows, and it costs nothing. By default it is fast and never fails; these settings make it slow, wrong or",
        "unreliable.",
        "",
        "They are keys of `[simulated]`, in the `--config` file of `selfinstruct generate` or `selfinstruct simulate`:",
        "",
        *_table(_model(Config.model_fields["simulated"])),
    ]
    return "\n".join(lines) + "\n"


def _model(field: FieldInfo) -> type[BaseModel]:
    assert isinstance(field.annotation, type)
    assert issubclass(field.annotation, BaseModel)
    return field.annotation


def _table(model: type[BaseModel]) -> list[str]:
    is_of_run = model.__module__.startswith("selfinstruct.")
    rows = ["| key | default | meaning |" + " may change |" * is_of_run, "|---|---|---|" + "---|" * is_of_run]
    may_change = {name: f" {when.value} |" for name, when in fields_that_may_change(model)} if is_of_run else {}
    if model in (Config, SimulatedSettings):  # of no single stage
        may_change = {name: when.replace(" of its stage", "") for name, when in may_change.items()}
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            continue
        if name == "prices":
            continue
        meaning = field.description or "as under [teacher]"
        default = "" if field.is_required() else _default(field.default)
        rows.append(f"| `{name}` | {default} | {meaning} |{may_change.get(name, '')}")
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
        "# Training settings",
        "",
        "A TOML file for `selfinstruct finetune --config`; a key that is not listed here is an error. Missing settings",
        "are chosen to fit the model, the data and the machine, and `DIR/finetune.toml` records every setting except",
        "`eval_share`. Relative paths are those of the working directory, not of the file's folder.",
        "",
        *_table(FinetuneSettings),
        "",
        "## `[[data]]`: training data",
        "",
        *_table(Source),
        "",
        "## `[lora]`: adapters, for the methods lora and qlora",
        "",
        *_table(LoraSettings),
    ]
    return "\n".join(lines).rstrip() + "\n"


def filters_page() -> str:
    """docs/filters.md as it ought to be."""
    others = {name: words for name, words in all_reasons().items() if name not in {one.name for one in RULES}}
    lines = [
        "# Filters and reasons",
        "",
        "Filters run in this order. The first one that a candidate or record fails rejects it; its name is the reason.",
        "See also [how to change the filters](strategies.md#filters). A *known instruction* is that of a seed or of an",
        "admitted task.",
        "",
        *_filters("Candidates", CANDIDATE_RULES),
        *_filters("Instances, and the records that they become", INSTANCE_RULES),
        "## Answers that reach no filter",
        "",
        "| reason | meaning |",
        "|---|---|",
        *(f"| `{name}` | {words} |" for name, words in others.items()),
        "",
        "If a class is unclear, the teacher is asked once more; if it still is, the task counts as not a",
        "classification task. If the outputs of a task conflict, all of its instances are rejected.",
    ]
    return "\n".join(lines) + "\n"


def _filters(title: str, rules: Sequence[Rule[...]]) -> list[str]:
    """A section with the filters that run on one kind of thing."""
    rows = [
        f"| `{one.name}` | {one.words} | {one.source} | {f'no: {one.required}' if one.required else 'yes'} |"
        for one in rules
    ]
    return [f"## {title}", "", "| filter | meaning | source | can be switched off |", "|---|---|---|---|", *rows, ""]


PAGES = [
    ("filters.md", filters_page),
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
    """Whatever filters, strategies and the import reject with has its words, and nothing else has.

    With a count and a stage before it, a line of `status` fits into a terminal of 80 characters.
    """
    sources = [
        *(ROOT / "selfinstruct/strategies").glob("*.py"), ROOT / "selfinstruct/asking/reading.py",
    ]  # fmt: skip
    found = {reason for source in sources for reason in re.findall(r'Rejection\(\s*"(\w+)"', source.read_text())}
    chosen = re.findall(r'reason = "(\w+)" if .* else "(\w+)"', (ROOT / "selfinstruct/runs/importing.py").read_text())
    assert found.union({rule.name for rule in RULES}, *chosen) == set(all_reasons())
    assert all(all_reasons().values())
    assert [words for name, words in all_reasons().items() if len(f"       1  instances {name:<23} {words}") > 80] == []


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    for name, page in PAGES:
        (ROOT / "docs" / name).write_text(page())
