"""What custom parts do wrong: refused where it is named or returned; nothing of it is stored, paid twice or lost."""

import asyncio
import gc
import os
import re
import sqlite3
import subprocess
import sys
import threading
import warnings
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import selfinstruct as si
from selfinstruct.audit.verdicts import RunFilters
from selfinstruct.errors import TeacherError, TryAgain, UsageError, YieldCollapsed
from selfinstruct.extending import (
    Candidate,
    Completion,
    Counted,
    Instance,
    ParsedInstance,
    Proposal,
    Rejection,
    SelfInstruct,
    Stage,
)
from selfinstruct.pool.pool import Pool
from selfinstruct.records import Request
from selfinstruct.store import generations
from selfinstruct.store.store import Store
from selfinstruct.teachers.kinds import Kind
from selfinstruct.teachers.kinds._custom import CustomTeacher
from selfinstruct.teachers.pacing import Pace
from selfinstruct.teachers.scheduler import Scheduler
from selfinstruct.testing import ScriptedTeacher
from tests.conftest import FEW_SEEDS, run_cli
from tests.virtual_time import play, settle

ANSWERS = {"propose": "1. Name a lake in Italy.", "classify": "No", "instances": "Example 1\nOutput: Garda."}


async def good(request):
    return ANSWERS[request.stage]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # loading a file adds its folder


def grow(folder="run", target=1, **settings):
    return si.generate(folder, target, progress=False, **{"teacher": good, "seeds": FEW_SEEDS, **settings})


# Teachers.


def closure(text):
    async def teacher(request):
        return text

    return teacher


def test_two_teachers_of_one_name_are_refused():
    """Else one of them would be asked in the place of the other."""
    with pytest.raises(UsageError, match=r"two teachers called .*:teacher; rename one of them"):
        grow(teacher=closure("a"), instances={"kind": closure("b")})
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "t.py").write_text(f"def ask(request):\n    return {ANSWERS!r}[request.stage]\n")
    with pytest.raises(UsageError, match=r"two teachers called t\.py:ask"):
        grow(teacher="a/t.py:ask", instances={"kind": "b/t.py:ask"})
    assert grow(teacher="a/t.py:ask", instances={"kind": "a/t.py:ask"}).status().tasks == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": None}, {"text": b"x"}, {"raw": {}}, {"finish_reason": None}, {"prompt_tokens": -1},
        {"prompt_tokens": 2**70},
        {"completion_tokens": "9"}, {"completion_tokens": True}, {"cost_usd": "1"}, {"cost_usd": float("inf")},
        {"cost_usd": -1}, {"logprobs": {0.1}}, {"logprobs": (object(),)}, {"error": 5},
    ],
    ids=lambda wrong: next(iter(wrong)),
)  # fmt: skip
def test_a_completion_that_could_not_be_stored_is_refused_by_its_field(wrong):
    async def odd(request):
        return replace(Completion(request.id, "1. Name a lake in Italy.", "stop"), **wrong)

    (field,) = wrong
    with pytest.raises(TeacherError, match=f"a Completion with {field} "):
        grow(teacher=odd)
    assert grow().status().tasks == 1


def test_texts_that_are_no_text_are_stored_as_they_can_be():
    async def odd(request):
        return Completion(request.id, ANSWERS[request.stage] + "\ud800", "st\udfffop")

    assert grow(teacher=odd).verify() == []


def test_an_answer_without_a_count_counts_with_its_most():
    """So a budget holds even for a teacher that reports nothing."""
    prices = {"good": {"input": 1.0, "output": 1.0}}
    with pytest.raises(si.BudgetReached):
        grow(target=50, prices=prices, max_tokens=6000)


def test_what_a_teacher_does_to_its_request_changes_nothing():
    async def changes(request):
        request.sampling["x"] = object()
        return ANSWERS[request.stage]

    assert grow(teacher=changes).verify() == []


