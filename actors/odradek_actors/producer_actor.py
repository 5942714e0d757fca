"""The ProducerActor: routes messages, numbers them, keeps batches in flight, and answers each send.

Each topic has a lane: sends queue in it, leave as batches (at most `max_in_flight` unanswered), and are answered in
order. While batches are in flight, later sends gather, which groups them without any wait; `linger_ms` adds one. A
batch keeps its sequence numbers until it is answered, so a retry after an unknown outcome is recognised by the topic
and not stored twice. Lanes are volatile but survive a recovery in place; the aggregate's events (registration, epoch,
progress) are off the path.

A batch that cannot be delivered in time is given up with everything behind it in flight, and a higher epoch begins: its
outcome stays unknown, but nothing can be stored twice or out of order.
"""

from __future__ import annotations

from typing import Any

import pykka

from odradek_actors.errors import ActorStopped, DeliveryTimedOut
from odradek_actors.lane import Batch, Lane, Waiting, is_refusal
from odradek_actors.producer_stream import ProducerStream
from odradek_actors.protocol import (
    AppendBatch,
    AppendDone,
    CloseProducer,
    Command,
    DescribeTopic,
    EnsureTopic,
    FlushProducer,
    LocateMessage,
    LookUp,
    Send,
    Tick,
    TopicDescription,
)
from odradek_actors.receipts import receipts
from odradek_domain.errors import OutOfOrderSequence, PartitionNotFound, UnknownTopicId
from odradek_domain.producer import Producer
from odradek_domain.services import MessageRoutingService
from odradek_domain.topic import AppendMessages
from odradek_events.errors import OutcomeUnknown, WrongExpectedVersion

__all__ = ["ProducerActor"]


