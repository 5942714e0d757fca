"""The examples in docstrings are true.

`--doctest-modules` would import and search every module of the product and of the tests: a third of the collection.
"""

from __future__ import annotations

import doctest
import importlib

import pytest
from support.source_tree import MODULES

WITH_EXAMPLES = [module for module, path in MODULES.items() if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_in_docstrings_are_true(module: str) -> None:
    outcome = doctest.testmod(importlib.import_module(module))
    assert outcome.attempted > 0
    assert outcome.failed == 0
