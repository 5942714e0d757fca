"""A third-party store passes the conformance suites."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.jsonl import JsonLinesLog

from odradek_events import LogStore
from odradek_events.testing import DurableLogConformance, LogConformance


@pytest.mark.on_disk
class TestJsonLinesLog(LogConformance):
    """A log in a file of JSON Lines."""

    @pytest.fixture
    def log(self, tmp_path: Path) -> Iterator[LogStore]:
        with JsonLinesLog(tmp_path / "log.jsonl") as log:
            yield log


@pytest.mark.on_disk
class TestJsonLinesLogOnDisk(DurableLogConformance):
    """The same log, across processes."""

    opener = "support.jsonl:JsonLinesLog"
