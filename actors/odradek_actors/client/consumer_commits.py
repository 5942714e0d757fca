"""A consumer as people hold it, as far as opening and committing go; `consumer_handle` has the rest."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Literal

from odradek_actors.client.rebalance_listener import RebalanceListener
from odradek_actors.client.topics import TopicCalls
from odradek_actors.client.uncommitted import OffsetsToCommit, Reading, Uncommitted, wanted_offsets
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
from odradek_domain.values.positions import TopicPartition
from odradek_events.errors import LogError

__all__ = ["AutoOffsetReset", "ConsumerCommits"]

AutoOffsetReset = Literal["earliest", "latest", "none"]


class ConsumerCommits:
    """What `ConsumerHandle` builds on; see there."""

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
        if auto_offset_reset not in ("earliest", "latest", "none"):
            raise ValueError(f"auto_offset_reset is 'earliest', 'latest' or 'none', not {auto_offset_reset!r}")
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
            system.command(self._stream, CloseConsumer(self._number))  # it may be opened yet, with nobody to close it
            raise

    def commit(self, offsets: OffsetsToCommit | None = None) -> None:
        """Commit the messages that this handle has returned, or the given offsets (of the *next* messages to read).

        An offset may come with metadata: (offset, text). Durable when it returns, for all partitions or none; nothing
        to commit is fine. The group commits if there is one, else the consumer itself. Raises CommitWouldGoBackwards
        below the committed offset, unless a seek came before; ConsumerNotAssigned, ConsumerNotPositioned or
        OffsetNotFound beyond what was delivered; UnknownMember or IllegalGeneration when the group has gone on without
        this consumer: what was not committed is, or will be, delivered to another one.
        """
        self.commit_async(offsets).result()

    def commit_async(self, offsets: OffsetsToCommit | None = None) -> Promise[None]:
        """As `commit`, but return a promise at once. Commits of one consumer take effect in the order they were made.

        A callback added to the promise runs on an actor's thread, and must not block.
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

        def done(answer: Future[None]) -> None:
            if answer.exception() is None:
                uncommitted.committed(wanted)

        answer.add_done_callback(done)
        return answer

    def _auto_commit(self, *, is_due: bool = False) -> None:
        """Commit what was returned, if auto-commit is on and due; a refusal is logged, as in Kafka."""
        now = self._system.runtime.monotonic()
        if self._auto_commit_interval is None or (now < self._commits_at and not is_due):
            return
        self._commits_at = now + self._auto_commit_interval
        try:
            self.commit()
        except (ActorError, DomainError, LogError) as error:
            self._log.warning("auto-commit failed", error=str(error))

    def committed(self, topic: str, partition: int) -> int | None:
        """Return the committed offset (the group's, if there is one), or None, as for a topic that is gone."""
        self._require_open()
        try:
            topic_id = self._system.describe_topic(topic).topic_id
        except TopicNotFound:
            return None
        offset: int | None = self._query(CommittedOf(TopicPartition(topic, partition), topic_id))
        return offset

    def _require_open(self) -> None:
        if self._is_closed:
            raise ConsumerClosed(self.consumer_id)

    def _ask(self, body: object, because_of: str = "") -> Any:
        self._require_open()
        command = self._system.command(self._stream, body, correlation_id=because_of, causation_id=because_of)
        return command.result()

    def _query(self, body: object) -> Any:
        self._require_open()
        return self._system.query(self._stream, body).result()
