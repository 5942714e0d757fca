"""A member's actor between a group and a topic that are probes: answers that come late, twice, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from support.actors import QUICK, KitRuntime, Probe

from odradek_actors.base.actor import ActorContext
from odradek_actors.consumer.actor import ConsumerActor
from odradek_actors.errors import ActorStopped, RequestTimedOut
from odradek_actors.infrastructure.journal import JournalActor
from odradek_actors.infrastructure.log_reader import LogReaderActor
from odradek_actors.messages.consumers import (
    Assign,
    CloseConsumer,
    CommitOffsets,
    Delivery,
    DescribeConsumer,
    MemberSettings,
    Notice,
    OpenConsumer,
    Pause,
    Poll,
    SeekTo,
    Subscribe,
)
from odradek_actors.messages.core import Command, LookUp, Query, Recover, Reply
from odradek_actors.messages.groups import (
    CommitGroupOffsets,
    GetCommitted,
    Heartbeat,
    JoinGroup,
    JoinResult,
    LeaveGroup,
    RebalanceBegun,
    SyncGroup,
    SyncResult,
)
from odradek_actors.messages.topics import FetchResult
from odradek_actors.runtime.promise import Promise
from odradek_actors.settings import Settings
from odradek_domain.group.errors import IllegalGeneration, UnknownMember
from odradek_domain.values.committed_offsets import CommittedOffset
from odradek_domain.values.positions import TopicPartition
from odradek_events import LogStore, MemoryLog
from odradek_events.snapshots.store import MemorySnapshots
from odradek_events.testing import FaultyLog
from odradek_events.types import MessageProduced

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
FIRST, SECOND = TopicPartition("orders", 0), TopicPartition("orders", 1)
EAGER = MemberSettings(("range",))
COOPERATIVE = MemberSettings(("cooperative-sticky",), is_cooperative=True)


class Directory:
    """Stands for the directory: knows two groups and one topic. While it is slow, it keeps the look-ups of groups."""

    def __init__(self, group: Probe, topic: Probe, other_group: Probe) -> None:
        self._known = {"group/g": group, "group/h": other_group, "topic/orders": topic}
        self.is_slow = False
        self._late: list[Query] = []

    def tell(self, message: Query) -> None:
        assert isinstance(message.body, LookUp)
        if self.is_slow and message.body.stream.startswith("group/"):
            self._late.append(message)
        else:
            message.reply_to.tell(Reply(message.request_id, self._known[message.body.stream]))

    def catch_up(self, count: int = 1000) -> None:
        """Answer up to `count` of the look-ups kept so far, in order."""
        self.is_slow = False
        late, self._late = self._late[:count], self._late[count:]
        for message in late:
            self.tell(message)


@pytest.fixture
def runtime() -> Iterator[KitRuntime]:
    runtime = KitRuntime()
    yield runtime
    runtime.crash()


class Member:
    """A consumer's actor as a member; its group and its topic do what a test says."""

    def __init__(self, runtime: KitRuntime, settings: MemberSettings = EAGER, log: LogStore | None = None) -> None:
        self.group, self.topic, self.other_group = Probe(), Probe(), Probe()
        context = ActorContext(runtime, Settings(**QUICK))
        self.log = MemoryLog() if log is None else log
        context.journal = runtime.start(JournalActor, context, self.log)
        context.log_reader = runtime.start(LogReaderActor, context, self.log, MemorySnapshots())
        context.snapshots = Probe()
        self.directory = context.directory = Directory(self.group, self.topic, self.other_group)
        self.ref = runtime.start(ConsumerActor, context, "consumer/c")
        self.ask(OpenConsumer(1, "g", "earliest", settings)).result()
        self.ask(Subscribe(1, ("orders",))).result()

    def ask(self, body: object) -> Promise[Any]:
        promise: Promise[Any] = Promise()
        self.ref.tell(Command(body, promise))
        return promise

    def poll(self, received: int = 0, noticed: int = 0, timeout: float = 600.0) -> Promise[Any]:
        return self.ask(Poll(1, received, 500, timeout, noticed))

    def next_of(self, kind: type) -> Any:
        """Return the group's next message that is no heartbeat; it has to be of this kind."""
        message = self.group.next()
        for _ in range(100):
            if kind is not Heartbeat and isinstance(message.body, Heartbeat):
                message = self.group.next()
        assert isinstance(message.body, kind), message.body
        return message

    def answer(self, message: Any, answer: object) -> None:
        message.reply_to.tell(Reply(message.request_id, answer))

    def join(self, generation: int = 1, member_id: str = "m") -> Any:
        """Let it join, and return its question for its share."""
        self.answer(self.next_of(JoinGroup), JoinResult(member_id, generation, "range", member_id, (member_id,)))
        return self.next_of(SyncGroup)

    def share(self, sync: Any, *partitions: TopicPartition, generation: int = 1, committed: int | None = None) -> None:
        known = (
            ()
            if committed is None
            else tuple(CommittedOffset(place.topic, place.partition, "t-1", committed) for place in partitions)
        )
        self.answer(sync, SyncResult(generation, partitions, b"", known))

    def become_member(self, *partitions: TopicPartition, committed: int | None = 0) -> int:
        """Join and get a share; return the number of the notice."""
        polled = self.poll()
        self.share(self.join(), *partitions, committed=committed)
        notice = polled.result(10)
        assert notice == Notice(notice.number, "assigned", partitions)
        return int(notice.number)


