"""The PolicyProgress aggregate: how far a policy has reacted to the log.

`progress` is the aggregate. Imports `aggregate`. Start reading at `progress`.
"""

from odradek_domain.policy.progress import PolicyProgress, PolicySnapshot

__all__ = ["PolicyProgress", "PolicySnapshot"]
