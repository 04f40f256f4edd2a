"""The code blocks of the docs: read from the Markdown, run page by page, and compared with the output below them.

    ```sh                       commands, run in order in the page's own folder; `selfinstruct` in this process
    ```python                   run in order, with one namespace for the page
    ```sql                      queries of outputs/first/run.db, which give at least one row
    ```toml                     settings of a run or of a training
    ```json                     one JSON value, or one on each line
    ```yaml                     settings of another tool
    ```text                     right below commands or Python: what they print

A block with `title="NAME"` is written to that file. A comment above a block says what is different about it:

    <!-- not run: REASON -->    its syntax, options and names are checked, but it is not run
    <!-- not valid: REASON -->  what is shown is a mistake
    <!-- exit code: N -->       a command that fails
    <!-- page not run: REASON -->   the same as the first, for all blocks of a page

Every page has an OpenAI-compatible server, the simulated teacher: at $OPENAI_BASE_URL, and in the place of SERVERS.
Models that the docs name (MODELS) get names that it knows. `python -m tests.docs.blocks` writes all outputs again.
"""

import contextlib
import io
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from tests.conftest import environment, run_here, simulated_server

ROOT = Path(__file__).parents[2]
SERVERS = ("http://localhost:8000/v1", "http://gpu1:8000/v1", "http://gpu2:8000/v1")
MODELS = re.compile(r"(?<![\w-])(gpt-4\.1(?:-mini)?|qwen3-8b|llama3\.2)(?![\w.]*[-\w])")
GENERATED = {"cli.md", "config.md", "filters.md", "finetune-settings.md", "simulated.md"}
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?[^\n]*\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"<!-- (not run|not valid|exit code|page not run): (.*?) -->")


class Block(NamedTuple):
    """A code block: where it stands, what it is, and what the comment above it says."""

    page: str
    line: int
    span: tuple[int, int]
    language: str
    title: str
    text: str
    not_run: str
    not_valid: str
    exit_code: int

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.page}, line {self.line}"


class Output(NamedTuple):
    """What a block printed, and the block below it that shows what it prints, if any."""

    block: Block
    text: str
    shown: Block | None


def pages() -> list[str]:
    """The Markdown files with code blocks, relative to the repository; those that are generated have none to run."""
    written = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name not in GENERATED]
    return [str(path.relative_to(ROOT)) for path in (ROOT / "README.md", ROOT / "seeds/README.md", *written)]


def blocks(page: str) -> list[Block]:
    """The code blocks of a page, in order."""
    markdown = (ROOT / page).read_text(encoding="utf-8")
    marks = {kind: value for kind, value in _MARK.findall(markdown) if kind == "page not run"}
    found = []
    for fence in _FENCE.finditer(markdown):
        above = markdown[: fence.start()].rstrip().rpartition("\n")[2]
        own = marks | dict(_MARK.findall(above))
        text = re.sub(f"^{fence['indent']}", "", fence["text"], flags=re.MULTILINE)
        found.append(Block(
            page, markdown.count("\n", 0, fence.start()) + 1, fence.span("text"), fence["language"],
            fence["title"] or "", text, own.get("not run") or own.get("page not run", ""), own.get("not valid", ""),
            int(own.get("exit code", 0)),
        ))  # fmt: skip
    return found


