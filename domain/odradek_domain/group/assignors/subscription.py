"""An assignor's view of a group's members, and which of their claims are valid.

A member claims partitions (`owned`) of a generation. A member that was away for long may claim partitions that were
reassigned since (KAFKA-7026), so of several claims to a partition only those of the newest generation count (KIP-792).
If two claims are of the same generation, either may be right: the partition is withheld on behalf of both, and neither
member keeps it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from odradek_domain.values.positions import TopicPartition

__all__ = ["MemberSubscription", "in_assignment_order", "newest_claims", "withhold_owned"]


class MemberSubscription(msgspec.Struct, frozen=True, gc=False):
    """A member as an assignor sees it: the `topics` it reads, and the partitions it owned before.

    `topics` are names, with patterns already resolved; some may not exist. `instance_id` is a static member's. `owned`
    are the partitions that the member had in generation `owned_generation`, and with a cooperative assignor still has;
    -1 is older than any generation.
    """

    member_id: str
    topics: tuple[str, ...]
    instance_id: str | None = None
    owned: tuple[TopicPartition, ...] = ()
    owned_generation: int = -1


def in_assignment_order(members: Iterable[MemberSubscription]) -> list[MemberSubscription]:
    """Return static members sorted by instance id, then dynamic ones by member id: Kafka's order.

    So a static member keeps its place, and its partitions, when it returns with a new member id. Raises ValueError for
    a duplicate member, whose subscription and claims would be ambiguous.
    """
    members = list(members)
    if len({member.member_id for member in members}) < len(members):
        again = next(name for name, times in Counter(member.member_id for member in members).items() if times > 1)
        raise ValueError(f"member {again!r} is listed twice; list each member once, with all its topics")
    return sorted(members, key=lambda one: (one.instance_id is None, one.instance_id or "", one.member_id))


def newest_claims(members: Iterable[MemberSubscription]) -> dict[TopicPartition, list[str]]:
    """Return for each partition the members with the newest claim to it; more than one if their claims conflict."""
    generations: dict[TopicPartition, int] = {}
    claimants: dict[TopicPartition, list[str]] = {}
    for member in members:
        generation = member.owned_generation
        for partition in dict.fromkeys(member.owned):
            known = generations.get(partition)
            if known is None or generation > known:
                generations[partition] = generation
                claimants[partition] = [member.member_id]
            elif generation == known:
                claimants[partition].append(member.member_id)
    return claimants


def withhold_owned(
    target: Mapping[str, tuple[TopicPartition, ...]], members: Sequence[MemberSubscription]
) -> Mapping[str, tuple[TopicPartition, ...]]:
    """Return the part of the target that can be assigned at once, without partitions that another member still owns.

    The owner sees that the partition was revoked, releases it and rejoins; then it can be assigned (KIP-429's
    adjustAssignment). So members keep reading their retained partitions, and no partition has two readers. A partition
    is also withheld if its owner no longer reads its topic, until the owner has released it.
    """
    holders = newest_claims(members)

    def is_free_for(member_id: str, partition: TopicPartition) -> bool:
        return all(holder == member_id for holder in holders.get(partition, ()))

    return {
        member_id: tuple(partition for partition in partitions if is_free_for(member_id, partition))
        for member_id, partitions in target.items()
    }
