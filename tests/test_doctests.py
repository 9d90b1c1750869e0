"""The examples of the docstrings are true."""

from __future__ import annotations

import doctest
import importlib

import pytest
from helpers.commands import REPOSITORY, own_plugins

MODULES = [
    ".".join(path.relative_to(REPOSITORY).with_suffix("").parts[2:])
    for path in sorted(REPOSITORY.glob("ferc-*/src/**/*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_are_true(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with own_plugins():
        result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0
