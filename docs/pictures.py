"""The picture of the audit in README and tutorial: `python docs/pictures.py` takes it again, in Chromium.

A run of the simulated teacher is served, and the page of its least similar rejected candidate is photographed down to
the verdicts of the filters. Needs chromium; nothing of this is needed to build the site.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parent / "audit.png"
LIST = "/list?kind=candidate&stage=novelty&reason=too_similar&sort=similar"
COMMAND = [sys.executable, "-m", "selfinstruct"]


def main() -> None:
    """Grow a run, serve it, and write the picture."""
    with TemporaryDirectory() as folder:
        run = "outputs/first"
        subprocess.run([*COMMAND, "generate", run, "--target", "300", "--seed", "3"], check=True, cwd=folder)
        with subprocess.Popen([*COMMAND, "audit", run], stdout=subprocess.PIPE, text=True, cwd=folder) as serving:
            try:
                assert serving.stdout
                url = next(found.group() for line in serving.stdout if (found := re.search(r"http://\S+", line)))
                take(url)
            finally:
                serving.terminate()


def take(url: str) -> None:
    """Photograph the page behind the last row of LIST, without the part below the filters."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 900, "height": 1000})
        page.goto(url)
        page.goto(url.partition("/?")[0] + LIST)
        page.locator("a[href*='/one/candidate/']").last.click()
        below = page.get_by_role("heading", name="Answer", exact=True).bounding_box()
        assert below
        size = {"x": 0, "y": 0, "width": 900, "height": below["y"] - 22}
        page.screenshot(path=PICTURE, clip=size, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
