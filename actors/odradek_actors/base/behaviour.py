"""What the author of an event-sourced actor writes: those methods of EventSourcedActor that are to be overridden."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from odradek_actors.base.actor import OdradekActor
from odradek_actors.errors import SnapshotWarning, as_error
from odradek_actors.messages.core import Tick
from odradek_actors.messages.recovery import Restored, SnapshotSchema

__all__ = ["RESTORING", "TAKING", "Behaviour", "Folded"]

TAKING = "take_snapshot (by default the aggregate's snapshot())"
RESTORING = "restore (by default the aggregate's classmethod restore())"


class Folded(Protocol):
    """State that is folded from events: `odradek.Aggregate` is one."""

    version: int

    def apply_all(self, events: Sequence[Any]) -> None:
        """Apply events in order and advance the version by their number. Must not refuse."""
        ...


S = TypeVar("S", bound=Folded)


class Behaviour(OdradekActor, Generic[S]):
    """The part of an EventSourcedActor that differs from one to the next. `self.state` is the aggregate."""

    state: S

    snapshot_schema: ClassVar[SnapshotSchema | None] = None
    """Set it to have snapshots taken and used; then the aggregate needs `snapshot` and `restore`, or override both."""

    def initial_state(self) -> S:
        """Return the state before the first event."""
        raise AssertionError(f"{type(self).__name__} must override initial_state")

    def start_volatile(self) -> None:
        """Set the state that is not folded from events and survives a recovery in place; called once, at the start."""

    def decide(self, command: Any) -> Sequence[Any]:
        """Return the events that a command leads to, as a list or tuple, or raise; change nothing.

        What it raises is the reply. No events: nothing is stored, and the command is answered at once.
        """
        raise AssertionError(f"{type(self).__name__} must override decide")

    def respond(self, command: Any, events: Sequence[Any]) -> object:
        """Return the answer to a command whose events are durable and applied: by default the stream's version."""
        return self.state.version

    def answer(self, query: Any) -> object:
        """Return the answer to a query, from applied state; an exception is a failure."""
        raise LookupError(f"{type(self).__name__} has no answer to {type(query).__name__}")

    def take_snapshot(self) -> msgspec.Struct:
        """Return the state in hand, as a Struct of the schema's type: by default what the aggregate's `snapshot` gives.

        It must hold all that `decide`, `answer` and later events need, and the version.
        """
        snapshot: msgspec.Struct = self.state.snapshot()  # type: ignore[attr-defined]  # who sets a schema has it
        return snapshot

    def restore(self, snapshot: Any) -> S:
        """Return the state that a snapshot holds, at its version: by default by the aggregate's `restore`."""
        state: S = type(self.initial_state()).restore(snapshot)  # type: ignore[attr-defined]  # as above
        return state

    def _encoded_snapshot(self, schema: SnapshotSchema) -> bytes:
        try:
            snapshot = self.take_snapshot()
            if not isinstance(snapshot, schema.type):
                raise TypeError(f"it returned a {type(snapshot).__name__}, not the schema's {schema.type.__name__}")
            return msgspec.json.encode(snapshot)
        except BaseException as raised:
            self._warn_of_snapshots(TAKING, as_error(raised))
            raise

    def _restored(self, snapshot: Restored) -> S:
        try:
            state = self.restore(snapshot.state)
            if state is None:
                raise TypeError("it returned None, not the aggregate")
            if state.version != snapshot.version:
                raise ValueError(f"restored from version {snapshot.version}, the aggregate is at {state.version}")
        except BaseException as raised:
            self._warn_of_snapshots(RESTORING, as_error(raised))
            raise
        return state

    def _warn_of_snapshots(self, what: str, error: Exception) -> None:
        """Tell the author, whose logging may be off; by default Python prints a warning once."""
        with suppress(SnapshotWarning):  # where warnings are errors: nothing depends on a snapshot
            advice = "nothing is lost, but each recovery folds the whole stream until it is mended"
            warnings.warn(f"{type(self).__name__}: {what} failed: {error!r}; {advice}", SnapshotWarning, stacklevel=2)

    def on_ready(self) -> None:
        """Do what is to be done each time the actor becomes ready, before the stash is emptied."""

    def on_applied(self, events: Sequence[Any], first_position: int) -> None:
        """Do what follows from applied events: wake readers, note positions. Also called in recovery.

        Recovery from a snapshot calls it for the events after it only: what is noted must be in the snapshot too.
        """

    def on_stopping(self) -> bool:
        """Prepare to stop; return False to be asked again the next time the actor becomes ready."""
        return True

    def on_giving_up(self, error: Exception) -> None:
        """Answer those who wait for something other than the stash."""

    def on_tick(self, tick: Tick) -> None:
        """Do what a timer asks for."""
