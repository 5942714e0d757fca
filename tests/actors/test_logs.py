"""The logger that actors and handles write with: quiet without a handler, structlog's key-value pairs with one."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from odradek_actors.logs import get_logger

_WITHOUT_A_HANDLER = """
import logging, sys
from odradek_actors.logs import get_logger
get_logger(actor="a").error("nobody hears this", exc_info=ValueError("x"))
assert "structlog" not in sys.modules
logging.getLogger().addHandler(logging.StreamHandler(sys.stdout))
get_logger(actor="a").debug("below the level")
assert "structlog" not in sys.modules
get_logger(actor="a").warning("heard")
assert "structlog" in sys.modules
"""


class _Lines(logging.Handler):
    """Keeps the key-value pairs of each line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.msg, dict), record.msg
        self.lines.append(record.msg)


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    """Collect what the logger odradek says at level info and above."""
    logger, handler = logging.getLogger("odradek"), _Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_structlog_is_imported_for_the_first_line_that_reaches_a_handler() -> None:
    done = subprocess.run([sys.executable, "-c", _WITHOUT_A_HANDLER], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "heard" in done.stdout
    assert "nobody" not in done.stdout


def test_a_line_has_its_level_and_the_values_bound_to_the_logger(lines: list[dict[str, object]]) -> None:
    logger = get_logger(actor="a")
    logger.bind(stream="topic/x").warning("late", seconds=3)
    logger.info("done")
    logger.debug("below the level")
    assert lines == [
        {"event": "late", "level": "warning", "actor": "a", "stream": "topic/x", "seconds": 3},
        {"event": "done", "level": "info", "actor": "a"},
    ]


def test_every_level_has_a_method(lines: list[dict[str, object]]) -> None:
    logger = get_logger(actor="a")
    for method in (logger.info, logger.warning, logger.error, logger.critical):
        method("said")
    logger.log(logging.ERROR, "said")
    assert [line["level"] for line in lines] == ["info", "warning", "error", "critical", "error"]


def test_exc_info_and_exception_add_the_traceback(lines: list[dict[str, object]]) -> None:
    logger = get_logger(actor="a")
    logger.error("failed", exc_info=ValueError("given"))
    try:
        raise ValueError("handled")
    except ValueError:
        logger.exception("failed")
    given, handled = (str(line["exception"]) for line in lines)
    assert given.endswith("ValueError: given")
    assert handled.endswith("ValueError: handled")
