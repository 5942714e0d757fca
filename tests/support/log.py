"""Sample events, requests and times for tests of the log, as in the conformance suite; and an ordinary user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from odradek_events.record import Commit, StoredCommit
from odradek_events.schema.codec import Codec
from odradek_events.testing.samples import START, append, at, created, produced, refusal

__all__ = ["START", "CountingCodec", "append", "at", "created", "ordinary_user", "produced", "refusal"]


@contextmanager
def ordinary_user(user: int = 65534) -> Iterator[None]:
    """Run as an ordinary user, to whom file permissions apply, even if the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


class CountingCodec(Codec):
    """Counts the commits that are decoded."""

    decoded = 0

    def commit(self, stored: StoredCommit, *, opaque: bool = False) -> Commit:
        """Decode a commit."""
        self.decoded += 1
        return super().commit(stored, opaque=opaque)