def test_plain_functions_run_all_at_once():
    """As many as there are calls in flight, whatever the number of cores: each waits for all the others."""
    together = threading.Barrier(24)

    def waits(request):
        if request.stage == "propose":
            return "\n".join(
                f"{n}. Compare the {word} of lake {n} with a {word} elsewhere." for n, word in enumerate(WORDS)
            )
        if request.stage == "classify":
            together.wait()
        return ANSWERS[request.stage]

    run = grow(target=24, teacher=waits, concurrency=64, rouge_threshold=1.0, attempts=1)
    assert run.status().faults == 0


WORDS = [
    "depth",
    "width",
    "length",
    "colour",
    "taste",
    "smell",
    "age",
    "name",
    "owner",
    "price",
    "shape",
    "light",
    "sound",
    "weight",
    "mud",
    "fish",
    "birds",
    "boats",
    "storms",
    "ice",
    "shores",
    "bridges",
    "towns",
    "islands",
]


def runs_out():
    left = iter(["1. Name a lake in Italy."])

    def scripted(request):
        return next(left)

    return scripted


class Raises(Kind):
    default_model = "raises"

    async def open(self, teacher, base_url, session, stack):
        raise KeyError("no key")


class Unopened(Kind):
    default_model = "unopened"


class BadArguments(Kind):
    def __init__(self, required):
        pass


class NoSettings:
    def __init__(self):
        pass

    def __call__(self, request):
        return ""


def busy(request):
    raise TryAgain("busy", "come back")


def wrong_arity():
    return "1. Name a lake."


def breaks(request):
    return request.prompt


@pytest.mark.parametrize(
    ("teacher", "says"),
    [
        (runs_out(), r"test_custom_mistakes.py, line \d+, in scripted: StopIteration"),
        (breaks, r"test_custom_mistakes.py, line \d+, in breaks: AttributeError"),
        (busy, r"Check what the teacher calls \(.*mistakes.py, line \d+\), then run the same command"),
        (wrong_arity, "takes 0 positional arguments"),
        (Raises(), r"test_custom_mistakes.py, line \d+, in open: KeyError: 'no key'"),
        (Unopened, "NotImplementedError"),
        (BadArguments, r"mistakes.py, line \d+: The class BadArguments must have def __init__\(self\);"),
        (NoSettings, r"mistakes.py, line \d+: The class NoSettings must have def __init__\(self, teacher\);"),
        (object, "is not a teacher: it must be a function or a class with __call__"),
    ],
)  # fmt: skip
def test_a_teacher_that_fails_is_one_message(teacher, says):
    with pytest.raises((TeacherError, UsageError), match=says):
        grow(teacher=teacher, attempts=1)


async def never_stops(request):
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)


async def stops_for_nothing(request):
    for _ in range(50):  # without an end it would still be going round when Python frees it
        with suppress(BaseException):
            await asyncio.sleep(3600)


def never_returns(request):
    threading.Event().wait()


NEVER = [never_stops, stops_for_nothing, never_returns]


@pytest.fixture
def frees_its_coroutines():
    """Freed while a later test's loop is running, stops_for_nothing would sleep again, which Python complains of."""
    yield
    gc.collect()


def asked(teacher, faults):
    """The scheduler's answer to a request to this teacher, each of whose calls may take a minute."""
    scheduler = Scheduler(4, 2, lambda request, attempt, fault: faults.append(str(fault)) or attempt)
    request = Request("propose", "custom", "m", "chat", "", "Name a lake.", {})
    return scheduler.complete((CustomTeacher(teacher, Pace(4, 60.0), {}),), request, lambda: True)


@pytest.mark.usefixtures("frees_its_coroutines")
@pytest.mark.parametrize("teacher", NEVER)
def test_a_teacher_that_never_ends_fails_at_its_deadline(teacher):
    faults = []
    with pytest.raises(TeacherError, match="has not answered at all"):
        play(asked(teacher, faults))  # the loop ends, too
    assert len(faults) == 2
    for fault in faults:
        assert fault.startswith("deadline: no complete answer within 60 s")
        if teacher is not never_returns:
            assert re.search(r"s; .*test_custom_mistakes\.py, line \d+: the teacher did not stop when it was", fault)


