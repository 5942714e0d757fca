"""Misuse is refused with a clear error, and changes nothing; `benchmarks/misuse.py` makes more calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.misuse import Misuse


@pytest.fixture
def empty_folder(tmp_path: Path) -> Iterator[Path]:
    """Work in an empty folder: strange names become files there."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


@pytest.mark.usefixtures("empty_folder")
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.slow
def test_misuse_is_refused_with_a_clear_error_and_changes_nothing(seed: int) -> None:
    report = Misuse(seed).run(400)
    assert report.findings == []
    assert report.calls == 400
    assert report.outcomes["returned"] < 300
    assert sum(report.outcomes.values()) == 400
