"""The PolicyActor: reads the log, has a policy react to the events, sends the commands, and records how far it came.

It reads from its position on, and waits at the end of the log until the Journal has stored more. Every command is
answered; the position moves on when those of all earlier events have succeeded. It is recorded at most once in
`progress_interval`, so a restart repeats what was done since: the receiving aggregate refuses what comes again.

    read --events--> react --commands--> other actors --answers--> position moves on --now and then--> recorded
     ^                 |                                   |
     |                 +---- raises, or a command fails ---+--> again after a back-off; at last it stops there
     +-- end of the log: the Journal says when it grows

An error of the system that may pass (an actor stopped, the log is unavailable) is retried until it passes. Any other
error is the event's own, and stops the policy after some attempts: to skip the event could lose money, and the events
after it may depend on it. The system goes on without the policy, and the next run tries the event again.

Considered: to take the events from the Journal's own appends, which would save reading them. But a policy that lags, or
has just started, reads the log anyway, and a second path would have to join the first one without a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from odradek_actors.base.deadline_timer import DeadlineTimer
from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.errors import ActorError
from odradek_actors.messages.core import Command, LookUp, Nobody, Query, Tick
from odradek_actors.messages.log import AwaitGrowth, EventsRead, ReadEvents
from odradek_actors.messages.recovery import SnapshotSchema
from odradek_actors.policy.window import Pending, Window
from odradek_domain.policy.progress import PolicyProgress, PolicySnapshot
from odradek_events.errors import EventNotReadable, LogError
from odradek_events.record import Appended, Decision
from odradek_events.schema.codec import OpaqueEvent

__all__ = ["PolicyActor"]

_ATTEMPTS = 5  # on an event that fails
_LONGEST_BACKOFF = 6  # powers of two
_MOST_UNRECORDED = 1000  # commands
_MOST_UNRECORDED_POSITIONS = 10_000  # without a command, which a restart reads again
_REASON_LENGTH = 1000


class PolicyActor(EventSourcedActor[PolicyProgress]):
    """Owns the progress of one policy, which is in the context by its name."""

    snapshot_schema = SnapshotSchema("policy", 1, PolicySnapshot)

    _growth: int | None = None  # the number of the request that waits for the log to grow
    _is_stopping = False
    _must_restart = False

    def initial_state(self) -> PolicyProgress:
        """Return a policy that has not reacted to anything."""
        return PolicyProgress(self.id)

    def start_volatile(self) -> None:
        """Find the policy; LookupError if the system was opened without it."""
        policy = self.context.policies.get(self.id)
        if policy is None:
            raise LookupError(f"the system has no policy {self.id!r}; pass it to ActorSystem.open(policies=[...])")
        self._policy = policy
        self._reset()

    def _reset(self) -> None:
        """Know of no event under way: `on_ready` begins at the recorded position."""
        self._continuations.clear()
        self._window: Window | None = None
        self._unanswered = 0
        self._is_reading = False  # or waiting for the log to grow
        self._growth = None
        self._failure: tuple[int, str] | None = None  # the position of the event that stopped it, and why
        self._must_record = False
        self._is_refused = False  # the last record of the progress
        self._read_timer = DeadlineTimer(self, "read")
        self._record_timer = DeadlineTimer(self, "record")

    @property
    def window(self) -> Window:
        """The events under way."""
        assert self._window is not None, f"{self.stream} has not recovered"
        return self._window

    def is_busy(self) -> bool:
        """Return whether events are being read, or commands wait for answers; not at the end of the log."""
        return self.is_deciding() or bool(self._continuations.keys() - {self._growth})

    def on_ready(self) -> None:
        """Begin to read, or read on; record what is due."""
        if self._window is None:
            self._window = Window(self.state.position, self._policy.max_in_flight)
        self.window.forget(self.state.position)
        self._record()
        self._read()

    # -- reading ------------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read more events, if half of the window is free."""
        room = self.window.room
        is_full = 2 * room < self._policy.max_in_flight
        if is_full or self._is_reading or self._is_stopping or self._failure is not None:
            return
        wanted = ReadEvents(self._policy.query, self.window.read_through, room)
        self.request(self.context.log_reader, wanted, self._events_read)
        self._is_reading = True

    def _events_read(self, answer: EventsRead | Exception) -> None:
        if self._is_stopping:
            return
        if isinstance(answer, Exception):
            self._read_later()
            return
        added = self.window.add(answer.events, answer.position)
        for pending in added:
            self._react(pending)
        if answer.is_last:
            self._growth = self.request(self.context.journal, AwaitGrowth(answer.position), self._grown)
        else:
            self._is_reading = False
        self._progressed()

    def _grown(self, answer: object) -> None:
        self._growth = None
        if isinstance(answer, Exception):
            self._read_later()
        else:
            self._is_reading = False
            self._read()

    def _read_later(self) -> None:
        self._read_timer.wake_in(self.settings.retry_backoff)

    # -- reacting -----------------------------------------------------------------------------------------------------

    def _react(self, pending: Pending) -> None:
        """Send the commands that an event leads to, or note why that fails."""
        recorded = pending.recorded
        try:
            if isinstance(recorded.event, OpaqueEvent):
                raise recorded.event.error_at(recorded.position)
            reactions = self._policy.reactions_to(recorded)
            metadata = recorded.metadata
        except BaseException as raised:
            self._failed_on(pending, self.answer_of("react", raised))
            return
        pending.begin(tuple(reaction.stream for reaction in reactions))
        if not reactions:
            self.window.finish(pending)
            return
        cause = Command(None, Nobody(), 0, metadata.correlation_id or metadata.event_id, metadata.event_id)
        then = partial(self._answered, pending)
        for reaction in reactions:
            self.request(self.context.directory, reaction.command, then, command=cause, forward_to=reaction.stream)
            self._unanswered += 1

    def _answered(self, pending: Pending, value: object) -> None:
        self._unanswered -= 1
        if pending.answered(value):
            if pending.error is None:
                self.window.finish(pending)
            else:
                self._failed_on(pending, pending.error)
            self._progressed()

    def _failed_on(self, pending: Pending, error: Exception) -> None:
        """React again after a back-off, or stop at this event."""
        position = pending.recorded.position
        pending.failures += 1
        can_pass = isinstance(error, ActorError | LogError) and error.retriable
        if isinstance(error, EventNotReadable) or (pending.failures >= _ATTEMPTS and not can_pass):
            self.log.error("policy stops", position=position, error=repr(error))
            if self._failure is None or position < self._failure[0]:
                self._failure = position, f"{type(error).__name__}: {error}"[:_REASON_LENGTH]
                self._record(is_due=True)
            return
        self.log.warning("policy reacts again", position=position, error=repr(error))
        delay = self.settings.retry_backoff * 2 ** min(pending.failures, _LONGEST_BACKOFF)
        pending.retry = self.runtime.new_number()
        self.tick(delay, Tick("retry", pending.retry))

    def on_tick(self, tick: Tick) -> None:
        """React again to an event, read again, or record the progress."""
        if self._window is None:  # the tick is from before a failed handler
            return
        if tick.purpose == "retry":
            pending = self.window.to_retry(tick.number)
            if pending is not None and not self._is_stopping:
                self._react(pending)
                self._progressed()
        elif self._read_timer.is_fired_by(tick):
            self._is_reading = False
            self._read()
        elif self._record_timer.is_fired_by(tick):
            self._record(is_due=True)

    # -- progress -----------------------------------------------------------------------------------------------------

    def _progressed(self) -> None:
        """After events were added or finished: see that they are recorded, and read on."""
        window = self.window
        if len(window.sent) >= _MOST_UNRECORDED:
            self._record(is_due=True)
        elif window.sent or window.position - self.state.position >= _MOST_UNRECORDED_POSITIONS:
            self._record_timer.wake_in(self.settings.progress_interval)
        self._read()
        if self._is_stopping and not self._unanswered and self.is_ready:
            self._go_on()

    def _record(self, *, is_due: bool = False) -> bool:
        """Record what is due, or have `on_ready` record it; return whether an append has begun."""
        self._must_record |= is_due
        if self._window is None or not (self._must_record and self.is_ready):
            return False
        self._must_record = False
        window, now = self._window, self.runtime.now()
        is_far = window.position - self.state.position >= _MOST_UNRECORDED_POSITIONS
        events: list[Any] = [] if self._failure is None else [*self.state.stop_at(*self._failure, now)]
        if events or window.sent or is_far:
            events = [*self.state.advance(window.position, window.sent, now), *events]
        if events:
            self.persist(events, (), self._recorded, (Decision(len(events)),))
        return bool(events)

    def _recorded(self, _: Appended) -> None:
        self._is_refused = False  # `on_ready` follows, which does the rest

    def append_failed(self, commands: Sequence[Command], error: Exception) -> None:
        """Record the progress later; what is not recorded is done again after a restart, and nothing is lost."""
        super().append_failed(commands, error)
        self._is_refused = True
        self._record_timer.wake_in(self.settings.progress_interval)

    def handler_failed(self, message: object, error: Exception) -> None:
        """Begin again at the recorded position, since what is under way may be half-changed."""
        if not isinstance(message, Command | Query):
            self._reset()
        super().handler_failed(message, error)

    # -- stopping -----------------------------------------------------------------------------------------------------

    def on_stopping(self) -> bool:
        """Wait for the answers to commands, record the progress, then agree to stop."""
        self._is_stopping = True
        return not self._unanswered and not self._record(is_due=not self._is_refused)

    def on_giving_up(self, error: Exception) -> None:
        """Have the directory start the policy again, unless it was asked to stop, or its stream cannot be read."""
        self._must_restart = not (self._is_stopping or isinstance(error, EventNotReadable))

    def on_stop(self) -> None:
        """Nothing but the directory would notice that a policy was killed."""
        self._continuations.clear()
        super().on_stop()
        if self._must_restart:
            self.send(self.context.directory, Query(LookUp(self.stream), Nobody()))
