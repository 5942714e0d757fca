"""Projections: views of a log in SQLite tables, and the runner that keeps them up to date.

A view and its checkpoint change in one transaction, so a crash leaves both before a batch or both after it. Each
transaction re-reads the checkpoint, so two runners may share a file. The checkpoint has the log's digest, so a view is
never continued from a different log.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Protocol, Self

import msgspec

from odradek_events.errors import LogError, PositionBeyondHead
from odradek_events.log.port import ReadableLog, check_log
from odradek_events.projections.errors import ProjectionFailed, ProjectionOutdated, ViewsOfAnotherLog
from odradek_events.projections.view_file import Checkpoint, ViewFile
from odradek_events.record import Query, Recorded
from odradek_events.validation import items, shown, whole_number

__all__ = ["Projection", "ProjectionLag", "ProjectionRunner"]

_BATCH = 1000  # events per transaction: 100 build the shipped views a quarter slower, 10 000 a tenth faster
_REQUIRED = ("name", "version", "query", "create", "apply")  # attributes of a Projection
Progress = Callable[[str, int], None]


class Projection(Protocol):
    """Defines a view: its tables, and how each event changes them.

    `name` is unique in a file. Raise `version` when the tables or their meaning change. The contents of the tables must
    depend only on the events that match `query`, in log order.
    """

    name: str
    version: int
    query: Query

    def create(self, db: sqlite3.Connection) -> None:
        """Create the empty tables, with names that no other projection in the file uses."""
        ...

    def apply(self, db: sqlite3.Connection, recorded: Recorded) -> None:
        """Apply one event to the tables, in a transaction that the runner begins and ends."""
        ...


class ProjectionLag(msgspec.Struct, frozen=True):
    """How far a view is behind its log: in events of any type, and in seconds between their recorded-at times."""

    position: int
    events: int
    seconds: float


class ProjectionRunner:
    """Keeps the views of `projections` in the file `path` up to date with `log`. A context manager.

    Thread-safe, one batch at a time. `batch` is the maximum number of events in one transaction. `run` waits in real
    time, whichever runtime appends to the log.
    """

    def __init__(
        self,
        log: ReadableLog,
        path: str | os.PathLike[str],
        projections: Sequence[Projection],
        *,
        batch: int = _BATCH,
    ) -> None:
        check_log(log)
        projections = items("projections", projections)
        for projection in projections:
            if isinstance(projection, type) or not all(hasattr(projection, name) for name in _REQUIRED):
                raise TypeError(f"{shown(projection)} is not a projection; pass an object with {', '.join(_REQUIRED)}")
        names = [projection.name for projection in projections]
        if len(set(names)) < len(names):
            raise ValueError(f"several projections have the same name among {names}; use different names")
        whole_number("batch", batch, 1)
        self.log = log
        self.projections = tuple(projections)
        self._batch = batch
        self._views = ViewFile(path)
        self._lock = threading.RLock()
        self._stopped = threading.Event()

    def __repr__(self) -> str:
        names = [projection.name for projection in self.projections]
        return f"<ProjectionRunner {names} in {self._views.name!r} on {self.log!r}>"

    def catch_up(self, progress: Progress | None = None) -> int:
        """Update every view to the log's current head, creating missing ones; return the number of events applied.

        Calls `progress` with a projection's name and position after each transaction. Raises ProjectionFailed,
        ProjectionOutdated or ViewsOfAnotherLog; every view is then as of its checkpoint.
        """
        head = self.log.head().position
        return sum(self._catch_up(projection, head, progress) for projection in self.projections)

    def rebuild(self, progress: Progress | None = None) -> int:
        """Rebuild every view from the start, then catch up; return the number of events applied.

        Use it after a change of version, or to switch to another log. Readers see the old view until the rebuilt one
        replaces it.
        """
        head = self.log.head().position
        count = 0
        for projection in self.projections:
            with self._lock, self._views.changing() as db:
                self._views.drop(projection.name)
                self._create(projection, db)
                built = Checkpoint(projection.version)
                for events in self._batches(projection, built.position, head):
                    self._apply(projection, db, events)
                    count += len(events)
                    if progress is not None:
                        progress(projection.name, events[-1].position)
                self._views.record(projection.name, self._checkpoint_at(projection, head))
        return count + self.catch_up(progress)

    def lag(self) -> dict[str, ProjectionLag]:
        """Return how far each view is behind the log's current head, by projection name."""
        head = self.log.head()
        lags = {}
        for projection in self.projections:
            with self._lock:
                reached = self._views.checkpoint(projection.name) or Checkpoint(projection.version)
            late = timedelta()
            if reached.position < head.position and head.recorded_at is not None:
                since = reached.recorded_at or self._first_recorded_at()
                late = head.recorded_at - since
            behind = max(0, head.position - reached.position)
            lags[projection.name] = ProjectionLag(reached.position, behind, late.total_seconds())
        return lags

    def run(self, on_caught_up: Callable[[int], None] | None = None) -> None:
        """Catch up whenever the log grows, until `stop`; call `on_caught_up` each time with the position reached.

        Raises the errors of `catch_up`, and LogUnavailable once the log is closed.
        """
        head = -2  # below the head of any log
        while self.log.growth.wait(partial(self._has_to_look, head), None) and not self._stopped.is_set():
            head = self.log.open_head().position
            for projection in self.projections:
                self._catch_up(projection, head, None, self._stopped.is_set)
            if on_caught_up is not None and not self._stopped.is_set():
                on_caught_up(head)

    def _has_to_look(self, head: int) -> bool:
        return self._stopped.is_set() or self.log.open_head().position > head

    def stop(self) -> None:
        """End `run` after the current batch; any thread may call it, more than once."""
        self._stopped.set()
        self.log.growth.notify()

    def close(self) -> None:
        """Stop, and close the views file; the log stays open. May be called repeatedly."""
        self.stop()
        with self._lock:
            self._views.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- one projection -----------------------------------------------------------------------------------------------

    def _catch_up(
        self,
        projection: Projection,
        head: int,
        progress: Progress | None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> int:
        reached = self._opened(projection)
        count = 0
        for events in self._batches(projection, reached.position, head):
            if is_over():
                return count
            count += self._advance(projection, events, events[-1].position)
            if progress is not None:
                progress(projection.name, events[-1].position)
        self._advance(projection, [], head)
        if progress is not None:
            progress(projection.name, head)
        return count

    def _opened(self, projection: Projection) -> Checkpoint:
        """Return a view's checkpoint, creating the view if needed; check that it is of this version and log."""
        with self._lock:
            reached = self._views.checkpoint(projection.name)
            if reached is None:
                with self._views.changing() as db:
                    if self._views.checkpoint(projection.name) is None:
                        self._create(projection, db)
                return self._opened(projection)
        if reached.version != projection.version:
            raise ProjectionOutdated(projection.name, reached.version, projection.version)
        if reached.position >= 0:
            try:
                stored = self.log.commit_at(reached.position)
            except PositionBeyondHead as error:
                raise ViewsOfAnotherLog(projection.name, self._views.name, self.log.name, reached.position) from error
            if stored.digest != reached.digest:
                raise ViewsOfAnotherLog(projection.name, self._views.name, self.log.name, reached.position)
        return reached

    def _create(self, projection: Projection, db: sqlite3.Connection) -> None:
        before = self._views.objects()
        try:
            projection.create(db)
        except Exception as error:
            raise ProjectionFailed(projection.name, -1, error) from error
        self._views.add(projection.name, projection.version, self._views.objects() - before)

    def _batches(self, projection: Projection, after: int, until: int) -> Iterator[list[Recorded]]:
        if after >= until:
            return
        reading = self.log.read(after=after, until=until, query=projection.query)
        while events := list(islice(reading, self._batch)):
            yield events

    def _advance(self, projection: Projection, events: Sequence[Recorded], position: int) -> int:
        """Apply a batch and move the checkpoint to `position`; skip events that another runner has already applied."""
        target = self._checkpoint_at(projection, position)
        with self._lock, self._views.changing() as db:
            reached = self._views.checkpoint(projection.name)
            if reached is None or reached.version != projection.version:
                raise ProjectionOutdated(projection.name, 0 if reached is None else reached.version, projection.version)
            if reached.position >= position:
                return 0
            fresh = [recorded for recorded in events if recorded.position > reached.position]
            self._apply(projection, db, fresh)
            self._views.record(projection.name, target)
        return len(fresh)

    def _apply(self, projection: Projection, db: sqlite3.Connection, events: Sequence[Recorded]) -> None:
        position = -1
        try:
            for recorded in events:
                position = recorded.position
                projection.apply(db, recorded)
        except LogError:
            raise
        except Exception as error:  # user code, which may raise anything
            raise ProjectionFailed(projection.name, position, error) from error

    def _checkpoint_at(self, projection: Projection, position: int) -> Checkpoint:
        if position < 0:
            return Checkpoint(projection.version)
        stored = self.log.commit_at(position)
        return Checkpoint(projection.version, position, stored.digest, self.log.codec.metadata(stored).recorded_at)

    def _first_recorded_at(self) -> datetime:
        return self.log.codec.metadata(self.log.commit_at(0)).recorded_at
