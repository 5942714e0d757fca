"""The sticky assignors: balanced first, then as few partitions as possible change hands (KIP-54).

Balanced: no partition can go from a member to another one that reads its topic and has at least two fewer. Everybody
keeps what it rightly claims; partitions of nobody are dealt out, those with the fewest readers first, each to the
reader with the fewest partitions; then, as long as it is possible, the member with the most gives a partition to the
one with the fewest that can take one. It gives what it did not have before, if it can, and of the topic that it has
most of beside the other one: a member that joins gets some of each topic, not all of one. Each such step makes the sum
of the squared loads smaller, so it comes to an end.

If all read the same topics, no assignment keeps more. With `q, r = divmod(partitions, members)` nobody falls below `q`
by giving, and members fall from `q + 1` to `q` only while more than `r` of them have that many: both must happen in any
balanced assignment. What was dealt out never has to move, since it filled the lowest only.

Prior art: Kafka's AbstractStickyAssignor has an algorithm for equal subscriptions and a slower one for others, which
tries each partition in turn and takes its result back if it is no better. One algorithm does for both here: sets of
topics are bits of an integer, so it is one operation to ask what one member can give another.

The claims of one generation to one partition by two members count for nothing; see `member_subscription`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush, heapreplace
from itertools import chain

from odradek_domain.member_subscription import MemberSubscription, in_assignment_order, newest_claims
from odradek_domain.positions import TopicPartition

__all__ = ["CooperativeStickyAssignor", "StickyAssignor"]


class StickyAssignor:
    """Balances, and lets members keep what they had as far as that allows; all stop reading while it is decided."""

    __slots__ = ()
    name = "sticky"
    is_cooperative = False

    def assign(
        self, members: Sequence[MemberSubscription], partition_counts: Mapping[str, int]
    ) -> Mapping[str, tuple[TopicPartition, ...]]:
        """Share the partitions out: balanced, with as few moves as can be found."""
        shares = _Shares(in_assignment_order(members), partition_counts)
        shares.deal(shares.keep_claims())
        shares.level()
        return shares.by_member()


class CooperativeStickyAssignor(StickyAssignor):
    """Sticky, for members that go on reading what they keep: the group withholds what others still hold (KIP-429)."""

    __slots__ = ()
    name = "cooperative-sticky"
    is_cooperative = True


class _Hand:
    """Partitions by their topic's index; `topics` has a bit for each topic of which there is one."""

    __slots__ = ("_partitions", "topics")

    def __init__(self) -> None:
        self.topics = 0
        self._partitions: dict[int, list[int]] = {}

    def add(self, topic: int, partition: int) -> None:
        self._partitions.setdefault(topic, []).append(partition)
        self.topics |= 1 << topic

    def take(self, topic: int) -> int:
        """Remove the partition of this topic that came last."""
        partitions = self._partitions[topic]
        partition = partitions.pop()
        if not partitions:
            del self._partitions[topic]
            self.topics &= ~(1 << topic)
        return partition

    def count(self, topic: int) -> int:
        """Return how many partitions of this topic there are."""
        return len(self._partitions.get(topic, ()))

    def among(self, topics: int) -> list[int]:
        """Return which of these topics there are partitions of."""
        return [topic for topic in self._partitions if topics >> topic & 1]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((topic, partition) for topic, partitions in self._partitions.items() for partition in partitions)


