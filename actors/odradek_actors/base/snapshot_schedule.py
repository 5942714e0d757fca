"""When an actor's next snapshot is due."""

from __future__ import annotations

__all__ = ["SnapshotSchedule"]

_USUAL_SIZE = 50_000  # bytes


class SnapshotSchedule:
    """A snapshot every `interval` events (0: none), and more rarely where snapshots are large.

    A topic of 24 partitions with a thousand producers has a snapshot of two megabytes, which takes 0.1 s to make and to
    save, as long as 6000 messages do. It is taken after forty times as many events as one of fifty kilobytes: with the
    default interval snapshots add no more than five bytes to each event, and cost a few per cent at most.
    """

    __slots__ = ("_interval", "due", "version")

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self.version = -1
        self.due: float = 0
        self.taken(-1, 0)

    def taken(self, version: int, size: int) -> None:
        """Take in that the newest snapshot is of this version and size in bytes; -1 and 0 when there is none.

        From version `due` on another is wanted.
        """
        self.version = version
        self.due = version + self._interval * max(1, size // _USUAL_SIZE) if self._interval else float("inf")

    def is_due_at_stop(self, version: int) -> bool:
        """Say whether one is wanted before the actor stops: what has changed since the last would be read again."""
        return bool(self._interval) and version > self.version
