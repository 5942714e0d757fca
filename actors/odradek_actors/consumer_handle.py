"""A consumer as people hold it: polls, remembers what was handed out, commits that and no more."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from odradek_actors.arguments import names, seconds, whole_number
from odradek_actors.consumer_protocol import (
    CloseConsumer,
    CommitOffsets,
    CommittedOf,
    ConsumerRecord,
    Delivery,
    DescribeConsumer,
    OpenConsumer,
    Poll,
    PositionOf,
    SeekTo,
    Subscribe,
)
from odradek_actors.errors import RequestTimedOut
from odradek_actors.protocol import TopicDescription
from odradek_domain.errors import ConsumerClosed, TopicNotFound
from odradek_domain.names import ConsumerId, GroupId, TopicName
from odradek_domain.positions import TopicPartition
from odradek_events.types import MessageProduced

if TYPE_CHECKING:
    from odradek_actors.system import ActorSystem

__all__ = ["AutoOffsetReset", "ConsumerHandle"]

AutoOffsetReset = Literal["earliest", "latest", "none"]
_GRACE = 10.0  # the actor times a poll out; waiting a little longer here keeps the two from racing


class ConsumerHandle:
    """Reads messages. Get one from `ActorSystem.consumer`; for use by one thread at a time.

    Delivery is at least once: what was polled but not committed is delivered again in the next life.
    """

    def __init__(
        self,
        system: ActorSystem,
        consumer_id: str,
        group: str | None = None,
        *,
        auto_offset_reset: AutoOffsetReset = "earliest",
    ) -> None:
        if auto_offset_reset not in ("earliest", "latest", "none"):
            raise ValueError(f"auto_offset_reset is 'earliest', 'latest' or 'none', not {auto_offset_reset!r}")
        self.consumer_id = str(ConsumerId(consumer_id))
        self.group_id = None if group is None else str(GroupId(group))
        self._system = system
        self._stream = f"consumer/{self.consumer_id}"
        self._number = system.runtime.new_number()
        self._received = 0
        self._buffered: deque[MessageProduced] = deque()
        self._uncommitted: dict[TopicPartition, tuple[int, str]] = {}  # next offset, and of which topic id
        self._topic_id = ""  # of the buffered messages, which come of one delivery
        self._polled = ""  # correlation id of the poll that gave them: a commit goes on with what it began
        self._is_closed = False
        try:
            self._ask(OpenConsumer(self._number, self.group_id, auto_offset_reset))
        except RequestTimedOut:
            system.command(self._stream, CloseConsumer(self._number))  # it may be opened yet, with nobody to close it
            raise

    # -- subscribing --------------------------------------------------------------------------------------------------

    def subscribe(self, topics: Iterable[str]) -> None:
        """Read exactly these topics from now on, instead of the earlier ones.

        One that does not exist yet is read once it does. A consumer that is opened again keeps its subscription.
        """
        wanted = tuple(str(TopicName(topic)) for topic in names("topics", topics))
        self._ask(Subscribe(self._number, wanted))
        self._buffered = deque(event for event in self._buffered if event.topic in wanted)

    def unsubscribe(self) -> None:
        """Read nothing from now on; positions and commits stay."""
        self.subscribe(())

    @property
    def subscription(self) -> tuple[str, ...]:
        """The topics it reads."""
        topics: tuple[str, ...] = self._query(DescribeConsumer()).subscriptions
        return topics

    # -- reading ------------------------------------------------------------------------------------------------------

    def poll(self, max_messages: int = 500, timeout: float = 1.0) -> list[ConsumerRecord]:
        """Return up to `max_messages` that come next, waiting up to `timeout` seconds for the first; may be empty.

        Within a partition messages come in the order of their offsets; between partitions and topics there is no order,
        and each gets its turn. Fewer than `max_messages` does not mean that there are no more. Each delivery is
        recorded (MessageConsumed) before it is returned; only `commit` moves where the next life begins. Raises
        ConsumerNotSubscribed, and with auto_offset_reset "none" NoCommittedOffset or OffsetNotFound.
        """
        whole_number("max_messages", max_messages, 1)
        seconds("timeout", timeout)
        self._require_open()
        if not self._buffered:
            self._fill(max_messages, timeout)
        count = min(max_messages, len(self._buffered))
        return [self._hand_out(self._buffered.popleft()) for _ in range(count)]

    def messages(self, idle_timeout: float | None = None) -> Iterator[ConsumerRecord]:
        """Yield messages one by one as they come, for ever, or until none came for `idle_timeout` seconds.

        A message counts as handed out, for `commit`, when it is yielded.
        """
        if idle_timeout is not None:
            seconds("idle_timeout", idle_timeout)
        while not self._is_closed:
            if not self._buffered:
                self._fill(500, 1.0 if idle_timeout is None else idle_timeout)
                if not self._buffered:
                    if idle_timeout is not None:
                        return
                    continue
            yield self._hand_out(self._buffered.popleft())

    def __iter__(self) -> Iterator[ConsumerRecord]:
        return self.messages()

    def _fill(self, max_messages: int, timeout: float) -> None:
        self._require_open()
        poll = Poll(self._number, self._received, max_messages, timeout)
        name = self._system.runtime.new_id()
        delivery: Delivery = self._system.command(self._stream, poll, correlation_id=name).result(timeout + _GRACE)
        if delivery.messages:
            self._polled = name
        self._received = max(self._received, delivery.number)
        self._buffered.extend(delivery.messages)
        self._topic_id = delivery.topic_id

    def _hand_out(self, event: MessageProduced) -> ConsumerRecord:
        self._uncommitted[TopicPartition(event.topic, event.partition)] = event.offset + 1, self._topic_id
        return ConsumerRecord(
            event.topic,
            event.partition,
            event.offset,
            event.key,
            event.value,
            event.headers,
            event.timestamp,
            event.message_id,
        )

    # -- positions and commits ----------------------------------------------------------------------------------------

    def commit(self, offsets: Mapping[TopicPartition, int] | None = None) -> None:
        """Commit what was handed out by this handle, or the given offsets (of the *next* messages to read).

        Durable when it returns, for all partitions or none; nothing to commit is fine. The group commits if there is
        one, else the consumer itself. Raises CommitWouldGoBackwards below the committed offset, unless a seek came
        before; ConsumerNotPositioned or OffsetNotFound beyond what was delivered.
        """
        wanted: tuple[tuple[TopicPartition, int, str | None], ...]
        if offsets is None:
            wanted = tuple((place, offset, topic_id) for place, (offset, topic_id) in sorted(self._uncommitted.items()))
        else:
            wanted = tuple((_place(key), whole_number("offset", offsets[key]), None) for key in sorted(offsets))
        if wanted:
            self._ask(CommitOffsets(self._number, wanted), self._polled)
        for place, offset, _ in wanted:
            if place in self._uncommitted and self._uncommitted[place][0] == offset:
                del self._uncommitted[place]

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Continue a partition at `offset`; one out of range is dealt with by auto_offset_reset at the next poll.

        The topic must exist (TopicNotFound, PartitionNotFound) and be subscribed (ConsumerNotSubscribed). Commits
        nothing.
        """
        whole_number("partition", partition)
        whole_number("offset", offset)
        description: TopicDescription = self._system.describe_topic(topic)
        self._seek(description, partition, offset)

    def seek_to_beginning(self, topic: str) -> None:
        """Continue every partition of a topic at its first readable message."""
        description = self._system.describe_topic(topic)
        for partition in description.partitions:
            self._seek(description, partition.id, partition.log_start_offset)

    def seek_to_end(self, topic: str) -> None:
        """Continue every partition of a topic behind its last message."""
        description = self._system.describe_topic(topic)
        for partition in description.partitions:
            self._seek(description, partition.id, partition.high_watermark)

    def position(self, topic: str, partition: int) -> int | None:
        """Return the offset of the next message `poll` will return, or None before the first poll or seek."""
        self._require_open()
        for event in self._buffered:
            if (event.topic, event.partition) == (topic, partition):
                return event.offset
        offset: int | None = self._query(PositionOf(TopicPartition(topic, partition)))
        return None if offset is None else int(offset)

    def committed(self, topic: str, partition: int) -> int | None:
        """Return the committed offset (the group's, if there is one), or None, as for a topic that is gone."""
        self._require_open()
        try:
            topic_id = self._system.describe_topic(topic).topic_id
        except TopicNotFound:
            return None
        offset: int | None = self._query(CommittedOf(TopicPartition(topic, partition), topic_id))
        return offset

    def _seek(self, description: TopicDescription, partition: int, offset: int) -> None:
        self._system.require_partition(description, partition)
        place = TopicPartition(description.name, partition)
        self._ask(SeekTo(self._number, place, description.topic_id, offset))
        self._buffered = deque(event for event in self._buffered if (event.topic, event.partition) != place)
        self._uncommitted.pop(place, None)

    # -- closing ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Leave the group and free the id; commits nothing. Closing twice is fine."""
        if self._is_closed:
            return
        self._is_closed = True
        if not self._system.is_closed:
            self._system.command(self._stream, CloseConsumer(self._number)).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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


def _place(partition: tuple[str, int]) -> TopicPartition:
    if not isinstance(partition, tuple) or len(partition) != 2:
        raise TypeError(f"offsets are given by (topic, partition), not by {partition!r}")
    return TopicPartition(str(TopicName(partition[0])), whole_number("partition", partition[1]))
