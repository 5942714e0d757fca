"""Kafka's four assignors, which assign the partitions of topics to the members of a consumer group.

    range               each topic separately: ranges of partitions; topics of equal size are assigned alike
    roundrobin          all partitions, one after another, to the members in turn
    sticky              balanced, with as few moves as possible since the last assignment      (`sticky`)
    cooperative-sticky  the same, while members keep reading their retained partitions         (`sticky`)

An assignor is a pure function: the same members and topics give the same assignment in every process and order, so an
assignment can be explained from the log. Rules and names are those of Kafka's consumer, without its rack awareness. A
custom assignor only has to implement `Assignor`; its answer is checked.
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
from odradek_events.validation import shown

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
    """Assigns partitions to members. `name` and `is_cooperative` (KIP-429) may be plain attributes."""

    @property
    def name(self) -> str:
        """The name by which members select it."""

    @property
    def is_cooperative(self) -> bool:
        """Whether members keep reading their partitions while they rejoin."""

    def assign(
        self, members: Sequence[MemberSubscription], partition_counts: Mapping[str, int]
    ) -> Mapping[str, tuple[TopicPartition, ...]]:
        """Return the sorted partitions of each member, by member id; () for a member without partitions.

        Topics that are not in `partition_counts` do not exist. The answer must depend only on the contents of the
        arguments: not on the members' order, a clock or randomness. A cooperative assignor returns the final
        assignment; the group withholds partitions that other members still own.
        """


class InvalidAssignment(DomainError):
    """An assignor left a partition unassigned, or assigned it twice or to a member that does not read its topic."""

    code = "invalid_assignment"

    def __init__(self, assignor: str, problem: str) -> None:
        super().__init__(f"assignor {assignor!r} {problem}; fix it, or use another assignor")
        self.assignor, self.problem = assignor, problem


class RangeAssignor:
    """Assigns each topic separately; if the partitions do not divide evenly, the first members get one more."""

    __slots__ = ()
    name = "range"
    is_cooperative = False

    def assign(
        self, members: Sequence[MemberSubscription], partition_counts: Mapping[str, int]
    ) -> Mapping[str, tuple[TopicPartition, ...]]:
        """Assign ranges of partitions: of 3 partitions, 0 and 1 to the first of 2 members, 2 to the second."""
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
    """Assigns all partitions one by one to the members in turn, skipping members that do not read the topic."""

    __slots__ = ()
    name = "roundrobin"
    is_cooperative = False

    def assign(
        self, members: Sequence[MemberSubscription], partition_counts: Mapping[str, int]
    ) -> Mapping[str, tuple[TopicPartition, ...]]:
        """Assign partitions in order of topic and number; the turn continues from one topic to the next."""
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
    """Return the existing topics with readers, sorted, each with the indices of its readers."""
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
    """Return the built-in assignors and these, by name.

    Raises TypeError for an object that is not an assignor, ValueError for a name that is already used.
    """
    if not isinstance(own, Iterable):
        raise TypeError(f"assignors must be a list of assignors, not {shown(own)}")
    by_name = dict(BUILT_IN)
    for assignor in own:
        problem = _no_assignor(assignor)
        if problem:
            raise TypeError(f"{shown(assignor)} is not an assignor: {problem}")
        if assignor.name in by_name:
            raise ValueError(f"two assignors are named {assignor.name!r}; give {shown(assignor)} another name")
        by_name[assignor.name] = assignor
    return by_name


def _no_assignor(candidate: object) -> str:
    """Return why an object is not an assignor; "" if it is one."""
    if isinstance(candidate, type):
        return f"pass an instance, {candidate.__name__}(), not the class"
    name = getattr(candidate, "name", None)
    if not isinstance(name, str) or not name:
        return f"its name must be a non-empty str, not {shown(name)}"
    if not isinstance(getattr(candidate, "is_cooperative", None), bool):
        return "its is_cooperative must be True or False"
    return "" if callable(getattr(candidate, "assign", None)) else "it has no method assign"


def checked_assignment(
    assignor_name: str,
    target: Mapping[str, tuple[TopicPartition, ...]],
    members: Sequence[MemberSubscription],
    partition_counts: Mapping[str, int],
) -> None:
    """Raise InvalidAssignment unless each partition with readers is assigned to exactly one of them.

    The answer may come from a custom assignor, so its types are checked too.
    """
    problem = _problem_of_shape(target, members) or _problem_of_content(target, members, partition_counts)
    if problem:
        raise InvalidAssignment(assignor_name, problem)


def _problem_of_shape(target: object, members: Sequence[MemberSubscription]) -> str:
    if not isinstance(target, Mapping):
        return f"returned {_short(target)} instead of a mapping of member ids to partitions"
    known = {member.member_id for member in members}
    for member_id, partitions in target.items():
        if member_id not in known:
            return f"assigned partitions to {_short(member_id)}, which is not a member"
        if not isinstance(partitions, tuple):
            return f"assigned {member_id!r} {_short(partitions)} instead of a tuple of partitions"
        for given in partitions:
            if (
                not isinstance(given, TopicPartition)
                or type(given.topic) is not str
                or type(given.partition) is not int
            ):
                return f"assigned {member_id!r} {_short(given)}, which is not a TopicPartition of a str and an int"
    missing = [member.member_id for member in members if member.member_id not in target]
    return f"left out member {missing[0]!r}, which must have at least ()" if missing else ""


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
                return f"assigned {given} to {member_id!r}, which does not read {given.topic!r}"
            if not 0 <= given.partition < partition_counts.get(given.topic, 0):
                return f"assigned {given}, which does not exist, to {member_id!r}"
            if given in owners:
                return f"assigned {given} to {owners[given]!r} and to {member_id!r}"
            owners[given] = member_id
    for topic, _ in _readers(members, partition_counts):
        for partition in range(partition_counts[topic]):
            if (topic, partition) not in owners:
                return f"did not assign {topic}/{partition} to any member"
    return ""