def found(offset: int, value: bytes, partition: int = 0) -> FetchResult:
    message = MessageProduced("orders", partition, offset, f"m{offset}", "p", 0, -1, NOON, None, value)
    return FetchResult("orders", "t-1", ((0, 10), (0, 10)), (message,))


def delivered(polled: Promise[Any]) -> list[bytes | None]:
    answer = polled.result(10)
    assert isinstance(answer, Delivery), answer
    return [message.value for message in answer.messages]


# -- fetches ----------------------------------------------------------------------------------------------------------


def test_an_answer_to_a_fetch_of_an_earlier_assignment_is_dropped(runtime: KitRuntime) -> None:
    member = Member(runtime)
    noticed = member.become_member(FIRST, SECOND)
    polled = member.poll(noticed=noticed)
    late, _ = member.topic.next_fetch()
    member.ref.tell(RebalanceBegun("g", 1))
    revoked = polled.result(10)
    polled = member.poll(noticed=revoked.number)
    member.share(member.join(generation=2), FIRST, generation=2, committed=5)
    assigned = polled.result(10)

    polled = member.poll(noticed=assigned.number)
    query, fetch = member.topic.next_fetch()
    member.answer(late, found(6, b"late"))

    assert (revoked.partitions, assigned.partitions) == ((FIRST, SECOND), (FIRST,))
    assert fetch.positions == ((0, 5),)
    member.answer(query, found(5, b"current"))
    assert delivered(polled) == [b"current"]


def test_an_answer_for_a_partition_that_a_cooperative_member_released_is_dropped(runtime: KitRuntime) -> None:
    member = Member(runtime, COOPERATIVE)
    noticed = member.become_member(FIRST, SECOND)
    polled = member.poll(noticed=noticed)
    member.topic.next_fetch()
    member.ref.tell(RebalanceBegun("g", 1))
    sync = member.join(generation=2)
    late, _ = member.topic.next_fetch()  # it goes on reading meanwhile
    member.share(sync, FIRST, generation=2)
    revoked = polled.result(10)
    assigned = member.poll(noticed=revoked.number).result(10)

    polled = member.poll(noticed=assigned.number)
    member.next_of(JoinGroup)
    query, fetch = member.topic.next_fetch()
    member.answer(late, found(0, b"late", partition=1))

    assert (revoked.partitions, assigned.partitions) == ((SECOND,), ())
    assert fetch.positions == ((0, 0),)
    member.answer(query, found(0, b"current"))
    assert delivered(polled) == [b"current"]


def test_an_answer_to_a_fetch_from_before_a_pause_is_dropped(runtime: KitRuntime) -> None:
    member = Member(runtime)
    noticed = member.become_member(FIRST, SECOND)
    polled = member.poll(noticed=noticed)
    late, _ = member.topic.next_fetch()
    member.ask(Pause(1, (FIRST,))).result(10)

    member.answer(late, found(0, b"paused"))
    query, fetch = member.topic.next_fetch()
    member.answer(query, found(0, b"current", partition=1))

    assert fetch.positions == ((1, 0),)
    assert delivered(polled) == [b"current"]


def test_an_answer_to_a_fetch_of_a_lost_assignment_is_dropped(runtime: KitRuntime) -> None:
    member = Member(runtime, MemberSettings(("range",), heartbeat_interval=0.01))
    noticed = member.become_member(FIRST)
    polled = member.poll(noticed=noticed)
    late, _ = member.topic.next_fetch()
    member.answer(member.next_of(Heartbeat), UnknownMember("g", "m"))
    lost = polled.result(10)
    assert (lost.kind, lost.partitions) == ("lost", (FIRST,))

    member.answer(late, found(0, b"late"))
    polled = member.poll(noticed=lost.number)

    member.next_of(JoinGroup)
    assert not polled.done()


