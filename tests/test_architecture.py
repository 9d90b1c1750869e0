"""What the project promises about itself."""

from __future__ import annotations

import inspect
import re
import tomllib

import pytest
from helpers.commands import REPOSITORY

import ferc_core
from ferc_core.plugins import hooks as hookspecs
from ferc_core.plugins.host import KINDS

PACKAGES = ("core", "corruptions", "metrics", "models")


def test_every_hook_stands_in_the_documentation_with_its_signature():
    text = (REPOSITORY / "docs" / "plugins.md").read_text()
    for kind, entry in KINDS.items():
        hook = getattr(hookspecs, f"register_{kind}")
        signature = f"{hook.__name__}({', '.join(inspect.signature(hook).parameters)})"
        assert f"| `{signature}` | `{entry.__name__}` |" in text


def test_the_public_names_are_these():
    assert set(ferc_core.__all__) == {
        "Calibrator", "Corruption", "DatasetSource", "Executor", "FercError", "LabelScheme",
        "Loss", "Method", "Metric", "Predictor", "Reporter", "Visibility", "hookimpl", "registry",
    }  # fmt: skip
    assert all(hasattr(ferc_core, name) for name in ferc_core.__all__)


@pytest.mark.parametrize("package", PACKAGES)
def test_versions_agree(package):
    folder = REPOSITORY / f"ferc-{package}"
    declared = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["version"]
    source = (folder / "src" / f"ferc_{package}" / "__init__.py").read_text()
    assert f'__version__ = "{declared}"' in source


def test_every_entry_says_what_it_is_and_where_it_comes_from():
    for kind in KINDS:
        for entry in getattr(ferc_core.registry(), kind).values():
            assert entry.summary.endswith("."), entry
            assert entry.source, entry


def test_every_lazy_function_exists():
    for kind in KINDS:
        for entry in getattr(ferc_core.registry(), kind).values():
            assert callable(entry.loaded)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_they_declare(package):
    """Every top-level import of a package is its own, Python's, or a declared dependency."""
    import ast
    import itertools
    import sys
    from importlib import metadata

    folder = REPOSITORY / f"ferc-{package}"
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"]]
    declared += itertools.chain(*project.get("optional-dependencies", {}).values())
    names = {re.match(r"[\w-]+", d)[0].lower() for d in declared}
    ours = {f"ferc_{part}": [f"ferc-{part}"] for part in PACKAGES}  # not seen when editable
    providers = {**metadata.packages_distributions(), **ours}
    for path in folder.rglob("src/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                modules.append(node.module or "")
            for module in modules:
                top = module.partition(".")[0]
                if top in (*sys.stdlib_module_names, f"ferc_{package}"):
                    continue
                owners = {d.lower().replace("_", "-") for d in providers.get(top, ())}
                assert owners & names, f"{path.name} imports {module}"
