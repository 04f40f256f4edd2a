"""Filters, strategies, stages and teachers outside the package: the how-to pages' own files, and what goes wrong."""

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

import selfinstruct as si
from selfinstruct.audit import what_if
from selfinstruct.audit.funnel import funnel
from selfinstruct.audit.generation import generation
from selfinstruct.audit.index import Index
from selfinstruct.audit.verdicts import RunFilters
from selfinstruct.config.stored import config_of
from selfinstruct.custom import PACKAGE
from selfinstruct.errors import StoreError, TeacherError, UsageError
from selfinstruct.extending import Alpaca, Answer, Candidate, Completion, Pool, RequestRefused, SelfInstruct, TryAgain
from selfinstruct.filters.verdicts import FilterSettings
from selfinstruct.store.declared import declared_by
from selfinstruct.store.store import Store
from tests.conftest import run_cli

PAGES = Path(__file__).parents[2] / "docs/how-to"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the files of the how-to pages, to work in."""
    for page in ("filter", "strategy", "teacher"):
        blocks = re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', (PAGES / f"custom-{page}.md").read_text(), re.DOTALL)
        for name, code in blocks:
            (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def cli(*arguments, code=0):
    done = run_cli(*arguments)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def grow(folder, target=20, *options):
    return cli("generate", folder, "--target", target, *options)


def records(folder):
    return (Path(folder) / "records.jsonl").read_bytes()


def lines_of_code(text):
    return [line for line in text.splitlines() if line.strip() and not line.startswith(("import", "from"))]


def test_the_sizes_that_are_promised(here):
    assert len(lines_of_code((here / "rules.py").read_text())) <= 10
    assert len(lines_of_code((here / "evolve.py").read_text())) <= 40
    assert len(lines_of_code((here / "parrot.py").read_text())) <= 20


# Filters.


def test_a_filter_rejects_and_is_shown_everywhere(here):
    said = grow("run", 60, "--filter", "rules.py:no_number")
    assert "no_number               mentions a number" in said
    run = si.Run("run")
    rejected = run.rejected(reason="no_number")
    assert rejected
    assert all(row["evidence"] == {"word": "number"} and row["stage"] == "filter" for row in rejected)
    assert all("number" in row["text"] and row["explanation"] == "mentions a number" for row in rejected)
    # As filters name their stages, rejections can be asked for too.
    assert run.rejected(stage="task", reason="no_number") == rejected
    assert cli("rejected", "run", "--stage", "task") == cli("rejected", "run", "--stage", "filter")
    assert run.rejected(stage="record") == run.rejected(stage="instances")
    assert not any("number" in task["instruction"] for task in run.tasks())
    assert "mentions a number" in run.report().read_text()
    cli("export", "run", "--format", "messages", "--card")
    assert "mentions a number" in Path("run/README.md").read_text()
    assert run.verify() == []


def test_the_audit_says_what_it_said_without_its_code(here):
    grow("run", 40, "--filter", "rules.py:no_number")
    Path("rules.py").unlink()
    rejected = si.Run("run").rejected(reason="no_number")
    with Store.read(Path("run")) as store, closing(Index(store)) as index:
        index.refresh()
        filters = RunFilters(store)
        one = generation(store, index, filters, "candidate", rejected[0]["id"])
        said = {verdict.name: verdict for verdict in one.verdicts}
        assert said["no_number"].evidence == {"word": "number"}
        assert said["no_number"].words == "mentions a number (as recorded)"
        task = generation(store, index, filters, "candidate", store.tasks()[0].id)
        assert {verdict.name: verdict for verdict in task.verdicts}["no_number"].evidence is None
        (step,) = (step for step in funnel(store, index) if step.name == "no_number")
        assert (step.n, step.note) == (len(rejected), "mentions a number")
        kept = what_if.Replay(store, what_if.Rules(0.7))
        kept.run()
        off = what_if.Replay(store, what_if.Rules(0.7, frozenset({"no_number"})))
        off.run()
    assert (kept.outcome.gained, kept.outcome.lost) == ([], [])
    assert {change.id for change in off.outcome.gained} <= {row["id"] for row in rejected}
    assert off.outcome.gained


def test_by_name_by_file_and_as_a_function_it_makes_the_same_run(here):
    grow("named", 20, "--filter", "rules.py:no_number")
    Path("rules.toml").write_text('[filters]\ncustom = ["rules.py:no_number"]\n')
    grow("file", 20, "--config", "rules.toml", "--concurrency", 1)
    sys.path.append(str(here))
    from rules import no_number

    run = si.generate("python", 20, filters=[no_number], progress=False)
    assert records("named") == records("file") == records(run.folder)
    assert si.generate("named", 24, filters=["rules.py:no_number"], progress=False).status().tasks == 24


def test_a_run_is_filtered_again_by_it(here):
    grow("plain", 40)
    said = cli("refilter", "plain", "strict", "--filter", "rules.py:no_number")
    assert re.search(r"lost +\d+  no_number +mentions a number", said)
    grow("strict", 40, "--filter", "rules.py:no_number")
    cli("refilter", "strict", "again", "--without", "no_number")
    assert {row["id"] for row in si.Run("plain").tasks()} <= {row["id"] for row in si.Run("again").tasks()}
    assert si.Run("again").rejected(reason="no_number") == []
    from_python = si.Run("plain").refilter("strict2", filters=["rules.py:no_number"])
    assert si.Run("strict2").verify() == []
    assert from_python.changes.tasks.lost


def test_under_the_same_rules_it_is_the_same_run(here):
    grow("run", 20, "--filter", "rules.py:no_number")
    cli("refilter", "run", "same", "--filter", "rules.py:no_number")
    assert records("same") == records("run")


def test_a_run_that_needs_it_is_not_resumed_without(here):
    grow("run", 10, "--filter", "rules.py:no_number")
    before = records("run")
    said = cli("generate", "run", "--target", 20, code=2)
    assert "--filter rules.py:no_number" in said
    assert "name that code again" in said
    assert records("run") == before
    said = cli("refilter", "run", "new", code=2)
    assert "--filter rules.py:no_number" in said
    said = cli("generate", "run", "--target", 20, "--filter", "difficulty.py:easy", code=2)
    assert "filters.custom was ['rules.py:no_number'], now ['difficulty.py:easy']" in said


def test_a_rule_that_has_changed_is_noticed(here):
    grow("run", 10, "--filter", "rules.py:no_number")
    assert "has changed" not in grow("run", 12, "--filter", "rules.py:no_number")
    rules = Path("rules.py")
    rules.write_text(rules.read_text().replace('"number" in', '"numbers" in'))
    assert "rules.py:no_number has changed since the last session" in grow("run", 14, "--filter", "rules.py:no_number")
    with Store.read(Path("run")) as store:
        known = store.settings()["custom"]["filters"]["rules.py:no_number"]
    assert len(known["sha256"]) == 2
    assert known["meaning"] == "mentions a number"
    rules.write_text(rules.read_text() + "\n")
    with pytest.warns(UserWarning, match="no_number has changed"):
        si.generate("run", 15, filters=["rules.py:no_number"], progress=False)


def in_a_notebook(monkeypatch, code):
    """What a cell with this code defines."""
    cell = ModuleType("cell")
    monkeypatch.setitem(sys.modules, "cell", cell)
    exec(code, vars(cell))
    return cell


@pytest.mark.filterwarnings("ignore:.* has changed since:UserWarning")
def test_a_run_of_a_notebook_is_resumed_from_a_file_and_the_other_way_round(here, monkeypatch):
    cell = in_a_notebook(monkeypatch, (here / "rules.py").read_text() + (here / "evolve.py").read_text())
    places = {"notebook": cell.no_number, "file": "rules.py:no_number"}
    for began, then in ("notebook", "file"), ("file", "notebook"):
        si.generate(began, 10, filters=[places[began]], progress=False)
        run = si.generate(began, 14, filters=[places[then]], progress=False)
        assert run.refilter(f"{began}-again", filters=[places[then]]).records() == run.records()
    assert records("notebook") == records("file")
    with Store.read(Path("notebook")) as store:
        assert list(store.settings()["custom"]["filters"]) == ["notebook:no_number"]
    evolved = si.generate("evolved", 4, strategy=cell.Evolve, progress=False)
    assert si.generate("evolved", 6, strategy="evolve.py:Evolve", progress=False).status().tasks == 6
    assert evolved.refilter("evolved-again", strategy=cell.Evolve).records() == evolved.records()


def test_it_is_wherever_the_folder_is(here, monkeypatch):
    grow("run", 10, "--filter", "rules.py:no_number")
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    grow("../run", 12, "--filter", "../rules.py:no_number")
    assert str(here) not in Path("../run/config.toml").read_text()


MISTAKES = {
    "rulez.py:no_number": "rulez.py: no such file.",
    "rules.py:no_numbers": "rules.py has no no_numbers; did you mean no_number?",
    "grader.py:grate": "grader.py has no grate; did you mean grade?",
    "difficulty.py:other": "difficulty.py has no other; choose one of: PROMPT, DIFFICULTY, Graded, easy.",
    "empty.py:x": "empty.py has no x.",
    "rules.py": "'rules.py' does not name a function or class; write FILE.py:NAME or package.module:NAME.",
    "rules.py:": "'rules.py:' does not name a function or class",
    "no.such.module:rule": "There is no module no.such.module; install it, or name the file: FILE.py:NAME.",
    "grader.py:grade": "grader.py:grade is not a filter; decorate the function with @si.filter(stage=",
    "bad.py:x": "Error: bad.py, line 2: SyntaxError: invalid syntax\n",
    "raises.py:x": "raises.py, line 2, in <module>: ZeroDivisionError: division by zero",
    "exits.py:x": "exits.py, line 2, in <module>: SystemExit: 3",
    "imports.py:x": "imports.py, line 1, in <module>: ModuleNotFoundError: No module named 'nothing_of_this_name'",
    "stage.py:x": "A filter's stage is 'tasks'; it must be 'task' or 'record'.",
    "coroutine.py:x": "The filter x is an async function; it must be synchronous.",
    "bare.py:x": 'Error: bare.py, line 3: @si.filter needs arguments: @si.filter(stage="task", meaning=',
    "mute.py:x": "A filter needs a meaning, a few words for what it rejects",
    "arity.py:x": "Error: arity.py, line 2: The filter x must take two arguments: def x(task, pool).",
    "clash.py:too_short": "there are two filters called too_short; rename yours",
}  # fmt: skip
HEAD = "import selfinstruct as si\n@si.filter(stage='task', meaning='m')\n"


@pytest.mark.parametrize("name", MISTAKES)
def test_a_name_that_cannot_be_loaded_is_one_message_and_no_run(here, name):
    Path("empty.py").write_text("")
    Path("bad.py").write_text("x = 1\ndef (:\n")
    Path("raises.py").write_text("y = 0\nx = 1 / y\n")
    Path("exits.py").write_text("import sys\nsys.exit(3)\n")
    Path("imports.py").write_text("import nothing_of_this_name\n")
    Path("stage.py").write_text(HEAD.replace("task", "tasks") + "def x(task, pool): ...\n")
    Path("coroutine.py").write_text(HEAD + "async def x(task, pool): ...\n")
    Path("bare.py").write_text("import selfinstruct as si\n\n@si.filter\ndef x(task, pool): ...\n")
    Path("mute.py").write_text("import selfinstruct as si\n\n@si.filter(stage='task')\ndef x(task, pool): ...\n")
    Path("arity.py").write_text(HEAD + "def x(task): ...\n")
    Path("clash.py").write_text(HEAD + "def too_short(task, pool): ...\n")
    said = cli("generate", "run", "--target", 5, "--filter", name, code=2)
    assert MISTAKES[name] in said
    assert "Traceback" not in said
    assert not Path("run").exists()


WRONG = {
    "raise KeyError('x')": "faulty.py, line 4, in faulty: KeyError: 'x'",
    "return True": "The filter faulty returned True; it must return si.reject(...) to reject, or None to let pass.",
    "return {'keep': True}": "The filter faulty returned {'keep': True}; it must return si.reject(...) to reject",
    "return si.reject(at={1, 2})": "The evidence of the filter faulty is not JSON",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_mistake_in_it_stops_the_run_and_keeps_what_was_paid_for(here, wrong):
    """With the mistake mended the run goes on, asks nothing twice, and is what it would have been."""
    right = HEAD + "def faulty(task, pool):\n    {}\n    return si.reject() if 'number' in task.instruction else None\n"
    Path("faulty.py").write_text(right.format("pass"))
    grow("right", 20, "--filter", "faulty.py:faulty")
    Path("faulty.py").write_text(right.format(f"if len(pool.tasks) == 9: {wrong}"))
    said = cli("generate", "run", "--target", 20, "--filter", "faulty.py:faulty", code=2)
    assert WRONG[wrong] in said
    assert "Traceback" not in said
    paid = si.Run("run").status().usage
    assert sum(one.requests for one in paid) > 1
    Path("faulty.py").write_text(right.format("pass"))
    grow("run", 20, "--filter", "faulty.py:faulty")
    assert records("run") == records("right")


def test_it_can_be_called_by_itself(here):
    @si.filter(stage="task", meaning="is long")
    def long(task, pool):
        return si.reject(n=len(task.instruction))

    pool = Pool((), FilterSettings())
    assert long(Candidate("", 0, "Name a lake."), pool).evidence == {"n": 12}


# Somebody else's run folder.


def test_no_code_is_loaded_because_a_run_names_it(here):
    """Whatever run.db says: files that lie beside it, or in it, are not executed by any command."""
    grow("run", 10, "--filter", "rules.py:no_number")
    marker = here / "executed"
    for file in ("evil.py", "run/evil.py", "rules.py", "run/rules.py"):
        Path(file).write_text(f"open({str(marker)!r}, 'w')\n")
    with sqlite3.connect("run/run.db") as db:
        ((text,),) = db.execute("SELECT value FROM run WHERE key = 'config'").fetchall()
        config = json.loads(text) | {"strategy": "evil.py:Evil"}
        config["teacher"]["kind"] = "evil.py:evil"
        db.execute("UPDATE run SET value = ? WHERE key = 'config'", (json.dumps(config),))
        ((text,),) = db.execute("SELECT value FROM run WHERE key = 'custom'").fetchall()
        stages = [{"name": name} for name in ("propose", "classify", "instances")]
        evil = {"evil.py:Evil": {"stages": stages, "reasons": {}, "summary": "asked", "sha256": ["0"]}}
        custom = json.loads(text) | {"strategies": evil}
        db.execute("UPDATE run SET value = ? WHERE key = 'custom'", (json.dumps(custom),))
    for command in ("status", "report", "tasks", "rejected"):
        cli(command, "run")
    cli("verify", "run", code=1)
    cli("export", "run", "--format", "alpaca", "--card")
    cli("generate", "run", "--target", 20, code=2)
    cli("refilter", "run", "new", code=2)
    assert not marker.exists()


def test_what_a_run_declares_steers_no_terminal_and_is_checked(here):
    grow("run", 10, "--filter", "rules.py:no_number")
    with sqlite3.connect("run/run.db") as db:
        declared = {"name": "no_number", "stage": "task", "meaning": "\x1b[2Jgone", "sha256": ["0"]}
        db.execute(
            "UPDATE run SET value = ? WHERE key = 'custom'",
            (json.dumps({"filters": {"rules.py:no_number": declared}}),),
        )
    with Store.read(Path("run")) as store:
        assert declared_by(store).reasons["no_number"] == "\\x1b[2Jgone"
    with sqlite3.connect("run/run.db") as db:
        db.execute("UPDATE run SET value = '{}' WHERE key = 'custom'")
    said = cli("status", "run", code=2)
    assert "damaged" in said
    with Store.read(Path("run")) as store, pytest.raises(StoreError):
        config_of(store)


def test_a_prompt_of_a_run_cannot_reach_python(here):
    """A template out of somebody's folder is filled in in a sandbox."""
    Path("prompts").mkdir()
    subprocess.run(["cp", "-r", str(PACKAGE.parent / "prompts" / "chat"), "prompts"], check=True)
    propose = Path("prompts/chat/propose.jinja")
    propose.write_text(
        propose.read_text().replace("Here are", "{{ ''.__class__.__mro__[1].__subclasses__()|length }} Here are")
    )
    Path("own.toml").write_text('prompts = "prompts"\n')
    said = cli("generate", "run", "--target", 5, "--config", "own.toml", code=2)
    assert "propose.jinja" in said
    assert "unsafe" in said


