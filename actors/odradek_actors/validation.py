"""Checks of what people pass to handles and systems; those of single values are in `odradek_events.validation`."""

from __future__ import annotations

from typing import Any

from odradek_events.validation import (
    MAX_ID,
    as_plain,
    moment,
    names,
    plain_text,
    seconds,
    shown,
    text,
    whole_number,
)

__all__ = [
    "MAX_ID",
    "awaits_answers",
    "bytes_or_none",
    "moment",
    "names",
    "seconds",
    "text",
    "time_limit",
    "waiting_time",
    "whole_number",
]

_ACKS = ("all", "-1", "1", "0")


def time_limit(name: str, value: Any, default: float = 30.0) -> float:
    """Check a number of seconds to wait, 0 or more, and return it; the default for None."""
    return default if value is None else seconds(name, value)


def waiting_time(name: str, value: Any) -> float:
    """Return a number of seconds to wait, of which less than 0 is none and infinity is fine, as in a Future."""
    if type(value) not in (int, float):
        raise TypeError(f"{name} must be a number of seconds, not {shown(value)}")
    if value != value:
        raise ValueError(f"{name} must be a number of seconds, not {value}")
    return float(max(0, min(value, 1 << 62)))


def awaits_answers(acks: Any) -> bool:
    """Return whether `acks` asks for answers: True for "all", -1 and 1, which all mean durable here; False for 0."""
    if type(acks) is not int and not isinstance(acks, str):
        raise TypeError(f"acks must be 'all', 1, 0 or -1, not {shown(acks)}")
    chosen = plain_text(acks) if isinstance(acks, str) else shown(acks)
    if chosen not in _ACKS:
        raise ValueError(f"acks must be 'all' (-1 and 1 mean the same here) or 0, not {shown(acks)}")
    return chosen != "0"


def bytes_or_none(name: str, value: Any) -> bytes | None:
    """Return bytes, text as UTF-8, or None."""
    if value is None or type(value) is bytes:
        return value
    if isinstance(value, str):
        return text(f"a {name}", value).encode()
    if isinstance(value, bytes):
        plain: bytes = as_plain(value)
        return plain
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"a {name} must be bytes, str or None, not {type(value).__name__}; encode it first")
