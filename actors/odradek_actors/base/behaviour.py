"""The methods of EventSourcedActor that a user-defined actor overrides."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from odradek_actors.base.actor import OdradekActor
from odradek_actors.base.decision_model import DecisionModel
from odradek_actors.errors import SnapshotWarning, as_error
from odradek_actors.messages.core import Tick
from odradek_actors.messages.recovery import Restored, SnapshotSchema
from odradek_domain.aggregate import Folded
from odradek_events.validation import as_plain

__all__ = ["RESTORING", "TAKING", "Behaviour"]

TAKING = "take_snapshot (by default the aggregate's snapshot())"
RESTORING = "restore (by default the aggregate's classmethod restore())"


S = TypeVar("S", bound=Folded, covariant=True)  # so that a dict of several actor classes has a common type


class Behaviour(OdradekActor, Generic[S]):
    """The overridable part of an EventSourcedActor. `self.state` is the aggregate."""

    state: S

    snapshot_schema: ClassVar[SnapshotSchema | None] = None
    """Set it to enable snapshots; then the aggregate needs `snapshot` and `restore`, or override both methods here."""

    def initial_state(self) -> S:
        """Return the state before the first event.

        Also called on an actor that is not started, when the stream is folded from the log: it must depend on the
        actor's stream, id and settings alone.
        """
        raise AssertionError(f"{type(self).__name__} must override initial_state")

    def start_volatile(self) -> None:
        """Initialise state that is not folded from events and survives a recovery in place. Called once, at start."""

    def decide(self, command: Any) -> Sequence[Any] | msgspec.Struct | None:
        """Return the events that a command causes, or raise to refuse it. Must not change the state.

        Return an event, a list or tuple of events, or None. Without events nothing is stored, and the command is
        answered at once. An exception is the reply. `self.cause` is the causation id of the command, such as the id of
        the event that a policy reacts to; empty if it has none.
        """
        raise AssertionError(f"{type(self).__name__} must override decide")

    def reads(self, command: Any) -> DecisionModel | None:
        """Return the facts beyond the own stream that a command is decided on; by default None.

        With a model, `decide_on` decides the command instead of `decide`. Must not change the state.
        """
        return None

    def decide_on(self, command: Any, facts: Any) -> Sequence[Any] | msgspec.Struct | None:
        """Return the events that a command causes, as `decide` does, given the state of its decision model.

        The events are appended on condition that no further event matches the model's query. If one does, this is
        called again with the new state. Must change neither state.
        """
        raise AssertionError(f"{type(self).__name__} must override decide_on")

    def respond(self, command: Any, events: Sequence[Any]) -> object:
        """Return the reply to a command whose events are durable and applied; by default the stream's version."""
        return self.state.version

    def answer(self, query: Any) -> object:
        """Return the answer to a query from applied state; an exception is sent to the requester."""
        raise LookupError(f"{type(self).__name__} has no answer to {type(query).__name__}")

    def take_snapshot(self) -> msgspec.Struct:
        """Return the current state as a Struct of the schema's type; by default the aggregate's `snapshot()`.

        It must hold the version and everything that `decide`, `answer` and `apply` need.
        """
        snapshot: msgspec.Struct = self.state.snapshot()  # type: ignore[attr-defined]  # required with a schema
        return snapshot

    def restore(self, snapshot: Any) -> S:
        """Return the state of a snapshot, at its version; by default the aggregate's `restore(snapshot)`."""
        state: S = type(self.initial_state()).restore(snapshot)  # type: ignore[attr-defined]  # as above
        return state

    def _encoded_snapshot(self, schema: SnapshotSchema) -> bytes:
        try:
            snapshot = self.take_snapshot()
            if not isinstance(snapshot, schema.type):
                raise TypeError(f"it returned a {type(snapshot).__name__}, not the schema's {schema.type.__name__}")
            return msgspec.json.encode(snapshot, enc_hook=as_plain)
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
        """Warn the actor's author, whose logging may be off; by default Python prints the warning once."""
        with suppress(SnapshotWarning):  # if warnings are errors: a failing snapshot must not fail the actor
            advice = "no data is lost, but each recovery folds the whole stream until this is fixed"
            warnings.warn(f"{type(self).__name__}: {what} failed: {error!r}; {advice}", SnapshotWarning, stacklevel=2)

    def on_ready(self) -> None:
        """Run each time the actor becomes ready, before it processes stashed messages."""

    def on_applied(self, events: Sequence[Any], first_position: int) -> None:
        """React to applied events, for example wake readers or record positions. Also called in recovery.

        Recovery from a snapshot calls it only for later events, so whatever it records must be in the snapshot too.
        """

    def on_stopping(self) -> bool:
        """Prepare to stop; return False to be called again the next time the actor becomes ready."""
        return True

    def on_giving_up(self, error: Exception) -> None:
        """Answer the requests that wait outside the stash: the actor stops."""

    def on_tick(self, tick: Tick) -> None:
        """Handle a Tick of a timer."""
