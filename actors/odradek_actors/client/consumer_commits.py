"""The part of the consumer handle that opens the consumer and commits offsets; `consumer` adds reading."""

from __future__ import annotations

from typing import Any, Literal

from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.client.topics import TopicCalls
from odradek_actors.client.uncommitted import OffsetsToCommit, Reading, Uncommitted, checked_place, wanted_offsets
from odradek_actors.errors import ActorError, RequestTimedOut
from odradek_actors.logs import get_logger
from odradek_actors.messages.consumers import (
    ALONE,
    CloseConsumer,
    CommitOffsets,
    CommittedOf,
    MemberSettings,
    OpenConsumer,
)
from odradek_actors.runtime.promise import Promise
from odradek_actors.validation import whole_number
from odradek_domain.errors import ConsumerClosed, DomainError, TopicNotFound
from odradek_domain.values.names import ConsumerId, GroupId
from odradek_events.errors import LogError
from odradek_events.validation import shown

__all__ = ["AutoOffsetReset", "ConsumerCommits"]

AutoOffsetReset = Literal["earliest", "latest", "none"]


class ConsumerCommits:
    """The base of `ConsumerHandle`: opening and committing."""

    def __init__(
        self,
        system: TopicCalls,
        consumer_id: str,
        group: str | None = None,
        *,
        auto_offset_reset: AutoOffsetReset = "earliest",
        member: MemberSettings = ALONE,
        max_poll_records: int = 500,
        auto_commit_interval: float | None = None,
    ) -> None:
        if not isinstance(auto_offset_reset, str) or auto_offset_reset not in ("earliest", "latest", "none"):
            raise ValueError(
                f"auto_offset_reset must be 'earliest', 'latest' or 'none', not {shown(auto_offset_reset)}"
            )
        self.consumer_id = str(ConsumerId(consumer_id))
        self.group_id = None if group is None else str(GroupId(group))
        self._system = system
        self._stream = f"consumer/{self.consumer_id}"
        self._number = system.runtime.new_number()
        self._max_poll_records = whole_number("max_poll_records", max_poll_records, 1)
        self._auto_commit_interval = auto_commit_interval
        self._commits_at = system.runtime.monotonic() + (auto_commit_interval or 0)
        self._listener = RebalanceListener()
        self._reading = Reading()
        self._uncommitted = Uncommitted()
        self._is_closed = False
        self._log = get_logger(actor="consumer").bind(consumer=self.consumer_id)
        try:
            self._ask(OpenConsumer(self._number, self.group_id, auto_offset_reset, member))
        except RequestTimedOut:
            system.command(self._stream, CloseConsumer(self._number))  # the request may still open it: close it then
            raise

    def commit(self, offsets: OffsetsToCommit | None = None) -> None:
        """Commit the messages that this handle has returned, or the given offsets (of the *next* messages to read).

        An offset may carry metadata: (offset, text). Atomic across partitions, and durable when it returns. Does
        nothing if there is nothing to commit. The offsets are committed to the group, or to the consumer if it has no
        group. Raises CommitWouldGoBackwards for an offset below the committed one, unless a seek preceded it;
        ConsumerNotAssigned, ConsumerNotPositioned, or OffsetNotFound beyond the delivered messages; UnknownMember or
        IllegalGeneration if the group has rebalanced without this consumer, in which case uncommitted messages are
        delivered to other members.
        """
        self._system.runtime.refuse_to_wait()
        self.commit_async(offsets).result()

    def commit_async(self, offsets: OffsetsToCommit | None = None) -> Promise[None]:
        """Commit like `commit`, but return a promise at once. Commits of one consumer take effect in call order.

        A callback added to the promise runs on an actor's thread and must not wait (WaitOnActorThread).
        """
        self._require_open()
        reading, uncommitted = self._reading, self._uncommitted
        uncommitted.count(reading)
        wanted = uncommitted.to_commit() if offsets is None else wanted_offsets(offsets)
        if not wanted:
            promise: Promise[None] = self._system.runtime.promise()
            promise.tell(None)
            return promise
        body = CommitOffsets(self._number, wanted)
        answer = self._system.command(
            self._stream, body, correlation_id=reading.correlation_id, causation_id=reading.correlation_id
        )

        def done(answer: Promise[None]) -> None:
            if answer.exception() is None:
                uncommitted.committed(wanted)

        answer.add_done_callback(done)
        return answer

    def _auto_commit(self, *, is_due: bool = False) -> None:
        """Commit the returned messages if auto-commit is on and due. A failed commit is logged, as in Kafka."""
        now = self._system.runtime.monotonic()
        if self._auto_commit_interval is None or (now < self._commits_at and not is_due):
            return
        self._commits_at = now + self._auto_commit_interval
        try:
            self.commit()
        except (ActorError, DomainError, LogError) as error:
            self._log.warning("auto-commit failed", error=str(error))

    def committed(self, topic: str, partition: int) -> int | None:
        """Return the committed offset, of the group if there is one; None if there is none or the topic is missing."""
        place = checked_place((topic, partition))
        self._require_open()
        try:
            topic_id = self._system.describe_topic(topic).topic_id
        except TopicNotFound:
            return None
        offset: int | None = self._query(CommittedOf(place, topic_id))
        return offset

    def _require_open(self) -> None:
        if self._is_closed:
            raise ConsumerClosed(self.consumer_id)

    def _ask(self, body: object, because_of: str = "") -> Any:
        self._require_open()
        self._system.runtime.refuse_to_wait()
        command = self._system.command(self._stream, body, correlation_id=because_of, causation_id=because_of)
        return command.result()

    def _query(self, body: object) -> Any:
        self._require_open()
        return self._system.query(self._stream, body).result()
