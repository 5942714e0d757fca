"""The Consumer aggregate: subscriptions, assigned partitions, positions and committed offsets.

`consumer` is the aggregate. Imports `group` (for its errors), `topic` and what they may import.
"""

from odradek_domain.consumer.consumer import Consumer, ConsumerSnapshot

__all__ = [
    "Consumer",
    "ConsumerSnapshot",
]
