"""The pages over a run of votes: found by disagreement, decided, undone; hostile texts are shown and not obeyed."""

import re
import subprocess
from pathlib import Path

import pytest

import selfinstruct as si
from selfinstruct.errors import UsageError
from selfinstruct.records import Request
from selfinstruct.store.database import Database
from selfinstruct.store.decisions import decide
from selfinstruct.store.store import Store
from selfinstruct.store.verify import verify
from selfinstruct.testing import ScriptedTeacher
from tests.conftest import COMMAND, run_cli
from tests.loopback import working

HOSTILE = "<script>alert(1)</script> \u202e </td><img src=x onerror=alert(1)> {{ 7 * 7 }} fault or other"


def voted(folder: Path) -> None:
    def answer(request: Request) -> str:
        if "unclear" in request.user:
            return HOSTILE
        return "fault" if "broken" in request.user or request.model == "simulated b" else "other"

    teacher = ScriptedTeacher()
    teacher.enqueue(answer, repeat=True)
    texts = ["A lamp is broken.", "Thanks.", "It is unclear.", HOSTILE]
    rows = [{"id": f"r{n}", "text": text, "gold": "fault" if n == 0 else ""} for n, text in enumerate(texts)]
    task = {"ask": "label", "instruction": "Is it a fault?", "labels": ["fault", "other"]}
    models = [{"kind": teacher, "model": name} for name in ("simulated a", "simulated b")]
    si.annotate(folder, rows, task, id="id", gold="gold", teacher=models, progress=False)


@pytest.fixture
def folder(tmp_path) -> Path:
    voted(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def page(folder, browser):
    with working([*COMMAND, "audit", str(folder)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        page = browser.new_page()
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(process.stdout.readline().strip())
        yield page
        assert complaints == []
        process.terminate()


def test_a_disagreement_is_found_and_decided_and_the_decision_taken_back(page, folder):
    page.get_by_role("link", name="teachers disagree").click()
    assert page.locator(".rows > li").count() == 2
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/row/1")
    cells = page.locator("table.votes td").all_inner_texts()
    assert {"fault", "other"} <= set(cells)
    page.get_by_role("button", name="other").click()
    page.wait_for_url("**done=*")
    assert re.search(r"other +100.0% of 2|100.0% of 2", si.Annotations(folder).combine().render())
    page.get_by_role("button", name="Undo").click()
    page.wait_for_load_state()
    assert "of 1 (" in si.Annotations(folder).combine().render()

    page.goto(page.url.partition("/row")[0] + "/row/2")
    assert page.locator(".state.rejected").count() == 2
    assert HOSTILE[:25] in page.locator("table.votes").inner_text()
    page.get_by_role("link", name="Teachers").click()
    assert "simulated a (rows) and simulated b (columns)" in page.locator("main").inner_text()
    with Store.read(folder) as store:
        assert verify(store) == []


def test_only_rows_have_gold_answers_and_nothing_else(folder, tmp_path):
    si.generate(tmp_path / "grown", 2, progress=False)
    with Database.beside(folder) as run:
        with pytest.raises(UsageError, match="A row has a gold answer"):
            decide(run, "ada", "ban", [("row", '"r0"')])
        with pytest.raises(UsageError, match="There is no row"):
            decide(run, "ada", "gold", [("row", '"r9"')], {"gold": "fault"})
        assert decide(run, "ada", "gold", [("row", '"r1"')], {"gold": "other"}) == 1
    assert run_cli("verify", folder).returncode == 0
