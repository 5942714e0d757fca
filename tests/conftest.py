"""Fixtures that tests of every kind may use."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

collect_ignore_glob = ["support/*.py"]  # imported by name: collected too, they would register their events twice


@pytest.fixture
def public_place() -> Iterator[Path]:
    """Return a new directory that every user can reach and write in; those of `tmp_path` belong to one user."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)
