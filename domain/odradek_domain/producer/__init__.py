"""The Producer aggregate, and how its messages find their partition.

`producer` is the aggregate; `routing` chooses the partition of each message, on `partitioner`, which holds Kafka's
rules. Imports `topic` and what `topic` may import. Start reading at `producer`.
"""

from odradek_domain.producer.partitioner import StickyPartitioner, murmur2, partition_for_key
from odradek_domain.producer.producer import Producer, ProducerSnapshot
from odradek_domain.producer.routing import MessageRoutingService

__all__ = [
    "MessageRoutingService",
    "Producer",
    "ProducerSnapshot",
    "StickyPartitioner",
    "murmur2",
    "partition_for_key",
]