# Strategies and stages.


def test_a_strategy_grows_a_run(here):
    said = grow("run", 12, "--strategy", "evolve.py:Evolve")
    assert re.search(r"\d+  evolve +simulated", said)
    assert "propose" not in said
    run = si.Run("run")
    assert run.verify() == []
    assert "evolve" in run.report().read_text()
    cli("export", "run", "--format", "alpaca", "--card")
    assert "asked to rewrite tasks into harder ones" in Path("run/README.md").read_text()
    assert re.search("Custom code.*`evolve.py:Evolve` `[0-9a-f]{12}`", Path("run/README.md").read_text())
    assert 'strategy = "evolve.py:Evolve"' in Path("run/config.toml").read_text()
    cli("refilter", "run", "same", "--strategy", "evolve.py:Evolve")
    assert records("same") == records("run")
    assert "--strategy evolve.py:Evolve" in cli("generate", "run", "--target", 14, code=2)
    grow("one", 12, "--strategy", "evolve.py:Evolve", "--concurrency", 1)
    assert records("one") == records("run")


def test_a_stage_of_its_own_has_a_table_in_the_settings(here):
    Path("run.toml").write_text('strategy = "evolve.py:Evolve"\n[evolve]\nsampling = { max_tokens = 99 }\n')
    grow("run", 6, "--config", "run.toml")
    with Store.read(Path("run")) as store:
        assert config_of(store).stage("evolve").sampling == {"max_tokens": 99}
    Path("run.toml").write_text('strategy = "evolve.py:Evolve"\n[evolved]\nmodel = "x"\n')
    assert "unknown key evolved; did you mean evolve?" in cli(
        "generate", "n", "--target", 5, "--config", "run.toml", code=2
    )
    run = si.generate("python", 6, strategy="evolve.py:Evolve", evolve={"sampling": {"max_tokens": 99}}, progress=False)
    assert records("run") == records(run.folder)