@pytest.mark.usefixtures("frees_its_coroutines")
@pytest.mark.parametrize("teacher", NEVER)
def test_a_teacher_that_never_ends_does_not_hold_up_a_run_that_is_stopped_at_once(teacher):
    async def scene():
        call = asyncio.ensure_future(asked(teacher, []))
        await settle()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

    play(scene())


def test_closing_may_be_plain():
    closed = []

    class Plain:
        def __init__(self, teacher):
            pass

        def __call__(self, request):
            return ANSWERS[request.stage]

        def close(self):
            closed.append(True)

    assert grow(teacher=Plain).status().tasks == 1
    assert closed == [True]


# Strategies.


def asking(**changes):
    """A strategy whose class has these attributes."""
    return type("Mine", (SelfInstruct,), changes)


PROPOSE, CLASSIFY, INSTANCES = SelfInstruct.stages
UNNAMED = Stage("", PROPOSE.prompts, PROPOSE.sampling)


def counting(key):
    """A stage that counts its field under this key."""
    counted = Counted("good", key, "good", "good tasks", ("good", "not good", "of unknown worth"))
    return replace(CLASSIFY, name="grade", counts=counted)


def with_prompt(**changes):
    """The first stage with changes to its prompt."""
    return replace(PROPOSE, prompts=(PROPOSE.prompts[0]._replace(**changes),))


@pytest.mark.parametrize(
    ("declares", "says"),
    [
        ({"stages": PROPOSE}, "stages must be a tuple"),
        ({"stages": iter([PROPOSE])}, "stages must be a tuple"),
        ({"stages": ()}, "at least one Stage"),
        ({"stages": (PROPOSE, PROPOSE)}, "a stage cannot be called propose: the name is taken"),
        ({"stages": (replace(PROPOSE, name="probe"),)}, "a stage cannot be called probe"),
        ({"stages": (replace(PROPOSE, name="novelty"),)}, "a stage cannot be called novelty"),
        ({"stages": (replace(PROPOSE, name="running"),)}, "a stage cannot be called running"),
        ({"stages": (UNNAMED,)}, "stages.0.name"),
        ({"stages": (replace(PROPOSE, name=None),)}, "stages.0.name"),
        ({"stages": (replace(PROPOSE, prompts=PROPOSE.prompts[0]),)}, "prompts must be a tuple of at least one Prompt"),
        ({"stages": (replace(PROPOSE, asks_for=None),)}, "asks_for"),
        ({"defaults": None}, "defaults must be a mapping"),
        ({"reasons": ["no_rhyme"]}, "reasons must be a mapping"),
        ({"reasons": {"no_rhyme": 5}}, "reasons.no_rhyme"),
        ({"summary": None}, "summary must be a str"),
        ({"summary": "x" * 1001}, "summary"),
        ({"stages": (with_prompt(shows="topik"),)}, "prompt propose: shows is 'topik', which is no variable of its"),
        ({"stages": (with_prompt(samples=({}, {})),)}, "prompt propose: samples must be a function of n that"),
        ({"reasons": {"too_short": "x"}}, "reasons: too_short is the reason of a filter; rename yours"),
        ({"generate_instance": SelfInstruct.generate_instances}, "nothing calls generate_instance; if it is meant to"),
        ({"proposes": SelfInstruct.propose}, "nothing calls proposes; if it is meant to replace propose, rename it"),
        ({"stages": (PROPOSE, counting("tasks"))}, "stage grade cannot count as 'tasks': status --json has a field of"),
        ({"stages": (PROPOSE, counting("diversity"))}, "stage grade cannot count as 'diversity'"),
        ({"stages": (*SelfInstruct.stages, counting("classification"))}, "cannot count as 'classification': stage"),
    ],
)  # fmt: skip
def test_what_a_strategy_declares_is_checked_before_a_run_is_made(declares, says):
    with pytest.raises(UsageError, match=says):
        grow(strategy=asking(**declares))
    assert not Path("run").exists()


def proposing(give):
    async def propose(self, snapshot, rng, ask):
        answer = await ask(PROPOSE, "propose", rng.getrandbits(63), demonstrations=["Name a sea."], n_new=1)
        return give(answer.completion.request_id)

    return asking(propose=propose)


