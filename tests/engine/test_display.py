"""What a run says of itself while it works."""

import asyncio

from rich.console import Console

from selfinstruct.engine.display import _panel, line
from selfinstruct.engine.progress import Progress
from selfinstruct.errors import TryAgain
from selfinstruct.runs import generate as generating
from selfinstruct.runs.run import open_run
from selfinstruct.teachers.scheduler import Scheduler
from tests.loopback import HANG_S

NO_CONNECTION = TryAgain("connection", "Cannot connect to host gpu:8000 [Connect call failed\n\x1b[2J] " + "x" * 500)


def shown(progress):
    """What a plain line, a notebook and a terminal say."""

    async def both():
        scheduler = Scheduler(1, 3, lambda *fault: 1)
        console = Console(width=200)
        with console.capture() as captured:
            console.print(_panel(progress, scheduler, None))
        return line(progress, scheduler, None), captured.get()

    return asyncio.run(both())


def test_tokens_that_no_teacher_reports_are_not_shown_as_none():
    assert all("tokens not reported" in said for said in shown(Progress(target=5, calls=3)))
    assert all("0 tokens" in said for said in shown(Progress(target=5)))


def test_the_reason_why_calls_fail_is_shown_while_they_do():
    progress = Progress(target=5)
    progress.count_fault(TryAgain("http_500", "busy"))
    for _ in range(3):
        progress.count_fault(NO_CONNECTION)
    for said in shown(progress):
        assert "4 attempts failed, the latest 3 of them: connection: Cannot connect to host gpu:8000 [Connect " in said
        assert "\x1b" not in said
        assert "x" * 90 not in said
    progress.failing = None
    for said in shown(progress):
        assert "4 attempts failed" in said
        assert "connection" not in said


def test_an_answer_ends_it(tmp_path, monkeypatch):
    progress = Progress()
    monkeypatch.setattr(generating, "progress_of", lambda store: progress)
    seen = []

    async def teacher(request):
        seen.append((progress.failing and progress.failing.reason, progress.failing_times))
        if len(seen) < 3:
            raise TryAgain("http_503", "loading")
        return "1. Name a lake in Italy."

    run = open_run(tmp_path / "run", None, {"teacher": {"kind": teacher}}, None)

    async def grow():
        async with asyncio.timeout(HANG_S):
            await generating.generate(run, 1, show=False)

    with run.store:
        asyncio.run(grow())
    assert seen[:3] == [(None, 0), ("http_503", 1), ("http_503", 2)]
    assert progress.failing is None
    assert progress.faults == 2