def test_a_field_that_a_stage_adds_is_seen_everywhere(here):
    said = grow("run", 20, "--config", "graded.toml")
    grades = [json.loads(line)["extra"]["difficulty"] for line in Path("run/records.jsonl").read_text().splitlines()]
    assert set(grades) <= {1, 2, 3, 4, 5}
    assert f"3: {grades.count(3)}" in said
    run = si.Run("run")
    assert run.status().fields["difficulty"] == {
        str(n): grades.count(n) for n in sorted(set(grades), key=lambda n: (-grades.count(n), n))
    }
    assert '<h2 class="next">difficulty</h2>' in run.report().read_text()
    assert all("difficulty" in task["extra"] for task in run.tasks())
    parquet = run.export("parquet")
    assert parquet.exists()
    strict = run.refilter("hard", strategy="difficulty.py:Graded", filters=["difficulty.py:easy"])
    assert all(row["extra"]["difficulty"] > 2 for row in strict.records())
    assert {row["stage"] for row in strict.rejected(reason="easy")} == {"instances"}
    assert len(strict.rejected(reason="easy")) == sum(n <= 2 for n in grades)


class Wrong(SelfInstruct):
    async def propose(self, snapshot, rng, ask):
        return ["1. Name a lake."]


class Breaks(Alpaca):
    async def propose(self, snapshot, rng, ask):
        raise ValueError("no idea")


