"""Draw the images of docs/report.md from a finished run on toy faces, with Debian's Chromium.

ferc run --out overview-run
python docs/make_report_images.py overview-run
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
from playwright.sync_api import sync_playwright

from ferc_core import open_run

IMAGES = Path(__file__).parent / "images"
SECTIONS = ("leaderboard", "severity", "reliability", "faces")
CHROMIUM = "/usr/bin/chromium"
WIDTH, HEIGHT = 1000, 820  # of the window, and of an image at most


def main(run: Path) -> None:
    """Draw the top of the page, and some of its sections."""
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        page = Path(scratch) / "report.html"
        open_run(run).report(page)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        view.goto(page.as_uri())
        view.wait_for_function(
            "[...document.querySelectorAll('.chart')].every((p) => p.dataset.drawn)"
        )
        view.screenshot(path=IMAGES / "report.png")
        for name in SECTIONS:
            path = IMAGES / f"report-{name}.png"
            view.locator(f"section#{name}").screenshot(path=path)
            cv2.imwrite(str(path), cv2.imread(str(path))[:HEIGHT])
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
