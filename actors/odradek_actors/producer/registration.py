"""A producer's own stream: registration, epochs and progress. The subclass sends the messages.

A producer appends nothing until it has something to send. Then, once per run, it registers, or it counts the messages
that an earlier run stored without recording them, and starts a new epoch. Progress is recorded in coalesced events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from odradek_actors.base.event_sourced import EventSourcedActor
from odradek_actors.messages.core import Command, Query, Tick
from odradek_actors.messages.log import CountProduced
from odradek_actors.messages.producers import DescribeProducer
from odradek_actors.messages.recovery import SnapshotSchema
from odradek_actors.producer.acknowledged import Progress
from odradek_actors.producer.outbox import is_refusal
from odradek_domain.producer.producer import Producer, ProducerSnapshot
from odradek_events.record import Decision

__all__ = ["ProducerRegistration"]


class ProducerRegistration(EventSourcedActor[Producer]):
    """Owns one Producer aggregate. The subclass queues and sends messages."""

    snapshot_schema = SnapshotSchema("producer", 1, ProducerSnapshot)

    _is_awake = False
    _is_waking = False
    _must_bump = False
    _epoch = -1  # of the aggregate, kept through a recovery in place
    _own = ""  # the purpose of the append in progress to the producer's own stream
    _progress_is_due = False
    _progress_is_refused = False
    _progress_is_fresh = False  # recorded on behalf of the waiting flushes

    def start_volatile(self) -> None:
        """Set the state that survives a recovery in place."""
        super().start_volatile()
        self._progress = Progress()
        self._flushes: list[tuple[Command, int]] = []  # each with the number of the last send before it

    def initial_state(self) -> Producer:
        """Return a producer that was never registered."""
        return Producer(self.id)

    # -- for the subclass ---------------------------------------------------------------------------------------------

    def first_queued(self) -> Command | None:
        """Return a queued send, if there is one."""
        raise AssertionError(f"{type(self).__name__} must override first_queued")

    def floors(self) -> Iterable[int]:
        """Return for each batch in flight a position below all its events."""
        raise AssertionError(f"{type(self).__name__} must override floors")

    def pump(self) -> None:
        """Send all batches that may be sent now."""

    def fail_queued(self, error: Exception) -> None:
        """Fail all queued sends with an error."""

    def finish_flushes(self) -> None:
        """Answer the flushes whose sends are all answered."""

    # -- registration and epochs --------------------------------------------------------------------------------------

    def on_ready(self) -> None:
        """Append the registration or epoch that queued sends need, then answer flushes."""
        self._progress.forget(self.state.counted_through)
        self._prepare()
        if self.is_ready:
            self.finish_flushes()

    def _prepare(self) -> None:
        """If sends are queued, register or start a new epoch first."""
        if not self.is_ready or self.first_queued() is None:
            return
        if not self._is_awake:
            self._wake()
        elif self._must_bump:
            self._append_own("bump", [self.state.bump_epoch(self.runtime.now())])

    def _wake(self) -> None:
        """Before the first send of a run, register, or count unrecorded messages and start a new epoch."""
        if self._is_waking:
            return
        producer = self.state
        if producer.is_registered:
            self.request(self.context.log_reader, CountProduced(self.id, producer.counted_through), self._counted)
        else:
            self._append_own("wake", producer.register(self.runtime.now()))
        self._is_waking = True

    def _counted(self, counted: Any) -> None:
        self._is_waking = False
        if isinstance(counted, Exception):
            self.fail_queued(counted)
            return
        if not self.is_ready:  # recovering: on_ready tries again
            return
        count, last = counted
        producer, now = self.state, self.runtime.now()
        self._progress.position = max(self._progress.position, last)
        progress = producer.record_progress(producer.message_count + count, last, now)
        self._append_own("wake", [*progress, producer.bump_epoch(now)])
        self._is_waking = True

    def _append_own(self, purpose: str, events: Sequence[Any]) -> None:
        self._own = purpose
        send = None if purpose == "progress" else self.first_queued()  # the cause of the registration or new epoch
        decisions = () if send is None else (Decision(len(events), send.correlation_id, send.correlation_id),)
        self.persist(events, (), lambda _: self._own_appended(purpose), decisions)

    def _own_appended(self, purpose: str) -> None:
        self._own = ""
        if purpose == "progress":
            self._progress_is_fresh = bool(self._flushes)
            return  # on_ready forgets the recorded messages
        self._is_awake, self._is_waking, self._must_bump = True, False, False
        self._epoch = self.state.epoch
        self.pump()

    def append_failed(self, commands: Sequence[Command], error: Exception) -> None:
        """Fail the queued sends if the log refused a registration or an epoch, without which nothing can be sent.

        Unrecorded progress is recorded next time. After an unknown outcome the sends stay queued until the recovery has
        shown what the stream contains.
        """
        super().append_failed(commands, error)
        purpose, self._own = self._own, ""
        if purpose == "progress":
            self._progress_is_refused = True
            return
        self._is_waking = False
        if is_refusal(error):
            self.fail_queued(error)

    # -- progress -----------------------------------------------------------------------------------------------------

    def handle_query(self, query: Query) -> None:
        """Answer with the number of acknowledged messages, recorded or not, of this run and earlier ones."""
        if not isinstance(query.body, DescribeProducer):
            super().handle_query(query)
            return
        recorded = self.state.message_count
        if self._is_awake:
            self.reply(query, recorded + self._progress.count_beyond(self.state.counted_through))
            return

        def counted(answer: Any) -> None:
            self.reply(query, answer if isinstance(answer, Exception) else recorded + answer[0])

        self.request(self.context.log_reader, CountProduced(self.id, self.state.counted_through), counted)

    def on_tick(self, tick: Tick) -> None:
        """Record progress."""
        self._progress_is_due = self._progress_is_refused = False
        if self.is_ready and self._is_awake:
            self._record_progress()
        elif self._progress:
            self._schedule_progress()

    def _schedule_progress(self) -> None:
        if not self._progress_is_due:
            self.tick(self.settings.progress_interval, Tick("progress"))
            self._progress_is_due = True

    def _record_progress(self) -> bool:
        """Record the acknowledged messages below all batches in flight; return whether there were any."""
        count, through = self._progress.to_record(self.floors())
        if not count or self._progress_is_refused or not self._is_awake:
            return False
        total = self.state.message_count + count
        self._append_own("progress", self.state.record_progress(total, through, self.runtime.now()))
        return True
