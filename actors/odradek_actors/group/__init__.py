"""The actor that owns a consumer group: the group coordinator.

`actor` advances the group by its state alone; `member_sessions` has what is volatile about members: where they are,
what they wait for, when their sessions end; `partition_counts` asks topics how many partitions they have;
`deleted_topics` finds out which topics are gone. Imports `base` and the ConsumerGroup aggregate; knows no other role.
"""

from odradek_actors.group.actor import GroupActor

__all__ = ["GroupActor"]