class Unwritten:
    pass


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (Wrong, r"The strategy Wrong: propose returned \['1. Name a lake.'\]; it must return a Proposal."),
        (Breaks, r"test_custom.py, line \d+, in propose: ValueError: no idea"),
        (Unwritten, r"The strategy .*Unwritten lacks stages, defaults"),
        (len, "is not a strategy: it must be a class"),
        ("gravitate", "there is no strategy 'gravitate'; choose one of: self-instruct, alpaca"),
    ],
)  # fmt: skip
def test_a_strategy_that_cannot_work_is_one_message(here, strategy, said):
    with pytest.raises(UsageError, match=said):
        si.generate("run", 5, strategy=strategy, progress=False)


# Teachers.


def test_a_function_teaches(here):
    said = grow("run", 8, "--teacher", "parrot.py:parrot")
    assert "Teacher: parrot" in said
    assert "probe" not in said  # nothing is asked that is not part of the method
    sys.path.append(str(here))
    from parrot import parrot

    run = si.generate("python", 8, teacher=parrot, progress=False)
    assert records("run") == records(run.folder)
    grow("run", 9, "--teacher", "parrot.py:parrot", "--concurrency", 2)
    assert "--teacher parrot.py:parrot" in cli("generate", "run", "--target", 20, code=2)