class _Shares:
    """Who has what, while it is shared out. Members and topics are indices in their order."""

    __slots__ = ("_by_load", "_counts", "_given", "_kept", "_load", "_members", "_reads", "_topics")

    def __init__(self, members: list[MemberSubscription], partition_counts: Mapping[str, int]) -> None:
        self._members = members
        self._topics = sorted(partition_counts)
        self._counts = [partition_counts[topic] for topic in self._topics]
        bits = {topic: 1 << index for index, topic in enumerate(self._topics)}
        masks: dict[tuple[str, ...], int] = {}  # most groups have one subscription, however many members
        for member in members:
            if member.topics not in masks:
                masks[member.topics] = sum(bits[topic] for topic in dict.fromkeys(member.topics) if topic in bits)
        self._reads = [masks[member.topics] for member in members]
        self._kept = [_Hand() for _ in members]
        self._given = [_Hand() for _ in members]
        self._load = [0] * len(members)
        self._by_load: list[tuple[int, int]] = []

    def keep_claims(self) -> list[list[int]]:
        """Give everybody what it rightly claims and still reads; return what nobody does, by topic."""
        owners = self._claimants()
        vacant: list[list[int]] = [[] for _ in self._topics]
        for topic, (name, count) in enumerate(zip(self._topics, self._counts, strict=True)):
            for partition in range(count):
                owner = owners.get((name, partition))
                if owner is None or not self._reads[owner] >> topic & 1:
                    vacant[topic].append(partition)
                else:
                    self._kept[owner].add(topic, partition)
                    self._load[owner] += 1
        return vacant

    def _claimants(self) -> dict[tuple[str, int], int]:
        """Return who has the newest claim to each partition that is claimed, unless two have."""
        places = {member.member_id: place for place, member in enumerate(self._members)}
        claims = newest_claims(self._members)
        return {partition: places[claimants[0]] for partition, claimants in claims.items() if len(claimants) == 1}

    def deal(self, vacant: list[list[int]]) -> None:
        """Give each of these to the reader that has the fewest; topics with few readers first, while there is room."""
        groups: dict[int, list[int]] = {}
        for member, reads in enumerate(self._reads):
            groups.setdefault(reads, []).append(member)
        readers = [tuple(reads for reads in groups if reads >> topic & 1) for topic in range(len(self._topics))]
        numbers = [sum(len(groups[reads]) for reads in of_topic) for of_topic in readers]
        before: tuple[int, ...] = ()
        heap: list[tuple[int, int]] = []
        for topic in sorted(range(len(self._topics)), key=numbers.__getitem__):
            if not numbers[topic]:
                continue
            if readers[topic] != before:
                before = readers[topic]
                heap = [(self._load[member], member) for reads in before for member in groups[reads]]
                heapify(heap)
            for partition in vacant[topic]:
                load, member = heap[0]
                self._given[member].add(topic, partition)
                self._load[member] = load + 1
                heapreplace(heap, (load + 1, member))

    def level(self) -> None:
        """Move partitions from those with many to those with few until it is balanced."""
        load = self._load
        self._by_load = sorted((load[member], member) for member in range(len(load)))
        waiting = [(-load[member], member) for member in range(len(load))]
        heapify(waiting)
        stuck: dict[int, None] = {}  # those that nobody could take anything from when they were last looked at
        while waiting:
            negative, source = heappop(waiting)
            if -negative != load[source]:
                continue  # it has had a newer entry since
            target = self._lighter_reader(source)
            if target is None:
                stuck[source] = None
                continue
            self._move(source, target)
            again = [one for one in stuck if load[one] > load[source] + 1 and self._has(one) & self._reads[source]]
            for member in (source, target, *again):
                stuck.pop(member, None)
                heappush(waiting, (-load[member], member))

    def _has(self, member: int) -> int:
        return self._kept[member].topics | self._given[member].topics

    def _lighter_reader(self, source: int) -> int | None:
        """Return who has the fewest among those that can take a partition of the source, if at least two fewer."""
        has, limit = self._has(source), self._load[source] - 2
        for load, member in self._by_load:
            if load > limit:
                return None
            if self._reads[member] & has:
                return member
        return None

    def _count(self, member: int, topic: int) -> int:
        return self._kept[member].count(topic) + self._given[member].count(topic)

    def _move(self, source: int, target: int) -> None:
        wanted = self._reads[target]
        hand = self._given[source] if self._given[source].topics & wanted else self._kept[source]
        topic = max(hand.among(wanted), key=lambda one: (self._count(source, one) - self._count(target, one), -one))
        self._given[target].add(topic, hand.take(topic))
        for member, change in ((source, -1), (target, 1)):
            load = self._load[member]
            del self._by_load[bisect_left(self._by_load, (load, member))]
            insort(self._by_load, (load + change, member))
            self._load[member] = load + change

    def by_member(self) -> dict[str, tuple[TopicPartition, ...]]:
        """Return everybody's partitions, sorted."""
        return {
            member.member_id: tuple(
                TopicPartition(self._topics[topic], partition) for topic, partition in sorted(chain(kept, given))
            )
            for member, kept, given in zip(self._members, self._kept, self._given, strict=True)
        }
