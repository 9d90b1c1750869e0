"""The page of a report: true sentences, safe names, and in a real browser that it works."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from helpers.commands import ferc_in, one_sentence
from helpers.runs import SMALL, TWO
from helpers.stored import K, N, make_run, predicting

from ferc_core import open_run
from ferc_core.results.report.verdict import verdict
from ferc_core.suite.cells import CLEAN

CHROMIUM = shutil.which("chromium")
try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None
browser_only = pytest.mark.skipif(
    not CHROMIUM or sync_playwright is None, reason="there is no playwright or no chromium"
)


def falling(trial, cell) -> np.ndarray:
    """Logits that are right on clean faces, on few under snow at 5, and always as sure."""
    right = np.arange(N) % 10 > (0 if cell == CLEAN else 6 if cell.corruption == "snow" else 2)
    scale = 3.0 if trial.loss == "ce" else 0.6
    return predicting(right) * scale + 0.01 * np.random.default_rng(N).normal(size=(N, K))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A run whose accuracy falls under snow while its confidence stays."""
    return make_run(tmp_path_factory.mktemp("run"), falling, calibrators=("temperature",))


@pytest.fixture(scope="module")
def page(path, tmp_path_factory):
    """Its report."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    open_run(path).report(out)
    return out


def test_the_verdict_is_made_from_the_numbers(path):
    falls, trusted, helped = verdict(open_run(path), 100)
    assert "falls most under snow: from 90.0 % to 30.0 % accuracy, by 60.0 points" in falls
    assert "least to be trusted under snow" in trusted
    low, high = map(float, re.search(r"\(([\d.]+) to ([\d.]+)\)", falls).groups())
    assert low < 60 < high
    assert "its soft ECE is" in helped


def test_nothing_is_claimed_whose_interval_holds_0(tmp_path):
    """The same predictions in every cell, right as often as they are sure."""
    right = np.arange(N) % 10 > 0

    def same(trial, cell):
        return predicting(right) * 1.5

    falls, trusted, *_ = verdict(open_run(make_run(tmp_path, same)), 100)
    assert falls.endswith("loses no accuracy with certainty under any corruption.")
    assert trusted == "Its confidence is nowhere above its accuracy with certainty."


def test_every_dataset_has_a_verdict_of_its_own(path, tmp_path):
    other = make_run(tmp_path / "other", falling, dataset="others", calibrators=("temperature",))
    said, alone = verdict(open_run(path, other), 100), verdict(open_run(other), 100)
    assert len(said) == 6
    assert [text.replace("others, ", "") for text in said[3:]] == alone


def test_the_page_asks_no_other_host_and_holds_no_faces(page):
    text = page.read_text()
    assert page.stat().st_size < 5_000_000
    markup = text.partition("<script")[0]
    assert not re.search(r"<(script|img|link|iframe)[^>]+(src|href)=", markup)
    assert "data:image" not in text


def test_names_are_text(tmp_path, ferc):
    folder = make_run(tmp_path / "run", losses=("<script>alert(1)</script>", "ce"))
    shown = ferc("report", folder, "--out", tmp_path / "r.html")
    assert shown.returncode == 0, shown.stderr
    text = (tmp_path / "r.html").read_text()
    assert "<script>alert(1)</script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_command_refuses_what_is_no_page_or_no_run(path, ferc, tmp_path):
    shown = ferc("report", path, "--out", tmp_path / "r.pdf")
    assert "the report is a .html file: use --out FILE.html" in one_sentence(shown, 2)
    (tmp_path / "empty").mkdir()
    shown = ferc("report", tmp_path / "empty", "--out", tmp_path / "r.html")
    assert "has no results yet" in one_sentence(shown, 1)
    shown = ferc("report", tmp_path / "missing", "--out", tmp_path / "r.html")
    assert "is not a run directory" in one_sentence(shown, 2)
    assert not (tmp_path / "r.html").exists()


def test_several_runs_stand_on_one_page(path, tmp_path, ferc):
    other = make_run(tmp_path / "other", calibrators=("temperature",))
    shown = ferc("report", path, other, "--out", tmp_path / "r.html")
    assert shown.returncode == 0, shown.stderr
    assert (tmp_path / "r.html").read_text().count("<dt>where</dt>") == 2


def test_a_chart_of_a_plugin_stands_in_the_report_if_it_says_how_to_read_it(path, ferc, tmp_path):
    (tmp_path / "own.py").write_text(
        "from ferc_core import Chart, hookimpl\n"
        "def draw(run):\n"
        "    import altair as alt\n"
        "    frame = run.means('severity', 'accuracy').frame\n"
        "    return alt.Chart(frame).mark_bar().encode(x='severity:O', y='accuracy')\n"
        "def broken(run):\n"
        "    return 'no chart'\n"
        "@hookimpl\n"
        "def register_charts(register):\n"
        "    register(Chart('own', draw, title='My own', reading='Flat is <good>.'))\n"
        "    register(Chart('silent', draw, title='Silent'))\n"
        "    register(Chart('broken', broken, reading='It never is.'))\n"
    )
    out = tmp_path / "r.html"
    shown = ferc("report", path, "--out", out, "--plugin", tmp_path / "own.py")
    assert shown.returncode == 1  # the page is written without the chart that failed
    assert "chart broken" in shown.stderr
    text = out.read_text()
    assert '<section id="own"><h2>My own</h2>' in text
    assert "Flat is &lt;good&gt;." in text
    assert "Silent" not in text
    assert "It never is." not in text


def colours(style: str) -> dict[str, str]:
    """Return the variables of a block of the style sheet."""
    return dict(re.findall(r"--(\w+): (#\w{6})", style))


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    channels = np.array(list(bytes.fromhex(colour[1:]))) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_texts_have_the_contrast_of_wcag_aa_in_light_and_dark(page):
    style = page.read_text().partition("<style>")[2].partition("</style>")[0]
    light, dark = (colours(block) for block in re.findall(r":root \{[^}]*\}", style))
    for scheme in (light, dark):
        for text, ground in (("ink", "paper"), ("soft", "paper"), ("link", "paper"),
                             ("ink", "panel"), ("ink", "mark")):  # fmt: skip
            low, high = sorted(luminance(scheme[name]) for name in (text, ground))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


@pytest.fixture(scope="module")
def toy_page(tmp_path_factory):
    """The report of two runs on toy faces, with a leaderboard and faces."""
    home = tmp_path_factory.mktemp("toy")
    ferc = ferc_in(home)
    for name, epochs in (("one", 4), ("two", 8)):
        done = ferc("run", *SMALL, *TWO, "--epochs", epochs, "--out", name, "--quiet")
        assert done.returncode == 0, done.stderr
    assert ferc("report", "one", "two", "--quiet").returncode == 0
    return home / "report.html"


@contextmanager
def browsing(page, width=1400, scheme="light"):
    """Open a page offline; afterwards there must have been no error, and no other request."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        view, wrong, asked = context.new_page(), [], []
        view.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        view.on("pageerror", lambda error: wrong.append(str(error)))
        view.on("request", lambda request: asked.append(request.url))
        view.goto(f"file://{page}")
        yield view
        assert wrong == []
        assert [url for url in asked if not url.startswith("data:")] == [f"file://{page}"]
        browser.close()