class ProducerActor(ProducerStream):
    """Owns one Producer aggregate and its lanes."""

    _lanes: dict[str, Lane]

    def initial_state(self) -> Producer:
        """Return a producer that was never registered."""
        if not hasattr(self, "_lanes"):
            self._lanes = {}
            self._router = MessageRoutingService()
            self._is_stopping = False
            self._last_send = 0
        return super().initial_state()

    def is_busy(self) -> bool:
        """Say whether batches are on their way."""
        return super().is_busy() or any(lane.is_busy for lane in self._lanes.values()) or bool(self._flushes)

    # -- what its own stream is told ----------------------------------------------------------------------------------

    def first_queued(self) -> Command | None:
        """Return a send that waits to be sent, if there is one."""
        return next((lane.queue[0].command for lane in self._lanes.values() if lane.queue), None)

    def floors(self) -> list[int]:
        """Return positions above which batches in flight will lie."""
        return [batch.floor for lane in self._lanes.values() for batch in lane.in_flight]

    def on_giving_up(self, error: Exception) -> None:
        """Answer everybody."""
        for lane in self._lanes.values():
            for batch in tuple(lane.in_flight):
                self._fail(lane, batch, OutcomeUnknown(f"topic/{lane.topic}", f"{self.stream} stopped"))
        self.fail_queued(error)
        flushes, self._flushes = self._flushes, []
        for command, _ in flushes:
            self.reply(command, None)

    def fail_queued(self, error: Exception) -> None:
        """Answer what waits to be sent with an error."""
        for lane in self._lanes.values():
            self._fail_queue(lane, error)
        self.finish_flushes()
        self._stop_if_asked()

    # -- commands -----------------------------------------------------------------------------------------------------

    def _when_ready(self, message: Any) -> None:
        # Sends and flushes touch no aggregate: an append of our own progress must not hold them up.
        if type(message) is Command and self._phase != "stopped" and type(message.body) in _UNSTASHED:
            self.handle_command(message)
        else:
            super()._when_ready(message)

    def handle_command(self, command: Command) -> None:
        """Queue sends; keep flushes until their lanes are empty."""
        body = command.body
        if isinstance(body, Send):
            if self._is_stopping:
                self.reply(command, ActorStopped(f"producer {self.id!r}"))
                return
            self._enqueue(command, body)
        elif isinstance(body, FlushProducer | CloseProducer):
            self._flushes.append((command, self._last_send))
            for lane in self._lanes.values():
                lane.must_hurry = True
                self._pump(lane)
            self.finish_flushes()
        else:
            super().handle_command(command)

    def _enqueue(self, command: Command, send: Send) -> None:
        lane = self._lanes.get(send.topic)
        if lane is None:
            lane = self._lanes[send.topic] = Lane(send.topic)
        self._last_send += 1
        deadline = self.runtime.monotonic() + self.settings.delivery_timeout
        lane.queue.append(Waiting(command, send, deadline, self._last_send))
        lane.queued += len(send.messages)
        if not self._is_awake or self._must_bump:
            self._prepare()
        if lane.topic_id is None:
            self._resolve(lane, command)
        elif send.linger_ms and lane.queued < self.settings.batch_messages and not lane.must_hurry:
            self._linger(lane, send.linger_ms)
        else:
            self._pump(lane)

    def _linger(self, lane: Lane, linger_ms: int) -> None:
        if not lane.is_lingering:
            lane.is_lingering = True
            self.tick(linger_ms / 1000, Tick(f"linger:{lane.topic}"))

    # -- lanes --------------------------------------------------------------------------------------------------------

    def _resolve(self, lane: Lane, command: Command) -> None:
        """Find the topic's actor and what it is made of, creating the topic if that is allowed."""
        if lane.is_resolving:
            return
        lane.is_resolving = True
        ensure = EnsureTopic(self.settings.auto_create_topics, self.settings.default_partitions)

        def found(ref: Any) -> None:
            if isinstance(ref, Exception):
                described(ref)
                return
            lane.ref = ref
            self.request(ref, ensure, described, command=command)

        def described(answer: Any) -> None:
            lane.is_resolving = False
            if isinstance(answer, TopicDescription):
                lane.begin(answer.topic_id, len(answer.partitions), self._epoch)
                self._pump(lane)
            elif getattr(answer, "retriable", False) and lane.oldest_deadline() > self.runtime.monotonic():
                self._retry_later(lane)
            else:
                self._fail_queue(lane, answer)
                self.finish_flushes()
            self._stop_if_asked()

        self.request(self.context.directory, LookUp(f"topic/{lane.topic}"), found)

    def pump(self) -> None:
        """Send what may be sent now."""
        for lane in self._lanes.values():
            self._pump(lane)

    def _pump(self, lane: Lane) -> None:
        """Send what the lane may send now."""
        if not self._is_awake or self._must_bump or lane.topic_id is None or lane.is_retrying or lane.is_refreshing:
            return
        if lane.epoch != self._epoch and not lane.in_flight:
            lane.begin(lane.topic_id, lane.partition_count, self._epoch)
        while lane.queue and len(lane.in_flight) < self.settings.max_in_flight and lane.epoch == self._epoch:
            if lane.must_check_partition:
                self._refresh(lane)
                return
            batch = self._next_batch(lane)
            if batch is None:
                continue
            lane.in_flight.append(batch)
            self._dispatch(lane, batch)

    def _refresh(self, lane: Lane) -> None:
        """Ask how many partitions the topic has now: the next send names one that we do not know of."""
        waiting = lane.queue[0]
        lane.is_refreshing = True

        def described(answer: Any) -> None:
            lane.is_refreshing = False
            if isinstance(answer, TopicDescription) and answer.topic_id == lane.topic_id:
                waiting.partition_was_checked = True
                lane.partition_count = max(lane.partition_count, len(answer.partitions))
            elif not lane.in_flight and lane.topic_id is not None:
                lane.forget()  # another topic by now, or another actor
                self._resolve(lane, waiting.command)
            if not (isinstance(answer, Exception) and lane.in_flight):  # else the answer to what is in flight goes on
                self._pump(lane)
            self.finish_flushes()
            self._stop_if_asked()

        assert lane.ref is not None, "a lane with a topic id has its actor's ref"
        self.request(lane.ref, DescribeTopic(), described)

    def _next_batch(self, lane: Lane) -> Batch | None:
        """Make a batch of queued sends, routed and numbered; None if all of them were refused."""
        taken: list[Waiting] = []
        partitions: list[int] = []
        size = 0
        while lane.queue:
            waiting = lane.queue[0]
            send = waiting.send
            size += send.size
            too_much = len(partitions) + len(send.messages) > self.settings.batch_messages
            if taken and (too_much or size > self.settings.batch_bytes or lane.must_check_partition):
                break
            lane.queue.popleft()
            lane.queued -= len(send.messages)
            try:
                routed = waiting.partitions or self._router.route_batch(
                    send.messages, lane.topic, lane.partition_count, send.partition
                )
            except PartitionNotFound as error:
                self.reply(waiting.command, error)
                continue
            taken.append(waiting)
            partitions.extend(routed)
        if not taken:
            return None
        self._router.next_batch()
        first = taken[0].send.messages
        messages = first if len(taken) == 1 else tuple(message for item in taken for message in item.send.messages)
        append = AppendMessages(
            messages, tuple(partitions), self.id, lane.epoch, lane.number(partitions), lane.topic_id, size
        )
        return Batch(append, taken, self._progress.position)

    def _dispatch(self, lane: Lane, batch: Batch) -> None:
        batch.is_answered = False
        batch.attempt += 1
        attempt = batch.attempt
        assert lane.ref is not None, "a lane with a topic id has its actor's ref"
        body = AppendBatch(batch.append, batch.commands)
        self.request(lane.ref, body, lambda answer: self._answered(lane, batch, attempt, answer), command=batch.command)

    def _answered(self, lane: Lane, batch: Batch, attempt: int, answer: Any) -> None:
        if batch not in lane.in_flight or attempt != batch.attempt:
            return  # given up, taken back, or sent again meanwhile
        batch.is_answered = True
        if isinstance(answer, AppendDone):
            lane.partition_count = max(lane.partition_count, answer.partition_count)
            if answer.first_position is None:
                self._locate(lane, batch, answer.offsets)
                return
            self._acknowledge(lane, batch, answer.offsets, answer.first_position)
        elif isinstance(answer, UnknownTopicId) or _is_gone(answer):
            lane.forget()  # what was in flight goes back to the front of the queue, to be routed and numbered anew
            self._resolve(lane, batch.command)
        elif getattr(answer, "retriable", False) or isinstance(answer, OutOfOrderSequence | WrongExpectedVersion):
            batch.error = answer
            lane.must_look_up = lane.must_look_up or isinstance(answer, ActorStopped)
            self._retry_when_all_answered(lane)
        else:
            self._fail(lane, batch, answer)
            if lane.is_retrying:  # the others may have waited for this answer
                self._retry_when_all_answered(lane)
        self._pump(lane)
        self.finish_flushes()
        self._stop_if_asked()

    def _acknowledge(self, lane: Lane, batch: Batch, offsets: list[int], first_position: int) -> None:
        """Count a batch that is stored; its sends have their receipts."""
        lane.in_flight.remove(batch)
        self._progress.acknowledge(first_position + len(offsets) - 1, len(offsets))
        self._schedule_progress()
        if lane.is_retrying:
            self._retry_when_all_answered(lane)

    def _locate(self, lane: Lane, batch: Batch, offsets: list[int]) -> None:
        """A repeat was recognised: ask the log where the original stands."""
        message = batch.append.messages[0]
        wanted = LocateMessage(lane.topic, batch.append.partitions[0], offsets[0], message.id)

        def located(position: Any) -> None:
            if batch not in lane.in_flight:
                return
            batch.is_answered = True
            if isinstance(position, int):
                for command, its_receipts in receipts(batch.commands, batch.append, offsets, position):
                    self.reply(command, its_receipts)
                self._acknowledge(lane, batch, offsets, position)
            else:  # stored, and nobody can say where: to fail would invite the sender to send it again
                batch.error = position
                self._retry_when_all_answered(lane)
            self._pump(lane)
            self.finish_flushes()
            self._stop_if_asked()

        batch.is_answered = False
        self.request(self.context.log_reader, wanted, located)

    # -- failure ------------------------------------------------------------------------------------------------------

    def _retry_when_all_answered(self, lane: Lane) -> None:
        """Once everything in flight has its answer, what is left is sent again, in order, as it was."""
        lane.is_retrying = True
        if not all(batch.is_answered for batch in lane.in_flight):
            return
        if not lane.in_flight:
            lane.is_retrying = False
            return
        first = lane.in_flight[0]
        if first.error is not None and is_refusal(first.error):
            self._give_back(lane, first.error)
        elif first.is_behind_a_gap:
            self._number_anew(lane)
        elif isinstance(first.error, OutOfOrderSequence):  # stored, so long ago that the topic forgot where
            self._fail(lane, first, first.error)
            self._retry_when_all_answered(lane)
        else:
            self._retry_later(lane)

    def _number_anew(self, lane: Lane) -> None:
        """What should come before the oldest batch was given up: all that lies behind the gap goes in a new epoch.

        Batches for other partitions may be stored; those whose answer left that open are sent again as they were.
        """
        lane.take_back([batch for batch in lane.in_flight if batch.is_behind_a_gap])
        self._must_bump = True
        self._prepare()
        if lane.in_flight:
            lane.is_retrying = True
            self._retry_later(lane)

    def _give_back(self, lane: Lane, error: Exception) -> None:
        """The log refused the oldest batch (no room, say), and with it what the topic would not store without it.

        These are answered with the reason. Their numbers are free again, unless one between them may be stored.
        """
        unstored = [batch for batch in lane.in_flight if batch.is_surely_not_stored]
        numbers_are_lost = len(unstored) < len(lane.in_flight)
        if not numbers_are_lost:
            lane.renumber_from(lane.in_flight[0])
        for batch in unstored:
            self._fail(lane, batch, error, numbers_are_lost=numbers_are_lost)
        lane.is_retrying = bool(lane.in_flight)
        if lane.in_flight:
            self._retry_later(lane)

    def _retry_later(self, lane: Lane) -> None:
        lane.retry_number = self.runtime.new_number()
        self.tick(self.settings.retry_backoff, Tick(f"retry:{lane.topic}", lane.retry_number))

    def _retry(self, lane: Lane, number: int) -> None:
        if number != lane.retry_number:
            return  # an old timer
        lane.retry_number = 0
        if not lane.in_flight:
            lane.is_retrying = False
            if lane.topic_id is None and lane.queue:
                self._resolve(lane, lane.queue[0].command)
            self._pump(lane)
            return
        if lane.oldest_deadline() <= self.runtime.monotonic():
            self._give_up_in_flight(lane)
            return
        if lane.must_look_up:
            lane.must_look_up = False
            self.request(self.context.directory, LookUp(f"topic/{lane.topic}"), lambda ref: self._redispatch(lane, ref))
        else:
            self._redispatch(lane, lane.ref)

    def _redispatch(self, lane: Lane, ref: Any) -> None:
        lane.is_retrying = False
        if isinstance(ref, pykka.ActorRef):
            lane.ref = ref
        for batch in tuple(lane.in_flight):
            self._dispatch(lane, batch)

    def _give_up_in_flight(self, lane: Lane) -> None:
        """Fail everything in flight, its outcome unknown, and begin a new epoch before anything else is sent."""
        lane.is_retrying = False
        error = DeliveryTimedOut(lane.topic, self.settings.delivery_timeout, lane.in_flight[0].error)
        for batch in tuple(lane.in_flight):
            self._fail(lane, batch, error)
        self.finish_flushes()
        self._stop_if_asked()

    def _fail(self, lane: Lane, batch: Batch, error: Exception, *, numbers_are_lost: bool = True) -> None:
        """Answer a batch's sends with an error. Lost numbers leave a gap, behind which only a new epoch can go on."""
        lane.in_flight.remove(batch)
        for waiting in batch.sends:
            self.reply(waiting.command, error)
        if numbers_are_lost:
            self._must_bump = True
            self._prepare()

    def _fail_queue(self, lane: Lane, error: Exception) -> None:
        while lane.queue:
            self.reply(lane.queue.popleft().command, error)
        lane.queued = 0

    # -- progress, flush, stop ----------------------------------------------------------------------------------------

    def on_tick(self, tick: Tick) -> None:
        """Linger is over, a retry is due, or progress is to be recorded."""
        purpose, _, topic = tick.purpose.partition(":")
        if purpose == "progress":
            super().on_tick(tick)
            return
        lane = self._lanes[topic]
        if purpose == "linger":
            lane.is_lingering = False
            self._pump(lane)
        else:
            self._retry(lane, tick.number)

    def finish_flushes(self) -> None:
        """Answer flushes whose sends are all answered; a close also has the progress recorded first."""
        if not self._flushes:
            return
        oldest = min((lane.oldest_number() for lane in self._lanes.values()), default=float("inf"))
        closes = any(last < oldest and isinstance(command.body, CloseProducer) for command, last in self._flushes)
        if closes and not self._progress_is_fresh and (not self.is_ready or self._record_progress()):
            return  # on_ready comes back here
        self._progress_is_fresh = False
        finished = [command for command, last in self._flushes if last < oldest]
        self._flushes = [(command, last) for command, last in self._flushes if last >= oldest]
        if not self._flushes:
            for lane in self._lanes.values():
                lane.must_hurry = False
        for command in finished:
            self.reply(command, None)

    def _stop_if_asked(self) -> None:
        """Called where lanes may have become empty: a Stop in the stash waits for that."""
        if self._is_stopping and self.is_ready and self.stash and not any(map(_is_busy, self._lanes.values())):
            self._go_on()

    def on_stopping(self) -> bool:
        """Finish what was accepted, record the progress, then stop."""
        self._is_stopping = True
        for lane in self._lanes.values():
            lane.must_hurry = True
            self._pump(lane)
        return not any(lane.is_busy for lane in self._lanes.values()) and not self._record_progress()


_UNSTASHED = frozenset({Send, FlushProducer, CloseProducer})


def _is_busy(lane: Lane) -> bool:
    return lane.is_busy


def _is_gone(answer: object) -> bool:
    return getattr(answer, "code", "") == "topic_not_found"