def without_a_number(request):
    return Candidate(request, 0, "Name a lake.", extra={"n": float("nan")})


def generating(give):
    async def generate_instances(self, task, ask):
        generated = await SelfInstruct.generate_instances(self, task, ask)
        return give(generated)

    return asking(generate_instances=generate_instances)


@pytest.mark.parametrize(
    ("strategy", "says"),
    [
        (proposing(lambda request: None), "returned None; it must return a Proposal"),
        (proposing(lambda request: Proposal(None, [])), "instead of a list"),
        (proposing(lambda request: Proposal([Candidate(request, 0, None)], [])), "instead of text"),
        (proposing(lambda request: Proposal([Candidate("other", 0, "Name a lake.")], [])), "which it did not make"),
        (proposing(lambda request: Proposal(["Name a lake."], [])), "it must return a Candidate"),
        (proposing(lambda request: Proposal([], [(request, "no_list")])), "it must return a Rejection"),
        (proposing(lambda request: Proposal([], [(request, Rejection("no_lst", {}))])), "did you mean no_list"),
        (proposing(lambda request: Proposal([], [("x", Rejection("no_list", {}))])), "which it did not make"),
        (proposing(lambda request: Proposal([without_a_number(request)], [])), "extra must contain only JSON values"),
        (generating(lambda g: None), "it must return a GeneratedInstances"),
        (generating(lambda g: replace(g, instances=[Instance("", "Garda.")])), "it must return a ParsedInstance"),
        (generating(lambda g: replace(g, instances=[ParsedInstance("", None, False)])), "instead of text"),
        (generating(lambda g: replace(g, extra={"n": {1}})), "extra must contain only JSON values"),
        (generating(lambda g: replace(g, request_id="other")), "which it did not make"),
    ],
)  # fmt: skip
def test_what_a_strategy_returns_is_checked_before_it_is_stored(strategy, says):
    with pytest.raises(UsageError, match=says):
        grow(strategy=strategy)
    assert si.Run("run").verify() == []


@pytest.mark.parametrize(
    ("stage", "prompt", "number", "says"),
    [
        (replace(PROPOSE, name="other"), "propose", 1, "stage other, which is not among its stages: propose"),
        (PROPOSE, "classify", 1, "The stage propose has no prompt classify; choose one of: propose"),
        (PROPOSE, "propose", 2**63, "it must be from 0 to"),
        (PROPOSE, "propose", -1, "it must be from 0 to"),
        (PROPOSE, "propose", "1", "it must be from 0 to"),
    ],
)  # fmt: skip
def test_what_it_asks_is_checked(stage, prompt, number, says):
    async def propose(self, snapshot, rng, ask):
        return await ask(stage, prompt, number, demonstrations=["Name a sea."], n_new=1)

    with pytest.raises(UsageError, match=says):
        grow(strategy=asking(propose=propose))


def test_an_error_of_ask_cannot_be_swallowed():
    """A strategy that catches everything would go on when the run is to stop."""

    async def propose(self, snapshot, rng, ask):
        with suppress(Exception):
            await ask(PROPOSE, "propose", rng.getrandbits(63), demonstrations=["Name a sea."], n_new=1)
        return Proposal([], [])

    async def away(request):
        raise TeacherError("no more")

    with pytest.raises(TeacherError, match="no more"):
        grow(strategy=asking(propose=propose), teacher=away)


def test_steps_that_bring_nothing_end_a_run():
    async def nothing(self, snapshot, rng, ask):
        return Proposal([], [])

    with pytest.raises(YieldCollapsed):
        grow(strategy=asking(propose=nothing), collapse_after=40)


