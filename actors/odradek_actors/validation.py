"""Checks of what people pass in, so that a wrong argument raises at once, in one sentence that names it.

Types do not bind at run time: True would pass for partition 1 and 2.0 for a count, and would be stored so.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

__all__ = ["awaits_answers", "bytes_or_none", "moment", "names", "seconds", "text", "time_limit", "whole_number"]


_ACKS = ("all", "-1", "1", "0")
_MOST_SECONDS = 1_000_000_000  # 31 years; what locks can wait for ends somewhere above


def whole_number(name: str, value: Any, minimum: int | None = 0) -> int:
    """Return a whole number of at least `minimum`; TypeError or ValueError otherwise."""
    if type(value) is not int:
        raise TypeError(f"{name} is a whole number, not {value!r}")
    if minimum is not None and value < minimum:
        raise ValueError(f"{name} must be {minimum} or more, not {value}")
    return value


def seconds(name: str, value: Any) -> float:
    """Return a number of seconds, 0 or more."""
    if type(value) not in (int, float):
        raise TypeError(f"{name} is a number of seconds, not {value!r}")
    if not 0 <= value <= _MOST_SECONDS:
        raise ValueError(f"{name} must be 0 to {_MOST_SECONDS} seconds, not {value}")
    return float(value)


def time_limit(name: str, value: Any, default: float = 30.0) -> float:
    """Return a number of seconds to wait, 0 or more; None stands for the default."""
    return default if value is None else seconds(name, value)


def awaits_answers(acks: Any) -> bool:
    """Say whether `acks` asks for answers: "all", -1 and 1 do, which all mean durable here; 0 does not."""
    if type(acks) not in (int, str):
        raise TypeError(f"acks is 'all', 1, 0 or -1, not {acks!r}")
    if str(acks) not in _ACKS:
        raise ValueError(f"acks must be 'all' (-1 and 1 mean the same here) or 0, not {acks!r}")
    return str(acks) != "0"


def text(name: str, value: Any) -> str:
    """Return text that UTF-8 can hold, as a plain str."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is text, not {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} {value!r} is not text that UTF-8 can hold ({error.reason})") from error
    return str(value)


def names(name: str, values: Iterable[str]) -> list[str]:
    """Return a list of texts; a single text is most likely a mistake."""
    if isinstance(values, str | bytes):
        raise TypeError(f"{name} is a list; use [{values!r}]")
    return [text(name, value) for value in values]


def bytes_or_none(name: str, value: Any) -> bytes | None:
    """Return bytes, text as UTF-8, or None."""
    if value is None or type(value) is bytes:
        return value
    if isinstance(value, str):
        return text(name, value).encode()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"a {name} is bytes, str or None, not {type(value).__name__}; encode it first")


def moment(name: str, value: Any) -> datetime:
    """Return an aware datetime in UTC."""
    if not isinstance(value, datetime):
        raise TypeError(f"{name} is an aware datetime, not {value!r}")
    if value.tzinfo is None:
        raise ValueError(f"{name} needs a time zone; pass an aware datetime")
    utc = value.astimezone(UTC)
    return datetime.combine(utc.date(), utc.time(), UTC)  # a plain one: subclasses cannot be stored
