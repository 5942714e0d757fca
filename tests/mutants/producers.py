"""Producers with a planted bug."""

from __future__ import annotations

from typing import Any

import msgspec

from odradek_actors.messages.receipts import receipts
from odradek_actors.producer.actor import ProducerActor
from odradek_actors.producer.outbox import Batch, Outbox
from odradek_events.errors import OutcomeUnknown

__all__ = ["AcknowledgesUnknownOutcomes", "RenumbersRetries"]


class RenumbersRetries(ProducerActor):
    """Gives a batch new sequence numbers when it sends it again, so that the topic takes it for another one."""

    def dispatch(self, outbox: Outbox, batch: Batch) -> None:
        if batch.attempt:
            numbers = outbox.number(batch.append.partitions)
            batch.append = msgspec.structs.replace(batch.append, base_sequences=numbers)
        super().dispatch(outbox, batch)


class AcknowledgesUnknownOutcomes(ProducerActor):
    """Takes a batch that may or may not be stored as stored."""

    def _answered(self, outbox: Outbox, batch: Batch, attempt: int, answer: Any) -> None:
        if isinstance(answer, OutcomeUnknown) and batch in outbox.in_flight:
            offsets = list(range(len(batch.append.messages)))
            for command, its_receipts in receipts(batch.commands, batch.append, offsets, 0):
                self.reply(command, its_receipts)
            outbox.in_flight.remove(batch)
            self.proceed(outbox)
            return
        super()._answered(outbox, batch, attempt, answer)
