"""How `odradek consume` writes a message: kcat's placeholders, or JSON."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import msgspec

from odradek.cli.options import bad_value

__all__ = ["FORMAT_HELP", "Formatter", "Readable", "make_formatter"]

FORMAT_HELP = (
    "The format of a message: %t topic, %p partition, %o offset, %T time, %k key, %v or %s value, %h headers, %i "
    "message id, %% a percent sign, \\t tab, \\n newline, \\\\ backslash; or the word json. A newline is added."
)


class Readable(Protocol):
    """A message that was read from a log or by a consumer."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> tuple[tuple[str, bytes | None], ...]: ...
    @property
    def timestamp(self) -> datetime: ...
    @property
    def message_id(self) -> str: ...


Formatter = Callable[[Readable], bytes]

_FIELDS: dict[str, Formatter] = {
    "%t": lambda message: message.topic.encode(),
    "%p": lambda message: b"%d" % message.partition,
    "%o": lambda message: b"%d" % message.offset,
    "%T": lambda message: _time(message.timestamp).encode(),
    "%k": lambda message: message.key or b"",
    "%v": lambda message: message.value or b"",
    "%s": lambda message: message.value or b"",
    "%h": lambda message: b",".join(
        name.encode() + b"=" + (b"NULL" if data is None else data)
        for name, data in message.headers  # as kcat has it
    ),
    "%i": lambda message: message.message_id.encode(),
}
_FIXED = {"%%": b"%", "\\t": b"\t", "\\n": b"\n", "\\\\": b"\\"}


def make_formatter(text: str) -> Formatter:
    """Compile a template; an unknown placeholder is a bad value."""
    if text == "json":
        return _json
    if text == "%v":
        return lambda message: (message.value or b"") + b"\n"
    parts: list[bytes | Formatter] = []
    for piece in re.split(r"(%.?|\\.?)", text, flags=re.DOTALL):
        if piece in _FIELDS:
            parts.append(_FIELDS[piece])
        elif piece[:1] not in ("%", "\\") or piece in _FIXED:
            parts.append(_FIXED.get(piece) or os.fsencode(piece))
        else:
            known = " ".join([*_FIELDS, *_FIXED])
            raise bad_value("--format", f"{piece!r} is not a placeholder; use json, or a template of {known} and text")
    parts.append(b"\n")
    return lambda message: b"".join(part if isinstance(part, bytes) else part(message) for part in parts)


def _json(message: Readable) -> bytes:
    fields: dict[str, object] = {
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "timestamp": _time(message.timestamp),
        "message_id": message.message_id,
        **_readable("key", message.key),
        **_readable("value", message.value),
        "headers": [{"name": name, **_readable("value", data)} for name, data in message.headers],
    }
    return msgspec.json.encode(fields) + b"\n"


def _readable(name: str, data: bytes | None) -> dict[str, str | None]:
    """Return bytes as text if they are UTF-8, else in base64, under a name that says so."""
    try:
        return {name: None if data is None else data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data or b"").decode()}


def _time(at: datetime) -> str:
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