def test_a_strategy_that_asks_twice_in_a_step_is_filtered_again_to_the_same_bytes():
    async def propose(self, snapshot, rng, ask):
        found = []
        for _ in range(2):
            answer = await ask(
                PROPOSE, "propose", rng.getrandbits(63), demonstrations=snapshot.demonstrations(rng, 2, 1), n_new=8
            )
            found += (await SelfInstruct.propose(self, snapshot, rng, ask)).candidates
            found += [Candidate(answer.completion.request_id, 0, f"Say in a word: {answer.completion.text[:60]!r}.")]
        return Proposal(found, [])

    Mine = asking(propose=propose)
    run = si.generate("run", 12, strategy=Mine, progress=False)
    again = run.refilter("again", strategy=Mine)
    assert (again.folder / "records.jsonl").read_bytes() == (run.folder / "records.jsonl").read_bytes()


def test_a_step_without_anything_is_filtered_again():
    async def propose(self, snapshot, rng, ask):
        if rng.random() < 0.3:
            return Proposal([], [])
        return await SelfInstruct.propose(self, snapshot, rng, ask)

    Mine = asking(propose=propose)
    run = si.generate("run", 12, strategy=Mine, progress=False, seed=3)
    again = run.refilter("again", strategy=Mine)
    assert (again.folder / "records.jsonl").read_bytes() == (run.folder / "records.jsonl").read_bytes()


# Filters.


def rule(evidence, name="mine"):
    def check(task, pool):
        return None if evidence is None else si.reject(**evidence)

    check.__name__ = name
    return si.filter(stage="task", meaning="anything")(check)


@pytest.mark.parametrize("evidence", [{"n": float("nan")}, {"n": b"x"}, {"n": {1}}, {"n": object()}])
def test_evidence_that_is_no_json_is_refused(evidence):
    with pytest.raises(UsageError, match="The evidence of the filter mine is not JSON"):
        grow(filters=[rule(evidence)])


def test_every_mistake_of_a_custom_part_names_its_file_and_line():
    Path("parts.py").write_text(PARTS)
    with pytest.raises(UsageError, match=r"^parts\.py, line 6: The filter says_true returned True"):
        grow("first", filters=["parts.py:says_true"])
    with pytest.raises(UsageError, match=r"^parts\.py, line 11: The evidence of the filter says_set is not JSON"):
        grow("second", filters=["parts.py:says_set"])
    with pytest.raises(TeacherError, match=r"^parts\.py, line 16: The teacher returned 5"):
        grow(teacher="parts.py:says_number")
    with pytest.raises(TeacherError, match=r"^parts\.py, line 20: TypeError: takes_nothing\(\) takes 0 positional"):
        grow("other", teacher="parts.py:takes_nothing")
    with pytest.raises(UsageError, match=r"^parts\.py, line 25: The strategy Odd: propose returned 5"):
        grow("third", strategy="parts.py:Odd")
    with pytest.raises(UsageError, match=r"^parts\.py, line 29: The strategy parts.py:Bare: summary must be a str"):
        grow("fourth", strategy="parts.py:Bare")
    Path("declares.py").write_text(
        "import selfinstruct as si\n\n@si.filter(stage='tasks', meaning='x')\ndef f(): ...\n"
    )
    with pytest.raises(UsageError, match=r"^declares\.py, line 3: A filter's stage is 'tasks'"):
        grow("fifth", filters=["declares.py:f"])
    with pytest.raises(
        UsageError, match=r"^parts\.py, line 35: The stage classify has no prompt clasify; did you mean classify"
    ):
        grow("sixth", strategy="parts.py:Misspelt")
    with pytest.raises(
        UsageError, match=r"^parts\.py, line 41: .* no field 'is_class'; did you mean is_classification"
    ):
        grow("seventh", strategy="parts.py:Missing")


PARTS = """\
import selfinstruct as si
from selfinstruct.extending import SelfInstruct


# The line of a decorated function is that of its decorator.
@si.filter(stage="task", meaning="x")
def says_true(task, pool):
    return True


@si.filter(stage="task", meaning="x")
def says_set(task, pool):
    return si.reject(n={1})


async def says_number(request):
    return 5


def takes_nothing():
    return ""


class Odd(SelfInstruct):
    async def propose(self, snapshot, rng, ask):
        return 5


class Bare(SelfInstruct):
    summary = None


class Misspelt(SelfInstruct):
    async def generate_instances(self, task, ask):
        await ask(self.stages[1], "clasify", 1, instruction=task.instruction, demonstrations=[])


class Missing(SelfInstruct):
    async def generate_instances(self, task, ask):
        answer = await ask(self.stages[1], "classify", 1, instruction=task.instruction, again=False)
        answer.field("is_class")
"""


