"""EventSourcedActor: decides, appends, applies and replies, in that order; recovers from the log after failures.

Prior art: Pekko Persistence (persist, then run side effects; after a write of unknown outcome an actor must not simply
resume). Here an actor has at most one append in progress. Meanwhile commands wait in a stash. Queries are answered from
applied, hence durable, state, except during recovery.

    recovering --fenced, read, applied--> ready --decided--> appending --appended, applied--> ready
         ^                                                       |
         +---- outcome unknown, or apply failed -----------------+

A command with a decision model passes through `reading` before it is decided: the LogReader reads the events that match
the model's query. If another matching event is stored first, the log refuses the append, and the actor goes back to
`reading`. This always ends, because some actor's append succeeded each time; a bound guards against a query that other
writers match incessantly.

A rejected append (nothing written) does not change the state. After an unknown outcome the actor drops its state and
rebuilds it from the log. It first sends a Fence through the Journal, so that it cannot read the log before its own late
append has been written.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from odradek_actors.base.actor import ActorContext
from odradek_actors.base.behaviour import Behaviour, S
from odradek_actors.base.decision_model import DecisionModel, ModelStates
from odradek_actors.base.snapshot_schedule import SnapshotSchedule
from odradek_actors.errors import (
    ActorFailed,
    ActorStopped,
    AnswerLost,
    DecisionContended,
    NotUnderstood,
    as_error,
)
from odradek_actors.messages.core import (
    Answerable,
    Command,
    GetCopy,
    GetSnapshot,
    Passivated,
    Query,
    Recover,
    Reply,
    Snapshot,
    Stop,
    Tick,
)
from odradek_actors.messages.log import Facts, Fence, Fenced, JournalAppend, JournalResult, ReadFacts
from odradek_actors.messages.recovery import ReadStream, Restored, SaveSnapshot, StreamChunk
from odradek_actors.runtime.forwarding import Forwarding
from odradek_domain.aggregate import Walked
from odradek_domain.errors import NoApplier
from odradek_events.errors import (
    ConditionNotMet,
    EventNotReadable,
    LogUnavailable,
    OutcomeUnknown,
    WrongExpectedVersion,
)
from odradek_events.record import Append, Appended, Commit, Condition, Decision, Rejected, events_of
from odradek_events.validation import check_instance

__all__ = ["EventSourcedActor"]

_GIVE_UP_AFTER = 5  # failures in a row
_MOST_DECISIONS = 100  # of one command; as many actors may race for one query


Waiting = Command | Query | Stop | Recover | Tick


@dataclass(slots=True)
class _Appending:
    """An append that is under way."""

    events: Sequence[Any]
    commands: Sequence[Command]
    then: Callable[[Appended], None]
    on_conflict: Callable[[ConditionNotMet], None] | None


class EventSourcedActor(Behaviour[S]):
    """An actor that owns one aggregate and its stream.

    Override `initial_state`, `decide` and, optionally, `answer` and `respond`. Override `reads` and `decide_on` for
    commands that are decided on facts beyond the stream. Set a `snapshot_schema` if streams grow long. Handlers must
    not block. `self.id` is the part of the stream's name after the slash. `self.state` is the aggregate; change it only
    through events.

    `__init__` runs on the directory's thread and delays every look-up, so it only sets attributes. The aggregate is
    created on the actor's own thread.
    """

    def __init__(self, context: ActorContext, stream: str) -> None:
        super().__init__(context)
        self.stream = stream
        self.id = stream.partition("/")[2]
        self.log = self.log.bind(stream=stream)
        self.stash: deque[Waiting] = deque()
        self._position = -1  # of the last applied event
        self._snapshots = SnapshotSchedule(0 if self.snapshot_schema is None else self.settings.snapshot_interval)
        self._mistrusts_snapshots = False
        self._phase = "recovering"
        self._recovery = 0
        self._failures = 0
        self._commit_id = ""  # of the last append
        self._appending: _Appending | None = None
        self._model_states = ModelStates()
        self._reading: Command | None = None
        self._stored: tuple[Sequence[Command], Callable[[Appended], None], Appended] | None = None
        self._must_look_idle = False  # a Tick that checks whether the actor can passivate is on its way
        self._stopped_by: Exception = ActorStopped(stream)  # the answer to requests after the actor has stopped
        self.handlers = {
            Command: self._when_ready,
            Query: self._query,
            JournalResult: self._journal_answered,
            Fenced: self._fenced,
            StreamChunk: self._chunk_read,
            Stop: self._when_ready,
            Recover: self._when_ready,
            Tick: self._tick,
        }

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.stream!r} {self._phase}>"

    # -- commands -----------------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether the actor is neither recovering, appending nor stopped."""
        return self._phase == "ready"

    def is_busy(self) -> bool:
        """Return whether the actor is deciding, or waits for another actor's answer."""
        return self.is_deciding() or bool(self._continuations)

    def is_deciding(self) -> bool:
        """Return whether the actor is recovering, appending, has stashed messages, or is about to passivate."""
        is_ending = self._must_look_idle and not self._continuations
        return self._phase not in ("ready", "stopped") or bool(self.stash) or is_ending

    def on_start(self) -> None:
        """Recover. If the aggregate cannot be created, answer requests with the error, then stop."""
        try:
            self.start_volatile()
            self._recover()
        except BaseException as raised:
            error = as_error(raised)
            self.log.error("start failed", error=repr(error), exc_info=error)
            self._answer_until_stopped(error)

    def _answer_until_stopped(self, error: Exception) -> None:
        """Answer requests with the error for retry_backoff, then stop: requests that are on their way get it too."""
        self._phase, self._stopped_by = "stopped", error
        self.tick(self.settings.retry_backoff, Tick("stop"))

    def handle_command(self, command: Command) -> None:
        """Decide, append, apply, respond; before that read the command's decision model, if it has one."""
        try:
            model = self.reads(command.body)
            if model is not None:
                check_instance("the result of reads", model, DecisionModel, "a DecisionModel or None")
                self._read_facts(command, model, 1)
                return
            events = events_of(self._follow(command.causation_id, self.decide, command.body))
        except BaseException as raised:  # decide is pure: the state is as it was, and the error is the answer
            self.reply(command, self.answer_of("decide", raised))
            return
        self.persist(events, (command,), lambda _: self._respond(command, events))

    def _read_facts(self, command: Command, model: DecisionModel, number: int) -> None:
        """Read the events that the model's state does not have, then make decision `number` on the command."""
        wanted = ReadFacts(model.query, self._model_states.position_of(model))
        self.request(self.context.log_reader, wanted, partial(self._facts_read, command, model, number))
        self._phase, self._reading = "reading", command

    def _facts_read(self, command: Command, model: DecisionModel, number: int, facts: Facts | Exception) -> None:
        if self._phase != "reading" or self._reading is not command:  # it recovered or stopped in between
            if not isinstance(facts, AnswerLost):
                self._when_ready(command)
            elif not self.holds(command):
                self.reply(command, facts)
            return
        self._phase, self._reading = "ready", None
        try:
            if isinstance(facts, Exception):
                raise facts
            state = self._model_states.advance(model, facts.events, facts.position)
            if not facts.is_last:
                self._read_facts(command, model, number)
                return
            events = events_of(self._follow(command.causation_id, self.decide_on, command.body, state))
        except BaseException as raised:  # the state of the stream is as it was
            self.reply(command, self.answer_of("decide_on", raised))
        else:
            self.persist(
                events,
                (command,),
                partial(self._decided_on, command, model, facts, events),
                condition=Condition(model.query, facts.position),
                on_conflict=partial(self._decide_again, command, model, number),
            )
        self._go_on()

    def _decided_on(
        self, command: Command, model: DecisionModel, facts: Facts, events: Sequence[Any], appended: Appended
    ) -> None:
        """Respond, then fold the stored events that match too: the condition held, so no other event came before."""
        self._respond(command, events)
        if not events or self._model_states.position_of(model) != facts.position:
            return
        try:
            self._model_states.advance(model, list(filter(facts.matches, events)), appended.last_position)
        except BaseException as raised:  # the next decision with the model reads it again, and answers with the error
            self.log.error("fold of a decision model failed", error=repr(raised), exc_info=raised)

    def _decide_again(self, command: Command, model: DecisionModel, number: int, conflict: ConditionNotMet) -> None:
        if number < _MOST_DECISIONS:
            self._read_facts(command, model, number + 1)
            return
        error = DecisionContended(self.stream, number)
        error.__cause__ = conflict
        self.reply(command, error)

    def _respond(self, command: Command, events: Sequence[Any]) -> None:
        try:
            value = self.respond(command.body, events)
        except BaseException as raised:  # the events are durable and applied; only the answer is missing
            error = as_error(raised)
            self.log.error("respond failed", error=repr(error), exc_info=error)
            value = error
        self.reply(command, value)

    def persist(
        self,
        events: Sequence[Any],
        commands: Sequence[Command],
        then: Callable[[Appended], None],
        decisions: Sequence[Decision] | None = None,
        *,
        is_checked: bool = False,
        condition: Condition | None = None,
        on_conflict: Callable[[ConditionNotMet], None] | None = None,
    ) -> None:
        """Append `events`, apply them, then call `then`. On failure `append_failed` gets `commands` and the error.

        Events that the aggregate does not apply are such a failure, and nothing is appended; see `NoApplier`.

        `decisions` assigns the events to their causes; by default, `commands` is one command that caused all of them.
        Without events, `then` is called at once.
        `is_checked` asserts that every field has a value of its declared type, so the log skips its own check. If
        `condition` is not met, `on_conflict` is called instead of `append_failed`, if it is given.
        """
        if not events:
            here = self.state.version
            then(Appended(-1, -1, here + 1, here, self.runtime.now()))
            return
        assert self._phase == "ready", f"{self.stream} appends while {self._phase}"
        require_appliers = getattr(self.state, "require_appliers", None)
        if require_appliers is not None:
            try:
                require_appliers(events)
            except NoApplier as error:
                self.log.error("event without applier", error=str(error))
                self.append_failed(commands, error)
                return
        if decisions is None:
            decisions = [Decision(len(events), command.correlation_id, command.causation_id) for command in commands]
        self._commit_id = self.runtime.new_id()
        append = Append(
            stream=self.stream,
            events=events,
            expected_version=self.state.version,
            commit_id=self._commit_id,
            actor=type(self).__name__,
            decisions=tuple(decisions),
            is_checked=is_checked,
            condition=condition,
        )
        self.send(self.context.journal, JournalAppend(append, self.actor_ref))
        self._phase = "appending"
        self._appending = _Appending(events, commands, then, on_conflict)

    def _when_ready(self, message: Waiting) -> None:
        if self._phase != "ready":
            if self._phase == "stopped":
                self.refuse(message, self._stopped_by)
            else:
                self.stash.append(message)
            return
        self._process(message)

    def _process(self, message: Waiting) -> None:
        if type(message) is Command:
            self.handle_command(message)
        elif type(message) is Query:
            self._query(message)
        elif type(message) is Recover:
            self._recover()
        elif type(message) is Stop:
            if self._is_prepared_to_stop():
                self._end()
                self._empty_stash(ActorStopped(self.stream))
            else:
                self.stash.append(message)

    def _is_prepared_to_stop(self) -> bool:
        try:
            return self.on_stopping()
        except BaseException as raised:  # stop anyway: the caller of close() waits for this actor
            self.log.error("on_stopping failed", error=repr(raised), exc_info=raised)
            return True

    def _end(self) -> None:
        if self._snapshots.is_due_at_stop(self.state.version):
            self._take_snapshot()
        self._phase = "stopped"
        self.stop()

    def _query(self, query: Query) -> None:
        if self._phase == "recovering":
            self.stash.append(query)
        elif self._phase == "stopped":
            self.refuse(query, self._stopped_by)
        elif type(query.body) is GetSnapshot:
            self.reply(query, Snapshot(self.stream, self.state.version, self.state.snapshot()))  # type: ignore[attr-defined]  # built-in
        elif type(query.body) is GetCopy:
            self.reply(query, self._copy_of_state())
        else:
            self.handle_query(query)

    def _copy_of_state(self) -> Snapshot | Exception:
        try:
            return Snapshot(self.stream, self.state.version, copy.deepcopy(self.state))
        except BaseException as raised:  # as in a query: the state is unchanged, so the error is the answer
            return self.answer_of("copy", raised)

    def handle_query(self, query: Query) -> None:
        """Answer a query."""
        try:
            value = self.answer(query.body)
        except BaseException as raised:  # a query changes no state, so the error is simply the answer
            value = self.answer_of("answer", raised)
        self.reply(query, value)

    def _tick(self, tick: Tick) -> None:
        if tick.purpose == "stop":
            self.stop()
        elif tick.purpose == "passivate":
            self._passivate_if_idle()
        elif tick.purpose == "recover":
            if self._phase == "recovering" and tick.number == self._recovery:
                self._recover()
        elif tick.purpose == "resume":
            self._go_on()
        elif self._phase != "stopped":
            self.on_tick(tick)

    # -- passivation --------------------------------------------------------------------------------------------------

    def is_in_use(self) -> bool:
        """Return whether something uses the actor, so that it must not passivate; by default always True."""
        return True

    def passivate_if_unused(self) -> None:
        """Passivate once the actor is idle, unless it is in use again by then. The next request starts a new actor."""
        if not self._must_look_idle and not self.is_in_use():
            self.send(self.actor_ref, Tick("passivate"))  # queued behind the requests already in the inbox
            self._must_look_idle = True

    def _passivate_if_idle(self) -> None:
        self._must_look_idle = False
        if self._phase == "stopped" or self.is_in_use():
            return
        if self.is_ready and not self.is_busy() and not self._continuations:
            self.forwarding = Forwarding(self.context.directory, self.stream)
            self.runtime.forward(self.actor_ref, self.forwarding)
            self._end()
        else:
            self.tick(self.settings.retry_backoff, Tick("passivate"))
            self._must_look_idle = True

    # -- after the journal's answer -----------------------------------------------------------------------------------

    def _journal_answered(self, result: JournalResult) -> None:
        appending = self._appending
        if appending is None:
            return
        events, commands, then = appending.events, appending.commands, appending.then
        verdict = result.verdict
        if isinstance(verdict, Appended):
            self._appending = None
            self._failures = 0
            try:
                self.state.apply_all(events)
                self._position = verdict.last_position
                self.on_applied(events, verdict.first_position)
            except BaseException as raised:  # durable, but the state may be corrupt: rebuild it, then answer
                error = as_error(raised)
                self.log.error("apply failed", error=repr(error), exc_info=error)
                self._stored = (commands, then, verdict)
                self._failed(error)
                return
            self._phase = "ready"
            self._finish(commands, partial(self._follow, f"{self._commit_id}/{len(events) - 1}", then), verdict)
            if self.state.version >= self._snapshots.due:
                self._take_snapshot()
            self._go_on()
            return
        if appending.on_conflict is not None and isinstance(verdict.error, ConditionNotMet):
            self._appending, self._phase = None, "ready"
            self._finish(commands, appending.on_conflict, verdict.error)
            self._go_on()
            return
        self.append_failed(commands, verdict.error)
        self._appending = None
        if isinstance(verdict, Rejected) and not isinstance(verdict.error, WrongExpectedVersion):
            self._phase = "ready"
            self._go_on()
        else:
            self._failed(verdict.error)

    def _finish(self, commands: Sequence[Command], then: Callable[[Any], object], outcome: Any) -> None:
        """Call `then` after an append. If it raises, the commands get OutcomeUnknown: their events may be stored."""
        try:
            then(outcome)
        except BaseException as raised:
            error = self.report_failure("answer", raised)
            self.append_failed(commands, OutcomeUnknown(self.stream, repr(error)))
            self.resume_later(error)

    def append_failed(self, commands: Sequence[Command], error: Exception) -> None:
        """Reply with the error to commands whose events were not, or perhaps not, stored."""
        for command in commands:
            self.reply(command, error)

    def _go_on(self) -> None:
        if self._phase == "ready":
            self.on_ready()
        waiting = len(self.stash)  # a Stop that must wait goes to the back of the stash, once per round
        while self._phase == "ready" and self.stash and waiting:
            waiting -= 1
            self.take_up(self.stash.popleft())

    def take_up(self, message: Waiting) -> None:
        """Handle a message that was held back, or stash it. If that fails, the error is this message's."""
        try:
            self._when_ready(message)
        except BaseException as raised:
            self.handler_failed(message, as_error(raised))

    def handler_failed(self, message: object, error: Exception) -> None:
        """Answer or repeat the message, then go on. If it belongs to an append or a recovery, rebuild the state.

        A Stop, Tick or the like that fails too often in a row stops the actor.
        """
        if isinstance(message, JournalResult | Fenced | StreamChunk):
            self.log.error("handler failed", message=type(message).__name__, error=repr(error), exc_info=error)
            self._start_over(error)
            return
        super().handler_failed(message, error)
        if self._phase == "stopped" or isinstance(error, NotUnderstood):
            return
        self.resume_later(error)
        if not isinstance(message, Answerable | Reply):
            self._failures += 1
            if self._failures > _GIVE_UP_AFTER:
                self._give_up(error)

    def resume_later(self, error: Exception) -> None:
        """Call `on_ready` after retry_backoff, for what a failed handler or continuation should have begun."""
        self.tick(self.settings.retry_backoff, Tick("resume"))

    def lose_answer(self, then: Callable[[Any], object], error: Exception) -> None:
        """Call the continuation again; if it also fails with AnswerLost, rebuild the state."""
        try:
            super().lose_answer(then, error)
        except BaseException as raised:
            self._start_over(self.report_failure("continuation", raised))

    def holds(self, request: object) -> bool:
        """Return whether a request is stashed, waits for facts, or its events are being appended."""
        appending = () if self._appending is None else self._appending.commands
        return any(waiting is request for waiting in (*self.stash, *appending, self._reading))

    def _start_over(self, error: Exception) -> None:
        """Give up an append in progress, and rebuild the state."""
        if self._phase == "stopped":
            return
        if self._appending is not None:
            self.append_failed(self._appending.commands, OutcomeUnknown(self.stream, repr(error)))
            self._appending = None
        self._failed(error)

    # -- recovery -----------------------------------------------------------------------------------------------------

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures > _GIVE_UP_AFTER:
            self._give_up(error)
            return
        self._phase = "recovering"
        self._recovery = self.runtime.new_number()
        if self._failures == 1:
            self._recover()
        else:
            self.tick(self.settings.retry_backoff * 2**self._failures, Tick("recover", self._recovery))

    def _recover(self) -> None:
        self._phase = "recovering"
        self._recovery = self.runtime.new_number()
        self.state = self.initial_state()
        self._position = -1
        self._snapshots.taken(-1, 0)
        self.send(self.context.journal, Fence(self.actor_ref, self._recovery))

    def _fenced(self, message: Fenced) -> None:
        if message.number != self._recovery or self._phase != "recovering":
            return
        if message.error is not None:
            self._recovery_failed(message.error)
            return
        wants_snapshot = self.settings.snapshot_interval > 0 and not self._mistrusts_snapshots
        schema = self.snapshot_schema if wants_snapshot else None
        self._recovery = self.runtime.new_number()
        self.send(self.context.log_reader, ReadStream(self.stream, self.actor_ref, self._recovery, schema))

    def _chunk_read(self, chunk: StreamChunk) -> None:
        if chunk.number != self._recovery or self._phase != "recovering":
            return
        if chunk.error is not None:
            self._recovery_failed(chunk.error)
            return
        try:
            if chunk.snapshot is not None:
                self._begin_at(chunk.snapshot)
            for commit in chunk.commits:
                if self._failures:
                    self._apply_walked(commit)
                else:
                    self.state.apply_all(commit.events)
                self._position = commit.last_position
                self.on_applied(commit.events, commit.first_position)
        except BaseException as raised:
            error = as_error(raised)
            self.log.error("recovery failed", error=repr(error), exc_info=error)
            self._mistrusts_snapshots = True  # fold the whole stream next time
            self._recovery_failed(error)
            return
        if chunk.is_last:
            self._phase = "ready"
            if self.state.version >= self._snapshots.due:
                self._take_snapshot()
            stored, self._stored = self._stored, None
            if stored is not None:
                self._finish(*stored)
            self._go_on()

    def _apply_walked(self, commit: Commit) -> None:
        """Apply a commit after a failure, so that the error names the event that the aggregate cannot apply."""
        events = Walked(commit.events)
        try:
            self.state.apply_all(events)
        except BaseException as raised:
            error = as_error(raised)
            raise events.failure(self.stream, commit.first_position, error) from error

    def _begin_at(self, snapshot: Restored) -> None:
        self.state = self._restored(snapshot)
        self._position = snapshot.position
        self._snapshots.taken(snapshot.version, snapshot.size)

    def _take_snapshot(self) -> None:
        """Encode the state and send it to the SnapshotWriter. Its size determines when the next snapshot is due.

        It is encoded here because nothing mutable may leave the actor.
        """
        schema, version = self.snapshot_schema, self.state.version
        assert schema is not None, "without a schema, no snapshot is ever due"
        try:
            payload = self._encoded_snapshot(schema)
        except BaseException as raised:  # go on: the log has all events, and a snapshot only saves time
            error = as_error(raised)
            self.log.error("snapshot failed", error=repr(error), exc_info=error)
            self._snapshots.taken(version, 0)
            return
        self._snapshots.taken(version, len(payload))
        self.send(
            self.context.snapshots,
            SaveSnapshot(self.stream, version, self._position, schema.name, schema.version, payload),
        )

    def _recovery_failed(self, error: Exception) -> None:
        if any(type(message) is Stop for message in self.stash):
            self._give_up(error)  # a Stop is pending, and the accepted commands cannot be finished
            return
        if isinstance(error, EventNotReadable):  # a retry cannot help
            self.log.error("stopping", error=str(error))
            self._abandon(error)
            self._answer_until_stopped(error)
            return
        if isinstance(error, LogUnavailable):
            self._empty_stash(error)  # fail the current callers now, but keep retrying for later ones
        self._failed(error)

    def _give_up(self, error: Exception) -> None:
        self.log.error("giving up", error=repr(error))
        failed = ActorFailed(self.stream, str(error))
        failed.__cause__ = error
        self._abandon(failed)
        self.stop()

    def on_stop(self) -> None:
        """Answer every pending request, even if the actor was stopped during an append or a recovery."""
        if self._phase != "stopped":
            self._abandon(ActorStopped(self.stream))
        self._empty_stash(ActorStopped(self.stream))
        super().on_stop()
        if self.forwarding is not None:
            self.send(self.context.directory, Passivated(self.stream, self.actor_ref))

    def _abandon(self, error: Exception) -> None:
        self._phase = "stopped"
        try:
            self.on_giving_up(error)
        except BaseException as raised:  # the other callers must be answered too
            self.log.error("on_giving_up failed", error=repr(raised), exc_info=raised)
        if self._appending is not None:
            commands, self._appending = self._appending.commands, None
            self.append_failed(commands, OutcomeUnknown(self.stream, str(error)))
        if self._stored is not None:  # durable, so not ActorStopped, which says that the message was not handled
            is_open = isinstance(error, ActorStopped)
            self.append_failed(self._stored[0], OutcomeUnknown(self.stream, str(error)) if is_open else error)
        self._empty_stash(error)

    def _empty_stash(self, error: Exception) -> None:
        while self.stash:
            self.refuse(self.stash.popleft(), error)

    def refuse(self, message: Any, error: Exception) -> None:
        """Answer a stashed message with an error, or pass it on to the actor's successor."""
        route = None if self.forwarding is None else self.forwarding.route(message)
        if route is not None:
            self.send(*route)
        elif isinstance(message, Command | Query):
            self.reply(message, error)
        elif isinstance(message, Stop) and self.actor_ref.is_alive():
            self.stop()
