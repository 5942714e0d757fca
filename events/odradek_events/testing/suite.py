"""What all cases have in common: the log they are about."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from odradek_events.log.port import LogStore

__all__ = ["LogSuite"]


class LogSuite:
    """Subclass with a `log` fixture, which gives an empty log for each test and closes it afterwards."""

    @pytest.fixture
    def log(self) -> Iterator[LogStore]:
        """Give an empty log."""
        raise NotImplementedError(f"{type(self).__name__} needs a fixture `log` that yields an empty log")
