"""The ConsumerGroup aggregate: members, generations, assignments, committed offsets.

`group` is the aggregate, `member` its parts; `assignors` assign partitions to members; `offset_reset` plans a reset of
committed offsets; `errors` has the errors of a group. Imports `topic` (for the bounds of partitions) and what `topic`
may import. Start reading at `group`.

Names are imported on first use, so that importing an error does not load the aggregates.
"""

from typing import TYPE_CHECKING

from odradek_events.lazy_names import lazy_names

if TYPE_CHECKING:
    from odradek_domain.group.errors import (
        ConsumerNotAssigned,
        FencedInstanceId,
        GroupNotEmpty,
        GroupNotFound,
        IllegalGeneration,
        InconsistentAssignors,
        NothingToShift,
        RebalanceInProgress,
        SubscriptionConflict,
        UnknownAssignor,
        UnknownMember,
    )
    from odradek_domain.group.group import ConsumerGroup
    from odradek_domain.group.member import Claim, GroupMember, GroupSnapshot, GroupState
    from odradek_domain.group.offset_reset import (
        PlannedReset,
        ResetTarget,
        ShiftBy,
        checked_target,
        plan_reset,
        planned_offsets,
        reset_reason,
        wanted_partitions,
    )
else:
    __getattr__, __dir__ = lazy_names(__name__, "errors", "member", "group", "offset_reset")

__all__ = [
    "Claim",
    "ConsumerGroup",
    "ConsumerNotAssigned",
    "FencedInstanceId",
    "GroupMember",
    "GroupNotEmpty",
    "GroupNotFound",
    "GroupSnapshot",
    "GroupState",
    "IllegalGeneration",
    "InconsistentAssignors",
    "NothingToShift",
    "PlannedReset",
    "RebalanceInProgress",
    "ResetTarget",
    "ShiftBy",
    "SubscriptionConflict",
    "UnknownAssignor",
    "UnknownMember",
    "checked_target",
    "plan_reset",
    "planned_offsets",
    "reset_reason",
    "wanted_partitions",
]
