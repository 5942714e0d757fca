"""The Producer aggregate, and the choice of a partition for each message.

`producer` is the aggregate; `routing` chooses the partition of each message, with Kafka's rules in `partitioner`.
Imports `topic` and what `topic` may import. Start reading at `producer`.
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
