"""The generated parts of the documentation are current: the table of settings, and the tree."""

from __future__ import annotations

import re

import pytest
from helpers.commands import REPOSITORY

from ferc_core.experiment.config import Config

DOCS = REPOSITORY / "docs"
PACKAGES = ("core", "corruptions", "metrics", "models")


@pytest.fixture
def scripts(monkeypatch):
    """Let the scripts of the documentation be imported."""
    monkeypatch.syspath_prepend(str(DOCS))


def test_the_table_of_settings_is_current_or_run_docs_make_settings(scripts):
    import make_settings

    page = make_settings.PAGE.read_text(encoding="utf-8")
    assert page == make_settings.filled(page, make_settings.table())


def test_the_tree_of_the_packages_is_current_or_run_docs_make_tree(scripts):
    import make_tree

    page = make_tree.PAGE.read_text(encoding="utf-8")
    assert page == make_tree.filled(page, make_tree.tree())


def test_every_setting_has_its_option_in_the_page():
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]*(?:\\\|[^|]*)*) \|", page, re.MULTILINE))
    assert list(rows) == list(Config.model_fields)
    assert rows["losses"] == "`--loss EXPR...`"
    assert rows["on_bad_image"] == r"`--on-bad-image fail\|skip`"
    assert [name for name, option in rows.items() if option == "-"] == ["build"]


def listed(page: str) -> set[str]:
    """Return the paths that the blocks of a page list, read off their indentation."""
    found: set[str] = set()
    for block in re.findall(r"^```text\n(ferc_.*?)^```", page, re.DOTALL | re.MULTILINE):
        above: list[str] = []
        for indent, name in re.findall(r"^((?:  ){0,2})(\w+(?:/|\.py)) ", block, re.MULTILINE):
            above[len(indent) // 2 :] = [name.rstrip("/")]
            found.add("/".join(above))
    return found


def test_every_module_stands_in_the_tree_and_nothing_else():
    found = listed((DOCS / "architecture.md").read_text(encoding="utf-8"))
    there = set()
    for package in PACKAGES:
        root = REPOSITORY / f"ferc-{package}" / "src"
        for path in root.rglob("*.py"):
            parts = path.relative_to(root).parts
            if parts[-1].startswith("__"):
                parts = parts[:-1]
            # deeper modules belong to the folder that is listed
            there.add("/".join(parts[: 3 if package == "core" else 2]))
    assert found == there


PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
SOURCES = [REPOSITORY / f"ferc-{package}" / "src" for package in PACKAGES]
ROOTS = [REPOSITORY, *SOURCES, SOURCES[0] / "ferc_core"]


def test_links_between_pages_lead_somewhere():
    links = [
        (page.parent / link)
        for page in PAGES
        for link in re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", page.read_text(encoding="utf-8"))
    ]
    assert len(links) > 40
    assert [link for link in links if not link.exists()] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md", "docs/plugins.md"])
def test_modules_and_folders_that_a_page_names_exist(page):
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    named = re.findall(r"`(\w[\w-]*/(?:[\w-]+/)*(?:\w+\.py)?)`", text)
    assert named
    assert [path for path in named if not any((root / path).exists() for root in ROOTS)] == []
