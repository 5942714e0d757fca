"""A message: a fact on its way into a partition, or one that has arrived and has an offset."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from odradek_domain.errors import InvalidHeader, InvalidMessage, OffsetAlreadyAssigned
from odradek_domain.values.positions import Offset
from odradek_events.types import MessageProduced

__all__ = ["Headers", "Message", "checked_headers"]

Headers = tuple[tuple[str, bytes], ...]


class Message(msgspec.Struct, frozen=True, gc=False):
    """A message; immutable. Key and value are bytes, a value of None is a tombstone, headers keep their order.

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
        """Make a message that is not stored yet. Id and time are arguments: the domain has no clock and no dice.

        InvalidMessage unless key and value are bytes or None and the time has a time zone.
        """
        for part, data in (("key", key), ("value", value)):
            if data is not None and not isinstance(data, bytes):
                raise InvalidMessage(part, data, "bytes, or None")
        if not isinstance(timestamp, datetime) or timestamp.tzinfo is None:
            raise InvalidMessage("timestamp", timestamp, "a datetime with a time zone, such as UTC")
        return cls(id, key, value, timestamp)

    @classmethod
    def stored(cls, event: MessageProduced) -> Message:
        """Make the message that an event says was stored."""
        return cls(event.message_id, event.key, event.value, event.timestamp, event.headers, Offset(event.offset))

    def with_headers(self, headers: Iterable[tuple[str, bytes]]) -> Message:
        """Return the message with these headers, an ordered list in which names may repeat."""
        return msgspec.structs.replace(self, headers=checked_headers(headers))

    def assign_offset(self, offset: int) -> Message:
        """Return the message with its offset, which can be set once."""
        if self.offset is not None and self.offset != offset:
            raise OffsetAlreadyAssigned(self.offset, offset)
        return msgspec.structs.replace(self, offset=Offset(offset))

    @property
    def size(self) -> int:
        """Bytes of key, value and headers together."""
        return (
            (len(self.key) if self.key is not None else 0)
            + (len(self.value) if self.value is not None else 0)
            + (sum(len(name.encode()) + len(data) for name, data in self.headers) if self.headers else 0)
        )


def checked_headers(headers: Iterable[tuple[str, bytes]]) -> Headers:
    """Return headers as an immutable tuple; InvalidHeader unless each is a (name, bytes) pair."""
    checked: list[tuple[str, bytes]] = []
    for header in headers:
        if not (isinstance(header, tuple | list) and len(header) == 2):
            raise InvalidHeader(header)
        name, data = header
        if not isinstance(name, str) or not isinstance(data, bytes):
            raise InvalidHeader(header)
        checked.append((name, data))
    return tuple(checked)