def commands(text: str) -> list[list[str]]:
    """The commands of a shell block as words, without comments; lines that end with a backslash go on."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def run_page(page: str, folder: Path, server: str, environment: Mapping[str, str]) -> Iterator[Output]:
    """Run the blocks of a page in `folder`, with the teacher that `server` is; give what each printed."""
    found = blocks(page)
    names: dict[str, Any] = {"__name__": "__main__"}
    with _set_up(folder, {**environment, "OPENAI_BASE_URL": server, "OPENAI_API_KEY": "none"}):
        for number, block in enumerate(found):
            text = _as_simulated(block.text, server)
            if block.title:
                path = folder / block.title
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            if block.not_run or block.language not in ("sh", "python", "sql"):
                continue
            printed = {"sh": _shell, "python": _python, "sql": _sql}[block.language](block, text, names)
            after = found[number + 1] if number + 1 < len(found) else None
            is_below = after and after.language == "text" and not after.not_run and _nothing_between(block, after)
            printed = _PASSING.sub("", printed.replace(server, SERVERS[0]).replace("simulated-", ""))
            yield Output(block, printed, after if is_below else None)


def _nothing_between(block: Block, after: Block) -> bool:
    between = (ROOT / block.page).read_text(encoding="utf-8")[block.span[1] : after.span[0]]
    return between.split() == ["```", "```text"]


def _as_simulated(text: str, server: str) -> str:
    for name in SERVERS:
        text = text.replace(name, server)
    return MODELS.sub(r"simulated-\1", text)


@contextmanager
def _set_up(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    before, path, modules = dict(os.environ), list(sys.path), set(sys.modules)
    os.environ.clear()
    os.environ.update(environment)
    sys.path.insert(0, str(folder))  # as in a script of that folder
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        sys.path[:] = path
        for name in sys.modules.keys() - modules:  # the page's own files
            if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(folder):
                del sys.modules[name]
        os.environ.clear()
        os.environ.update(before)


def _shell(block: Block, text: str, _names: dict[str, Any]) -> str:
    printed, code = "", 0
    for line in text.replace("\\\n", " ").splitlines():
        if not (words := shlex.split(line, comments=True)):
            continue
        if words[0] == "export":
            name, _, value = words[1].partition("=")
            os.environ.setdefault(name, value)
            continue
        piped = re.fullmatch(r"(.*?)( 2>&1)? \| (head|tail) -n (\d+)", " ".join(words))
        plain = shlex.split(line, comments=True)[: -4 - bool(piped[2])] if piped else words
        if words[0] == "selfinstruct" and not {"|", "<", ">", "&&"} & set(plain):
            done = run_here(plain[1:], together=True)  # as in a terminal
            output, code = done.stdout, done.returncode
            lines = output.splitlines(keepends=True)
            if piped:
                output = "".join(lines[: int(piped[4])] if piped[3] == "head" else lines[-int(piped[4]) :])
                code = block.exit_code  # a pipe has that of its last command
        else:
            shim = f'selfinstruct() {{ "{sys.executable}" -m selfinstruct "$@"; }}\n'
            done = subprocess.run(["bash", "-c", shim + line], capture_output=True, text=True, check=False)
            output, code = done.stdout + done.stderr, done.returncode
        printed += output
        if code != block.exit_code:
            raise AssertionError(f"{block.where}: {line}\nexit code {code}\n{printed}")
    return printed


def _python(block: Block, text: str, names: dict[str, Any]) -> str:
    output = io.StringIO()
    with redirect_stdout(output), redirect_stderr(io.StringIO()):
        exec(compile("\n" * block.line + text, block.page, "exec"), names)
    return output.getvalue()


def _sql(block: Block, text: str, _names: dict[str, Any]) -> str:
    with contextlib.closing(sqlite3.connect("outputs/first/run.db")) as db:
        rows = [row for query in text.split(";") if query.strip() for row in db.execute(query)]
    if not rows:
        raise AssertionError(f"{block.where}: gives no row")
    return "".join("|".join("" if value is None else str(value) for value in row) + "\n" for row in rows)


# What differs from one run to the next, or between machines: the progress of a run that takes longer, times.
_PASSING = re.compile(r"^.*(tasks admitted, .* in flight; |proposals sent ahead, not needed yet).*\n", re.MULTILINE)
_VOLATILE = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://127.0.0.1:PORT"),
    (re.compile(r"\b\d+:\d\d(:\d\d)?\b"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? (s|seconds|minutes|ms)\b"), "TIME"),
    (re.compile(r"\$?\d[\d,.]* and \$?\d[\d,.]*"), "INTERVAL"),  # of an estimate: it depends on the order of answers
    (re.compile(r"[ \t]+"), " "),
)


def comparable(text: str) -> str:
    """The text without times, ports, and the width of spaces."""
    for pattern, instead in _VOLATILE:
        text = pattern.sub(instead, text)
    return "\n".join(line.strip() for line in text.strip().splitlines())


def write_outputs(page: str, outputs: list[Output]) -> None:
    """Write what the blocks printed into the page, where it is shown."""
    markdown = (ROOT / page).read_text(encoding="utf-8")
    for output in reversed(outputs):
        if output.shown and comparable(output.text) != comparable(output.shown.text):
            start, end = output.shown.span
            lines = "".join(f"{line.rstrip()}\n" for line in output.text.strip("\n").splitlines())
            markdown = markdown[:start] + lines + markdown[end:]
    (ROOT / page).write_text(markdown, encoding="utf-8")


def write_all(*only: str) -> None:
    """Run all pages, or those named, and write their outputs."""
    from tempfile import TemporaryDirectory

    from tests.tiny_model import write_model

    with simulated_server() as server:
        for page in only or pages():
            with TemporaryDirectory() as folder:
                if page in NEED_TORCH:
                    write_model(Path(folder) / TINY_MODEL, [])
                write_outputs(page, list(run_page(page, Path(folder), server, environment(**PLAIN))))
                print(page)


PLAIN = {"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}
# They train a model: tests/finetune/test_ft_docs.py runs them, in the one process that imports torch.
NEED_TORCH = {"docs/python.md", "docs/how-to/trainers.md"}
TINY_MODEL = "Qwen/Qwen2.5-0.5B"  # a folder of that name comes before the hub

if __name__ == "__main__":
    write_all(*sys.argv[1:])