def test_a_plain_function_is_called_in_a_thread(here):
    import threading

    seen = set()

    def plain(request):
        seen.add(threading.current_thread())
        return "1. Name a lake in Italy."

    with pytest.raises(si.YieldCollapsed):
        si.generate("run", 2, teacher=plain, progress=False, collapse_after=20)
    assert threading.main_thread() not in seen
    assert seen


def test_tokens_and_prices_are_counted(here):
    async def priced(request):
        text = "1. Name a lake in Italy." if request.stage == "propose" else "No"
        text = "Example 1\nOutput: Garda." if request.stage == "instances" else text
        return Completion(request.id, text, "stop", prompt_tokens=1000, completion_tokens=100)

    prices = {"priced": {"input": 1.0, "output": 10.0}}
    run = si.generate("run", 1, teacher=priced, progress=False, prices=prices)
    used = run.status()
    calls = sum(one.requests for one in used.usage)
    assert used.cost_usd == pytest.approx(calls * (1000 * 1.0 + 100 * 10.0) / 1e6)
    with pytest.raises(UsageError, match="max"):
        si.generate("other", 1, teacher=priced, progress=False, max_cost=1)


def failing(error, times):
    left = [times]

    async def fails(request):
        if left[0]:
            left[0] -= 1
            raise error
        text = "1. Name a lake in Italy." if request.stage == "propose" else "No"
        return "Example 1\nOutput: Garda." if request.stage == "instances" else text

    return fails