@pytest.mark.parametrize(
    "change",
    [
        "pool.tasks.append(task)",
        "pool.tasks.clear()",
        "pool.tasks[0] = task",
        "pool.index.add('Name a sea.')",
        "pool.admit(task)",
        "pool.add_record('x', 'y')",
        "pool.record_ids.append('x')",
        "pool.rules = None",
    ],
)
def test_a_filter_cannot_change_what_it_is_handed(change):
    namespace = {}
    exec(f"def mine(task, pool):\n    if pool.tasks: {change}", namespace)
    with pytest.raises(UsageError, match=r"in mine: (Type|Attribute)Error"):
        grow(target=2, teacher=several, filters=[si.filter(stage="task", meaning="x")(namespace["mine"])])
    assert si.Run("run").verify() == []


def test_what_a_filter_does_to_fields_stays_with_it():
    """Fields that stages brought are copies, for each filter anew."""

    class Graded(SelfInstruct):
        async def propose(self, snapshot, rng, ask):
            proposal = await super().propose(snapshot, rng, ask)
            return Proposal([replace(one, extra={"marks": [1]}) for one in proposal.candidates], proposal.unreadable)

    seen = []

    def spoils(subject, pool):
        seen.append(subject.extra["marks"] == [1] and all(task.extra == {"marks": [1]} for task in pool.tasks))
        subject.extra["marks"].append(2)
        for task in pool.tasks:
            task.extra["marks"].append(2)

    def spoils_messages(record, pool):
        spoils(record, pool)
        seen.append(len(record.messages) == 2)
        record.messages.clear()

    def again(record, pool):
        spoils_messages(record, pool)

    filters = [si.filter(stage="task", meaning="x")(spoils)]
    filters += [si.filter(stage="record", meaning="x")(one) for one in (spoils_messages, again)]
    run = grow(target=3, teacher=several, strategy=Graded, filters=filters)
    assert len(seen) > 9
    assert all(seen)
    assert {str(record["extra"]) for record in run.records()} == {"{'marks': [1]}"}
    assert {len(record["messages"]) for record in run.records()} == {2}


async def several(request):
    if request.stage == "propose":
        return "1. Name a lake in Italy.\n2. Add up all these prices.\n3. Write a poem about spring.\n"
    return ANSWERS[request.stage]


def test_a_filter_reads_the_pool_as_it_is():
    seen = []

    def reads(task, pool):
        tasks = [known.instruction for known in pool.tasks]
        near = pool.index.nearest(task.instruction, above=-1)
        seen.append((len(pool.tasks), pool.tasks[len(tasks) :], pool.known(near.index).instruction != "", len(tasks)))
        assert pool.nearest_record(task.instruction) is None
        assert len(pool.index) == len(pool.seeds) + len(tasks)
        assert isinstance(pool, Pool)

    grow(target=3, teacher=several, filters=[si.filter(stage="task", meaning="x")(reads)])
    assert [one for one in seen if one[0] < 3][:3] == [(0, [], True, 0), (1, [], True, 1), (2, [], True, 2)]


