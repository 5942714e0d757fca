"""The actor that owns a consumer group: the group coordinator.

`actor` derives every step from the group's state; `member_sessions` holds the volatile state of members (references,
pending requests, session deadlines); `partition_counts` asks topics for their numbers of partitions; `deleted_topics`
finds out which topics are deleted. Imports `base` and the ConsumerGroup aggregate, but no other role.
"""

from odradek_actors.group.actor import GroupActor

__all__ = ["GroupActor"]
