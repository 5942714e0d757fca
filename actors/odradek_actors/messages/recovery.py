"""The messages of recovery: reading a stream, starting at a snapshot if there is one, and saving snapshots.

A snapshot crosses mailboxes as bytes. Its owner encodes it, because its state may change while the message is on its
way.
"""

from __future__ import annotations

import builtins
from typing import Any

import msgspec

from odradek_actors.messages.core import Recipient
from odradek_actors.messages.log import unavailable_if_stopped
from odradek_events.record import Commit
from odradek_events.validation import check_instance, check_int, shown

__all__ = ["ReadStream", "Restored", "SaveSnapshot", "SnapshotSchema", "StreamChunk"]


class SnapshotSchema(msgspec.Struct, frozen=True):
    """The schema of an actor's snapshots: a name that never changes, a version, and the Struct type for decoding.

    Increase `version` whenever an older snapshot would differ from the result of folding the events: after a change of
    the Struct, but also of `apply` or an up-caster. Snapshots of another name or version are ignored.
    """

    name: str
    version: int
    type: builtins.type[msgspec.Struct]  # the bare name would mean this field where the annotation is evaluated

    def __post_init__(self) -> None:
        """Resolve the type's annotations now, before a test freezes the clock and `datetime` means another class."""
        check_instance("name", self.name, str, "a str")
        check_int("version", self.version)
        if not (isinstance(self.type, builtins.type) and issubclass(self.type, msgspec.Struct)):
            raise TypeError(f"type must be a subclass of msgspec.Struct, not {shown(self.type)}")
        msgspec.json.Decoder(self.type)


class SaveSnapshot(msgspec.Struct, frozen=True, gc=False):
    """Save a snapshot of a stream as of the event with this version and position. Not answered."""

    stream: str
    version: int
    position: int
    name: str
    schema: int
    payload: bytes


class Restored(msgspec.Struct, frozen=True):
    """The newest usable snapshot, decoded; `size` is its stored size in bytes."""

    state: Any
    version: int
    position: int
    size: int


class ReadStream(msgspec.Struct, frozen=True):
    """Read a stream, starting at its newest usable snapshot if `schema` is given, else at its beginning.

    Answered by StreamChunks with the same number.
    """

    stream: str
    reply_to: Recipient
    number: int
    schema: SnapshotSchema | None = None

    def bounce(self, error: Exception) -> tuple[Recipient, object]:
        """Answer with the error, so that the sender tries again."""
        return self.reply_to, StreamChunk(self.number, (), True, unavailable_if_stopped("the log reader", error))


class StreamChunk(msgspec.Struct, frozen=True):
    """Consecutive commits of a stream. After an `error` no further chunks follow.

    If there is a `snapshot`, it is in the first chunk, and the commits are those after it.
    """

    number: int
    commits: tuple[Commit, ...]
    is_last: bool
    error: Exception | None = None
    snapshot: Restored | None = None
