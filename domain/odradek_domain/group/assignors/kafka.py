"""How the partitions of topics are shared out among the members of a consumer group: Kafka's four assignors.

    range               each topic for itself: neighbouring partitions to the same member, topics alike side by side
    roundrobin          all partitions dealt out in a circle
    sticky              balanced, with as few moves as possible since the last time      (`sticky_assignor`)
    cooperative-sticky  the same, while members go on reading what they keep             (`sticky_assignor`)

An assignor is a pure function: the same members and topics are shared out the same way in every process and order, so
an assignment can be explained from the log. Rules and names are those of Kafka's consumer; what it does with racks is
left out, since there are none here. One of your own needs no more than `Assignor` says; what it answers is checked.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from odradek_domain.errors import DomainError
from odradek_domain.group.assignors.sticky import CooperativeStickyAssignor, StickyAssignor
from odradek_domain.group.assignors.subscription import MemberSubscription, in_assignment_order, withhold_owned
from odradek_domain.values.positions import TopicPartition

__all__ = [
    "BUILT_IN",
    "Assignor",
    "CooperativeStickyAssignor",
    "InvalidAssignment",
    "MemberSubscription",
    "RangeAssignor",
    "RoundRobinAssignor",
    "StickyAssignor",
    "assignors_by_name",
    "checked_assignment",
    "in_assignment_order",
    "withhold_owned",
]


class Assignor(Protocol):
    """A way to share partitions out; attributes do for `name` and `is_cooperative` (KIP-429)."""

    @property
    def name(self) -> str:
        """What members choose it by."""

    @property
    def is_cooperative(self) -> bool:
        """Whether members keep what stays theirs while they rejoin."""

    def assign(
        self, members: Sequence[MemberSubscription], partition_counts: Mapping[str, int]
    ) -> Mapping[str, tuple[TopicPartition, ...]]:
        """Return everybody's partitions, sorted, by member id; a member that gets none has ().

        Topics that are not in `partition_counts` do not exist. The answer may depend on nothing but what the arguments
        hold: not on the members' order, a clock or chance. A cooperative assignor answers what is wanted in the end;
        the group withholds what others still have.
        """


class InvalidAssignment(DomainError):
    """An assignor's answer would leave a partition unread, or read by two or by somebody who did not subscribe."""

    code = "invalid_assignment"

    def __init__(self, assignor: str, problem: str) -> None:
        super().__init__(f"assignor {assignor!r} {problem}; correct it, or choose another one")
        self.assignor, self.problem = assignor, problem


class RangeAssignor:
    """Shares each topic out by itself: the first members get one more if it does not come out even."""

    __slots__ = ()
    name = "range"
    is_cooperative = False

    def assign(
        self, members: Sequence[MemberSubscription], partition_counts: Mapping[str, int]
    ) -> Mapping[str, tuple[TopicPartition, ...]]:
        """Share the partitions out: 3 of a topic to 2 members as 0, 1 and 2."""
        ordered = in_assignment_order(members)
        shares: list[list[TopicPartition]] = [[] for _ in ordered]
        for topic, readers in _readers(ordered, partition_counts):
            each, more = divmod(partition_counts[topic], len(readers))
            start = 0
            for place, reader in enumerate(readers if each else readers[:more]):
                end = start + each + (place < more)
                shares[reader].extend(TopicPartition(topic, partition) for partition in range(start, end))
                start = end
        return _by_member(ordered, shares)


class RoundRobinAssignor:
    """Deals all partitions out one by one in a circle, past those who do not read the topic."""

    __slots__ = ()
    name = "roundrobin"
    is_cooperative = False

    def assign(
        self, members: Sequence[MemberSubscription], partition_counts: Mapping[str, int]
    ) -> Mapping[str, tuple[TopicPartition, ...]]:
        """Share the partitions out: by topic and number, the circle going on from one topic to the next."""
        ordered = in_assignment_order(members)
        shares: list[list[TopicPartition]] = [[] for _ in ordered]
        turn = 0
        for topic, readers in _readers(ordered, partition_counts):
            for partition in range(partition_counts[topic]):
                place = bisect_left(readers, turn)
                reader = readers[place] if place < len(readers) else readers[0]
                shares[reader].append(TopicPartition(topic, partition))
                turn = reader + 1
        return _by_member(ordered, shares)


