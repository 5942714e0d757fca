"""The messages of recovery: reading a stream back, from a snapshot on where there is one, and saving snapshots.

A snapshot crosses mailboxes as bytes: its owner encodes it, so that whatever its own state shares with it may change
the moment after.
"""

from __future__ import annotations

import builtins
from typing import Any

import msgspec

from odradek_actors.messages.core import Recipient
from odradek_events.errors import LogUnavailable
from odradek_events.record import Commit

__all__ = ["ReadStream", "Restored", "SaveSnapshot", "SnapshotSchema", "StreamChunk"]


class SnapshotSchema(msgspec.Struct, frozen=True):
    """What an actor's snapshots are: a name that is never changed, a version, and the Struct that they are decoded as.

    Raise `version` whenever an older snapshot would not give what folding the events gives today: another Struct, but
    also another `apply` or up-caster. Snapshots of another name or version are passed over.
    """

    name: str
    version: int
    type: builtins.type[msgspec.Struct]  # the bare name would mean this field where the annotation is evaluated


class SaveSnapshot(msgspec.Struct, frozen=True, gc=False):
    """Keep this state of a stream, whose last event is that of this version and position. Not answered."""

    stream: str
    version: int
    position: int
    name: str
    schema: int
    payload: bytes


class Restored(msgspec.Struct, frozen=True):
    """The newest snapshot that may be used, decoded; `size` is its bytes as stored."""

    state: Any
    version: int
    position: int
    size: int


class ReadStream(msgspec.Struct, frozen=True):
    """Read a stream, if `schema` is given from its newest usable snapshot on, else from its beginning.

    Answered by StreamChunks carrying the same number.
    """

    stream: str
    reply_to: Recipient
    number: int
    schema: SnapshotSchema | None = None

    def bounce(self) -> tuple[Recipient, object]:
        """Answer that the reader is gone."""
        return self.reply_to, StreamChunk(self.number, (), True, LogUnavailable("the log reader", "it has stopped"))


class StreamChunk(msgspec.Struct, frozen=True):
    """Some commits of a stream, in order; `error` says that no more can be read.

    Where there is a `snapshot`, the first chunk has it, and the commits are those after it.
    """

    number: int
    commits: tuple[Commit, ...]
    is_last: bool
    error: Exception | None = None
    snapshot: Restored | None = None
