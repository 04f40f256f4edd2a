"""The audit in a real browser, by keyboard and mouse: found, rescued, exported; banned; undone."""

import re
import subprocess

import pytest

from tests.conftest import COMMAND, json_lines, run_cli
from tests.loopback import working


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser") / "run"
    config = folder.parent / "run.toml"
    config.write_text("[simulated]\nrepeat_share = 0.2\nmalformed_share = 0.4\n")
    result = run_cli("generate", folder, "--target", 60, "--config", config, "--strategy", "alpaca")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def address(folder):
    with working([*COMMAND, "audit", str(folder)], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture
def page(address, browser):
    """A page of the audit, opened at the printed address; whatever the browser complains about fails the test."""
    page = browser.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: request.url.startswith("http://127.0.0.1:") or complaints.append(request.url))
    page.goto(address)
    yield page
    assert complaints == []


def exported(folder) -> list[dict]:
    assert run_cli("export", folder, "--format", "messages").returncode == 0
    return json_lines((folder / "records.jsonl").read_text())


def test_found_rescued_exported_banned_and_undone(page, folder):
    before = exported(folder)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]+/", page.url), "the token is gone from the address"
    assert page.context.cookies()[0]["httpOnly"]
    assert page.evaluate("document.cookie") == ""

    # Filter by reason, open one, rescue it: it is in the export.
    page.get_by_role("link", name="Generations").click()
    page.locator(".facets").get_by_role("link", name="too_similar").click()
    page.wait_for_url("**reason=too_similar**")
    page.keyboard.press("j")
    page.keyboard.press("j")
    instruction = page.locator("[data-row]:focus .open").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url("**/one/candidate/**")
    assert page.locator("mark").count() > 1
    assert page.locator(".state").first.inner_text() == "rejected"
    page.keyboard.press("r")
    page.wait_for_url("**done=*")
    assert page.locator("h1 .state").inner_text() == "rescued"
    after = exported(folder)
    assert [record["instruction"] for record in after[len(before) :]] == [instruction]

    # Undo: it is gone again.
    page.keyboard.press("u")
    page.locator(".flash", has_text="Undone").wait_for()
    assert exported(folder) == before

    # Ban the first record from the list, by keyboard; it is gone, and the focus is where it was.
    page.goto(page.url.partition("/one")[0] + "/list?kind=instance&state=admitted")
    page.keyboard.press("j")
    page.keyboard.press("b")
    page.wait_for_url("**done=*")
    assert page.locator("[data-row]:focus").get_attribute("id") == "r1"
    assert len(exported(folder)) == len(before) - 1
    page.get_by_role("button", name="Undo").click()
    page.locator(".flash", has_text="Undone").wait_for()
    assert exported(folder) == before


def test_selected_searched_and_edited(page, folder):
    records = exported(folder)
    page.keyboard.press("/")
    page.wait_for_url("**/list#search")
    word = max(re.findall(r"[A-Za-z]{5,}", records[5]["instruction"]), key=len)
    page.keyboard.type(word)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**q={word}**")
    assert word.lower() in page.locator(".rows").inner_text().lower()
    page.keyboard.press("Escape")

    # Two are selected and banned at once.
    page.goto(page.url.partition("?")[0] + "?kind=instance")
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    assert page.locator("[data-selected]").inner_text() == "2"
    page.keyboard.press("b")
    page.get_by_text("Banned: 2.").wait_for()
    page.wait_for_load_state()  # with the script that listens for keys
    assert len(exported(folder)) == len(records) - 2
    page.keyboard.press("u")
    page.locator(".flash", has_text="Undone: 2.").wait_for()

    # One is edited, and then the next one is opened.
    page.goto(page.url.partition("?")[0] + "?kind=instance")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/one/instance/**")
    name = page.url.partition("/one/instance/")[2].partition("?")[0]
    page.keyboard.press("e")
    page.locator("[name=output]").fill("What a person wrote.")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**done=*")
    assert {r["id"]: r["output"] for r in exported(folder)}[name] == "What a person wrote."
    page.keyboard.press("j")
    page.wait_for_url(lambda url: "/one/instance/" in url and name not in url)
    page.keyboard.press("?")
    assert page.locator("dialog#help").is_visible()
