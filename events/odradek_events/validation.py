"""Checks arguments, so that a wrong one raises at once with its name, and converts values to plain types.

Python does not enforce types at run time: True would be accepted as partition 1 and 2.0 as a count, and would be stored
like that. Values of subclasses (a string enum, the datetime of a frozen test clock) become plain ones: JSON has no
subclasses, and methods that a subclass overrides must not take effect here.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

__all__ = [
    "MAX_COMMIT_ID",
    "MAX_ID",
    "as_plain",
    "check_function",
    "check_instance",
    "check_int",
    "file_name",
    "items",
    "moment",
    "names",
    "plain_moment",
    "plain_text",
    "printable",
    "seconds",
    "shown",
    "text",
    "whole_number",
]

MAX_ID = 1024
"""The maximum length of a correlation id or causation id, in characters."""
MAX_COMMIT_ID = 1000
"""The maximum length of a commit id, in characters: an event id, which may be a causation id, adds `/<number>`."""

_LARGEST = (1 << 63) - 1
_LONGEST_PATH = 4096  # bytes: PATH_MAX of Linux
_MOST_SECONDS = 1_000_000_000  # 31 years; the longest timeout of a lock is somewhat above
_MOST_SHOWN = 80
_PLAIN = (datetime, date)  # in a tuple, where tools that freeze the clock do not replace the classes


def shown(value: object) -> str:
    """Return a value as error messages show it: on one line, with at most 80 characters, for any object."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, str | bytes):
        value = value[: _MOST_SHOWN + 1]
    try:
        found = repr(value)
    except Exception:  # a class whose __repr__ fails, or lists nested too deep
        found = f"<{type(value).__name__}>"
    found = found if found.isprintable() else found.encode("unicode_escape", "backslashreplace").decode()
    return found if len(found) <= _MOST_SHOWN else f"{found[:_MOST_SHOWN]}…"


def whole_number(name: str, value: Any, minimum: int | None = 0, maximum: int = _LARGEST) -> int:
    """Return a whole number between `minimum` and `maximum`; raise TypeError or ValueError for any other value.

    The default maximum is that of 64 bits, as in SQLite and Kafka's protocol, and so is the minimum if it is None.
    """
    least = -_LARGEST - 1 if minimum is None else minimum
    if type(value) is not int:
        raise TypeError(f"{name} must be an int, not {shown(value)}")
    if value < least:
        raise ValueError(f"{name} must be {least} or more, not {shown(value)}")
    if value > maximum:
        raise ValueError(f"{name} must be {maximum} or less, not {shown(value)}")
    return value


def check_int(name: str, value: Any) -> None:
    """Raise TypeError unless `value` is a whole number of any size: a read after 2**70 returns nothing."""
    if type(value) is not int:
        raise TypeError(f"{name} must be an int, not {shown(value)}")


def seconds(name: str, value: Any) -> float:
    """Return a number of seconds, 0 or more."""
    if type(value) not in (int, float):
        raise TypeError(f"{name} must be a number of seconds, not {shown(value)}")
    if not 0 <= value <= _MOST_SECONDS:
        raise ValueError(f"{name} must be 0 to {_MOST_SECONDS} seconds, not {shown(value)}")
    return float(value)


def text(name: str, value: Any, most: int | None = None) -> str:
    """Return a str that UTF-8 can encode, with at most `most` characters, as a plain str."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {shown(value)}")
    plain = plain_text(value)
    if most is not None and len(plain) > most:
        raise ValueError(f"{name} must have at most {most} characters, not {len(plain)}")
    try:
        plain.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} {shown(plain)} has a lone surrogate at index {error.start}, which UTF-8 cannot encode; remove it"
        ) from error
    return plain


def names(name: str, values: Iterable[str]) -> list[str]:
    """Return a list of str; refuse a single str, which is most likely a mistake."""
    return [text(f"each of {name}", value) for value in items(name, values)]


def items(name: str, values: Any) -> list[Any]:
    """Return the elements of `values` as a list; raise TypeError if it is not iterable, or a single str."""
    if isinstance(values, str | bytes):
        raise TypeError(f"{name} must be a list; use [{shown(values)}]")
    try:
        return list(values)
    except TypeError as error:
        raise TypeError(f"{name} must be a list, not {shown(values)}") from error


def file_name(name: str, value: Any) -> str:
    """Return the name of a file, given as str or path; raise ValueError for an impossible name."""
    if not isinstance(value, str | os.PathLike) or isinstance(path := os.fspath(value), bytes):
        raise TypeError(f"{name} must be a str or a path, not {shown(value)}")
    plain = plain_text(path)
    try:
        encoded = os.fsencode(plain)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise ValueError(f"{name} {shown(plain)} has a character that file names cannot contain; use another name")
    if len(encoded) > _LONGEST_PATH:
        raise ValueError(f"{name} must have at most {_LONGEST_PATH} bytes, not {len(encoded)}")
    return plain


def printable(path: str) -> str:
    """Return the name of a file as error messages show it: on one line."""
    return path if path.isprintable() else path.encode("unicode_escape", "surrogateescape").decode(errors="replace")


def check_function(name: str, value: Any) -> None:
    """Raise TypeError unless `value` is callable or None."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be a function or None, not {shown(value)}")


def check_instance(name: str, value: Any, kind: type[Any], wanted: str) -> None:
    """Raise TypeError unless `value` is an instance of `kind`, which the message calls `wanted`."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {wanted}, not {shown(value)}")


def moment(name: str, value: Any) -> datetime:
    """Return an aware datetime in UTC."""
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be an aware datetime, not {shown(value)}")
    if value.utcoffset() is None:
        raise ValueError(f"{name} needs a time zone; pass an aware datetime")
    try:
        return plain_moment(value.astimezone(UTC))
    except OverflowError as error:
        raise ValueError(
            f"{name} {value.isoformat()} is outside the years 1 to 9999 in UTC; use a time within them"
        ) from error


def plain_moment(value: datetime) -> datetime:
    """Return a datetime of a subclass as a plain one."""
    plain, _ = _PLAIN
    return value if type(value) is plain else plain.combine(value.date(), value.time(), value.tzinfo)


def plain_text(value: str) -> str:
    """Return the characters of a str subclass as a plain str, whatever methods the subclass overrides."""
    return str.__str__(value)


def as_plain(value: Any) -> Any:
    """Convert a value of a subclass to the JSON type that it derives from: an enc_hook for msgspec's encoders."""
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, bytes):
        return bytes.__getitem__(value, slice(None))
    if isinstance(value, int):
        return operator.index(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, datetime):
        return plain_moment(value)
    if isinstance(value, date):
        return _PLAIN[1](value.year, value.month, value.day)
    raise TypeError(f"Encoding objects of type {type(value).__name__} is unsupported")