@pytest.mark.parametrize(
    "evidence", [{"nearest": "x"}, {"nearest": 5, "score": "high"}, {"line": "x", "by": "y"}, {"t": "\ud800"}]
)
def test_any_evidence_can_be_shown(evidence):
    with pytest.raises(YieldCollapsed):
        grow(filters=[rule(evidence)], collapse_after=20)
    done = run_cli("rejected", "run")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda: si.filter(stage="task", meaning="x" * 201)(good_filter), "meaning"),
        (lambda: si.filter(stage="task", meaning=None)(good_filter), "meaning"),
        (lambda: si.filter(good_filter, "x"), "needs arguments"),
        (lambda: si.filter(stage="task", meaning="x")(print), "decorates a function with a name, not print"),
        (lambda: si.filter(stage="task", meaning="x")(lambda task, pool: None), "function with a name, not"),
        (lambda: grow(filters=rule({}, "mine")), "filters is one filter, mine; it must be a list of filters"),
        (lambda: grow(filters=[good_filter]), r"test_custom_mistakes\.py, line \d+: good_filter is not a filter"),
        (lambda: grow(filters=[rule({}, "refusal")]), "the name refusal is already taken by a reason"),
        (lambda: grow(filters=[rule({}, "too_short")]), "two filters called too_short"),
    ],
)  # fmt: skip
def test_what_a_filter_declares_is_checked(declare, says):
    with pytest.raises(UsageError, match=says):
        declare()


def good_filter(task, pool):
    return None


def test_a_filter_is_known_by_its_own_name_wherever_it_is():
    Path("rules.py").write_text(
        "import selfinstruct as si\n"
        "def longer(n):\n"
        "    @si.filter(stage='task', meaning='has too many words')\n"
        "    def too_many_words(task, pool):\n"
        "        return si.reject(words=n) if len(task.instruction.split()) > n else None\n"
        "    return too_many_words\n"
        "max25 = longer(25)\n"
    )
    run = si.generate("run", 10, filters=["rules.py:max25"], progress=False)
    rejected = run.rejected(reason="too_many_words")
    assert rejected
    assert {row["explanation"] for row in rejected} == {"has too many words"}
    assert run.refilter("off", without=["too_many_words"]).rejected(reason="too_many_words") == []


def test_a_module_that_is_installed_is_named_with_dots(monkeypatch):
    Path("mypackage").mkdir()
    Path("mypackage/rules.py").write_text(
        "import selfinstruct as si\n@si.filter(stage='task', meaning='m')\ndef mine(task, pool):\n    return None\n"
    )
    monkeypatch.syspath_prepend(".")
    assert grow(filters=["mypackage.rules:mine"]).status().tasks == 1
    for name in ("builtins:print", "sys:exit", "json:dumps"):
        with pytest.raises(UsageError, match="is not a filter"):
            grow("other", filters=[name])


# Somebody else's folder.


def test_the_settings_file_of_a_run_loads_no_code():
    run = grow()
    Path("run/evil.py").write_text("open('executed', 'w')\n")
    for text in (
        '[filters]\ncustom = ["run/evil.py:x"]\n',
        'strategy = "run/evil.py:x"\n',
        '[teacher]\nkind = "run/evil.py:x"\n',
    ):
        Path("run/config.toml").write_text(text)
        done = run_cli("generate", "new", "--target", 3, "--config", "run/config.toml")
        assert done.returncode == 2
        assert "copy the file to another folder" in done.stderr
    with pytest.raises(UsageError, match="copy the file"):
        run.refilter("new", config="run/config.toml")
    assert not Path("executed").exists()
    assert not Path("new").exists()


def test_fields_that_stages_brought_steer_no_terminal():
    grow()
    with sqlite3.connect("run/run.db") as db:
        db.execute("UPDATE tasks SET extra = json_object('a' || char(27) || '[2J', char(27) || '[31mRED')")
    done = run_cli("status", "run")
    assert done.returncode == 0
    assert "RED" in done.stdout
    assert "\x1b" not in done.stdout


SHAPES = [
    ("config", '{"filters": {"custom": [["a"]]}}'), ("config", '{"filters": {"custom": [{"a": 1}]}}'),
    ("config", '{"filters": {"custom": 5}}'), ("config", '{"filters": []}'), ("config", '{"filters": null}'),
    ("config", '{"strategy": ["x"]}'), ("config", '{"strategy": {"x": 1}}'), ("config", "[]"), ("config", "no json"),
    ("custom", "no json"), ("custom", "[" * 100_000), ("custom", '{"filters": []}'),
    ("custom", '{"filters": {"x": []}}'),    ("custom", '{"filters": {"x": {"sha256": ["Z"]}}}'),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), SHAPES, ids=lambda text: text[:40])
