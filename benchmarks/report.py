"""How long ``ferc report`` takes, and how long its page takes to open.

    python benchmarks/report.py [--dir DIR]

The run has 20 trials, ten linear models in NumPy with two seeds each, in all 86 cells of 800 toy
faces; it is made first (some minutes), or taken from DIR where it is finished. The page is opened
by Chromium, by playwright, three times.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

EXAMPLE = Path(__file__).parent.parent / "examples" / "my_method.py"
PLUGIN = """
import importlib.util
from functools import partial

spec = importlib.util.spec_from_file_location("my_method", {example!r})
my_method = importlib.util.module_from_spec(spec)
spec.loader.exec_module(my_method)
from ferc_core import Method, hookimpl


def fit(task, step):
    my_method.STEP = step
    return my_method.fit(task)


@hookimpl
def register_methods(register):
    for i in range(10):
        found = partial(fit, step=0.02 * (i + 1))
        register(Method(f"linear{{i}}", found, load=my_method.load, summary="Linear, in NumPy."))
"""


def make(folder: Path) -> None:
    """Make the run."""
    plugin = folder.parent / "linear.py"
    plugin.write_text(PLUGIN.format(example=str(EXAMPLE)), encoding="utf-8")
    methods = [part for i in range(10) for part in ("--method", f"linear{i}")]
    command = ["ferc", "run", "--plugin", str(plugin), *methods, "--loss", "ce"]
    subprocess.run(
        [*command, "--seed", "0", "--seed", "1", "--out", str(folder), "--quiet"], check=True
    )


def opened(page: Path) -> float:
    """Return the seconds until the first chart of a page is drawn."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        tab = browser.new_page()
        begun = time.perf_counter()
        tab.goto(page.resolve().as_uri())
        tab.wait_for_selector(".chart[data-drawn]")
        taken = time.perf_counter() - begun
        browser.close()
    return taken


def main() -> None:
    """Print the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="a finished run, or where to make it")
    given = parser.parse_args().dir
    with tempfile.TemporaryDirectory() as scratch:
        folder = given or Path(scratch) / "run"
        if not (folder / "results.parquet").exists():
            make(folder)
        page = Path(scratch) / "report.html"
        begun = time.perf_counter()
        subprocess.run(["ferc", "report", str(folder), "--out", str(page), "--quiet"], check=True)
        print(f"ferc report  {time.perf_counter() - begun:5.1f} s")
        print(f"the page     {page.stat().st_size / 1e6:5.2f} MB")
        try:
            print(f"opened in    {median(opened(page) for _ in range(3)):5.2f} s")
        except ImportError:
            print("not opened: pip install playwright", file=sys.stderr)


if __name__ == "__main__":
    main()