@browser_only
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
def test_every_chart_is_drawn_and_choosers_and_tables_work(page, width, scheme):
    with browsing(page, width, scheme) as view:
        for place in view.query_selector_all(".chart"):
            place.scroll_into_view_if_needed()
            view.wait_for_function("place => place.dataset.drawn", arg=place)
            assert view.evaluate("place => place.querySelector('svg') !== null", place)
            assert place.get_attribute("aria-label")
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        view.select_option("select[data-chart=heatmap][data-place='0']", label="soft ECE")
        view.wait_for_selector("#heatmap .chart[data-drawn=heatmap-1-0]")
        view.select_option("select[data-chart=heatmap][data-place='1']", label="baseline focal")
        view.wait_for_selector("#heatmap .chart[data-drawn=heatmap-1-2]")
        view.select_option("select[data-chart=severity][data-place='1']", label="snow")
        view.wait_for_selector("#severity .chart[data-drawn=severity-0-1]")
        view.click("#severity summary")
        view.wait_for_selector("#severity .numbers tr")  # written after the click, by an event
        assert view.locator("#severity .numbers tr").count() > 5
        view.click("#scores th:nth-child(4) button")
        column = view.locator("#scores tbody td:nth-child(4)").all_text_contents()
        assert column == sorted(column, key=lambda text: float(text.split()[0]))
        assert view.get_attribute("#scores th:nth-child(4)", "aria-sort") == "ascending"


@browser_only
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (400, "dark")])
def test_every_section_is_seen(toy_page, width, scheme):
    """Where FERC_SCREENSHOTS names a folder, an image of each section is kept there."""
    folder = os.environ.get("FERC_SCREENSHOTS")
    with browsing(toy_page, width, scheme) as view:
        view.wait_for_function(
            "[...document.querySelectorAll('.chart')].every((p) => p.dataset.drawn)"
        )
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        sections = [each.get_attribute("id") for each in view.query_selector_all("main section")]
        assert {"verdict", "scores", "leaderboard", "faces", "judged", "glossary"} < set(sections)
        for name in sections:
            section = view.locator(f"section#{name}")
            assert section.bounding_box()["height"] > 80
            if folder:
                section.screenshot(path=f"{folder}/{name}-{width}-{scheme}.png")
        assert view.evaluate("[...document.images].every((i) => i.naturalWidth > 0 && i.alt)")
        view.select_option("#failed", index=1)
        assert view.locator(".failed").nth(0).is_hidden()
        assert view.locator(".failed").nth(1).is_visible()


@browser_only
def test_the_keyboard_reaches_the_verdict_and_sorts_a_table(toy_page):
    with browsing(toy_page) as view:
        view.keyboard.press("Tab")
        assert view.evaluate("document.activeElement.textContent") == "Skip to the verdict"
        view.keyboard.press("Enter")
        assert view.url.endswith("#verdict")
        view.locator("#leaderboard th button").first.focus()
        view.keyboard.press("Enter")
        assert view.get_attribute("#leaderboard th", "aria-sort") == "ascending"


@browser_only
def test_a_dark_page_is_printed_on_white_with_all_of_its_charts(toy_page, tmp_path):
    with browsing(toy_page, scheme="dark") as view:
        view.wait_for_function(
            "[...document.querySelectorAll('.chart')].every((p) => p.dataset.drawn)"
        )
        assert luminance_of_page(view) < 0.1
        view.emulate_media(media="print")
        view.wait_for_timeout(1500)  # charts are drawn again
        assert luminance_of_page(view) > 0.9
        view.pdf(path=tmp_path / "r.pdf")
        assert (tmp_path / "r.pdf").stat().st_size > 50_000


def luminance_of_page(view) -> float:
    """Return how bright what a browser shows is, the median of its pixels."""
    image = cv2.imdecode(np.frombuffer(view.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    return float(np.median(image)) / 255
