"""Consumers with a planted bug."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from odradek_actors.consumer.actor import ConsumerActor
from odradek_actors.messages.consumers import Delivery
from odradek_actors.messages.core import Command, Query, Recipient
from odradek_actors.messages.groups import CommitGroupOffsets
from odradek_actors.messages.topics import FetchResult
from odradek_domain.values.committed_offsets import OffsetToCommit
from odradek_domain.values.positions import TopicPartition

__all__ = ["AcceptsFormerFetches", "CommitsOnReceipt", "CommitsRevokedPartitions", "IgnoresItsExpulsion"]


class CommitsOnReceipt(ConsumerActor):
    """Commits messages when it has fetched them, and answers the poll with them afterwards."""

    def reply(self, request: Command | Query, value: object) -> None:
        if not (isinstance(value, Delivery) and value.messages and self._member_id and isinstance(request, Command)):
            super().reply(request, value)
            return
        ends = {TopicPartition(each.topic, each.partition): each.offset + 1 for each in value.messages}
        offsets = tuple(
            self.state.to_commit(place, end, "", is_reset=False)
            for place, end in ends.items()
            if place in self.state.assigned
        )
        body = CommitGroupOffsets(self.id, offsets, self._member_id, self._generation)
        self._ask_group(body, lambda _: super(CommitsOnReceipt, self).reply(request, value), request)


class AcceptsFormerFetches(ConsumerActor):
    """Accepts messages that it fetched before a seek or another assignment."""

    def start_volatile(self) -> None:
        super().start_volatile()
        self._former: list[int] = []

    def request(self, recipient: Recipient, body: object, then: Callable[[Any], object], **options: Any) -> int:
        def accept(result: Any) -> None:
            if isinstance(result, FetchResult) and result.messages and self._poll is not None and self.is_ready:
                self._asked = None
                self._fetched(result.topic, result)
            else:
                then(result)

        return super().request(recipient, body, accept, **options)

    def withdraw(self, number: int) -> None:
        """Wait for the answer all the same, as long as a handle is open."""
        self._former.append(number)

    def is_in_use(self) -> bool:
        while self._handle is None and self._former:
            super().withdraw(self._former.pop())
        return super().is_in_use()


class CommitsRevokedPartitions(ConsumerActor):
    """Adds what it had read of partitions that it has lost to its next commit."""

    _lost: tuple[OffsetToCommit, ...] = ()

    def _release(self, partitions: tuple[TopicPartition, ...], *, is_lost: bool = False) -> None:
        self._lost = tuple(
            self.state.to_commit(place, position, "", is_reset=False)
            for place in partitions
            if (position := self.state.get_current_offset(place)) is not None
        )
        super()._release(partitions, is_lost=is_lost)

    def _ask_group(self, body: object, then: Callable[[Any], None], command: Command | None, *args: Any) -> None:
        if isinstance(body, CommitGroupOffsets):
            wanted = {(each.topic, each.partition) for each in body.offsets}
            lost = tuple(each for each in self._lost if (each.topic, each.partition) not in wanted)
            body, self._lost = msgspec.structs.replace(body, offsets=body.offsets + lost), ()
        super()._ask_group(body, then, command, *args)


class IgnoresItsExpulsion(ConsumerActor):
    """Sends no heartbeats, and does not notice that its group has removed it and goes on without it."""

    def _send_heartbeat(self) -> None:
        """Stay silent."""

    def _rebalance_begun(self, message: Any) -> None:
        """Stay deaf."""
