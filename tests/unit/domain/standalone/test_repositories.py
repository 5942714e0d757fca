"""The repositories over a log: what was saved is found again, by whoever asks, and a lost race spoils nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pytest
from support.domain import NOON, after, message, record

from odradek_domain.errors import (
    CommitWouldGoBackwards,
    InvalidOffset,
    InvalidTopicName,
    OffsetNotFound,
    PartitionNotFound,
    RepositoryError,
    TopicAlreadyExists,
    TopicNotFound,
)
from odradek_domain.replay.system_state import SystemState
from odradek_domain.standalone.repositories import (
    EventSourcedMessageRepository,
    EventSourcedOffsetRepository,
    EventSourcedTopicRepository,
    MessageRepository,
    OffsetRepository,
    TopicRepository,
)
from odradek_domain.standalone.services import OffsetManagementService, TopicManagementService
from odradek_domain.topic.topic import Topic
from odradek_domain.values.committed_offsets import CommittedOffset
from odradek_domain.values.positions import Offset, TopicPartition
from odradek_events import Append, Commit, EventLog, Failed, Head, MemoryLog, SqliteLog
from odradek_events.errors import LogUnavailable, OutcomeUnknown, WrongExpectedVersion
from odradek_events.record import Verdict
from odradek_events.types import TopicCreated

ORDERS_0 = TopicPartition("orders", 0)


@pytest.fixture(params=["memory", "sqlite"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryLog | SqliteLog]:
    made = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "log.db", durability="off")
    with made:
        yield made


@pytest.fixture
def topics(log: EventLog) -> TopicManagementService:
    repository: TopicRepository = EventSourcedTopicRepository(log)
    return TopicManagementService(repository)


@pytest.fixture
def messages(log: EventLog) -> MessageRepository:
    return EventSourcedMessageRepository(log)


@pytest.fixture
def offsets(log: EventLog) -> OffsetManagementService:
    repository: OffsetRepository = EventSourcedOffsetRepository(log)
    return OffsetManagementService(repository)


# -- topics -----------------------------------------------------------------------------------------------------------


def test_a_created_topic_is_found_by_any_repository_over_the_log(log: EventLog, topics: TopicManagementService) -> None:
    created = topics.create_topic("orders", 3, topic_id="t-1", at=NOON)
    found = EventSourcedTopicRepository(log).find_by_name("orders")
    assert found is not None
    assert found is not created
    assert found.snapshot() == created.snapshot()


def test_a_topic_has_one_partition_by_default(topics: TopicManagementService) -> None:
    assert topics.create_topic("orders", topic_id="t-1", at=NOON).partition_count == 1


def test_a_topic_that_was_never_created_is_not_there(topics: TopicManagementService, log: EventLog) -> None:
    assert not topics.topic_exists("orders")
    assert EventSourcedTopicRepository(log).find_by_name("orders") is None
    assert topics.list_topics() == []
    for attempt in (
        lambda: topics.get_topic("orders"),
        lambda: topics.delete_topic("orders", at=NOON),
        lambda: topics.add_partitions("orders", 2, at=NOON),
    ):
        with pytest.raises(TopicNotFound):
            attempt()


def test_a_topic_cannot_be_created_twice_or_under_a_bad_name(topics: TopicManagementService) -> None:
    topics.create_topic("orders", topic_id="t-1", at=NOON)
    with pytest.raises(TopicAlreadyExists):
        topics.create_topic("orders", topic_id="t-2", at=NOON)
    with pytest.raises(InvalidTopicName):
        topics.create_topic("no spaces", topic_id="t-3", at=NOON)


def test_topics_are_listed_by_name_without_deleted_ones(topics: TopicManagementService) -> None:
    for name in ("b", "a", "c"):
        topics.create_topic(name, topic_id=f"t-{name}", at=NOON)
    topics.delete_topic("b", at=after(1))
    assert [topic.name for topic in topics.list_topics()] == ["a", "c"]
    assert not topics.topic_exists("b")


def test_a_listing_takes_old_names_as_they_are_and_leaves_other_peoples_streams_alone(
    log: EventLog, topics: TopicManagementService
) -> None:
    record(log, "topic/an old name", TopicCreated("an old name", "t-1", 1, NOON))
    record(log, "archive/orders", TopicCreated("orders", "t-2", 1, NOON))
    assert [topic.name for topic in topics.list_topics()] == ["an old name"]


def test_a_recreated_topic_continues_its_stream(log: EventLog, topics: TopicManagementService) -> None:
    topics.create_topic("orders", 2, topic_id="t-1", at=NOON)
    topics.delete_topic("orders", at=after(1))
    again = topics.create_topic("orders", 1, topic_id="t-2", at=after(2))
    assert (again.topic_id, again.partition_count, again.version) == ("t-2", 1, 2)
    assert log.stream_version("topic/orders") == 2


def test_partitions_can_be_added(topics: TopicManagementService) -> None:
    topics.create_topic("orders", 1, topic_id="t-1", at=NOON)
    assert topics.add_partitions("orders", 4, at=after(1)).partition_count == 4
    assert topics.get_topic("orders").partition_count == 4


def test_saving_nothing_writes_nothing(log: EventLog) -> None:
    topic = EventSourcedTopicRepository(log).load("orders")
    assert EventSourcedTopicRepository(log).save(topic, []) is topic
    assert log.head().position == -1


def test_a_save_that_loses_a_race_raises_and_leaves_the_topic_usable(
    log: EventLog, topics: TopicManagementService
) -> None:
    topics.create_topic("orders", topic_id="t-1", at=NOON)
    repository = EventSourcedTopicRepository(log)
    winner, loser = repository.load("orders"), repository.load("orders")
    repository.save(winner, [winner.add_message(message(b"first"))])
    before, head = loser.snapshot(), log.head()
    with pytest.raises(RepositoryError, match=r"topic/orders: it was not saved: .*re-read it and retry") as refused:
        repository.save(loser, [loser.add_message(message(b"second"))])
    assert refused.value.stream == "topic/orders"
    assert isinstance(refused.value.__cause__, WrongExpectedVersion)
    assert loser.snapshot() == before
    assert log.head() == head
    for commit in log.commits(stream="topic/orders", after=head.position - 1):
        loser.apply_all(commit.events)
    repository.save(loser, [loser.add_message(message(b"second"))])
    assert [stored.value for stored in loser.get_messages(0, 9)] == [b"first", b"second"]
    assert repository.load("orders").snapshot() == loser.snapshot()


def test_concurrent_creations_create_one_topic(log: EventLog) -> None:
    repository = EventSourcedTopicRepository(log)
    winner, loser = repository.load("orders"), repository.load("orders")
    repository.save(winner, [winner.create(topic_id="t-1", at=NOON)])
    with pytest.raises(RepositoryError):
        repository.save(loser, [loser.create(topic_id="t-2", at=NOON)])
    assert not loser.exists
    assert repository.load("orders").topic_id == "t-1"


def test_a_closed_log_is_a_repository_error_and_the_topic_is_as_it_was() -> None:
    log = MemoryLog()
    repository = EventSourcedTopicRepository(log)
    topic = repository.load("orders")
    log.close()
    with pytest.raises(RepositoryError, match="it was not saved") as refused:
        repository.save(topic, [topic.create(topic_id="t-1", at=NOON)])
    assert isinstance(refused.value.__cause__, LogUnavailable)
    assert not topic.exists


class UncertainLog:
    """A log whose every append ends with its outcome unknown, and whose every read fails."""

    def append(self, requests: Sequence[Append], recorded_at: datetime) -> list[Verdict]:
        return [Failed(OutcomeUnknown("the log", "the disk went away")) for _ in requests]

    def commits(
        self,
        *,
        after: int = -1,
        until: int | None = None,
        stream: str | None = None,
        tags: Collection[str] = (),
        types: Collection[str] = (),
    ) -> Iterator[Commit]:
        raise LogUnavailable("the log", "the disk went away")

    def head(self) -> Head:
        return Head(-1, b"", None)

    def stream_version(self, stream: str) -> int:
        return -1


def test_an_unknown_outcome_is_said_to_be_unknown() -> None:
    topic = Topic("orders")
    with pytest.raises(RepositoryError, match="it may or may not have been saved"):
        EventSourcedTopicRepository(UncertainLog()).save(topic, [topic.create(topic_id="t-1", at=NOON)])
    assert not topic.exists


def test_a_log_that_cannot_be_read_is_a_repository_error() -> None:
    with pytest.raises(RepositoryError, match="topic/orders: it could not be read") as refused:
        EventSourcedTopicRepository(UncertainLog()).load("orders")
    assert isinstance(refused.value.__cause__, LogUnavailable)
    with pytest.raises(RepositoryError, match="the log: it could not be read"):
        EventSourcedTopicRepository(UncertainLog()).list_all()


# -- messages ---------------------------------------------------------------------------------------------------------


def test_a_stored_message_gets_the_next_offset_and_is_read_back_whole(
    topics: TopicManagementService, messages: MessageRepository
) -> None:
    topics.create_topic("orders", 2, topic_id="t-1", at=NOON)
    sent = message(b"tea", b"alice", headers=(("h", b"1"), ("h", b"2")))
    assert messages.store_message("orders", 1, sent) == Offset(0)
    assert messages.store_message("orders", 1, message(None)) == Offset(1)
    first, second = messages.fetch_messages("orders", 1, 0, 10)
    assert first == sent.assign_offset(0)
    assert (second.value, second.offset) == (None, 1)
    assert messages.fetch_messages("orders", 1, 1, 10) == [second]
    assert messages.fetch_messages("orders", 0, 0, 10) == []


def test_messages_need_an_existing_topic_partition_and_offset(
    topics: TopicManagementService, messages: MessageRepository
) -> None:
    with pytest.raises(TopicNotFound):
        messages.store_message("orders", 0, message())
    with pytest.raises(TopicNotFound):
        messages.fetch_messages("orders", 0, 0, 1)
    topics.create_topic("orders", topic_id="t-1", at=NOON)
    with pytest.raises(PartitionNotFound):
        messages.store_message("orders", 1, message())
    with pytest.raises(OffsetNotFound):
        messages.fetch_messages("orders", 0, 1, 1)


def test_a_message_is_visible_to_a_replay_once_it_is_stored(
    log: MemoryLog | SqliteLog, topics: TopicManagementService, messages: MessageRepository
) -> None:
    topics.create_topic("orders", topic_id="t-1", at=NOON)
    messages.store_message("orders", 0, message())
    assert SystemState.replay(log).topics["orders"].partitions[0].high_watermark == 1


# -- offsets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("owner", ["group/billing", "consumer/c1"])
def test_a_committed_offset_is_found_again_for_its_owner_alone(
    owner: str, topics: TopicManagementService, offsets: OffsetManagementService
) -> None:
    topics.create_topic("orders", 2, topic_id="t-1", at=NOON)
    assert offsets.get_offset(owner, ORDERS_0) is None
    assert offsets.commit_offset(owner, ORDERS_0, 3, at=NOON) == 3
    assert offsets.get_offset(owner, ORDERS_0) == Offset(3)
    assert offsets.get_offset("group/other", ORDERS_0) is None
    assert offsets.get_offset(owner, TopicPartition("orders", 1)) is None


@pytest.mark.parametrize("owner", ["group/billing", "consumer/c1"])
def test_a_commit_never_goes_back_and_a_reset_does(
    owner: str, topics: TopicManagementService, offsets: OffsetManagementService
) -> None:
    topics.create_topic("orders", topic_id="t-1", at=NOON)
    offsets.commit_offset(owner, ORDERS_0, 3, at=NOON)
    with pytest.raises(CommitWouldGoBackwards):
        offsets.commit_offset(owner, ORDERS_0, 2, at=NOON)
    assert offsets.get_offset(owner, ORDERS_0) == 3
    assert offsets.reset_offset(owner, ORDERS_0, 1, at=after(1)) == 1
    assert offsets.get_offset(owner, ORDERS_0) == 1


def test_the_same_commit_again_writes_nothing(
    log: EventLog, topics: TopicManagementService, offsets: OffsetManagementService
) -> None:
    topics.create_topic("orders", topic_id="t-1", at=NOON)
    offsets.commit_offset("group/billing", ORDERS_0, 3, at=NOON)
    head = log.head()
    offsets.commit_offset("group/billing", ORDERS_0, 3, at=after(1))
    assert log.head() == head


def test_a_commit_needs_a_topic_partition_and_a_valid_offset(
    log: EventLog, topics: TopicManagementService, offsets: OffsetManagementService
) -> None:
    with pytest.raises(TopicNotFound):
        offsets.commit_offset("group/billing", ORDERS_0, 3, at=NOON)
    topics.create_topic("orders", topic_id="t-1", at=NOON)
    with pytest.raises(PartitionNotFound):
        offsets.commit_offset("group/billing", TopicPartition("orders", 1), 3, at=NOON)
    with pytest.raises(InvalidOffset):
        offsets.commit_offset("group/billing", ORDERS_0, -1, at=NOON)
    assert log.stream_version("group/billing") == -1


def test_commits_for_a_deleted_topic_no_longer_count(
    topics: TopicManagementService, offsets: OffsetManagementService
) -> None:
    topics.create_topic("orders", topic_id="t-1", at=NOON)
    offsets.commit_offset("group/billing", ORDERS_0, 3, at=NOON)
    topics.delete_topic("orders", at=NOON)
    assert offsets.get_offset("group/billing", ORDERS_0) is None
    topics.create_topic("orders", topic_id="t-2", at=NOON)
    assert offsets.get_offset("group/billing", ORDERS_0) is None
    offsets.commit_offset("group/billing", ORDERS_0, 1, at=NOON)
    assert offsets.get_offset("group/billing", ORDERS_0) == 1


def test_metadata_is_kept_with_a_commit(log: EventLog, topics: TopicManagementService) -> None:
    topics.create_topic("orders", topic_id="t-1", at=NOON)
    committed = CommittedOffset("orders", 0, "t-1", 4, "by hand")
    EventSourcedOffsetRepository(log).save_offset("group/billing", committed, at=NOON)
    assert EventSourcedOffsetRepository(log).load_offset("group/billing", ORDERS_0) == committed


@pytest.mark.parametrize("owner", ["billing", "topic/orders", "producer/p", ""])
def test_only_groups_and_consumers_own_offsets(
    owner: str, topics: TopicManagementService, offsets: OffsetManagementService
) -> None:
    topics.create_topic("orders", topic_id="t-1", at=NOON)
    with pytest.raises(
        RepositoryError, match="only groups and consumers own offsets; use 'group/<id>' or 'consumer/<id>'"
    ):
        offsets.get_offset(owner, ORDERS_0)
