"""Names and ids: subclasses of str that are checked when they are created."""

from __future__ import annotations

import re
from typing import Self

from odradek_domain.errors import InvalidIdentifier, InvalidMessageId, InvalidTopicName
from odradek_events.validation import plain_text

__all__ = ["ConsumerId", "GroupId", "MessageId", "ProducerId", "TopicName"]

_TOPIC_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}\Z")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")


class TopicName(str):
    """A topic's name by Kafka's rules: 1-249 of `[a-zA-Z0-9._-]`, not `.` or `..`; case-sensitive.

    >>> TopicName("orders.v1")
    'orders.v1'
    """

    __slots__ = ()

    def __new__(cls, name: str) -> Self:
        plain = plain_text(name) if isinstance(name, str) else ""
        if not _TOPIC_NAME.match(plain) or plain in (".", ".."):
            raise InvalidTopicName(name)
        return super().__new__(cls, plain)

    @classmethod
    def recorded(cls, name: str) -> Self:
        """Return a name from the log unchecked: recorded events stay valid when the rules change."""
        return str.__new__(cls, name)


class _Identifier(str):
    """An id of 1 to 249 printable characters, the part of a stream's name after the slash."""

    __slots__ = ()
    kind = "identifier"

    def __new__(cls, value: str) -> Self:
        plain = plain_text(value) if isinstance(value, str) else ""
        if not 1 <= len(plain) <= 249 or not plain.isprintable():
            raise InvalidIdentifier(cls.kind, value)
        return super().__new__(cls, plain)


class ConsumerId(_Identifier):
    """A consumer's id."""

    __slots__ = ()
    kind = "consumer"


class ProducerId(_Identifier):
    """A producer's id. The client id is the identity, so the two are the same text."""

    __slots__ = ()
    kind = "producer"


class GroupId(_Identifier):
    """A consumer group's id."""

    __slots__ = ()
    kind = "group"


class MessageId(str):
    """A message's id: a UUID in its canonical form.

    >>> MessageId.new(bytes(16))
    '00000000-0000-4000-8000-000000000000'
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        lowered = plain_text(text).lower() if isinstance(text, str) else ""
        if not _UUID.match(lowered):
            raise InvalidMessageId(text)
        return super().__new__(cls, lowered)

    @classmethod
    def new(cls, random_bytes: bytes) -> Self:
        """Return a version 4 UUID made of 16 random bytes, which the caller provides because the domain is pure."""
        if len(random_bytes) != 16:
            raise InvalidMessageId(random_bytes.hex())
        number = int.from_bytes(random_bytes) & ~(0xF << 76) & ~(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
        text = f"{number:032x}"
        return str.__new__(cls, f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")

    @classmethod
    def from_string(cls, text: str) -> Self:
        """Parse a UUID in upper or lower case; InvalidMessageId for anything else."""
        return cls(text)