def _readers(ordered: Sequence[MemberSubscription], partition_counts: Mapping[str, int]) -> list[tuple[str, list[int]]]:
    """Return the existing topics that anybody reads, sorted, with their readers' places in order."""
    readers: dict[str, list[int]] = {}
    for place, member in enumerate(ordered):
        for topic in dict.fromkeys(member.topics):
            if topic in partition_counts:
                readers.setdefault(topic, []).append(place)
    return sorted(readers.items())


def _by_member(
    ordered: Sequence[MemberSubscription], shares: Sequence[Sequence[TopicPartition]]
) -> dict[str, tuple[TopicPartition, ...]]:
    return {member.member_id: tuple(share) for member, share in zip(ordered, shares, strict=True)}


BUILT_IN: Mapping[str, Assignor] = MappingProxyType(
    {
        "range": RangeAssignor(),
        "roundrobin": RoundRobinAssignor(),
        "sticky": StickyAssignor(),
        "cooperative-sticky": CooperativeStickyAssignor(),
    }
)
"""Kafka's assignors by name."""


def assignors_by_name(own: Iterable[Assignor]) -> Mapping[str, Assignor]:
    """Return the built-in assignors and these.

    Raises TypeError for what is no assignor, and ValueError for a name that is taken.
    """
    if not isinstance(own, Iterable):
        raise TypeError(f"assignors must be a list of assignors, not {own!r}")
    by_name = dict(BUILT_IN)
    for assignor in own:
        problem = _no_assignor(assignor)
        if problem:
            raise TypeError(f"{assignor!r} is no assignor: {problem}")
        if assignor.name in by_name:
            raise ValueError(f"two assignors are called {assignor.name!r}; give {assignor!r} another name")
        by_name[assignor.name] = assignor
    return by_name


def _no_assignor(candidate: object) -> str:
    """Say what an object lacks to be an assignor, or nothing."""
    if isinstance(candidate, type):
        return f"pass an instance, {candidate.__name__}(), not the class"
    name = getattr(candidate, "name", None)
    if not isinstance(name, str) or not name:
        return f"its name must be a str that is not empty, not {name!r}"
    if not isinstance(getattr(candidate, "is_cooperative", None), bool):
        return "its is_cooperative must be True or False"
    return "" if callable(getattr(candidate, "assign", None)) else "it has no method assign"


def checked_assignment(
    assignor_name: str,
    target: Mapping[str, tuple[TopicPartition, ...]],
    members: Sequence[MemberSubscription],
    partition_counts: Mapping[str, int],
) -> None:
    """Raise InvalidAssignment unless each partition that anybody reads is given to one member that reads its topic.

    The answer may come from anybody's code, so its types are looked at too.
    """
    problem = _problem_of_shape(target, members) or _problem_of_content(target, members, partition_counts)
    if problem:
        raise InvalidAssignment(assignor_name, problem)


def _problem_of_shape(target: object, members: Sequence[MemberSubscription]) -> str:
    if not isinstance(target, Mapping):
        return f"answered {_short(target)} instead of a mapping of member ids to partitions"
    known = {member.member_id for member in members}
    for member_id, partitions in target.items():
        if member_id not in known:
            return f"gave partitions to {_short(member_id)}, which is no member"
        if not isinstance(partitions, tuple):
            return f"gave {member_id!r} {_short(partitions)} instead of a tuple of partitions"
        for given in partitions:
            if (
                not isinstance(given, TopicPartition)
                or type(given.topic) is not str
                or type(given.partition) is not int
            ):
                return f"gave {member_id!r} {_short(given)}, which is no TopicPartition of a str and an int"
    missing = [member.member_id for member in members if member.member_id not in target]
    return f"forgot member {missing[0]!r}, which must have at least ()" if missing else ""


def _short(value: object) -> str:
    return repr(value)[:80]


def _problem_of_content(
    target: Mapping[str, tuple[TopicPartition, ...]],
    members: Sequence[MemberSubscription],
    partition_counts: Mapping[str, int],
) -> str:
    owners: dict[TopicPartition, str] = {}
    for member in members:
        topics, member_id = frozenset(member.topics), member.member_id
        for given in target[member_id]:
            if given.topic not in topics:
                return f"gave {given} to {member_id!r}, which does not read {given.topic!r}"
            if not 0 <= given.partition < partition_counts.get(given.topic, 0):
                return f"gave {given} to {member_id!r}, which does not exist"
            if given in owners:
                return f"gave {given} to {owners[given]!r} and to {member_id!r}"
            owners[given] = member_id
    for topic, _ in _readers(members, partition_counts):
        for partition in range(partition_counts[topic]):
            if (topic, partition) not in owners:
                return f"gave {topic}/{partition} to nobody"
    return ""
