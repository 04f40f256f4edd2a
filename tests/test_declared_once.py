"""One declaration for one thing: no module names a stage or a filter but the one that declares it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfinstruct.filters.verdicts import RULES
from selfinstruct.strategies import NAMES, declared, load

ROOT = Path(__file__).parents[1]
# Where a stage's name is another thing: a field of rows in the format of Self-Instruct, a file of them, a table of the
# store, or what is counted.
FIELDS = {
    "instances": (
        "selfinstruct/rows/", "selfinstruct/export/formats.py", "selfinstruct/store/", "selfinstruct/report/figures.py",
        "selfinstruct/runs/", "selfinstruct/api/importing.py",
    )
}  # fmt: skip
# The simulated teacher reads requests as any server does, and knows nothing of our stages.
# The findings of `check` have a table of their own, and some of them the name of the filter that looks for the same.
APART = ("selfinstruct/simulated/", "selfinstruct/checks/", "finetune/data/rows.py")


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """The string literals of a module, but for docstrings, with their lines."""
    tree = ast.parse(path.read_text())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value) for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def named_elsewhere(names: set[str], declared_in: tuple[str, ...]) -> list[str]:
    """Where a literal is one of `names`, or holds one in quotes, outside of the files that declare them."""
    found = []
    for path in sorted([*(ROOT / "selfinstruct").rglob("*.py"), *(ROOT / "finetune").rglob("*.py")]):
        place = path.relative_to(ROOT).as_posix()
        if place.startswith((*declared_in, *APART)):
            continue
        for line, text in strings(path):
            for name in names:
                if (text == name or f"'{name}'" in text) and not place.startswith(FIELDS.get(name, ("-",))):
                    found.append(f"{place}:{line} names {name}")
    return found


def test_no_module_names_a_stage_but_its_strategy():
    assert (
        named_elsewhere(set(declared().stages), ("selfinstruct/strategies/", "selfinstruct/filters/instance.py")) == []
    )


def test_no_module_names_a_filter():
    assert named_elsewhere({rule.name for rule in RULES}, ("selfinstruct/filters/",)) == []


def test_a_name_that_stands_elsewhere_is_found(tmp_path):
    module = tmp_path / "module.py"
    module.write_text('"""propose"""\nx = "propose"\ny = "SELECT 1 WHERE stage = \'classify\'"\n')
    assert [text for _, text in strings(module)] == ["propose", "SELECT 1 WHERE stage = 'classify'"]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_strategy_declares_is_whole(name):
    strategy = load(name)
    assert strategy.summary
    assert all(stage.prompts for stage in strategy.stages)
    for stage in strategy.stages:
        for prompt in stage.prompts:
            for endpoint in ("chat", "completion"):
                assert (ROOT / "prompts" / endpoint / f"{prompt.name}.jinja").is_file()
