"""The base class of all cases, with the log under test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from odradek_events.log.port import LogStore

__all__ = ["LogSuite"]


class LogSuite:
    """Subclass it with a `log` fixture that yields an empty log for each test and closes it afterwards."""

    @pytest.fixture
    def log(self) -> Iterator[LogStore]:
        """Yield an empty log."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `log` that yields an empty log")
