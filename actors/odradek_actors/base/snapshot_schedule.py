"""Decides when an actor takes its next snapshot."""

from __future__ import annotations

__all__ = ["SnapshotSchedule"]

_USUAL_SIZE = 50_000  # bytes


class SnapshotSchedule:
    """A snapshot every `interval` events, less often if snapshots are large; 0 disables them.

    A topic of 24 partitions with a thousand producers has a snapshot of two megabytes, which takes 0.1 s to build and
    save, as long as 6000 messages. It is taken after forty times as many events as one of fifty kilobytes. With the
    default interval, snapshots add at most five bytes per event and cost a few per cent at most.
    """

    __slots__ = ("_interval", "due", "version")

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self.version = -1
        self.due: float = 0
        self.taken(-1, 0)

    def taken(self, version: int, size: int) -> None:
        """Record the version and the size in bytes of the newest snapshot (-1 and 0 if there is none), and set `due`.

        The next snapshot is due at version `due`.
        """
        self.version = version
        self.due = version + self._interval * max(1, size // _USUAL_SIZE) if self._interval else float("inf")

    def is_due_at_stop(self, version: int) -> bool:
        """Return whether the actor should take a snapshot before it stops, because events followed the last one."""
        return bool(self._interval) and version > self.version
