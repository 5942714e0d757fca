"""Assignors: assign a group's partitions to its members.

`kafka` has the protocol, the range and round-robin assignors and the check of an assignment; `sticky` the assignors
that move few partitions; `subscription` an assignor's view of a member. Imports `values` and `errors`; the group
imports it. Start reading at `kafka`.
"""

from odradek_domain.group.assignors.kafka import (
    BUILT_IN,
    Assignor,
    InvalidAssignment,
    RangeAssignor,
    RoundRobinAssignor,
    assignors_by_name,
    checked_assignment,
)
from odradek_domain.group.assignors.sticky import CooperativeStickyAssignor, StickyAssignor
from odradek_domain.group.assignors.subscription import MemberSubscription, in_assignment_order, withhold_owned

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
