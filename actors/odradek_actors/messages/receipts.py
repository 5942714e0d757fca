"""Builds the receipts for the sends of one append; used by the topic, and by the producer for duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from odradek_actors.messages.core import Command
from odradek_actors.messages.producers import Receipt, Send
from odradek_domain.topic.topic import AppendMessages

__all__ = ["receipts"]


def receipts(
    sends: Sequence[Command], append: AppendMessages, offsets: Sequence[int], first_position: int
) -> Iterator[tuple[Command, list[Receipt]]]:
    """Yield each send with a receipt for each of its messages, which stand in `append` one send after the other."""
    partitions, index = append.partitions, 0
    for command in sends:
        send: Send = command.body
        yield (
            command,
            [
                Receipt(send.topic, partitions[i], offsets[i], first_position + i, message.timestamp)
                for i, message in enumerate(send.messages, index)
            ],
        )
        index += len(send.messages)
