"""The ProducerActor: queues sends, routes their messages, numbers batches, and answers flushes.

Each topic has an outbox. Sends queue in it, leave as batches (at most `max_in_flight` unacknowledged), and are answered
in order. While batches are in flight, later sends gather into the next batch without an extra delay; `linger_ms` adds a
delay. Outboxes are volatile but survive a recovery in place. `delivery` retries batches until they are answered.
`registration` records the aggregate's events (registration, epoch, progress), independently of the sends.
"""

from __future__ import annotations

from typing import Any

from odradek_actors.errors import ActorStopped
from odradek_actors.messages.core import Command, Query, Tick
from odradek_actors.messages.producers import CloseProducer, FlushProducer, OpenProducer, Send
from odradek_actors.producer.delivery import ProducerDelivery
from odradek_actors.producer.outbox import Batch, Outbox, Waiting
from odradek_domain.errors import PartitionNotFound
from odradek_domain.producer.routing import MessageRoutingService
from odradek_domain.topic.topic import AppendMessages
from odradek_events.errors import OutcomeUnknown

__all__ = ["ProducerActor"]


class ProducerActor(ProducerDelivery):
    """Owns one Producer aggregate and its outboxes."""

    def start_volatile(self) -> None:
        """Set the state that survives a recovery in place."""
        super().start_volatile()
        self._outboxes = {}
        self._router = MessageRoutingService()
        self._is_stopping = False
        self._last_send = 0
        self._handles: set[int] = set()  # the open handles

    def is_busy(self) -> bool:
        """Return whether sends, batches or flushes are pending."""
        return super().is_busy() or any(outbox.is_busy for outbox in self._outboxes.values()) or bool(self._flushes)

    def is_in_use(self) -> bool:
        """Return whether a handle is open."""
        return bool(self._handles)

    def handle_query(self, query: Query) -> None:
        """Answer, then passivate if no handle is open."""
        super().handle_query(query)
        self.passivate_if_unused()

    def holds(self, request: object) -> bool:
        """Return whether a request is stashed, or a send or flush is not answered yet."""
        sends = (waiting for outbox in self._outboxes.values() for waiting in outbox.unanswered())
        flushes = (command for command, _ in self._flushes)
        held = (*(waiting.command for waiting in sends), *flushes)
        return any(command is request for command in held) or super().holds(request)

    # -- for the registration -----------------------------------------------------------------------------------------

    def first_queued(self) -> Command | None:
        """Return a queued send, if there is one."""
        return next((outbox.queue[0].command for outbox in self._outboxes.values() if outbox.queue), None)

    def floors(self) -> list[int]:
        """Return for each batch in flight a position below all its events."""
        return [batch.floor for outbox in self._outboxes.values() for batch in outbox.in_flight]

    def on_giving_up(self, error: Exception) -> None:
        """Fail all batches in flight and all queued sends; answer all flushes."""
        for outbox in self._outboxes.values():
            for batch in tuple(outbox.in_flight):
                self.fail(outbox, batch, OutcomeUnknown(f"topic/{outbox.topic}", f"{self.stream} stopped"))
        self.fail_queued(error)
        for command, _ in self._flushes:
            self.reply(command, None)
        self._flushes.clear()

    def fail_queued(self, error: Exception) -> None:
        """Fail all queued sends with an error."""
        for outbox in self._outboxes.values():
            self.empty_queue(outbox, error)
        self.finish_flushes()
        self.stop_if_asked()

    # -- commands -----------------------------------------------------------------------------------------------------

    def _when_ready(self, message: Any) -> None:
        # Sends and flushes do not use the aggregate, so an append of the producer's own progress must not delay them.
        if type(message) is Command and self._phase != "stopped" and type(message.body) in _UNSTASHED:
            self.handle_command(message)
        else:
            super()._when_ready(message)

    def handle_command(self, command: Command) -> None:
        """Queue sends; hold flushes until all earlier sends are answered."""
        body = command.body
        if isinstance(body, OpenProducer):
            self._handles.add(body.handle)
            self.reply(command, None)
        elif isinstance(body, Send):
            self._handles.add(body.handle)
            if self._is_stopping:
                self.reply(command, ActorStopped(f"producer {self.id!r}"))
                return
            self._enqueue(command, body)
        elif isinstance(body, FlushProducer | CloseProducer):
            self._flushes.append((command, self._last_send))
            for outbox in self._outboxes.values():
                outbox.must_hurry = True
                self.pump_outbox(outbox)
            self.finish_flushes()
        else:
            super().handle_command(command)

    def _enqueue(self, command: Command, send: Send) -> None:
        outbox = self._outboxes.get(send.topic)
        if outbox is None:
            outbox = self._outboxes[send.topic] = Outbox(send.topic)
        self._last_send += 1
        deadline = self.runtime.monotonic() + self.settings.delivery_timeout
        outbox.queue.append(Waiting(command, send, deadline, self._last_send))
        outbox.queued += len(send.messages)
        if not self._is_awake or self._must_bump:
            self._prepare()
        if outbox.topic_id is None:
            self.resolve(outbox, command)
        elif send.linger_ms and outbox.queued < self.settings.batch_messages and not outbox.must_hurry:
            self._linger(outbox, send.linger_ms)
        else:
            self.pump_outbox(outbox)

    def _linger(self, outbox: Outbox, linger_ms: int) -> None:
        if not outbox.is_lingering:
            self.tick(linger_ms / 1000, Tick(f"linger:{outbox.topic}"))
            outbox.is_lingering = True

    # -- outboxes -----------------------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Send all batches that may be sent now."""
        for outbox in self._outboxes.values():
            self.pump_outbox(outbox)

    def pump_outbox(self, outbox: Outbox) -> None:
        """Send the batches that the outbox may send now."""
        if (
            not self._is_awake
            or self._must_bump
            or outbox.topic_id is None
            or outbox.is_retrying
            or outbox.refreshing in self._continuations
        ):
            return
        if outbox.epoch != self._epoch and not outbox.in_flight:
            outbox.begin(outbox.topic_id, outbox.partition_count, self._epoch)
        while outbox.queue and len(outbox.in_flight) < self.settings.max_in_flight and outbox.epoch == self._epoch:
            if outbox.must_check_partition_of(outbox.queue[0]):
                self.refresh(outbox)
                return
            batch = self._next_batch(outbox)
            if batch is None:
                continue
            outbox.in_flight.append(batch)
            self.dispatch(outbox, batch)

    def _next_batch(self, outbox: Outbox) -> Batch | None:
        """Build a batch of queued sends, routed and numbered; None if routing refused all of them."""
        taken: list[Waiting] = []
        partitions: list[int] = []
        size = 0
        done = 0
        for waiting in outbox.queue:
            send = waiting.send
            size += send.size
            too_much = len(partitions) + len(send.messages) > self.settings.batch_messages
            if taken and (too_much or size > self.settings.batch_bytes or outbox.must_check_partition_of(waiting)):
                break
            if taken and (waiting.is_alone or taken[0].is_alone):
                break
            done += 1
            try:
                routed = waiting.partitions or self._router.route_batch(
                    send.messages, outbox.topic, outbox.partition_count, send.partition
                )
            except PartitionNotFound as error:
                self.reply(waiting.command, error)
                continue
            taken.append(waiting)
            partitions.extend(routed)
        outbox.drop(done)
        if not taken:
            return None
        self._router.next_batch()
        first = taken[0].send.messages
        messages = first if len(taken) == 1 else tuple(message for item in taken for message in item.send.messages)
        append = AppendMessages(
            messages, tuple(partitions), self.id, outbox.epoch, outbox.number(partitions), outbox.topic_id, size
        )
        return Batch(append, taken, self._progress.position)

    # -- progress, flush, stop ----------------------------------------------------------------------------------------

    def on_tick(self, tick: Tick) -> None:
        """End a linger, retry an outbox, or record progress."""
        purpose, _, topic = tick.purpose.partition(":")
        if purpose == "progress":
            super().on_tick(tick)
            return
        outbox = self._outboxes[topic]
        if purpose == "linger":
            outbox.is_lingering = False
            self.pump_outbox(outbox)
        else:
            self.retry(outbox, tick.number)

    def finish_flushes(self) -> None:
        """Answer flushes whose sends are all answered; for a close, record the progress first."""
        if not self._flushes:
            return
        oldest = min((outbox.oldest_number() for outbox in self._outboxes.values()), default=float("inf"))
        closes = any(last < oldest and isinstance(command.body, CloseProducer) for command, last in self._flushes)
        if closes and not self._progress_is_fresh and (not self.is_ready or self._record_progress()):
            return  # on_ready calls this again
        self._progress_is_fresh = False
        for command, _ in [flush for flush in self._flushes if flush[1] < oldest]:
            if isinstance(command.body, CloseProducer):
                self._handles.discard(command.body.handle)
            self.reply(command, None)
        self._flushes = [flush for flush in self._flushes if flush[1] >= oldest]
        if not self._flushes:
            for outbox in self._outboxes.values():
                outbox.must_hurry = False
        self.passivate_if_unused()

    def stop_if_asked(self) -> None:
        """Process a stashed Stop if all outboxes are empty. Call it whenever an outbox may have become empty."""
        if self._is_stopping and self.is_ready and self.stash and not any(map(_is_busy, self._outboxes.values())):
            self._go_on()

    def on_stopping(self) -> bool:
        """Deliver the accepted sends, record the progress, then agree to stop."""
        self._is_stopping = True
        for outbox in self._outboxes.values():
            outbox.must_hurry = True
            self.pump_outbox(outbox)
        return not any(outbox.is_busy for outbox in self._outboxes.values()) and not self._record_progress()


_UNSTASHED = frozenset({Send, FlushProducer, OpenProducer, CloseProducer})


def _is_busy(outbox: Outbox) -> bool:
    return outbox.is_busy
