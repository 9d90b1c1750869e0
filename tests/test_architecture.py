"""What the project promises about itself."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from helpers.commands import REPOSITORY

import ferc_core
from ferc_core.plugins.hooks import SPECIFICATIONS, hook_name
from ferc_core.plugins.registry import KINDS

PACKAGES = ("core", "corruptions", "metrics", "models")
SOURCES = sorted(REPOSITORY.glob("ferc-*/src/**/*.py"))
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))


def test_every_hook_is_in_the_documentation_with_its_signature():
    text = (REPOSITORY / "docs" / "plugins.md").read_text(encoding="utf-8")
    for kind, entry in KINDS.items():
        hook = getattr(SPECIFICATIONS, hook_name(kind))
        signature = f"{hook_name(kind)}({', '.join(inspect.signature(hook).parameters)})"
        assert f"| `{signature}` | `{entry.__name__}` |" in text


def test_the_public_names_are_these():
    entries = {entry.__name__ for entry in KINDS.values()}
    assert entries < set(ferc_core.__all__)
    assert set(ferc_core.__all__) - entries == {
        "About", "Epoch", "Examples", "Face", "FaceSet", "FaceSplit", "FercError", "Predictor",
        "Task", "corrupt", "evaluate", "hookimpl", "open_dataset", "open_run", "registry", "run",
        "score",
    }  # fmt: skip
    assert set(ferc_core.__all__) <= set(dir(ferc_core))
    for name in ferc_core.__all__:
        assert getattr(ferc_core, name).__doc__


@pytest.mark.parametrize("package", PACKAGES)
def test_versions_agree(package):
    folder = REPOSITORY / f"ferc-{package}"
    declared = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
    source = (folder / "src" / f"ferc_{package}" / "__init__.py").read_text()
    assert f'__version__ = "{declared}"' in source


def test_every_entry_has_a_summary_a_source_and_a_function_that_exists():
    for kind in KINDS:
        for entry in getattr(ferc_core.registry(), kind).values():
            assert entry.summary.endswith("."), entry
            assert entry.source, entry
            assert callable(entry.loaded), entry


def test_every_folder_of_the_source_says_what_it_holds():
    for folder in {path.parent for path in SOURCES}:
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), folder


def test_the_tests_mirror_the_rooms_of_the_core():
    core = REPOSITORY / "ferc-core" / "src" / "ferc_core"
    rooms = {path.parent.name for path in core.glob("*/__init__.py")}
    assert rooms <= {path.parent.name for path in TESTS}


def test_no_file_is_longer_than_400_lines():
    long = [path.name for path in (*SOURCES, *TESTS) if len(path.read_text().splitlines()) > 400]
    assert not long


def test_no_test_imports_from_another_test_file():
    names = {path.stem for path in TESTS if path.stem.startswith("test_")}
    for path in TESTS:
        assert not {name.partition(".")[0] for name in imported(path)} & names, path


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_they_declare(package):
    """Every top-level import of a package is its own, Python's, or a declared dependency."""
    folder = REPOSITORY / f"ferc-{package}"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"]]
    declared += itertools.chain(*project.get("optional-dependencies", {}).values())
    names = {re.match(r"[\w-]+", d)[0].lower() for d in declared}
    ours = {f"ferc_{part}": [f"ferc-{part}"] for part in PACKAGES}  # not seen when editable
    providers = {**metadata.packages_distributions(), **ours}
    for path in folder.rglob("src/**/*.py"):
        for module in imported(path):
            top = module.partition(".")[0]
            if top in (*sys.stdlib_module_names, f"ferc_{package}"):
                continue
            owners = {d.lower().replace("_", "-") for d in providers.get(top, ())}
            assert owners & names, f"{path.name} imports {module}"


def imported(path: Path) -> list[str]:
    """Return the modules that a file imports by their full names."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(node.module or "")
    return found


def test_the_core_imports_neither_numpy_nor_torch_and_shows_its_verbs():
    code = (
        "import sys, ferc_core\n"
        "heavy = {'numpy', 'polars', 'cv2', 'scipy', 'torch', 'pydantic', 'typer', 'rich'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert {'run', 'evaluate', 'score', 'FaceSet'} <= set(dir(ferc_core))\n"
        "import ferc_core.experiment.pipeline\n"
        "assert callable(ferc_core.run), 'no module may take the place of a verb'\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