def test_an_unacknowledged_delivery_is_repeated_unless_its_partition_was_lost(runtime: KitRuntime) -> None:
    member = Member(runtime, MemberSettings(("range",), heartbeat_interval=0.01))
    noticed = member.become_member(FIRST)
    polled = member.poll(noticed=noticed)
    query, _ = member.topic.next_fetch()
    member.answer(query, found(0, b"once"))
    assert delivered(polled) == [b"once"]
    assert delivered(member.poll(received=0, noticed=noticed)) == [b"once"]

    member.answer(member.next_of(Heartbeat), UnknownMember("g", "m"))
    answer = member.poll(received=0, noticed=noticed).result(10)

    assert (answer.kind, answer.partitions) == ("lost", (FIRST,))


def test_an_unacknowledged_delivery_is_not_repeated_after_unsubscribing(runtime: KitRuntime) -> None:
    member = Member(runtime)
    noticed = member.become_member(FIRST)
    polled = member.poll(noticed=noticed)
    query, _ = member.topic.next_fetch()
    member.answer(query, found(0, b"lost on its way"))
    assert delivered(polled) == [b"lost on its way"]

    member.ask(Subscribe(1, ())).result(10)
    member.next_of(LeaveGroup)
    member.ask(Subscribe(1, ("orders",))).result(10)
    polled = member.poll(received=0, noticed=noticed)
    member.share(member.join(generation=2, member_id="n"), SECOND, generation=2)
    notice = polled.result(10)

    assert (notice.kind, notice.partitions) == ("assigned", (SECOND,))


# -- joining ----------------------------------------------------------------------------------------------------------


def test_a_consumer_that_unsubscribes_while_it_joins_leaves_again(runtime: KitRuntime) -> None:
    member = Member(runtime)
    member.poll()
    joining = member.next_of(JoinGroup)
    member.ask(Subscribe(1, ())).result(10)
    assert member.next_of(LeaveGroup).body.consumer_id == "c"

    member.answer(joining, JoinResult("m", 1, "range", "m", ("m",)))

    assert member.next_of(LeaveGroup).body.member_id == "m"


def test_a_join_whose_membership_ended_before_the_group_was_found_is_not_sent(runtime: KitRuntime) -> None:
    static = MemberSettings(("range",), instance_id="i")
    member = Member(runtime, static)
    member.directory.is_slow = True
    member.poll()
    member.ask(CloseConsumer(1)).result(10)
    member.ask(OpenConsumer(2, "g", "earliest", static)).result(10)
    member.ask(Subscribe(2, ("bills",))).result(10)
    polled = member.ask(Poll(2, 0, 500, 600.0))

    member.directory.catch_up()

    joining = member.next_of(JoinGroup)
    assert joining.body.topics == ("bills",)
    member.answer(joining, JoinResult("m", 1, "range", "m", ("m",)))
    member.share(member.next_of(SyncGroup), FIRST)
    assert polled.result(10).partitions == (FIRST,)


def test_a_group_found_too_late_is_not_joined_by_a_consumer_of_another_group(runtime: KitRuntime) -> None:
    member = Member(runtime)
    member.directory.is_slow = True
    member.poll()
    member.ask(CloseConsumer(1))
    member.ask(OpenConsumer(2, "h", "earliest")).result(10)
    member.ask(Subscribe(2, ("orders",))).result(10)

    member.directory.catch_up()
    member.ask(Poll(2, 0, 500, 600.0))

    assert member.next_of(LeaveGroup).body.consumer_id == "c"
    assert isinstance(member.other_group.next().body, JoinGroup)


def test_commits_reach_the_group_in_order_also_when_it_is_found_late(runtime: KitRuntime) -> None:
    member = Member(runtime)
    member.ask(Subscribe(1, ())).result(10)
    assigning = member.ask(Assign(1, (FIRST,)))
    asked = member.next_of(GetCommitted)
    member.answer(asked, (CommittedOffset("orders", 0, "t-1", 4),))
    assigning.result(10)
    member.directory.is_slow = True
    lost = member.ask(CommitOffsets(1, ((FIRST, 4, "lost", None),)))
    member.answer(member.next_of(CommitGroupOffsets), ActorStopped("group/g"))
    assert isinstance(lost.exception(10), ActorStopped)

    for name in ("first", "second"):
        member.ask(CommitOffsets(1, ((FIRST, 4, name, None),)))
    described: Promise[Any] = Promise()
    member.ref.tell(Query(DescribeConsumer(), described))
    described.result(10)  # both wait for the directory
    member.directory.catch_up(1)
    member.ask(CommitOffsets(1, ((FIRST, 4, "third", None),)))
    member.directory.catch_up()

    found = [member.next_of(CommitGroupOffsets).body.offsets[0].metadata for _ in range(3)]
    assert found == ["first", "second", "third"]


