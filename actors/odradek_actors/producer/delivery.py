"""Sends batches to their topic, handles the answers, and retries.

A batch keeps its sequence numbers until it is answered, so the topic recognises a retry after an unknown outcome as a
duplicate. Retries wait until every batch in flight has an answer, and keep the original order. No new batch is sent in
the meantime.

A batch that misses its delivery timeout fails together with all later batches in flight, and the producer starts a new
epoch. Their outcome stays unknown, but nothing can be stored twice or out of order.
"""

from __future__ import annotations

from typing import Any

import pykka

from odradek_actors.errors import ActorStopped, DeliveryTimedOut
from odradek_actors.messages.core import Command, LookUp, Tick
from odradek_actors.messages.log import LocateMessage
from odradek_actors.messages.receipts import receipts
from odradek_actors.messages.topics import AppendBatch, AppendDone, DescribeTopic, EnsureTopic, TopicDescription
from odradek_actors.producer.outbox import Batch, Outbox, is_refusal
from odradek_actors.producer.registration import ProducerRegistration
from odradek_domain.errors import OutOfOrderSequence, UnknownTopicId
from odradek_events.errors import EventNotSerializable, OutcomeUnknown, WrongExpectedVersion

__all__ = ["ProducerDelivery"]


class ProducerDelivery(ProducerRegistration):
    """Delivers the batches of its outboxes. The subclass fills the outboxes."""

    _outboxes: dict[str, Outbox]

    def pump_outbox(self, outbox: Outbox) -> None:
        """Send the batches that the outbox may send now."""

    def stop_if_asked(self) -> None:
        """Process a stashed Stop if all outboxes are empty."""

    def proceed(self, outbox: Outbox) -> None:
        """After an answer: send the next batches, answer finished flushes, and stop if a Stop waits for that."""
        self.pump_outbox(outbox)
        self.finish_flushes()
        self.stop_if_asked()

    # -- the topic ----------------------------------------------------------------------------------------------------

    def resolve(self, outbox: Outbox, command: Command) -> None:
        """Find the topic's actor and its description; create the topic if auto_create_topics allows it."""
        if outbox.resolving in self._continuations:
            return
        ensure = EnsureTopic(self.settings.auto_create_topics, self.settings.default_partitions)

        def found(ref: Any) -> None:
            if isinstance(ref, Exception):
                described(ref)
                return
            outbox.ref = ref
            outbox.resolving = self.request(ref, ensure, described, command=command)

        def described(answer: Any) -> None:
            outbox.resolving = 0
            if isinstance(answer, TopicDescription):
                outbox.begin(answer.topic_id, len(answer.partitions), self._epoch)
            elif getattr(answer, "retriable", False) and outbox.oldest_deadline() > self.runtime.monotonic():
                self._retry_later(outbox)
            else:
                self.empty_queue(outbox, answer)
            self.proceed(outbox)

        outbox.resolving = self.request(self.context.directory, LookUp(f"topic/{outbox.topic}"), found)

    def refresh(self, outbox: Outbox) -> None:
        """Ask the topic for its number of partitions, because the next send names an unknown one."""
        waiting = outbox.queue[0]

        def described(answer: Any) -> None:
            outbox.refreshing = 0
            if isinstance(answer, TopicDescription) and answer.topic_id == outbox.topic_id:
                waiting.partition_was_checked = True
                outbox.partition_count = max(outbox.partition_count, len(answer.partitions))
            elif not outbox.in_flight and outbox.topic_id is not None:
                outbox.forget()  # the topic or its actor was replaced
                self.resolve(outbox, waiting.command)
            if not (isinstance(answer, Exception) and outbox.in_flight):  # otherwise the batches' answers proceed
                self.proceed(outbox)

        assert outbox.ref is not None, "an outbox with a topic id has its actor's ref"
        outbox.refreshing = self.request(outbox.ref, DescribeTopic(), described)

    # -- sending and answers ------------------------------------------------------------------------------------------

    def dispatch(self, outbox: Outbox, batch: Batch) -> None:
        """Send or resend a batch to its topic."""
        batch.is_answered = False
        batch.attempt += 1
        attempt = batch.attempt
        assert outbox.ref is not None, "an outbox with a topic id has its actor's ref"
        body = AppendBatch(batch.append, batch.commands)
        self.request(
            outbox.ref, body, lambda answer: self._answered(outbox, batch, attempt, answer), command=batch.command
        )

    def _answered(self, outbox: Outbox, batch: Batch, attempt: int, answer: Any) -> None:
        if batch not in outbox.in_flight or attempt != batch.attempt:
            return  # failed, taken back, or resent in the meantime
        batch.is_answered = True
        if isinstance(answer, AppendDone):
            outbox.partition_count = max(outbox.partition_count, answer.partition_count)
            if answer.first_position is None:
                batch.is_in_doubt = True  # a duplicate: it is stored, in this incarnation of the topic
                self._locate(outbox, batch, answer.offsets)
                return
            self._acknowledge(outbox, batch, answer.offsets, answer.first_position)
        elif isinstance(answer, UnknownTopicId) or _is_gone(answer):
            self._topic_is_gone(outbox, batch)
        elif isinstance(answer, EventNotSerializable) and len(batch.sends) > 1:
            self._divide(outbox, batch)
        elif getattr(answer, "retriable", False) or isinstance(answer, OutOfOrderSequence | WrongExpectedVersion):
            batch.failed(answer)
            outbox.must_look_up = outbox.must_look_up or isinstance(answer, ActorStopped)
            self._retry_when_all_answered(outbox)
        else:
            self.fail(outbox, batch, answer)
            if outbox.is_retrying:  # the retry may have waited for this answer
                self._retry_when_all_answered(outbox)
        self.proceed(outbox)

    def _topic_is_gone(self, outbox: Outbox, batch: Batch) -> None:
        """Resend batches that are surely not stored to the topic's successor; fail those in doubt.

        A batch in doubt whose last attempt is unanswered stays in flight: its answer is still to come.
        """
        if batch.append.topic_id == outbox.topic_id:
            for other in tuple(outbox.in_flight):
                if other.is_in_doubt and other.is_answered:
                    self._fail_as_gone(outbox, other)
            outbox.forget()
            self.resolve(outbox, batch.command)
        else:  # it was in doubt when the outbox switched to the topic's successor
            self._fail_as_gone(outbox, batch)
            if outbox.is_retrying:
                self._retry_when_all_answered(outbox)

    def _fail_as_gone(self, outbox: Outbox, batch: Batch) -> None:
        reason = "the answer to the batch was lost, and the topic was deleted before the retry"
        self.fail(outbox, batch, OutcomeUnknown(f"topic/{outbox.topic}", reason), numbers_are_lost=False)

    def _acknowledge(self, outbox: Outbox, batch: Batch, offsets: list[int], first_position: int) -> None:
        """Count a stored batch, whose sends already have their receipts."""
        outbox.in_flight.remove(batch)
        self._progress.acknowledge(first_position + len(offsets) - 1, len(offsets))
        self._schedule_progress()
        if outbox.is_retrying:
            self._retry_when_all_answered(outbox)

    def _locate(self, outbox: Outbox, batch: Batch, offsets: list[int]) -> None:
        """Find the position of a batch that the topic recognised as a duplicate."""
        message = batch.append.messages[0]
        wanted = LocateMessage(outbox.topic, batch.append.partitions[0], offsets[0], message.id)

        def located(position: Any) -> None:
            if batch not in outbox.in_flight:
                return
            batch.is_answered = True
            if isinstance(position, int):
                for command, its_receipts in receipts(batch.commands, batch.append, offsets, position):
                    self.reply(command, its_receipts)
                self._acknowledge(outbox, batch, offsets, position)
            else:  # stored at an unknown position: retry, since an error would make the sender send it again
                batch.error = position
                self._retry_when_all_answered(outbox)
            self.proceed(outbox)

        batch.is_answered = False
        self.request(self.context.log_reader, wanted, located)

    # -- failure ------------------------------------------------------------------------------------------------------

    def resume_later(self, error: Exception) -> None:
        """Resend every batch in flight unchanged, because the failed handler may have lost an answer."""
        super().resume_later(error)
        for outbox in self._outboxes.values():
            for batch in outbox.in_flight:
                batch.is_answered, batch.is_in_doubt, batch.error = True, True, error
            outbox.is_retrying = True
            self._retry_later(outbox)

    def _retry_when_all_answered(self, outbox: Outbox) -> None:
        """Once every batch in flight is answered, resend the remaining ones unchanged and in order."""
        outbox.is_retrying = True
        if not all(batch.is_answered for batch in outbox.in_flight):
            return
        if not outbox.in_flight:
            outbox.is_retrying = False
            return
        first = outbox.in_flight[0]
        if first.error is not None and is_refusal(first.error):
            self._give_back(outbox, first.error)
        elif first.is_behind_a_gap:
            self._renumber(outbox)
        elif isinstance(first.error, OutOfOrderSequence):  # stored so long ago that the topic has forgotten where
            self.fail(outbox, first, first.error)
            self._retry_when_all_answered(outbox)
        else:
            self._retry_later(outbox)

    def _divide(self, outbox: Outbox, batch: Batch) -> None:
        """Send what a batch holds again, each send alone: the log refused the content of one of them.

        Nothing of the batch is stored. What follows it lies behind a gap until a new epoch begins.
        """
        for waiting in batch.sends:
            waiting.is_alone = True
        outbox.take_back([batch])
        self._must_bump = True
        self._prepare()
        if outbox.in_flight:
            self._retry_when_all_answered(outbox)

    def _renumber(self, outbox: Outbox) -> None:
        """Move all batches behind a gap in the sequence numbers to a new epoch.

        The gap is a batch that has failed. Batches for other partitions may be stored; if that is unknown, they are
        resent unchanged.
        """
        outbox.take_back([batch for batch in outbox.in_flight if batch.is_behind_a_gap])
        self._must_bump = True
        self._prepare()
        if outbox.in_flight:
            outbox.is_retrying = True
            self._retry_later(outbox)

    def _give_back(self, outbox: Outbox, error: Exception) -> None:
        """Fail the oldest batch, which the log refused (for example when the disk is full), and those behind it.

        Their sequence numbers are reused, unless a batch between them may be stored.
        """
        unstored = [batch for batch in outbox.in_flight if batch.is_surely_not_stored]
        numbers_are_lost = len(unstored) < len(outbox.in_flight)
        if not numbers_are_lost:
            outbox.renumber_from(outbox.in_flight[0])
        for batch in unstored:
            self.fail(outbox, batch, error, numbers_are_lost=numbers_are_lost)
        outbox.is_retrying = bool(outbox.in_flight)
        if outbox.in_flight:
            self._retry_later(outbox)

    def _retry_later(self, outbox: Outbox) -> None:
        outbox.retry_number = self.runtime.new_number()
        self.tick(self.settings.retry_backoff, Tick(f"retry:{outbox.topic}", outbox.retry_number))

    def retry(self, outbox: Outbox, number: int) -> None:
        """On a retry timer, resend the batches in flight or resolve the topic; fail batches past their deadline."""
        if number != outbox.retry_number:
            return  # a replaced timer
        outbox.retry_number = 0
        if outbox.topic_id is None and outbox.queue:
            self.resolve(outbox, outbox.queue[0].command)
        if not outbox.in_flight:
            outbox.is_retrying = False
            self.proceed(outbox)
            return
        if not all(batch.is_answered for batch in outbox.in_flight):
            return  # the pending answer decides what to do
        if outbox.oldest_deadline() <= self.runtime.monotonic():
            self._give_up_in_flight(outbox)
            return
        if outbox.must_look_up:
            outbox.must_look_up = False
            self.request(
                self.context.directory, LookUp(f"topic/{outbox.topic}"), lambda ref: self._redispatch(outbox, ref)
            )
        else:
            self._redispatch(outbox, outbox.ref)

    def _redispatch(self, outbox: Outbox, ref: Any) -> None:
        outbox.is_retrying = False
        if isinstance(ref, pykka.ActorRef):
            outbox.ref = ref
        for batch in tuple(outbox.in_flight):
            self.dispatch(outbox, batch)

    def _give_up_in_flight(self, outbox: Outbox) -> None:
        """Fail every batch in flight with an unknown outcome, and start a new epoch before the next send."""
        outbox.is_retrying = False
        error = DeliveryTimedOut(outbox.topic, self.settings.delivery_timeout, outbox.in_flight[0].error)
        for batch in tuple(outbox.in_flight):
            self.fail(outbox, batch, error)
        self.finish_flushes()
        self.stop_if_asked()

    def fail(self, outbox: Outbox, batch: Batch, error: Exception, *, numbers_are_lost: bool = True) -> None:
        """Fail a batch's sends. If its sequence numbers are lost, they leave a gap, which requires a new epoch."""
        for waiting in batch.sends:
            self.reply(waiting.command, error)
        outbox.in_flight.remove(batch)
        if numbers_are_lost:
            self._must_bump = True
            self._prepare()

    def empty_queue(self, outbox: Outbox, error: Exception) -> None:
        """Fail the queued sends of an outbox."""
        for waiting in outbox.queue:
            self.reply(waiting.command, error)
        outbox.queue.clear()
        outbox.queued = 0


def _is_gone(answer: object) -> bool:
    return getattr(answer, "code", "") == "topic_not_found"