def test_settings_of_any_shape_are_one_message(key, value):
    grow()
    with sqlite3.connect("run/run.db") as db:
        db.execute("INSERT OR REPLACE INTO run(key, value) VALUES (?, ?)", (key, value))
    for command in ("status", "tasks", "rejected", "verify", "report"):
        done = run_cli(command, "run")
        assert "Traceback" not in done.stderr
        if command == "verify" and done.returncode == 1:
            assert "damaged" in done.stdout
        else:
            assert done.returncode == 0 or (done.returncode == 2 and done.stderr.startswith("Error: "))


@pytest.mark.parametrize("extra", ["[1, 2]", '"q"', "5"])
def test_fields_of_any_shape_are_one_message(extra):
    grow()
    with sqlite3.connect("run/run.db") as db:
        db.execute("UPDATE candidates SET extra = ?", (extra,))
    for command in ("tasks", "verify", "status", "report"):
        done = run_cli(command, "run")
        assert "Traceback" not in done.stderr


def test_scripted_teachers_are_checked_like_others():
    teacher = ScriptedTeacher()
    teacher.enqueue(lambda request: Completion(request.id, "1. Name a lake.", "stop", prompt_tokens=-5), repeat=True)
    with pytest.raises(TeacherError, match="prompt_tokens -5"):
        grow(teacher=teacher)


def test_the_audit_shows_no_verdict_of_a_custom_filter_that_never_ran():
    run = grow(target=12, teacher=None, filters=[rule(None)], simulated={"forbidden_share": 0.5})
    rejected = run.rejected(reason="forbidden_word")
    with Store.read(Path("run")) as store:
        filters = RunFilters(store)
        for row, expected in ((rejected[0], False), (run.tasks()[0], True)):
            stored = generations.candidate(store, row["id"])
            verdicts, _ = filters.candidate(stored.candidate, 0)
            assert ("mine" in {verdict.name for verdict in verdicts}) == expected


def test_a_rejected_answer_about_a_task_names_the_task():
    async def teacher(request):
        return "I cannot help with that." if request.stage == "instances" else ANSWERS[request.stage]

    run = grow(teacher=teacher)
    rows = run.rejected(stage="instances")
    said = {(row["subject"], row["task"], row["instruction"]) for row in rows}
    assert said == {("completion", 0, "Name a lake in Italy.")}
    assert "\n  Task: Name a lake in Italy.\n  | I cannot" in run_cli("rejected", "run").stdout
    assert run.verify() == []


SCRIPT = """\
import sys
import selfinstruct as si
LIMIT = {limit}
NAMES = {{"b": {{1}}, "c": object()}}
def short(text):
    return len(text) < LIMIT
@si.filter(stage="task", meaning="m")
def brief(task, pool):
    return None if short(task.instruction) or NAMES is None else si.reject()
async def teacher(request):
    return {answers!r}[request.stage]
si.generate("run", int(sys.argv[1]), teacher=teacher, seeds={seeds!r}, filters=[brief], progress=False)
"""


def test_a_changed_constant_of_a_script_is_noticed_and_nothing_else_is():
    def run(limit):
        Path("script.py").write_text(SCRIPT.format(limit=limit, answers=ANSWERS, seeds=str(FEW_SEEDS)))
        done = subprocess.run(
            [sys.executable, "script.py", "1"], capture_output=True, text=True, check=True,
            env={**os.environ, "PYTHONPATH": str(Path(si.__file__).parents[1])},
        )  # fmt: skip
        return done.stderr

    assert run(200) == run(200) == ""
    assert "script.py:brief has changed since the last session" in run(100)


def test_a_part_is_the_same_by_its_name_and_imported(monkeypatch):
    Path("mine.py").write_text(FILTER_FILE)
    monkeypatch.syspath_prepend(".")
    from mine import brief

    grow(filters=["mine.py:brief"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grow(filters=[brief])


FILTER_FILE = """\
import selfinstruct as si
@si.filter(stage="task", meaning="m")
def brief(task, pool):
    return None
"""