def test_a_static_member_that_closed_while_it_joined_keeps_its_place(runtime: KitRuntime) -> None:
    static = MemberSettings(("range",), instance_id="i")
    member = Member(runtime, static)
    member.poll()
    joining = member.next_of(JoinGroup)
    member.ask(CloseConsumer(1)).result(10)
    member.answer(joining, JoinResult("m", 1, "range", "m", ("m",)))

    member.ask(OpenConsumer(2, "g", "earliest", static)).result(10)
    member.ask(Subscribe(2, ("orders",))).result(10)
    member.ask(Poll(2, 0, 500, 600.0))

    assert isinstance(member.next_of(JoinGroup).body, JoinGroup)


def test_an_assignment_of_an_earlier_membership_is_dropped(runtime: KitRuntime) -> None:
    member = Member(runtime)
    member.poll()
    late = member.join()
    member.ask(Subscribe(1, ())).result(10)
    member.next_of(LeaveGroup)
    member.ask(Subscribe(1, ("orders",))).result(10)
    polled = member.poll()
    sync = member.join(generation=2, member_id="n")

    member.share(late, FIRST, SECOND)
    member.share(sync, SECOND, generation=2)

    assert polled.result(10).partitions == (SECOND,)


def test_an_assignment_that_arrives_twice_is_announced_once(runtime: KitRuntime) -> None:
    member = Member(runtime)
    polled = member.poll()
    sync = member.join()

    for _ in range(2):
        member.share(sync, FIRST)
    notice = polled.result(10)
    member.poll(noticed=notice.number)

    assert notice.partitions == (FIRST,)
    assert member.topic.next_fetch()[1].needs_bounds


def test_a_member_asks_the_next_actor_of_its_group_after_a_stop(runtime: KitRuntime) -> None:
    member = Member(runtime)
    polled = member.poll()
    member.answer(member.next_of(JoinGroup), ActorStopped("group/g"))

    sync = member.join()
    member.answer(sync, ActorStopped("group/g"))
    sync = member.join(generation=2)
    member.share(sync, FIRST, generation=2)

    assert polled.result(10).partitions == (FIRST,)


def test_an_answer_to_a_heartbeat_of_an_earlier_generation_is_dropped(runtime: KitRuntime) -> None:
    member = Member(runtime, MemberSettings(("range",), heartbeat_interval=0.01))
    noticed = member.become_member(FIRST)
    late = member.next_of(Heartbeat)
    member.ref.tell(RebalanceBegun("g", 1))
    revoked = member.poll(noticed=noticed).result(10)
    polled = member.poll(noticed=revoked.number)
    member.share(member.join(generation=2), SECOND, generation=2)
    notice = polled.result(10)

    member.answer(late, IllegalGeneration("g", "m", 1, 2))
    member.poll(noticed=notice.number)

    assert member.topic.next_fetch()[1].needs_bounds  # it reads, and has not lost what it got
    assert notice.partitions == (SECOND,)


@pytest.mark.parametrize("stage", ["joining", "syncing", "member"])
def test_a_member_that_recovers_in_any_stage_continues(runtime: KitRuntime, stage: str) -> None:
    member = Member(runtime)
    polled = member.poll()
    joining = member.next_of(JoinGroup)
    if stage == "joining":
        member.ref.tell(Recover())
    member.answer(joining, JoinResult("m", 1, "range", "m", ("m",)))
    sync = member.next_of(SyncGroup)
    if stage == "syncing":
        member.ref.tell(Recover())
    member.share(sync, FIRST, committed=3)
    notice = polled.result(10)
    if stage == "member":
        member.ref.tell(Recover())
    polled = member.poll(noticed=notice.number)
    query, fetch = member.topic.next_fetch()

    assert notice.partitions == (FIRST,)
    assert fetch.positions == ((0, 3),)
    member.answer(query, found(3, b"next"))
    assert delivered(polled) == [b"next"]


# -- commits ----------------------------------------------------------------------------------------------------------


def test_a_commit_speaks_for_the_generation_its_member_is_in(runtime: KitRuntime) -> None:
    member = Member(runtime)
    noticed = member.become_member(FIRST, committed=4)
    member.poll(noticed=noticed, timeout=0)
    committing = member.ask(CommitOffsets(1, ((FIRST, 4, "", None),)))

    message = member.next_of(CommitGroupOffsets)
    body = message.body
    member.answer(message, IllegalGeneration("g", "m", 1, 2))

    assert (body.member_id, body.generation, body.offsets[0].offset) == ("m", 1, 4)
    assert isinstance(committing.exception(10), IllegalGeneration)


