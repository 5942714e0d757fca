"""Logging: structlog's key-value pairs on the standard library's logger `odradek`, quiet until somebody listens."""

from __future__ import annotations

import logging

import structlog

__all__ = ["get_logger"]

logging.getLogger("odradek").addHandler(logging.NullHandler())


def get_logger(actor: str) -> structlog.stdlib.BoundLogger:
    """Return a logger with `actor` bound; what it says goes to the handlers of `logging.getLogger("odradek")`."""
    logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger("odradek"),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        actor=actor,
    )
    return logger
