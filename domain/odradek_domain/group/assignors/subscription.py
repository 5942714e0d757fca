"""What an assignor is told of a group's members, and what may be believed of it.

A member says which partitions it has (`owned`) and since which generation. One that was away too long may say so
long after others got them (KAFKA-7026), so of several claims to a partition only those of the newest generation count
(KIP-792). Between two of the same generation nobody can decide: both holders must be taken seriously when partitions
are withheld, and neither when they are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from odradek_domain.values.positions import TopicPartition

__all__ = ["MemberSubscription", "in_assignment_order", "newest_claims", "withhold_owned"]


class MemberSubscription(msgspec.Struct, frozen=True, gc=False):
    """A member as an assignor sees it: the `topics` it reads, and what it had before.

    `topics` are names, patterns already resolved; some may not exist. `instance_id` is a static member's. `owned` is
    what the member had, or with a cooperative assignor still has, since the generation `owned_generation`; -1 is older
    than any.
    """

    member_id: str
    topics: tuple[str, ...]
    instance_id: str | None = None
    owned: tuple[TopicPartition, ...] = ()
    owned_generation: int = -1


def in_assignment_order(members: Iterable[MemberSubscription]) -> list[MemberSubscription]:
    """Return static members by instance id, then dynamic ones by member id: Kafka's order.

    A static member has its place whatever member id it gets when it comes back, and so gets the same partitions.
    Raises ValueError for a member that is there twice: whose subscription and claims count, nobody could say.
    """
    members = list(members)
    if len({member.member_id for member in members}) < len(members):
        again = next(name for name, times in Counter(member.member_id for member in members).items() if times > 1)
        raise ValueError(f"member {again!r} is there twice; give each member once, with all its topics")
    return sorted(members, key=lambda one: (one.instance_id is None, one.instance_id or "", one.member_id))


def newest_claims(members: Iterable[MemberSubscription]) -> dict[TopicPartition, list[str]]:
    """Return who claims each partition, of the newest generation that anybody claims it in; several if they quarrel."""
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
    """Return the part of the target that can be given at once; what another member still holds goes to nobody yet.

    The holder sees that it has lost the partition, lets go of it and joins again; then it is free (KIP-429's
    adjustAssignment). So nobody stops reading what it keeps, and no partition has two readers. What a member holds of
    a topic that it no longer reads is withheld too, until it has let go.
    """
    holders = newest_claims(members)

    def is_free_for(member_id: str, partition: TopicPartition) -> bool:
        return all(holder == member_id for holder in holders.get(partition, ()))

    return {
        member_id: tuple(partition for partition in partitions if is_free_for(member_id, partition))
        for member_id, partitions in target.items()
    }