def test_late_commits_of_a_cooperative_member_are_retried_in_order(runtime: KitRuntime) -> None:
    member = Member(runtime, COOPERATIVE)
    noticed = member.become_member(FIRST, committed=4)
    member.ref.tell(RebalanceBegun("g", 1))
    member.poll(noticed=noticed)
    joining = member.next_of(JoinGroup)
    first, second = (member.ask(CommitOffsets(1, ((FIRST, 4, text, None),))) for text in ("first", "second"))
    late = [member.next_of(CommitGroupOffsets) for _ in range(2)]
    member.answer(late[0], IllegalGeneration("g", "m", 1, 2))
    third = member.ask(CommitOffsets(1, ((FIRST, 4, "third", None),)))
    member.answer(late[1], IllegalGeneration("g", "m", 1, 2))
    member.answer(joining, JoinResult("m", 2, "cooperative-sticky", "m", ("m",)))
    member.share(member.next_of(SyncGroup), FIRST, generation=2)

    again = [member.next_of(CommitGroupOffsets) for _ in range(3)]
    for message in again:
        member.answer(message, None)

    assert [(message.body.generation, message.body.offsets[0].metadata) for message in again] == [
        (2, "first"),
        (2, "second"),
        (2, "third"),
    ]
    assert [promise.exception(10) for promise in (first, second, third)] == [None] * 3


def test_a_commit_that_is_answered_after_a_seek_leaves_the_seek_its_way_back(runtime: KitRuntime) -> None:
    member = Member(runtime)
    noticed = member.become_member(FIRST, committed=4)
    member.poll(noticed=noticed, timeout=0)
    earlier = member.ask(CommitOffsets(1, ((FIRST, 4, "", None),)))
    asked = member.next_of(CommitGroupOffsets)
    member.ask(SeekTo(1, FIRST, "t-1", 0)).result(10)
    member.answer(asked, None)
    earlier.result(10)

    back, on = (member.ask(CommitOffsets(1, ((FIRST, 0, text, None),))) for text in ("back", "on"))
    asked = member.next_of(CommitGroupOffsets)
    member.answer(asked, None)
    back.result(10)
    member.answer(member.next_of(CommitGroupOffsets), None)
    on.result(10)
    member.ask(CommitOffsets(1, ((FIRST, 0, "forwards again", None),)))

    assert asked.body.offsets[0].is_reset
    assert not member.next_of(CommitGroupOffsets).body.offsets[0].is_reset


# -- leaving while something is under way -----------------------------------------------------------------------------


def test_a_member_that_left_while_its_assignment_was_recorded_rejoins(runtime: KitRuntime) -> None:
    log = FaultyLog()
    member = Member(runtime, MemberSettings(("range",), heartbeat_interval=0.01, max_poll_interval=0.05), log)
    polled = member.poll(timeout=0.01)
    sync = member.join()
    polled.result(10)
    hold = log.hold("consumer/")
    member.share(sync, FIRST)
    assert hold.reached.wait(10)
    member.next_of(LeaveGroup)
    hold.release()

    member.poll()

    assert member.next_of(JoinGroup).body.member_id == ""


def test_a_consumer_reopened_while_it_leaves_keeps_its_new_assignment(runtime: KitRuntime) -> None:
    member = Member(runtime)
    member.become_member(FIRST)
    closing = member.ask(CloseConsumer(1))
    leaving = member.next_of(LeaveGroup)
    member.ask(OpenConsumer(2, "g", "earliest")).result(10)
    member.ask(Subscribe(2, ())).result(10)
    assigning = member.ask(Assign(2, (SECOND,)))
    member.answer(member.next_of(GetCommitted), ())
    assigning.result(10)
    member.answer(leaving, None)
    closing.result(10)

    described: Promise[Any] = Promise()
    member.ref.tell(Query(DescribeConsumer(), described))

    assert described.result(10).assignment == (SECOND,)


def test_a_poll_for_no_messages_with_timeout_0_says_whether_partitions_are_assigned(runtime: KitRuntime) -> None:
    member = Member(runtime)
    asked = member.ask(Poll(1, 0, 0, 0))
    sync = member.join()
    assert isinstance(asked.exception(5), RequestTimedOut)
    member.share(sync, FIRST)

    noticed = member.ask(Poll(1, 0, 0, 0)).result(5).number

    assert delivered(member.ask(Poll(1, 0, 0, 0, noticed))) == []
