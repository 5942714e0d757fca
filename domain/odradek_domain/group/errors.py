"""The errors of consumer groups; `odradek_domain.errors` shows the tree of all errors."""

from __future__ import annotations

from collections.abc import Iterable

from odradek_domain.errors import DomainError

__all__ = [
    "ConsumerNotAssigned",
    "FencedInstanceId",
    "GroupNotEmpty",
    "GroupNotFound",
    "IllegalGeneration",
    "InconsistentAssignors",
    "NothingToShift",
    "RebalanceInProgress",
    "SubscriptionConflict",
    "UnknownAssignor",
    "UnknownMember",
]


class UnknownMember(DomainError):
    """The sender is not a member: its session expired, it did not poll, or it left (UNKNOWN_MEMBER_ID)."""

    code = "unknown_member"

    def __init__(self, group: str, member: str) -> None:
        super().__init__(
            f"{member!r} is no longer a member of group {group!r}; call poll() to rejoin, "
            "and treat uncommitted messages as unprocessed"
            if member
            else f"group {group!r} has members, so only they can commit; subscribe, or wait until the group is empty"
        )
        self.group, self.member = group, member


class IllegalGeneration(DomainError):
    """The group has rebalanced since, and may have reassigned the partitions (ILLEGAL_GENERATION)."""

    code = "illegal_generation"

    def __init__(self, group: str, member: str, generation: int, current: int) -> None:
        super().__init__(
            f"member {member!r} is at generation {generation}, but group {group!r} is at generation {current}; "
            "call poll() to rejoin, and treat uncommitted messages as unprocessed"
        )
        self.group, self.member, self.generation, self.current = group, member, generation, current


class RebalanceInProgress(DomainError):
    """The group is reassigning its partitions (REBALANCE_IN_PROGRESS)."""

    code = "rebalance_in_progress"
    retriable = True

    def __init__(self, group: str) -> None:
        super().__init__(f"group {group!r} is rebalancing; call poll(), then retry")
        self.group = group


class FencedInstanceId(DomainError):
    """Another consumer now uses this static member's instance id (FENCED_INSTANCE_ID)."""

    code = "fenced_instance_id"

    def __init__(self, group: str, instance: str, member: str) -> None:
        super().__init__(
            f"another consumer of group {group!r} now uses instance id {instance!r}; "
            f"close this one ({member!r}), or give each consumer its own instance id"
        )
        self.group, self.instance, self.member = group, instance, member


class UnknownAssignor(DomainError):
    """There is no assignor with this name."""

    code = "unknown_assignor"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = tuple(sorted(known))
        super().__init__(f"there is no assignor {name!r}; use one of {', '.join(names)}, or pass your own to open()")
        self.name, self.known = name, names


class InconsistentAssignors(DomainError):
    """A member offers no assignor, or none that all other members support (INCONSISTENT_GROUP_PROTOCOL)."""

    code = "inconsistent_assignors"

    def __init__(self, group: str, assignors: Iterable[str], common: Iterable[str]) -> None:
        offered, wanted = tuple(assignors), tuple(common)
        super().__init__(
            f"group {group!r} assigns partitions by {' or '.join(wanted)}, but the new member supports only "
            f"{' or '.join(offered)}; give all its consumers a common assignor"
            if offered
            else f"the new member of group {group!r} offers no assignor; name at least one, such as 'range'"
        )
        self.group, self.assignors, self.common = group, offered, wanted


class GroupNotEmpty(DomainError):
    """The group has members, so its offsets cannot be reset or deleted (NON_EMPTY_GROUP)."""

    code = "group_not_empty"

    def __init__(self, group: str, members: int) -> None:
        super().__init__(f"group {group!r} has {members} member(s); close its consumers first")
        self.group, self.members = group, members


class GroupNotFound(DomainError):
    """No consumer has joined this group or committed to it, or it was deleted (GROUP_ID_NOT_FOUND)."""

    code = "group_not_found"

    def __init__(self, group: str) -> None:
        super().__init__(
            f"there is no group {group!r}; list the groups with `odradek groups list`, or subscribe to create it"
        )
        self.group = group


class NothingToShift(DomainError):
    """The group has no committed offset in this partition, so there is nothing to shift."""

    code = "nothing_to_shift"

    def __init__(self, group: str, topic: str, partition: int) -> None:
        super().__init__(
            f"group {group!r} has no committed offset in {topic}/{partition} to shift; "
            "reset it to earliest, latest, an offset or a time instead"
        )
        self.group, self.topic, self.partition = group, topic, partition


class ConsumerNotAssigned(DomainError):
    """The partition is not, or no longer, assigned to the consumer."""

    code = "consumer_not_assigned"

    def __init__(self, consumer: str, topic: str, partition: int) -> None:
        super().__init__(
            f"{topic}/{partition} is not assigned to consumer {consumer!r}; "
            "poll until it is, or assign it with assign()"
        )
        self.consumer, self.topic, self.partition = consumer, topic, partition


class SubscriptionConflict(DomainError):
    """Subscribed topics, a pattern and a manual assignment are mutually exclusive."""

    code = "subscription_conflict"

    def __init__(self, consumer: str, has: str, wanted: str) -> None:
        super().__init__(f"consumer {consumer!r} has {has}, which excludes {wanted}; call unsubscribe() first")
        self.consumer, self.has, self.wanted = consumer, has, wanted
