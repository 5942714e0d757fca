"""A message, before it is stored and after, when it has an offset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from odradek_domain.errors import InvalidHeader, InvalidMessage, OffsetAlreadyAssigned
from odradek_domain.values.positions import Offset
from odradek_events.types import MessageProduced
from odradek_events.validation import as_plain, moment, text

__all__ = ["HEADER_OVERHEAD", "Headers", "Message", "checked_headers", "message_size"]

HEADER_OVERHEAD = 16
"""The bytes counted per header besides its name and value, so that empty headers have a size too."""

Headers = tuple[tuple[str, bytes | None], ...]


class Message(msgspec.Struct, frozen=True, gc=False):
    """An immutable message. Key and value are bytes; a value of None is a tombstone; headers keep their order.

    `offset` is None until the message is stored.
    """

    id: str
    key: bytes | None
    value: bytes | None
    timestamp: datetime
    headers: Headers = ()
    offset: Offset | None = None

    @classmethod
    def new(cls, key: bytes | None, value: bytes | None, *, id: str, timestamp: datetime) -> Message:
        """Create a message that is not stored yet. Id and time are arguments, because the domain is pure.

        Raises InvalidMessage unless key and value are bytes or None, and the timestamp has a time zone.
        """
        for part, data in (("key", key), ("value", value)):
            if data is not None and not isinstance(data, bytes):
                raise InvalidMessage(part, data, "bytes, or None")
        try:
            at = moment("timestamp", timestamp)
        except (TypeError, ValueError) as error:
            raise InvalidMessage("timestamp", timestamp, "a datetime with a time zone, such as UTC") from error
        return cls(text("id", id), _plain(key), _plain(value), at)

    @classmethod
    def stored(cls, event: MessageProduced) -> Message:
        """Return the stored message of an event."""
        return cls(event.message_id, event.key, event.value, event.timestamp, event.headers, Offset(event.offset))

    def with_headers(self, headers: Iterable[tuple[str, bytes | None]]) -> Message:
        """Return the message with these headers, an ordered list in which names may repeat."""
        return msgspec.structs.replace(self, headers=checked_headers(headers))

    def assign_offset(self, offset: int) -> Message:
        """Return the message with this offset; OffsetAlreadyAssigned if it has another one."""
        if self.offset is not None and self.offset != offset:
            raise OffsetAlreadyAssigned(self.offset, offset)
        return msgspec.structs.replace(self, offset=Offset(offset))

    @property
    def size(self) -> int:
        """The bytes of key, value and headers together."""
        return message_size(self)


def message_size(message: Message | MessageProduced) -> int:
    """Return the bytes of a message's key, value and headers; each header counts HEADER_OVERHEAD more."""
    size = len(message.value or b"") + len(message.key or b"")
    for name, data in message.headers:
        size += HEADER_OVERHEAD + len(name.encode()) + len(data or b"")
    return size


def checked_headers(headers: Iterable[tuple[str, bytes | None]]) -> Headers:
    """Return headers as an immutable tuple of plain values; InvalidHeader unless each is (name, bytes or None)."""
    if isinstance(headers, str | bytes | Mapping):
        raise InvalidHeader(headers)
    try:
        given = iter(headers)
    except TypeError as error:
        raise InvalidHeader(headers) from error
    checked: list[tuple[str, bytes | None]] = []
    for header in given:
        if not (isinstance(header, tuple | list) and len(header) == 2):
            raise InvalidHeader(header)
        name, data = header
        if not isinstance(name, str) or not (data is None or isinstance(data, bytes)):
            raise InvalidHeader(header)
        checked.append((text("a header name", name), _plain(data)))
    return tuple(checked)


def _plain(data: bytes | None) -> bytes | None:
    if data is None or type(data) is bytes:
        return data
    plain: bytes = as_plain(data)
    return plain
