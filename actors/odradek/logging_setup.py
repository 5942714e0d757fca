"""Print Odradek's log lines on stderr: structlog's key-value pairs, as text or as JSON."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from structlog.stdlib import ProcessorFormatter
    from structlog.typing import Processor

__all__ = ["configure_logging"]


def configure_logging(level: str = "warning", json: bool = False) -> None:
    """Print the log lines of `level` and above on stderr, as text or as one JSON object per line.

    `level` is debug, info, warning, error, critical or off. A second call replaces the first. Without a call Odradek
    prints no log lines; a handler of your own on `logging.getLogger("odradek")` receives them too.
    """
    number = logging.CRITICAL + 10 if level == "off" else logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"{level!r} is not a log level; use debug, info, warning, error, critical or off")
    logger = logging.getLogger("odradek")
    for handler in [handler for handler in logger.handlers if isinstance(handler, _Handler)]:
        logger.removeHandler(handler)
    logger.setLevel(number)
    if level != "off":
        handler = _Handler(sys.stderr)
        handler.setFormatter(_formatter(json))
        logger.addHandler(handler)


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]  # StreamHandler takes no parameter at run time
    """The handler that configure_logging adds, told apart from yours by its class."""


def _formatter(json: bool) -> ProcessorFormatter:
    import structlog  # here, because most processes never write a line; see odradek_actors.logs

    renderer: Processor = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_log_level],
        processors=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            *([structlog.processors.format_exc_info] if json else []),
            renderer,
        ],
    )