@pytest.mark.parametrize(
    "error", [ConnectionResetError("gone"), TimeoutError(), TryAgain("busy", "later", retry_after_s=0)]
)
def test_passing_errors_are_tried_again(here, error):
    run = si.generate("run", 1, teacher=failing(error, 2), progress=False)
    assert run.status().tasks == 1
    assert run.status().faults == 2


def test_a_request_that_is_refused_is_stored_and_the_run_goes_on(here):
    run = si.generate("run", 1, teacher=failing(RequestRefused("content_filter", "not this"), 1), progress=False)
    assert run.rejected(reason="no_answer")[0]["evidence"] == {"error": "content_filter: not this"}


def test_a_mistake_in_it_stops_the_run_with_its_place(here):
    with pytest.raises(TeacherError, match=r"test_custom.py, line \d+, in fails: KeyError: 'choices'.*are kept"):
        si.generate("run", 1, teacher=failing(KeyError("choices"), 1), progress=False)
    assert si.generate("run", 1, teacher=failing(None, 0), progress=False).status().tasks == 1


def test_what_it_gives_must_be_an_answer(here):
    async def gives(request):
        return {"text": "1. Name a lake."}

    with pytest.raises(TeacherError, match="it must return a str or a Completion"):
        si.generate("run", 1, teacher=gives, progress=False)


def test_a_class_is_made_once_for_each_model_and_closed(here):
    made = []

    class Client:
        def __init__(self, teacher):
            self.model, self.closed = teacher.model, False
            made.append(self)

        async def __call__(self, request):
            text = "1. Name a lake in Italy." if request.stage == "propose" else "No"
            return "Example 1\nOutput: Garda." if request.stage == "instances" else text

        async def close(self):
            self.closed = True

    run = si.generate("run", 1, teacher={"kind": Client, "model": "a"}, instances={"model": "b"}, progress=False)
    assert [(one.model, one.closed) for one in made] == [("a", True), ("b", True)]
    assert {one.model for one in run.status().usage} == {"a", "b"}


@pytest.mark.parametrize(
    "text", ['{"topic": "rivers"}', "rivers", '<think>Is {"topic": "lakes"} right? No.</think>{"topic": "rivers"}']
)
def test_a_field_of_an_answer_is_the_same_with_a_schema_and_without(text):
    assert Answer(Completion("", text, "stop"), "", "chat").field("topic") == "rivers"
