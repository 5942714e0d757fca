"""Logging: structlog's key-value pairs on the standard library's logger `odradek`, silent until a handler is added.

structlog imports asyncio and takes more CPU to import than the rest of Odradek together, while most processes never
write a line. It is therefore imported only for the first line that reaches a handler.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

__all__ = ["Logger", "get_logger"]

_ODRADEK = logging.getLogger("odradek")
_ODRADEK.addHandler(logging.NullHandler())  # without any handler Python prints warnings on stderr


class Logger:
    """Writes lines with the values bound to it. A line that no handler receives costs only the search for a handler."""

    __slots__ = ("_bound", "_values")

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._bound: BoundLogger | None = None

    def bind(self, **values: Any) -> Logger:
        """Return a logger that writes these values too."""
        return Logger({**self._values, **values})

    def debug(self, event: str, **values: Any) -> None:
        """Write a line at level debug."""
        self.log(logging.DEBUG, event, **values)

    def info(self, event: str, **values: Any) -> None:
        """Write a line at level info."""
        self.log(logging.INFO, event, **values)

    def warning(self, event: str, **values: Any) -> None:
        """Write a line at level warning."""
        self.log(logging.WARNING, event, **values)

    def error(self, event: str, **values: Any) -> None:
        """Write a line at level error."""
        self.log(logging.ERROR, event, **values)

    def critical(self, event: str, **values: Any) -> None:
        """Write a line at level critical."""
        self.log(logging.CRITICAL, event, **values)

    def exception(self, event: str, **values: Any) -> None:
        """Write a line at level error, with the traceback of the exception that is being handled."""
        self.log(logging.ERROR, event, **{"exc_info": True, **values})

    def log(self, level: int, event: str, **values: Any) -> None:
        """Write a line at a level of `logging`. `exc_info` takes an exception, whose traceback is added to the line."""
        if not _ODRADEK.isEnabledFor(level) or not _has_listener():
            return
        if self._bound is None:
            self._bound = _bound_logger(self._values)
        self._bound.log(level, event, **values)


def get_logger(actor: str) -> Logger:
    """Return a logger with `actor` bound, which writes to the handlers of `logging.getLogger("odradek")`."""
    return Logger({"actor": actor})


def _has_listener() -> bool:
    """Return whether a handler other than a NullHandler receives the lines of the logger `odradek`."""
    logger: logging.Logger | None = _ODRADEK
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def _bound_logger(values: dict[str, Any]) -> BoundLogger:
    import structlog  # late: see above

    logger: BoundLogger = structlog.wrap_logger(
        _ODRADEK,
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
    ).bind(**values)
    return logger
