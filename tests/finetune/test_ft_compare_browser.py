"""A comparison judged in a real browser, by keyboard alone: chosen, taken back, gone on with, reported."""

import json
import signal
import subprocess

from tests.conftest import COMMAND
from tests.loopback import working

N = 4


def test_judged_by_keyboard_alone(tmp_path, browser):
    for side, word in (("a", "yes"), ("b", "no")):
        rows = [{"prompt": f"Question {n}?", "answer": f"{word} {n}\n" * 40} for n in range(N)]
        (tmp_path / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    arguments = [tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--prompts", tmp_path / "a.jsonl", "--out", tmp_path / "o"]
    command = [*COMMAND, "compare", *map(str, arguments), "--json"]
    with working(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stderr.readline()
        address = process.stderr.readline().strip()
        try:
            judge(browser.new_page(viewport={"width": 400, "height": 600}), address)
        finally:
            process.send_signal(signal.SIGINT)  # or a failure would wait for it
        said, errors = process.communicate()
    assert process.returncode == 0, errors
    (ada,) = json.loads(said)["outcomes"]
    assert (ada["wins"] + ada["losses"], ada["ties"], ada["both_bad"], ada["missing"]) == (2, 2, 1, 0)

    for scheme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 400, "height": 600}, color_scheme=scheme)
        complaints = watched(page)
        page.goto((tmp_path / "o/comparison.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        assert page.locator("td", has_text="ada").count()
        assert complaints == []


def watched(page) -> list[str]:
    """Whatever the browser complains about."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def shows(page, text: str) -> None:
    """Wait until the next page is there with this text, and with its script, which listens for keys."""
    page.get_by_text(text).wait_for()
    page.wait_for_load_state()


def judge(page, address: str) -> None:
    complaints = watched(page)
    page.on("request", lambda request: request.url.startswith("http://127.0.0.1:") or complaints.append(request.url))
    page.goto(address)
    page.keyboard.type("ada")
    page.keyboard.press("Enter")
    shows(page, f"0 of {N}")
    assert "token" not in page.url
    page.evaluate("scrollTo(0, 0)")
    box = page.locator(".choice").bounding_box()
    assert box["y"] + box["height"] <= 601, "the choice is in sight, however long the answers"
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    for width in (320, 400):
        page.set_viewport_size({"width": width, "height": 600})
        assert page.locator(".choice").bounding_box()["height"] < 110, "two rows"
        places = {b.get_attribute("value"): b.bounding_box() for b in page.locator(".choice button").all()}
        one, two, tie, bad, undo = (places[name] for name in ("first", "second", "tie", "bad", None))
        assert one["y"] == two["y"] < tie["y"] == bad["y"] == undo["y"]
        assert one["x"] < two["x"]
        spilled = "[...document.querySelectorAll('.choice button')].some((b) => b.scrollWidth > b.clientWidth)"
        assert not page.evaluate(spilled)

    page.keyboard.press("1")
    shows(page, f"1 of {N}")
    first = page.locator("[name=item]").input_value()
    page.keyboard.press("ArrowRight")
    shows(page, f"2 of {N}")
    page.keyboard.press("u")
    shows(page, f"1 of {N}")
    assert page.locator("[name=item]").input_value() == first
    # Without a letter key: the focus goes to the buttons, in the order in which they stand.
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.locator(":focus").get_attribute("value") == "first"
    page.keyboard.press("Enter")
    shows(page, f"2 of {N}")
    page.keyboard.press("t")
    shows(page, f"3 of {N}")
    page.goto(page.url.partition("item")[0])
    page.get_by_role("button", name="ada").press("Enter")
    shows(page, f"3 of {N}")
    page.keyboard.press("b")
    shows(page, "Done")
    assert complaints == []
